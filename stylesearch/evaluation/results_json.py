"""A study as ``results.json``: the same bytes for the same study, and back again.

Keys are sorted; numbers that were computed have six significant digits; what is not a number is ``null``;
times stand in ``times.json`` beside it. The columns of a run are lists in the order of ``queries.pictures``;
``hit_images`` and ``right_image`` are places in ``gallery.pictures``.

A study of many queries makes a long text, and several times that as Python objects: it is written piece by
piece, and of what is read, the columns of one run at a time are Python objects.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from stylesearch.errors import ConfigError
from stylesearch.evaluation.results import (
    CatalogFacts,
    CategoryCounts,
    Columns,
    Difference,
    EqualPictures,
    Estimate,
    GalleryFacts,
    LeftOut,
    Method,
    Picture,
    QueryFacts,
    Run,
    Scores,
    Study,
    StudySettings,
)
from stylesearch.storage import atomic_file, write_json
from stylesearch.types import Box

__all__ = [
    "FORMAT",
    "RESULTS",
    "TIMES",
    "json_pieces",
    "json_text",
    "load_study",
    "save_study",
    "study_from_json",
]

FORMAT: Final = "stylesearch-study/1"
RESULTS: Final = "results.json"
TIMES: Final = "times.json"

_INT_COLUMNS = {"n_nearer", "n_tied", "right_image", "hit_images", "hit_regions"}


def save_study(study: Study, folder: Path) -> Path:
    """Writes ``results.json`` and ``times.json`` into a folder, which is made; returns the former's path."""
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
        stored = json.loads(file.read_bytes(), object_hook=_with_arrays)
        found = stored.get("format") if isinstance(stored, dict) else None
        if found != FORMAT:
            raise ConfigError(
                f"{file} is not a study that this version reads. Received: format {found!r}",
                hint="give the results.json of `stylesearch eval --report`",
            )
        return study_from_json(stored)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"{file} cannot be read as a study: {error}") from error


def json_text(study: Study) -> str:
    """The study as JSON; see the module."""
    return "".join(json_pieces(study))


def json_pieces(study: Study, **more: Any) -> Iterator[str]:
    """The study as JSON, piece by piece; see the module.

    Args:
        study: what is written.
        **more: what else is put into the outermost object, as JSON values.
    """
    whole = {"format": FORMAT, **_opened(study), **more}
    del whole["seconds"]
    yield from _rendered(whole, "")
    yield "\n"


def study_from_json(stored: Mapping[str, Any]) -> Study:
    """The inverse of :func:`json_text`, of the parsed text; times are empty."""
    settings = StudySettings(**{name: _tupled(value) for name, value in stored["settings"].items()})
    catalog, gallery, queries = (dict(stored[name]) for name in ("catalog", "gallery", "queries"))
    catalog["categories"] = tuple(CategoryCounts(**one) for one in catalog["categories"])
    gallery["pictures"] = tuple(map(_picture, gallery["pictures"]))
    queries["pictures"] = tuple(map(_picture, queries["pictures"]))
    queries["left_out"] = tuple(
        LeftOut(one["reason"], one["n"], tuple(one["examples"])) for one in queries["left_out"]
    )
    equal = queries["equal_pictures"]
    queries["equal_pictures"] = EqualPictures(
        equal["n_queries"], equal["n_same_product"], tuple(tuple(pair) for pair in equal["examples"])
    )
    return Study(
        settings=settings,
        catalog=CatalogFacts(**catalog),
        gallery=GalleryFacts(**gallery),
        queries=QueryFacts(**queries),
        methods=tuple(Method(**one) for one in stored["methods"]),
        runs=tuple(_run(one, settings.score_names) for one in stored["runs"]),
        differences=tuple(
            Difference(**{**one, "estimate": Estimate(**one["estimate"])}) for one in stored["differences"]
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
        ann_recall=None if recall is None else Estimate(**recall),
    )


def _scores(stored: Mapping[str, Any], names: tuple[str, ...]) -> Scores:
    values = {name: Estimate(**stored["values"][name]) for name in names}
    return Scores(stored["category"], stored["n_queries"], values)


def _column(name: str, stored: Any) -> Any:
    if stored is None:
        return None
    return np.array(stored, dtype=np.int64 if name in _INT_COLUMNS else np.float64)


def _picture(stored: Mapping[str, Any]) -> Picture:
    return Picture(**{**stored, "box": Box.parse(stored["box"]) if stored["box"] else None})


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _with_arrays(stored: dict[str, Any]) -> dict[str, Any]:
    """An object that was just read; the columns of a run become arrays, which take a tenth of the room."""
    if "hit_images" not in stored:
        return stored
    return {name: _column(name, value) for name, value in stored.items()}


def _opened(value: Any) -> Any:
    """One level of JSON of anything that a study holds; the values in mappings and lists are as they were."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return list(value) if value.ndim > 1 else list(map(_opened, value.tolist()))
    if isinstance(value, Box):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): one for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _is_nested(value: Any) -> bool:
    """Whether it opens to a mapping or a list."""
    if isinstance(value, str | int | float | None):
        return False
    return not isinstance(value, Box)


def _rendered(value: Any, indent: str) -> Iterator[str]:
    """Mappings and lists of lists by the line, lists of plain values and small mappings on one."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        yield json.dumps(_opened(value), allow_nan=False)
        return
    value, deeper = _opened(value), indent + " "
    if isinstance(value, dict) and any(map(_is_nested, value.values())):
        before = "{\n"
        for name in sorted(value):
            yield f"{before}{deeper}{json.dumps(name)}: "
            yield from _rendered(value[name], deeper)
            before = ",\n"
        yield f"\n{indent}}}"
    elif isinstance(value, list) and any(map(_is_nested, value)):
        before = "[\n"
        for one in value:
            yield before + deeper
            yield from _rendered(one, deeper)
            before = ",\n"
        yield f"\n{indent}]"
    else:
        if isinstance(value, dict):
            value = {name: _opened(one) for name, one in value.items()}
        elif isinstance(value, list):
            value = list(map(_opened, value))
        yield json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
