"""How sure a score is: the bootstrap over queries, for scores and for differences between them.

Queries are drawn anew, as many as there are, with replacement. All scores of all runs are computed of the
same draws, so a difference between two runs is paired: what a hard query does to both cancels out. Micro
averages draw from all queries; the score of a category, and the macro average (the mean over categories),
draw within each category.

References:
    B. Efron and R. Tibshirani, "An Introduction to the Bootstrap", 1993 (percentile intervals);
    P. Koehn, "Statistical significance tests for machine translation evaluation", EMNLP 2004 (the paired
    bootstrap for differences of scores); S. Holm, "A simple sequentially rejective multiple test
    procedure", 1979.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.evaluation.results import Doubles, Estimate

__all__ = ["Resampled", "adjusted_by_holm", "flipped_p_values", "interval", "p_value", "resampled_means"]

DRAWS_AT_ONCE: Final = 4_000_000
DECIMALS: Final = 10
"""Sums differ in their last digits with their order: equal means are to be found equal."""


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
        self.micro = resampled_means(parts, n_resamples=n_resamples, seed=seed)
        self.of_category = {
            name: resampled_means(parts[numbers == number], n_resamples=n_resamples, seed=(seed, number + 1))
            for number, name in enumerate(self.categories)
        }
        self.macro: Doubles = np.mean(list(self.of_category.values()), axis=0)


def resampled_means(
    parts: Doubles, *, n_resamples: int, seed: int | tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Column means of resamples of rows.

    Args:
        parts: each query's part in each score, float64 (queries, values).
        n_resamples: how many.
        seed: the same seed and number of queries draw the same queries.

    Returns:
        float64 (n_resamples, values).
    """
    n_queries = len(parts)
    rng = np.random.default_rng(seed)
    means = np.empty((n_resamples, parts.shape[1]))
    step = max(1, DRAWS_AT_ONCE // n_queries)
    for start in range(0, n_resamples, step):
        n = min(step, n_resamples - start)
        drawn = rng.integers(0, n_queries, (n, n_queries))
        drawn += np.arange(n)[:, None] * n_queries
        times = np.bincount(drawn.ravel(), minlength=n * n_queries).reshape(n, n_queries)
        means[start : start + n] = times.astype(np.float64) @ parts / n_queries
    return np.round(means, DECIMALS)


def interval(value: float, means: Doubles, confidence: float) -> Estimate:
    """A value with the percentile interval of its resampled means, shape (n_resamples,)."""
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return Estimate(round(value, DECIMALS), float(low), float(high))


def p_value(differences: Doubles) -> float:
    """Two-sided p-value of the paired bootstrap: how often a resample says the opposite, or nothing.

    Args:
        differences: of resampled means, shape (n_resamples,).

    Returns:
        At least 1 / (n_resamples + 1), as no number of resamples shows more; at most 1.
    """
    n = len(differences)
    against = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(1.0, 2 * (against + 1) / (n + 1))


def flipped_p_values(
    gained: Doubles, weights: Doubles, *, n_resamples: int, seed: int
) -> npt.NDArray[np.float64]:
    """Two-sided p-values of weighted means of paired differences, by turning signs at random.

    If nothing had changed, each query's difference might as well have the other sign. Unlike the bootstrap
    this holds for a handful of queries too: of five, no result is rarer than one in sixteen.

    Args:
        gained: each query's difference in each value, float64 (queries, values).
        weights: of the queries in the mean, float64 (queries,).
        n_resamples: how many turns of signs are drawn.
        seed: of the draws.

    Returns:
        float64 (values,), from 1 / (n_resamples + 1) to 1.

    References:
        M. Smucker, J. Allan and B. Carterette, "A comparison of statistical significance tests for
        information retrieval evaluation", CIKM 2007.
    """
    weighted = gained * weights[:, None]
    observed = np.abs(weighted.sum(axis=0))
    n_queries = len(gained)
    rng = np.random.default_rng(seed)
    as_large = np.zeros(gained.shape[1], np.int64)
    step = max(1, DRAWS_AT_ONCE // n_queries)
    for start in range(0, n_resamples, step):
        n = min(step, n_resamples - start)
        signs = rng.integers(0, 2, (n, n_queries)) * 2.0 - 1
        as_large += (np.abs(signs @ weighted) >= observed - 10.0**-DECIMALS).sum(axis=0)
    p_values: Doubles = (as_large + 1) / (n_resamples + 1)
    return p_values


def adjusted_by_holm(p_values: Sequence[float]) -> list[float]:
    """P-values for several comparisons at once, in the order given.

    Example:
        >>> adjusted_by_holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for step, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[place]))
        adjusted[place] = largest
    return adjusted
