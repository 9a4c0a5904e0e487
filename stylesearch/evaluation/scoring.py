"""From what was found for each query to scores with intervals, and to differences between runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from stylesearch.evaluation import bootstrap
from stylesearch.evaluation.bootstrap import (
    Resampled,
    adjusted_by_holm,
    enough_draws,
    interval,
    p_values,
    resampled_means,
)
from stylesearch.evaluation.results import (
    Columns,
    Difference,
    Doubles,
    Estimate,
    Run,
    Scores,
    StudySettings,
)
from stylesearch.evaluation.scores import score_columns, top_k_share

__all__ = ["differences_of", "runs_of", "top_k_curve"]


def runs_of(
    columns: Mapping[tuple[str, str], Columns], categories: Sequence[str], settings: StudySettings
) -> tuple[tuple[Run, ...], Resampled]:
    """Runs with their scores, and the resamples that all of them share.

    Args:
        columns: by method's label and metric, in the order of the runs.
        categories: of the queries.
        settings: of the study.
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
                ann_recall=_mean_of(found.ann_recall, settings),
            )
        )
    return tuple(runs), resampled


def differences_of(
    runs: Sequence[Run], resampled: Resampled, settings: StudySettings
) -> tuple[Difference, ...]:
    """Every pair of runs in every score, micro and macro, with p-values adjusted for the number of pairs.

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
            adjusted = adjusted_by_holm(by_pair[:, place].tolist())
            for (i, j), p, p_adjusted in zip(pairs, by_pair[:, place].tolist(), adjusted, strict=True):
                values = [getattr(runs[one], average).values[name].value for one in (i, j)]
                drawn = means[:, columns[i, place]] - means[:, columns[j, place]]
                estimate = interval(values[0] - values[1], drawn, settings.confidence)
                found.append(Difference(runs[i].label, runs[j].label, average, name, estimate, p, p_adjusted))
    return tuple(found)


def top_k_curve(columns: Columns, ks: Sequence[int], settings: StudySettings) -> list[Estimate]:
    """Top-k accuracy over all queries for many k, with the same intervals as the tables: for a chart."""
    parts = np.stack([top_k_share(columns.n_nearer, columns.n_tied, k) for k in ks], axis=1)
    means = resampled_means(parts, n_resamples=settings.n_resamples, seed=settings.seed)
    return [
        interval(float(value), column, settings.confidence)
        for value, column in zip(parts.mean(axis=0), means.T, strict=True)
    ]


def _mean_of(values: Doubles | None, settings: StudySettings) -> Estimate | None:
    if values is None:
        return None
    means = resampled_means(values[:, None], n_resamples=settings.n_resamples, seed=settings.seed)
    return interval(float(values.mean()), means[:, 0], settings.confidence)
