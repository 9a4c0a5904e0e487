"""Scores before and after training, on the same queries, by category, with paired intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Doubles, Floats, Ids
from stylesearch.evaluation.bootstrap import adjust_by_holm, flipped_p_values, interval, resampled_means
from stylesearch.evaluation.ranking import RankedGallery, choose_fast_distances, rank
from stylesearch.evaluation.results import Columns, Estimate, StudySettings
from stylesearch.evaluation.scores import runs_of, score_columns
from stylesearch.features.arrays import ArrayPool, category_scales
from stylesearch.training.pair_dataset import PairDataset

if TYPE_CHECKING:
    from stylesearch.spaces.base import Transform

__all__ = ["SCORES", "Change", "measure_changes", "rank_photos"]

KS: Final = (1, 5, 20)
SCORES: Final = tuple(f"top-{k}" for k in KS)
"""The scores that training reports."""

LEVEL: Final = 0.05
N_DRAWS: Final = 4000

_BEFORE, _AFTER = "before", "after"


@dataclass(frozen=True, slots=True)
class Change:
    """Change of the scores for the queries of one category, or for all.

    Attributes:
        category: its name; empty for all queries.
        n_queries: number of queries.
        before, after: estimates by score, in the best untrained space and in the learned one.
        difference: after minus before, by score, with the interval of the paired bootstrap over products.
        p_values: two-sided p-values of the difference by score, by random signs of products, which unlike the
            bootstrap is right for a handful of photos too. Adjusted by Holm's method over the categories, but
            not for all queries.
    """

    category: str
    n_queries: int
    before: Mapping[str, Estimate]
    after: Mapping[str, Estimate]
    difference: Mapping[str, Estimate]
    p_values: Mapping[str, float]

    def verdict(self, score: str) -> str:
        """``rose`` or ``fell`` for a change by more than noise, at the level of 5 %; else ``noise``."""
        if self.p_values[score] >= LEVEL:
            return "noise"
        return "rose" if self.difference[score].value > 0 else "fell"

    def as_dict(self) -> dict[str, Any]:
        """JSON values by the names of the attributes, and ``verdicts`` by score."""
        return asdict(self) | {"verdicts": {score: self.verdict(score) for score in self.difference}}


def rank_photos(
    pool: ArrayPool,
    dataset: PairDataset,
    shop: Floats,
    photos: Floats,
    transform: Transform,
    metric: str,
    rows: Ids,
    progress: Callable[[int], None] | None = None,
) -> Columns:
    """Ranks photos exactly in the whole gallery, as a study does.

    Args:
        pool: allocates the vectors.
        dataset: data set of the photos and the gallery.
        shop: features of the gallery, float32 (n, dim).
        photos: features of the regions of these photos, float32 (q, regions, dim).
        transform: transform of the space.
        metric: metric of the space.
        rows: rows of these photos in the data set, int64 (q,).
        progress: called with the number of photos that are done.
    """
    vectors = pool.transform(transform, shop)
    scale_of, scales = category_scales(transform, dataset.shop_categories)
    pool.copy_equal(vectors, dataset.shop_contents)
    pool.scale(vectors, scale_of, scales)
    numbers = dataset.rows
    present, product_of = np.unique(numbers.shop_product, return_inverse=True)
    return rank(
        pool.transform_photos(transform, photos),
        np.searchsorted(present, numbers.photo_product[rows]).astype(np.int64),
        RankedGallery(vectors, product_of.astype(np.int64), scale_of, scales),
        metric,
        own=numbers.own[rows],
        max_bytes=max(1, pool.max_bytes // 2),  # the other half is for vectors
        fast_distances=choose_fast_distances(),
        progress=progress,
    )


def measure_changes(
    before: Columns, after: Columns, categories: Sequence[str], products: Sequence[str], *, seed: int = 0
) -> tuple[Change, ...]:
    """Measures the changes: over all queries first, then by category.

    Args:
        before: results in the untrained space.
        after: results in the learned space, for the same queries.
        categories: category of each query.
        products: product of each query; photos of one product give much the same result, so p-values and
            intervals of differences are taken over products.
        seed: seed of draws.
    """
    settings = StudySettings((_BEFORE, _AFTER), metrics=("",), ks=KS, seed=seed)
    runs, _ = runs_of({(_BEFORE, ""): before, (_AFTER, ""): after}, categories, settings)
    gained = score_columns(after, SCORES) - score_columns(before, SCORES)
    p_values = _p_values(gained, categories, products, seed)
    found = []
    for old, new in zip(*([run.micro, *run.categories] for run in runs), strict=True):
        counted = np.array([old.category in ("", one) for one in categories])
        drawn = _resample_products(gained[counted], np.asarray(products)[counted], settings)
        difference = {
            name: interval(new.values[name].value - old.values[name].value, means, settings.confidence)
            for name, means in zip(SCORES, drawn.T, strict=True)
        }
        scores = [{name: one.values[name] for name in SCORES} for one in (old, new)]
        found.append(
            Change(old.category, old.n_queries, scores[0], scores[1], difference, p_values[old.category])
        )
    return tuple(found)


def _resample_products(gained: Doubles, products: npt.NDArray[np.str_], settings: StudySettings) -> Doubles:
    """Computes mean gains of queries over resamples of their products, float64 (resamples, scores)."""
    _, product, n_queries = np.unique(products, return_inverse=True, return_counts=True)
    sums = np.zeros((len(n_queries), gained.shape[1]))
    np.add.at(sums, product, gained)
    parts = np.column_stack([sums, n_queries])
    drawn = resampled_means(parts, n_resamples=settings.n_resamples, seed=settings.seed)
    means: Doubles = drawn[:, :-1] / drawn[:, -1:]
    return means


def _p_values(
    gained: Doubles, categories: Sequence[str], products: Sequence[str], seed: int
) -> dict[str, dict[str, float]]:
    """Computes p-values of the differences by category (empty: all queries) and score."""
    _, product = np.unique(np.asarray(products), return_inverse=True)
    names = ["", *sorted(set(categories))]
    raw = []
    for name in names:
        counted = np.array([name in ("", one) for one in categories])
        sums = np.zeros((product.max() + 1, len(SCORES)))
        np.add.at(sums, product[counted], gained[counted])
        raw.append(flipped_p_values(sums, np.ones(len(sums)), n_resamples=N_DRAWS, seed=seed))
    adjusted = np.array(raw)
    for place in range(len(SCORES)):
        adjusted[1:, place] = adjust_by_holm(adjusted[1:, place].tolist())
    return {
        name: dict(zip(SCORES, row.tolist(), strict=True)) for name, row in zip(names, adjusted, strict=True)
    }
