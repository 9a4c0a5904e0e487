"""A vector store in files that looks for the nearest of all images in inverted lists of faiss.

Searches of one category, and those with a filter, are those of ``LocalVectorStore``, as are its files: the
lists lie beside them and only say which images are compared. They are for galleries of a million images,
where looking at all reduced vectors takes most of the time of a search.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stylesearch.array_types import Floats, Ids
from stylesearch.data_files import check_fields
from stylesearch.distance_kernels import take_rows
from stylesearch.errors import IndexDamaged
from stylesearch.files import atomic_file, sha256_bytes, write_json
from stylesearch.index.joint import search_together
from stylesearch.search.local_store import LocalVectorStore, LocalVectorStores
from stylesearch.types import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from stylesearch.catalog.selection import FeatureSelection
    from stylesearch.index.category_indexes import OpenIndex
    from stylesearch.index.inverted_lists import InvertedLists
    from stylesearch.types import ReportProgress

__all__ = ["FaissVectorStore", "FaissVectorStores"]

log = logging.getLogger(__name__)

BLOCK: Final = 8192
N_QUERIES: Final = 48
N_NEAREST: Final = 20
N_WANTED: Final = 80
"""Images that a search for 20 products asks for."""

TRUSTED_RECALL: Final = 0.99
MOST_PROBES: Final = 256

GROWN: Final = 2.0
"""Lists that would get so many times the images that they were trained for are trained anew."""


@dataclass(frozen=True, slots=True)
class _Record:
    """What is known of the lists in a file.

    Attributes:
        digest: SHA-256 of the file, which is named by it.
        generations: the generation of each category's index whose images are in the lists.
        n_trained_for: number of images when the lists were trained.
        n_probe: how many lists a search looks at.
        recall: share of the 20 nearest that was proposed then.
    """

    digest: str
    generations: dict[str, str]
    n_trained_for: int
    n_probe: int
    recall: float


class FaissVectorStore(LocalVectorStore):
    """One fit of a space, with its indexes and inverted lists of all images: a ``VectorStore`` in files.

    Lists are built for ``cosine`` and ``l2``, in spaces that weigh all categories alike, and used where they
    propose 99 % of the nearest. What was built without them, or has changed since, is searched as
    ``LocalVectorStore`` does.

    Attributes:
        lists_from: images from which on lists are built; fewer are scanned in less time.
    """

    lists_from = 100_000
    _opened_lists: tuple[object, InvertedLists | None] | None = None

    def build(self, categories: Iterable[str] | None = None, progress: ReportProgress | None = None) -> None:
        super().build(categories, progress)
        usable = self._usable_indexes(self.location.counts())
        n_images = sum(index.count for _, index in usable.values())
        if self.metric == "l1" or self.transform.scales is not None or n_images < self.lists_from:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        self._build_lists(usable, n_images)

    def verify(self, categories: Iterable[str] | None = None) -> list[Failure]:
        problems = super().verify(categories)
        if categories is None and self._folder.exists():
            try:
                self._read_lists()
            except IndexDamaged as error:
                problems.append(Failure("all categories", str(error)))
        return problems

    def _slots_to_search(
        self,
        usable: Mapping[str, tuple[str, OpenIndex]],
        vectors: Floats,
        n: int,
        allowed: FeatureSelection | None,
    ) -> list[Ids] | None:
        if allowed is None:
            lists = self._open_lists({name: generation for name, (generation, _) in usable.items()})
            if lists is not None and len(proposed := lists.propose(vectors, n)) > n:
                return [index.slots_of(proposed) for _, index in usable.values()]
        return super()._slots_to_search(usable, vectors, n, allowed)

    def _build_lists(self, usable: Mapping[str, tuple[str, OpenIndex]], n_images: int) -> None:
        """Brings the lists up to date, or trains new ones, and finds how many to look at."""
        indexes = [index for _, index in usable.values()]
        lists, n_trained_for = self._lists_to_continue(n_images)
        ids = np.sort(np.concatenate([index.ids for index in indexes]))
        if lists is None:
            lists, n_trained_for = self._train(indexes, n_images), n_images
            missing = ids
        else:
            before = lists.ids
            missing = np.setdiff1d(ids, before, assume_unique=True)
            if len(gone := np.setdiff1d(before, ids, assume_unique=True)):
                lists.remove(gone)
        for index in indexes:
            slots = index.slots_of(missing)
            for start in range(0, len(slots), BLOCK):
                some = slots[start : start + BLOCK]
                lists.add(index.ids[some], take_rows(index.vectors, some))
        recall = self._calibrate(lists, indexes)
        if recall < TRUSTED_RECALL:
            log.warning("faiss proposes %.0f %% of the nearest: all images are scanned", 100 * recall)
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        generations = {name: generation for name, (generation, _) in usable.items()}
        self._write_lists(lists, generations, n_trained_for, recall)

    def _lists_to_continue(self, n_images: int) -> tuple[InvertedLists | None, int]:
        """The lists of the last build, and for how many images they were trained; None to train anew."""
        try:
            record, lists = self._read_lists()
        except IndexDamaged as error:
            log.info("inverted lists are built anew: %s", error)
            return None, 0
        is_alike = record.n_trained_for / GROWN < n_images < record.n_trained_for * GROWN
        return (lists if is_alike else None), record.n_trained_for

    def _train(self, indexes: Sequence[OpenIndex], n_images: int) -> InvertedLists:
        from stylesearch.index.inverted_lists import InvertedLists, n_to_train

        sample = np.empty((n_to_train(n_images), self.transform.dim), np.float32)
        edges = np.cumsum([0, *(index.count for index in indexes)])
        drawn = np.random.default_rng(1).choice(n_images, len(sample), replace=False)
        drawn.sort()
        for number, index in enumerate(indexes):
            start, stop = np.searchsorted(drawn, edges[number : number + 2])
            sample[start:stop] = take_rows(index.vectors, drawn[start:stop] - edges[number])
        return InvertedLists.train(sample, n_images, self.metric)

    def _calibrate(self, lists: InvertedLists, indexes: Sequence[OpenIndex]) -> float:
        """Finds how many lists hold enough of the nearest; returns which share they hold."""
        queries = list(_queries(indexes))
        true = [search_together(indexes, query, N_NEAREST).ids for query in queries]
        lists.n_probe, recall = 1, 0.0
        while True:
            found = [lists.propose(query, N_WANTED) for query in queries]
            recall = float(np.mean([np.isin(*pair).mean() for pair in zip(true, found, strict=True)]))
            if recall >= TRUSTED_RECALL or lists.n_probe >= min(MOST_PROBES, lists.n_lists):
                return recall
            lists.n_probe *= 2

    @property
    def _folder(self) -> Path:
        folder = self.indexes.folder
        return folder.with_name(f"lists-{folder.name}")

    def _write_lists(
        self, lists: InvertedLists, generations: Mapping[str, str], n_trained_for: int, recall: float
    ) -> None:
        data = lists.to_bytes()
        record = _Record(sha256_bytes(data), dict(generations), n_trained_for, lists.n_probe, recall)
        with atomic_file(self._folder / f"{record.digest}.faiss") as file:
            file.write(data)
        write_json(self._folder / "lists.json", asdict(record))
        for path in self._folder.glob("*.faiss"):
            if path.stem != record.digest:
                path.unlink(missing_ok=True)

    def _read_lists(self) -> tuple[_Record, InvertedLists]:
        """Reads the lists of the last build.

        Raises:
            IndexDamaged: there are none, or a file is damaged.
        """
        try:
            stored = json.loads((self._folder / "lists.json").read_bytes())
            check_fields(_Record, stored)
            record = _Record(**stored)
            data = (self._folder / f"{record.digest}.faiss").read_bytes()
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise IndexDamaged(f"the inverted lists cannot be read: {error}") from error
        if sha256_bytes(data) != record.digest:
            raise IndexDamaged("the inverted lists are damaged: their digest is another")
        from stylesearch.index.inverted_lists import InvertedLists  # faiss: only where there are lists

        lists = InvertedLists.from_bytes(data, self.metric, self.transform.dim)
        lists.n_probe = record.n_probe
        return record, lists

    def _open_lists(self, generations: Mapping[str, str]) -> InvertedLists | None:
        """The lists of just these generations of indexes, read once; None where there are none."""
        try:
            status = (self._folder / "lists.json").stat()
        except OSError:
            return None
        key = (status.st_mtime_ns, status.st_ino, generations)
        opened = self._opened_lists
        if opened is None or opened[0] != key:
            try:
                record, lists = self._read_lists()
                opened = (key, lists if record.generations == generations else None)
            except IndexDamaged as error:
                log.warning("%s; all images are scanned until `stylesearch index build`", error)
                opened = (key, None)
            self._opened_lists = opened
        return opened[1]


class FaissVectorStores(LocalVectorStores):
    """Stores in files with inverted lists, in the folder of their space; ``VectorStores``."""

    store = FaissVectorStore


def _queries(indexes: Sequence[OpenIndex]) -> Iterator[Floats]:
    """Yields queries, (1, dim): stored vectors, and what lies midway between two of one category."""
    rng = np.random.default_rng(2)
    counts = np.array([index.count for index in indexes])
    for number in range(N_QUERIES):
        index = indexes[rng.choice(len(indexes), p=counts / counts.sum())]
        slots = np.sort(rng.integers(0, index.count, 1 + number % 2))
        query: Floats = np.asarray(take_rows(index.vectors, slots), np.float32).mean(axis=0, keepdims=True)
        yield query
