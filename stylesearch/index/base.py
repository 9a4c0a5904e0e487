"""What every index is: a fixed row of vectors that answers which are nearest."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from stylesearch.metrics import Floats, Slots

__all__ = ["AnyFloats", "Floats", "Slots", "VectorIndex", "checked_queries"]

AnyFloats = npt.NDArray[np.floating[Any]]


@runtime_checkable
class VectorIndex(Protocol):
    """Vectors in slots 0 to count - 1, searched by distance.

    Distances are exact for every slot that is returned; an approximate index may miss a slot, and never
    returns one with another distance than the exact index would. An index knows nothing of products.

    Attributes:
        metric: one of :data:`stylesearch.metrics.METRICS`.
        dim: width of a vector.
        count: how many vectors there are.
    """

    @property
    def metric(self) -> str: ...

    @property
    def dim(self) -> int: ...

    @property
    def count(self) -> int: ...

    def query(self, vectors: AnyFloats, k: int) -> tuple[Slots, Floats]:
        """The k nearest of each of several vectors.

        Args:
            vectors: shape (q, dim).
            k: how many; at most ``count`` are returned.

        Returns:
            Slots, int64, and distances, float32, both of shape (q, min(k, count)), sorted by distance and,
            where distances are equal, by slot.

        Raises:
            ValueError: k below 1, or vectors of another width or with values that are not finite.
        """
        ...

    def query_min(self, vectors: AnyFloats, k: int) -> tuple[Slots, Floats, Slots]:
        """The k slots that are nearest to any of several vectors: the regions of one photo.

        Args:
            vectors: shape (q, dim).
            k: how many; at most ``count`` are returned, and none for q = 0.

        Returns:
            Slots, int64; for each its smallest distance over the vectors, float32; and which vector that was,
            int64. All of shape (min(k, count),), sorted by distance, then by slot.

        Raises:
            ValueError: k below 1, or vectors of another width or with values that are not finite.
        """
        ...


def checked_queries(vectors: AnyFloats, dim: int, k: int) -> Floats:
    """``vectors`` as float32 of shape (q, dim); the argument is not changed.

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
