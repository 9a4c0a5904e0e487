"""The protocol of vector indexes, and exact search."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from stylesearch.array_types import AnyFloats, Floats, Ids
from stylesearch.distance import check_metric, nearest, nearest_to_any

__all__ = [
    "ExactIndex",
    "VectorIndex",
    "validate_queries",
]


@runtime_checkable
class VectorIndex(Protocol):
    """Searches vectors in slots 0 to count - 1 by distance.

    Distances are exact for every slot that is returned: an approximate index may miss a slot, but never
    returns another distance than the exact index would. An index knows nothing of products.

    Attributes:
        metric: one of ``stylesearch.distance.METRICS``.
        dim: width of a vector.
        count: number of vectors.
    """

    @property
    def metric(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def count(self) -> int: ...

    def query(self, vectors: AnyFloats, k: int) -> tuple[Ids, Floats]:
        """Finds the k slots nearest to each of several vectors.

        Args:
            vectors: shape (q, dim).
            k: number of slots; at most ``count`` are returned.

        Returns:
            Ids, int64, and distances, float32, both of shape (q, min(k, count)), sorted by distance and,
            where distances are equal, by slot.

        Raises:
            ValueError: k below 1, or vectors of another width or with values that are not finite.
        """
        ...

    def search_any(self, vectors: AnyFloats, k: int, *, among: Ids | None = None) -> tuple[Ids, Floats, Ids]:
        """Finds the k slots nearest to any of several vectors, such as the regions of one photo.

        Args:
            vectors: shape (q, dim).
            k: number of slots; at most ``count`` are returned, and none for q = 0.
            among: the slots that are searched, int64, rising; all if not given.

        Returns:
            Ids, int64; for each its smallest distance over the vectors, float32; and which vector that was,
            int64. All of shape (min(k, count),), or of as many as ``among`` has, sorted by distance, then by
            slot.

        Raises:
            ValueError: k below 1, or vectors of another width or with values that are not finite.
        """
        ...


def validate_queries(vectors: AnyFloats, dim: int, k: int) -> Floats:
    """Checks query vectors and returns them as float32 of shape (q, dim); the argument is not changed.

    Raises:
        ValueError: another shape, values that are not finite, or k below 1.
    """
    queries = np.asarray(vectors, dtype=np.float32)
    if queries.ndim != 2 or queries.shape[1] != dim:
        raise ValueError(f"query vectors have to be of shape (q, {dim}). Received: {queries.shape}")
    if not np.isfinite(queries).all():
        raise ValueError("query vectors have to be finite")
    if k < 1:
        raise ValueError(f"k has to be 1 or more. Received: {k}")
    return queries


# Search by comparing with every vector: the reference in tests, and the quickest way for a small category.


class ExactIndex:
    """A ``VectorIndex`` that compares with every vector.

    Args:
        vectors: shape (count, dim), in memory or memory-mapped; not copied, read in blocks.
        metric: one of ``stylesearch.distance.METRICS``.

    Raises:
        ValueError: an unknown metric, or vectors that are not a table.

    Example:
        >>> import numpy as np
        >>> index = ExactIndex(np.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]]), "cosine")
        >>> index.query(np.array([[2.0, 0.0]]), 2)[0].tolist()
        [[0, 2]]
    """

    def __init__(self, vectors: AnyFloats, metric: str) -> None:
        if vectors.ndim != 2:
            raise ValueError(f"vectors have to be of shape (count, dim). Received: {vectors.shape}")
        self._vectors = vectors
        self._metric = check_metric(metric)

    @property
    def metric(self) -> str:
        """The metric of all distances."""
        return self._metric

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self._vectors.shape[1])

    @property
    def count(self) -> int:
        """How many vectors there are."""
        return int(self._vectors.shape[0])

    def query(self, vectors: AnyFloats, k: int) -> tuple[Ids, Floats]:
        """See ``stylesearch.index.base.VectorIndex.query``."""
        return nearest(validate_queries(vectors, self.dim, k), self._vectors, self._metric, k)

    def search_any(self, vectors: AnyFloats, k: int, *, among: Ids | None = None) -> tuple[Ids, Floats, Ids]:
        """See ``stylesearch.index.base.VectorIndex.search_any``."""
        queries = validate_queries(vectors, self.dim, k)
        return nearest_to_any(queries, self._vectors, self._metric, k, rows=among)
