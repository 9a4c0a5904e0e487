"""How a learned and an untrained distance rank when they are mixed, for every weight of a grid at once.

Both distances are computed once. Products are counted by *class* (a category with a weight of its own, or all
the others), since a class that changes its weight moves its products for the queries of every class: then any
choice of weights is looked up instead of ranked anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.cores import share_rows
from stylesearch.evaluation.scores import top_k_share
from stylesearch.metrics_kernels import AnyFloats, Floats, Rough

__all__ = ["GRID", "KS", "BlendTable", "Blended", "blend_table"]

Ints = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]

GRID: Final = tuple(number / 10 for number in range(11))
"""Weights of the learned distance that are tried."""

KS: Final = (1, 5, 20)
"""A query's score is the mean of its top-k accuracies for these."""

_BYTES = 96 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Blended:
    """A gallery and queries in the learned and in the untrained space.

    Attributes:
        queries: for each of the two, vectors of each query's regions, float32 (q, regions, d).
        gallery: likewise, float32 (n, d).
        metric: ``cosine`` or ``l1``.
        right: number of the right product of each query, int64 (q,).
        own: row of the gallery that is the query itself, -1 for none, int64 (q,).
        product_of: number of the product of each row of the gallery, int64 (n,), rising.
        class_of: class of each product, by its number, int64 (products,).
        n_classes: how many there are.
    """

    queries: tuple[AnyFloats, AnyFloats]
    gallery: tuple[AnyFloats, AnyFloats]
    metric: str
    right: Ints
    own: Ints
    product_of: Ints
    class_of: Ints
    n_classes: int


@dataclass(frozen=True, slots=True, eq=False)
class BlendTable:
    """Products nearer than the right one, by class, by the class's weight and by the right product's weight.

    Attributes:
        n_nearer: int32 (q, classes, weights, weights).
        n_tied: as far as the right one, likewise.
        class_of_query: class of the right product, int64 (q,).
    """

    n_nearer: Counts
    n_tied: Counts
    class_of_query: Ints

    def scores(self, chosen: Sequence[int] | Ints) -> npt.NDArray[np.float64]:
        """Each query's score when classes have these weights, float64 (q,), from 0 to 1.

        Args:
            chosen: for each class a place in the grid.
        """
        weights = np.asarray(chosen)
        queries = np.arange(len(self.class_of_query))[:, None]
        classes = np.arange(len(weights))[None, :]
        own = weights[self.class_of_query][:, None]
        nearer = self.n_nearer[queries, classes, weights[None, :], own].sum(axis=1, dtype=np.int64)
        tied = self.n_tied[queries, classes, weights[None, :], own].sum(axis=1, dtype=np.int64)
        shares: npt.NDArray[np.float64] = np.mean([top_k_share(nearer, tied, k) for k in KS], axis=0)
        return shares


def blend_table(blended: Blended, grid: Sequence[float] = GRID) -> BlendTable:
    """Ranks all queries with every pair of weights.

    A query is as far from a picture as its nearest region *in the mixed distance*, a product as far as its
    nearest picture. Distances are fast ones, right to about 1e-6: enough to choose by.

    Args:
        blended: what is ranked.
        grid: weights of the learned distance.
    """
    n_queries, n_regions, _ = blended.queries[0].shape
    n_rows = len(blended.product_of)
    starts = np.flatnonzero(np.diff(blended.product_of, prepend=-1))
    shown = blended.product_of[starts]
    order = np.argsort(blended.class_of[shown], kind="stable")
    classes, edges = np.unique(blended.class_of[shown][order], return_index=True)
    place_of = np.argsort(order)[np.searchsorted(shown, blended.right)]
    shape = (n_queries, blended.n_classes, len(grid), len(grid))
    n_nearer, n_tied = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    at_once = max(1, _BYTES // (12 * n_regions * n_rows))
    for start in range(0, n_queries, at_once):
        stop = min(start + at_once, n_queries)
        of_products = _product_distances(blended, grid, start, stop, starts)[:, :, order]

        def count(first: int, last: int, start: int = start, of_products: Floats = of_products) -> None:
            for row in range(first, last):
                far = of_products[row]  # (weights, products)
                to_right = far[:, place_of[start + row]]
                for own, limit in enumerate(to_right):
                    for counted, counts in ((far < limit, n_nearer), (far == limit, n_tied)):
                        sums = np.add.reduceat(counted, edges, axis=1, dtype=np.int32)
                        counts[start + row, classes, :, own] = sums.T

        share_rows(count, stop - start, 3 * len(grid) ** 2 * len(starts))
    return BlendTable(n_nearer, n_tied, blended.class_of[blended.right])


def _product_distances(
    blended: Blended, grid: Sequence[float], start: int, stop: int, starts: Ints
) -> Floats:
    """Distances of some queries to all products, float32 (queries, weights, products)."""
    n_rows, n_queries = len(blended.product_of), stop - start
    both = []
    for queries, gallery in zip(blended.queries, blended.gallery, strict=True):
        regions = np.ascontiguousarray(queries[start:stop], dtype=np.float32)
        flat = regions.reshape(-1, regions.shape[-1])
        found = np.empty((len(flat), n_rows), np.float32)
        Rough(flat, blended.metric).fill(np.ascontiguousarray(gallery, dtype=np.float32), found)
        both.append(found.reshape(n_queries, -1, n_rows))
    learned, untrained = both
    own = blended.own[start:stop]
    places = np.flatnonzero(own >= 0)
    learned[places, :, own[places]] = np.inf
    untrained[places, :, own[places]] = np.inf
    found = np.empty((n_queries, len(grid), len(starts)), np.float32)
    for number, weight in enumerate(grid):
        if weight == 0:
            mixed = untrained
        elif weight == 1:
            mixed = learned
        else:
            mixed = learned * np.float32(weight) + untrained * np.float32(1 - weight)
        np.minimum.reduceat(mixed.min(axis=1), starts, axis=1, out=found[:, number])
    return found
