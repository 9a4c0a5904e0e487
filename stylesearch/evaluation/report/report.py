"""Writes the report of a study: ``index.html``, with its charts and images beside it."""

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
from stylesearch.evaluation.report.context import CHARTS, ReportContext
from stylesearch.evaluation.report.images import IMAGES
from stylesearch.evaluation.report.page import Paragraph, Section, render_page
from stylesearch.evaluation.results import Study
from stylesearch.files import atomic_file

if TYPE_CHECKING:
    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.sample import Features

__all__ = ["PAGE", "check_libraries", "write_report"]

PAGE: Final = "index.html"
_TITLE: Final = "Which products a photo finds"
_LIBRARIES: Final = ("jinja2", "matplotlib", "sklearn")
_OWN_FILES: Final = ((CHARTS, "figure-*.png"), (CHARTS, "figure-*.svg"), (IMAGES, "*.jpg"))

_SECTIONS: Final[tuple[Callable[[ReportContext], Section | None], ...]] = (
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
    summary.published_results,
    summary.settings_and_data,
)


def check_libraries() -> None:
    """Checks that the libraries of a report are installed, so that a long study does not fail at its end.

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

    The same study gives the same bytes. Images that can no longer be read are left out, and the page says
    so.

    Args:
        study: the study.
        folder: folder of the report, which is created; the files of an older report in it are replaced.
        comparison: comparison with a baseline.
        features: features of sampled images, from ``stylesearch.evaluation.sample.read_sample``, for the
            maps; without them there are none.
        progress: called as ``progress(section, n_done, n_sections)`` with the section that comes next, and at
            the end with the last.

    Returns:
        the path of ``index.html``.

    Raises:
        MissingDependency: Jinja2, matplotlib or scikit-learn is not installed.
    """
    check_libraries()
    from stylesearch.evaluation.report.charts.style import chart_style

    _remove_older_files(folder)
    context = ReportContext(study, folder, features or {}, comparison)
    sections = []
    with chart_style():
        for number, make in enumerate(_SECTIONS):
            if progress:
                progress(_name(make), number, len(_SECTIONS))
            section = make(context)
            if section is not None:
                sections.append(section)
    introduction = summary.introduction(context)
    n_unreadable = len(context.images.unreadable)
    if n_unreadable:
        text = f"{n_unreadable:,} pictures can no longer be read and are not shown."
        introduction.append(Paragraph(text, "faint"))
    with atomic_file(folder / PAGE) as file:
        file.write(render_page(_TITLE, introduction, sections).encode())
    if progress:
        progress(_name(_SECTIONS[-1]), len(_SECTIONS), len(_SECTIONS))
    return folder / PAGE


def _name(make: Callable[[ReportContext], Section | None]) -> str:
    return make.__name__.replace("_", " ")


def _remove_older_files(folder: Path) -> None:
    """Removes the charts and images of an older report, some of which might not be overwritten."""
    if (folder / PAGE).exists():
        for name, pattern in _OWN_FILES:
            for path in (folder / name).glob(pattern):
                path.unlink()
