"""Chooses the weight of the learned distance for each category, on validation products.

First one weight is chosen for all: the best of the grid if its gain over the untrained distance is more than
noise, else 0. The largest gain of ten weights is nearly always above 0, so it is compared with the largest of
ten that are noise, at a level of 5 %. Then a category gets its own weight where its queries gain by more than
noise. A lower weight needs less evidence (one standard error) than a higher one (two), since results must not
become worse than the untrained ones. Last, if a category is still below its untrained score by more than
noise, which happens where distances of categories with different weights do not compare, the weight for all
is lowered until none is.

Noise is measured by the sign-flip test on differences by product: photos of one product give much the same
result, and count as one.

For the choice, both distances are computed once, and the right product's rank is counted for every weight of
a grid (``BlendTable``). Products are counted by *class* (a category with its own weight, or all others),
since the weight of a class changes the distances of its products for the queries of every class. So the
result of any choice of weights is looked up instead of ranked again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import AnyFloats, Counts, Doubles, Floats, Ids, Ints
from stylesearch.distance_kernels import FastDistances
from stylesearch.evaluation.bootstrap import flipped_p_values, p_value_of_largest
from stylesearch.evaluation.scores import top_k_share
from stylesearch.features.arrays import ROWS_AT_ONCE, ArrayPool
from stylesearch.parallel import parallel_rows
from stylesearch.spaces.learned import LearnedTransform
from stylesearch.training.pair_dataset import PairDataset

__all__ = [
    "DEFAULT",
    "GRID",
    "KS",
    "MIN_PRODUCTS_OF_CATEGORY",
    "BlendInput",
    "BlendTable",
    "Weights",
    "blend_table",
    "categories_to_weigh",
    "choose_weights",
    "equalize_scales",
    "sample_evenly",
    "weight_categories",
]

DEFAULT: Final = ""
"""Stands for all categories without a weight of their own."""

GRID: Final = tuple(number / 10 for number in range(11))
"""Weights of the learned distance that are tried."""

KS: Final = (1, 5, 20)
"""A query's score is the mean of its top-k accuracies for these."""

MIN_PRODUCTS_OF_CATEGORY: Final = 6
"""With fewer validation products no result is rarer than one in twenty: they cannot say anything."""

MAX_CATEGORIES: Final = 64
"""Categories that may have their own weight: the largest ones. It bounds memory."""

ONE_ERROR: Final = 0.32
TWO_ERRORS: Final = 0.05
"""Two-sided p-values beyond one and two standard errors: of a category."""

OF_LARGEST: Final = 0.05
"""P-value of the largest gain of the grid: of the weight for all."""

N_DRAWS: Final = 4000
N_SWEEPS: Final = 2

_BYTES: Final = 96 * 2**20
"""Memory for the distances of a block of queries."""
_N_PAIRS: Final = 20_000
"""Pairs of images whose distances are averaged to equalize scales."""
_MAX_PHOTOS: Final = 2000
"""Beyond these the choice of weights does not change noticeably; it bounds the memory of their table."""
_MIN_PHOTOS: Final = 300
_COST: Final = {"cosine": 1e12, "l1": 4e10}
"""Multiplications, or absolute differences, that the choice may take: half a minute on two cores."""


@dataclass(frozen=True, slots=True, eq=False)
class BlendInput:
    """A gallery and queries in the learned and in the untrained space.

    Attributes:
        queries: vectors of each query's regions, an array for each of the two spaces, float32 (q, regions,
            d).
        gallery: vectors of the gallery, an array for each of the two spaces, float32 (n, d).
        metric: ``cosine`` or ``l1``.
        right: number of the right product of each query, int64 (q,).
        own: row of the gallery that is the query itself, -1 for none, int64 (q,).
        product_of: number of the product of each row of the gallery, int64 (n,), rising.
        class_of: class of each product, by its number, int64 (products,).
        n_classes: number of classes.
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
    """Counts of products nearer than the right one, by class, the class's weight and the right one's weight.

    Attributes:
        n_nearer: number of nearer products, int32 (q, classes, weights, weights).
        n_tied: number of products as far as the right one, itself included, of the same shape.
        class_of_query: class of the right product, int64 (q,).
    """

    n_nearer: Counts
    n_tied: Counts
    class_of_query: Ints

    def scores(self, chosen: Sequence[int] | Ints) -> npt.NDArray[np.float64]:
        """Computes the scores of the queries for these weights of the classes, float64 (q,), from 0 to 1.

        Args:
            chosen: place in the grid of the weight of each class.
        """
        weights = np.asarray(chosen)
        queries = np.arange(len(self.class_of_query))[:, None]
        classes = np.arange(len(weights))[None, :]
        own = weights[self.class_of_query][:, None]
        nearer = self.n_nearer[queries, classes, weights[None, :], own].sum(axis=1, dtype=np.int64)
        tied = self.n_tied[queries, classes, weights[None, :], own].sum(axis=1, dtype=np.int64)
        shares: npt.NDArray[np.float64] = np.mean([top_k_share(nearer, tied, k) for k in KS], axis=0)
        return shares


def blend_table(vectors: BlendInput, grid: Sequence[float] = GRID) -> BlendTable:
    """Ranks all queries with every pair of weights.

    The distance of an image is that to the query's nearest region *by the mixed distance*, the distance of a
    product that of its nearest image. Distances are fast ones, with an error of about 1e-6, which is enough
    here.

    Args:
        vectors: vectors of queries and gallery in both spaces.
        grid: weights of the learned distance.
    """
    n_queries, n_regions, _ = vectors.queries[0].shape
    n_rows = len(vectors.product_of)
    starts = np.flatnonzero(np.diff(vectors.product_of, prepend=-1))
    shown = vectors.product_of[starts]
    order = np.argsort(vectors.class_of[shown], kind="stable")
    classes, edges = np.unique(vectors.class_of[shown][order], return_index=True)
    place_of = np.argsort(order)[np.searchsorted(shown, vectors.right)]
    shape = (n_queries, vectors.n_classes, len(grid), len(grid))
    n_nearer, n_tied = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    at_once = max(1, _BYTES // (12 * n_regions * n_rows))
    for start in range(0, n_queries, at_once):
        stop = min(start + at_once, n_queries)
        of_products = _product_distances(vectors, grid, start, stop, starts)[:, :, order]

        def count(first: int, last: int, start: int = start, of_products: Floats = of_products) -> None:
            for row in range(first, last):
                far = of_products[row]  # (weights, products)
                to_right = far[:, place_of[start + row]]
                for own, limit in enumerate(to_right):
                    for counted, counts in ((far < limit, n_nearer), (far == limit, n_tied)):
                        sums = np.add.reduceat(counted, edges, axis=1, dtype=np.int32)
                        counts[start + row, classes, :, own] = sums.T

        parallel_rows(count, stop - start, 3 * len(grid) ** 2 * len(starts))
    return BlendTable(n_nearer, n_tied, vectors.class_of[vectors.right])


def _product_distances(
    vectors: BlendInput, grid: Sequence[float], start: int, stop: int, starts: Ints
) -> Floats:
    """Computes distances of some queries to all products, float32 (queries, weights, products)."""
    n_rows, n_queries = len(vectors.product_of), stop - start
    both = []
    for queries, gallery in zip(vectors.queries, vectors.gallery, strict=True):
        regions = np.ascontiguousarray(queries[start:stop], dtype=np.float32)
        flat = regions.reshape(-1, regions.shape[-1])
        found = np.empty((len(flat), n_rows), np.float32)
        FastDistances(flat, vectors.metric).fill(np.ascontiguousarray(gallery, dtype=np.float32), found)
        both.append(found.reshape(n_queries, -1, n_rows))
    learned, untrained = both
    own = vectors.own[start:stop]
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


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights by category, and the scores that they were chosen by.

    Attributes:
        of_category: weight of the learned distance, from 0 to 1, by category; ``""`` for all others.
        by_global_weight: mean score of the validation queries for each weight of the grid, used for all.
    """

    of_category: Mapping[str, float]
    by_global_weight: Mapping[float, float]


def categories_to_weigh(categories: Sequence[str], products: Sequence[str]) -> list[str]:
    """Names of the categories with enough validation products for choosing a weight, sorted.

    Args:
        categories: category of each query.
        products: product of each query.
    """
    counts = Counter(category for category, _ in set(zip(categories, products, strict=True)))
    enough = [name for name, n_products in counts.most_common() if n_products >= MIN_PRODUCTS_OF_CATEGORY]
    return sorted(enough[:MAX_CATEGORIES])


def choose_weights(
    table: BlendTable,
    names: Sequence[str],
    products: Sequence[str],
    *,
    grid: Sequence[float] = GRID,
    seed: int = 0,
) -> Weights:
    """Chooses a weight for each class of a table.

    Args:
        table: table of the validation queries; its class 0 is all categories without their own weight.
        names: names of the other classes, in order.
        products: product of each query.
        grid: grid of the table; its first weight is 0.
        seed: seed of the random signs.
    """
    chooser = _Chooser(table, products, seed)
    n_classes = len(names) + 1
    alike = [np.full(n_classes, place) for place in range(len(grid))]
    scores = np.array([table.scores(one) for one in alike])
    untrained = scores[0]
    means = scores.mean(axis=1).tolist()
    best = int(np.argmax(means))
    if best and not chooser.largest_is_more_than_noise(scores[1:] - untrained):
        best = 0
    chosen = alike[best].copy()
    for _ in range(N_SWEEPS):
        before = chosen.copy()
        for number in range(1, n_classes):
            chosen = chooser.improve(chosen, number, len(grid))
        if (chosen == before).all():
            break
    if table.scores(chosen).mean() < table.scores(alike[best]).mean():
        chosen = alike[best]
    if chooser.has_losers(chosen, untrained):
        fair = [place for place in range(best + 1) if not chooser.has_losers(alike[place], untrained)]
        chosen = alike[max(fair, key=lambda place: (means[place], -place))]
    of_category = {DEFAULT: float(grid[chosen[0]])}
    of_category |= {
        name: float(grid[place])
        for name, place in zip(names, chosen[1:].tolist(), strict=True)
        if place != chosen[0]
    }
    return Weights(of_category, dict(zip(map(float, grid), means, strict=True)))


class _Chooser:
    """Compares choices of weights on the same queries."""

    def __init__(self, table: BlendTable, products: Sequence[str], seed: int) -> None:
        self._table = table
        self._seed = seed
        _, self._product = np.unique(np.asarray(products), return_inverse=True)

    def is_more_than_noise(self, gained: Doubles, level: float, queries: Doubles | None = None) -> bool:
        """Whether a mean gain is above 0 with a p-value below ``level``, by random signs of products.

        Args:
            gained: difference of each query.
            level: two-sided p-value.
            queries: bool (q,), the queries that count; by default all.
        """
        gained = gained if queries is None else np.where(queries, gained, 0.0)
        if gained.sum() <= 0:
            return False
        of_products = np.bincount(self._product, gained).astype(np.float64)
        counted = np.ones(len(of_products))
        p = flipped_p_values(of_products[:, None], counted, n_resamples=N_DRAWS, seed=self._seed)
        return bool(p[0] < level)

    def largest_is_more_than_noise(self, gained: Doubles) -> bool:
        """Whether the largest of several mean gains is more than the largest of as many that are noise.

        Args:
            gained: difference of each query with each weight, float64 (weights, q).
        """
        of_products = np.array([np.bincount(self._product, one) for one in gained], np.float64).T
        return p_value_of_largest(of_products, n_resamples=N_DRAWS, seed=self._seed) < OF_LARGEST

    def improve(self, chosen: npt.NDArray[np.int64], number: int, n_weights: int) -> npt.NDArray[np.int64]:
        """Changes the weight of one class if its queries gain by another one by more than noise."""
        table = self._table
        own = table.class_of_query == number
        now = table.scores(chosen)
        others = np.tile(chosen, (n_weights, 1))
        others[:, number] = np.arange(n_weights)
        gains = np.array([table.scores(one) - now for one in others])
        best = int(np.argmax(gains[:, own].sum(axis=1)))
        level = ONE_ERROR if best < chosen[number] else TWO_ERRORS
        is_better = gains[best].sum() >= 0 and self.is_more_than_noise(gains[best], level, own)
        return others[best] if is_better else chosen

    def has_losers(self, chosen: npt.NDArray[np.int64], untrained: Doubles) -> bool:
        """Whether the queries of any class are below their untrained scores by more than noise."""
        lost = untrained - self._table.scores(chosen)
        return any(
            self.is_more_than_noise(lost, TWO_ERRORS, self._table.class_of_query == number)
            for number in np.unique(self._table.class_of_query).tolist()
        )


def sample_evenly(rows: Ids, cost_of_one: float, metric: str) -> Ids:
    """Samples validation photos evenly where ranking all of them would take too long.

    Args:
        rows: rows of photos, int64 (n,).
        cost_of_one: number of multiplications (absolute differences, for l1) for a photo.
        metric: ``cosine`` or ``l1``.
    """
    affordable = max(_MIN_PHOTOS, int(_COST[metric] / max(cost_of_one, 1)))
    n_rows = min(len(rows), affordable, _MAX_PHOTOS)
    return rows[np.arange(n_rows) * len(rows) // max(n_rows, 1)]


def equalize_scales(transform: LearnedTransform, shop: Floats, *, seed: int = 0) -> LearnedTransform:
    """Scales the untrained distance to the mean of the learned one, so that weights are comparable.

    Args:
        transform: a transform with the scale 1 and any weights. One for cosine is returned unchanged: cosines
            need no scale.
        shop: features of the gallery, float32 (n, dim).
        seed: seed of the pairs of images that are compared.
    """
    if transform.metric == "cosine" or len(shop) < 2:
        return transform
    rng = np.random.default_rng(seed)
    n_rows = min(len(shop), 2000)
    rows = np.sort(rng.choice(len(shop), n_rows, replace=False))
    vectors = _with_both_parts(transform).apply(np.asarray(shop[rows]))
    first = rng.integers(0, n_rows, _N_PAIRS)
    second = (first + rng.integers(1, n_rows, _N_PAIRS)) % n_rows
    sums = np.zeros(2)
    for start in range(0, _N_PAIRS, 1000):
        part = slice(start, start + 1000)
        far = np.abs(vectors[first[part]] - vectors[second[part]])
        sums += far[:, : transform.dim_learned].sum(), far[:, transform.dim_learned :].sum()
    if not (sums > 0).all():
        return transform
    return replace(transform, untrained_scale=float(sums[0] / sums[1]))


def weight_categories(
    pool: ArrayPool,
    dataset: PairDataset,
    transform: LearnedTransform,
    shop: Floats,
    photos: Floats,
    rows: Ids,
    *,
    seed: int = 0,
) -> tuple[LearnedTransform, Weights]:
    """Chooses the weights of a transform with validation photos.

    Args:
        pool: allocates the vectors.
        dataset: data set of the photos.
        transform: a transform with any weights.
        shop: features of the gallery, float32 (n, dim).
        photos: features of validation photos' regions, float32 (q, regions, dim).
        rows: rows of these photos in the data set, int64 (q,).
        seed: seed of draws.
    """
    numbers = dataset.rows
    right = numbers.photo_product[rows]
    products = [numbers.product_ids[number] for number in right.tolist()]
    categories = [numbers.product_category[number] for number in right.tolist()]
    names = categories_to_weigh(categories, products)
    number_of = {name: number for number, name in enumerate(names, 1)}
    width = transform.dim_learned
    both = _with_both_parts(transform)
    of_photos = pool.transform_photos(both, photos)
    table = blend_table(
        BlendInput(
            queries=(of_photos[..., :width], of_photos[..., width:]),
            gallery=_transform_parts(pool, both, shop),
            metric=transform.metric,
            right=right,
            own=numbers.own[rows],
            product_of=numbers.shop_product,
            class_of=np.array([number_of.get(name, 0) for name in numbers.product_category], np.int64),
            n_classes=len(names) + 1,
        )
    )
    weights = choose_weights(table, names, products, seed=seed)
    return replace(transform, weights=weights.of_category), weights


def _transform_parts(pool: ArrayPool, both: LearnedTransform, shop: Floats) -> tuple[Floats, Floats]:
    """Transforms the gallery; returns the learned and the untrained part as an array each."""
    width = both.dim_learned
    learned, untrained = pool.array(len(shop), width), pool.array(len(shop), both.dim - width)
    for start in range(0, len(shop), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        vectors = both.apply(shop[rows])
        learned[rows], untrained[rows] = vectors[:, :width], vectors[:, width:]
    return learned, untrained


def _with_both_parts(transform: LearnedTransform) -> LearnedTransform:
    """Copies a transform with weights that keep both parts of its vectors."""
    return replace(transform, weights={DEFAULT: 0.5})
