"""The state of one ingest, which the stages of its stream share: planning, storing, pruning."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from stylesearch.catalog import Catalog, Change, FeatureSet, ImageEntry, ProductChange
from stylesearch.catalog.next_version import note_of_next_version
from stylesearch.catalog.pruning import Pruner
from stylesearch.catalog.records import Content
from stylesearch.extractors.with_colors import ExtractorWithColors
from stylesearch.features.compute import feature_set_of
from stylesearch.features.prepare import PreparedImage, Task
from stylesearch.images.remote.values import Fetched
from stylesearch.images.source import CHANGED
from stylesearch.importers.base import ColumnsNote, Listed, Missing, Note
from stylesearch.ingest.checks import find_oddities, find_shared_cause
from stylesearch.ingest.facts import FactPlacer
from stylesearch.ingest.product_ids import ProductIds
from stylesearch.ingest.report import IngestOptions, IngestReport
from stylesearch.listing import Listing, Record, Unpictured, Withdrawn
from stylesearch.types import Failure

if TYPE_CHECKING:
    from stylesearch.catalog.writer import Writer
    from stylesearch.extractors.base import Extractor

__all__ = ["Run"]

PLANNED_AT_ONCE: Final = 256
N_IDS_LOOKED_AT: Final = 1000
"""Products whose ids are looked at for what is strange."""
MOST_PRUNED: Final = 1 / 3
"""Share of a source's products that a prune removes without being forced to."""


class Run:
    """One ingest of one source.

    Args:
        catalog: the catalog.
        extractors: each extracts features of every image.
        options: options of the ingest.
        source: name of the source.
        path: where it lies.

    Attributes:
        report: what was done so far.
    """

    def __init__(
        self,
        catalog: Catalog,
        extractors: Sequence[Extractor],
        options: IngestOptions,
        source: str,
        path: str,
    ) -> None:
        self._catalog = catalog
        self._extractors = extractors
        self._options = options
        self._source = source
        self._ids = ProductIds(catalog, source, path)
        self._is_new = source not in {one.name for one in catalog.sources.all()}
        self.report = IngestReport(source=source, on_failure=options.on_failure)
        self._feature_sets: dict[str, FeatureSet] = {}
        self._network_sets: dict[str, FeatureSet] = {}
        # Products that are listed without a usable picture wait here for the next transaction.
        self._unpictured: list[Unpictured] = []
        # The product that was listed last, and the place of its last image.
        self._last = ("", 0)
        # Products that the source says it does not show any more.
        self._withdrawn: set[str] = set()
        self._facts = FactPlacer()
        # Images whose features are being computed, by content, and those that wait for them.
        self._computing: dict[Content, PreparedImage] = {}
        self._waiting: dict[int, PreparedImage] = {}

    def find_feature_sets(self, writer: Writer) -> None:
        """Looks up the feature sets of the extractors by fingerprint, and creates missing ones.

        For an extractor that adds colors to a network, also that of the network where the catalog has it.
        """
        for extractor in self._extractors:
            self._feature_sets[extractor.fingerprint] = feature_set_of(writer, extractor)
            if isinstance(extractor, ExtractorWithColors):
                network = extractor.network.fingerprint
                if (found := self._catalog.find_feature_set(network)) is not None:
                    self._network_sets[network] = found

    def tasks(self, listed: Iterator[Listed]) -> Iterator[Task]:
        """Joins the images that the source lists with the catalog's entries, many at a time."""
        while chunk := list(itertools.islice(listed, PLANNED_AT_ONCE)):
            self._note(chunk)
            ids = self._ids.choose(chunk)
            # One object for each product again: it is described once, and has as many records as pictures.
            named = {key: replace(listing, id=name) for key, (listing, name) in ids.items()}
            self._unpictured += [
                replace(one, product=named[id(one.product)]) for one in chunk if isinstance(one, Unpictured)
            ]
            records = [
                replace(one, product=named[id(one.product)]) for one in chunk if isinstance(one, Record)
            ]
            n_notes = sum(isinstance(one, Note) for one in chunk)
            self.report.processed += len(chunk) - len(records) - n_notes
            known = self._catalog.known_images(
                [(record.product.id, record.path) for record in records], list(self._feature_sets.values())
            )
            for record in records:
                image = known.get((record.product.id, record.path))
                stored = frozenset() if image is None else image.feature_sets
                lacking = frozenset(name for name, one in self._feature_sets.items() if one.pk not in stored)
                yield Task(record, image, lacking, self._position_of(record.product.id))

    def find_known(self, batch: list[PreparedImage]) -> None:
        """Takes over vectors of images that the catalog has under another name, all or some of them.

        Of images with one content that are new in this ingest, only the first is computed.
        """
        to_compute = [one for one in batch if one.inputs or one.is_looked_at]
        sets = {**self._network_sets, **self._feature_sets}
        contents = [(one.entry.sha256 or "", one.entry.box) for one in to_compute]
        known = self._catalog.known_contents(contents, list(sets.values()))
        for one, content in zip(to_compute, contents, strict=True):
            if content in known:
                vectors = known[content].vectors
                for fingerprint, feature_set in sets.items():
                    if feature_set.pk in vectors:
                        one.vectors[fingerprint] = vectors[feature_set.pk][None]
                if one.is_looked_at and not self._lacking(one):
                    # Nothing is left to be done, so it is not even decoded.
                    width, height = known[content].width, known[content].height
                    one.entry = replace(one.entry, width=width, height=height, error=None)
                    one.is_looked_at = False
                    continue
            lacking = self._lacking(one)
            first = self._computing.setdefault(content, one)
            if first is not one and lacking <= self._lacking(first) | first.vectors.keys():
                # It is the first of the two that comes back from the extraction.
                self._waiting[id(one)] = first
                one.drop_inputs()

    def _lacking(self, one: PreparedImage) -> frozenset[str]:
        """Fingerprints of the extractors that have to run on an image, or have run on it."""
        wanted = self._feature_sets.keys() if one.wanted is None else one.wanted
        return frozenset(wanted - one.vectors.keys())

    def store(self, writer: Writer, chunk: Sequence[PreparedImage]) -> None:
        """Stores a chunk in the catalog, in one transaction, and counts the changes."""
        began = time.perf_counter()
        for one in chunk:
            if (first := self._waiting.pop(id(one), None)) is not None:
                _copy_result(first, one)
        with writer.transaction():
            pks, changes = self.store_products(writer, [one.task.record.product for one in chunk])
            entries = [replace(one.entry, position=one.task.position) for one in chunk]
            images = writer.upsert_images(entries, source=self._source)
            for fingerprint, feature_set in self._feature_sets.items():
                computed = {
                    images[one.entry.product_id, one.entry.path][0]: one.vectors[fingerprint][0]
                    for one in chunk
                    if fingerprint in one.vectors and (one.wanted is None or fingerprint in one.wanted)
                }
                if computed:
                    writer.add_features(feature_set, list(computed), np.stack(list(computed.values())))
            pruner = self.pruner(writer)
            pruner.mark([pk for pk, _ in images.values()])
            # An image that cannot be used may stand for any that the product had: none of them is removed.
            unsure = {one.entry.product_id for one in chunk if one.entry.error or one.failure}
            pruner.mark([], [pks[name] for name in sorted(unsure)], keeps_images=True)
        report = self.report
        for one in chunk:
            content = (one.entry.sha256 or "", one.entry.box)
            if self._computing.get(content) is one:
                del self._computing[content]  # the catalog has it from now on
            report.add_seconds("decode", one.prepare_seconds)
            report.add_seconds("inference", one.extract_seconds)
            report.computed += one.n_extracted
            if isinstance(one.task.content, Fetched) and one.task.content.unchecked:
                report.unchecked += 1
                report.unchecked_reason = report.unchecked_reason or one.task.content.unchecked
            _, change = images.pop((one.entry.product_id, one.entry.path), (0, None))
            if (reason := one.entry.error or one.failure) is not None:
                report.add_failure(Failure(one.entry.path, reason), one.entry.product_id, one.entry.path)
            elif change is Change.NEW:
                report.added += 1
            elif change is Change.CHANGED or changes[one.entry.product_id].change is Change.CHANGED:
                report.changed += 1
            else:
                report.unchanged += 1
        report.processed += len(chunk)
        report.add_seconds("store", time.perf_counter() - began)

    def store_products(
        self, writer: Writer, listed: Iterable[Listing]
    ) -> tuple[dict[str, int], dict[str, ProductChange]]:
        """Stores what the source says of products, and of those without a usable picture that wait.

        Returns:
            key in the catalog, and change, by product id.
        """
        waiting, self._unpictured = self._facts.place(writer, self._unpictured), []
        known = writer.known_ids(one.product.id for one in waiting if one.only_known)
        unknown = [one for one in waiting if one.only_known and one.product.id not in known]
        self._add_unreadable([one.item for one in unknown])
        kept = [one for one in waiting if not one.only_known or one.product.id in known]
        facts: list[Listing] = []
        listings = [*listed]
        for one in kept:
            (facts if one.only_known and not one.says_images else listings).append(one.product)
        stored = writer.upsert_products(listings, source=self._source)
        # A table of prices or stock does not keep a product that no other source lists any more.
        stored |= writer.upsert_products(facts, source=self._source, lists=False)
        unsure = {one.product.id for one in kept if one.reason is not None or not one.says_images}
        pruner = self.pruner(writer)
        pruner.mark([], [stored[name][0] for name in unsure], keeps_images=True)
        pruner.mark([], [pk for name, (pk, _) in stored.items() if name not in unsure])
        self._ids.forget(stored)
        changes = {name: change for name, (_, change) in stored.items()}
        self.report.add_products(changes)
        return {name: pk for name, (pk, _) in stored.items()}, changes

    def store_listed(self, writer: Writer, chunk: Sequence[Task]) -> None:
        """Stores what a chunk lists, without reading an image, for a preview."""
        records = [one.record for one in chunk]
        _, changes = self.store_products(writer, [one.product for one in records])
        new = [
            ImageEntry(one.record.product.id, one.record.path, error="not read yet")
            for one in chunk
            if one.known is None
        ]
        added = writer.upsert_images(new, source=self._source)
        known = [one for one in chunk if one.known]
        pks = [one.known.pk for one in known if one.known]
        self.pruner(writer).mark([*pks, *(pk for pk, _ in added.values())])
        n_changed = sum(changes[one.record.product.id].change is Change.CHANGED for one in known)
        self.report.changed += n_changed
        self.report.unchanged += len(known) - n_changed
        self.report.added += len(new)
        self.report.processed += len(chunk)
        self.report.add_examples(records)

    def finish(self, writer: Writer) -> None:
        """Stores products that still wait, counts what was seen, and removes what is no longer listed."""
        self.store_products(writer, [])
        pruner, report = self.pruner(writer), self.report
        report.notes += self._facts.notes()
        report.count_seen(pruner.seen_categories())
        n_products = sum(n for n, _ in report.categories.values())
        n_images = sum(n for _, n in report.categories.values())
        single = pruner.seen_ids(N_IDS_LOOKED_AT) if n_products == n_images else []
        report.warnings += find_oddities(report.categories, pruner.seen_largest(), single)
        if cause := find_shared_cause(report.causes, report.processed):
            report.warnings.append(cause)
        for one in self._catalog.sources.gone():
            if one.name != self._source:
                where = "" if one.name == one.path else f", {one.path}"
                report.notes.append(
                    f"the source {one.name} is gone: nothing is at its path{where}; its products stay until "
                    "`stylesearch sources remove` removes it"
                )
        if self._is_new and (note := note_of_next_version(self._catalog, writer, self._source)):
            report.notes.append(note)
        self._remove_unlisted(writer)

    def pruner(self, writer: Writer) -> Pruner:
        """The pruner of this source."""
        return Pruner(writer, self._source)

    def _remove_unlisted(self, writer: Writer) -> None:
        """Removes what the source no longer lists, unless it has entries that could not be read.

        A row that does not even tell its product may mean any, so none may be removed because of it, unless
        that is forced. Nor does a run over some splits of a dataset, without ``prune``, remove anything of
        the other splits.
        """
        prune, is_part, report = self._options.prune, self._options.source.selects, self.report
        pruner = self.pruner(writer)
        if report.unreadable and not self._options.force:
            report.removes_nothing = prune or (not is_part and pruner.count(whole_products=False).images > 0)
            return
        self._withdraw(pruner)
        unlisted = pruner.count()
        if prune and unlisted.products > MOST_PRUNED * pruner.n_listed() and not self._options.force:
            report.refused_removals = unlisted.products
            prune = False
        if prune or not is_part:
            removed = pruner.remove(whole_products=prune)
            report.removed += removed.images
            report.products["removed"] = removed.products
        report.removed += pruner.forget_lost_files()
        if not prune and not is_part:
            left = pruner.count()
            report.unlisted, report.products["unlisted"] = left.images, left.products

    def _withdraw(self, pruner: Pruner) -> None:
        """Takes out what the source says it does not show any more, unless that is very much at once."""
        withdrawn = pruner.listed_among(self._withdrawn)
        if len(withdrawn) > MOST_PRUNED * pruner.n_listed() and not self._options.force:
            self.report.refused_withdrawals = len(withdrawn)
            return
        gone = pruner.unlist(withdrawn)
        self.report.products["withdrawn"] = len(withdrawn)
        self.report.removed += gone.images

    def _note(self, chunk: Sequence[Listed]) -> None:
        """Counts the entries of the source that are no records."""
        report = self.report
        for one in chunk:
            if isinstance(one, Failure):
                report.add_failure(one)
                self._add_unreadable([one.item])
            elif isinstance(one, Missing):
                report.add_missing(one.path, one.listed_in)
            elif isinstance(one, Withdrawn):
                self._withdrawn.add(one.product_id)
            elif isinstance(one, ColumnsNote):
                report.columns = one.text
            elif isinstance(one, Note):
                report.notes.append(one.text)
            elif isinstance(one, Unpictured):
                if one.reason is not None:
                    report.add_failure(Failure(one.item, one.reason), one.product.id)
                elif one.says_images and not one.only_known:
                    report.add_without_picture(one.product.id)

    def _position_of(self, product_id: str) -> int:
        """The place of the next image of a product; images of a product follow each other in most sources."""
        last, position = self._last
        self._last = product_id, position + 1 if last == product_id else 0
        return self._last[1]

    def _add_unreadable(self, items: Sequence[str]) -> None:
        """Counts entries of the source that may mean any product."""
        self.report.unreadable += len(items)
        self.report.unreadable_example = self.report.unreadable_example or next(iter(items), "")


def _copy_result(first: PreparedImage, one: PreparedImage) -> None:
    """Copies what was computed of an image to another one with the same content."""
    if first.entry.sha256 != one.entry.sha256:
        # Its file was replaced between the two times that a worker read it.
        one.entry = replace(one.entry, error=CHANGED)
        return
    one.vectors = {**first.vectors, **one.vectors}
    if one.entry.width == 0:  # it was only looked at
        error = first.entry.error or first.failure
        one.entry = replace(one.entry, width=first.entry.width, height=first.entry.height, error=error)
