"""Builds the Keras model of a backbone: preprocessing, network, weights."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras

from stylesearch.extractors.backbones import PREPROCESSING, Backbone

if TYPE_CHECKING:
    from stylesearch.extractors.weights import WeightsSource


__all__ = [
    "append_texture",
    "apply_preprocessing",
    "backbone_graph",
    "build_backbone",
    "with_preprocessing",
]

# Keras knows only one dtype policy a process.
_policy_lock = threading.RLock()


def apply_preprocessing(mode: str, images: Any) -> Any:
    """Turns a uint8 Keras tensor ``(n, s, s, 3)`` in RGB into the float32 input of a network.

    It is part of the graph, so it is the same for every engine, travels with a converted model, and never
    writes into the caller's images (``keras.applications.*.preprocess_input`` does, for float arrays).

    Args:
        mode: a key of ``PREPROCESSING``.
        images: the symbolic input.
    """
    step = PREPROCESSING[mode]
    if step.bgr:
        images = keras.ops.flip(images, axis=-1)
    # Rescaling with float32 whatever the dtype policy: half precision cannot hold 255 * 0.485 well.
    return keras.layers.Rescaling(
        scale=[1.0 / scale for scale in step.scale],
        offset=[-mean / scale for mean, scale in zip(step.mean, step.scale, strict=True)],
        dtype="float32",
        name="normalise",
    )(images)


def build_backbone(
    backbone: Backbone,
    input_size: int,
    weights: WeightsSource,
    policy: str = "float32",
    *,
    with_texture: bool = False,
) -> keras.Model:
    """Builds the model of an extractor: uint8 RGB ``(n, input_size, input_size, 3)`` to float32 ``(n, dim)``.

    Args:
        backbone: the network.
        input_size: side of the input in pixels.
        weights: of the network.
        policy: Keras's dtype policy of the layers.
        with_texture: whether statistics of the backbone's texture layers stand behind its feature.

    Raises:
        WeightsMismatch: the weights are of another network.
    """
    from stylesearch.extractors.weight_files import assign_weights

    with _dtype_policy(policy):
        graph = backbone_graph(backbone, input_size)
        assign_weights(graph, weights)
        if with_texture:
            graph = append_texture(graph, backbone.texture_layers)
        return with_preprocessing(graph, input_size, backbone.preprocessing)


def backbone_graph(backbone: Backbone, input_size: int) -> keras.Model:
    """Builds the network of a backbone without preprocessing, cut at its layer, with random weights.

    Returns:
        A model from preprocessed ``(n, input_size, input_size, 3)`` to ``(n, backbone.dim)``.
    """
    if not backbone.module:
        from stylesearch.extractors.efficientnet_lite import efficientnet_lite

        return efficientnet_lite(backbone.name, input_size)
    module = importlib.import_module(f"keras.applications.{backbone.module}")
    network = getattr(module, backbone.class_name)
    shape = (input_size, input_size, 3)
    if backbone.any_size:
        return network(weights=None, include_top=False, pooling="avg", input_shape=shape)
    whole = network(weights=None, include_top=True, input_shape=shape)
    return keras.Model(whole.inputs, whole.get_layer(backbone.layer).output, name=backbone.name)


def append_texture(graph: keras.Model, layers: Sequence[str]) -> keras.Model:
    """Appends to a network's feature the mean and the deviation, over the image, of maps of some layers.

    Args:
        graph: from images to features ``(n, dim)``.
        layers: names of layers whose output is ``(n, height, width, channels)``.

    Returns:
        A model with the same input, to ``(n, dim + 2 * channels of all layers)``: for each layer in turn the
        means of its channels, then their deviations.
    """
    parts = [graph.output]
    for name in layers:
        maps = graph.get_layer(name).output
        mean = keras.ops.mean(maps, axis=(1, 2), keepdims=True)
        # The square of what is left of the mean: the difference of two means of squares would lose digits.
        variance = keras.ops.mean(keras.ops.square(maps - mean), axis=(1, 2))
        parts += [keras.ops.squeeze(mean, axis=(1, 2)), keras.ops.sqrt(variance)]
    return keras.Model(graph.input, keras.ops.concatenate(parts, axis=-1), name=graph.name)


def with_preprocessing(graph: keras.Model, input_size: int, mode: str) -> keras.Model:
    """Puts ``graph`` behind an input of uint8 RGB images and in front of a float32 output."""
    images = keras.Input((input_size, input_size, 3), dtype="uint8", name="images")
    features = graph(apply_preprocessing(mode, images), training=False)
    features = keras.layers.Activation("linear", dtype="float32", name="features")(features)
    return keras.Model(images, features, name=f"{graph.name}_extractor")


@contextlib.contextmanager
def _dtype_policy(policy: str) -> Iterator[Any]:
    """Layers made inside compute under ``policy``."""
    with _policy_lock:
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(policy)
        try:
            yield
        finally:
            keras.config.set_dtype_policy(before)
