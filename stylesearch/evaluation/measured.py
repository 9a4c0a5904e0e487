"""Distances of a block of queries to a whole gallery: fast ones with their bound, and exact ones of some."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylesearch.metrics_kernels import AnyFloats, Floats, Rough, Slots, exact_to_any

__all__ = ["MakeRough", "Measured", "RankedGallery", "make_rough"]

MakeRough = Callable[[Floats, str], Rough]


@dataclass(frozen=True, slots=True, eq=False)
class RankedGallery:
    """Vectors to be searched, and which product each shows.

    Attributes:
        vectors: float32 (n, d); may be memory-mapped.
        product_of: number of the product of each row, int64 (n,), rising: rows of one product lie together,
            numbers run from 0 without a gap.
        scale_of: for each row, which of ``scales`` the queries are multiplied by before they meet it,
            int64 (n,); None where there are none.
        scales: float32 (s, d); the rows of the gallery are multiplied by theirs already.
    """

    vectors: AnyFloats
    product_of: npt.NDArray[np.int64]
    scale_of: npt.NDArray[np.int64] | None = None
    scales: Floats | None = None

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """The first row of each product, int64 (products,)."""
        return np.flatnonzero(np.diff(self.product_of, prepend=-1)).astype(np.int64)

    def scaled(self, queries: Floats) -> list[Floats]:
        """The queries as the rows of each scale meet them."""
        return [queries] if self.scales is None else [queries * scale for scale in self.scales]

    def by_scale(self, rows: Slots) -> Iterator[tuple[int, slice | Slots]]:
        """For each scale that some rows have: its number, and the places of those rows in ``rows``."""
        if self.scale_of is None:
            yield 0, slice(None)
            return
        scales = self.scale_of[rows]
        for number in np.unique(scales):
            yield int(number), np.flatnonzero(scales == number)


class Measured:
    """Distances of a block of queries; of each query to a picture that of its nearest region.

    Args:
        block: queries, float32 (b, regions, d).
        gallery: what they meet.
        metric: ``l1``, ``l2`` or ``cosine``.
        n_at_once: rows of the gallery that are read at once.
        make: what computes fast distances.
        max_bytes: working memory of exact distances, roughly.

    Attributes:
        middle: fast distances, float32 (b, n), squared for l2.
    """

    def __init__(
        self,
        block: Floats,
        gallery: RankedGallery,
        metric: str,
        *,
        n_at_once: int,
        make: MakeRough,
        max_bytes: int,
    ) -> None:
        n_queries, n_regions, dim = block.shape
        n_rows = len(gallery.vectors)
        self.metric = metric
        self._gallery = gallery
        self._max_bytes = max_bytes
        self._blocks = gallery.scaled(block)
        roughs = [make(scaled.reshape(-1, dim), metric) for scaled in self._blocks]
        self.middle = np.empty((n_queries, n_rows), np.float32)
        self._sizes = np.empty(n_rows, np.float32)
        for start in range(0, n_rows, n_at_once):
            rows = np.arange(start, min(start + n_at_once, n_rows))
            part = np.ascontiguousarray(gallery.vectors[start : start + n_at_once], dtype=np.float32)
            for scale, places in gallery.by_scale(rows):
                some = np.ascontiguousarray(part[places])
                found = np.empty((n_queries * n_regions, len(some)), np.float32)
                self._sizes[rows[places]] = roughs[scale].fill(some, found)
                smallest = found.reshape(n_queries, n_regions, -1).min(axis=1)
                self.middle[:, start : start + n_at_once][:, places] = smallest
        nothing = np.zeros(1, np.float32)
        # The size that errors are relative to is that of the largest region: it bounds the others too.
        of_queries = [rough.scale(nothing).reshape(n_queries, n_regions).max(axis=1) for rough in roughs]
        self._own_sizes: Floats = np.max(of_queries, axis=0)
        self._tolerance = np.float32(roughs[0].tolerance)

    def slack(self, row: int) -> Floats:
        """How far the fast distances of a query may be off, float32 (n,)."""
        if self.metric == "cosine":
            return np.full(len(self._sizes), self._tolerance, np.float32)
        bound: Floats = (self._sizes + self._own_sizes[row]) * self._tolerance
        return bound

    def exact(self, row: int, rows: Slots) -> tuple[Floats, Slots]:
        """Exact distances of a query to some rows of the gallery, and which region was nearest.

        Returns:
            float32 (m,) and int64 (m,).
        """
        found = np.empty(len(rows), np.float32)
        regions = np.empty(len(rows), np.int64)
        for scale, places in self._gallery.by_scale(rows):
            rough = Rough(self._blocks[scale][row], self.metric)
            found[places], regions[places] = exact_to_any(
                rough, self._gallery.vectors, rows[places], self._max_bytes
            )
        return found, regions


def make_rough() -> MakeRough:
    """What computes fast distances here: TensorFlow where it sees a GPU, else faiss or NumPy."""
    from stylesearch.extractors.engines.devices import gpu_is_likely

    if gpu_is_likely():
        from stylesearch.evaluation.gpu import GpuRough, gpu_is_visible

        if gpu_is_visible():
            return GpuRough
    from stylesearch.evaluation.faiss_l1 import FaissRough, faiss_is_installed

    return FaissRough if faiss_is_installed() else Rough
