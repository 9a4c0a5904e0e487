"""Studies of a workspace: what is measured by default, and their reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylesearch.models.card import is_trained
from stylesearch.types import ReportProgress

if TYPE_CHECKING:
    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.results import Study
    from stylesearch.workspace.resources import Resources

__all__ = ["evaluate", "save_report", "search_method"]


def search_method(resources: Resources) -> tuple[str, str]:
    """The method and the metric that searches use, as ``evaluate`` names them."""
    own = resources.resolve()
    if is_trained(own.space):
        return own.space, own.metric
    method = own.extractor if own.space == "raw" else f"{own.extractor}/{own.space}"
    return method, own.metric


def evaluate(
    resources: Resources,
    methods: Sequence[str],
    max_memory: int,
    progress: ReportProgress | None,
    choices: dict[str, Any],
) -> Study:
    """Measures methods, by default the workspace's extractor as it is, and what its searches use.

    Args:
        resources: resources of the workspace.
        methods: names of methods.
        max_memory: rough limit of memory, in MiB.
        progress: called as ``progress(stage, n_done, n_total)``.
        choices: the other fields of ``StudySettings``; the regions are those of searches by default.
    """
    from stylesearch.evaluation.results import StudySettings
    from stylesearch.evaluation.study import evaluate

    context = resources.study_context(max_memory, progress)
    default = dict.fromkeys((resources.resolve().extractor, search_method(resources)[0]))
    regions = choices.get("regions") or _search_regions(resources)
    return evaluate(context, StudySettings(tuple(methods or default), **{**choices, "regions": regions}))


def _search_regions(resources: Resources) -> str:
    """The plan that searches use here: where persons cannot be found, that of a photo without one."""
    from stylesearch.images.regions import PERSON_PLAN, WITHOUT_PERSON

    if resources.settings.regions != PERSON_PLAN:
        return resources.settings.regions
    from stylesearch.persons.regions import warm_up_finder  # OpenCV: other plans do without

    return PERSON_PLAN if warm_up_finder() else WITHOUT_PERSON


def save_report(
    resources: Resources,
    study: Study,
    folder: Path,
    comparison: Comparison | None,
    progress: ReportProgress | None,
) -> Path:
    """Writes a study as a page with its data beside it; returns the path of the page."""
    from stylesearch.evaluation.report.report import check_libraries, write_report
    from stylesearch.evaluation.results_files import save_results
    from stylesearch.evaluation.sample import read_sample

    check_libraries()
    if progress:
        progress("report: results.json", 0, None)
    save_results(study, folder, comparison)
    features = read_sample(study, resources.catalog(), resources.cache)
    return write_report(
        study,
        folder,
        comparison,
        features=features,
        progress=progress and (lambda section, done, total: progress(f"report: {section}", done, total)),
    )
