"""What a transform is: a cheap function from stored features to the vectors of a space."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from stylesearch.errors import SpaceError

__all__ = ["Floats", "Transform", "checked_features"]

Floats = npt.NDArray[np.float32]


@runtime_checkable
class Transform(Protocol):
    """Takes features to where distances are taken. Immutable; two of one version are the same function.

    Attributes:
        name: of its space, as in :data:`stylesearch.spaces.SPACES`.
        dim_in: width of a feature.
        dim: width of what it becomes.
        version: hexadecimal digest of what it was fitted to; vectors of different versions do not compare.
    """

    @property
    def name(self) -> str: ...
    @property
    def dim_in(self) -> int: ...
    @property
    def dim(self) -> int: ...
    @property
    def version(self) -> str: ...

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

    def save(self, path: Path) -> None:
        """Writes it to a file, atomically."""
        ...


def checked_features(features: Floats, dim_in: int) -> Floats:
    """``features`` as float32.

    Raises:
        SpaceError: they are not of shape (n, dim_in).
    """
    if features.ndim != 2 or features.shape[1] != dim_in:
        raise SpaceError(f"features of shape (n, {dim_in}) are wanted. Received: {features.shape}")
    return np.asarray(features, dtype=np.float32)
