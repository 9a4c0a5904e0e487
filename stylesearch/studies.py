"""Studies of a workspace: an evaluation of its catalog, and the report of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylesearch.cores import usable_cores

if TYPE_CHECKING:
    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.results import Study
    from stylesearch.evaluation.surroundings import ReportProgress, Surroundings
    from stylesearch.parts import Parts

__all__ = ["evaluate", "save_report", "surroundings"]


def evaluate(
    parts: Parts,
    methods: Sequence[str],
    max_memory: int,
    progress: ReportProgress | None,
    choices: Mapping[str, Any],
) -> Study:
    """See :meth:`stylesearch.workspace.Workspace.evaluate`."""
    from stylesearch.evaluation.evaluate import evaluate
    from stylesearch.evaluation.results import StudySettings
    from stylesearch.model_cards import is_trained

    around = surroundings(parts, max_memory, progress)
    extractor, space, _ = parts.chosen()
    default = dict.fromkeys((extractor, space if is_trained(space) else f"{extractor}/{space}"))
    return evaluate(around, StudySettings(tuple(methods or default), **choices))


def save_report(
    parts: Parts,
    study: Study,
    folder: Path,
    comparison: Comparison | None,
    progress: ReportProgress | None = None,
) -> Path:
    """See :meth:`stylesearch.workspace.Workspace.save_report`."""
    from stylesearch.evaluation.report import check_libraries, write_report
    from stylesearch.evaluation.sample import read_sample
    from stylesearch.evaluation.saving import save_results

    check_libraries()
    if progress:
        progress("report: results.json", 0, None)
    save_results(study, folder, comparison)
    features = read_sample(study, parts.catalog(), _cache(parts))
    return write_report(
        study,
        folder,
        comparison,
        features=features,
        progress=progress and (lambda section, done, total: progress(f"report: {section}", done, total)),
    )


def surroundings(parts: Parts, max_memory: int, progress: ReportProgress | None) -> Surroundings:
    """Where a study or a training of a workspace happens.

    Args:
        parts: of the workspace.
        max_memory: for vectors and distances, in MiB, roughly.
        progress: called as ``progress(stage, n_done, n_total)``.
    """
    from stylesearch.evaluation.features import Work
    from stylesearch.evaluation.surroundings import Surroundings

    own = parts.settings
    return Surroundings(
        catalog=parts.catalog(),
        load=lambda spec: parts.extractor(spec, throughput=True, keep=False),
        space_home=parts.space_home,
        cache=_cache(parts),
        work=Work(own.batch_size, own.workers or usable_cores(), own.max_pixels, own.lock_timeout),
        max_bytes=max_memory * 2**20,
        progress=progress,
        model=parts.model,
    )


def _cache(parts: Parts) -> Path:
    """Where vectors of regions are kept, and what does not fit into memory."""
    return parts.settings.home / "cache"
