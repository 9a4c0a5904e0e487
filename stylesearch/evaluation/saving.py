"""A study's results as files, for programs and as tables. The page is made by ``evaluation.report``."""

from __future__ import annotations

from pathlib import Path

from stylesearch.evaluation.compare import Comparison
from stylesearch.evaluation.results import Study
from stylesearch.evaluation.results_json import save_study
from stylesearch.evaluation.tables import write_tables
from stylesearch.storage import write_json

__all__ = ["COMPARISON", "save_results"]

COMPARISON = "comparison.json"


def save_results(study: Study, folder: Path, comparison: Comparison | None = None) -> Path:
    """Writes the results of a study.

    That is ``results.json``, ``results.csv``, ``results.md`` and ``times.json``; where there is a
    comparison, ``comparison.json`` too.

    Args:
        study: what was found.
        folder: is made; files of these names in it are replaced.
        comparison: with a baseline.

    Returns:
        the path of ``results.json``.
    """
    results = save_study(study, folder)
    write_tables(study, folder, comparison)
    if comparison is not None:
        write_json(folder / COMPARISON, comparison.as_dict())
    else:
        (folder / COMPARISON).unlink(missing_ok=True)
    return results
