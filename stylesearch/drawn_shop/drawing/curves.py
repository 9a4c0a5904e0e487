"""Smooth curves through a few points: the outlines of garments and bodies."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = [
    "Points",
    "along",
    "between",
    "ellipse",
    "mirror_half",
    "move",
    "normals",
    "outline",
    "polyline",
    "spline",
]

Points = npt.NDArray[np.float64]
"""Points in the plane, float64 of shape (n, 2): x to the right, y downwards."""

_Loose = Points | Sequence[tuple[float, float]]


def polyline(points: _Loose) -> Points:
    """Converts ``points`` to an array of shape (n, 2)."""
    return np.asarray(points, dtype=np.float64).reshape(-1, 2)


def spline(points: _Loose, *, closed: bool = False, samples: int = 7) -> Points:
    """Makes a curve through all ``points``: cubic pieces with matching tangents, spaced by chord length.

    Chord-length tangents keep the curve from overshooting where the points are unevenly spaced.

    Args:
        points: at least two, shape (n, 2).
        closed: whether the last point leads back to the first.
        samples: number of points on the curve for each piece.

    Returns:
        The curve, float64 of shape (m, 2); it begins with the first point and, unless closed, ends with the
        last.

    Example:
        >>> spline([(0, 0), (1, 1), (2, 0)], samples=2).shape
        (5, 2)
    """
    if isinstance(points, np.ndarray):
        return _spline(points, closed, samples)
    return _cached_spline(tuple(points), closed, samples)


@functools.lru_cache(maxsize=4096)
def _cached_spline(points: tuple[tuple[float, float], ...], closed: bool, samples: int) -> Points:
    """Computes a spline once for curves that are drawn again and again; the array is read-only."""
    curve = _spline(polyline(points), closed, samples)
    curve.setflags(write=False)
    return curve


def _spline(knots: Points, closed: bool, samples: int) -> Points:
    if len(knots) < 3 and not closed:
        t = np.linspace(0.0, 1.0, samples + 1)[:, None]
        return knots[:1] * (1 - t) + knots[-1:] * t
    if closed:
        padded = np.vstack([knots[-1:], knots, knots[:2]])
    else:
        padded = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    differences = padded[1:] - padded[:-1]
    steps = np.maximum(np.sqrt((differences * differences).sum(axis=1)), 1e-9)[:, None]
    slopes = differences / steps
    tangents = (slopes[:-1] * steps[1:] + slopes[1:] * steps[:-1]) / (steps[:-1] + steps[1:])
    chord = steps[1:-1]
    corners = np.stack([padded[1:-2], tangents[:-1] * chord, padded[2:-1], tangents[1:] * chord], axis=1)
    curve = (_basis(samples) @ corners).reshape(-1, 2)
    return curve if closed else np.vstack([curve, knots[-1:]])


@functools.cache
def _basis(samples: int) -> Points:
    """Weights of start, end and their tangents at each step of a cubic piece, shape (samples, 4)."""
    t = np.arange(samples) / samples
    return np.column_stack([2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, 3 * t**2 - 2 * t**3, t**3 - t**2])


def outline(*pieces: _Loose) -> Points:
    """Joins curves at corners: each piece becomes a spline, one after the other."""
    return np.vstack([spline(piece) for piece in pieces])


def mirror_half(half: Points) -> Points:
    """Makes a closed outline from its right half, from top to bottom: the left half is its mirror image."""
    return np.vstack([half, (half * (-1.0, 1.0))[::-1]])


def move(points: Points, dx: float, dy: float) -> Points:
    """Moves points to the right and down."""
    shifted: Points = points + np.array([dx, dy])
    return shifted


def ellipse(x: float, y: float, rx: float, ry: float, *, turn: float = 0.0, corners: int = 24) -> Points:
    """Makes an ellipse about (x, y), turned by ``turn`` radians."""
    angle = np.linspace(0.0, 2 * np.pi, corners, endpoint=False)
    px, py = rx * np.cos(angle), ry * np.sin(angle)
    cos, sin = np.cos(turn), np.sin(turn)
    return np.column_stack([x + px * cos - py * sin, y + px * sin + py * cos])


def along(curve: Points, at: npt.NDArray[np.float64] | Sequence[float]) -> Points:
    """Finds points on a polyline at fractions ``at`` (0 to 1) of its length."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    wanted = np.asarray(at, dtype=np.float64) * length[-1]
    return np.column_stack([np.interp(wanted, length, curve[:, 0]), np.interp(wanted, length, curve[:, 1])])


def normals(curve: Points) -> Points:
    """Computes unit normals of a polyline at each of its points; for one that runs down, to the right."""
    tangent = np.gradient(curve, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    return np.column_stack([tangent[:, 1], -tangent[:, 0]])


def between(curve: Points, half_width: npt.NDArray[np.float64] | float) -> Points:
    """Makes the closed outline of a ribbon about ``curve``, ``half_width`` to both sides."""
    across = normals(curve) * np.broadcast_to(half_width, (len(curve),))[:, None]
    return np.vstack([curve + across, (curve - across)[::-1]])
