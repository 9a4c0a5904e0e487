"""What an ingest did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stylesearch.types import Domain, Failure

__all__ = [
    "N_MISSING_SHOWN",
    "IngestOptions",
    "IngestReport",
    "joined",
]

N_MISSING_SHOWN = 5
"""Missing pictures that a report names; the others are only counted."""


@dataclass(slots=True)
class IngestReport:
    """Counts of pictures, by what became of them.

    Attributes:
        added: pictures that were not in the catalog.
        changed: pictures whose content, box or domain changed, or whose product's data did.
        unchanged: pictures that were as the catalog has them.
        removed: pictures that are gone from a product that the source still lists, or (with ``prune``)
            whose product the source no longer lists.
        computed: features that were computed; pictures whose content was known under another path are
            not.
        failed: what could not be used, with the reason.
        missing: pictures that a dataset lists and that are not there; they are no failures.
        missing_examples: the first few of them, with where they are listed.
        unlisted: pictures that an earlier run found in this source and that are there no longer; they
            stay, and ``prune`` removes them. Not counted where some of the source could not be read, or only
            some splits of it were asked for.
        processed: pictures that this run went through, whatever became of them.
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
    processed: int = 0

    def add_missing(self, path: str, listed_in: str) -> None:
        """Counts a picture that is not there, and keeps it as an example if it is one of the first."""
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
            "processed": self.processed,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
        }


def joined(reports: Sequence[IngestReport]) -> IngestReport:
    """One report of several passes over one source, each with another extractor.

    What was added, changed, removed, missing or failed is what the first pass says, with failures that only
    a later one met; computed features, pictures gone through and seconds add up.
    """
    first, *others = reports
    whole = IngestReport(
        first.added, first.changed, first.unchanged, first.removed, first.computed, list(first.failed)
    )
    whole.missing, whole.missing_examples = first.missing, list(first.missing_examples)
    for report in others:
        whole.computed += report.computed
        whole.failed += [failure for failure in report.failed if failure not in whole.failed]
    whole.unlisted = first.unlisted
    for report in reports:
        whole.processed += report.processed
        for stage, seconds in report.seconds.items():
            whole.add_seconds(stage, seconds)
    return whole


# What an ingest may be told.


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How a source is read and how hard the machine works.

    Attributes:
        format: the importer's name, or ``auto``.
        domain: who took the pictures, where the source does not say.
        prune: whether products that the source no longer lists are removed.
        allow_outside: whether a table may name pictures outside its own folder.
        splits: of a dataset: those whose pictures are taken; empty for all.
        gallery: of a dataset: the splits whose shop pictures are taken; empty for the same as ``splits``.
        categories: of a dataset: ``own`` or ``study2018``.
        batch_size: pictures a forward pass.
        n_workers: threads that read and decode.
        max_pixels: larger pictures are refused before they are decoded.
        lock_timeout: seconds to wait for another process that writes.
    """

    format: str = "auto"
    domain: Domain = Domain.SHOP
    prune: bool = False
    allow_outside: bool = False
    splits: tuple[str, ...] = ()
    gallery: tuple[str, ...] = ()
    categories: str = "own"
    batch_size: int = 32
    n_workers: int = 1
    max_pixels: int = 200_000_000
    lock_timeout: float = 30.0
