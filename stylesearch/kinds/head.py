"""Names the kind of garment from features that are computed anyway: a t-shirt, pants, or no garment at all.

The head takes the signed square roots of a network's features at length one, and gives a probability for each
kind. It is a few tens of kilobytes, needs NumPy alone, and exists for the features that its card names;
docs/kinds.md says how it was made and how often it is right.
"""

from __future__ import annotations

import functools
import hashlib
import io
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from stylesearch.array_types import AnyFloats, Floats
from stylesearch.data_files import check_fields, parse_json, read_arrays
from stylesearch.errors import ConfigError, SpaceError
from stylesearch.files import sha256_bytes
from stylesearch.vectors import multiply, normalize_rows

__all__ = ["CARD", "WEIGHTS", "HeadFeatures", "KindHead", "kind_distances", "shipped_head"]

CARD: Final = "card.json"
WEIGHTS: Final = "weights.npz"


@dataclass(frozen=True, slots=True)
class HeadFeatures:
    """Features that a head was trained on.

    Attributes:
        extractor: name of the network, without what is appended to its features.
        input_size: side of the square input in pixels.
        layer: where the network is cut.
        preprocessing: what is done to pixels before.
        weights_digest: hexadecimal sha256 of the network's weights.
        widths: widths of vectors that begin with the network's numbers: of the network alone, and with what
            may be appended (texture, colors).
    """

    extractor: str
    input_size: int
    layer: str
    preprocessing: str
    weights_digest: str
    widths: tuple[int, ...]

    def is_of(self, extractor: str, parameters: Mapping[str, Any], weights_digest: str) -> bool:
        """Whether a feature set begins with these features; arguments as ``KindHead.check_features``."""
        return (
            extractor.partition("+")[0] == self.extractor
            and weights_digest == self.weights_digest
            and all(
                parameters.get(name) == getattr(self, name)
                for name in ("input_size", "layer", "preprocessing")
            )
        )

    def __str__(self) -> str:
        return f"{self.extractor}@{self.input_size} with the weights {self.weights_digest[:8]}"


class KindHead:
    """Names kinds of garments from features.

    Args:
        kinds: their names.
        features: what it was trained on.
        layers: matrix, float32 (i, o), and offsets, (o,), of each layer; between two layers, negative numbers
            become 0. The last one gives a number for each kind.

    Raises:
        SpaceError: the layers do not fit each other, the features or the kinds.
    """

    def __init__(
        self, kinds: Sequence[str], features: HeadFeatures, layers: Sequence[tuple[Floats, Floats]]
    ) -> None:
        self.kinds = tuple(kinds)
        self.features = features
        self._layers = [
            (np.asarray(matrix, np.float32), np.asarray(offsets, np.float32)) for matrix, offsets in layers
        ]
        widths = [features.widths[0], *(matrix.shape[-1] for matrix, _ in self._layers)]
        wanted = list(itertools.pairwise(widths))
        shapes = [matrix.shape for matrix, _ in self._layers]
        if not shapes or shapes != wanted or [o.shape for _, o in self._layers] != [(w,) for _, w in wanted]:
            raise SpaceError(f"layers of a head that follow each other are wanted. Received: {shapes}")
        if widths[-1] != len(self.kinds):
            raise SpaceError(f"a head of {len(self.kinds)} kinds gives {widths[-1]} numbers")
        self._rows = [np.ascontiguousarray(matrix.T) for matrix, _ in self._layers]

    @functools.cached_property
    def version(self) -> str:
        """Digest of its kinds and layers."""
        digest = hashlib.sha256(repr(self.kinds).encode())
        for layer in self._layers:
            for array in layer:
                digest.update(repr(array.shape).encode() + array.astype("<f4").tobytes())
        return digest.hexdigest()

    @property
    def dim(self) -> int:
        """How many numbers of a vector are read: the first ones, which are the network's."""
        return self.features.widths[0]

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Loads the head that ships with the package, in a few milliseconds.

        Args:
            folder: holds another head's card and weights.

        Raises:
            SpaceError: a file is missing or damaged, or the weights are not those of the card.
        """
        place: Traversable = files(__package__) if folder is None else folder
        try:
            card = parse_json(place.joinpath(CARD).read_bytes())
            data = place.joinpath(WEIGHTS).read_bytes()
            if sha256_bytes(data) != card["weights_sha256"]:
                raise SpaceError(f"{place / WEIGHTS} is not the file that its card describes")
            check_fields(HeadFeatures, card["features"])
            features = HeadFeatures(**{**card["features"], "widths": tuple(card["features"]["widths"])})
            stored = read_arrays(io.BytesIO(data))
            layers = [(stored[f"matrix_{i}"], stored[f"offsets_{i}"]) for i in range(len(stored) // 2)]
            kinds = list(card["kinds"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, SpaceError):
                raise
            raise SpaceError(f"the head that names kinds cannot be read from {place}: {error}") from error
        return cls(kinds, features, layers)

    def is_for(self, extractor: str, parameters: Mapping[str, Any], weights_digest: str) -> bool:
        """Whether it was trained on the features of an extractor: see ``check_features``."""
        return self.features.is_of(extractor, parameters, weights_digest)

    def check_features(self, extractor: str, parameters: Mapping[str, Any], weights_digest: str) -> None:
        """Checks that it was trained on the features of an extractor.

        Args:
            extractor: the extractor's name, with or without ``+texture`` and ``+colors``.
            parameters: the extractor's, or the feature set's.
            weights_digest: digest of the network's weights.

        Raises:
            ConfigError: it was trained on others.
        """
        if not self.is_for(extractor, parameters, weights_digest):
            size = parameters.get("input_size")
            raise ConfigError(
                f"kinds are named from features of {self.features}, and these are of {extractor}@{size} "
                f"with the weights {weights_digest[:8]}",
                hint=f"the extractor {self.features.extractor}@{self.features.input_size}",
            )

    def predict(self, features: AnyFloats) -> Floats:
        """Gives the probability of each kind.

        Args:
            features: as the extractor made them, shape (n, dim), or wider by texture and colors, which are
                not read; not modified. That they are of the right extractor is for ``check_features`` to say.

        Returns:
            float32, shape (n, number of kinds); each row sums to 1.

        Raises:
            SpaceError: features of another width.

        Example:
            >>> features = HeadFeatures("net", 8, "top", "none", "ab", (2,))
            >>> head = KindHead(["hat", "shoes"], features, [(np.eye(2) * 5, np.zeros(2))])
            >>> head.predict(np.float32([[3, 0], [1, 1]])).round(2).tolist()
            [[0.9900000095367432, 0.009999999776482582], [0.5, 0.5]]
        """
        if features.ndim != 2 or features.shape[1] not in self.features.widths:
            known = " or ".join(f"(n, {width})" for width in self.features.widths)
            raise SpaceError(f"features of shape {known} are wanted. Received: {features.shape}")
        network = np.asarray(features[:, : self.dim], np.float32)
        values = normalize_rows(np.sign(network) * np.sqrt(np.abs(network)))
        for number, ((matrix, offsets), rows) in enumerate(zip(self._layers, self._rows, strict=True)):
            values = multiply(np.maximum(values, 0) if number else values, matrix, rows) + offsets
        values = np.exp(values - values.max(axis=1, keepdims=True))
        probabilities: Floats = values / values.sum(axis=1, keepdims=True)
        return probabilities


@functools.cache
def shipped_head() -> KindHead:
    """The head that ships with the package, loaded once."""
    return KindHead.load()


def kind_distances(photos: Floats, images: Floats) -> Floats:
    """How differently photos and images are seen: 1 minus the sum of the roots of products of probabilities.

    It is 0 where both have the same probabilities, and 1 where no kind is possible for both. It is the cosine
    distance of the square roots of both, so it can be searched as a part of one vector.

    Args:
        photos: probabilities, float32 (n, number of kinds).
        images: the same, (m, number of kinds).

    Returns:
        float32, shape (n, m).

    Example:
        >>> kind_distances(np.float32([[1, 0]]), np.float32([[1, 0], [0, 1], [0.25, 0.75]])).tolist()
        [[0.0, 1.0, 0.5]]
    """
    likeness = np.sqrt(photos) @ np.sqrt(images).T
    distances: Floats = np.maximum(1 - likeness, 0)
    return distances
