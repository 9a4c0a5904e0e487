"""Ranks the right products of many queries exactly, in blocks, on all cores or a GPU.

Fast distances with a bound on their error decide for nearly every image whether it is nearer than the right
one; the few distances for which the bound leaves that open are computed again from the differences. So ranks
are those of exact distances, and equal vectors tie exactly, whatever the size of a block.

A block of queries is compared with the gallery block by block; only the smallest distance over a query's
regions is kept, so memory holds (queries of a block) x (gallery) numbers, never all queries at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import AnyFloats, Doubles, Floats, Ids, Ints
from stylesearch.distance import check_metric
from stylesearch.distance_kernels import FastDistances, exact_to_any
from stylesearch.evaluation.results import Columns
from stylesearch.evaluation.scores import expected_average_precision
from stylesearch.parallel import parallel_rows

__all__ = [
    "DEFAULT_MAX_BYTES",
    "BlockDistances",
    "MakeFastDistances",
    "RankedGallery",
    "choose_fast_distances",
    "rank",
]

DEFAULT_MAX_BYTES: Final = 1024 * 2**20

# Queries (times regions) and images of one block: large enough for BLAS, small enough to bound memory.
_MAX_QUERY_ROWS: Final = 1024
_MAX_GALLERY_ROWS: Final = 4096
# Above this many limits a binary search beats a pass over all distances for each limit.
_MANY_LIMITS: Final = 8

MakeFastDistances = Callable[[Floats, str], FastDistances]
"""Makes fast distances of queries, float32 (q, d), with a metric."""


@dataclass(frozen=True, slots=True, eq=False)
class RankedGallery:
    """The vectors of the gallery, and the product of each.

    Attributes:
        vectors: float32 (n, d); may be memory-mapped.
        product_of: number of the product of each row, int64 (n,), rising: rows of one product lie together,
            numbers run from 0 without a gap.
        scale_of: for each row, the row of ``scales`` that queries are multiplied by before they are compared
            with it, int64 (n,); None where there are no scales.
        scales: float32 (s, d); the rows of the gallery are multiplied by theirs already.
    """

    vectors: AnyFloats
    product_of: Ints
    scale_of: Ints | None = None
    scales: Floats | None = None

    @property
    def starts(self) -> Ints:
        """The first row of each product, int64 (products,)."""
        return np.flatnonzero(np.diff(self.product_of, prepend=-1)).astype(np.int64)

    def scale_queries(self, queries: Floats) -> list[Floats]:
        """Multiplies the queries by each of the scales; only the queries where there are none."""
        return [queries] if self.scales is None else [queries * scale for scale in self.scales]

    def group_by_scale(self, rows: Ids) -> Iterator[tuple[int, slice | Ids]]:
        """Yields each scale's number, with the places in ``rows`` of the rows that have it."""
        if self.scale_of is None:
            yield 0, slice(None)
            return
        scales = self.scale_of[rows]
        for number in np.unique(scales):
            yield int(number), np.flatnonzero(scales == number)


class BlockDistances:
    """Distances of a block of queries to a gallery: fast ones with a bound on the error, exact on demand.

    The distance of a query to an image is that of the query's nearest region.

    Args:
        block: queries, float32 (b, regions, d).
        gallery: the gallery.
        metric: ``l1``, ``l2`` or ``cosine``.
        n_at_once: rows of the gallery that are read at once.
        make: makes what computes fast distances.
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
        make: MakeFastDistances,
        max_bytes: int,
    ) -> None:
        n_queries, n_regions, dim = block.shape
        n_rows = len(gallery.vectors)
        self.metric = metric
        self._gallery = gallery
        self._max_bytes = max_bytes
        self._blocks = gallery.scale_queries(block)
        by_scale = [make(queries.reshape(-1, dim), metric) for queries in self._blocks]
        self.middle = np.empty((n_queries, n_rows), np.float32)
        self._sizes = np.empty(n_rows, np.float32)
        for start in range(0, n_rows, n_at_once):
            rows = np.arange(start, min(start + n_at_once, n_rows))
            part = np.ascontiguousarray(gallery.vectors[start : start + n_at_once], dtype=np.float32)
            for scale, places in gallery.group_by_scale(rows):
                some = np.ascontiguousarray(part[places])
                found = np.empty((n_queries * n_regions, len(some)), np.float32)
                self._sizes[rows[places]] = by_scale[scale].fill(some, found)
                smallest = found.reshape(n_queries, n_regions, -1).min(axis=1)
                self.middle[:, start : start + n_at_once][:, places] = smallest
        nothing = np.zeros(1, np.float32)
        # Errors are relative to the size of the largest region, which bounds the others too.
        of_queries = [fast.scale(nothing).reshape(n_queries, n_regions).max(axis=1) for fast in by_scale]
        self._own_sizes: Floats = np.max(of_queries, axis=0)
        self._tolerance = np.float32(by_scale[0].tolerance)

    def slack(self, row: int) -> Floats:
        """Bounds the error of a query's fast distances, float32 (n,)."""
        if self.metric == "cosine":
            return np.full(len(self._sizes), self._tolerance, np.float32)
        bound: Floats = (self._sizes + self._own_sizes[row]) * self._tolerance
        return bound

    def exact(self, row: int, rows: Ids) -> tuple[Floats, Ids]:
        """Computes exact distances of a query to some rows of the gallery, and the nearest region.

        Returns:
            float32 (m,) and int64 (m,).
        """
        found = np.empty(len(rows), np.float32)
        regions = np.empty(len(rows), np.int64)
        for scale, places in self._gallery.group_by_scale(rows):
            fast = FastDistances(self._blocks[scale][row], self.metric)
            found[places], regions[places] = exact_to_any(
                fast, self._gallery.vectors, rows[places], self._max_bytes
            )
        return found, regions


def choose_fast_distances() -> MakeFastDistances:
    """Chooses what computes fast distances: TensorFlow where it sees a GPU, else faiss."""
    from stylesearch.extractors.engines.choose import gpu_is_likely

    if gpu_is_likely():
        from stylesearch.evaluation.fast_distances import GpuDistances, gpu_is_visible

        if gpu_is_visible():
            return GpuDistances
    from stylesearch.evaluation.fast_distances import FaissDistances

    return FaissDistances


def rank(
    queries: AnyFloats,
    right: Ints,
    gallery: RankedGallery,
    metric: str,
    *,
    own: Ints | None = None,
    n_hits: int = 20,
    max_bytes: int = DEFAULT_MAX_BYTES,
    fast_distances: MakeFastDistances | None = None,
    progress: Callable[[int], None] | None = None,
) -> Columns:
    """Ranks the right product of every query; also average precision over images, and the first hits.

    The distance of an image is that to the nearest region of the query, that of a product the distance of its
    nearest image.

    Args:
        queries: vectors of each query's regions, float32 (q, regions, d); may be memory-mapped.
        right: number of the right product of each query, int64 (q,).
        gallery: the gallery; every right product has an image in it besides the query's own.
        metric: ``l1``, ``l2`` or ``cosine``.
        own: row of the gallery that is the query itself, which is then not searched; -1 for none. int64 (q,).
        n_hits: number of products that are kept of each answer.
        max_bytes: working memory besides the arguments, roughly; at least a few numbers an image are needed.
        fast_distances: makes what computes fast distances; by default
            ``FastDistances``, on the processor.
        progress: called with the number of queries done.

    Raises:
        ValueError: shapes that do not fit, a right product without an image, or values that are not finite.
    """
    check_metric(metric)
    n_queries, n_regions, dim = queries.shape
    if dim != gallery.vectors.shape[1] or len(right) != n_queries:
        raise ValueError(
            f"queries (q, regions, d), right (q,) and a gallery (n, d) are wanted. "
            f"Received: {queries.shape}, {right.shape} and {gallery.vectors.shape}"
        )
    own = np.full(n_queries, -1) if own is None else own
    n_rows = len(gallery.vectors)
    n_hits = min(n_hits, len(gallery.starts))
    columns = _empty_columns(n_queries, n_hits)
    # A row of the block, and arrays that are derived from it for a query.
    at_once = max_bytes // 2 // (8 * n_rows)
    step = max(1, min(at_once, _MAX_QUERY_ROWS // n_regions))
    gallery_step = max(1, min(_MAX_GALLERY_ROWS, max_bytes // 4 // (4 * (step * n_regions + dim))))
    for start in range(0, n_queries, step):
        block = np.ascontiguousarray(queries[start : start + step], dtype=np.float32)
        block_distances = BlockDistances(
            block,
            gallery,
            metric,
            n_at_once=gallery_step,
            make=fast_distances or FastDistances,
            max_bytes=max_bytes // 8,
        )
        ranker = _Ranker(block_distances, gallery, n_hits)

        def work(first: int, stop: int, start: int = start, ranker: _Ranker = ranker) -> None:
            for row in range(first, stop):
                place = start + row
                ranker.fill(columns, place, row, int(right[place]), int(own[place]))

        parallel_rows(work, len(block), 20 * n_rows)
        if progress:
            progress(min(start + step, n_queries))
    return columns


class _Ranker:
    """Turns the fast distances of a block into exact ranks and hits, query by query."""

    def __init__(self, block_distances: BlockDistances, gallery: RankedGallery, n_hits: int) -> None:
        self._distances = block_distances
        self._gallery = gallery
        self._starts = gallery.starts
        self._n_hits = n_hits

    def fill(self, columns: Columns, place: int, row: int, right: int, own: int) -> None:
        """Writes the result of the query in ``row`` of the block to ``place`` of the columns."""
        starts = self._starts
        middle, slack = self._distances.middle[row], self._distances.slack(row)
        stop = int(starts[right + 1]) if right + 1 < len(starts) else len(middle)
        relevant = np.arange(starts[right], stop)
        relevant = relevant[relevant != own]
        if not len(relevant):
            raise ValueError(f"the right product of query {place} has no picture in the gallery but itself")
        to_right, _ = self._distances.exact(row, relevant)
        limits = np.unique(self._key(to_right))
        values = middle.astype(np.float64)
        doubtful = _within(middle, slack, limits)
        open_rows = np.flatnonzero(doubtful)
        exact, _ = self._distances.exact(row, open_rows)
        values[open_rows] = self._key(exact)
        if own >= 0:
            values[own] = np.inf
        products = np.minimum.reduceat(values, starts)
        columns.n_nearer[place] = (products < limits[0]).sum()
        columns.n_tied[place] = (products == limits[0]).sum()
        columns.average_precision[place] = _average_precision(values, self._key(to_right), limits)
        first = int(to_right.argmin())
        columns.right_image[place], columns.right_distance[place] = relevant[first], to_right[first]
        self._fill_hits(columns, place, row, middle, slack, own)

    def _fill_hits(
        self, columns: Columns, place: int, row: int, middle: Floats, slack: Floats, own: int
    ) -> None:
        """Writes the first products, each with its nearest image; equal ones in the order of the gallery."""
        gallery, n_hits = self._gallery, self._n_hits
        upper = middle + slack
        if own >= 0:
            upper[own] = np.inf
        of_products = np.minimum.reduceat(upper, self._starts)
        limit = np.partition(of_products, n_hits - 1)[n_hits - 1]
        hopeful = middle - slack <= limit
        if own >= 0:
            hopeful[own] = False
        rows = np.flatnonzero(hopeful)
        exact, regions = self._distances.exact(row, rows)
        order = np.lexsort((rows, exact))
        _, firsts = np.unique(gallery.product_of[rows[order]], return_index=True)
        kept = order[np.sort(firsts)][:n_hits]
        columns.hit_images[place, : len(kept)] = rows[kept]
        columns.hit_distances[place, : len(kept)] = exact[kept]
        columns.hit_regions[place, : len(kept)] = regions[kept]

    def _key(self, distances: Floats) -> Doubles:
        """Converts exact distances to the scale of the fast ones without rounding: equal ones stay equal."""
        exact = distances.astype(np.float64)
        return exact**2 if self._distances.metric == "l2" else exact


def _within(middle: Floats, slack: Floats, limits: Doubles) -> npt.NDArray[np.bool_]:
    """Whether each distance may lie on either side of one of the limits, which rise; bool (n,)."""
    if len(limits) > _MANY_LIMITS:
        before = np.searchsorted(limits, middle - slack.astype(np.float64), side="left")
        after = np.searchsorted(limits, middle + slack.astype(np.float64), side="right")
        differ: npt.NDArray[np.bool_] = before != after
        return differ
    doubtful = np.zeros(len(middle), np.bool_)
    for limit in limits:
        doubtful |= np.abs(middle - limit) <= slack
    return doubtful


def _average_precision(values: Doubles, of_right: Doubles, limits: Doubles) -> float:
    """Computes average precision over the images of the gallery; those of the right product are right."""
    n_right = np.array([(of_right == limit).sum() for limit in limits])
    if len(limits) > _MANY_LIMITS:
        ordered = np.sort(values)
        n_below = np.searchsorted(ordered, limits, side="left")
        n_equal = np.searchsorted(ordered, limits, side="right") - n_below
    else:
        n_below = np.array([(values < limit).sum() for limit in limits])
        n_equal = np.array([(values == limit).sum() for limit in limits])
    return expected_average_precision(n_below, n_equal, n_right)


def _empty_columns(n_queries: int, n_hits: int) -> Columns:
    return Columns(
        n_nearer=np.zeros(n_queries, np.int64),
        n_tied=np.ones(n_queries, np.int64),
        average_precision=np.zeros(n_queries),
        right_image=np.full(n_queries, -1),
        right_distance=np.zeros(n_queries),
        hit_images=np.full((n_queries, n_hits), -1),
        hit_distances=np.full((n_queries, n_hits), np.nan),
        hit_regions=np.full((n_queries, n_hits), -1),
    )
