"""The part of a workspace that measures and learns: studies, reports and trainings."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylesearch.workspace_upkeep import WorkspaceUpkeep

if TYPE_CHECKING:
    from stylesearch.evaluation.compare import Comparison
    from stylesearch.evaluation.results import Study
    from stylesearch.training.report import TrainReport
    from stylesearch.training.result import Epoch

    ReportProgress = Callable[[str, int, int | None], None]

__all__ = ["WorkspaceStudies"]


class WorkspaceStudies(WorkspaceUpkeep):
    """Base of :class:`stylesearch.workspace.Workspace`."""

    def evaluate(
        self,
        methods: Sequence[str] = (),
        *,
        max_memory: int = 1024,
        progress: ReportProgress | None = None,
        **choices: Any,
    ) -> Study:
        """How often each method finds the right product, and how sure that is.

        Features that are missing are computed and kept: stopped and run again, it goes on where it was.

        Args:
            methods: ``extractor[@size][/space]``, or ``siamese:NAME`` for a trained model; by default the
                workspace's extractor, raw and in its space.
            max_memory: for vectors and distances, in MiB, roughly; ``stylesearch eval --help`` says what else
                there is.
            progress: called as ``progress(stage, n_done, n_total)``.
            **choices: any other field of :class:`stylesearch.evaluation.results.StudySettings`: ``metrics``,
                ``ks``, ``queries``, ``gallery``, ``split``, ``regions``, ``index``, ``seed``, ...

        Raises:
            NotInCatalog: no queries, or nothing to search in.
            ConfigError: a choice that makes no sense.
        """
        from stylesearch import studies

        return studies.evaluate(self._parts, methods, max_memory, progress, choices)

    def train(
        self,
        name: str = "default",
        *,
        default: bool = False,
        max_memory: int = 1024,
        progress: ReportProgress | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
        **choices: Any,
    ) -> TrainReport:
        """Learns from pairs of pictures which differences matter; the result is the space ``siamese:NAME``.

        Stopped and run again, it computes no feature twice; with ``resume=True`` the training itself goes on.

        Args:
            name: of the model; an older one of that name stays in force until the new one is complete.
            default: make it the workspace's space, in ``config.toml``.
            max_memory: for vectors and distances, in MiB, roughly.
            progress: called as ``progress(stage, n_done, n_total)``.
            on_epoch: called with each epoch.
            **choices: any field of :class:`stylesearch.training.options.TrainOptions` (``loss``, ``epochs``,
                ``dim``, ``seed``, ...), of :class:`stylesearch.training.material.MaterialChoice` (``pairs``,
                ``regions``, ``shares``, ...) and of :class:`stylesearch.training.report.TrainRequest`
                (``extractor``, ``resume``, ``devices``, ``finetune``, ...).

        Raises:
            ConfigError: too few pairs, or a choice that makes no sense.
            TrainingDiverged: the loss is no number any more.
            CatalogLocked: features are missing and another process is writing.
        """
        from stylesearch import trainings

        return trainings.train(
            self._parts,
            name,
            choices,
            default=default,
            max_memory=max_memory,
            progress=progress,
            on_epoch=on_epoch,
        )

    def save_report(
        self,
        study: Study,
        folder: str | os.PathLike[str],
        comparison: Comparison | None = None,
        *,
        progress: ReportProgress | None = None,
    ) -> Path:
        """Writes a study of this workspace as a page with charts and pictures, and its data beside it.

        Args:
            study: what :meth:`evaluate` found.
            folder: is made; the files of an older report in it are replaced.
            comparison: with an older study, from :func:`stylesearch.evaluation.compare.compare`.
            progress: called as ``progress("report: SECTION", n_done, n_total)``.

        Returns:
            the path of the page, ``index.html``.

        Raises:
            MissingDependency: what draws charts is not installed.
        """
        from stylesearch import studies

        return studies.save_report(self._parts, study, Path(folder), comparison, progress)
