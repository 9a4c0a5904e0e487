"""How to make the Keras model of a table row, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from stylesearch.extractors.backbones import Backbone
from stylesearch.extractors.base import fingerprint_of
from stylesearch.extractors.weights import WeightsSource

__all__ = ["BackboneRecipe"]


@dataclass(frozen=True)
class BackboneRecipe:
    """A row of the table with an input size and weights.

    It is a :class:`~stylesearch.extractors.engines.base.GraphRecipe`.
    """

    backbone: Backbone
    input_size: int
    weights: WeightsSource

    @property
    def name(self) -> str:
        """The name in the table."""
        return self.backbone.name

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self.backbone.dim

    @property
    def weights_digest(self) -> str:
        """Hexadecimal sha256 of the weights file, or ``"random:SEED"``."""
        return self.weights.digest

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """What decides the vectors besides the weights."""
        return MappingProxyType(
            {
                "input_size": self.input_size,
                "layer": self.backbone.layer,
                "preprocessing": self.backbone.preprocessing,
            }
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 of all that decides the vectors."""
        return fingerprint_of(self.name, self.parameters, self.weights_digest)

    def build(self, policy: str = "float32") -> Any:
        """See :meth:`~stylesearch.extractors.engines.base.GraphRecipe.build`.

        Raises:
            WeightsMismatch: the weights are of another network.
        """
        from stylesearch.extractors.engines.tensorflow_import import import_keras

        import_keras()
        from stylesearch.extractors.keras_cnn import build_backbone

        return build_backbone(self.backbone, self.input_size, self.weights, policy)
