"""Searches with a photo: decodes it, cuts regions, extracts features, searches the gallery."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from stylesearch.images.decode import DEFAULT_MAX_PIXELS
from stylesearch.images.inputs import NetworkInputs, make_inputs
from stylesearch.images.regions import PERSON_PLAN
from stylesearch.images.source import read_limited
from stylesearch.kinds.head import KindHead
from stylesearch.search.gallery import Gallery, GalleryHit
from stylesearch.spaces.parts import FeatureParts
from stylesearch.types import Box, Domain, Explanation, FacetValue, Hit, SearchRequest, Seen, Spot

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["DetectResult", "Photo", "QueryResult", "Searcher", "View", "look", "look_and_extract"]

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
        seen: the parts of the photo that were looked at for what they show, with the kinds of garments: the
            squares around a person, else the box that was given, else the whole photo; empty when the query
            was a product.
        facets: number of products by value, for each name that was asked for.
    """

    hits: tuple[Hit, ...]
    regions: tuple[Box, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    photo: bytes | str | os.PathLike[str] | None = None
    subject: str = ""
    seen: tuple[Seen, ...] = ()
    facets: Mapping[str, tuple[FacetValue, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.hits[index]

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)


@dataclass(frozen=True, slots=True)
class DetectResult(Sequence[Spot]):
    """The spots of a photo, by number: each can be searched for as the ``region`` of a request.

    Attributes:
        spots: parts of the persons, the largest and most central person first; then the whole photo.
        width, height: size of the upright photo in pixels.
        seconds: wall time of each step: ``decode``, ``extract``.
    """

    spots: tuple[Spot, ...]
    width: int
    height: int
    seconds: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.spots)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self.spots[index]

    def __iter__(self) -> Iterator[Spot]:
        return iter(self.spots)


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
        seen: parts whose kinds are to be told, as numbers of their regions and what they are.
    """

    images: npt.NDArray[np.uint8]
    boxes: tuple[Box, ...]
    width: int
    height: int
    photo: bytes | str | os.PathLike[str]
    seconds: float
    n_squares: int = 0
    seen: tuple[tuple[int, Seen], ...] = ()


def _bytes_or_path(photo: Photo) -> bytes | str | os.PathLike[str]:
    """Reads a stream, which may be read only once; a photo may be decoded several times."""
    if hasattr(photo, "read"):
        return read_limited("the picture", cast("BinaryIO", photo))
    return photo


def look(photo: Photo, size: int, request: SearchRequest, *, regions: str, max_pixels: int) -> View:
    """Reads a photo and cuts it into its regions; no gallery is needed for that.

    Args:
        photo: a file, its bytes, or a stream, as for ``Searcher.query``.
        size: side of the extractor's input in pixels.
        request: its box, its region or its plan of regions decides which parts are cut out.
        regions: the plan of a request that names neither.
        max_pixels: photos with more pixels are refused.

    Raises:
        ImageError: the photo cannot be used, or has no such region.
    """
    began = time.perf_counter()
    kept = _bytes_or_path(photo)
    box, plan, region = request.box, request.regions or regions, str(request.region)
    # OpenCV is imported where persons are looked for: other searches do without.
    if region not in ("auto", "whole"):
        from stylesearch.persons.spots import make_region_inputs

        inputs = make_region_inputs(kept, size, region, max_pixels=max_pixels)
    elif plan == PERSON_PLAN and box is not None:
        from stylesearch.persons.spots import make_box_inputs

        inputs = make_box_inputs(kept, size, box, max_pixels=max_pixels)
    elif plan == PERSON_PLAN and region == "auto":
        from stylesearch.persons.regions import make_person_inputs

        inputs = make_person_inputs(kept, [size], max_pixels=max_pixels)
    else:
        plan = "whole" if region == "whole" else plan
        inputs = make_inputs(kept, [size], [box] if box else plan, max_pixels=max_pixels)
    n_fixed = len(inputs.boxes) - inputs.n_squares
    seen = tuple(enumerate(inputs.squares, start=n_fixed))
    if not seen:
        seen = ((0, Seen("box" if box else "whole", inputs.boxes[0])),)
    return _view(inputs, size, kept, seen, time.perf_counter() - began)


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
            ImageError: the photo cannot be used, or has no such region.
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
            request: its box, its region or its plan of regions decides which parts are cut out.
            max_pixels: photos with more pixels are refused; by default the searcher's own limit.

        Raises:
            ImageError: the photo cannot be used, or has no such region.
        """
        return look(
            photo,
            self.extractor.input_size,
            request,
            regions=self.regions,
            max_pixels=self.max_pixels if max_pixels is None else max_pixels,
        )

    def detect(self, photo: Photo) -> DetectResult:
        """Finds what in a photo can be searched for, and names the kinds of garments.

        Args:
            photo: a file, its bytes, or a stream, as for ``query``.

        Raises:
            ImageError: the photo cannot be used.
        """
        view = self.look_for_spots(photo)
        began = time.perf_counter()
        features = self.extractor.extract(view.images)
        return self.name_spots(view, features, seconds={"extract": time.perf_counter() - began})

    def look_for_spots(self, photo: Photo, *, max_pixels: int | None = None) -> View:
        """Reads a photo and cuts out its spots: the first step of ``detect``.

        Args:
            photo, max_pixels: as for ``look``.

        Raises:
            ImageError: the photo cannot be used.
        """
        from stylesearch.persons.spots import make_spot_inputs  # OpenCV: searches do without

        began = time.perf_counter()
        kept = _bytes_or_path(photo)
        size = self.extractor.input_size
        limit = self.max_pixels if max_pixels is None else max_pixels
        inputs, spots = make_spot_inputs(kept, size, max_pixels=limit)
        # The whole photo is the first region and the last spot.
        rows = (*range(1, len(spots)), 0)
        seen = tuple(zip(rows, spots, strict=True))
        return _view(inputs, size, kept, seen, time.perf_counter() - began)

    def name_spots(
        self,
        view: View,
        features: npt.NDArray[np.float32],
        *,
        seconds: Mapping[str, float] | None = None,
    ) -> DetectResult:
        """Names the kinds of garments that spots show: the last step of ``detect``.

        Args:
            view: the photo, from ``look_for_spots``.
            features: the extractor's features of ``view.images``, float32, shape (n, dim).
            seconds: time of the steps in between, to be added to the result.
        """
        spots = tuple(one for one in self._name_kinds(view, features) if isinstance(one, Spot))
        return DetectResult(spots, view.width, view.height, {"decode": view.seconds, **(seconds or {})})

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
        hits = _hits(found, view)
        facets = self.gallery.count_facets(request)
        steps = {"decode": view.seconds, **(seconds or {}), "search": time.perf_counter() - began}
        subject = "photo" if isinstance(view.photo, bytes) else Path(view.photo).name
        seen = self._name_kinds(view, features)
        looked_at = tuple(dict.fromkeys(view.boxes))  # one that is looked at twice is one region
        return QueryResult(hits, looked_at, steps, view.photo, subject, seen, facets)

    def similar(self, product_id: str, request: SearchRequest = DEFAULT_REQUEST) -> QueryResult:
        """Finds products that look like one in the catalog, which is itself left out.

        It is searched with its shop images, and only where it has none with its consumer photos.

        Args:
            product_id: id of the product.
            request: how many products, and which; its box and regions are not used.

        Raises:
            NotInCatalog: no such product, or it has no features.
        """
        began = time.perf_counter()
        features = self.gallery.features_of(product_id)
        found = self.gallery.search(features, replace(request, exclude=product_id), of_images=True)
        hits = _hits(found)
        facets = self.gallery.count_facets(request)
        seconds = {"search": time.perf_counter() - began}
        images = self.gallery.location.catalog.images_of(product_id)
        shown = min(images, key=lambda image: image.domain is not Domain.SHOP, default=None)
        photo = None if shown is None else shown.path
        return QueryResult(hits, (), seconds, photo, f"product {product_id}", facets=facets)

    @cached_property
    def _kinds(self) -> KindHead | None:
        """The head that names kinds; None where it was not trained on the extractor's features."""
        return FeatureParts.of_extractor(self.extractor).head

    def _name_kinds(self, view: View, features: npt.NDArray[np.float32]) -> tuple[Seen, ...]:
        """What is seen in a photo, with the likeliest kinds, where the features tell them."""
        head = self._kinds
        if head is None or not view.seen:
            return tuple(one for _, one in view.seen)
        probabilities = head.predict(features[[row for row, _ in view.seen]])
        return tuple(
            replace(one, kind=head.kinds[of_one.argmax()], confidence=float(of_one.max()))
            for (_, one), of_one in zip(view.seen, probabilities, strict=True)
        )


def _view(
    inputs: NetworkInputs,
    size: int,
    photo: bytes | str | os.PathLike[str],
    seen: tuple[tuple[int, Seen], ...],
    seconds: float,
) -> View:
    return View(
        inputs.pixels[size], inputs.boxes, inputs.width, inputs.height, photo, seconds, inputs.n_squares, seen
    )


def _hits(found: Sequence[GalleryHit], view: View | None = None) -> tuple[Hit, ...]:
    """Hits by rank, with the parts of the photo that were nearest."""
    hits = []
    for rank, one in enumerate(found, start=1):
        region, square = (None, None) if view is None else _nearest_boxes(view, one.row)
        explanation = None if one.parts is None else Explanation(region, square, one.parts)
        hits.append(Hit(rank, one.product, one.distance, one.image, square or region, explanation))
    return tuple(hits)


def _nearest_boxes(view: View, row: int) -> tuple[Box | None, Box | None]:
    """The boxes of the region and of the square that the vector of a query was made of."""
    n_squares, n_regions = view.n_squares, len(view.boxes) - view.n_squares
    if not n_squares:
        return view.boxes[row], None
    region = view.boxes[row // n_squares] if n_regions else None
    return region, view.boxes[n_regions + row % n_squares]
