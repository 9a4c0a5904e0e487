"""The context of a study or a training: catalog, extractors, folders, limits and progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.catalog import Catalog
from stylesearch.errors import UnknownName
from stylesearch.features.stream import ExtractionOptions
from stylesearch.types import ReportCount, ReportProgress

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor
    from stylesearch.models.card import ModelCard
    from stylesearch.search.fitted_space import SpaceLocation

__all__ = ["StudyContext", "time_stage"]


def _no_model(space: str) -> ModelCard:
    raise UnknownName(f"there are no trained models here. Received: {space}")


@dataclass(frozen=True)
class StudyContext:
    """Catalog, extractors, folders and limits that the steps of a study or a training share.

    Attributes:
        catalog: the catalog that is evaluated; missing features are written to it.
        load: loads an extractor by name, for many images, anew with each call: so one network at a time is
            in memory.
        space_location: locates a space's fit and indexes, for ``index``, and a trained model's transform.
        cache: folder for vectors of regions, and for what does not fit into memory.
        extraction: batch size, threads and limits of the extraction.
        max_bytes: memory for vectors and for distances, half for each; vectors beyond it lie in files.
            Networks, results and their resamples are not counted.
        progress: called as ``progress(stage, n_done, n_total)``.
        model: returns the card of the trained model that a space is of.
    """

    catalog: Catalog
    load: Callable[[str], Extractor]
    space_location: Callable[[Extractor, str], SpaceLocation]
    cache: Path
    extraction: ExtractionOptions = field(default_factory=ExtractionOptions)
    max_bytes: int = 1024 * 2**20
    progress: ReportProgress | None = None
    model: Callable[[str], ModelCard] = _no_model

    def tell(self, stage: str) -> ReportCount | None:
        """Returns a function that reports the progress of one stage as ``(n_done, n_total)``."""
        progress = self.progress
        return None if progress is None else lambda done, total: progress(stage, done, total)

    def tell_extraction(self, stage: str) -> ReportCount | None:
        """The same for a stage that workers do, where there is a cluster: their number is told too."""
        progress, name = self.progress, self.extraction.name_stage
        return None if progress is None else lambda done, total: progress(name(stage), done, total)

    def count(self, stage: str, n_total: int) -> Callable[[int], None] | None:
        """Returns a function that reports the progress of a stage of known length as ``(n_done)``."""
        progress = self.progress
        return None if progress is None else lambda done: progress(stage, done, n_total)


@contextmanager
def time_stage(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Adds the wall seconds of a block to a stage."""
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - began
