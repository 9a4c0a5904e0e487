"""An extractor's network as Keras alone runs it."""

from __future__ import annotations

from typing import Any

__all__ = ["keras_model"]


def keras_model(spec: str, weights: str | None = None) -> Any:
    """The Keras model behind an extractor: uint8 RGB pictures in, the network's features out, preprocessed.

    Args:
        spec: spec of the extractor; its texture and colors are left out.
        weights: weights of the network.
    """
    from stylesearch.extractors.backbones import BACKBONES
    from stylesearch.extractors.keras_models import build_backbone
    from stylesearch.extractors.spec import ExtractorSpec
    from stylesearch.extractors.weights import find_weights

    parsed = ExtractorSpec.parse(spec)
    backbone = BACKBONES[parsed.name]
    return build_backbone(backbone, parsed.input_size or backbone.input_size, find_weights(backbone, weights))
