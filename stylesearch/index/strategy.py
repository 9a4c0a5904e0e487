"""Which way is quickest: comparing with everything, scanning reduced vectors, or walking Annoy's trees.

The first grows with count times width, the second with count alone, the third hardly at all, and each is
ahead somewhere. The costs below were measured on two cores of an AMD EPYC (benchmarks/ has the command);
only their ratios matter, and near a crossing either choice will do.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from stylesearch.index.widening import fewest, most_of

__all__ = ["Plan", "Strategy", "plan", "possible_strategies"]


class Strategy(enum.StrEnum):
    """How candidates are found."""

    EXACT = "exact"
    SCAN = "scan"
    ANNOY = "annoy"


@dataclass(frozen=True, slots=True)
class Plan:
    """How a query is answered.

    Attributes:
        strategy: where candidates come from.
        n_candidates: how many will be re-ranked exactly, as a rule.
        search_k: how many slots Annoy looks at for each query vector.
    """

    strategy: Strategy
    n_candidates: int
    search_k: int


# Microseconds on one core. For a thousand numbers of the gallery: to bring them from memory, and to compare
# them with one query vector.
_READ = 0.12
_MULTIPLY = 0.022
_SUBTRACT = 0.28
# For a thousand slots: to select the best of their scores; and for one that Annoy looks at, sorts and scores.
_SELECT = 12.0
_ANNOY_LOOK = 0.11
# What any answer by way of candidates costs before the first number is read.
_BY_CANDIDATES = 500.0

_LEAST_SEARCH_K = 8_000
_SEARCH_K = 32_000


def plan(
    metric: str,
    count: int,
    dim: int,
    width: int,
    n_queries: int,
    k: int,
    *,
    needed: int = 0,
    with_annoy: bool = True,
    forced: Strategy | None = None,
) -> Plan:
    """The quickest way to the k nearest of ``count`` vectors to any of ``n_queries``.

    Args:
        metric: of the space.
        count: how many vectors there are.
        dim: width of a vector.
        width: of a reduced vector.
        n_queries: how many query vectors there are.
        k: how many are asked for.
        needed: how many candidates these very vectors need as a rule, as was tried out.
        with_annoy: whether Annoy is at hand.
        forced: this way, whatever it costs.
    """
    n_candidates = max(fewest(metric, k), needed)
    search_k = max(_LEAST_SEARCH_K, _SEARCH_K // max(1, n_queries), 2 * n_candidates)
    if forced or n_candidates > most_of(count):
        return Plan(forced or Strategy.EXACT, min(n_candidates, count), search_k)
    compare = _SUBTRACT if metric == "l1" else _MULTIPLY
    rerank = _BY_CANDIDATES + n_candidates * dim * (2 * _READ + compare * n_queries) / 1000
    costs = {
        Strategy.EXACT: count * dim * (_READ + compare * n_queries) / 1000,
        Strategy.SCAN: rerank + count * (width * (_READ + _MULTIPLY * n_queries) + _SELECT) / 1000,
    }
    if with_annoy:
        costs[Strategy.ANNOY] = rerank + _ANNOY_LOOK * search_k * n_queries
    return Plan(min(costs, key=lambda way: costs[way]), n_candidates, search_k)


def possible_strategies(metric: str, count: int, dim: int, width: int, *, needed: int = 0) -> set[Strategy]:
    """Every way that some query may go, so that nothing else needs to be opened."""
    return {
        plan(metric, count, dim, width, n_queries, 1, needed=needed).strategy
        for n_queries in (1, 2, 4, 8, 16, 64, 256)
    }
