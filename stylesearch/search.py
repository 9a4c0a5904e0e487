"""A photo in, hits out: decode, look through regions, extract, search the gallery."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from stylesearch.gallery import Gallery
from stylesearch.images.decode import DEFAULT_MAX_PIXELS, decode
from stylesearch.images.regions import crops, plan_boxes, reduction
from stylesearch.types import Box, Hit

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["Photo", "QueryResult", "Searcher"]

Photo = bytes | str | os.PathLike[str] | BinaryIO


@dataclass(frozen=True, slots=True)
class QueryResult(Sequence[Hit]):
    """What was found for a photo; a sequence of its hits, nearest first.

    Attributes:
        hits: one a product, by rank.
        regions: the parts of the photo that were looked at, in pixels of the upright photo; empty when
            the query was a product.
        seconds: wall time of each step: ``decode``, ``extract``, ``search``.
        photo: what was searched with: a file, or its bytes; for a product, its first picture.
        subject: what was searched with, in words.
    """

    hits: tuple[Hit, ...]
    regions: tuple[Box, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    photo: bytes | str | os.PathLike[str] | None = None
    subject: str = ""

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.hits[index]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


class Searcher:
    """Finds products in one gallery, with the extractor that made the gallery's features.

    Args:
        gallery: what is searched.
        extractor: what made the gallery's features; it loads its network when it is first needed.
        regions: the plan of parts through which a photo is looked at.
        max_pixels: photos with more pixels are refused.
    """

    def __init__(
        self,
        gallery: Gallery,
        extractor: Extractor,
        *,
        regions: str = "whole",
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        self.gallery = gallery
        self.extractor = extractor
        self.regions = regions
        self.max_pixels = max_pixels

    def query(
        self, photo: Photo, *, k: int = 20, category: str | None = None, box: Box | None = None
    ) -> QueryResult:
        """Products that ``photo`` shows, nearest first.

        The photo is looked at through several regions and the smallest distance counts, since a garment
        fills the shop's picture but only a part of a customer's.

        Args:
            photo: a file, its bytes, or a stream; any format that :func:`stylesearch.images.decode` reads.
            k: how many products at most.
            category: search in this category only.
            box: where the garment is, in pixels of the upright photo; replaces the regions.

        Raises:
            ImageError: the photo cannot be used.
            NotInCatalog: no such category.
        """
        began = time.perf_counter()
        kept = photo.read() if hasattr(photo, "read") else photo
        size = self.extractor.input_size
        picture = decode(
            kept, reduce_to=reduction(size, [box] if box else self.regions), max_pixels=self.max_pixels
        )
        boxes = [box] if box else plan_boxes(self.regions, picture.width, picture.height)
        images = crops(picture, boxes, size)
        decoded = time.perf_counter()
        features = self.extractor.extract(images)
        extracted = time.perf_counter()
        found = self.gallery.search(features, k, category=category)
        searched = time.perf_counter()
        hits = tuple(
            Hit(rank, one.product, one.distance, one.image, region=boxes[one.row])
            for rank, one in enumerate(found, start=1)
        )
        seconds = {
            "decode": decoded - began,
            "extract": extracted - decoded,
            "search": searched - extracted,
        }
        subject = "photo" if isinstance(kept, bytes) else Path(kept).name
        return QueryResult(hits, tuple(boxes), seconds, kept, subject)

    def similar(self, product_id: str, *, k: int = 20, category: str | None = None) -> QueryResult:
        """Products that look like one in the catalog, which is itself left out.

        Raises:
            NotInCatalog: no such product, or it has no features.
        """
        began = time.perf_counter()
        features = self.gallery.features_of(product_id)
        found = self.gallery.search(features, k, category=category, without=product_id)
        hits = tuple(
            Hit(rank, one.product, one.distance, one.image) for rank, one in enumerate(found, start=1)
        )
        seconds = {"search": time.perf_counter() - began}
        images = self.gallery.home.catalog.images_of(product_id)
        photo = images[0].path if images else None
        return QueryResult(hits, (), seconds, photo, f"product {product_id}")
