"""Usable images of a catalog, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from stylesearch.catalog import Catalog
from stylesearch.types import ImageRecord, Product

__all__ = ["BOX", "PAGE", "CatalogImage", "list_images", "split_queries"]

PAGE: Final = 2000
"""Images that are read from the catalog at a time."""

BOX: Final = "box"
"""The choice of regions that means: the image's box, or the whole image where it has none."""


@dataclass(frozen=True, slots=True)
class CatalogImage:
    """A usable image of the catalog.

    Attributes:
        pk: key of the image; rising in the order in which images were listed.
        product, image: the product and the image, as the catalog has them.
    """

    pk: int
    product: Product
    image: ImageRecord

    @property
    def key(self) -> tuple[str, str]:
        """Product id and locator: the key that images are sorted by, whatever the order of an ingest."""
        return self.product.id, self.image.locator


def list_images(catalog: Catalog, progress: Callable[[int], None] | None = None) -> list[CatalogImage]:
    """Lists all usable images of a catalog, sorted by product id, then path."""
    found: list[CatalogImage] = []
    after = ("", "")
    while page := catalog.usable_images(after=after, limit=PAGE):
        found += [CatalogImage(*one) for one in page]
        after = found[-1].key
        if progress:
            progress(len(found))
    return sorted(found, key=lambda one: one.key)


def split_queries(
    queries: Sequence[CatalogImage], regions: str
) -> tuple[list[CatalogImage], list[CatalogImage]]:
    """Splits queries into those whose vectors the catalog holds, and those whose regions are to be computed.

    The catalog holds vectors of an image's box where it has one, and of the whole image elsewhere.
    """
    if regions == BOX:
        return list(queries), []
    if regions == "whole":
        whole = [one for one in queries if one.image.box is None]
        return whole, [one for one in queries if one.image.box is not None]
    return [], list(queries)
