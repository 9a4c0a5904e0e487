"""Request and report of a training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylesearch.models.card import ModelCard
from stylesearch.training.category_weights import Weights
from stylesearch.training.epoch import Epoch
from stylesearch.training.options import TrainOptions
from stylesearch.training.pair_dataset import PairOptions
from stylesearch.training.scores import Change

__all__ = ["TrainReport", "TrainRequest"]


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """Options of ``stylesearch.training.run.train_model``.

    Attributes:
        extractor: extractor of the features, as ``load_extractor`` takes it.
        name: name of the model.
        pair_options: options for pairs, regions and split.
        options: options of the head's training.
        resume: whether an interrupted training is continued.
        devices: number of devices that share a batch.
        tensorboard: folder of event files; none by default.
        finetune: number of the network's last blocks that are trained first; 0 for none.
        network_options: options of the network's training.
    """

    extractor: str
    name: str = "default"
    pair_options: PairOptions = field(default_factory=PairOptions)
    options: TrainOptions = field(default_factory=TrainOptions)
    resume: bool = False
    devices: int = 1
    tensorboard: Path | None = None
    finetune: int = 0
    network_options: TrainOptions = field(default_factory=TrainOptions)


@dataclass(frozen=True, slots=True, eq=False)
class TrainReport:
    """Result of ``stylesearch.training.run.train_model``.

    Attributes:
        card: card of the model.
        validation: changes for the photos that the weights were chosen with, which are too optimistic.
        test: changes for photos of products that were used neither for training nor for a choice; overall
            first, then by category. Empty where there are no test products.
        weights: the weights, and the scores that they were chosen by.
        history: all epochs.
        best: number of the epoch that was kept.
        stopped_early: whether patience ran out before the epochs did.
        n_failed: number of images that could not be used.
        n_connected: number of products that share an image: they stayed together in the split, or were left
            out of it, as the card's options say (``split``, ``split_left_out``).
        seconds: time of each stage.
        folder: folder of the model's files.
    """

    card: ModelCard
    validation: tuple[Change, ...]
    test: tuple[Change, ...]
    weights: Weights
    history: tuple[Epoch, ...]
    best: int
    stopped_early: bool
    n_failed: int
    n_connected: int
    seconds: Mapping[str, float]
    folder: Path

    @property
    def helps(self) -> bool:
        """Whether the learned distance has a weight in any category."""
        return any(self.card.weights.values())

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "model": self.card.to_json(),
            "by_global_weight": {
                f"{weight:g}": mean for weight, mean in self.weights.by_global_weight.items()
            },
            "epochs": len(self.history) - 1,
            "best_epoch": self.best,
            "stopped_early": self.stopped_early,
            "unusable_images": self.n_failed,
            "joined_products": self.n_connected,
            "left_out_products": self.card.options["split_left_out"],
            "seconds": dict(self.seconds),
            "folder": str(self.folder),
        }
