"""Options and report of an ingest."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stylesearch.catalog import Change, ProductChange
from stylesearch.features.stream import ExtractionOptions
from stylesearch.images.remote.values import FetchOptions
from stylesearch.images.source import without_secrets
from stylesearch.importers.base import ImportOptions
from stylesearch.ingest.checks import cause_of
from stylesearch.ingest.failure_file import OnFailure
from stylesearch.listing import Record
from stylesearch.types import Failure

__all__ = [
    "N_MISSING_SHOWN",
    "IngestOptions",
    "IngestReport",
]

N_MISSING_SHOWN: Final = 5
"""Missing images that a report names; the others are only counted."""


N_FAILURES_KEPT: Final = 1000
N_CHANGES_KEPT: Final = 100_000
"""Failures and changes that a report keeps; the others are only counted."""

N_CAUSES_KEPT: Final = 1000
OTHER_CAUSES: Final = "other causes"
"""Causes that are counted, and what all further ones are counted as: a reason may quote a whole cell."""

N_EXAMPLES: Final = 5
"""Products that the report of a preview shows."""

PRODUCT_COUNTS: Final = ("added", "changed", "unchanged", "removed", "withdrawn", "unlisted")


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """Options of an ingest.

    Attributes:
        name: name of the source; its path for "".
        source: options of the importer.
        extraction: batch size, threads and limits.
        kept: what is kept with the source of its options, JSON values by name.
        pictures: folder of pictures that are fetched from URLs.
        fetching: how they are fetched.
        prune: whether products that the source no longer lists are removed.
        force: whether more than a third of them may be removed at once.
        renames: name that the source has had until this ingest; "" where it stays.
        notes: what is to be said of the source as a whole, before what the importer says.
        on_failure: is called with each failure, also with those that the report only counts.
    """

    name: str = ""
    source: ImportOptions = field(default_factory=ImportOptions)
    extraction: ExtractionOptions = field(default_factory=ExtractionOptions)
    kept: Mapping[str, Any] = field(default_factory=dict)
    pictures: Path = Path("pictures")
    fetching: FetchOptions = field(default_factory=FetchOptions)
    prune: bool = False
    force: bool = False
    renames: str = ""
    notes: tuple[str, ...] = ()
    on_failure: OnFailure | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of a product that an ingest changed.

    Attributes:
        product: id of the product.
        field: the field, as in ``stylesearch.listing.Listing.said``.
        before, after: its values; None for none.
        overruled: name of another source that says the value of before, or None.
    """

    product: str
    field: str
    before: Any
    after: Any
    overruled: str | None


@dataclass(frozen=True, slots=True)
class Example:
    """A product as a source describes it, with its first image."""

    id: str
    title: str
    category: str
    image: str


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
        failed: what could not be used, with the reason: the first of them; ``n_failed`` counts all.
        causes: number of failures by what their reasons have in common.
        unreadable: entries of the source that do not even tell which product they are about.
        unreadable_example: the place of the first of them.
        removes_nothing: whether something would have been removed but for these.
        missing: images that a dataset lists and that are not there; they are no failures.
        missing_examples: the first few of them, with the place that lists each.
        unlisted: images that an earlier run found in this source and that it no longer has; they stay unless
            ``prune`` removes them. Not counted where some of the source could not be read, or only some
            splits of it were asked for.
        filled: images of any source that had the features of an older version only, and got the others too.
        processed: number of images that this run went through, whatever the result.
        source: name of the source.
        products: number of products that were ``added``, ``changed``, ``unchanged`` and ``removed``,
            that are ``withdrawn`` (the source has them and says that it does not show them: taken out, but
            for those that another source lists), and that are ``unlisted`` (as for images).
        categories: number of products and of images that the source lists, by category.
        changes: fields of products that changed, the first of them; ``n_changes`` counts all.
        overruled: number of products of which this source changed what another one says, by its name.
        without_picture: products for which the source gives no picture; they are no failures.
        unchecked: images behind URLs whose server could not be asked whether they have changed; the ones that
            are known were kept.
        unchecked_reason: why, of the first of them.
        refused_withdrawals: products that the source withdrew and that stayed, since they are too many.
        refused_removals: products that a prune did not remove, since they are too many at once.
        notes: what was assumed, and what was left out.
        columns: which column of a table became which field; "" for other sources.
        warnings: what looks wrong.
        examples: the first products of a preview, as the source describes them.
        on_failure: as in ``IngestOptions``.
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
    n_failed: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0
    unreadable_example: str = ""
    removes_nothing: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    missing: int = 0
    missing_examples: list[Failure] = field(default_factory=list)
    unlisted: int = 0
    filled: int = 0
    processed: int = 0
    source: str = ""
    products: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PRODUCT_COUNTS, 0))
    categories: dict[str, tuple[int, int]] = field(default_factory=dict)
    changes: list[FieldChange] = field(default_factory=list)
    n_changes: int = 0
    overruled: dict[str, int] = field(default_factory=dict)
    without_picture: int = 0
    without_picture_examples: list[str] = field(default_factory=list)
    unchecked: int = 0
    unchecked_reason: str = ""
    refused_removals: int = 0
    refused_withdrawals: int = 0
    notes: list[str] = field(default_factory=list)
    columns: str = ""
    warnings: list[str] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    on_failure: OnFailure | None = field(default=None, repr=False, compare=False)

    def add_products(self, changes: Mapping[str, ProductChange]) -> None:
        """Counts changes of products, by id, and keeps the first as examples."""
        for product_id, one in changes.items():
            if one.change is Change.NEW:
                self.products["added"] += 1
            elif one.change is Change.CHANGED:
                self.products["changed"] += 1
            for name in sorted(set(one.overruled.values())):
                self.overruled[name] = self.overruled.get(name, 0) + 1
            for name, (before, after) in one.fields.items():
                self.n_changes += 1
                if len(self.changes) < N_CHANGES_KEPT:
                    self.changes.append(FieldChange(product_id, name, before, after, one.overruled.get(name)))

    def count_seen(self, categories: Mapping[str, tuple[int, int]]) -> None:
        """Takes the numbers of products and images that were seen, by category."""
        self.categories = dict(categories)
        n_seen = sum(n_products for n_products, _ in categories.values())
        self.products["unchanged"] = n_seen - self.products["added"] - self.products["changed"]

    def add_examples(self, records: Iterable[Record]) -> None:
        """Keeps the first products, with their first image."""
        for one in records:
            if len(self.examples) < N_EXAMPLES and one.product.id not in {each.id for each in self.examples}:
                said = {**one.product.guesses, **one.product.said}
                image = without_secrets(one.path)
                self.examples.append(
                    Example(one.product.id, said.get("title", ""), said.get("category", ""), image)
                )

    def add_without_picture(self, product_id: str) -> None:
        """Counts a product without any picture, and keeps its id if it is one of the first."""
        self.without_picture += 1
        if len(self.without_picture_examples) < N_MISSING_SHOWN:
            self.without_picture_examples.append(product_id)

    def add_failure(self, failure: Failure, product: str = "", image: str = "") -> None:
        """Counts a failure, and keeps it if it is one of the first; passwords in URLs are left out.

        Args:
            failure: the failure.
            product: id of the product that it is about; "" where that is not known.
            image: its image, likewise.
        """
        self.n_failed += 1
        cause = cause_of(failure.reason)
        self.causes[cause if cause in self.causes or len(self.causes) < N_CAUSES_KEPT else OTHER_CAUSES] += 1
        if len(self.failed) >= N_FAILURES_KEPT and self.on_failure is None:
            return
        shown = Failure(without_secrets(failure.item), without_secrets(failure.reason))
        if len(self.failed) < N_FAILURES_KEPT:
            self.failed.append(shown)
        if self.on_failure is not None:
            self.on_failure(shown, product, without_secrets(image))

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
            "n_failed": self.n_failed,
            "unreadable": self.unreadable,
            "removes_nothing": self.removes_nothing,
            "failed": [{"item": failure.item, "reason": failure.reason} for failure in self.failed],
            "missing": self.missing,
            "missing_examples": [
                {"item": example.item, "reason": example.reason} for example in self.missing_examples
            ],
            "unlisted": self.unlisted,
            "filled": self.filled,
            "processed": self.processed,
            "source": self.source,
            "products": self.products,
            "categories": {
                name: {"products": n_products, "images": n_images}
                for name, (n_products, n_images) in self.categories.items()
            },
            "changes": [dataclasses.asdict(one) for one in self.changes],
            "n_changes": self.n_changes,
            "overruled": self.overruled,
            "without_picture": self.without_picture,
            "without_picture_examples": self.without_picture_examples,
            "unchecked": self.unchecked,
            "unchecked_reason": self.unchecked_reason,
            "refused_withdrawals": self.refused_withdrawals,
            "refused_removals": self.refused_removals,
            "notes": self.notes,
            "columns": self.columns,
            "warnings": self.warnings,
            "examples": [dataclasses.asdict(one) for one in self.examples],
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
        }
