"""An extractor's network as Keras alone runs it."""

from __future__ import annotations

from typing import Any

__all__ = ["keras_model"]


def keras_model(spec: str, weights: str | None = None) -> Any:
    """The Keras model behind ``name@size``: uint8 RGB pictures in, features out, preprocessing included."""
    from stylesearch.extractors.backbones import BACKBONES
    from stylesearch.extractors.keras_models import build_backbone
    from stylesearch.extractors.weights import find_weights

    name, _, size = spec.partition("@")
    backbone = BACKBONES[name]
    return build_backbone(backbone, int(size or backbone.input_size), find_weights(backbone, weights))
