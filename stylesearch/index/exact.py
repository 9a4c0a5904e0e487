"""Search by comparing with every vector: the oracle, and the quickest way for a small category."""

from __future__ import annotations

from stylesearch.index.base import AnyFloats, Floats, Slots, checked_queries
from stylesearch.metrics import check_metric, nearest, nearest_to_any

__all__ = ["ExactIndex"]


class ExactIndex:
    """A :class:`~stylesearch.index.base.VectorIndex` that compares with every vector.

    Args:
        vectors: shape (count, dim), in memory or memory-mapped; not copied, read in blocks.
        metric: one of :data:`stylesearch.metrics.METRICS`.

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

    def query(self, vectors: AnyFloats, k: int) -> tuple[Slots, Floats]:
        """See :meth:`stylesearch.index.base.VectorIndex.query`."""
        return nearest(checked_queries(vectors, self.dim, k), self._vectors, self._metric, k)

    def query_min(self, vectors: AnyFloats, k: int) -> tuple[Slots, Floats, Slots]:
        """See :meth:`stylesearch.index.base.VectorIndex.query_min`."""
        return nearest_to_any(checked_queries(vectors, self.dim, k), self._vectors, self._metric, k)
