"""The two protocols between an extractor and its engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from stylesearch.array_types import Features, Images

__all__ = ["Engine", "GraphRecipe"]


class GraphRecipe(Protocol):
    """Builds the Keras model of an extractor, and describes it without building it."""

    @property
    def name(self) -> str:
        """Name of the extractor."""
        ...

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""
        ...

    @property
    def dim(self) -> int | None:
        """Width of a vector, or None where it is known only once the model is built."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Everything besides the weights that decides the vectors: JSON values by name."""
        ...

    @property
    def weights_digest(self) -> str:
        """Hexadecimal sha256 of the weights file, or ``"random:SEED"``."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 of all that decides the vectors."""
        ...

    def build(self, policy: str = "float32") -> Any:
        """Builds a ``keras.Model`` from uint8 RGB ``(n, input_size, input_size, 3)`` to float32 ``(n, dim)``.

        Args:
            policy: Keras's dtype policy for the layers between the two: ``"float32"`` or ``"mixed_float16"``.

        Raises:
            ExtractorError: the model or its weights cannot be used.
        """
        ...


class Engine(Protocol):
    """A network that is loaded and ready to run. Thread-safe.

    Attributes:
        dim: width of a vector.
        precision: the numbers that it computes in: ``"f32"``, ``"bf16"`` or ``"mixed_float16"``.
        device: the device that it runs on: ``"CPU"`` or ``"GPU"``.
    """

    dim: int
    precision: str
    device: str

    def run(self, images: Images) -> Features:
        """Vectors of one or more images: see ``Extractor.extract``."""
        ...
