"""What a training is asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylesearch.models.card import ModelCard
from stylesearch.training.category_weights import Weights
from stylesearch.training.epoch import Epoch
from stylesearch.training.options import TrainOptions
from stylesearch.training.pair_dataset import MaterialChoice
from stylesearch.training.scores import Change

__all__ = ["TrainReport", "TrainRequest"]


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What is asked for.

    Attributes:
        extractor: whose features, as :func:`~stylesearch.extractors.load_extractor` takes it.
        name: of the model.
        material: which pairs, regions and split.
        options: of the training.
        resume: go on with a training that was interrupted.
        devices: over how many a batch is spread.
        tensorboard: folder of event files; none by default.
        finetune: how many of the last blocks of the network are trained before; 0 for none.
        of_network: options of that.
    """

    extractor: str
    name: str = "default"
    material: MaterialChoice = field(default_factory=MaterialChoice)
    options: TrainOptions = field(default_factory=TrainOptions)
    resume: bool = False
    devices: int = 1
    tensorboard: Path | None = None
    finetune: int = 0
    of_network: TrainOptions = field(default_factory=TrainOptions)


@dataclass(frozen=True, slots=True, eq=False)
class TrainReport:
    """What came of it.

    Attributes:
        card: of the model.
        validation: what changed for the photos that the weights were chosen with: too good a figure.
        test: what changed for photos of products that nothing was learned from or chosen with; overall first,
            then by category. Empty where there are no test products.
        weights: how the weights came about.
        history: every epoch.
        best: the number of the epoch that was kept.
        stopped_early: whether later ones were no better.
        n_failed: pictures that could not be used.
        n_joined: products that share a picture: they stayed together in the split, or were left out of it,
            as the card's options say (``split``, ``split_left_out``).
        seconds: that each stage took.
        folder: of the model's files.
    """

    card: ModelCard
    validation: tuple[Change, ...]
    test: tuple[Change, ...]
    weights: Weights
    history: tuple[Epoch, ...]
    best: int
    stopped_early: bool
    n_failed: int
    n_joined: int
    seconds: Mapping[str, float]
    folder: Path

    @property
    def helps(self) -> bool:
        """Whether the learned distance counts anywhere."""
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
            "joined_products": self.n_joined,
            "left_out_products": self.card.options["split_left_out"],
            "seconds": dict(self.seconds),
            "folder": str(self.folder),
        }
