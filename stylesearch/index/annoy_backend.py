"""Annoy, told only what it is good at: proposing slots that may be near, in few dimensions.

Annoy returns fewer than asked where its search ends early, and its answer to n = 1 can differ from the first
of n = 10 (spotify/annoy #215), so what it returns is never shown: it is re-ranked exactly.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from stylesearch.cores import usable_cores
from stylesearch.errors import IndexDamaged, IndexingError
from stylesearch.index.base import Floats, Slots
from stylesearch.index.self_test import annoy_class

__all__ = ["AnnoyForest", "build_forest", "candidates_of_annoy"]


def candidates_of_annoy(n_candidates: int, n_queries: int) -> int:
    """How many slots to ask for with each query: more than are compared, to see that they are enough."""
    return max(256, 4 * n_candidates // n_queries)


def build_forest(path: Path, blocks: Iterable[Floats], width: int, *, n_trees: int, seed: int) -> None:
    """Builds trees over vectors and writes them to ``path``: the same bytes for the same arguments.

    Args:
        path: a file that is not there yet; Annoy does not write atomically: the caller moves it into place.
        blocks: float32, shape (n, width) each; slots are counted through.
        width: of a vector.
        n_trees: more trees find more and take more room.
        seed: of the random splits.

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
    """Trees in a file, memory-mapped. The caller has checked the file: Annoy crashes on a damaged one.

    Args:
        path: what :func:`build_forest` wrote.
        width: of a vector.
        count: how many vectors there have to be.

    Raises:
        IndexDamaged: the file cannot be loaded or holds another number of vectors.
    """

    def __init__(self, path: Path, width: int, count: int) -> None:
        self._index = annoy_class()(width, "euclidean")
        try:
            self._index.load(str(path))
        except OSError as error:
            raise IndexDamaged(f"{path} cannot be loaded by Annoy: {error}") from error
        if self._index.get_n_items() != count:
            raise IndexDamaged(f"{path} holds {self._index.get_n_items()} vectors instead of {count}")

    def search(self, queries: Floats, n: int, search_k: int) -> list[tuple[Slots, Floats]]:
        """For each query up to ``n`` slots and their squared Euclidean distances, nearest first.

        Args:
            queries: shape (q, width).
            n: how many at most for each.
            search_k: how many slots to look at for each, counting a slot again for each tree it is met in.
        """

        def one(query: list[float]) -> tuple[Slots, Floats]:
            slots, found = self._index.get_nns_by_vector(query, n, search_k, True)
            return np.asarray(slots, dtype=np.int64), np.square(np.asarray(found, dtype=np.float32))

        rows = queries.tolist()
        n_threads = min(usable_cores(), len(rows))
        if n_threads < 2:
            return [one(row) for row in rows]
        with ThreadPoolExecutor(n_threads) as pool:  # Annoy lets go of the interpreter lock while it searches
            return list(pool.map(one, rows))

    def close(self) -> None:
        """Lets go of the file."""
        self._index.unload()
