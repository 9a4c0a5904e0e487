"""Writes the files of a study: ``results.json``, which can be read again, and tables.

``results.json`` has the same bytes for the same study. Keys are sorted; computed numbers have six significant
digits; values that are no number are ``null``; times are in ``times.json`` beside it. The columns of
a run are lists in the order of ``queries.pictures``; ``hit_images`` and ``right_image`` are places in
``gallery.pictures``.

A study of many queries is a long text, and takes several times as much memory as Python objects. So it is
written piece by piece, and when it is read the columns of only one run at a time are Python objects.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from stylesearch.csv_cells import escape_cell
from stylesearch.data_files import check_fields, read_json
from stylesearch.errors import ConfigError
from stylesearch.evaluation.compare import Change, Comparison
from stylesearch.evaluation.results import (
    CatalogFacts,
    CategoryCounts,
    Columns,
    Difference,
    EqualImages,
    Estimate,
    GalleryFacts,
    LeftOut,
    Method,
    QueryFacts,
    Run,
    Scores,
    Study,
    StudyImage,
    StudySettings,
)
from stylesearch.files import atomic_file, write_json
from stylesearch.images.regions import WITHOUT_PERSON
from stylesearch.models.card import is_trained, name_of
from stylesearch.types import Box

__all__ = [
    "COMPARISON",
    "FORMAT",
    "RESULTS",
    "TIMES",
    "change_row",
    "compared_in",
    "json_pieces",
    "json_text",
    "load_study",
    "notes",
    "percent",
    "points",
    "save_results",
    "save_study",
    "searched_in",
    "short_percent",
    "study_from_json",
    "write_tables",
]

RESULTS: Final = "results.json"
TIMES: Final = "times.json"
COMPARISON: Final = "comparison.json"
FORMAT: Final = "stylesearch-study/1"

CSV_HEADER: Final = (
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

TEST_SPLITS: Final = frozenset({"test", "query", "gallery"})
"""Names that datasets give to splits which a training does not learn from."""

Made = TypeVar("Made")

MOST_BYTES_OF_STUDY: Final = 4 * 2**30
"""A study of a million queries has a gigabyte."""

_INT_COLUMNS: Final = {"n_nearer", "n_tied", "right_image", "hit_images", "hit_regions"}


def save_results(study: Study, folder: str | os.PathLike[str], comparison: Comparison | None = None) -> Path:
    """Writes the results of a study: ``results.json``, ``results.csv``, ``results.md`` and ``times.json``.

    Where there is a comparison, ``comparison.json`` too.

    Args:
        study: the study.
        folder: folder of the files, which is created; files of these names in it are replaced.
        comparison: comparison with a baseline.

    Returns:
        the path of ``results.json``.
    """
    folder = Path(folder)
    results = save_study(study, folder)
    write_tables(study, folder, comparison)
    if comparison is not None:
        write_json(folder / COMPARISON, comparison.as_dict())
    else:
        (folder / COMPARISON).unlink(missing_ok=True)
    return results


def save_study(study: Study, folder: Path) -> Path:
    """Writes ``results.json`` and ``times.json`` into a folder, and creates it; returns the former's path."""
    with atomic_file(folder / RESULTS) as file:
        for piece in json_pieces(study):
            file.write(piece.encode())
    write_json(folder / TIMES, {stage: round(seconds, 3) for stage, seconds in study.seconds.items()})
    return folder / RESULTS


def load_study(path: Path) -> Study:
    """Reads ``results.json``, or the folder it is in.

    Raises:
        ConfigError: it is missing, damaged, or of another version.
    """
    file = path / RESULTS if path.is_dir() else path
    try:
        stored = read_json(file, most=MOST_BYTES_OF_STUDY, hook=_with_arrays)
        found = stored.get("format") if isinstance(stored, dict) else None
        if found != FORMAT:
            raise ConfigError(
                f"{file} is not a study that this version reads. Received: format {found!r}",
                hint="give the results.json of `stylesearch eval --report`",
            )
        return study_from_json(stored)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{file} cannot be read as a study: {error}") from error


def json_text(study: Study) -> str:
    """Writes the study as a JSON text; see the module."""
    return "".join(json_pieces(study))


def json_pieces(study: Study, **more: Any) -> Iterator[str]:
    """Yields the study as JSON, piece by piece; see the module.

    Args:
        study: the study.
        **more: more members of the outermost object, as JSON values.
    """
    whole = {"format": FORMAT, **_unwrap(study), **more}
    del whole["seconds"]
    yield from _render(whole, "")
    yield "\n"


def _make(kind: type[Made], values: Any) -> Made:
    """Makes a part of a study of its JSON, after comparing the values with the types of its fields."""
    check_fields(kind, {name: value for name, value in values.items() if value is not None})  # for NaN
    return kind(**values)


def study_from_json(stored: Mapping[str, Any]) -> Study:
    """Makes a study from the parsed JSON of ``json_text``; times are empty.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: something is missing, or of another type.
    """
    settings = _make(StudySettings, {name: _as_tuple(value) for name, value in stored["settings"].items()})
    catalog, gallery, queries = (dict(stored[name]) for name in ("catalog", "gallery", "queries"))
    catalog["categories"] = tuple(_make(CategoryCounts, one) for one in catalog["categories"])
    gallery["images"] = tuple(map(_study_image, gallery.pop("pictures")))
    queries["images"] = tuple(map(_study_image, queries.pop("pictures")))
    queries["left_out"] = tuple(
        LeftOut(one["reason"], one["n"], tuple(one["examples"])) for one in queries["left_out"]
    )
    equal = queries.pop("equal_pictures")
    queries["equal_images"] = EqualImages(
        equal["n_queries"], equal["n_same_product"], tuple(tuple(pair) for pair in equal["examples"])
    )
    return Study(
        settings=settings,
        catalog=_make(CatalogFacts, catalog),
        gallery=_make(GalleryFacts, gallery),
        queries=_make(QueryFacts, queries),
        methods=tuple(_make(Method, one) for one in stored["methods"]),
        runs=tuple(_run(one, settings.score_names) for one in stored["runs"]),
        differences=tuple(
            _make(Difference, {**one, "estimate": _make(Estimate, one["estimate"])})
            for one in stored["differences"]
        ),
    )


def _run(stored: Mapping[str, Any], names: tuple[str, ...]) -> Run:
    recall = stored["ann_recall"]
    return Run(
        method=stored["method"],
        metric=stored["metric"],
        micro=_scores(stored["micro"], names),
        macro=_scores(stored["macro"], names),
        categories=tuple(_scores(one, names) for one in stored["categories"]),
        columns=Columns(**{name: _column(name, value) for name, value in stored["columns"].items()}),
        ann_recall=None if recall is None else _make(Estimate, recall),
    )


def _scores(stored: Mapping[str, Any], names: tuple[str, ...]) -> Scores:
    values = {name: _make(Estimate, stored["values"][name]) for name in names}
    return Scores(stored["category"], stored["n_queries"], values)


def _column(name: str, stored: Any) -> Any:
    if stored is None:
        return None
    return np.array(stored, dtype=np.int64 if name in _INT_COLUMNS else np.float64)


def _study_image(stored: Mapping[str, Any]) -> StudyImage:
    return _make(StudyImage, {**stored, "box": Box.parse(stored["box"]) if stored["box"] else None})


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _with_arrays(stored: dict[str, Any]) -> dict[str, Any]:
    """Turns the columns of a run into arrays as soon as they are read, which take a tenth of the memory."""
    if "hit_images" not in stored:
        return stored
    return {name: _column(name, value) for name, value in stored.items()}


def _unwrap(value: Any) -> Any:
    """Turns one level of a study's values into JSON values; members of mappings and lists are unchanged."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return list(value) if value.ndim > 1 else list(map(_unwrap, value.tolist()))
    if isinstance(value, Box):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {
            one.metadata.get("key", one.name): getattr(value, one.name) for one in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(name): one for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _has_levels(value: Any) -> bool:
    """Whether a value becomes a JSON object or array."""
    if isinstance(value, str | int | float | None):
        return False
    return not isinstance(value, Box)


def _render(value: Any, indent: str) -> Iterator[str]:
    """Renders JSON with a line for each member, but lists of plain values and small mappings on one line."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        yield json.dumps(_unwrap(value), allow_nan=False)
        return
    value, deeper = _unwrap(value), indent + " "
    if isinstance(value, dict) and any(map(_has_levels, value.values())):
        before = "{\n"
        for name in sorted(value):
            yield f"{before}{deeper}{json.dumps(name)}: "
            yield from _render(value[name], deeper)
            before = ",\n"
        yield f"\n{indent}}}"
    elif isinstance(value, list) and any(map(_has_levels, value)):
        before = "[\n"
        for one in value:
            yield before + deeper
            yield from _render(one, deeper)
            before = ",\n"
        yield f"\n{indent}]"
    else:
        if isinstance(value, dict):
            value = {name: _unwrap(one) for name, one in value.items()}
        elif isinstance(value, list):
            value = list(map(_unwrap, value))
        yield json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def write_tables(study: Study, folder: Path, comparison: Comparison | None = None) -> None:
    """Writes ``results.csv`` (a row for each figure, as a share) and ``results.md`` (tables, in percent)."""
    with atomic_file(folder / "results.csv") as file:
        file.write(_csv_text(study).encode())
    with atomic_file(folder / "results.md") as file:
        file.write(_markdown(study, comparison).encode())


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
                row = [
                    run.method,
                    run.metric,
                    average,
                    scores.category,
                    str(scores.n_queries),
                    name,
                    *figures,
                ]
                row += [study.queries.description, study.gallery.description]
                writer.writerow(map(escape_cell, row))
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
    figures = [points(one.estimate), _p_value(one.p_value), _p_value(one.p_adjusted)]
    return [one.first, one.second, one.score, *figures]


def _p_value(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"


def _table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return lines + ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]


def notes(study: Study) -> list[str]:
    """Lists notes for readers of any figure, one sentence each."""
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
    if queries.n_with_person is not None:
        lines.append(
            f"A person was found in {queries.n_with_person:,} of {queries.n_queries:,} queries; the others "
            f"were looked at through the regions `{WITHOUT_PERSON}`."
        )
    equal = queries.equal_images
    if equal.n_queries:
        lines.append(
            f"{equal.n_queries} queries are byte for byte in the gallery too, {equal.n_same_product} of them "
            "as pictures of the right product."
        )
    return lines + _training_notes(study)


def _training_notes(study: Study) -> list[str]:
    """Makes a sentence for each trained model that has seen products of the queries in its training."""
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


def searched_in(study: Study) -> str:
    """Sentence that says what was searched with what; it belongs beside every table and chart."""
    how = ", through the indexes" if study.settings.index else ""
    return f"Searched with {study.queries.description}; in {study.gallery.description}{how}."


def compared_in(study: Study, comparison: Comparison) -> str:
    """Sentence like ``searched_in`` for a table of changes, on the queries that both studies have."""
    how = ", through the indexes" if study.settings.index else ""
    then = "the same as before" if comparison.same_gallery else "before in another gallery"
    return (
        f"Searched with the {comparison.n_common:,} queries that both studies have (now of "
        f"{study.queries.description}); in {study.gallery.description}{how}, {then}."
    )


def percent(estimate: Estimate) -> str:
    """Writes ``31.2 [28.0, 34.4]``, in percent."""
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def points(estimate: Estimate) -> str:
    """Writes a difference as ``+3.1 [-0.2, +6.0]``, in percentage points."""
    return f"{100 * estimate.value:+.1f} [{100 * estimate.low:+.1f}, {100 * estimate.high:+.1f}]"


def short_percent(estimate: Estimate) -> str:
    """Writes ``31.2 (28-34)``, in percent, for a terminal."""
    return f"{100 * estimate.value:.1f} ({100 * estimate.low:.0f}-{100 * estimate.high:.0f})"


def change_row(one: Change) -> list[str]:
    """Cells of a change: method, metric, average or category, score, before, now, change, verdict."""
    change = "" if one.change is None else points(one.change)
    values = [f"{100 * one.before:.1f}", f"{100 * one.now:.1f}"]
    return [one.method, one.metric, one.category or one.average, one.score, *values, change, one.verdict]
