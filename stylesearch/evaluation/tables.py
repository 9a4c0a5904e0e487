"""A study as ``results.csv`` and ``results.md``, and the rows of what a terminal shows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from stylesearch.evaluation.compare import Change, Comparison
from stylesearch.evaluation.results import Difference, Estimate, Run, Scores, Study
from stylesearch.model_cards import is_trained, name_of
from stylesearch.storage import atomic_file

__all__ = [
    "change_row",
    "compared_in",
    "notes",
    "percent",
    "points",
    "searched_in",
    "short_percent",
    "write_tables",
]

CSV_HEADER = (
    "method",
    "metric",
    "average",
    "category",
    "queries",
    "score",
    "value",
    "low",
    "high",
    "searched_with",
    "searched_in",
)

TEST_SPLITS = frozenset({"test", "query", "gallery"})
"""What datasets call products that are not to be learned from; a training keeps to that."""


def write_tables(study: Study, folder: Path, comparison: Comparison | None = None) -> None:
    """Writes ``results.csv`` (a line for each figure, as a share) and ``results.md`` (tables, in percent)."""
    with atomic_file(folder / "results.csv") as file:
        file.write(_csv_text(study).encode())
    with atomic_file(folder / "results.md") as file:
        file.write(_markdown(study, comparison).encode())


def searched_in(study: Study) -> str:
    """What was searched with what, in a sentence: it belongs beside every table and chart."""
    how = ", through the indexes" if study.settings.index else ""
    return f"Searched with {study.queries.description}; in {study.gallery.description}{how}."


def compared_in(study: Study, comparison: Comparison) -> str:
    """The same for a table of changes: its queries are those that both studies have."""
    how = ", through the indexes" if study.settings.index else ""
    then = "the same as before" if comparison.same_gallery else "before in another gallery"
    return (
        f"Searched with the {comparison.n_common:,} queries that both studies have (now of "
        f"{study.queries.description}); in {study.gallery.description}{how}, {then}."
    )


def percent(estimate: Estimate) -> str:
    """``31.2 [28.0, 34.4]``, in percent."""
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def points(estimate: Estimate) -> str:
    """``+3.1 [-0.2, +6.0]``, in percent points: a difference."""
    return f"{100 * estimate.value:+.1f} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"


def short_percent(estimate: Estimate) -> str:
    """``31.2 (28-34)``, in percent: for a terminal."""
    return f"{100 * estimate.value:.1f} ({100 * estimate.low:.0f}-{100 * estimate.high:.0f})"


def notes(study: Study) -> list[str]:
    """What a reader of any figure has to know: one sentence each."""
    settings, gallery, queries = study.settings, study.gallery, study.queries
    lines = [
        f"Searched in: {gallery.description}.",
        f"Searched with: {queries.description}.",
        f"Percent, with {100 * settings.confidence:g} % bootstrap intervals over queries "
        f"({settings.n_resamples:,} resamples, seed {settings.seed}); micro: all queries alike, macro: mean "
        "of the categories. Equally far products share their places.",
    ]
    if any(
        one.low == one.high for run in study.runs for row in run.categories for one in row.values.values()
    ):
        lines.append(
            "An interval without width says that all queries of a category agree, not that they are many."
        )
    if settings.index:
        lines.append("Candidates came from the indexes, not from exact distances.")
    for one in queries.left_out:
        lines.append(f"{one.n} of {queries.n_listed} queries left out: {one.reason}.")
    if gallery.n_unreadable:
        lines.append(f"{gallery.n_unreadable} pictures of the gallery could not be read and are not in it.")
    if queries.n_without_box:
        lines.append(f"{queries.n_without_box} queries have no box and were looked at whole.")
    equal = queries.equal_pictures
    if equal.n_queries:
        lines.append(
            f"{equal.n_queries} queries are byte for byte in the gallery too, {equal.n_same_product} of them "
            "as pictures of the right product."
        )
    return lines + _learned_from(study)


def _learned_from(study: Study) -> list[str]:
    """A sentence for each trained model that has seen products of the queries while it was trained."""
    splits = {name.strip().lower() for name in study.settings.split.split(",")}
    if splits <= TEST_SPLITS:
        return []
    spaces = dict.fromkeys(method.space for method in study.methods if is_trained(method.space))
    return [
        f"{space} learned from products of this catalog: its scores here are too good. Of products never "
        "learned from are those with --split test, where the catalog has splits, and what "
        f"`stylesearch models show {name_of(space)}` prints."
        for space in spaces
    ]


def _csv_text(study: Study) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for run in study.runs:
        for average, scores in (
            ("micro", run.micro),
            ("macro", run.macro),
            *(("category", one) for one in run.categories),
        ):
            for name, estimate in scores.values.items():
                figures = [f"{value:.6g}" for value in (estimate.value, estimate.low, estimate.high)]
                row = [run.method, run.metric, average, scores.category, scores.n_queries, name, *figures]
                writer.writerow([*row, study.queries.description, study.gallery.description])
    return text.getvalue()


def _markdown(study: Study, comparison: Comparison | None) -> str:
    names = study.settings.score_names
    searched = searched_in(study)
    lines = ["# Study", "", *(f"- {note}" for note in notes(study)), "", "## All queries", "", searched, ""]
    rows = [
        [run.method, run.metric, average, *_cells(scores, names)]
        for run in study.runs
        for average, scores in (("micro", run.micro), ("macro", run.macro))
    ]
    lines += _table(["method", "metric", "average", *names], rows)
    if study.settings.index:
        lines += ["", "## ANN recall", "", searched, ""]
        recalls = [
            [run.method, run.metric, percent(run.ann_recall)]
            for run in study.runs
            if run.ann_recall is not None
        ]
        lines += _table(["method", "metric", f"ANN recall@{study.settings.n_hits}"], recalls)
    for run in study.runs:
        lines += ["", f"## {run.label}, by category", "", searched, ""]
        lines += _table(["category", "queries", *names], list(_category_rows(run, names)))
    if study.differences:
        lines += ["", "## Differences between methods", ""]
        lines += [
            "First minus second on the same queries, in points, micro; p: paired bootstrap, two-sided; "
            f"adjusted for the number of pairs by Holm's method. {searched}",
            "",
        ]
        lines += _table(
            ["first", "second", "score", "difference", "p", "p adjusted"],
            [_difference_row(one) for one in study.differences if one.average == "micro"],
        )
    if comparison is not None:
        lines += ["", "## Against the baseline", "", *(f"- {note}" for note in comparison.notes)]
        lines += [f"- {compared_in(study, comparison)}", ""]
        lines += _table(
            ["method", "metric", "category", "score", "before", "now", "change", "verdict"],
            [change_row(one) for one in comparison.changes],
        )
    return "\n".join(lines) + "\n"


def _cells(scores: Scores, names: Sequence[str]) -> list[str]:
    return [percent(scores.values[name]) for name in names]


def _category_rows(run: Run, names: Sequence[str]) -> Iterator[list[object]]:
    for scores in run.categories:
        yield [scores.category, scores.n_queries, *_cells(scores, names)]
    yield ["**macro**", run.macro.n_queries, *_cells(run.macro, names)]
    yield ["**micro**", run.micro.n_queries, *_cells(run.micro, names)]


def _difference_row(one: Difference) -> list[object]:
    figures = [points(one.estimate), _p(one.p_value), _p(one.p_adjusted)]
    return [one.first, one.second, one.score, *figures]


def change_row(one: Change) -> list[str]:
    """Method, metric, what of, score, before, now, change with its interval, verdict."""
    change = "" if one.change is None else points(one.change)
    values = [f"{100 * one.before:.1f}", f"{100 * one.now:.1f}"]
    return [one.method, one.metric, one.category or one.average, one.score, *values, change, one.verdict]


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return lines + ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
