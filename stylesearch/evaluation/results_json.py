"""A study as ``results.json``: the same bytes for the same study, and back again.

Keys are sorted; numbers that were computed have six significant digits; what is not a number is ``null``;
times stand in ``times.json`` beside it. The columns of a run are lists in the order of ``queries.pictures``;
``hit_images`` and ``right_image`` are places in ``gallery.pictures``.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
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

__all__ = ["FORMAT", "RESULTS", "TIMES", "json_text", "load_study", "save_study", "study_from_json"]

FORMAT: Final = "stylesearch-study/1"
RESULTS: Final = "results.json"
TIMES: Final = "times.json"

_INT_COLUMNS = {"n_nearer", "n_tied", "right_image", "hit_images", "hit_regions"}


def save_study(study: Study, folder: Path) -> Path:
    """Writes ``results.json`` and ``times.json`` into a folder, which is made; returns the former's path."""
    with atomic_file(folder / RESULTS) as file:
        file.write(json_text(study).encode())
    write_json(folder / TIMES, {stage: round(seconds, 3) for stage, seconds in study.seconds.items()})
    return folder / RESULTS


def load_study(path: Path) -> Study:
    """Reads ``results.json``, or the folder it is in.

    Raises:
        ConfigError: it is missing, damaged, or of another version.
    """
    file = path / RESULTS if path.is_dir() else path
    try:
        stored = json.loads(file.read_bytes())
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
    whole = {"format": FORMAT, **_plain(study)}
    del whole["seconds"]
    return _rendered(whole, "") + "\n"


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


def _plain(value: Any) -> Any:
    """JSON values of anything that a study holds."""
    if isinstance(value, Box):
        return str(value)
    if dataclasses.is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _rendered(value: Any, indent: str) -> str:
    """Mappings and lists of lists by the line, lists of plain values and small mappings on one."""
    deeper = indent + " "
    if isinstance(value, dict) and any(isinstance(one, dict | list) for one in value.values()):
        rows = [f"{json.dumps(name)}: {_rendered(value[name], deeper)}" for name in sorted(value)]
        return "{\n" + ",\n".join(deeper + row for row in rows) + "\n" + indent + "}"
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        return "[\n" + ",\n".join(deeper + _rendered(one, deeper) for one in value) + "\n" + indent + "]"
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
