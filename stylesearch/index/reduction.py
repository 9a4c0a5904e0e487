"""Reduces vectors to few axes, in which candidates are searched: a thousand dimensions would cost too much.

A reduced vector has the coordinates along the leading principal axes of its category, and one more for the
length of the rest, which those axes do not show. The squared distance between two rests is estimated as half
the sum of their squared lengths: the sum itself would assume that they are at right angles, zero that they
are equal, and half was best in every space that was measured. A stored vector's half is an axis on which
queries are zero, so that any Euclidean search adds it. The query's half is the same for all stored vectors;
it is added where answers to several queries are merged.

The result is squared Euclidean distance for every metric, since candidates are re-ranked exactly afterwards:
for cosine the vectors are scaled to length one first, and for l1 between vectors without negative values
(CNN features after ReLU) square roots are taken first, which makes l1 much more like a Euclidean distance.

Candidates are found by scanning all reduced vectors, which for most shops is quicker than searching trees and
misses less. Reduced vectors lie in panels of 64, each panel with its coordinates as rows: its product with
several queries is one row of scores for each query, of which the smallest are taken. The last row of a panel
holds the vectors' squared lengths, so that the product gives squared distances, less a constant of the query.

References:
    N. Halko, P. Martinsson, J. Tropp, "Finding structure with randomness", SIAM Review 53(2), 2011, algorithm
    4.4 (randomised subspace iteration) for the axes.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import AnyFloats, Floats
from stylesearch.data_files import read_arrays
from stylesearch.distance_kernels import matrix_product
from stylesearch.errors import IndexDamaged
from stylesearch.parallel import parallel_rows

__all__ = [
    "PANEL",
    "Reduction",
    "Scan",
    "fit_reduction",
    "n_panels",
    "scan_min",
    "scan_panels",
]

PANEL = 64
"""Reduced vectors in a panel: few enough for BLAS to stay on one core with up to some hundred queries."""

_PANELS_A_STEP = 16

_HIDDEN_SHARE = np.float32(0.5)
_OVERSAMPLING = 16
_ITERATIONS = 3
_FEW = 64


@dataclass(frozen=True)
class Reduction:
    """Maps vectors of a space to the few coordinates in which candidates are searched.

    Attributes:
        mean: shape (dim,), float32.
        axes: shape (dim, n_axes), float32, orthonormal.
        unit: whether vectors are scaled to length one first.
        root: whether signed square roots are taken first.
    """

    mean: Floats
    axes: Floats
    unit: bool
    root: bool

    @property
    def width(self) -> int:
        """Width of a reduced vector: the axes, and one for the rest."""
        return int(self.axes.shape[1]) + 1

    @cached_property
    def _rows_of_axes(self) -> Floats:
        return np.ascontiguousarray(self.axes.T)

    def reduce(self, vectors: AnyFloats) -> Floats:
        """Reduces vectors to be stored: float32, shape (n, width)."""
        shown, hidden = self._split(vectors)
        return np.column_stack([shown, np.sqrt(_HIDDEN_SHARE * hidden)])

    def reduce_queries(self, vectors: AnyFloats) -> tuple[Floats, Floats]:
        """Reduces query vectors to (q, width); returns also what to add to their squared distances, (q,)."""
        shown, hidden = self._split(vectors)
        reduced = np.zeros((len(shown), self.width), np.float32)
        reduced[:, :-1] = shown
        return reduced, _HIDDEN_SHARE * hidden

    def save(self, path: Path) -> None:
        """Writes the reduction to ``path``, a new file."""
        with path.open("xb") as file:
            np.savez(file, mean=self.mean, axes=self.axes, unit=self.unit, root=self.root)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            IndexDamaged: the file cannot be read.
        """
        try:
            stored = read_arrays(path)
            return cls(stored["mean"], stored["axes"], bool(stored["unit"]), bool(stored["root"]))
        except (OSError, ValueError, KeyError) as error:
            reason = getattr(error, "strerror", None) or error  # without the path once more
            raise IndexDamaged(f"{path} cannot be read: {reason}") from error

    def _split(self, vectors: AnyFloats) -> tuple[Floats, Floats]:
        """Coordinates along the axes, (n, n_axes), and the squared length of the rest, (n,)."""
        centred: Floats = _prepare(vectors, unit=self.unit, root=self.root) - self.mean
        if len(centred) > _FEW:
            shown: Floats = centred @ self.axes
        else:  # transposed, so that it is computed on one core: see matrix_product
            shown = matrix_product(self._rows_of_axes, np.ascontiguousarray(centred.T)).T
        hidden: Floats = np.vecdot(centred, centred) - np.vecdot(shown, shown)
        np.maximum(hidden, 0, out=hidden)
        return shown, hidden


def fit_reduction(sample: AnyFloats, metric: str, n_axes: int, *, seed: int) -> Reduction:
    """Finds the leading principal axes of some vectors of a category.

    Args:
        sample: shape (m, dim), m >= 1.
        metric: metric of the space.
        n_axes: number of axes, at most dim.
        seed: seed of the random directions from which the axes are found.

    Returns:
        The reduction; the same for the same arguments.
    """
    unit = metric == "cosine"
    root = metric == "l1" and not bool((sample < 0).any())
    prepared = _prepare(sample, unit=unit, root=root)
    mean = prepared.mean(axis=0, dtype=np.float64).astype(np.float32)
    prepared = prepared - mean
    dim = prepared.shape[1]
    n_axes = min(n_axes, dim)
    n_directions = min(n_axes + _OVERSAMPLING, dim)
    directions = np.random.default_rng(seed).standard_normal((dim, n_directions), dtype=np.float32)
    for _ in range(_ITERATIONS):
        directions, _ = np.linalg.qr(prepared.T @ (prepared @ directions))
    shown = (prepared @ directions).astype(np.float64)
    rotation = np.linalg.eigh(shown.T @ shown)[1][:, ::-1][:, :n_axes]
    axes = np.ascontiguousarray(directions @ rotation.astype(np.float32))
    return Reduction(mean=mean, axes=axes, unit=unit, root=root)


def _prepare(vectors: AnyFloats, *, unit: bool, root: bool) -> Floats:
    prepared: Floats = np.asarray(vectors, dtype=np.float32)
    if root:
        prepared = np.sign(prepared) * np.sqrt(np.abs(prepared))
    if unit:
        norms: Floats = np.sqrt(np.vecdot(prepared, prepared))[:, None]
        prepared = np.divide(prepared, norms, out=np.zeros_like(prepared), where=norms > 0)
    return prepared


def n_panels(count: int) -> int:
    """Number of panels that hold ``count`` vectors."""
    return -(-count // PANEL)


def scan_panels(reduced: Floats) -> Floats:
    """Arranges ``reduced`` (n, width) as panels for scanning, (n_panels(n), width + 1, 64).

    Unused places of the last panel are zero, and their scores are never used.
    """
    count, width = reduced.shape
    padded = np.zeros((n_panels(count) * PANEL, width + 1), np.float32)
    padded[:count, :width] = reduced
    padded[:count, width] = np.vecdot(reduced, reduced)
    return np.ascontiguousarray(padded.reshape(-1, PANEL, width + 1).transpose(0, 2, 1))


@dataclass(frozen=True, slots=True)
class Scan:
    """Reduced vectors, and the queries that they are compared with.

    Attributes:
        panels: as ``scan_panels`` makes them.
        count: number of vectors that they hold.
        queries: reduced queries, shape (q, width), q >= 1.
        offsets: added to each query's squared distances, (q,).
    """

    panels: Floats
    count: int
    queries: Floats
    offsets: npt.ArrayLike = 0.0


def scan_min(scans: Sequence[Scan]) -> Floats:
    """Smallest squared distance of each vector to any of several reduced queries, float32 (count,).

    Args:
        scans: one, or several whose vectors are numbered one after the other; each may be reduced to other
            axes. All have the same number of queries.
    """
    # |x - y| ** 2 = |x| ** 2 - 2 x y + |y| ** 2, all but the first as one product.
    prepared = []
    for one in scans:
        factors = np.ones((len(one.queries), one.queries.shape[1] + 1), np.float32)
        np.multiply(one.queries, -2, out=factors[:, :-1])
        prepared.append(factors)
    constants = [
        np.asarray(np.vecdot(one.queries, one.queries) + one.offsets, dtype=np.float32)[:, None]
        for one in scans
    ]
    first_panels = list(itertools.accumulate((len(one.panels) for one in scans), initial=0))
    first_slots = list(itertools.accumulate((one.count for one in scans), initial=0))
    smallest = np.empty(first_slots[-1], np.float32)

    def part(start: int, stop: int) -> None:
        number = bisect.bisect_right(first_panels, start) - 1
        while number < len(scans) and first_panels[number] < stop:
            before, panels = first_panels[number], scans[number].panels
            end = min(stop - before, len(panels))
            for first in range(max(start - before, 0), end, _PANELS_A_STEP):
                last = min(first + _PANELS_A_STEP, end)
                scores = np.matmul(prepared[number], panels[first:last])
                scores += constants[number]
                found = np.min(scores, axis=1).reshape(-1)
                slot = first_slots[number] + first * PANEL
                room = smallest[slot : min(slot + len(found), first_slots[number + 1])]
                room[:] = found[: len(room)]  # without the unused places of the last panel
            number += 1

    cost = sum(one.panels.size * len(one.queries) for one in scans) // max(1, first_panels[-1])
    parallel_rows(part, first_panels[-1], cost)
    return smallest
