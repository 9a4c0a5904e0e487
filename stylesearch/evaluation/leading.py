"""Which of a study's many scores and runs its charts show."""

from __future__ import annotations

from typing import Final

from stylesearch.evaluation.results import Run, Study
from stylesearch.extractors.whitebox.table import WHITE_BOXES

__all__ = ["best_runs", "is_white_box", "leading_k", "ranking_key"]

_K_OF_THE_SEED: Final = 20
_MOST_BY_CHANCE: Final = 0.05


def leading_k(study: Study) -> int:
    """The k of the top-k accuracy that charts show.

    That is the largest k asked for, up to the seed's 20, by which chance would find at most 5 % of the
    products; the smallest asked for where there is none such. Among 60 products nearly everything is found in
    the first 20: that tells methods no longer apart.
    """
    most = min(_K_OF_THE_SEED, int(_MOST_BY_CHANCE * study.gallery.n_products))
    return max((k for k in study.settings.ks if k <= most), default=study.settings.ks[0])


def ranking_key(run: Run, k: int) -> tuple[float, float]:
    """Higher is better: the top-k accuracy over all queries, then the mean reciprocal rank."""
    return run.micro.values[f"top-{k}"].value, run.micro.values["MRR"].value


def best_runs(study: Study) -> dict[str, Run]:
    """Of each method the run with the metric that suits it best, in the order of the methods."""
    k = leading_k(study)
    found: dict[str, Run] = {}
    for label in study.settings.methods:
        runs = [run for run in study.runs if run.method == label]
        found[label] = max(runs, key=lambda run: ranking_key(run, k))
    return found


def is_white_box(study: Study, label: str) -> bool:
    """Whether a method's extractor is one of the white-box features, not a network."""
    return any(one.label == label and one.extractor in WHITE_BOXES for one in study.methods)
