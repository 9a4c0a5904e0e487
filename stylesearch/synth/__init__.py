"""Drawn products and drawn street photos: a shop to try things on, as large as one likes, without a download.

A garment is described in words (:class:`~stylesearch.synth.wardrobe.GarmentSpec`), cut to centimetres
(:mod:`~stylesearch.synth.cuts`), drawn flat on strips of cloth (:mod:`~stylesearch.synth.garments`), and then
either laid on a table for the shop's picture (:mod:`~stylesearch.synth.shop`) or bent around someone's trunk,
arms and legs for a street photo (:mod:`~stylesearch.synth.street`). So both show the same product, down to
its buttons.
"""

from typing import Any

__all__ = ["DemoReport", "DrawnProduct", "drawn_photos", "drawn_product", "write_demo"]


def __getattr__(name: str) -> Any:
    if name in ("DrawnProduct", "drawn_product"):
        from stylesearch.synth import products

        return getattr(products, name)
    if name in __all__:
        from stylesearch.synth import writer

        return getattr(writer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
