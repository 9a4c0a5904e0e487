"""The features as they are: the space of the seed, with l1, l2 or cosine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from stylesearch.spaces.base import Floats, checked_features
from stylesearch.storage import atomic_file, digest_of

__all__ = ["RawTransform"]


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
    def version(self) -> str:
        """The same for all features of one width."""
        return digest_of({"space": self.name, "dim": self.dim_in})

    def apply(self, features: Floats) -> Floats:
        """The features themselves; see :meth:`Transform.apply`."""
        return checked_features(features, self.dim_in)

    @classmethod
    def fit(cls, blocks: Iterable[Floats], *, dim_in: int, n_rows: int) -> Self:
        """Nothing is fitted: the blocks are not read."""
        return cls(dim_in)

    def arrays(self) -> dict[str, Any]:
        """What there is to be stored, by name."""
        return {"dim_in": np.int64(self.dim_in)}

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> Self:
        """The inverse of :meth:`arrays`; a KeyError where something is missing."""
        return cls(int(stored["dim_in"]))

    def save(self, path: Path) -> None:
        """Writes its width; see :meth:`Transform.save`."""
        with atomic_file(path) as file:
            np.savez(file, **self.arrays())
