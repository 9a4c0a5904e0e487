"""Draws products and street photos of them: a demo shop of any size, without a download.

A garment is described in words (``GarmentSpec``), cut to
centimetres (``stylesearch.drawn_shop.garments.cuts``), drawn flat on strips of cloth
(``stylesearch.drawn_shop.garments.garments``), and then either laid on a table for the shop's image
(``stylesearch.drawn_shop.shop``) or bent around someone's trunk, arms and legs for a street photo
(``stylesearch.drawn_shop.street``). So both show the same product, down to its buttons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from stylesearch.drawn_shop.products import DrawnProduct, draw_product
    from stylesearch.drawn_shop.writer import DemoReport, draw_photos, write_demo

__all__ = [
    "DemoReport",
    "DrawnProduct",
    "draw_photos",
    "draw_product",
    "write_demo",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "products": ["DrawnProduct", "draw_product"],
        "writer": ["DemoReport", "draw_photos", "write_demo"],
    },
)
