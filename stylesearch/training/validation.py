"""How well the learned vectors find the products of validation photos among the whole gallery."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from stylesearch.evaluation.scores import expected_reciprocal_rank, top_k_share
from stylesearch.metrics_kernels import Floats, Rough
from stylesearch.spaces.base import of_length_one
from stylesearch.training.data import TrainingData

__all__ = ["Validation"]

_COST = {"cosine": 2e10, "l1": 2e9}
"""Multiplications, or absolute differences, that one validation may take: a fraction of a second."""
_AT_LEAST = {"cosine": 500, "l1": 100}
"""Photos that are looked at, whatever they cost: with fewer the score is mostly noise."""
_BYTES = 64 * 2**20
_ROWS_AT_ONCE = 4096

_Fill = Callable[[Floats, Floats], None]
"""Writes distances to some pictures, (n, dim), into an array of its caller's, (photos, n)."""


class Validation:
    """Ranks of the right products of validation photos.

    A photo is as far from a picture as its nearest region, a product as far as its nearest picture. The
    distances are fast ones, right to about 1e-6: enough to compare epochs by; studies rank exactly.

    Args:
        data: whose validation photos are ranked. Where there are many, an even sample of them.
        metric: ``cosine`` or ``l1``.
        dim: width of the learned vectors.
    """

    def __init__(self, data: TrainingData, metric: str, dim: int) -> None:
        photos = data.validation_photos()
        cost = data.n_regions * len(data.shop) * dim
        n_photos = min(len(photos), max(_AT_LEAST[metric], int(_COST[metric] / cost)))
        self.photos: npt.NDArray[np.int64] = photos[np.arange(n_photos) * len(photos) // n_photos]
        """Rows of the photos that are ranked, int64 (v,)."""
        self._metric = metric
        self._order = np.argsort(data.shop_product, kind="stable")
        products = data.shop_product[self._order]
        self._starts = np.flatnonzero(np.diff(products, prepend=-1))
        self._right = np.searchsorted(products[self._starts], data.photo_product[self.photos])
        own = np.full(len(self.photos), -1) if data.own is None else data.own[self.photos]
        place = np.empty(len(products), np.int64)
        place[self._order] = np.arange(len(products))
        self._own = np.where(own >= 0, place[own], -1)

    def score(self, photos: Floats, shop: Floats, k: int) -> tuple[float, float]:
        """Top-k accuracy and mean reciprocal rank, fair to ties.

        Args:
            photos: vectors of :attr:`photos`, float32 (v, regions, dim).
            shop: vectors of the gallery, float32 (m, dim), in its order.
            k: how many products are looked at.
        """
        n_nearer, n_tied = np.empty(len(photos), np.int64), np.empty(len(photos), np.int64)
        # Of a photo: distances to all pictures and products; of its regions: vectors, distances to a block.
        n_regions, dim = photos.shape[1:]
        numbers_of_one = max(2 * len(shop), n_regions * max(dim, min(len(shop), _ROWS_AT_ONCE)))
        at_once = max(1, _BYTES // (4 * numbers_of_one))
        for start in range(0, len(photos), at_once):
            rows = slice(start, min(start + at_once, len(photos)))
            nearest = self._nearest_regions(photos[rows], shop)
            own = self._own[rows]
            nearest[np.flatnonzero(own >= 0), own[own >= 0]] = np.inf
            products = np.minimum.reduceat(nearest, self._starts, axis=1)
            right = products[np.arange(len(products)), self._right[rows]][:, None]
            n_nearer[rows] = (products < right).sum(axis=1)
            n_tied[rows] = (products == right).sum(axis=1)
        shares = top_k_share(n_nearer, n_tied, k)
        return float(shares.mean()), float(expected_reciprocal_rank(n_nearer, n_tied).mean())

    def _nearest_regions(self, photos: Floats, shop: Floats) -> Floats:
        """Distances of photos (b, regions, dim) to pictures (m, dim), float32 (b, m), product by product.

        The pictures are put in order, and brought to length one, block by block: they may lie in a file that
        is larger than the memory.
        """
        nearest = np.empty((len(photos), len(shop)), np.float32)
        fill = self._cosines_of(photos) if self._metric == "cosine" else self._others_of(photos)
        # Of about one size: a block of very few rows is multiplied otherwise, and equal vectors would differ.
        n_blocks = -(-len(shop) // _ROWS_AT_ONCE)
        for number in range(n_blocks):
            block = slice(len(shop) * number // n_blocks, len(shop) * (number + 1) // n_blocks)
            fill(shop[self._order[block]], nearest[:, block])
        return nearest

    def _cosines_of(self, photos: Floats) -> _Fill:
        of_regions = [of_length_one(photos[:, region]) for region in range(photos.shape[1])]

        def fill(pictures: Floats, out: Floats) -> None:
            transposed = of_length_one(pictures).T
            largest = of_regions[0] @ transposed
            of_region = np.empty_like(largest)
            for vectors in of_regions[1:]:
                np.matmul(vectors, transposed, out=of_region)
                np.maximum(largest, of_region, out=largest)
            np.subtract(1, largest, out=out)

        return fill

    def _others_of(self, photos: Floats) -> _Fill:
        rough = Rough(np.ascontiguousarray(photos).reshape(-1, photos.shape[2]), self._metric)

        def fill(pictures: Floats, out: Floats) -> None:
            found = np.empty((len(rough.queries), len(pictures)), np.float32)
            rough.fill(pictures, found)
            found.reshape(len(photos), -1, len(pictures)).min(axis=1, out=out)

        return fill
