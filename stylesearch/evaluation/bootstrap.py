"""Bootstrap intervals and p-values of scores and of differences between them, over queries.

Queries are drawn with replacement, as many as there are. All scores of all runs are computed from the same
draws, so a difference between two runs is paired: the effect of a hard query on both cancels out. Micro
averages draw from all queries; the score of a category, and the macro average (the mean over categories),
draw within each category.

References:
    B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile intervals);
    P. Koehn, "Statistical significance tests for machine translation evaluation", EMNLP 2004 (the paired
    bootstrap for differences of scores); S. Holm, "A simple sequentially rejective multiple test
    procedure", 1979.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Doubles
from stylesearch.evaluation.results import Estimate

__all__ = [
    "Resampled",
    "adjust_by_holm",
    "enough_draws",
    "flipped_p_values",
    "interval",
    "p_value_of_largest",
    "p_values",
    "resampled_means",
]

DRAWS_AT_ONCE: Final = 4_000_000
DECIMALS: Final = 10
"""Sums differ in their last digits with their order: equal means are to be found equal."""
FINENESS: Final = 10
"""The smallest p-value that draws can show, after the adjustment, is this much below the level."""


class Resampled:
    """Means of the same resamples of the queries, by category, micro and macro.

    Attributes:
        categories: names, sorted.
        micro: float64 (n_resamples, values).
        macro: the same, mean over categories.
        of_category: the same for each category.
    """

    def __init__(self, parts: Doubles, categories: Sequence[str], *, n_resamples: int, seed: int) -> None:
        names, numbers = np.unique(np.asarray(categories), return_inverse=True)
        self.categories: list[str] = names.tolist()
        self._parts = parts
        self._seed = seed
        self._of_category = [parts[numbers == number] for number in range(len(names))]
        self.micro = resampled_means(parts, n_resamples=n_resamples, seed=seed)
        self.of_category = {
            name: resampled_means(of_one, n_resamples=n_resamples, seed=(seed, number + 1))
            for number, (name, of_one) in enumerate(zip(self.categories, self._of_category, strict=True))
        }
        self.macro: Doubles = np.mean(list(self.of_category.values()), axis=0)

    def blocks(self, average: str, n_resamples: int, n_at_once: int) -> Iterator[Doubles]:
        """Yields the same means and further ones, in blocks, so that they need not all fit into memory.

        Args:
            average: ``micro`` or ``macro``.
            n_resamples: number of resamples; the first of them are those of the attributes.
            n_at_once: rows of a block; the last may have fewer.

        Yields:
            float64 (rows, values).
        """
        if average == "micro":
            yield from _blocks(self._parts, n_resamples, self._seed, n_at_once)
            return
        drawn = [
            _blocks(of_one, n_resamples, (self._seed, number + 1), n_at_once)
            for number, of_one in enumerate(self._of_category)
        ]
        for of_categories in zip(*drawn, strict=True):
            means: Doubles = np.mean(of_categories, axis=0)
            yield means


def resampled_means(
    parts: Doubles, *, n_resamples: int, seed: int | tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Computes column means of resamples of rows.

    Args:
        parts: each query's part in each score, float64 (queries, values).
        n_resamples: number of resamples.
        seed: the same seed and number of queries draw the same queries.

    Returns:
        float64 (n_resamples, values).
    """
    step = max(1, DRAWS_AT_ONCE // len(parts))
    return np.concatenate(list(_blocks(parts, n_resamples, seed, step)))


def _blocks(
    parts: Doubles, n_resamples: int, seed: int | tuple[int, ...], n_at_once: int
) -> Iterator[Doubles]:
    n_queries = len(parts)
    rng = np.random.default_rng(seed)
    for start in range(0, n_resamples, n_at_once):
        n = min(n_at_once, n_resamples - start)
        drawn = rng.integers(0, n_queries, (n, n_queries))
        drawn += np.arange(n)[:, None] * n_queries
        times = np.bincount(drawn.ravel(), minlength=n * n_queries).reshape(n, n_queries)
        yield np.round(times.astype(np.float64) @ parts / n_queries, DECIMALS)


def interval(value: float, means: Doubles, confidence: float) -> Estimate:
    """Makes an estimate of a value and its resampled means, shape (n_resamples,), by percentiles."""
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return Estimate(round(value, DECIMALS), float(low), float(high))


def enough_draws(n_compared: int, *, n_resamples: int, confidence: float, n_sides: int) -> int:
    """Computes the number of draws with which Holm's method can still find a difference among p-values.

    With n draws no p-value is below about 1 / n, and Holm's method multiplies it by the number of
    comparisons: 2,000 draws and 105 pairs would call every difference noise.

    Args:
        n_compared: number of p-values that are adjusted together.
        n_resamples: smallest number of draws.
        confidence: confidence of the study; a p-value below 1 minus this counts.
        n_sides: numerator of the smallest p-value, over ``n + 1``: 2 for ``p_values``, 1 for
            ``flipped_p_values``.

    Example:
        >>> enough_draws(1, n_resamples=2000, confidence=0.95, n_sides=2)
        2000
        >>> enough_draws(105, n_resamples=2000, confidence=0.95, n_sides=2)
        42000
    """
    return max(n_resamples, math.ceil(round(FINENESS * n_sides * n_compared / (1 - confidence), 6)))


def p_values(blocks: Iterable[Doubles]) -> npt.NDArray[np.float64]:
    """Two-sided p-values of the paired bootstrap, by the share of resamples with the opposite sign or 0.

    Args:
        blocks: differences of resampled means, each float64 (some of the n resamples, values).

    Returns:
        float64 (values,), from 2 / (n + 1) to 1.
    """
    n = 0
    not_above: npt.NDArray[np.int64] | int = 0
    not_below: npt.NDArray[np.int64] | int = 0
    for differences in blocks:
        n += len(differences)
        not_above = not_above + (differences <= 0).sum(axis=0)
        not_below = not_below + (differences >= 0).sum(axis=0)
    found: Doubles = np.minimum(1.0, 2 * (np.minimum(not_above, not_below) + 1) / (n + 1))
    return found


def flipped_p_values(
    gained: Doubles, weights: Doubles, *, n_resamples: int, seed: int
) -> npt.NDArray[np.float64]:
    """Two-sided p-values of weighted means of paired differences, by turning signs at random.

    If nothing had changed, each query's difference could as well have the other sign. Unlike the bootstrap
    this is right for a handful of queries too: with five, no result is rarer than one in sixteen.

    Args:
        gained: each query's difference in each value, float64 (queries, values).
        weights: weights of the queries in the mean, float64 (queries,); queries of weight 0 are not drawn.
        n_resamples: number of draws of signs.
        seed: seed of the draws.

    Returns:
        float64 (values,), from 1 / (n_resamples + 1) to 1.

    References:
        M. Smucker, J. Allan and B. Carterette, "A comparison of statistical significance tests for
        information retrieval evaluation", CIKM 2007.
    """
    of_any_weight = weights > 0
    weighted = gained[of_any_weight] * weights[of_any_weight, None]
    observed = np.abs(weighted.sum(axis=0))
    n_queries, n_values = weighted.shape
    rng = np.random.default_rng(seed)
    as_large = np.zeros(n_values, np.int64)
    step = max(1, DRAWS_AT_ONCE // max(n_queries, n_values))
    for start in range(0, n_resamples, step):
        n = min(step, n_resamples - start)
        signs = rng.integers(0, 2, (n, n_queries)) * 2.0 - 1
        as_large += (np.abs(signs @ weighted) >= observed - 10.0**-DECIMALS).sum(axis=0)
    p_values: Doubles = (as_large + 1) / (n_resamples + 1)
    return p_values


def p_value_of_largest(gained: Doubles, *, n_resamples: int, seed: int) -> float:
    """One-sided p-value of the largest of several mean gains, by turning signs at random.

    Among many values without any true gain the largest is nearly always above 0. So it is compared with the
    largest of all values after each draw of signs, in which a row has one sign for all values.

    Args:
        gained: differences, float64 (rows, values).
        n_resamples: number of draws of signs.
        seed: seed of the draws.

    Returns:
        From 1 / (n_resamples + 1) to 1.

    References:
        P. Westfall and S. Young, "Resampling-Based Multiple Testing", 1993 (the largest of the statistics).
    """
    largest = gained.sum(axis=0).max()
    rng = np.random.default_rng(seed)
    as_large = 0
    step = max(1, DRAWS_AT_ONCE // max(gained.shape))
    for start in range(0, n_resamples, step):
        n = min(step, n_resamples - start)
        signs = rng.integers(0, 2, (n, len(gained))) * 2.0 - 1
        as_large += int(((signs @ gained).max(axis=1) >= largest - 10.0**-DECIMALS).sum())
    return (as_large + 1) / (n_resamples + 1)


def adjust_by_holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts the p-values of several comparisons by Holm's method, in the order given.

    Example:
        >>> adjust_by_holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for step, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[place]))
        adjusted[place] = largest
    return adjusted
