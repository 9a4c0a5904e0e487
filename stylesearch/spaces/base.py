"""The protocol of transforms: cheap functions from stored features to the vectors of a space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.errors import SpaceError
from stylesearch.vectors import normalize_rows

__all__ = [
    "Transform",
    "join_squares",
    "scale_for_category",
    "validate_features",
]


@runtime_checkable
class Transform(Protocol):
    """Turns features into vectors of a space. Immutable; transforms of one version are the same function.

    Attributes:
        name: name of the space, as in ``stylesearch.spaces.SPACES``.
        dim_in: width of a feature.
        dim: width of a vector.
        version: hexadecimal digest of what it was fitted to; vectors of different versions do not compare.
        scales: what the axes of ``apply``'s vectors are multiplied by before a distance is taken, per
            category of the picture that is searched, float32 (dim,); ``""`` stands for every category that
            has none of its own. None: nothing is multiplied. See ``scale_for_category``.
        metric: the metric that it was made for; None for any.
        slices: where each part of a vector is, by its name: ``network``, ``colors``, ...
    """

    @property
    def name(self) -> str: ...
    @property
    def dim_in(self) -> int: ...
    @property
    def dim(self) -> int: ...
    @property
    def version(self) -> str: ...
    @property
    def scales(self) -> Mapping[str, Floats] | None: ...
    @property
    def metric(self) -> str | None: ...
    @property
    def slices(self) -> Mapping[str, slice]: ...

    def apply(self, features: Floats) -> Floats:
        """Vectors of the space.

        Args:
            features: shape (n, dim_in); not modified.

        Returns:
            float32, shape (n, dim).

        Raises:
            SpaceError: features of another width.
        """
        ...

    def apply_to_photo(self, features: Floats, n_squares: int = 0) -> Floats:
        """Vectors of the rows of one photo, as they are compared with those of images.

        Args:
            features: of the photo's regions and, behind them, of squares around a person, shape (n, dim_in);
                not modified.
            n_squares: how many of them are squares.

        Returns:
            float32, shape (n, dim): those of ``apply`` where the space makes no difference.

        Raises:
            SpaceError: features of another width.
        """
        ...

    def save(self, path: Path) -> None:
        """Writes the transform to a file, atomically."""
        ...


def validate_features(features: Floats, dim_in: int) -> Floats:
    """``features`` as float32.

    Raises:
        SpaceError: they are not of shape (n, dim_in).
    """
    if features.ndim != 2 or features.shape[1] != dim_in:
        raise SpaceError(f"features of shape (n, {dim_in}) are wanted. Received: {features.shape}")
    return np.asarray(features, dtype=np.float32)


def join_squares(vectors: Floats, n_squares: int, metric: str) -> Floats:
    """Joins each vector of a region with each of a square, which are a photo's last ones.

    An image is near to a pair if it is near to both: so an index can look for images that a region and a
    square agree on. For cosine, a pair orders the images as the sum of the distances to both does. Between
    pairs the order is not quite that of the sums, since their lengths differ before they are brought to one.

    Args:
        vectors: of a photo's regions and squares in a space, float32, shape (n, dim); not modified.
        n_squares: how many of them are squares; 0, or all of them: ``vectors`` itself is returned.
        metric: ``l1``, ``l2`` or ``cosine``.

    Returns:
        float32, shape ((n - n_squares) * n_squares, dim): the pairs of the first region, then of the second.
        For cosine a pair is the mean of both at length one; else their mean. Without a region, the squares.

    Example:
        >>> join_squares(np.float32([[3, 0], [0, 5], [0, 2]]), 1, "l2").tolist()
        [[1.5, 1.0], [0.0, 3.5]]
    """
    if not n_squares or n_squares == len(vectors):
        return vectors
    if metric == "cosine":
        vectors = normalize_rows(vectors)
    regions, squares = vectors[:-n_squares], vectors[-n_squares:]
    if not len(regions):
        return squares
    pairs: Floats = (regions[:, None] + squares[None]).reshape(-1, vectors.shape[1]) / np.float32(2)
    return normalize_rows(pairs) if metric == "cosine" else pairs


def scale_for_category(transform: Transform, vectors: Floats, category: str) -> Floats:
    """Scales vectors as they are compared within a category: those of the gallery and of the query alike.

    Args:
        transform: what made the vectors.
        vectors: from ``Transform.apply``, float32, shape (n, dim); not modified.
        category: of the pictures that are searched, whatever the query shows.

    Returns:
        float32, shape (n, dim); ``vectors`` itself where the transform scales nothing.
    """
    scales = transform.scales
    if scales is None:
        return vectors
    of_category = scales.get(category)
    product: Floats = vectors * (scales[""] if of_category is None else of_category)
    return product
