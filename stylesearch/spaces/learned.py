"""The learned space: a network's embedding joined with the untrained vectors, under one plain metric.

A vector is the concatenation ``[e ; u]`` of e, a network's embedding of a feature, and u, the feature in the
best untrained space. Each category has a weight a from 0 (untrained only) to 1 (learned only). It scales the
axes of images and query alike, so that the metric on scaled vectors is *exactly* the weighted distance. A
part that no category uses (all weights 0, or all 1) is left out; u alone is not scaled:

| metric | e and u | scales of e and of u | distance of scaled vectors |
|---|---|---|---|
| cosine | each of length one | sqrt(a), sqrt(1 - a) | a * cosine(e) + (1 - a) * cosine(u) |
| l1 | as they are, u times a constant | a, 1 - a | a * l1(e) + (1 - a) * l1(u) |
| l2 | the same | sqrt(a), sqrt(1 - a) | square root of a * l2(e) ** 2 + (1 - a) * l2(u) ** 2 |

So an ordinary index searches the space, and the network is a few matrix products in NumPy: a query imports
no framework. A vector of zeros has no length and stays zero.

References:
    S. Chopra, R. Hadsell and Y. LeCun, "Learning a similarity metric discriminatively, with application to
    face verification", CVPR 2005 (towers of shared weights under a plain metric).
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Self

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.data_files import parse_json, read_arrays
from stylesearch.distance import METRICS
from stylesearch.errors import SpaceError
from stylesearch.files import atomic_file
from stylesearch.spaces.base import validate_features
from stylesearch.spaces.untrained import Untrained, transform_from_arrays
from stylesearch.vectors import multiply, normalize_rows

__all__ = [
    "ACTIVATIONS",
    "DEFAULT_CATEGORY",
    "Layer",
    "LearnedTransform",
    "Untrained",
    "check_layers",
]

# A small feed-forward network in NumPy: what is left of a Keras head when it has been trained.

ACTIVATIONS: Final = ("linear", "relu")


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer: ``y = activation((x @ kernel) * gain + bias)``, and ``+ x`` if it is residual.

    What is None is left out; a layer has at least one of the three arrays.

    Args:
        kernel: float32, shape (i, o).
        bias: float32, shape (o,).
        gain: float32, shape (o,); alone it weighs each axis, as the weighted l1 distance does.
        activation: ``linear`` or ``relu``.
        residual: whether the input is added to the output, which then has the same width.

    Raises:
        SpaceError: shapes that do not fit each other, values that are not finite, no such activation.

    Example:
        >>> layer = Layer(None, None, np.float32([2, 0]))
        >>> layer.apply(np.float32([[1, 5]])).tolist()
        [[2.0, 0.0]]
    """

    kernel: Floats | None
    bias: Floats | None
    gain: Floats | None = None
    activation: str = "linear"
    residual: bool = False

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise SpaceError(
                f"an activation is one of {', '.join(ACTIVATIONS)}. Received: {self.activation!r}"
            )
        arrays = {"kernel": self.kernel, "bias": self.bias, "gain": self.gain}
        widths = set()
        for name, array in arrays.items():
            if array is None:
                continue
            n_axes = 2 if name == "kernel" else 1
            if array.ndim != n_axes or array.dtype != np.float32 or not np.isfinite(array).all():
                raise SpaceError(
                    f"the {name} of a layer is float32 with {n_axes} axes, and finite. "
                    f"Received: {array.dtype}, shape {array.shape}"
                )
            widths.add(array.shape[-1])
        if len(widths) != 1:
            shapes = {name: array.shape for name, array in arrays.items() if array is not None}
            raise SpaceError(f"a layer has arrays of one width. Received: {shapes}")
        if self.residual and self.dim_in != self.dim:
            raise SpaceError(f"a residual layer keeps the width. Received: {self.dim_in} to {self.dim}")

    @property
    def dim_in(self) -> int:
        """Width of the input."""
        return self.dim if self.kernel is None else int(self.kernel.shape[0])

    @property
    def dim(self) -> int:
        """Width of the output."""
        first = next(array for array in (self.kernel, self.bias, self.gain) if array is not None)
        return int(first.shape[-1])

    def apply(self, vectors: Floats) -> Floats:
        """Applies the layer to vectors.

        Args:
            vectors: float32, shape (n, dim_in); not modified.

        Returns:
            float32, shape (n, dim).
        """
        found = vectors if self.kernel is None else multiply(vectors, self.kernel, self._rows)
        if self.gain is not None:
            found = found * self.gain
        if self.bias is not None:
            found = found + self.bias
        if self.activation == "relu":
            found = np.maximum(found, np.float32(0))
        if self.residual:
            found = found + vectors
        return found

    @functools.cached_property
    def _rows(self) -> Floats:
        """The kernel as rows, one behind the other."""
        assert self.kernel is not None
        return np.ascontiguousarray(self.kernel.T)


def check_layers(layers: tuple[Layer, ...], dim_in: int) -> None:
    """Checks that each layer takes vectors as wide as those that the layer before it gives.

    Raises:
        SpaceError: the widths differ.
    """
    for number, layer in enumerate(layers):
        if layer.dim_in != dim_in:
            raise SpaceError(f"layer {number} takes vectors of width {layer.dim_in}. Received: {dim_in}")
        dim_in = layer.dim


DEFAULT_CATEGORY: Final = ""
"""Stands for every category that has no weight of its own."""

FORMAT = 1


@dataclass(frozen=True, eq=False)
class LearnedTransform:
    """A trained model as a transform.

    Args:
        name: name of the space, ``siamese:NAME``.
        untrained: the transform to u; frozen at the fit that training saw.
        base: the transform to the first layer's input; where it is ``untrained``, or of the same version, it
            is computed once for both.
        layers: from base vectors to e, one after the other; none at all for e = base vectors.
        metric: ``cosine``, ``l1`` or ``l2``: what the layers were trained for.
        weights: weight of the learned distance, from 0 to 1, by category; ``""`` has to be there: it stands
            for all others.
        untrained_scale: what u is multiplied by for l1 and l2, so that both distances are of one size; for
            cosine it changes nothing.

    Raises:
        SpaceError: widths that do not fit, a weight outside 0 to 1 or none for ``""``, no such metric.
    """

    name: str
    untrained: Untrained
    base: Untrained
    layers: tuple[Layer, ...]
    metric: str
    weights: Mapping[str, float]
    untrained_scale: float = 1.0

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise SpaceError(f"a metric is one of {', '.join(METRICS)}. Received: {self.metric!r}")
        if self.untrained.dim_in != self.base.dim_in:
            raise SpaceError(
                f"two transforms of features of one width are wanted. "
                f"Received: {self.untrained.dim_in} and {self.base.dim_in}"
            )
        check_layers(self.layers, self.base.dim)
        if DEFAULT_CATEGORY not in self.weights:
            raise SpaceError("a weight for all other categories is wanted, under the empty name")
        wrong = {name: weight for name, weight in self.weights.items() if not 0 <= weight <= 1}
        if wrong:
            raise SpaceError(f"weights are from 0 to 1. Received: {wrong}")
        if not 0 < self.untrained_scale < np.inf:
            raise SpaceError(f"untrained_scale is a number above 0. Received: {self.untrained_scale}")

    @property
    def dim_in(self) -> int:
        """Width of a feature."""
        return self.untrained.dim_in

    @property
    def dim_learned(self) -> int:
        """Width of e."""
        return self.layers[-1].dim if self.layers else self.base.dim

    @property
    def dim(self) -> int:
        """Width of a vector: that of e and of u together, or of the one of them that any category uses."""
        return sum(self._widths)

    @property
    def slices(self) -> Mapping[str, slice]:
        """Where the learned part of a vector is, and the parts of the untrained one behind it."""
        n_learned, n_untrained = self._widths
        parts = {"learned": slice(0, n_learned)}
        if n_untrained:
            for name, one in self.untrained.slices.items():
                parts[name] = slice(one.start + n_learned, one.stop + n_learned)
        return parts

    @functools.cached_property
    def scales(self) -> Mapping[str, Floats]:
        """Scales of the axes by category, float32 (dim,); see ``Transform.scales``."""
        found = {}
        for category, weight in self.weights.items():
            parts = np.array([weight, 1 - weight])
            scales = np.repeat(parts if self.metric == "l1" else np.sqrt(parts), self._widths).astype(
                np.float32
            )
            scales.flags.writeable = False
            found[category] = scales
        return MappingProxyType(found)

    @functools.cached_property
    def version(self) -> str:
        """Digest of all parts of the transform."""
        digest = hashlib.sha256(json.dumps(self._header(), sort_keys=True).encode())
        digest.update(self.untrained.version.encode() + self.base.version.encode())
        for name, array in self._arrays_of_layers():
            digest.update(f"{name}{array.shape}".encode() + array.astype("<f4").tobytes())
        return digest.hexdigest()

    def apply(self, features: Floats) -> Floats:
        """Vectors ``[e ; u]``, not yet scaled for a category; see ``Transform.apply``.

        For cosine both parts are of length one.
        """
        features = validate_features(features, self.dim_in)
        return self._join(lambda transform: transform.apply(features))

    def apply_to_photo(self, features: Floats, n_squares: int = 0) -> Floats:
        """Vectors ``[e ; u]`` of a photo's rows; see ``Transform.apply_to_photo``."""
        features = validate_features(features, self.dim_in)
        return self._join(lambda transform: transform.apply_to_photo(features, n_squares))

    def _join(self, apply: Callable[[Untrained], Floats]) -> Floats:
        n_learned, n_untrained = self._widths
        base = apply(self.base) if n_learned else None
        parts = []
        if base is not None:
            learned = base
            for layer in self.layers:
                learned = layer.apply(learned)
            parts.append(normalize_rows(learned) if self.metric == "cosine" else learned)
        if n_untrained:
            shared = base is not None and self._shares_base
            untrained = base if shared and base is not None else apply(self.untrained)
            if self.metric == "cosine":
                parts.append(normalize_rows(untrained))
            else:
                # Alone it needs no scale: there is no other distance to match.
                parts.append(untrained * np.float32(self.untrained_scale if n_learned else 1.0))
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def save(self, path: Path) -> None:
        """Writes the transform into one ``.npz`` file without pickles; see ``Transform.save``."""
        header = np.frombuffer(json.dumps(self._header(), sort_keys=True).encode(), np.uint8)
        arrays: dict[str, Any] = dict(self._arrays_of_layers())
        arrays |= {f"untrained.{name}": array for name, array in self.untrained.arrays().items()}
        if not self._shares_base:
            arrays |= {f"base.{name}": array for name, array in self.base.arrays().items()}
        with atomic_file(path) as file:
            np.savez(file, header=header, version=np.array(self.version), **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what ``save`` wrote.

        Raises:
            SpaceError: the file is missing, damaged, or of another kind.
        """
        try:
            arrays = read_arrays(path)
            header = parse_json(arrays["header"].tobytes())
            if header["format"] != FORMAT:
                raise SpaceError(f"it is of the format {header['format']}, which is not known here")
            untrained = _read_untrained(header["untrained"], "untrained", arrays)
            base = _read_untrained(header["base"], "base", arrays) if header["base"] else untrained
            layers = tuple(
                Layer(
                    arrays.get(f"layer{number}.kernel"),
                    arrays.get(f"layer{number}.bias"),
                    arrays.get(f"layer{number}.gain"),
                    **kind,
                )
                for number, kind in enumerate(header["layers"])
            )
            transform = cls(
                header["name"],
                untrained,
                base,
                layers,
                header["metric"],
                MappingProxyType(header["weights"]),
                header["untrained_scale"],
            )
            if transform.version != str(arrays["version"]):
                raise SpaceError("parts of it are missing, or another's")
            return transform
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            IndexError,
        ) as error:
            raise SpaceError(f"{path} cannot be read as a trained model: {error}") from error

    @functools.cached_property
    def _widths(self) -> tuple[int, int]:
        """Widths of e and u in a vector; 0 for one that no category uses."""
        weights = self.weights.values()
        return (
            self.dim_learned if any(weight > 0 for weight in weights) else 0,
            self.untrained.dim if any(weight < 1 for weight in weights) else 0,
        )

    @functools.cached_property
    def _shares_base(self) -> bool:
        return self.base is self.untrained or self.base.version == self.untrained.version

    def _header(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "name": self.name,
            "metric": self.metric,
            "weights": {name: float(weight) for name, weight in self.weights.items()},
            "untrained_scale": float(self.untrained_scale),
            "untrained": self.untrained.name,
            "base": None if self._shares_base else self.base.name,
            "layers": [{"activation": layer.activation, "residual": layer.residual} for layer in self.layers],
        }

    def _arrays_of_layers(self) -> Iterator[tuple[str, Floats]]:
        for number, layer in enumerate(self.layers):
            for name in ("kernel", "bias", "gain"):
                array = getattr(layer, name)
                if array is not None:
                    yield f"layer{number}.{name}", array


def _read_untrained(name: str, prefix: str, arrays: Mapping[str, Any]) -> Untrained:
    own = {
        key.removeprefix(f"{prefix}."): array for key, array in arrays.items() if key.startswith(f"{prefix}.")
    }
    return transform_from_arrays(name, own)
