"""What runs a network: the two protocols between an extractor and its engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from stylesearch.array_types import Features, Images

__all__ = ["Engine", "GraphRecipe"]


class GraphRecipe(Protocol):
    """How to make the Keras model of an extractor, and what is known about it without making it."""

    @property
    def name(self) -> str:
        """What the extractor is called."""
        ...

    @property
    def input_size(self) -> int:
        """Side of the square input in pixels."""
        ...

    @property
    def dim(self) -> int | None:
        """Width of a vector, or None where only the finished model tells."""
        ...

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What decides the vectors besides the weights: JSON values by name."""
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
        """A new ``keras.Model`` from uint8 RGB ``(n, input_size, input_size, 3)`` to float32 ``(n, dim)``.

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
        precision: in which numbers it computes: ``"f32"``, ``"bf16"`` or ``"mixed_float16"``.
        device: what it runs on: ``"CPU"`` or ``"GPU"``.
    """

    dim: int
    precision: str
    device: str

    def run(self, images: Images) -> Features:
        """Vectors of at least one picture, as in ``Extractor.extract``."""
        ...
