"""Validation: measures how well learned vectors find the products of validation photos in the gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats, Ids
from stylesearch.distance_kernels import FastDistances
from stylesearch.evaluation.scores import expected_reciprocal_rank, top_k_share
from stylesearch.training.data import TrainingData
from stylesearch.vectors import normalize_rows

__all__ = ["Validation"]

_COST: Final = {"cosine": 2e10, "l1": 2e9}
"""Multiplications, or absolute differences, that one validation may take: a fraction of a second."""
_MIN_PHOTOS: Final = {"cosine": 500, "l1": 100}
"""Photos that are ranked, whatever they cost: with fewer the score is mostly noise."""
_BYTES: Final = 64 * 2**20
"""Working memory: as many photos as fit into it are ranked in one pass over the gallery."""
_ROWS_AT_ONCE: Final = 2048
"""Images of the gallery in a block, at most."""
_EVEN: Final = 64
"""Blocks of the gallery are all of one size, a multiple of this. At the odd end of a matrix, and in one of
very few rows, products may be summed up otherwise, and equal vectors would differ."""

_Fill = Callable[[Floats, Floats], None]
"""Writes distances to some images, (n, dim), into an array of its caller's, (photos, n)."""


class Validation:
    """Ranks the right products of validation photos.

    The distance of an image is that to the photo's nearest region, the distance of a product that of its
    nearest image. Distances are fast ones, with an error of about 1e-6, which is enough to compare epochs;
    studies rank exactly.

    Args:
        data: the data; its validation photos are ranked, or an even sample where there are many.
        metric: ``cosine`` or ``l1``.
        dim: width of the learned vectors.
    """

    def __init__(self, data: TrainingData, metric: str, dim: int) -> None:
        photos = data.validation_photos()
        cost = data.n_regions * len(data.shop) * dim
        n_photos = min(len(photos), max(_MIN_PHOTOS[metric], int(_COST[metric] / cost)))
        self.photos: npt.NDArray[np.int64] = photos[np.arange(n_photos) * len(photos) // n_photos]
        """Rows of the photos that are ranked, int64 (v,)."""
        self._metric = metric
        right, self._right = np.unique(data.photo_product[self.photos], return_inverse=True)
        self._n_right = len(right)
        is_right = np.zeros(data.n_products, np.bool_)
        is_right[right] = True
        # Right products come first: once their distances are known, the others are only counted.
        order = np.lexsort((data.shop_product, ~is_right[data.shop_product]))
        self._starts = np.flatnonzero(np.diff(data.shop_product[order], prepend=-1))
        own = np.full(len(self.photos), -1) if data.own is None else data.own[self.photos]
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self._own = np.where(own >= 0, place[own], -1)
        self._order = order

    def score(self, photos: Floats, shop: Floats, k: int) -> tuple[float, float]:
        """Computes top-k accuracy and mean reciprocal rank, as means over the orders of ties.

        Args:
            photos: vectors of ``photos``, float32 (v, regions, dim).
            shop: vectors of the gallery, float32 (m, dim), in its order.
            k: k of the top-k accuracy.
        """
        n_nearer, n_tied = np.zeros(len(photos), np.int64), np.zeros(len(photos), np.int64)
        n_regions, dim = photos.shape[1:]
        # For a photo: distances to right products; regions, and their distances to a block and its products.
        numbers_of_one = self._n_right + n_regions * (dim + self._height) + 2 * self._height
        at_once = max(1, _BYTES // (4 * numbers_of_one))
        for start in range(0, len(photos), at_once):
            rows = slice(start, min(start + at_once, len(photos)))
            n_nearer[rows], n_tied[rows] = self._count(photos[rows], rows, shop)
        shares = top_k_share(n_nearer, n_tied, k)
        return float(shares.mean()), float(expected_reciprocal_rank(n_nearer, n_tied).mean())

    @property
    def _height(self) -> int:
        """Number of images in a block."""
        n_blocks = -(-len(self._order) // _ROWS_AT_ONCE)
        return -(-len(self._order) // (n_blocks * _EVEN)) * _EVEN

    def _count(self, photos: Floats, rows: slice, shop: Floats) -> tuple[Ids, Ids]:
        """Counts products nearer than the right one, and products as near, itself included; int64 (b,) each.

        Args:
            photos: float32 (b, regions, dim).
            rows: rows of these in ``photos``.
            shop: vectors of the gallery.
        """
        n_nearer, n_tied = np.zeros(len(photos), np.int64), np.zeros(len(photos), np.int64)
        wanted, right = self._right[rows], np.empty((len(photos), 1), np.float32)
        waiting: list[Floats] = []
        n_seen = 0
        for distances in self._to_products(photos, self._own[rows], shop):
            here = np.flatnonzero((wanted >= n_seen) & (wanted < n_seen + distances.shape[1]))
            right[here, 0] = distances[here, wanted[here] - n_seen]
            n_seen += distances.shape[1]
            waiting.append(distances)
            if n_seen < self._n_right:
                continue
            for some in waiting:
                n_nearer += (some < right).sum(axis=1)
                n_tied += (some == right).sum(axis=1)
            waiting.clear()
        return n_nearer, n_tied

    def _to_products(self, photos: Floats, own: Ids, shop: Floats) -> Iterator[Floats]:
        """Yields distances of photos (b, regions, dim) to all products in order: float32 (b, some) at a time.

        The images are sorted, and scaled to length one, block by block, as they may lie in a file that is
        larger than the memory. A product may lie in several blocks.
        """
        n_images, height = len(self._order), self._height
        fill = self._cosines_of(photos) if self._metric == "cosine" else self._others_of(photos)
        to_images = np.empty((len(photos), height), np.float32)
        begun: Floats | None = None
        for start in range(0, n_images, height):
            stop = min(start + height, n_images)
            # The last block is filled up with some image, whose distances are then left out.
            fill(shop[np.take(self._order, np.arange(start, start + height), mode="clip")], to_images)
            of_own = np.flatnonzero((own >= start) & (own < stop))
            to_images[of_own, own[of_own] - start] = np.inf
            first, last = np.searchsorted(self._starts, (start + 1, stop)) - (1, 0)
            starts = np.maximum(self._starts[first:last] - start, 0)
            distances = np.minimum.reduceat(to_images[:, : stop - start], starts, axis=1)
            if begun is not None:
                np.minimum(distances[:, 0], begun, out=distances[:, 0])
                begun = None
            if stop < n_images and (last == len(self._starts) or self._starts[last] > stop):
                begun = distances[:, -1].copy()
                distances = distances[:, :-1]
            yield distances

    def _cosines_of(self, photos: Floats) -> _Fill:
        of_regions = [normalize_rows(photos[:, region]) for region in range(photos.shape[1])]

        def fill(images: Floats, out: Floats) -> None:
            transposed = normalize_rows(images).T
            largest = of_regions[0] @ transposed
            of_region = np.empty_like(largest)
            for vectors in of_regions[1:]:
                np.matmul(vectors, transposed, out=of_region)
                np.maximum(largest, of_region, out=largest)
            np.subtract(1, largest, out=out)

        return fill

    def _others_of(self, photos: Floats) -> _Fill:
        fast = FastDistances(np.ascontiguousarray(photos).reshape(-1, photos.shape[2]), self._metric)

        def fill(images: Floats, out: Floats) -> None:
            found = np.empty((len(fast.queries), len(images)), np.float32)
            fast.fill(images, found)
            found.reshape(len(photos), -1, len(images)).min(axis=1, out=out)

        return fill
