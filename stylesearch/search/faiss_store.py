"""A vector store in files that looks for the nearest of all images in inverted lists of faiss.

Searches of one or some categories, for many products, and with a filter that few products meet, are those of
``LocalVectorStore``, as are its files: the lists lie beside them and only say which images are compared. They
are for galleries of a million images, where looking at all reduced vectors takes most of a search.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

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
    from stylesearch.catalog.selection import FeatureSelection
    from stylesearch.index.category_indexes import OpenIndex
    from stylesearch.index.inverted_lists import InvertedLists

__all__ = ["FaissVectorStore", "FaissVectorStores"]

log = logging.getLogger(__name__)

BLOCK: Final = 8192
N_QUERIES: Final = 48
N_NEAREST: Final = 20
N_WANTED: Final = 80
"""Images that a search for 20 products asks for: for more the lists were not measured, and are not used."""

ENOUGH: Final = 2
"""Images that have to be proposed for each that is wanted."""

ALL: Final = "all categories"
"""What stands for the category in messages of lists."""

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

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._opening = threading.Lock()
        self._opened_lists: tuple[object, InvertedLists | None] | None = None

    def verify(self, categories: Iterable[str] | None = None) -> list[Failure]:
        problems = super().verify(categories)
        # Lists of indexes that are damaged are not used either, and are made anew with these.
        if categories is None and not problems and self.lists_folder.exists():
            try:
                record, _ = self._read_lists()
                if record.generations != _generations(self._built_indexes()):
                    problems.append(
                        Failure(ALL, "the inverted lists are of older indexes: they are not used")
                    )
            except IndexDamaged as error:
                problems.append(Failure(ALL, str(error)))
        return problems

    def _slots_to_search(
        self,
        categories: Sequence[str],
        usable: Mapping[str, tuple[str, OpenIndex]],
        vectors: Floats,
        n: int,
        allowed: FeatureSelection | None,
    ) -> list[Ids] | None:
        # Of other categories than all there are no lists; to look for them would drop those that are open.
        is_of_all = set(categories) == set(self.categories())
        if allowed is None and n <= N_WANTED and is_of_all:
            lists = self._open_lists(_generations(usable))
            if lists is not None and len(proposed := lists.propose(vectors, n)) >= ENOUGH * n:
                return [index.slots_of(proposed) for _, index in usable.values()]
        return super()._slots_to_search(categories, usable, vectors, n, allowed)

    def _end_build(self, go_on: Callable[[], object]) -> None:
        usable = self._built_indexes()
        n_images = sum(index.count for _, index in usable.values())
        if self.metric == "l1" or self.transform.scales is not None or n_images < self.lists_from:
            super()._end_build(go_on)
            return
        with contextlib.suppress(IndexDamaged):
            if self._read_record().generations == _generations(usable):
                return
        try:
            is_good = self._build_lists(usable, n_images, go_on)
        except (IndexDamaged, MemoryError, OSError, RuntimeError) as error:
            log.warning("inverted lists cannot be built: %s; all images are scanned", error)
            is_good = False
        if not is_good:
            super()._end_build(go_on)

    def _built_indexes(self) -> dict[str, tuple[str, OpenIndex]]:
        """The indexes that can be used, by category, with their generations."""
        found = {}
        for name in self.location.counts():
            generation = self.indexes.current_generation(name)
            with contextlib.suppress(IndexDamaged):  # as one of a category that is new
                found[name] = generation, self._open_index(name, generation)
        return found

    def _build_lists(
        self, usable: Mapping[str, tuple[str, OpenIndex]], n_images: int, go_on: Callable[[], object]
    ) -> bool:
        """Brings the lists up to date, or trains new ones; returns whether they find enough."""
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
                go_on()
                some = slots[start : start + BLOCK]
                lists.add(index.ids[some], take_rows(index.vectors, some))
        recall = self._calibrate(lists, indexes, go_on)
        if recall < TRUSTED_RECALL:
            log.warning("faiss proposes %.0f %% of the nearest: all images are scanned", 100 * recall)
            return False
        self._write_lists(lists, _generations(usable), n_trained_for, recall)
        return True

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

    def _calibrate(
        self, lists: InvertedLists, indexes: Sequence[OpenIndex], go_on: Callable[[], object]
    ) -> float:
        """Finds how many lists hold enough of the nearest; returns which share they hold."""
        queries = list(_queries(indexes))
        true = []
        for query in queries:
            go_on()
            true.append(search_together(indexes, query, N_NEAREST).ids)
        lists.n_probe = 1
        while True:
            go_on()
            found = [lists.propose(query, N_WANTED) for query in queries]
            recall = float(np.mean([np.isin(*pair).mean() for pair in zip(true, found, strict=True)]))
            if recall >= TRUSTED_RECALL or lists.n_probe >= min(MOST_PROBES, lists.n_lists):
                return recall
            lists.n_probe *= 2

    def _write_lists(
        self, lists: InvertedLists, generations: Mapping[str, str], n_trained_for: int, recall: float
    ) -> None:
        data = lists.to_bytes()
        record = _Record(sha256_bytes(data), dict(generations), n_trained_for, lists.n_probe, recall)
        with atomic_file(self.lists_folder / f"{record.digest}.faiss") as file:
            file.write(data)
        write_json(self.lists_folder / "lists.json", asdict(record))
        for path in self.lists_folder.glob("*.faiss"):
            if path.stem != record.digest:
                path.unlink(missing_ok=True)

    def _read_record(self) -> _Record:
        """Reads what is known of the lists of the last build.

        Raises:
            IndexDamaged: there are none, or it is damaged.
        """
        try:
            stored = json.loads((self.lists_folder / "lists.json").read_bytes())
            check_fields(_Record, stored)
            return _Record(**stored)
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise IndexDamaged(f"the inverted lists cannot be read: {error}") from error

    def _read_lists(self) -> tuple[_Record, InvertedLists]:
        """Reads the lists of the last build, also while another process replaces them.

        Raises:
            IndexDamaged: there are none, or a file is damaged.
        """
        while True:
            record = self._read_record()
            try:
                return record, self._read_file(record)
            except IndexDamaged:
                if self._read_record() == record:
                    raise

    def _read_file(self, record: _Record) -> InvertedLists:
        from stylesearch.index.inverted_lists import InvertedLists  # faiss: only where there are lists

        try:
            data = (self.lists_folder / f"{record.digest}.faiss").read_bytes()
            if sha256_bytes(data) != record.digest:
                raise IndexDamaged("the inverted lists are damaged: their digest is another")
            lists = InvertedLists.from_bytes(data, self.metric, self.transform.dim)
        except (OSError, RuntimeError) as error:
            raise IndexDamaged(f"the inverted lists cannot be read: {error}") from error
        lists.n_probe = record.n_probe
        return lists

    def _open_lists(self, generations: Mapping[str, str]) -> InvertedLists | None:
        """The lists of just these generations of indexes, read once; None where there are none."""
        try:
            status = (self.lists_folder / "lists.json").stat()
        except OSError:
            return None
        key = (status.st_mtime_ns, status.st_ino, generations)
        with self._opening:
            opened = self._opened_lists
            if opened is None or opened[0] != key:
                opened = self._opened_lists = (key, self._find_lists(generations))
        return opened[1]

    def _find_lists(self, generations: Mapping[str, str]) -> InvertedLists | None:
        try:
            if self._read_record().generations != generations:
                return None
            record, lists = self._read_lists()
        except IndexDamaged as error:
            log.warning("%s; all images are scanned until `stylesearch index build`", error)
            return None
        return lists if record.generations == generations else None


class FaissVectorStores(LocalVectorStores):
    """Stores in files with inverted lists, in the folder of their space; ``VectorStores``."""

    store = FaissVectorStore


def _generations(indexes: Mapping[str, tuple[str, OpenIndex]]) -> dict[str, str]:
    return {name: generation for name, (generation, _) in indexes.items()}


def _queries(indexes: Sequence[OpenIndex]) -> Iterator[Floats]:
    """Yields queries, (1, dim): stored vectors, and what lies midway between two of one category."""
    rng = np.random.default_rng(2)
    counts = np.array([index.count for index in indexes])
    for number in range(N_QUERIES):
        index = indexes[rng.choice(len(indexes), p=counts / counts.sum())]
        slots = np.sort(rng.integers(0, index.count, 1 + number % 2))
        query: Floats = np.asarray(take_rows(index.vectors, slots), np.float32).mean(axis=0, keepdims=True)
        yield query
