"""A photo in, hits out: decode, look through regions, extract, search the gallery."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from stylesearch.images.decode import DEFAULT_MAX_PIXELS
from stylesearch.images.inputs import make_inputs
from stylesearch.search import Gallery
from stylesearch.types import Box, Hit, SearchRequest

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["Photo", "QueryResult", "Searcher", "View"]

Photo = bytes | str | os.PathLike[str] | BinaryIO

DEFAULT_REQUEST = SearchRequest()


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


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """A photo as an extractor is to see it.

    Attributes:
        images: its regions, uint8, shape (n, size, size, 3).
        boxes: where they are, in pixels of the upright photo.
        width, height: of the upright photo.
        photo: the file, or its bytes.
        seconds: how long it took to read and cut.
    """

    images: npt.NDArray[np.uint8]
    boxes: tuple[Box, ...]
    width: int
    height: int
    photo: bytes | str | os.PathLike[str]
    seconds: float


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

    def query(self, photo: Photo, request: SearchRequest = DEFAULT_REQUEST) -> QueryResult:
        """Products that ``photo`` shows, nearest first.

        The photo is looked at through several regions and the smallest distance counts, since a garment
        fills the shop's picture but only a part of a customer's.

        Args:
            photo: a file, its bytes, or a stream; any format that ``stylesearch.images.decode`` reads.
            request: how many products, of which category, in which part of the photo.

        Raises:
            ImageError: the photo cannot be used.
            NotInCatalog: no such category.
        """
        view = self.look(photo, request)
        began = time.perf_counter()
        features = self.extractor.extract(view.images)
        seconds = {"extract": time.perf_counter() - began}
        return self.find(view, features, request, seconds=seconds)

    def look(
        self, photo: Photo, request: SearchRequest = DEFAULT_REQUEST, *, max_pixels: int | None = None
    ) -> View:
        """Reads a photo and cuts it into its regions: the first step of ``query``.

        Whoever has several photos takes the steps apart: the next one is read while features are made of
        this one, or features of several are made at once.

        Args:
            photo: a file, its bytes, or a stream, as for ``query``.
            request: its box, or its plan of regions, says which parts are cut out.
            max_pixels: photos with more are refused; the searcher's own limit if not given.

        Raises:
            ImageError: the photo cannot be used.
        """
        began = time.perf_counter()
        kept = photo.read() if hasattr(photo, "read") else photo
        size = self.extractor.input_size
        box, plan = request.box, request.regions or self.regions
        inputs = make_inputs(
            kept,
            [size],
            [box] if box else plan,
            max_pixels=self.max_pixels if max_pixels is None else max_pixels,
        )
        took = time.perf_counter() - began
        return View(inputs.pixels[size], inputs.boxes, inputs.width, inputs.height, kept, took)

    def find(
        self,
        view: View,
        features: npt.NDArray[np.float32],
        request: SearchRequest = DEFAULT_REQUEST,
        *,
        seconds: Mapping[str, float] | None = None,
    ) -> QueryResult:
        """Products nearest to the features of a photo: the last step of ``query``.

        Args:
            view: of the photo.
            features: the extractor's, of ``view.images``, float32, shape (n, dim).
            request: how many products, and which.
            seconds: of the steps in between, which the result is to tell.

        Raises:
            NotInCatalog: no such category.
        """
        began = time.perf_counter()
        found = self.gallery.search(features, request)
        hits = tuple(
            Hit(rank, one.product, one.distance, one.image, region=view.boxes[one.row])
            for rank, one in enumerate(found, start=1)
        )
        steps = {"decode": view.seconds, **(seconds or {}), "search": time.perf_counter() - began}
        subject = "photo" if isinstance(view.photo, bytes) else Path(view.photo).name
        return QueryResult(hits, view.boxes, steps, view.photo, subject)

    def similar(self, product_id: str, request: SearchRequest = DEFAULT_REQUEST) -> QueryResult:
        """Products that look like one in the catalog, which is itself left out.

        Args:
            product_id: of the product.
            request: how many products, and which; its box and regions are of no use here.

        Raises:
            NotInCatalog: no such product, or it has no features.
        """
        began = time.perf_counter()
        features = self.gallery.features_of(product_id)
        found = self.gallery.search(features, replace(request, exclude=product_id))
        hits = tuple(
            Hit(rank, one.product, one.distance, one.image) for rank, one in enumerate(found, start=1)
        )
        seconds = {"search": time.perf_counter() - began}
        images = self.gallery.location.catalog.images_of(product_id)
        photo = images[0].path if images else None
        return QueryResult(hits, (), seconds, photo, f"product {product_id}")
