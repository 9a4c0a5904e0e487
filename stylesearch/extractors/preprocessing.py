"""From uint8 RGB to what a network was trained on, as layers of the graph.

Being inside the graph, it is the same for every engine, travels with a converted model, and never writes
into the caller's pictures (``keras.applications.*.preprocess_input`` does, for float arrays).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

__all__ = ["PREPROCESSING", "Preprocessing", "apply_preprocessing"]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """``(x - mean) / scale`` for each channel of ``x`` in 0...255, in RGB or BGR order.

    Attributes:
        mean, scale: three numbers each, in the order of the output's channels.
        bgr: whether the network wants blue first.
    """

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bgr: bool = False


PREPROCESSING: Mapping[str, Preprocessing] = MappingProxyType(
    {
        "none": Preprocessing(),
        "0-1": Preprocessing(scale=(255.0, 255.0, 255.0)),
        "tf": Preprocessing(mean=(127.5, 127.5, 127.5), scale=(127.5, 127.5, 127.5)),
        "lite": Preprocessing(mean=(127.0, 127.0, 127.0), scale=(128.0, 128.0, 128.0)),
        "caffe": Preprocessing(mean=(103.939, 116.779, 123.68), bgr=True),
        "torch": Preprocessing(
            mean=(255 * 0.485, 255 * 0.456, 255 * 0.406), scale=(255 * 0.229, 255 * 0.224, 255 * 0.225)
        ),
    }
)


def apply_preprocessing(mode: str, images: Any) -> Any:
    """A float32 Keras tensor for the network from a uint8 one ``(n, s, s, 3)`` in RGB.

    Args:
        mode: a key of :data:`PREPROCESSING`.
        images: symbolic input.
    """
    from keras import layers, ops

    step = PREPROCESSING[mode]
    if step.bgr:
        images = ops.flip(images, axis=-1)
    # Rescaling with float32 whatever the dtype policy: half precision cannot hold 255 * 0.485 well.
    return layers.Rescaling(
        scale=[1.0 / scale for scale in step.scale],
        offset=[-mean / scale for mean, scale in zip(step.mean, step.scale, strict=True)],
        dtype="float32",
        name="normalise",
    )(images)
