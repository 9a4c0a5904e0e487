"""A training step as one TensorFlow function, on one device or on several."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats
from stylesearch.errors import ConfigError
from stylesearch.extractors.engines.tensorflow import import_tensorflow
from stylesearch.training.keras.losses import bce_loss, contrastive_loss, softmax_loss, triplet_loss
from stylesearch.training.options import TrainOptions

__all__ = ["Step", "cosine_schedule", "strategy_over"]

tf = import_tensorflow()

_VALUES_AT_ONCE: Final = 2**24
"""Numbers that go through the tower at once when vectors are computed."""


class Step:
    """A Siamese network and its optimizer.

    Several devices embed a share of a batch each; the vectors are then gathered, so that every photo is
    compared with every shop image of the batch, and the loss is the same as on one device.

    Args:
        make_model: builds the network of ``siamese``.
        options: resolved options.
        shape_in: shape of one input of the tower.
        dtype: element type of the inputs.
        strategy: distribution strategy, from ``strategy_over``.
        n_batches: number of batches of an epoch, for the learning rate.
    """

    def __init__(
        self,
        make_model: Callable[[], keras.Model],
        options: TrainOptions,
        shape_in: tuple[int, ...],
        dtype: npt.DTypeLike,
        strategy: Any,
        n_batches: int,
    ) -> None:
        self._options = options
        self._margin = options.margin or 0.0  # resolved: none only where the loss has none
        self._strategy = strategy
        self._schedule = cosine_schedule(
            options.learning_rate or 0.0,  # resolved: never None
            options.epochs * n_batches,
            round(options.warmup * n_batches),
        )
        with strategy.scope():
            self.model = make_model()
            self._tower = self.model.get_layer("tower")
            self._trained = self.model.trainable_variables
            self._optimizer = keras.optimizers.AdamW(
                learning_rate=self._schedule, weight_decay=options.weight_decay
            )
            self._optimizer.build(self._trained)
        kind = tf.as_dtype(dtype)
        # Sizes of batches differ: an open size gives one graph for all of them.
        self._step = tf.function(
            self._on_all_devices,
            autograph=False,
            input_signature=[
                tf.TensorSpec([None, None, *shape_in], kind),
                tf.TensorSpec([None, *shape_in], kind),
                tf.TensorSpec([None], tf.int64),
                tf.TensorSpec([2], tf.int32),
            ],
        )
        self._embed = tf.function(
            lambda seen: self._tower(seen, training=False),
            autograph=False,
            input_signature=[tf.TensorSpec([None, *shape_in], kind)],
        )

    def run(
        self,
        photos: npt.NDArray[Any],
        shop: npt.NDArray[Any],
        groups: npt.NDArray[np.int64],
    ) -> float:
        """Trains on a batch and returns the loss before the update.

        Args:
            photos: shape (b, regions, ...), b at least 2.
            shop: a shop image of each photo's product, shape (b, ...).
            groups: group of duplicates of each product, shape (b,); products of one group are not wrong
                pairs.
        """
        seed = np.array([self._options.seed % 2**31, self.n_steps], np.int32)
        return float(self._step(photos, shop, groups, seed))

    @property
    def n_steps(self) -> int:
        """Number of steps taken."""
        return int(self._optimizer.iterations.value.numpy())

    @property
    def learning_rate(self) -> float:
        """Learning rate of the last step."""
        return float(self._schedule(self.n_steps - 1))

    def embed(self, seen: npt.NDArray[Any]) -> Floats:
        """Computes the tower's vectors: (n, ...) to float32 (n, dim)."""
        width = int(self._tower.output_shape[-1])
        at_once = max(1, _VALUES_AT_ONCE // max(1, int(np.prod(seen.shape[1:]))))
        vectors = np.empty((len(seen), width), np.float32)
        for start in range(0, len(seen), at_once):
            block = np.ascontiguousarray(seen[start : start + at_once])
            vectors[start : start + at_once] = self._embed(block).numpy()
        return vectors

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Variables of network and optimizer, by name."""
        return {name: variable.value.numpy() for name, variable in self._variables().items()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Sets the variables to a state from ``state``."""
        for name, variable in self._variables().items():
            variable.assign(state[name])

    def weights(self) -> list[npt.NDArray[Any]]:
        """Copies of the network's variables, in its order."""
        return [variable.value.numpy() for variable in self.model.variables]

    def _variables(self) -> dict[str, Any]:
        named = {f"model.{number}": variable for number, variable in enumerate(self.model.variables)}
        return named | {f"optimizer.{n}": variable for n, variable in enumerate(self._optimizer.variables)}

    def _on_all_devices(self, photos: Any, shop: Any, groups: Any, seed: Any) -> Any:
        losses = self._strategy.run(self._on_one_device, args=(photos, shop, groups, seed))
        return self._strategy.reduce(tf.distribute.ReduceOp.SUM, losses, axis=None)

    def _on_one_device(self, photos: Any, shop: Any, groups: Any, seed: Any) -> Any:
        context = tf.distribute.get_replica_context()
        n_devices = context.num_replicas_in_sync
        if self._options.dropout:
            kept = self._dropout_mask(photos, seed)
            photos, shop = photos * kept, shop * kept
        n_pairs = tf.shape(shop)[0]
        if n_devices > 1:
            device = context.replica_id_in_sync_group
            own = slice(device * n_pairs // n_devices, (device + 1) * n_pairs // n_devices)
            photos, shop = photos[own], shop[own]
        with tf.GradientTape() as tape:
            regions = tf.reshape(photos, tf.concat([[-1], tf.shape(photos)[2:]], 0))
            regions = tf.ensure_shape(regions, [None, *photos.shape[2:]])
            of_regions = self._tower(regions, training=False)
            of_photos = tf.reshape(
                of_regions, (tf.shape(photos)[0], tf.shape(photos)[1], of_regions.shape[-1])
            )
            of_shop = self._tower(shop, training=False)
            if n_devices > 1:
                # Photos and shop images are gathered at once: the shop image is one more region.
                both = context.all_gather(tf.concat([of_photos, of_shop[:, None]], axis=1), axis=0)
                both = tf.ensure_shape(both, [None, None, of_shop.shape[-1]])
                of_photos, of_shop = both[:, :-1], both[:, -1]
            same = groups[:, None] == groups[None, :]
            loss = self._loss(of_photos, of_shop, same, seed) / n_devices
        gradients = tape.gradient(loss, self._trained)
        if n_devices > 1:
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        gradients, _ = tf.clip_by_global_norm(gradients, self._options.clip_norm)
        # The optimizer adds up the gradients of the devices, each of which is of the whole batch by now.
        self._optimizer.apply([gradient / n_devices for gradient in gradients], self._trained)
        return loss

    def _loss(self, photos: Any, shop: Any, same: Any, seed: Any) -> Any:
        options = self._options
        if options.loss == "softmax":
            return softmax_loss(photos, shop, same, options.temperature)
        if options.loss == "triplet":
            return triplet_loss(photos, shop, same, self._margin, options.mining)
        if options.loss == "contrastive":
            return contrastive_loss(photos, shop, same, self._margin)
        n_others = tf.shape(shop)[0] - 1
        first = tf.random.stateless_uniform((), seed, 0, n_others, tf.int32)
        shifts = 1 + (first + tf.range(options.negatives)) % n_others
        return bce_loss(photos, shop, same, self.model.get_layer("score").bias, shifts)

    def _dropout_mask(self, photos: Any, seed: Any) -> Any:
        """1 / (1 - dropout) for axes that the batch keeps, 0 for the others; the same on all devices."""
        drawn = tf.random.stateless_uniform(photos.shape[2:], seed)
        return tf.cast(drawn >= self._options.dropout, photos.dtype) / (1 - self._options.dropout)


def cosine_schedule(highest: float, n_steps: int, n_warmup: int) -> keras.optimizers.schedules.CosineDecay:
    """Makes a schedule that rises linearly in the first steps, then falls to nearly 0 along half a cosine.

    Args:
        highest: the highest rate.
        n_steps: number of steps of the whole training.
        n_warmup: number of steps of the rise, at most half of all; the last of them, or the first step, has
            the highest rate.

    References:
        P. Goyal et al., "Accurate, large minibatch SGD", 2017 (warm-up); I. Loshchilov and F. Hutter, "SGDR:
        stochastic gradient descent with warm restarts", ICLR 2017 (the cosine; without restarts).

    Example:
        >>> schedule = cosine_schedule(1.0, 6, 2)
        >>> [round(float(schedule(step)), 2) for step in range(6)]
        [0.5, 1.0, 0.9, 0.65, 0.35, 0.1]
    """
    n_steps = max(1, n_steps)  # the training itself raises the error for no batches
    n_warmup = max(1, min(n_warmup, n_steps // 2))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=highest / n_warmup,
        decay_steps=n_steps - n_warmup + 1,
        warmup_target=highest if n_warmup > 1 else None,
        warmup_steps=n_warmup - 1,
    )


@functools.cache
def strategy_over(n_devices: int) -> Any:
    """Returns the distribution strategy over devices: GPUs where there are any, else logical processors.

    It is the same object each time: TensorFlow would mix up the sums of two strategies on the same devices.

    Raises:
        ConfigError: there are fewer devices.
    """
    if n_devices == 1:
        return tf.distribute.get_strategy()
    gpus, processors = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
    devices = gpus or processors
    if not 1 <= n_devices <= len(devices):
        seen = f"{len(gpus)} of them" if len(gpus) > 1 else "one" if gpus else "none"
        raise ConfigError(
            f"training over {n_devices} devices takes as many GPUs, and TensorFlow sees {seen}",
            hint=f"--devices {len(gpus)}" if len(gpus) > 1 else "leave --devices out",
        )
    return tf.distribute.MirroredStrategy([device.name for device in devices[:n_devices]])
