"""Usable pictures of a catalog, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from stylesearch.catalog import Catalog
from stylesearch.types import ImageRecord, Product

__all__ = [
    "BOX",
    "PAGE",
    "CatalogImage",
    "list_images",
    "split_queries",
]

PAGE = 2000


BOX = "box"


def split_queries(
    queries: Sequence[CatalogImage], regions: str
) -> tuple[list[CatalogImage], list[CatalogImage]]:
    """Queries whose vectors are those of the catalog, and those whose regions are looked at anew.

    The catalog holds vectors of a picture's box where it knows one, and of the whole picture elsewhere.
    """
    if regions == BOX:
        return list(queries), []
    if regions == "whole":
        whole = [one for one in queries if one.image.box is None]
        return whole, [one for one in queries if one.image.box is not None]
    return [], list(queries)


def list_images(catalog: Catalog, progress: Callable[[int], None] | None = None) -> list[CatalogImage]:
    """All usable pictures of a catalog, sorted by product id, then path."""
    found: list[CatalogImage] = []
    after = ("", "")
    while page := catalog.usable_images(after=after, limit=PAGE):
        found += [CatalogImage(*one) for one in page]
        after = found[-1].key
        if progress:
            progress(len(found))
    return sorted(found, key=lambda one: one.key)


@dataclass(frozen=True, slots=True)
class CatalogImage:
    """A usable picture of the catalog.

    Attributes:
        pk: its key; rising in the order in which pictures were listed.
        product, image: as the catalog has them.
    """

    pk: int
    product: Product
    image: ImageRecord

    @property
    def key(self) -> tuple[str, str]:
        """Product id and path: the order of everything, whatever the order of an ingest."""
        return self.product.id, self.image.path
