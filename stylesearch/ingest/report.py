"""Options and report of an ingest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from stylesearch.features.stream import ExtractionOptions
from stylesearch.importers.base import ImportOptions
from stylesearch.types import Failure

__all__ = [
    "N_MISSING_SHOWN",
    "IngestOptions",
    "IngestReport",
]

N_MISSING_SHOWN: Final = 5
"""Missing images that a report names; the others are only counted."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """Options of an ingest.

    Attributes:
        source: options of the importer.
        extraction: batch size, threads and limits.
        prune: whether products that the source no longer lists are removed.
    """

    source: ImportOptions = field(default_factory=ImportOptions)
    extraction: ExtractionOptions = field(default_factory=ExtractionOptions)
    prune: bool = False


@dataclass(slots=True)
class IngestReport:
    """The report of an ingest: counts of images, failures and times.

    Attributes:
        added: images that were not in the catalog.
        changed: images whose content, box or domain changed, or whose product's data did.
        unchanged: images that were as the catalog has them.
        removed: images that are gone from a product that the source still lists, or (with ``prune``)
            whose product the source no longer lists.
        computed: number of features that were computed; none are for an image whose content is known under
            another path.
        failed: what could not be used, with the reason.
        missing: images that a dataset lists and that are not there; they are no failures.
        missing_examples: the first few of them, with the place that lists each.
        unlisted: images that an earlier run found in this source and that it no longer has; they stay unless
            ``prune`` removes them. Not counted where some of the source could not be read, or only some
            splits of it were asked for.
        filled: images of any source that had the features of an older version only, and got the others too.
        processed: number of images that this run went through, whatever the result.
        seconds: core-seconds of each stage (``decode``, ``inference``), and wall seconds of ``store``,
            ``pictures`` (all of these together, from the first picture to the last), ``index`` and
            ``total``. Stages overlap: the sum is more than the total.
    """

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    computed: int = 0
    failed: list[Failure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    missing: int = 0
    missing_examples: list[Failure] = field(default_factory=list)
    unlisted: int = 0
    filled: int = 0
    processed: int = 0

    def add_missing(self, path: str, listed_in: str) -> None:
        """Counts an image that is not there, and keeps it as an example if it is one of the first."""
        self.missing += 1
        if len(self.missing_examples) < N_MISSING_SHOWN:
            self.missing_examples.append(Failure(path, f"listed in {listed_in}"))

    def add_seconds(self, stage: str, seconds: float) -> None:
        """Adds to the time of a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "computed": self.computed,
            "failed": [{"item": failure.item, "reason": failure.reason} for failure in self.failed],
            "missing": self.missing,
            "missing_examples": [
                {"item": example.item, "reason": example.reason} for example in self.missing_examples
            ],
            "unlisted": self.unlisted,
            "filled": self.filled,
            "processed": self.processed,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
        }
