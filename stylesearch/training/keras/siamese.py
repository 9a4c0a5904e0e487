"""The Siamese network: one tower for photo and shop picture, and a score of how alike its vectors are.

The score is a monotone function of a plain metric on the tower's vectors, so an index that knows that metric
ranks exactly as the network does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras

from stylesearch.errors import ConfigError

__all__ = ["CosineScore", "L1Score", "load_siamese", "siamese"]


@keras.saving.register_keras_serializable(package="stylesearch")
class CosineScore(keras.layers.Layer):  # type: ignore[misc]
    """The cosine of two vectors, (n, d) and (n, d) to (n,): 1 minus their cosine distance."""

    def call(self, photo: Any, shop: Any) -> Any:
        return keras.ops.sum(keras.ops.normalize(photo) * keras.ops.normalize(shop), axis=-1)


@keras.saving.register_keras_serializable(package="stylesearch")
class L1Score(keras.layers.Layer):  # type: ignore[misc]
    """The probability that two vectors show one product: ``sigmoid(b - l1)``, (n, d) and (n, d) to (n,).

    Args:
        start: the value of ``b`` before training.
    """

    def __init__(self, start: float = 0.0, **named: Any) -> None:
        super().__init__(**named)
        self.start = start

    def build(self, *shapes: Any) -> None:
        self.bias = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(self.start), name="bias"
        )

    def call(self, photo: Any, shop: Any) -> Any:
        return keras.ops.sigmoid(self.bias - keras.ops.sum(keras.ops.abs(photo - shop), axis=-1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start}


def siamese(tower: keras.Model, metric: str, *, l1_start: float = 0.0) -> keras.Model:
    """Two inputs, the same tower on both, one score of shape (n,): larger is more alike.

    Args:
        tower: a model called ``tower``, (n, ...) to (n, dim).
        metric: that its vectors are compared by, ``cosine`` or ``l1``.
        l1_start: see :class:`L1Score`.

    Raises:
        ConfigError: another metric.
    """
    if metric not in ("cosine", "l1"):
        raise ConfigError(f"a Siamese network compares by cosine or l1. Received: {metric!r}")
    photo = keras.Input(tower.input_shape[1:], name="photo")
    shop = keras.Input(tower.input_shape[1:], name="shop")
    score = CosineScore(name="score") if metric == "cosine" else L1Score(l1_start, name="score")
    return keras.Model([photo, shop], score(tower(photo), tower(shop)), name="siamese")


def load_siamese(path: Path) -> keras.Model:
    """Reads a saved Siamese network.

    Raises:
        ConfigError: the file is missing, damaged or no Keras model.
    """
    from stylesearch.training.keras import heads  # registers the layers of a tower

    assert heads
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path} is no saved network: {error}") from error
