"""Selects which of a study's many scores and runs its charts show."""

from __future__ import annotations

from typing import Final

from stylesearch.evaluation.results import Run, Study
from stylesearch.extractors.classical.feature import WHITE_BOXES
from stylesearch.settings import Settings

__all__ = [
    "STUDY2018_METRIC",
    "axis_top",
    "best_of_each_kind",
    "best_runs",
    "chart_k",
    "is_white_box",
    "ranking_key",
]

STUDY2018_METRIC: Final = "l1"
"""The metric of the 2018 study's charts."""

_STUDY2018_K: Final = 20
_MAX_SHARE_BY_CHANCE: Final = 0.05
_AXIS_TOPS: Final = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)


def chart_k(study: Study) -> int:
    """The k of the top-k accuracy that charts show.

    The largest k asked for that is at most 20, as in the 2018 study, and by which chance finds 5 % of the
    products or less; if there is none, the smallest k asked for. Among 60 products nearly everything is found
    in the first 20, which no longer distinguishes methods.
    """
    largest = min(_STUDY2018_K, int(_MAX_SHARE_BY_CHANCE * study.gallery.n_products))
    return max((k for k in study.settings.ks if k <= largest), default=study.settings.ks[0])


def ranking_key(run: Run, k: int) -> tuple[float, float, bool]:
    """Key for sorting runs: top-k accuracy over all queries, mean reciprocal rank, the default metric."""
    values = run.micro.values
    return values[f"top-{k}"].value, values["MRR"].value, run.metric == Settings().metric


def best_runs(study: Study) -> dict[str, Run]:
    """Selects the run of each method with its best metric, in the order of the methods."""
    k = chart_k(study)
    return {
        label: max((run for run in study.runs if run.method == label), key=lambda run: ranking_key(run, k))
        for label in study.settings.methods
    }


def best_of_each_kind(study: Study) -> list[Run]:
    """Selects the best run, and the best of the other kind of method (white-box or network), if any."""
    k = chart_k(study)
    best: dict[bool, Run] = {}
    for label, run in sorted(best_runs(study).items(), key=lambda item: ranking_key(item[1], k)):
        best[is_white_box(study, label)] = run
    return sorted(best.values(), key=lambda run: ranking_key(run, k), reverse=True)


def is_white_box(study: Study, label: str) -> bool:
    """Whether a method's extractor is one of the white-box features, not a network."""
    return any(one.label == label and one.extractor in WHITE_BOXES for one in study.methods)


def axis_top(study: Study) -> float:
    """Where the axes of the charts' score end, from 0 to 1: the same in all charts, above every interval."""
    score = f"top-{chart_k(study)}"
    highest = max(
        scores.values[score].high for run in study.runs for scores in (*run.categories, run.macro, run.micro)
    )
    return min((top for top in _AXIS_TOPS if top >= highest), default=1.0)
