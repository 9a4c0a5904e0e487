"""Annoy's trees, used only to propose slots that may be near, in few dimensions.

Annoy returns fewer than asked where its search ends early, and its answer to n = 1 can differ from the first
of n = 10 (spotify/annoy #215), so what it returns is never shown: it is re-ranked exactly.

Annoy is installed from source and compiled for the processor of that machine. Wrong neighbours have been
reported with some compilers (spotify/annoy #682, #686), so each process tests it once, in a few milliseconds,
before the first use. Where it fails the test, everything is searched exactly, with one warning. A wheel that
was built on another machine may use an instruction that this processor lacks, which ends the process and
cannot be caught: set ``ANNOY_COMPILER_ARGS`` when building one.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from stylesearch.array_types import Floats, Ids
from stylesearch.errors import IndexDamaged, IndexingError
from stylesearch.parallel import usable_cores

__all__ = [
    "AnnoyForest",
    "AnnoyUnavailable",
    "annoy_class",
    "annoy_works",
    "build_forest",
    "candidates_of_annoy",
    "why_annoy_fails",
]

# The trial index of `why_annoy_fails`.
_N_VECTORS, _WIDTH, _N_TREES = 400, 8, 4


class AnnoyUnavailable(UserWarning):
    """Annoy is missing or gives wrong answers: searches are exact, which is slower in large categories."""


def annoy_class() -> Any:
    """Imports Annoy's index class.

    Raises:
        ImportError: it is not installed, or cannot be loaded.
    """
    return importlib.import_module("annoy").AnnoyIndex


@functools.cache
def why_annoy_fails() -> str:
    """Tests Annoy once per process; returns what is wrong with it, or an empty string."""
    try:
        index_class = annoy_class()
    except ImportError as error:
        return f"it cannot be imported ({error})"
    try:
        return _wrong_answers(index_class)
    except Exception as error:  # whatever a broken build raises, exact search remains
        return f"it failed on a known example ({type(error).__name__}: {error})"


@functools.cache
def annoy_works() -> bool:
    """Whether Annoy may be used; if not, the first call issues an ``AnnoyUnavailable`` warning."""
    reason = why_annoy_fails()
    if reason:
        warnings.warn(
            f"Annoy is not used: {reason}. Searches are exact, which is slower in large categories; "
            "pip install --force-reinstall --no-binary annoy annoy",
            AnnoyUnavailable,
            stacklevel=2,
        )
    return not reason


def _wrong_answers(index_class: Any) -> str:
    """Compares Annoy with NumPy in a search that visits every vector, so that there is one right answer."""
    vectors = np.random.default_rng(1).standard_normal((_N_VECTORS, _WIDTH)).astype(np.float32)
    index = index_class(_WIDTH, "euclidean")
    index.set_seed(1)
    for slot, vector in enumerate(vectors.tolist()):
        index.add_item(slot, vector)
    index.build(_N_TREES, n_jobs=1)
    for query in vectors[:3] + np.float32(0.01):
        slots, found = index.get_nns_by_vector(query.tolist(), 5, _N_TREES * _N_VECTORS * 2, True)
        right = np.sqrt(((vectors - query) ** 2).sum(axis=1))
        order = np.argsort(right)[:5]
        if list(slots) != order.tolist() or not np.allclose(found, right[order], rtol=1e-4):
            return "its answers to a known example are wrong"
    return ""


def candidates_of_annoy(n_candidates: int, n_queries: int) -> int:
    """Number of slots to ask for with each query: more than are compared, to check that they are enough."""
    return max(256, 4 * n_candidates // n_queries)


def build_forest(path: Path, blocks: Iterable[Floats], width: int, *, n_trees: int, seed: int) -> None:
    """Builds trees over vectors and writes them to ``path``: the same bytes for the same arguments.

    Args:
        path: a new file; Annoy does not write atomically, so the caller moves it into place.
        blocks: float32, shape (n, width) each; slots are numbered from the first block to the last.
        width: width of a vector.
        n_trees: number of trees; more find more and take more room.
        seed: seed of the random splits.

    Raises:
        IndexingError: Annoy could not write the file.
    """
    index = annoy_class()(width, "euclidean")
    index.set_seed(seed)  # has to come before the first item
    slot = 0
    for block in blocks:
        for vector in block.tolist():
            index.add_item(slot, vector)
            slot += 1
    index.build(n_trees, n_jobs=1)  # more jobs are quicker and make different bytes each time
    try:
        index.save(str(path))
    except OSError as error:
        raise IndexingError(f"Annoy could not write {path}: {error}") from error


class AnnoyForest:
    """Trees in a memory-mapped file, which the caller has checked: Annoy crashes on a damaged one.

    Args:
        path: a file that ``build_forest`` wrote.
        width: width of a vector.
        count: the number of vectors that the file must have.

    Raises:
        IndexDamaged: the file cannot be loaded or holds another number of vectors.
    """

    def __init__(self, path: Path, width: int, count: int) -> None:
        self._path, self._count = path, count
        self._index = annoy_class()(width, "euclidean")
        try:
            self._index.load(str(path))
        except OSError as error:
            raise IndexDamaged(f"{path} cannot be loaded by Annoy: {error}") from error
        if self._index.get_n_items() != count:
            raise IndexDamaged(f"{path} holds {self._index.get_n_items()} vectors instead of {count}")

    def search(self, queries: Floats, n: int, search_k: int) -> list[tuple[Ids, Floats]]:
        """Finds up to ``n`` slots for each query, with their squared Euclidean distances, nearest first.

        Args:
            queries: shape (q, width).
            n: number of slots for each query, at most.
            search_k: number of slots to visit for each query, counting a slot once for each tree it is met
                in.

        Raises:
            IndexDamaged: Annoy names a slot that there is not: the file has changed since it was checked.
        """

        def one(query: list[float]) -> tuple[Ids, Floats]:
            slots, found = self._index.get_nns_by_vector(query, n, search_k, True)
            near = np.asarray(slots, dtype=np.int64)
            if len(near) and not 0 <= near.min() <= near.max() < self._count:
                raise IndexDamaged(f"the trees of {self._path} name vectors that there are not")
            return near, np.square(np.asarray(found, dtype=np.float32))

        rows = queries.tolist()
        n_threads = min(usable_cores(), len(rows))
        if n_threads < 2:
            return [one(row) for row in rows]
        with ThreadPoolExecutor(n_threads) as pool:  # Annoy releases the interpreter lock while it searches
            return list(pool.map(one, rows))

    def close(self) -> None:
        """Unmaps the file."""
        self._index.unload()
