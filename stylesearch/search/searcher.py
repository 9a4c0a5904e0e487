"""Searches with a photo: decodes it, cuts regions, extracts features, searches the gallery."""

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
from stylesearch.images.regions import PERSON_PLAN
from stylesearch.search.gallery import Gallery
from stylesearch.types import Box, Hit, SearchRequest

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["Photo", "QueryResult", "Searcher", "View", "look", "look_and_extract"]

Photo = bytes | str | os.PathLike[str] | BinaryIO

DEFAULT_REQUEST = SearchRequest()


@dataclass(frozen=True, slots=True)
class QueryResult(Sequence[Hit]):
    """The result of a query: a sequence of hits, nearest first.

    Attributes:
        hits: one for each product, by rank.
        regions: the regions of the photo that were searched with, in pixels of the upright photo; empty when
            the query was a product.
        seconds: wall time of each step: ``decode``, ``extract``, ``search``.
        photo: the photo, a file or its bytes; for a product, its first image.
        subject: description of the query in words.
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
    """A photo as the input of an extractor.

    Attributes:
        images: its regions, uint8, shape (n, size, size, 3).
        boxes: boxes of the regions, in pixels of the upright photo.
        width, height: size of the upright photo in pixels.
        photo: the file, or its bytes.
        seconds: time that it took to read and cut it.
        n_squares: how many regions, the last ones, are squares around a person.
    """

    images: npt.NDArray[np.uint8]
    boxes: tuple[Box, ...]
    width: int
    height: int
    photo: bytes | str | os.PathLike[str]
    seconds: float
    n_squares: int = 0


def look(photo: Photo, size: int, request: SearchRequest, *, regions: str, max_pixels: int) -> View:
    """Reads a photo and cuts it into its regions; no gallery is needed for that.

    Args:
        photo: a file, its bytes, or a stream, as for ``Searcher.query``.
        size: side of the extractor's input in pixels.
        request: its box, or its plan of regions, decides which parts are cut out.
        regions: the plan of a request that names neither.
        max_pixels: photos with more pixels are refused.

    Raises:
        ImageError: the photo cannot be used.
    """
    began = time.perf_counter()
    kept = photo.read() if hasattr(photo, "read") else photo
    box, plan = request.box, request.regions or regions
    if plan == PERSON_PLAN and box is None:
        from stylesearch.persons.regions import make_person_inputs  # OpenCV: other plans do without

        inputs = make_person_inputs(kept, [size], max_pixels=max_pixels)
    else:
        inputs = make_inputs(kept, [size], [box] if box else plan, max_pixels=max_pixels)
    took = time.perf_counter() - began
    return View(inputs.pixels[size], inputs.boxes, inputs.width, inputs.height, kept, took, inputs.n_squares)


def look_and_extract(
    photo: Photo, extractor: Extractor, request: SearchRequest, *, regions: str, max_pixels: int
) -> tuple[View, npt.NDArray[np.float32], float]:
    """Reads a photo and extracts the features of its regions.

    Returns:
        The photo, its features for ``Searcher.find``, and the seconds that their extraction took.

    Raises:
        ImageError: the photo cannot be used.
    """
    view = look(photo, extractor.input_size, request, regions=regions, max_pixels=max_pixels)
    began = time.perf_counter()
    features = extractor.extract(view.images)
    return view, features, time.perf_counter() - began


class Searcher:
    """Finds products in one gallery, with the extractor that made the gallery's features.

    Args:
        gallery: the gallery to search.
        extractor: the extractor of the gallery's features; it loads its network when it is first needed.
        regions: the plan of regions that a photo is searched with.
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
        """Finds the products that ``photo`` shows, nearest first.

        Several regions of the photo are searched with, and the smallest distance counts, since a garment
        fills the shop's image but only a part of a customer's photo.

        Args:
            photo: a file, its bytes, or a stream; any format that ``stylesearch.images.decode`` reads.
            request: how many products, of which category, in which part of the photo.

        Raises:
            ImageError: the photo cannot be used.
            NotInCatalog: no such category.
        """
        view, features, seconds = look_and_extract(
            photo, self.extractor, request, regions=self.regions, max_pixels=self.max_pixels
        )
        return self.find(view, features, request, seconds={"extract": seconds})

    def look(
        self, photo: Photo, request: SearchRequest = DEFAULT_REQUEST, *, max_pixels: int | None = None
    ) -> View:
        """Reads a photo and cuts it into its regions: the first step of ``query``.

        Callers with several photos can run the steps one by one: read the next photo while features of this
        one are extracted, or extract features of several at once.

        Args:
            photo: a file, its bytes, or a stream, as for ``query``.
            request: its box, or its plan of regions, decides which parts are cut out.
            max_pixels: photos with more pixels are refused; by default the searcher's own limit.

        Raises:
            ImageError: the photo cannot be used.
        """
        return look(
            photo,
            self.extractor.input_size,
            request,
            regions=self.regions,
            max_pixels=self.max_pixels if max_pixels is None else max_pixels,
        )

    def find(
        self,
        view: View,
        features: npt.NDArray[np.float32],
        request: SearchRequest = DEFAULT_REQUEST,
        *,
        seconds: Mapping[str, float] | None = None,
    ) -> QueryResult:
        """Finds the products nearest to the features of a photo: the last step of ``query``.

        Args:
            view: the photo, from ``look``.
            features: the extractor's features of ``view.images``, float32, shape (n, dim).
            request: how many products, and which.
            seconds: time of the steps in between, to be added to the result.

        Raises:
            NotInCatalog: no such category.
        """
        began = time.perf_counter()
        found = self.gallery.search(features, request, n_squares=view.n_squares)
        hits = tuple(
            Hit(rank, one.product, one.distance, one.image, region=_box_of(view, one.row))
            for rank, one in enumerate(found, start=1)
        )
        steps = {"decode": view.seconds, **(seconds or {}), "search": time.perf_counter() - began}
        subject = "photo" if isinstance(view.photo, bytes) else Path(view.photo).name
        return QueryResult(hits, view.boxes, steps, view.photo, subject)

    def similar(self, product_id: str, request: SearchRequest = DEFAULT_REQUEST) -> QueryResult:
        """Finds products that look like one in the catalog, which is itself left out.

        Args:
            product_id: id of the product.
            request: how many products, and which; its box and regions are not used.

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


def _box_of(view: View, row: int) -> Box:
    """The box of a query vector: of its region, or of the square of its pair."""
    if not view.n_squares:
        return view.boxes[row]
    return view.boxes[len(view.boxes) - view.n_squares + row % view.n_squares]
