"""A test of accuracy with its features, and what a lever measures on it."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.lever_colors import HISTOGRAMS
from benchmarks.lever_features import MORE, STREET, Boxes, Floats, Kept, Source, places_of
from benchmarks.lever_vectors import Principal, product_ranks, region_distances
from benchmarks.photo_tests import PhotoTest
from stylesearch.extractors import load_extractor
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.images.regions import WHOLE
from stylesearch.settings import Settings
from stylesearch.spaces import fit_transform

__all__ = ["DEFAULT", "Case", "Pair"]

# Without colors, which are one of the levers.
DEFAULT: Final = str(ExtractorSpec.parse(Settings().extractor).without_colors)
Doubles = npt.NDArray[np.float64]


@functools.cache
def source_of(name: str) -> Source:
    """An extractor by its name, or a histogram by its fingerprint."""
    for histogram in HISTOGRAMS:
        if histogram.fingerprint == name:
            return histogram
    return load_extractor(name, throughput=True)


@dataclass(frozen=True)
class Pair:
    """Vectors of the photos' regions, (n, regions, dim), and of the gallery, (m, dim)."""

    photos: Floats
    gallery: Floats

    def distances(self, metric: str = "cosine") -> Floats:
        """Of each region to each picture, (n, regions, m)."""
        return region_distances(self.photos, self.gallery, metric)


@dataclass
class Case:
    """One test. Features are read from where they are kept, or made.

    Args:
        name: of the test.
        test: its photos and gallery.
        kept: where features are.
        others: pictures of other shops, which a space may be fitted to besides the gallery.
    """

    name: str
    test: PhotoTest
    kept: Kept
    others: list[PhotoTest]
    _made: dict[str, Principal] = field(default_factory=dict)
    _read: dict[tuple[str, bool, bool], Floats] = field(default_factory=dict)

    @functools.cached_property
    def half(self) -> npt.NDArray[np.intp]:
        """In which half of the products each photo's is, 0 or 1: by its digest."""
        return np.array(
            [hashlib.sha256(product.encode()).digest()[0] % 2 for product in self.test.right], np.intp
        )

    def features(
        self, name: str = DEFAULT, boxes: Boxes = STREET, *, mirrored: tuple[bool, bool] = (False, False)
    ) -> Pair:
        """Of regions of the photos, and of the gallery.

        Args:
            name: of the extractor, or the fingerprint of a histogram.
            boxes: regions of the photos.
            mirrored: whether photos, and whether gallery pictures, are looked at in a mirror.
        """
        whole = MORE if name == DEFAULT and not mirrored[0] else STREET
        photos = self._keep(name, whole, mirrored=mirrored[0])
        gallery = self._keep(name, None, mirrored=mirrored[1])[:, 0]
        return Pair(np.ascontiguousarray(photos[:, places_of(boxes, whole)]), gallery)

    def _keep(self, name: str, boxes: Boxes | None, *, mirrored: bool) -> Floats:
        """Of the photos' regions, or of whole gallery pictures."""
        key = (name, boxes is None, mirrored)
        if key not in self._read:
            paths = self.test.gallery if boxes is None else self.test.photos
            self._read[key] = self.kept.regions(source_of(name), paths, boxes or (WHOLE,), mirrored=mirrored)
        return self._read[key]

    def whiten(self, pair: Pair) -> Pair:
        """In the library's whitened space, fitted to the gallery."""
        dim = pair.gallery.shape[1]
        transform = fit_transform("whitened", iter([pair.gallery]), dim_in=dim, n_rows=len(pair.gallery))
        n, n_regions, _ = pair.photos.shape
        photos = transform.apply(pair.photos.reshape(-1, dim)).reshape(n, n_regions, -1)
        return Pair(photos, transform.apply(pair.gallery))

    def other_galleries(self) -> Floats:
        """Features of the pictures of other shops, (n, dim)."""
        return np.concatenate([self.kept.whole(source_of(DEFAULT), one.gallery) for one in self.others])

    def axes(self, fitted_to: str) -> Principal:
        """Principal axes.

        Args:
            fitted_to: ``"gallery"``, ``"gallery, other shops"`` or, besides the gallery, ``"photos 0"`` or
                ``"photos 1"``: all regions of the photos of that half of the products.
        """
        if fitted_to not in self._made:
            pair = self.features()
            rows = [pair.gallery]
            if fitted_to == "gallery, other shops":
                rows.append(self.other_galleries())
            elif fitted_to.startswith("photos"):
                rows.append(pair.photos[self.half == int(fitted_to[-1])].reshape(-1, pair.photos.shape[2]))
            self._made[fitted_to] = Principal.of(np.concatenate(rows))
        return self._made[fitted_to]

    @functools.cached_property
    def _all_regions(self) -> Pair:
        return self.whiten(self.features(boxes=MORE))

    @functools.cached_property
    def _all_distances(self) -> Floats:
        return self._all_regions.distances()

    @functools.cached_property
    def default(self) -> Pair:
        """Vectors as a query compares them by default."""
        return Pair(self._all_regions.photos[:, places_of(STREET)], self._all_regions.gallery)

    def default_distances(self, boxes: Boxes = STREET) -> Floats:
        """Of regions to each picture, compared as by default: (n, len(boxes), m)."""
        return self._all_distances[:, places_of(boxes)]

    def ranks(self, of_regions: npt.NDArray[np.floating]) -> Doubles:
        """Of the right products, from distances of regions, (n, regions, m): the nearest region counts."""
        return self.ranks_of_images(of_regions.min(axis=1))

    def ranks_of_images(self, to_images: npt.NDArray[np.floating]) -> Doubles:
        """The same from distances of photos to pictures, (n, m)."""
        return product_ranks(to_images, self.test.products, self.test.right)
