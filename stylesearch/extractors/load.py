"""From a name to an extractor."""

from __future__ import annotations

from stylesearch.errors import ConfigError
from stylesearch.extractors.backbones import BACKBONES
from stylesearch.extractors.base import Extractor, ExtractorInfo
from stylesearch.extractors.cnn import CnnExtractor
from stylesearch.registry import unknown_name

def load_extractor(spec: str, *, weights: str | None = None, engine: str = "auto", precision: str = "auto", input_size: int | None = None, throughput: bool = False) -> Extractor:
    from stylesearch.extractors.recipes import BackboneRecipe
    from stylesearch.extractors.weights import find_weights
    name, _, size = spec.partition("@")
    if name not in BACKBONES:
        raise unknown_name("extractor", name, BACKBONES)
    backbone = BACKBONES[name]
    recipe = BackboneRecipe(backbone, int(size or input_size or backbone.input_size), find_weights(backbone, weights))
    def open_engine(recipe):
        from stylesearch.extractors.engines.openvino import OpenVinoEngine
        return OpenVinoEngine(recipe, precision)
    from stylesearch.extractors.engines.devices import n_cores
    return CnnExtractor(recipe, open_engine, n_cores() if throughput else 1)

def describe_extractors() -> list[ExtractorInfo]:
    return []
