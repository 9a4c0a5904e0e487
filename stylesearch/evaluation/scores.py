"""Scores of ranks with ties, with intervals: top-k accuracy, reciprocal rank and average precision.

Any order of tied products (of a file, of a sort) would favour some of them. So each function here returns the
mean over all orders of the tied, as a closed form.

References:
    F. McSherry and M. Najork, "Computing information retrieval performance measures efficiently in the
    presence of tied scores", ECIR 2008.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from stylesearch.array_types import Doubles, Ints
from stylesearch.evaluation import bootstrap
from stylesearch.evaluation.bootstrap import (
    Resampled,
    adjust_by_holm,
    enough_draws,
    interval,
    p_values,
    resampled_means,
)
from stylesearch.evaluation.results import Columns, Difference, Estimate, Run, Scores, StudySettings

__all__ = [
    "differences_of",
    "expected_average_precision",
    "expected_reciprocal_rank",
    "runs_of",
    "score_columns",
    "top_k_curve",
    "top_k_share",
]


def top_k_share(n_nearer: Ints, n_tied: Ints, k: int) -> Doubles:
    """Computes for each query the probability that its product is among the first ``k``, float64 (n,).

    Args:
        n_nearer: products nearer than the right one, int64 (n,).
        n_tied: products as far as the right one, itself included, int64 (n,).
        k: number of first products, 1 or more.

    Returns:
        1 or 0 without ties; of ``t`` tied products of which ``m`` still fit into the first ``k``, m / t.

    Example:
        >>> top_k_share(np.array([0, 0, 5]), np.array([1, 4, 1]), 1).tolist()
        [1.0, 0.25, 0.0]
    """
    if k < 1:
        raise ValueError(f"k has to be 1 or more. Received: {k}")
    share: Doubles = np.clip((k - n_nearer) / n_tied, 0.0, 1.0)
    return share


def expected_reciprocal_rank(n_nearer: Ints, n_tied: Ints) -> Doubles:
    """Computes 1 / rank as the mean over the orders of the tied, float64 (n,).

    Example:
        >>> expected_reciprocal_rank(np.array([1, 0]), np.array([1, 2])).tolist()
        [0.5, 0.75]
    """
    result: Doubles = 1.0 / (n_nearer + 1)
    for query in np.flatnonzero(n_tied > 1):
        first, n = int(n_nearer[query]), int(n_tied[query])
        result[query] = (1.0 / np.arange(first + 1, first + n + 1)).mean()
    return result


def expected_average_precision(n_below: Ints, n_equal: Ints, n_right: Ints) -> float:
    """Computes the average precision of one ranking with ties, as the mean over the orders of the tied.

    Right images lie in groups of equally far ones. In a group of n images, r of them right, that comes after
    ``t`` images, ``R`` of them right, place i is right with probability r / n, and then has on average
    (i - 1) (r - 1) / (n - 1) right ones before it in the group.

    Args:
        n_below: number of images nearer than each group, int64 (groups,), rising.
        n_equal: number of images in each group, int64 (groups,).
        n_right: number of right images in each group, int64 (groups,), at least 1.

    Returns:
        The mean of the precision at each right image, from 0 to 1.

    Example:
        >>> expected_average_precision(np.array([0, 3]), np.array([1, 1]), np.array([1, 1]))
        0.75
    """
    total, n_before = 0.0, 0
    for below, equal, right in zip(n_below.tolist(), n_equal.tolist(), n_right.tolist(), strict=True):
        places = np.arange(equal)
        others = places * ((right - 1) / (equal - 1)) if equal > 1 else np.zeros(1)
        precisions = (n_before + 1 + others) / (below + 1 + places)
        total += right * float(precisions.mean())
        n_before += right
    return total / n_before


def score_columns(columns: Columns, names: Sequence[str]) -> Doubles:
    """Computes each query's part in each score, float64 (queries, scores): a score is the mean of its column.

    Args:
        columns: results of a run.
        names: names of scores: ``top-K``, ``mAP``, ``MRR``.
    """
    parts = []
    for name in names:
        if name == "mAP":
            parts.append(columns.average_precision)
        elif name == "MRR":
            parts.append(expected_reciprocal_rank(columns.n_nearer, columns.n_tied))
        else:
            parts.append(top_k_share(columns.n_nearer, columns.n_tied, int(name.removeprefix("top-"))))
    return np.stack(parts, axis=1)


def runs_of(
    columns: Mapping[tuple[str, str], Columns], categories: Sequence[str], settings: StudySettings
) -> tuple[tuple[Run, ...], Resampled]:
    """Scores the results of each method and metric.

    Args:
        columns: results by method's label and metric, in the order of the runs.
        categories: category of each query.
        settings: settings of the study.

    Returns:
        the runs with their scores, and the resamples that all of them share.
    """
    names = settings.score_names
    parts = np.concatenate([score_columns(one, names) for one in columns.values()], axis=1)
    resampled = Resampled(parts, categories, n_resamples=settings.n_resamples, seed=settings.seed)
    of_category = {name: parts[np.asarray(categories) == name].mean(axis=0) for name in resampled.categories}
    macro = np.mean(list(of_category.values()), axis=0)
    counts = {name: sum(one == name for one in categories) for name in resampled.categories}
    runs = []
    for number, ((method, metric), found) in enumerate(columns.items()):
        part = slice(number * len(names), (number + 1) * len(names))

        def scores(
            category: str, n_queries: int, values: Doubles, means: Doubles, part: slice = part
        ) -> Scores:
            estimates = [
                interval(float(value), column, settings.confidence)
                for value, column in zip(values[part], means[:, part].T, strict=True)
            ]
            return Scores(category, n_queries, dict(zip(names, estimates, strict=True)))

        runs.append(
            Run(
                method=method,
                metric=metric,
                micro=scores("", len(categories), parts.mean(axis=0), resampled.micro),
                macro=scores("", len(categories), macro, resampled.macro),
                categories=tuple(
                    scores(name, counts[name], of_category[name], resampled.of_category[name])
                    for name in resampled.categories
                ),
                columns=found,
                ann_recall=_mean_estimate(found.ann_recall, settings),
            )
        )
    return tuple(runs), resampled


def differences_of(
    runs: Sequence[Run], resampled: Resampled, settings: StudySettings
) -> tuple[Difference, ...]:
    """Compares every pair of runs in every score, micro and macro, with p-values adjusted for their number.

    Intervals come from the study's resamples; p-values from more, where there are many pairs.
    """
    names = settings.score_names
    pairs = list(itertools.combinations(range(len(runs)), 2))
    if not pairs:
        return ()
    columns = np.arange(len(runs) * len(names)).reshape(len(runs), len(names))
    first, second = (columns[[pair[side] for pair in pairs]].ravel() for side in (0, 1))
    n_draws = enough_draws(
        len(pairs), n_resamples=settings.n_resamples, confidence=settings.confidence, n_sides=2
    )
    widest = max(runs[0].micro.n_queries, len(first), columns.size * len(resampled.categories))
    n_at_once = max(1, bootstrap.DRAWS_AT_ONCE // widest)
    found = []
    for average, means in (("micro", resampled.micro), ("macro", resampled.macro)):
        blocks = resampled.blocks(average, n_draws, n_at_once)
        tested = p_values(block[:, first] - block[:, second] for block in blocks)
        by_pair = tested.reshape(len(pairs), len(names))
        for place, name in enumerate(names):
            adjusted = adjust_by_holm(by_pair[:, place].tolist())
            for (i, j), p, p_adjusted in zip(pairs, by_pair[:, place].tolist(), adjusted, strict=True):
                values = [getattr(runs[one], average).values[name].value for one in (i, j)]
                drawn = means[:, columns[i, place]] - means[:, columns[j, place]]
                estimate = interval(values[0] - values[1], drawn, settings.confidence)
                found.append(Difference(runs[i].label, runs[j].label, average, name, estimate, p, p_adjusted))
    return tuple(found)


def top_k_curve(columns: Columns, ks: Sequence[int], settings: StudySettings) -> list[Estimate]:
    """Computes top-k accuracy over all queries for many k, with the intervals of the tables, for a chart."""
    parts = np.stack([top_k_share(columns.n_nearer, columns.n_tied, k) for k in ks], axis=1)
    means = resampled_means(parts, n_resamples=settings.n_resamples, seed=settings.seed)
    return [
        interval(float(value), column, settings.confidence)
        for value, column in zip(parts.mean(axis=0), means.T, strict=True)
    ]


def _mean_estimate(values: Doubles | None, settings: StudySettings) -> Estimate | None:
    if values is None:
        return None
    means = resampled_means(values[:, None], n_resamples=settings.n_resamples, seed=settings.seed)
    return interval(float(values.mean()), means[:, 0], settings.confidence)
