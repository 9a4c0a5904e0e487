"""Results of a training run: its epochs, and the network at its best weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylesearch.errors import TrainingError

if TYPE_CHECKING:
    from stylesearch.spaces.learned import Layer

__all__ = ["Epoch", "OnEpoch", "Trained", "TrainingDiverged"]


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the products.

    Attributes:
        number: from 1; 0 is before the first step.
        loss: mean loss over its batches; NaN for number 0.
        learning_rate: learning rate of its last step.
        top_k: share of validation photos whose product is among the first k of the whole gallery, by the
            learned vectors alone.
        reciprocal_rank: mean of 1 / rank of the right product.
        seconds: time that it took, with its validation.
    """

    number: int
    loss: float
    learning_rate: float
    top_k: float
    reciprocal_rank: float
    seconds: float

    @property
    def score(self) -> tuple[float, float]:
        """Validation score: top-k, then the reciprocal rank, which differs between epochs of equal top-k."""
        return self.top_k, self.reciprocal_rank


OnEpoch = Callable[[Epoch], None]
"""Called after each epoch, number 0 included; also with those of a run that is resumed, in their order."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained network.

    Attributes:
        model: the Siamese network, a ``keras.Model`` of two inputs and one score; larger is more alike. Its
            tower is the layer called ``tower``.
        layers: the tower in NumPy; None for a tower that was given to ``train``.
        metric: metric of the tower's vectors: ``cosine`` or ``l1``.
        history: all epochs.
        best: number of the epoch of these weights.
        stopped_early: whether patience ran out before the epochs did.
        files: files that were written: ``model.keras``, ``history.csv`` and, with matplotlib, ``curve.png``.
    """

    model: Any
    layers: tuple[Layer, ...] | None
    metric: str
    history: tuple[Epoch, ...]
    best: int
    stopped_early: bool
    files: tuple[Path, ...]


class TrainingDiverged(TrainingError):
    """Raised when the loss or the weights are not finite.

    Attributes:
        trained: the network at its best weights before that.
    """

    def __init__(self, message: str, trained: Trained, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.trained = trained
