"""Builds the Siamese network: one tower for photo and shop image, and a score of their similarity.

The score is a monotone function of a metric of the tower's vectors, so an index with that metric ranks
exactly as the network does.

A tower over vectors is a *head*, which is the base space itself at first: every trained array is *added* to
that start, and the weight decay of AdamW pulls it to zero. So a tower that learns nothing stays the base
space, and weight decay pulls towards that space and not towards one in which all vectors are zero.

References:
    X. Li, Y. Grandvalet and F. Davoine, "Explicit inductive bias for transfer learning with convolutional
    networks", ICML 2018 (decay towards the start).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from stylesearch.errors import ConfigError
from stylesearch.spaces.learned import Layer
from stylesearch.training.data import TrainingData

__all__ = [
    "AxisWeights",
    "CosineScore",
    "EmbeddingHead",
    "HiddenResidual",
    "L1Score",
    "build_tower",
    "l1_start",
    "load_siamese",
    "siamese",
    "to_layers",
]

_ONE: Final = math.log(math.e - 1)
"""The softplus of this is 1."""

_N_PHOTOS: Final = 256
"""Photos that the start of an l1 distance is measured by."""


@keras.saving.register_keras_serializable(package="stylesearch")
class EmbeddingHead(keras.layers.Layer):  # type: ignore[misc]
    """A matrix and a bias that start as a choice of axes: the leading ones, which vary most, and the last.

    Args:
        dim: width of its output, from (..., d) to (..., dim).
        n_last: number of output axes that start as the last axes, which are colors.
    """

    def __init__(self, dim: int, n_last: int = 0, **named: Any) -> None:
        super().__init__(**named)
        self.dim = dim
        self.n_last = n_last

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = int(input_shape[-1] or 0)
        self.change = self.add_weight(shape=(width, self.dim), initializer="zeros", name="change")
        self.bias = self.add_weight(shape=(self.dim,), initializer="zeros", name="bias")
        axes = np.r_[: self.dim - self.n_last, width - self.n_last : width]
        self.start = np.eye(width, dtype=np.float32)[:, axes]

    @property
    def kernel(self) -> Any:
        """The matrix that vectors are multiplied by, (d, dim)."""
        return self.change + self.start

    def call(self, vectors: Any) -> Any:
        return keras.ops.matmul(vectors, self.kernel) + self.bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dim": self.dim, "n_last": self.n_last}

    def as_layer(self) -> Layer:
        """The same layer in NumPy."""
        return Layer(_array(self.kernel), _array(self.bias))


@keras.saving.register_keras_serializable(package="stylesearch")
class HiddenResidual(keras.layers.Layer):  # type: ignore[misc]
    """A residual hidden layer, ``x + relu(x @ kernel + bias)``, which starts as nearly ``x``.

    Args:
        seed: seed of the initial kernel, which is small and random: from zeros nothing would be learned.
    """

    def __init__(self, seed: int = 0, **named: Any) -> None:
        super().__init__(**named)
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        width = int(input_shape[-1] or 0)
        small = keras.initializers.RandomNormal(stddev=0.1 / width**0.5, seed=self.seed)
        self.kernel = self.add_weight(shape=(width, width), initializer=small, name="kernel")
        self.bias = self.add_weight(shape=(width,), initializer="zeros", name="bias")

    def call(self, vectors: Any) -> Any:
        return vectors + keras.ops.relu(keras.ops.matmul(vectors, self.kernel) + self.bias)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}

    def as_layer(self) -> Layer:
        """The same layer in NumPy."""
        return Layer(_array(self.kernel), _array(self.bias), activation="relu", residual=True)


@keras.saving.register_keras_serializable(package="stylesearch")
class AxisWeights(keras.layers.Layer):  # type: ignore[misc]
    """Multiplies each axis by a weight of at least zero: the l1 of its output is a weighted l1 of its input.

    The weights are ``scale * softplus(raw)``, and start as ``scale``.

    Args:
        scale: brings distances into the range where a sigmoid is not flat.
    """

    def __init__(self, scale: float = 1.0, **named: Any) -> None:
        super().__init__(**named)
        self.scale = scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.change = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="change")

    @property
    def weighting(self) -> Any:
        """The weights, (d,)."""
        return self.scale * keras.ops.softplus(self.change + _ONE)

    def call(self, vectors: Any) -> Any:
        return vectors * self.weighting

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}

    def as_layer(self) -> Layer:
        """The same layer in NumPy."""
        return Layer(None, None, _array(self.weighting))


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


def build_tower(
    head: str, width: int, dim: int, *, n_last: int = 0, l1_scale: float | None = None, seed: int = 0
) -> keras.Model:
    """Builds a tower over vectors of the base space.

    Args:
        head: a name in ``stylesearch.training.options.HEADS``.
        width: width of the base space's vectors.
        dim: width of the learned vectors, at most ``width``; ``axes`` keeps the width.
        n_last: number of the last axes that an embedding starts with, in addition to the ``dim`` leading
            ones.
        l1_scale: for a tower whose vectors are compared by l1: initial value of its weights. Such a tower
            ends in ``AxisWeights``.
        seed: seed of random initial weights.

    Returns:
        A model called ``tower``, float32 (n, width) to (n, dim).
    """
    vectors = keras.Input((width,), name="vectors")
    found = vectors
    if head == "residual":
        found = HiddenResidual(seed, name="hidden")(found)
    if head != "axes":
        n_last = min(n_last, max(width - dim, 0))
        found = EmbeddingHead(min(dim + n_last, width), n_last, name="embedding")(found)
    if head == "axes" or l1_scale is not None:
        found = AxisWeights(1.0 if l1_scale is None else l1_scale, name="weights")(found)
    return keras.Model(vectors, found, name="tower")


def to_layers(model: keras.Model) -> tuple[Layer, ...]:
    """Converts a tower to layers that NumPy computes at query time.

    Args:
        model: a tower of ``build_tower``, or a Siamese network of such towers.

    Raises:
        ConfigError: it has layers that NumPy does not compute.

    Example:
        >>> tower = build_tower("linear", 3, 2)
        >>> [layer.apply(np.float32([[1, 2, 3]])).tolist() for layer in to_layers(tower)]
        [[[1.0, 2.0]]]
    """
    names = [layer.name for layer in model.layers]
    tower = model.get_layer("tower") if "tower" in names else model
    layers = []
    for layer in tower.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if not isinstance(layer, EmbeddingHead | HiddenResidual | AxisWeights):
            raise ConfigError(f"{layer.name!r} ({type(layer).__name__}) is no layer of a head over vectors")
        layers.append(layer.as_layer())
    return tuple(layers)


def l1_start(data: TrainingData) -> tuple[float, float]:
    """Measures the initial weight of all axes, and the initial bias, of a sigmoid of ``bias - weight * l1``.

    Distances of wrong pairs then have a standard deviation of 1, and the bias is half-way between right and
    wrong pairs. Fixed values would be far off, since l1 distances grow with the width and the length of the
    vectors.

    Args:
        data: the data, of which an even sample of training photos is measured.

    Returns:
        weight, bias.
    """
    photos = np.flatnonzero(data.train[data.photo_product])
    photos = photos[np.unique(np.arange(_N_PHOTOS) * len(photos) // _N_PHOTOS)]
    right: list[float] = []
    wrong: list[float] = []
    images = np.flatnonzero(data.train[data.shop_product])
    for number, photo in enumerate(photos):
        product = data.photo_product[photo]
        own = images[data.shop_product[images] == product]
        if data.own is not None:
            own = own[own != data.own[photo]]
        others = images[data.shop_product[images] != product]
        for chosen, found in ((own, right), (others, wrong)):
            if len(chosen):
                image = data.shop[chosen[number % len(chosen)]]
                found.append(float(np.abs(data.photos[photo] - image).sum(axis=1).min()))
    deviation = float(np.std(wrong)) if wrong else 0.0
    if not right or not deviation > 0:
        return 1.0, 0.0
    return 1 / deviation, (float(np.mean(right)) + float(np.mean(wrong))) / 2 / deviation


def siamese(tower: keras.Model, metric: str, *, l1_start: float = 0.0) -> keras.Model:
    """Builds a network of two inputs, the same tower on both, and one score, (n,): larger is more alike.

    Args:
        tower: a model called ``tower``, (n, ...) to (n, dim).
        metric: metric of its vectors, ``cosine`` or ``l1``.
        l1_start: the start of ``L1Score``.

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
    try:
        return keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{path} cannot be read as a saved network: {error}") from error


def _array(tensor: Any) -> Any:
    return np.array(keras.ops.convert_to_tensor(tensor).numpy(), np.float32)
