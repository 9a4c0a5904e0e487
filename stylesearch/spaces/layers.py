"""A small feed-forward network in NumPy: what is left of a Keras head when it has been trained."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np

from stylesearch.errors import SpaceError
from stylesearch.spaces.base import Floats, multiplied

__all__ = ["ACTIVATIONS", "Layer", "check_layers"]

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
        residual: what came in is added to what goes out, which is then of the same width.

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
        """Width of what comes in."""
        return self.dim if self.kernel is None else int(self.kernel.shape[0])

    @property
    def dim(self) -> int:
        """Width of what goes out."""
        first = next(array for array in (self.kernel, self.bias, self.gain) if array is not None)
        return int(first.shape[-1])

    def apply(self, vectors: Floats) -> Floats:
        """What the layer makes of vectors.

        Args:
            vectors: float32, shape (n, dim_in); not modified.

        Returns:
            float32, shape (n, dim).
        """
        found = vectors if self.kernel is None else multiplied(vectors, self.kernel, self._rows)
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
    """Makes sure that each layer takes what the one before it gives.

    Raises:
        SpaceError: it does not.
    """
    for number, layer in enumerate(layers):
        if layer.dim_in != dim_in:
            raise SpaceError(f"layer {number} takes vectors of width {layer.dim_in}. Received: {dim_in}")
        dim_in = layer.dim
