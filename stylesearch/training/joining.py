"""From trained layers to the transform that is searched: no category is to be worse off than before."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.evaluation.vectors import ROWS_AT_ONCE, Vectors
from stylesearch.spaces.learned import LearnedTransform
from stylesearch.training.blends import Blended, blend_table
from stylesearch.training.material import Material
from stylesearch.training.weights import DEFAULT, Weights, categories_to_weigh, choose_weights

__all__ = ["even_sample", "weighted", "with_equal_sizes"]

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

_N_PAIRS: Final = 20_000
_MOST_PHOTOS: Final = 2000
"""Beyond these the choice of weights does not change noticeably; it bounds the memory of their table."""
_LEAST_PHOTOS: Final = 300
_COST: Final = {"cosine": 1e12, "l1": 4e10}
"""Multiplications, or absolute differences, that the choice may take: half a minute on two cores."""


def even_sample(rows: Ids, cost_of_one: float, metric: str) -> Ids:
    """An even sample of validation photos where ranking all of them would take too long.

    Args:
        rows: of photos, int64 (n,).
        cost_of_one: multiplications (absolute differences, for l1) that a photo takes.
        metric: ``cosine`` or ``l1``.
    """
    affordable = max(_LEAST_PHOTOS, int(_COST[metric] / max(cost_of_one, 1)))
    n_rows = min(len(rows), affordable, _MOST_PHOTOS)
    return rows[np.arange(n_rows) * len(rows) // max(n_rows, 1)]


def with_equal_sizes(transform: LearnedTransform, shop: Floats, *, seed: int = 0) -> LearnedTransform:
    """The same with both distances of one mean over the gallery, so that a weight means what it says.

    Args:
        transform: with the scale 1 and any weights. One for cosine is returned as it is: cosines are of one
            size already.
        shop: features of the gallery, float32 (n, dim).
        seed: of the pairs of pictures that are looked at.
    """
    if transform.metric == "cosine" or len(shop) < 2:
        return transform
    rng = np.random.default_rng(seed)
    n_rows = min(len(shop), 2000)
    rows = np.sort(rng.choice(len(shop), n_rows, replace=False))
    vectors = _of_both_parts(transform).apply(np.asarray(shop[rows]))
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


def weighted(
    room: Vectors,
    material: Material,
    transform: LearnedTransform,
    shop: Floats,
    photos: Floats,
    rows: Ids,
    *,
    seed: int = 0,
) -> tuple[LearnedTransform, Weights]:
    """The transform with the weights that validation photos choose.

    Args:
        room: for vectors.
        material: what the rows are of.
        transform: with any weights.
        shop: features of the gallery, float32 (n, dim).
        photos: features of validation photos' regions, float32 (q, regions, dim).
        rows: which photos of the material these are, int64 (q,).
        seed: of what is drawn.
    """
    numbers = material.rows
    right = numbers.photo_product[rows]
    products = [numbers.product_ids[number] for number in right.tolist()]
    categories = [numbers.product_category[number] for number in right.tolist()]
    names = categories_to_weigh(categories, products)
    number_of = {name: number for number, name in enumerate(names, 1)}
    width = transform.dim_learned
    both = _of_both_parts(transform)
    of_photos = room.transformed(both, photos)
    table = blend_table(
        Blended(
            queries=(of_photos[..., :width], of_photos[..., width:]),
            gallery=_parts(room, both, shop),
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


def _parts(room: Vectors, both: LearnedTransform, shop: Floats) -> tuple[Floats, Floats]:
    """The learned and the untrained part of the gallery's vectors, an array of the room for each."""
    width = both.dim_learned
    learned, untrained = room.array(len(shop), width), room.array(len(shop), both.dim - width)
    for start in range(0, len(shop), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        vectors = both.apply(shop[rows])
        learned[rows], untrained[rows] = vectors[:, :width], vectors[:, width:]
    return learned, untrained


def _of_both_parts(transform: LearnedTransform) -> LearnedTransform:
    """The same with vectors that have both parts, whatever the weights."""
    return replace(transform, weights={DEFAULT: 0.5})
