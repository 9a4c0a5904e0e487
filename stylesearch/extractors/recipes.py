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
    """A row of the table with an input size and weights: a :class:`~...engines.base.GraphRecipe`."""

    backbone: Backbone
    input_size: int
    weights: WeightsSource

    @property
    def name(self) -> str:
        return self.backbone.name

    @property
    def dim(self) -> int:
        return self.backbone.dim

    @property
    def weights_digest(self) -> str:
        return self.weights.digest

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        return MappingProxyType(
            {
                "input_size": self.input_size,
                "layer": self.backbone.layer,
                "preprocessing": self.backbone.preprocessing,
            }
        )

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint_of(self.name, self.parameters, self.weights_digest)

    def build(self, policy: str = "float32") -> Any:
        from stylesearch.extractors.keras_cnn import build_backbone

        return build_backbone(self.backbone, self.input_size, self.weights, policy)
