"""Compares a study with an older one: which scores rose or fell by more than noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from stylesearch.array_types import Doubles
from stylesearch.evaluation.bootstrap import (
    Resampled,
    adjust_by_holm,
    enough_draws,
    flipped_p_values,
    interval,
)
from stylesearch.evaluation.results import Columns, Estimate, Run, Study, StudyImage
from stylesearch.evaluation.scores import score_columns

__all__ = ["Change", "Comparison", "compare"]

ROSE: Final = "rose"
FELL: Final = "fell"
NOISE: Final = "within noise"
SAME: Final = "same"
UNPAIRED: Final = "no common queries"


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one score between two studies.

    Attributes:
        method, metric: the run, which both studies have.
        average: ``micro``, ``macro`` or ``category``.
        category: name of the category; empty for micro and macro.
        score: name of the score.
        before, now: the scores on the common queries; where there are none, those of each study.
        change: now minus before, with the paired interval; None where no queries are common.
        p_value: two-sided p-value of random signs (the bootstrap's is too small for a handful of queries);
            None where no queries are common.
        p_adjusted: the p-value adjusted by Holm's method over all runs with this score and average, and over
            all categories.
        verdict: ``rose`` or ``fell`` where the adjusted p-value is below 1 - confidence; ``within noise``;
            ``same`` where no query changed; ``no common queries``.
    """

    method: str
    metric: str
    average: str
    category: str
    score: str
    before: float
    now: float
    change: Estimate | None
    p_value: float | None
    p_adjusted: float | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """A study compared with a baseline.

    Attributes:
        notes: notes for readers: which queries and galleries were compared, which runs were not.
        n_common: number of queries that both have, with the same product and bytes.
        same_gallery: whether both searched the same images.
        changes: by run, then average and category, then score.
    """

    notes: tuple[str, ...]
    n_common: int
    same_gallery: bool
    changes: tuple[Change, ...]

    def as_dict(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return asdict(self)


def compare(study: Study, baseline: Study) -> Comparison:
    """Compares runs of one name, query by query.

    Changes of a method's weights, of the queries' regions or of the gallery are not separated from others,
    but mentioned in the notes.

    Args:
        study: the new study, whose seed, resamples and confidence are used.
        baseline: the older study.
    """
    here, there = _common_queries(study.queries.images, baseline.queries.images)
    names = [name for name in study.settings.score_names if name in baseline.settings.score_names]
    old = {(run.method, run.metric): run for run in baseline.runs}
    pairs = [(run, old[run.method, run.metric]) for run in study.runs if (run.method, run.metric) in old]
    same_gallery = study.gallery.digest == baseline.gallery.digest
    if len(here) and pairs and names:
        changes = _paired_changes(study, pairs, names, here, there)
    else:
        changes = _unpaired_changes(pairs, names)
    return Comparison(
        tuple(_notes(study, baseline, len(here), same_gallery)), len(here), same_gallery, tuple(changes)
    )


def _common_queries(new: Sequence[StudyImage], old: Sequence[StudyImage]) -> tuple[list[int], list[int]]:
    """Finds the places of the common queries in both; of several equal ones the first."""
    places: dict[tuple[str, str], int] = {}
    for place, one in enumerate(old):
        places.setdefault((one.product, one.sha256), place)
    here, there = [], []
    for place, one in enumerate(new):
        known = places.pop((one.product, one.sha256), None)
        if known is not None:
            here.append(place)
            there.append(known)
    return here, there


def _paired_changes(
    study: Study, pairs: list[tuple[Run, Run]], names: list[str], here: list[int], there: list[int]
) -> list[Change]:
    categories = [study.queries.images[place].category for place in here]
    now = np.concatenate([_parts(run.columns, names)[here] for run, _ in pairs], axis=1)
    before = np.concatenate([_parts(run.columns, names)[there] for _, run in pairs], axis=1)
    settings = study.settings
    gained = now - before
    resampled = Resampled(gained, categories, n_resamples=settings.n_resamples, seed=settings.seed)
    found: dict[tuple[int, int, int], Change] = {}
    for families in _families(resampled):
        n_draws = enough_draws(
            len(families) * len(pairs),
            n_resamples=settings.n_resamples,
            confidence=settings.confidence,
            n_sides=1,
        )
        tested = {
            group: flipped_p_values(
                gained,
                _weights(categories, *group),
                n_resamples=n_draws,
                seed=settings.seed,
            )
            for group in families
        }
        for place, name in enumerate(names):
            at = [(group, i, i * len(names) + place) for group in families for i in range(len(pairs))]
            adjusted = adjust_by_holm([float(tested[group][column]) for group, _, column in at])
            for (group, number, column), p_adjusted in zip(at, adjusted, strict=True):
                weights = _weights(categories, *group)
                values = [float(weights @ parts[:, column]) for parts in (before, now)]
                change = values[1] - values[0]
                verdict = NOISE
                if not gained[weights > 0, column].any():
                    verdict = SAME
                elif p_adjusted < 1 - settings.confidence:
                    verdict = ROSE if change > 0 else FELL
                found[number, families[group], place] = Change(
                    method=pairs[number][0].method,
                    metric=pairs[number][0].metric,
                    average=group[0],
                    category=group[1],
                    score=name,
                    before=values[0],
                    now=values[1],
                    change=interval(change, _means(resampled, *group)[:, column], settings.confidence),
                    p_value=float(tested[group][column]),
                    p_adjusted=p_adjusted,
                    verdict=verdict,
                )
    return [found[key] for key in sorted(found)]


def _unpaired_changes(pairs: list[tuple[Run, Run]], names: list[str]) -> list[Change]:
    changes = []
    for run, old in pairs:
        for average in ("micro", "macro"):
            for name in names:
                before, now = (getattr(one, average).values[name].value for one in (old, run))
                changes.append(
                    Change(run.method, run.metric, average, "", name, before, now, None, None, None, UNPAIRED)
                )
    return changes


def _families(resampled: Resampled) -> list[dict[tuple[str, str], int]]:
    """Averages whose p-values are adjusted together, with their places in the list of changes."""
    categories = {("category", name): 2 + i for i, name in enumerate(resampled.categories)}
    return [{("micro", ""): 0}, {("macro", ""): 1}, categories]


def _weights(categories: list[str], average: str, category: str) -> Doubles:
    """Weight of each query in an average, float64 (queries,); they sum to 1."""
    names, numbers, counts = np.unique(categories, return_inverse=True, return_counts=True)
    weights: Doubles = np.full(len(categories), 1 / len(categories))
    if average == "macro":
        weights = 1 / (len(names) * counts[numbers])
    elif average == "category":
        within = names[numbers] == category
        weights = within / within.sum()
    return weights


def _means(resampled: Resampled, average: str, category: str) -> Doubles:
    if average == "category":
        return resampled.of_category[category]
    return resampled.micro if average == "micro" else resampled.macro


def _parts(columns: Columns, names: list[str]) -> Doubles:
    # A baseline is read from JSON with six digits, so this study is rounded likewise before the comparison.
    parts = score_columns(columns, names)
    rounded: Doubles = np.vectorize(lambda value: float(f"{value:.6g}"), otypes=[np.float64])(parts)
    return rounded


def _notes(study: Study, baseline: Study, n_common: int, same_gallery: bool) -> list[str]:
    notes = [
        f"Compared on the {n_common} queries that both have, of {study.queries.n_queries} now and "
        f"{baseline.queries.n_queries} before."
    ]
    if not same_gallery:
        notes.append(
            f"The galleries differ: now {study.gallery.description}; before {baseline.gallery.description}."
        )
    if study.queries.description != baseline.queries.description:
        notes.append(f"Queries now: {study.queries.description}; before: {baseline.queries.description}.")
    if study.settings.index != baseline.settings.index:
        notes.append("One of the two went through the indexes, the other through exact distances.")
    before = {one.label: one for one in baseline.methods}
    for method in study.methods:
        old = before.get(method.label)
        if old is not None and old.fingerprint != method.fingerprint:
            notes.append(f"{method.label} is another extractor than before: other weights or preprocessing.")
    scores = [one.settings.score_names for one in (study, baseline)]
    for these, others, where in ((*scores, "now"), (*reversed(scores), "before")):
        missing_scores = [name for name in these if name not in others]
        if missing_scores:
            notes.append(f"Scores only {where}: {', '.join(missing_scores)}.")
    labels = [{run.label for run in one.runs} for one in (study, baseline)]
    for missing, where in ((labels[0] - labels[1], "now"), (labels[1] - labels[0], "before")):
        if missing:
            notes.append(f"Only {where}: {'; '.join(sorted(missing))}.")
    return notes
