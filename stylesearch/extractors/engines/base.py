"""What runs a network: the two protocols between an extractor and its engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from stylesearch.extractors.base import Features, Images

__all__ = ["Engine", "GraphRecipe"]


class GraphRecipe(Protocol):
    """How to make the Keras model of an extractor, and what is known about it without making it.

    Attributes:
        name, input_size, fingerprint, weights_digest, parameters: as in
            :class:`~stylesearch.extractors.base.Extractor`.
        dim: width of a vector, or None where only the finished model tells.
    """

    @property
    def name(self) -> str: ...
    @property
    def input_size(self) -> int: ...
    @property
    def dim(self) -> int | None: ...
    @property
    def parameters(self) -> Mapping[str, Any]: ...
    @property
    def weights_digest(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...

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
        """Vectors of at least one picture, as in :meth:`~stylesearch.extractors.base.Extractor.extract`."""
        ...
