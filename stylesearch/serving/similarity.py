"""From a distance to a number between 0 and 1 that a person can read."""

from __future__ import annotations

__all__ = ["similarity"]


def similarity(distance: float, metric: str) -> float:
    """How alike two pictures are: 1 for the same, never rising with the distance.

    ``cosine``: 1 - d, or 0 where d is above 1 (pictures that have nothing in common, or less). ``l1`` and
    ``l2``, which have no upper end: 1 / (1 + d).

    Args:
        distance: 0 or more, in that metric; rounding may leave it a little below.
        metric: ``l1``, ``l2`` or ``cosine``.

    Example:
        >>> similarity(0.25, "cosine"), similarity(1.5, "cosine"), similarity(3.0, "l2")
        (0.75, 0.0, 0.25)
    """
    d = max(0.0, distance)
    return max(0.0, 1.0 - d) if metric == "cosine" else 1.0 / (1.0 + d)
