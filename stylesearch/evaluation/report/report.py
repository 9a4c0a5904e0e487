"""A study as a page to read: ``index.html`` with its charts and pictures beside it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.errors import MissingDependency
from stylesearch.evaluation.report import (
    examples,
    feature_maps,
    methods,
    summary,
)
from stylesearch.evaluation.report.context import CHARTS, Context
from stylesearch.evaluation.report.context import FOLDER as PICTURES
from stylesearch.evaluation.report.html import Section, document, element, joined
from stylesearch.evaluation.results import Study
from stylesearch.files import atomic_file

if TYPE_CHECKING:
    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.sample import Features

__all__ = ["PAGE", "check_libraries", "write_report"]

PAGE: Final = "index.html"
_LIBRARIES: Final = ("matplotlib", "sklearn")
_OWN_FILES: Final = ((CHARTS, "figure-*.png"), (CHARTS, "figure-*.svg"), (PICTURES, "*.jpg"))

_SECTIONS: Final[tuple[Callable[[Context], Section | None], ...]] = (
    summary.result,
    summary.differences,
    summary.baseline,
    methods.by_category,
    methods.metrics,
    methods.extractors,
    summary.counts,
    feature_maps.maps,
    examples.examples,
    examples.errors,
    summary.published,
    summary.made_with,
)


def check_libraries() -> None:
    """Makes sure that a report can be drawn: better before a long study than after it.

    Raises:
        MissingDependency: a library is not installed.
    """
    for name in _LIBRARIES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise MissingDependency(
                f"a report needs the library {error.name!r}, which is not installed",
                hint="pip install 'stylesearch[report]'",
            ) from error


def write_report(
    study: Study,
    folder: Path,
    comparison: Comparison | None = None,
    *,
    features: Features | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Writes ``index.html``, ``charts/`` (each chart as PNG and SVG) and ``pictures/``.

    The same study gives the same bytes. Pictures that can no longer be read are left out, and the page says
    so.

    Args:
        study: what was found.
        folder: is made; the files of an older report in it are replaced.
        comparison: with a baseline.
        features: of sampled pictures, of :func:`stylesearch.evaluation.sample.read_sample`, for the maps;
            without them there are none.
        progress: called as ``progress(section, n_done, n_sections)`` with the section that comes next, and at
            the end with the last.

    Returns:
        the path of ``index.html``.

    Raises:
        MissingDependency: matplotlib or scikit-learn is not installed.
    """
    check_libraries()
    from stylesearch.evaluation.report.charts.style import chart_style

    _remove_older(folder)
    context = Context(study, folder, features or {}, comparison)
    sections = []
    with chart_style():
        for number, make in enumerate(_SECTIONS):
            if progress:
                progress(_name(make), number, len(_SECTIONS))
            section = make(context)
            if section is not None:
                sections.append(section)
    introduction = [summary.introduction(context)]
    n_unreadable = len(context.pictures.unreadable)
    if n_unreadable:
        introduction.append(
            element(
                "p", f"{n_unreadable:,} pictures can no longer be read and are not shown.", class_="faint"
            )
        )
    with atomic_file(folder / PAGE) as file:
        file.write(document("Which products a photo finds", joined(introduction), sections).encode())
    if progress:
        progress(_name(_SECTIONS[-1]), len(_SECTIONS), len(_SECTIONS))
    return folder / PAGE


def _name(make: Callable[[Context], Section | None]) -> str:
    return make.__name__.replace("_", " ")


def _remove_older(folder: Path) -> None:
    """Charts of a method that is no longer in the study would stay beside the new ones."""
    if (folder / PAGE).exists():
        for name, pattern in _OWN_FILES:
            for path in (folder / name).glob(pattern):
                path.unlink()
