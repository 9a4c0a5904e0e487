"""Inverted lists of product codes, by faiss: they propose which of very many vectors may be the nearest.

Vectors are sorted into lists about centers. Of each a code is kept, one byte for every eight of its numbers.
A query is compared with the codes of the few lists whose centers are nearest. What is proposed has to be
compared exactly.

References:
    Jégou, Douze, Schmid, "Product quantization for nearest neighbor search", 2011.
"""

from __future__ import annotations

import math
from typing import Any, Final

import faiss
import numpy as np

from stylesearch.array_types import AnyFloats, Floats, Ids
from stylesearch.vectors import normalize_rows

__all__ = ["InvertedLists", "n_to_train"]

_WIDTH: Final = 8
"""Numbers of a vector that one byte stands for."""

_IN_A_LIST: Final = 39
"""Vectors that are trained with for each list, at least, as faiss advises."""

_LEAST: Final = 256
"""Vectors that a byte can tell apart: fewer cannot be trained with."""

_ITERATIONS: Final = 10
_FEWEST: Final = 200
"""Images that are proposed for each vector, at least."""

_TIMES: Final = 4
"""Images that are proposed for each that is wanted."""


def _n_lists(n_vectors: int) -> int:
    return max(1, min(4 * math.isqrt(n_vectors), n_vectors // _IN_A_LIST))


def n_to_train(n_vectors: int) -> int:
    """How many of some vectors lists are trained with; 0 where there are too few."""
    return 0 if n_vectors < _LEAST else min(n_vectors, max(_LEAST, _IN_A_LIST * _n_lists(n_vectors)))


class InvertedLists:
    """Codes of vectors, with their ids. Searches are thread-safe.

    Args:
        index: an index of faiss.
        metric: ``cosine`` or ``l2``.
        dim: width of the vectors.

    Attributes:
        n_probe: how many lists a search looks at.
    """

    def __init__(self, index: Any, metric: str, dim: int) -> None:
        self._index = index
        self._metric = metric
        self._dim = dim

    @classmethod
    def train(cls, vectors: AnyFloats, n_vectors: int, metric: str) -> InvertedLists:
        """Makes empty lists.

        Args:
            vectors: an even sample, ``n_to_train`` of them, shape (n, dim).
            n_vectors: how many vectors will be added.
            metric: ``cosine`` or ``l2``.
        """
        dim = vectors.shape[1]
        n_codes = -(-dim // _WIDTH)
        index: Any = faiss.index_factory(n_codes * _WIDTH, f"IVF{_n_lists(n_vectors)},PQ{n_codes}")
        index.use_precomputed_table = -1  # 300 MB for a million vectors, and no quicker
        for training in (index.cp, index.pq.cp):
            training.niter, training.min_points_per_centroid = _ITERATIONS, 1
        lists = cls(index, metric, dim)
        index.train(lists._prepare(vectors))
        return lists

    @classmethod
    def from_bytes(cls, data: bytes, metric: str, dim: int) -> InvertedLists:
        """Reads what ``to_bytes`` wrote: the caller has checked that these are the bytes.

        Raises:
            RuntimeError: another version of faiss wrote them.
        """
        flags = faiss.IO_FLAG_SKIP_PRECOMPUTE_TABLE
        return cls(faiss.deserialize_index(np.frombuffer(data, np.uint8), flags), metric, dim)

    def to_bytes(self) -> bytes:
        return bytes(faiss.serialize_index(self._index).data)

    @property
    def n_lists(self) -> int:
        return int(self._index.nlist)

    @property
    def n_probe(self) -> int:
        return int(self._index.nprobe)

    @n_probe.setter
    def n_probe(self, n: int) -> None:
        self._index.nprobe = n

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def ids(self) -> Ids:
        """Ids of all vectors, int64, rising."""
        lists = self._index.invlists
        parts = [np.empty(0, np.int64)]
        for number in range(self.n_lists):
            if size := lists.list_size(number):
                parts.append(faiss.rev_swig_ptr(lists.get_ids(number), size).copy())
        return np.sort(np.concatenate(parts))

    def add(self, ids: Ids, vectors: AnyFloats) -> None:
        """Adds vectors, shape (n, dim), under new ids."""
        self._index.add_with_ids(self._prepare(vectors), np.ascontiguousarray(ids, np.int64))

    def remove(self, ids: Ids) -> None:
        """Removes the vectors of some ids."""
        self._index.remove_ids(faiss.IDSelectorBatch(np.ascontiguousarray(ids, np.int64)))

    def propose(self, vectors: Floats, n: int) -> Ids:
        """Ids among which the ``n`` nearest to any of some vectors should be, rising.

        Args:
            vectors: shape (q, dim).
            n: how many are wanted; some times as many are proposed, where the lists have them.
        """
        _, ids = self._index.search(self._prepare(vectors), max(_FEWEST, _TIMES * n))
        return np.unique(ids[ids >= 0]).astype(np.int64)

    def _prepare(self, vectors: AnyFloats) -> Floats:
        """Vectors whose Euclidean distances are in the order of the metric, padded to a multiple of eight."""
        padded = np.zeros((len(vectors), self._index.d), np.float32)
        padded[:, : self._dim] = vectors
        return normalize_rows(padded) if self._metric == "cosine" else padded
