"""An index that finds candidates cheaply and then ranks them by exact distances.

*Candidate search.* How many candidates are enough is not known beforehand, so it is decided while they are
compared, nearest first by their reduced vectors. As long as the farther half of the candidates compared so
far holds some of the nearest, twice as many are compared; once it holds practically none, the search ends. A
photo like the shop's own images needs a thousand candidates; one that is far from everything, with many
images nearly equally far, needs more.

*Calibration.* How many candidates are needed depends on the vectors: features of photos need some hundred,
vectors that vary evenly in all directions need a large part of all. So at the end of a build a few queries
are answered both ways, and the number of candidates that they needed is stored in the manifest for the plan.
Where it is too large, comparing with everything is cheaper, and that is done.

*Plan.* The cost of comparing with everything grows with count times width, that of scanning reduced vectors
with count alone, that of searching Annoy's trees hardly at all, so each is the cheapest somewhere. The costs
below were measured on two cores of an AMD EPYC (benchmarks/ has the command). Only their ratios matter, and
where two are about equal either choice will do.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import AnyFloats, Floats, Ids
from stylesearch.distance import check_metric, nearest, nearest_to_any
from stylesearch.distance_kernels import take_rows
from stylesearch.index.annoy_forest import AnnoyForest, candidates_of_annoy
from stylesearch.index.base import validate_queries
from stylesearch.index.reduction import PANEL, Reduction, Scan, n_panels, scan_min

__all__ = [
    "Calibration",
    "Plan",
    "RerankedIndex",
    "Strategy",
    "calibrate",
    "candidate_search",
    "max_candidates",
    "min_candidates",
    "plan",
    "possible_strategies",
]

Found: TypeAlias = tuple[Ids, Floats, Ids]
"""Slots, exact distances, and the query vector that was nearest, by distance, then by slot."""

# Candidate search.

_FEWEST = 1024
"""Candidates that are compared in any case."""

_WATCHED = 96
"""Nearest ones that are looked at: more than are asked for, since a few tell little about what is missed."""

_LATE = 1
"""How many of the watched the further half may bring."""

_CAUTION = {"cosine": 1, "l2": 1, "l1": 2}
"""Times as many are compared and watched at least: l1 is no Euclidean distance, and is guessed by one."""

_SAMPLE = 8192

# Calibration.

N_QUERIES = 48
N_NEAREST = 20

MOST_ROWS = 100_000
"""Larger categories are tried out on an even part; how far candidates reach grows with the rest."""

SHARE_FOUND = 0.95
"""Share of true neighbours that so many candidates hold: most queries need no more, some need many."""

TRUSTED_RECALL = 0.99
ANNOY_SEARCH_K = 32_000
_BLOCK = 8192

# Plan.

# Microseconds on one core. For a thousand numbers of the gallery: to read them from memory, and to compare
# them with one query vector.
_READ = 0.12
_MULTIPLY = 0.022
_SUBTRACT = 0.28
# To select the best of a thousand slots' scores; and for Annoy to visit, sort and score one slot.
_SELECT = 12.0
_ANNOY_LOOK = 0.11
# Fixed cost of a search through candidates.
_BY_CANDIDATES = 500.0

_LEAST_SEARCH_K = 8_000
_SEARCH_K = 32_000


def min_candidates(metric: str, k: int) -> int:
    """Number of candidates that are always compared for the ``k`` nearest."""
    return _CAUTION[metric] * max(_FEWEST, 8 * max(k, _WATCHED))


def max_candidates(count: int) -> int:
    """Number of candidates among ``count`` vectors, at most: selecting more costs more than reading all."""
    return count // 4


def candidate_search(
    scores: Floats,
    k: int,
    metric: str,
    compare: Callable[[Ids, int], Found],
    *,
    most: int,
    ids_of: Callable[[Ids], Ids] = lambda slots: slots,
) -> Found | None:
    """Finds the ``k`` nearest by exact distances, among as many candidates as are needed.

    Args:
        scores: score of every slot by its reduced vector, shape (count,); smaller is nearer.
        k: number of slots to find.
        metric: metric of ``compare``.
        compare: takes slots, ascending, and a number n; returns the n nearest of them: slots, exact
            distances, and the query that was nearest, all sorted by distance, then by id.
        most: number of candidates that may be compared; twice ``count`` where there is no other way.
        ids_of: the ids of slots, by which equal distances are ordered; by default the slots themselves.

    Returns:
        As ``compare``; None where more than ``most`` would be needed.
    """
    watched = max(k, _CAUTION[metric] * _WATCHED)
    limits = _Limits(scores)
    n = min_candidates(metric, k)
    near, wide, found = limits.of(n // 2), limits.of(n), None
    candidates = np.flatnonzero(scores <= wide)
    while True:
        if n > most:
            return None
        if len(candidates):
            more = compare(candidates, watched)
            found = more if found is None else _nearest_of([found, more], watched, ids_of)
        if found is not None and (
            np.isinf(wide) or (near < wide and _enough(scores[found[0]] > near, watched))
        ):
            slots, distances, rows = found
            return slots[:k], distances[:k], rows[:k]
        n *= 2
        near, wide = wide, limits.of(n)
        candidates = np.flatnonzero((scores > near) & (scores <= wide))


def _enough(late: npt.NDArray[np.bool_], watched: int) -> bool:
    """Whether so few of the nearest came from the further half of the candidates that no more are needed."""
    return len(late) == watched and int(late.sum()) <= _LATE


def _nearest_of(lists: list[Found], n: int, ids_of: Callable[[Ids], Ids]) -> Found:
    """Merges disjoint lists and keeps the ``n`` nearest, by distance, then by id."""
    slots, distances, rows = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    order = np.lexsort((ids_of(slots), distances))[:n]
    return slots[order], distances[order], rows[order]


class _Limits:
    """Estimates the score below which about ``n`` of all lie, from an even sample."""

    def __init__(self, scores: Floats) -> None:
        self._step = max(1, len(scores) // _SAMPLE)
        self._sorted = np.sort(scores[:: self._step])

    def of(self, n: int) -> float:
        place = -(-n // self._step)
        return float(self._sorted[place - 1]) if place < len(self._sorted) else float("inf")


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result of a calibration.

    Attributes:
        n_candidates: number of candidates to rank exactly, as a rule.
        annoy_recall: share of the 20 true neighbours among Annoy's candidates.
    """

    n_candidates: int
    annoy_recall: float


def calibrate(
    vectors: AnyFloats, panels: Floats, reduction: Reduction, forest: AnnoyForest, metric: str, *, seed: int
) -> Calibration:
    """Answers some queries exactly and through candidates, to measure how many candidates are needed.

    Half of the queries are stored vectors, half lie midway between two of them, as a customer's photo is
    farther from everything than the shop's images are from each other.

    Args:
        vectors: vectors of the category, shape (count, dim).
        panels: reduced vectors, as the scan reads them.
        reduction: the map from vectors to reduced vectors.
        forest: Annoy's trees over the reduced vectors.
        metric: metric of the space.
        seed: seed of the queries that are drawn.
    """
    rng = np.random.default_rng(seed)
    drawn = np.asarray(
        vectors[np.sort(rng.choice(len(vectors), min(N_QUERIES, len(vectors)), replace=False))]
    )
    half = len(drawn) // 2
    queries: Floats = np.concatenate([drawn[:half], (drawn[half:] + np.roll(drawn[half:], 1, axis=0)) / 2])
    step = -(-len(vectors) // MOST_ROWS)
    part = np.arange(n_panels(len(vectors)))[::step]
    slots = (part[:, None] * PANEL + np.arange(PANEL)).reshape(-1)
    slots = slots[slots < len(vectors)]
    true = _neighbours(queries, vectors, slots, metric)
    reduced, _ = reduction.reduce_queries(queries)
    places, chosen = [], panels[part] if step > 1 else panels
    for query, neighbours in zip(reduced, true, strict=True):
        scores = scan_min([Scan(chosen, len(slots), query[None])])
        places.append(np.searchsorted(np.sort(scores), scores[neighbours], side="right"))
    reach = float(np.quantile(np.concatenate(places), SHARE_FOUND)) * step
    n_candidates = min(len(vectors), int(reach) + 1)
    asked = candidates_of_annoy(max(n_candidates, min_candidates(metric, N_NEAREST)), 1)
    found = forest.search(reduced, asked, max(ANNOY_SEARCH_K, 2 * n_candidates))
    held = [np.isin(slots[near], slots_met).mean() for near, (slots_met, _) in zip(true, found, strict=True)]
    return Calibration(n_candidates, float(np.mean(held)))


def _neighbours(queries: Floats, vectors: AnyFloats, slots: Ids, metric: str) -> Ids:
    """Finds the nearest of some slots, as places among them, (q, n), block by block to bound memory."""
    places: Ids = np.empty((len(queries), 0), np.int64)
    distances: Floats = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(slots), _BLOCK):
        near, far = nearest(queries, vectors[slots[start : start + _BLOCK]], metric, N_NEAREST)
        places, distances = np.hstack([places, near + start]), np.hstack([distances, far])
        order = np.argsort(distances, axis=1, kind="stable")[:, :N_NEAREST]
        places = np.take_along_axis(places, order, axis=1)
        distances = np.take_along_axis(distances, order, axis=1)
    return places


class Strategy(enum.StrEnum):
    """Ways to find candidates."""

    EXACT = "exact"
    SCAN = "scan"
    ANNOY = "annoy"


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a search.

    Attributes:
        strategy: how candidates are found.
        n_candidates: number of candidates to rank exactly, as a rule.
        search_k: number of slots that Annoy visits for each query vector.
    """

    strategy: Strategy
    n_candidates: int
    search_k: int


def plan(
    metric: str,
    count: int,
    dim: int,
    width: int,
    n_queries: int,
    k: int,
    *,
    n_among: int | None = None,
    needed: int = 0,
    with_annoy: bool = True,
    forced: Strategy | None = None,
) -> Plan:
    """Chooses the quickest way to find the k of ``count`` vectors nearest to any of ``n_queries``.

    Among some of the vectors, the trees are searched as much wider as these are fewer; a scan reads the
    reduced vectors of all, which lie side by side, and exact search only those that are meant.

    Args:
        metric: metric of the space.
        count: number of vectors.
        dim: width of a vector.
        width: width of a reduced vector.
        n_queries: number of query vectors.
        k: number of nearest vectors to find.
        n_among: how many of the vectors are searched among; all if not given.
        needed: number of candidates that these vectors need as a rule, by calibration.
        with_annoy: whether Annoy may be used.
        forced: use this way, whatever it costs.
    """
    n = count if n_among is None else n_among
    n_candidates = max(min_candidates(metric, k), needed)
    search_k = max(_LEAST_SEARCH_K, _SEARCH_K // max(1, n_queries), 2 * n_candidates)
    search_k = search_k * count // max(1, n)
    if forced or n_candidates > max_candidates(n):
        return Plan(forced or Strategy.EXACT, min(n_candidates, n), search_k)
    compare = _SUBTRACT if metric == "l1" else _MULTIPLY
    rerank = _BY_CANDIDATES + n_candidates * dim * (2 * _READ + compare * n_queries) / 1000
    costs = {
        Strategy.EXACT: n * dim * (_READ * (1 if n_among is None else 2) + compare * n_queries) / 1000,
        Strategy.SCAN: rerank + (count * width * (_READ + _MULTIPLY * n_queries) + n * _SELECT) / 1000,
    }
    if with_annoy:
        costs[Strategy.ANNOY] = rerank + _ANNOY_LOOK * search_k * n_queries
    return Plan(min(costs, key=lambda way: costs[way]), n_candidates, search_k)


def possible_strategies(metric: str, count: int, dim: int, width: int, *, needed: int = 0) -> set[Strategy]:
    """Lists every strategy that some query may use, so that nothing else needs to be opened."""
    return {
        plan(metric, count, dim, width, n_queries, 1, needed=needed).strategy
        for n_queries in (1, 2, 4, 8, 16, 64, 256)
    }


class RerankedIndex:
    """A ``VectorIndex`` with Annoy, scanning and exact search to choose from.

    Args:
        vectors: shape (count, dim), usually memory-mapped.
        metric: one of ``stylesearch.distance.METRICS``.
        reduction: the reduction that made ``panels``.
        panels: reduced vectors as ``stylesearch.index.reduction.scan_panels`` makes them, usually
            memory-mapped.
        needed: number of candidates that these vectors need as a rule.
        forest: Annoy's trees over the same reduced vectors; without them these are always scanned.
        strategy: the strategy of all queries; by default the quickest is chosen for each query.

    Raises:
        ValueError: Annoy is to be used, and there are no trees.
    """

    def __init__(
        self,
        vectors: AnyFloats,
        metric: str,
        reduction: Reduction,
        panels: Floats,
        forest: AnnoyForest | None,
        *,
        needed: int = 0,
        strategy: Strategy | None = None,
    ) -> None:
        self._vectors = vectors
        self._metric = check_metric(metric)
        self._reduction = reduction
        self._panels = panels
        if strategy is Strategy.ANNOY and forest is None:
            raise ValueError("Annoy is to be used, and there are no trees")
        self._forest = forest
        self._needed = needed
        self._strategy = strategy

    @property
    def metric(self) -> str:
        """Metric of all distances."""
        return self._metric

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self._vectors.shape[1])

    @property
    def count(self) -> int:
        """Number of vectors."""
        return int(self._vectors.shape[0])

    def query(self, vectors: AnyFloats, k: int) -> tuple[Ids, Floats]:
        """See ``stylesearch.index.base.VectorIndex.query``."""
        queries = validate_queries(vectors, self.dim, k)
        chosen = self._plan(1, k)
        if chosen.strategy is Strategy.EXACT or not len(queries):
            return nearest(queries, self._vectors, self._metric, k)
        answers = [self._nearest_to_any(queries[row : row + 1], k, chosen) for row in range(len(queries))]
        return np.stack([slots for slots, _, _ in answers]), np.stack([found for _, found, _ in answers])

    def search_any(self, vectors: AnyFloats, k: int, *, among: Ids | None = None) -> tuple[Ids, Floats, Ids]:
        """See ``stylesearch.index.base.VectorIndex.search_any``."""
        queries = validate_queries(vectors, self.dim, k)
        chosen = self._plan(len(queries), k, None if among is None else len(among))
        return self._nearest_to_any(queries, k, chosen, among)

    @property
    def has_trees(self) -> bool:
        """Whether Annoy can be used."""
        return self._forest is not None

    @property
    def comparable_as(self) -> tuple[bool, bool]:
        """What is done to vectors before they are reduced; where it differs, scores cannot be compared."""
        return self._reduction.unit, self._reduction.root

    def scan(self, queries: Floats) -> Scan:
        """What ``scan_min`` needs to score all vectors by queries, float32 (q, dim), q >= 1."""
        reduced, offsets = self._reduction.reduce_queries(queries)
        return Scan(self._panels, self.count, reduced, offsets)

    def close(self) -> None:
        """Closes Annoy's file."""
        if self._forest is not None:
            self._forest.close()
            self._forest = None

    def _plan(self, n_queries: int, k: int, n_among: int | None = None) -> Plan:
        return plan(
            self._metric,
            self.count,
            self.dim,
            self._reduction.width,
            n_queries,
            k,
            n_among=n_among,
            needed=self._needed,
            with_annoy=self._forest is not None,
            forced=self._strategy,
        )

    def _nearest_to_any(
        self, queries: Floats, k: int, chosen: Plan, among: Ids | None = None
    ) -> tuple[Ids, Floats, Ids]:
        """Searches Annoy's candidates if they are enough, else those of a scan, or everything."""
        n = self.count if among is None else len(among)
        if chosen.strategy is Strategy.EXACT or not len(queries) or not n:
            return nearest_to_any(queries, self._vectors, self._metric, k, rows=among)
        scan, found = self.scan(queries), None
        if chosen.strategy is Strategy.ANNOY and self._forest is not None:
            found = self._by_annoy(self._forest, queries, scan, k, chosen, among)
        if found is None:
            scores = scan_min([scan])
            most = 2 * n if self._strategy else max_candidates(n)
            if among is None:
                found = candidate_search(
                    scores, k, self._metric, lambda slots, n: self._compare(queries, slots, n), most=most
                )
            else:
                found = self._by_scores(queries, among, scores[among], k, most)
        return found or nearest_to_any(queries, self._vectors, self._metric, k, rows=among)

    def _by_annoy(
        self, forest: AnnoyForest, queries: Floats, scan: Scan, k: int, chosen: Plan, among: Ids | None
    ) -> tuple[Ids, Floats, Ids] | None:
        """Searches Annoy's candidates; None if more than it returned would be needed."""
        n_each = candidates_of_annoy(chosen.n_candidates, len(queries))
        if among is not None:  # so many that as many of them are meant
            n_each = min(self.count, n_each * self.count // len(among))
        answers = forest.search(scan.queries, n_each, chosen.search_k)
        offsets = np.asarray(scan.offsets)
        met = np.concatenate([slots for slots, _ in answers])
        scores = np.concatenate([near + offset for (_, near), offset in zip(answers, offsets, strict=True)])
        slots, where = np.unique(met, return_inverse=True)
        smallest = np.full(len(slots), np.inf, np.float32)
        np.minimum.at(smallest, where, scores)
        if among is not None:
            is_meant = np.zeros(self.count, np.bool_)
            is_meant[among] = True
            slots, smallest = slots[is_meant[slots]], smallest[is_meant[slots]]
            if not len(slots):
                return None
        return self._by_scores(queries, slots, smallest, k, len(slots) - 1)

    def _by_scores(
        self, queries: Floats, slots: Ids, scores: Floats, k: int, most: int
    ) -> tuple[Ids, Floats, Ids] | None:
        """Searches some slots, rising, by their scores; see ``candidate_search``."""

        def compare(candidates: Ids, n: int) -> tuple[Ids, Floats, Ids]:
            near, distances, rows = self._compare(queries, slots[candidates], n)
            return np.searchsorted(slots, near), distances, rows

        found = candidate_search(scores, k, self._metric, compare, most=most)
        return None if found is None else (slots[found[0]], found[1], found[2])

    def _compare(self, queries: Floats, slots: Ids, n: int) -> tuple[Ids, Floats, Ids]:
        near, distances, rows = nearest_to_any(queries, take_rows(self._vectors, slots), self._metric, n)
        return slots[near], distances, rows
