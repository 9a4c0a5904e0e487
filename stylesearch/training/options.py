"""Options of a training run: the settings that decide the weights of a tower."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from stylesearch.errors import ConfigError
from stylesearch.files import digest_of
from stylesearch.registry import unknown_name

__all__ = [
    "HEADS",
    "LOSSES",
    "LossDefaults",
    "TrainOptions",
]


@dataclass(frozen=True, slots=True)
class LossDefaults:
    """Defaults of a loss.

    Attributes:
        metric: metric of the learned vectors.
        head: shape of the tower.
        learning_rate: the highest learning rate.
        margin: in the loss's own distance; 0 where it has none.
        summary: one line for listings.
    """

    metric: str
    head: str
    learning_rate: float
    margin: float
    summary: str


LOSSES: Final[Mapping[str, LossDefaults]] = {
    "softmax": LossDefaults("cosine", "linear", 1e-3, 0.0, "the right one among all of the batch"),
    "triplet": LossDefaults("cosine", "linear", 1e-3, 0.2, "nearer than a semi-hard wrong one, by a margin"),
    "contrastive": LossDefaults("cosine", "linear", 1e-3, 1.0, "right pairs near, wrong ones a margin apart"),
    "bce": LossDefaults("l1", "axes", 1e-2, 0.0, "a pair is right or wrong, by a sigmoid of weighted l1"),
}
"""The losses by name; see ``stylesearch.training.keras.losses``."""

HEADS: Final[Mapping[str, str]] = {
    "linear": "one matrix, at first the leading axes of the base space",
    "residual": "a hidden layer added to the base space, then one matrix",
    "axes": "a weight of at least zero for each axis of the base space",
}
"""Shapes of a tower by name; see ``stylesearch.training.keras.model``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """Settings of a training run. Two runs of equal options on equal data give equal weights on one machine.

    Attributes:
        loss: a name in ``LOSSES``.
        head: a name in ``HEADS``; None for that of the loss.
        dim: width of the learned vectors; never more than that of the base space. Not used by ``axes``.
        temperature: divisor of cosines in the loss ``softmax``.
        margin: margin of ``triplet`` (in squared Euclidean distance of vectors of length one, 0 to 4) and
            ``contrastive`` (Euclidean, 0 to 2); None: that of ``LOSSES``.
        mining: wrong images that ``triplet`` uses: ``semi-hard`` or ``hard``.
        negatives: number of wrong pairs for each right one in the loss ``bce``.
        epochs: largest number of epochs.
        batch_size: number of products in a batch.
        learning_rate: the highest learning rate; None for that of ``LOSSES``.
        warmup: number of epochs in which the learning rate rises; it then falls to 0 along a cosine.
        weight_decay: weight decay of AdamW; pulls a tower towards the base space that it starts as, not
            towards zero.
        dropout: share of the base space's axes that is dropped in a batch.
        clip_norm: largest norm of gradients; longer ones are shortened to it.
        patience: number of epochs without a better validation score after which training stops.
        top_k: the k of the validation score.
        seed: seed of batches, initial weights and dropout.
        within_category: whether a batch is of one category.
        hard_negatives: whether batches are built of nearest wrong neighbours.
        refresh_every: number of epochs after which those neighbours are looked up again.
    """

    loss: str = "softmax"
    head: str | None = None
    dim: int = 256
    temperature: float = 0.1
    margin: float | None = None
    mining: str = "semi-hard"
    negatives: int = 1
    epochs: int = 60
    batch_size: int = 256
    learning_rate: float | None = None
    warmup: float = 2.0
    weight_decay: float = 1e-4
    dropout: float = 0.0
    clip_norm: float = 1.0
    patience: int = 10
    top_k: int = 20
    seed: int = 0
    within_category: bool = False
    hard_negatives: bool = False
    refresh_every: int = 5

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise unknown_name("loss", self.loss, LOSSES)
        if self.head is not None and self.head not in HEADS:
            raise unknown_name("head", self.head, HEADS)
        if self.mining not in ("semi-hard", "hard"):
            raise unknown_name("mining", self.mining, {"semi-hard": 0, "hard": 0})
        least = {
            "dim": 1, "negatives": 1, "epochs": 1, "batch_size": 2, "patience": 1, "top_k": 1, "seed": 0,
            "refresh_every": 1, "warmup": 0, "weight_decay": 0,
        }  # fmt: skip
        for name, bound in least.items():
            if not getattr(self, name) >= bound:
                raise ConfigError(f"{name} is {bound} or more. Received: {getattr(self, name)!r}")
        for name in ("temperature", "clip_norm", "learning_rate", "margin"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"{name} is more than 0. Received: {value!r}")
        if not 0 <= self.dropout < 1:
            raise ConfigError(f"dropout is at least 0 and less than 1. Received: {self.dropout!r}")

    @property
    def metric(self) -> str:
        """Metric by which the learned vectors are searched: ``cosine`` or ``l1``."""
        return LOSSES[self.loss].metric

    def resolve_defaults(self) -> Self:
        """Copies the options, with the values of ``LOSSES`` in place of None."""
        defaults = LOSSES[self.loss]
        return dataclasses.replace(
            self,
            head=self.head or defaults.head,
            learning_rate=self.learning_rate or defaults.learning_rate,
            margin=self.margin or defaults.margin or None,
        )

    def as_dict(self) -> dict[str, Any]:
        """Resolved options as JSON values by name."""
        return dataclasses.asdict(self.resolve_defaults())

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 of the resolved options."""
        return digest_of(self.as_dict())
