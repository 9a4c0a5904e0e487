"""The raw and the whitened space: transforms that are fitted on the gallery without labels.

Whitening takes the signed square root, subtracts the mean, projects on the leading principal axes, and
divides each axis by a power of its standard deviation. What all shop images share (a white ground, a person's
shape) makes the largest axes of raw features, and what tells garments apart the smaller ones: dividing evens
that out. A full whitening (power 1) makes noise as loud as signal; half of it (power 0.5) was best on real
photos of people against shop pictures, see docs/benchmarks.md.

References:
    H. Jégou and O. Chum, "Negative evidences and co-occurences in image retrieval: the benefit of PCA and
    whitening", ECCV 2012; R. Arandjelović and A. Zisserman, "Three things everyone should know to improve
    object retrieval", CVPR 2012 (the square root). Deviation: the power of the deviation is 0.5.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats
from stylesearch.files import atomic_file, digest_of
from stylesearch.spaces.base import validate_features
from stylesearch.vectors import multiply

__all__ = [
    "MIN_ROWS",
    "PrincipalFit",
    "RawTransform",
    "WhitenedTransform",
    "WhiteningFit",
]

STRENGTH = 0.5
MAX_DIM = 512
ROWS_PER_AXIS = 4
"""A principal axis is known well enough from this many features."""

MAX_ROWS = 50_000
"""More rows than this do not change 512 axes noticeably: of larger galleries so many are fitted to."""

MIN_ROWS = 16
"""From fewer features no axes are fitted: only the square root is taken."""

MIN_AXES = 32


class WhitenedTransform:
    """Half whitening on principal axes, in order of decreasing variance.

    Args:
        mean: mean of the signed square roots, float32, shape (dim_in,).
        axes: matrix that the roots minus the mean are multiplied by, float32, shape (dim_in, dim); None for
            too small a gallery.
    """

    name = "whitened"
    scales = None
    metric = None

    def __init__(self, mean: Floats, axes: Floats | None) -> None:
        self.mean = mean
        self.axes = axes

    @property
    def dim_in(self) -> int:
        """Width of a feature."""
        return len(self.mean)

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self.dim_in if self.axes is None else int(self.axes.shape[1])

    @property
    def slices(self) -> Mapping[str, slice]:
        """Where each part of a vector is: all of it is the network's."""
        return {"network": slice(0, self.dim)}

    @functools.cached_property
    def version(self) -> str:
        """Digest of mean and axes."""
        digest = hashlib.sha256(self.name.encode())
        for array in (self.mean, self.axes):
            if array is not None:
                digest.update(repr(array.shape).encode() + array.astype("<f4").tobytes())
        return digest.hexdigest()

    def apply(self, features: Floats) -> Floats:
        """Vectors of the space; see ``Transform.apply``."""
        centred: Floats = _signed_root(validate_features(features, self.dim_in)) - self.mean
        if self.axes is None:
            return centred
        return multiply(centred, self.axes, self._rows)

    def apply_to_photo(self, features: Floats, n_squares: int = 0) -> Floats:
        """The same vectors as of images; see ``Transform.apply_to_photo``."""
        return self.apply(features)

    @functools.cached_property
    def _rows(self) -> Floats:
        """The axes as rows, one behind the other."""
        return np.ascontiguousarray(np.transpose(self.axes)) if self.axes is not None else self.mean[None]

    @classmethod
    def fit(cls, blocks: Iterable[Floats], *, dim_in: int, n_rows: int) -> Self:
        """Fits mean and axes; the same for the same blocks.

        Args:
            blocks: features, shape (n, dim_in) each; read once, so memory is bounded by one block.
            dim_in: width of a feature.
            n_rows: how many features there are in all, roughly; decides how many are left out.

        Raises:
            SpaceError: features of another width.
        """
        fitter = WhiteningFit(dim_in, n_rows)
        for features in blocks:
            fitter.add(features)
        return cls(*fitter.mean_and_axes())

    def arrays(self) -> dict[str, Any]:
        """What there is to be stored, by name."""
        return {"mean": self.mean} if self.axes is None else {"mean": self.mean, "axes": self.axes}

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> Self:
        """The inverse of ``arrays``; a KeyError where something is missing."""
        return cls(stored["mean"], stored.get("axes"))

    def save(self, path: Path) -> None:
        """Writes mean and axes; see ``Transform.save``."""
        with atomic_file(path) as file:
            np.savez(file, **self.arrays())


class PrincipalFit:
    """Fits axes to vectors that come block by block, on which most of their length lies.

    Args:
        dim: width of a vector.
        n_rows: how many vectors there will be in all, roughly; decides how many are left out.

    Attributes:
        n_fitted: how many vectors were counted in.
    """

    def __init__(self, dim: int, n_rows: int) -> None:
        self.n_fitted = 0
        self._stride = _stride_for(n_rows)
        self._products = np.zeros((dim, dim))
        self._rows: Floats | None = np.empty((0, dim), np.float32)

    def add(self, vectors: Floats) -> None:
        """Counts a block of vectors in, float32 (n, dim); not modified."""
        some = vectors[:: self._stride]
        self.n_fitted += len(some)
        if self._rows is not None:
            some = np.concatenate([self._rows, some])
            self._rows = some if self.n_fitted <= len(self._products) else None
        if self._rows is None:
            self._products += some.T @ some

    def axes(self, n_most: int) -> Floats:
        """Orthonormal axes, at most ``n_most``, the one with most of the length first, float32 (dim, n).

        Of fewer vectors than they are wide, the products of the vectors with each other have the same lengths
        and take a fraction of the time: those of 60 vectors of 1,280 numbers a thousandth.
        """
        rows = self._rows
        products = self._products if rows is None else (rows @ rows.T).astype(np.float64)
        if not len(products):
            return np.empty((len(self._products), 0), np.float32)
        lengths, vectors = np.linalg.eigh(products)
        lengths, vectors = lengths[::-1], vectors[:, ::-1]
        n_axes = min(n_most, int((lengths > max(lengths[0], 0) * 1e-7).sum()))
        vectors = vectors[:, :n_axes]
        if rows is not None:
            vectors = rows.T @ vectors / np.sqrt(lengths[:n_axes])
        return _with_signs(vectors).astype(np.float32)


class WhiteningFit:
    """Fits mean and axes to features that come block by block; memory is bounded by one block.

    Args:
        dim_in: width of a feature.
        n_rows: how many features there will be in all, roughly; decides how many are left out.
    """

    def __init__(self, dim_in: int, n_rows: int) -> None:
        self._dim_in = dim_in
        self._stride = _stride_for(n_rows)
        self._n_fitted = 0
        self._origin = np.zeros(dim_in, np.float32)
        self._total = np.zeros(dim_in)
        self._products = np.zeros((dim_in, dim_in))

    def add(self, features: Floats) -> None:
        """Counts a block of features in.

        Args:
            features: shape (n, dim_in); not modified.

        Raises:
            SpaceError: features of another width.
        """
        rooted = _signed_root(validate_features(features, self._dim_in)[:: self._stride])
        if not self._n_fitted and len(rooted):
            self._origin = rooted.mean(axis=0)  # near the mean, so that products do not swallow differences
        rooted -= self._origin
        self._total += rooted.sum(axis=0, dtype=np.float64)
        self._products += rooted.T @ rooted
        self._n_fitted += len(rooted)

    def mean_and_axes(self) -> tuple[Floats, Floats | None]:
        """Mean and axes of ``WhitenedTransform``; zeros and None for fewer than ``MIN_ROWS`` features."""
        zeros = np.zeros(self._dim_in, np.float32)
        if self._n_fitted < MIN_ROWS:
            return zeros, None
        shift = self._total / self._n_fitted
        axes = _axes(self._products / self._n_fitted - np.outer(shift, shift), self._n_fitted)
        if axes is None:
            return zeros, None
        return (self._origin + shift).astype(np.float32), axes


def _axes(covariance: npt.NDArray[np.float64], n_fitted: int) -> Floats | None:
    """Principal axes, each divided by a power of its deviation; None if nothing varies."""
    variances, vectors = np.linalg.eigh(covariance)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    n_varying = int((variances > max(variances[0], 0) * 1e-7).sum())
    dim = min(max(MIN_AXES, n_fitted // ROWS_PER_AXIS), MAX_DIM, n_fitted - 1, n_varying)
    if dim < 1:
        return None
    vectors = vectors[:, :dim]
    scaled = _with_signs(vectors) / variances[:dim] ** (STRENGTH / 2)
    return np.ascontiguousarray(scaled, dtype=np.float32)


def _stride_for(n_rows: int) -> int:
    """Of so many rows, every how manieth is fitted to."""
    return max(1, -(-n_rows // MAX_ROWS))


def _with_signs(axes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The columns with their largest component made positive, so that fits repeat: axes have no direction."""
    largest = np.abs(axes).argmax(axis=0)
    signed: npt.NDArray[np.float64] = axes * np.sign(axes[largest, np.arange(axes.shape[1])])
    return signed


def _signed_root(features: Floats) -> Floats:
    rooted: Floats = np.sign(features) * np.sqrt(np.abs(features))
    return rooted


# The features as they are: the space of the study of 2018, with l1, l2 or cosine.


@dataclass(frozen=True, slots=True)
class RawTransform:
    """The identity.

    Args:
        dim_in: width of a feature.
    """

    dim_in: int
    name = "raw"
    scales = None
    metric = None

    @property
    def dim(self) -> int:
        """Width of a vector: that of a feature."""
        return self.dim_in

    @property
    def slices(self) -> Mapping[str, slice]:
        """Where each part of a vector is: all of it is the network's."""
        return {"network": slice(0, self.dim)}

    @property
    def version(self) -> str:
        """The same for all features of one width."""
        return digest_of({"space": self.name, "dim": self.dim_in})

    def apply(self, features: Floats) -> Floats:
        """The features themselves; see ``Transform.apply``."""
        return validate_features(features, self.dim_in)

    def apply_to_photo(self, features: Floats, n_squares: int = 0) -> Floats:
        """The same vectors as of images; see ``Transform.apply_to_photo``."""
        return self.apply(features)

    @classmethod
    def fit(cls, blocks: Iterable[Floats], *, dim_in: int, n_rows: int) -> Self:
        """Nothing is fitted: the blocks are not read."""
        return cls(dim_in)

    def arrays(self) -> dict[str, Any]:
        """What there is to be stored, by name."""
        return {"dim_in": np.int64(self.dim_in)}

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> Self:
        """The inverse of ``arrays``; a KeyError where something is missing."""
        return cls(int(stored["dim_in"]))

    def save(self, path: Path) -> None:
        """Writes its width; see ``Transform.save``."""
        with atomic_file(path) as file:
            np.savez(file, **self.arrays())
