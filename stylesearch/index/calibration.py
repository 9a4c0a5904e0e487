"""How many candidates this very category needs, tried out when its index is built.

How well few axes stand for all depends on the vectors: features of photos need some hundred candidates,
vectors that vary evenly in all directions need a large part of everything. So a few queries are answered both
ways at the end of a build, and what they needed is kept in the manifest, for the plan to weigh costs with.
Where that is too many, searching turns out cheaper without candidates, and everything is compared. What a
single query needs beyond that shows while it is answered: see :mod:`stylesearch.index.widening`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylesearch.index.annoy_backend import AnnoyForest, candidates_of_annoy
from stylesearch.index.base import AnyFloats, Floats, Slots
from stylesearch.index.reduction import Reduction
from stylesearch.index.scan import PANEL, n_panels, scan_min
from stylesearch.index.widening import fewest
from stylesearch.metrics import nearest

__all__ = ["Calibration", "calibrate"]

N_QUERIES = 48
N_NEAREST = 20

MOST_ROWS = 100_000
"""Larger categories are tried out on an even part; how far candidates reach grows with the rest."""

SHARE_FOUND = 0.95
"""Share of true neighbours that so many candidates hold: most queries need no more, some need many."""

TRUSTED_RECALL = 0.99
ANNOY_SEARCH_K = 32_000
_BLOCK = 8192


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a category needs.

    Attributes:
        n_candidates: to be re-ranked as a rule.
        annoy_recall: share of the 20 true neighbours that Annoy's own candidates held.
    """

    n_candidates: int
    annoy_recall: float


def calibrate(
    vectors: AnyFloats, panels: Floats, reduction: Reduction, forest: AnnoyForest, metric: str, *, seed: int
) -> Calibration:
    """Answers some queries exactly and by candidates.

    Half of the queries are stored vectors, half lie midway between two of them: a customer's photo is further
    from everything than the shop's pictures are from each other.

    Args:
        vectors: of the category, shape (count, dim).
        panels: reduced, as the scan reads them.
        reduction: the map between the two.
        forest: Annoy's trees over the reduced vectors.
        metric: of the space.
        seed: which queries are drawn.
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
    reduced, _ = reduction.asked(queries)
    places, chosen = [], panels[part] if step > 1 else panels
    for query, neighbours in zip(reduced, true, strict=True):
        scores = scan_min(chosen, len(slots), query[None])
        places.append(np.searchsorted(np.sort(scores), scores[neighbours], side="right"))
    reach = float(np.quantile(np.concatenate(places), SHARE_FOUND)) * step
    n_candidates = min(len(vectors), int(reach) + 1)
    asked = candidates_of_annoy(max(n_candidates, fewest(metric, N_NEAREST)), 1)
    found = forest.search(reduced, asked, max(ANNOY_SEARCH_K, 2 * n_candidates))
    held = [np.isin(slots[near], slots_met).mean() for near, (slots_met, _) in zip(true, found, strict=True)]
    return Calibration(n_candidates, float(np.mean(held)))


def _neighbours(queries: Floats, vectors: AnyFloats, slots: Slots, metric: str) -> Slots:
    """The nearest of some slots, as places among them, (q, n): block by block, so that memory is bounded."""
    places: Slots = np.empty((len(queries), 0), np.int64)
    distances: Floats = np.empty((len(queries), 0), np.float32)
    for start in range(0, len(slots), _BLOCK):
        near, far = nearest(queries, vectors[slots[start : start + _BLOCK]], metric, N_NEAREST)
        places, distances = np.hstack([places, near + start]), np.hstack([distances, far])
        order = np.argsort(distances, axis=1, kind="stable")[:, :N_NEAREST]
        places = np.take_along_axis(places, order, axis=1)
        distances = np.take_along_axis(distances, order, axis=1)
    return places
