"""Joins a network's features and a color histogram in one space, at a fixed weight.

A feature is ``[f ; t ; h]``: f of the network, t of texture, h its last numbers, a histogram of colors.
Texture is not used: on whole pictures it compares cameras and grounds. A vector is:

```text
[ sqrt(1 - w) * unit(t(f)) ; sqrt(w) * unit(h) ]
```

with t one of the plain transforms (``stylesearch.spaces.unsupervised``), which is fitted to f alone, and
``unit`` a vector divided by its length. So every vector has length one, and

- cosine: ``(1 - w) * cosine(t(f)) + w * cosine(h)``. One index searches the weighted sum.
- l2: same order as cosine. Half the square of l2 is the cosine distance.
- l1: ``sqrt(1 - w)`` * l1 of the unit vectors of t(f), and ``sqrt(w)`` * that of h. A part with more numbers
  that are not zero counts for more than its weight says: colors, of which a picture has few, for less.

A part of zeros has no length and stays zero. A picture without colors (all white) is then compared by the
network's part alone: for cosine as if the cosine of its colors were about half that of the network's part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.errors import SpaceError
from stylesearch.files import atomic_file, digest_of
from stylesearch.spaces.base import validate_features
from stylesearch.spaces.parts import FeatureParts
from stylesearch.spaces.unsupervised import RawTransform, WhitenedTransform
from stylesearch.vectors import normalize_rows

__all__ = ["COLOR_WEIGHT", "JoinedTransform", "Plain"]

COLOR_WEIGHT: Final = 0.15
"""How much colors count. More finds more under a shop's own lamps and less in another light, where half of a
garment's colors fall into other bins: at 0.3 everything that colors bring is lost. See
docs/adr/0010-colors-join-the-network.md."""

Plain = RawTransform | WhitenedTransform
"""Transforms of features of one part."""


@dataclass(frozen=True, eq=False)
class JoinedTransform:
    """A plain transform of the network's part beside the colors; see the module.

    Args:
        plain: transform of the network's part.
        n_colors: how many of a feature's last numbers are colors.
        weight: weight of the colors, between 0 and 1; without colors it is not used.
        n_texture: how many numbers before the colors are left out.

    Raises:
        SpaceError: neither colors nor texture, or a weight that leaves nothing of a part.

    Example:
        >>> transform = JoinedTransform(RawTransform(2), 1, weight=0.36)
        >>> transform.apply(np.float32([[3, 4, 1], [0, 0, 2]])).round(2).tolist()
        [[0.48, 0.64, 0.6], [0.0, 0.0, 0.6]]
    """

    plain: Plain
    n_colors: int
    weight: float = COLOR_WEIGHT
    n_texture: int = 0

    scales = None
    metric = None

    def __post_init__(self) -> None:
        if self.n_colors + self.n_texture < 1 or not 0 < self.weight < 1:
            raise SpaceError(
                "colors are joined in some number with a weight between 0 and 1. "
                f"Received: {self.n_colors} with {self.weight}"
            )

    @property
    def name(self) -> str:
        """Name of the plain transform's space: it is the same with and without colors."""
        return self.plain.name

    @property
    def dim_in(self) -> int:
        """Width of a feature."""
        return self.plain.dim_in + self.n_texture + self.n_colors

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self.plain.dim + self.n_colors

    @property
    def slices(self) -> Mapping[str, slice]:
        """Where the network's part and the colors of a vector are."""
        return {"network": slice(0, self.plain.dim), "colors": slice(self.plain.dim, self.dim)}

    @property
    def version(self) -> str:
        """Digest of the plain transform's version, the number of colors and their weight."""
        decides = {
            "space": self.name,
            "plain": self.plain.version,
            "colors": self.n_colors,
            "weight": float(self.weight),
        }
        return digest_of(decides | ({"texture": self.n_texture} if self.n_texture else {}))

    def apply(self, features: Floats) -> Floats:
        """Vectors of the space, of length one; see ``Transform.apply``."""
        features = validate_features(features, self.dim_in)
        vectors = np.empty((len(features), self.dim), np.float32)
        of_network, of_colors = vectors[:, : self.plain.dim], vectors[:, self.plain.dim :]
        found = normalize_rows(self.plain.apply(features[:, : self.plain.dim_in]))
        weight = self.weight if self.n_colors else 0.0
        np.multiply(found, np.float32((1 - weight) ** 0.5), out=of_network)
        colors = normalize_rows(features[:, self.plain.dim_in + self.n_texture :])
        np.multiply(colors, np.float32(weight**0.5), out=of_colors)
        return vectors

    def apply_to_photo(self, features: Floats, n_squares: int = 0) -> Floats:
        """The same vectors as of images; see ``Transform.apply_to_photo``."""
        return self.apply(features)

    @classmethod
    def fit(
        cls, kind: type[Plain], blocks: Iterable[Floats], *, dim_in: int, n_rows: int, parts: FeatureParts
    ) -> Self:
        """Fits the plain transform to the network's part; nothing is fitted to colors.

        Args:
            kind: class of the plain transform.
            blocks, dim_in, n_rows, parts: see ``stylesearch.spaces.fit_transform``.

        Raises:
            SpaceError: features of another width.
        """
        of_network = (parts.split(validate_features(block, dim_in))[0] for block in blocks)
        plain = kind.fit(of_network, dim_in=parts.n_network(dim_in), n_rows=n_rows)
        return cls(plain, parts.n_colors, n_texture=parts.n_texture)

    def arrays(self) -> dict[str, Any]:
        """Arrays to be stored, by name: the plain transform's, and two numbers."""
        found = {
            **self.plain.arrays(),
            "n_colors": np.int64(self.n_colors),
            "color_weight": np.float64(self.weight),
        }
        return found | ({"n_texture": np.int64(self.n_texture)} if self.n_texture else {})

    @classmethod
    def from_arrays(cls, plain: Plain, stored: Mapping[str, Any]) -> Self:
        """The inverse of ``arrays``, given the plain transform.

        Raises:
            KeyError: something is missing.
            SpaceError: the values do not fit each other.
        """
        n_texture = int(stored["n_texture"]) if "n_texture" in stored else 0
        return cls(plain, int(stored["n_colors"]), float(stored["color_weight"]), n_texture)

    def save(self, path: Path) -> None:
        """Writes ``arrays``; see ``Transform.save``."""
        with atomic_file(path) as file:
            np.savez(file, **self.arrays())
