"""How many candidates are enough is not known beforehand, so it is watched while they are compared exactly.

Candidates are taken nearest first, by their reduced vectors. As long as the further half of what was compared
still brings some of the nearest, more may lie beyond, and twice as many are compared; once it brings
(practically) none, the rest is left. A photo like the shop's own pictures is done with a thousand; one that
is far from everything, where many pictures are nearly equally far, takes as many as it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from stylesearch.index.base import Floats, Slots

__all__ = ["fewest", "most_of", "widening"]

Found: TypeAlias = tuple[Slots, Floats, Slots]

_FEWEST = 1024
"""Candidates that are compared in any case."""

_WATCHED = 96
"""Nearest ones that are looked at: more than are asked for, since a few tell little about what is missed."""

_LATE = 1
"""How many of the watched the further half may bring."""

_CAUTION = {"cosine": 1, "l2": 1, "l1": 2}
"""Times as many are compared and watched at least: l1 is no Euclidean distance, and is guessed by one."""

_SAMPLE = 8192


def fewest(metric: str, k: int) -> int:
    """How many candidates are compared in any case for the ``k`` nearest."""
    return _CAUTION[metric] * max(_FEWEST, 8 * max(k, _WATCHED))


def most_of(count: int) -> int:
    """How many of ``count`` may be compared as candidates: picking out more takes longer than reading all."""
    return count // 4


def widening(
    scores: Floats, k: int, metric: str, compare: Callable[[Slots, int], Found], *, most: int
) -> Found | None:
    """The ``k`` nearest by exact distances, from as many candidates as it takes.

    Args:
        scores: of every slot by its reduced vector, shape (count,); smaller is nearer.
        k: how many.
        metric: that ``compare`` compares by.
        compare: from slots, ascending, and a number to the so many nearest of them: slots, exact distances,
            and the query that was nearest, all sorted by distance, then by slot.
        most: how many candidates may be compared; twice ``count`` where there is nothing else to turn to.

    Returns:
        As ``compare``; None where ``most`` would not be enough.
    """
    watched = max(k, _CAUTION[metric] * _WATCHED)
    limits = _Limits(scores)
    n = fewest(metric, k)
    near, wide, found = limits.of(n // 2), limits.of(n), None
    candidates = np.flatnonzero(scores <= wide)
    while True:
        if n > most:
            return None
        if len(candidates):
            more = compare(candidates, watched)
            found = more if found is None else _nearest_of([found, more], watched)
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


def _nearest_of(lists: list[Found], n: int) -> Found:
    """The ``n`` nearest of several disjoint lists, by distance, then by slot."""
    slots, distances, rows = (np.concatenate(parts) for parts in zip(*lists, strict=True))
    order = np.lexsort((slots, distances))[:n]
    return slots[order], distances[order], rows[order]


class _Limits:
    """The score below which about ``n`` of all lie, from an even sample."""

    def __init__(self, scores: Floats) -> None:
        self._step = max(1, len(scores) // _SAMPLE)
        self._sorted = np.sort(scores[:: self._step])

    def of(self, n: int) -> float:
        place = -(-n // self._step)
        return float(self._sorted[place - 1]) if place < len(self._sorted) else float("inf")
