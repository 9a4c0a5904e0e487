"""From arrays to a trained tower: the same for vectors and for pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.training.batches import Batches
from stylesearch.training.data import TrainingData
from stylesearch.training.material import Material
from stylesearch.training.options import TrainOptions
from stylesearch.training.report import TrainRequest
from stylesearch.training.result import Epoch, Trained

__all__ = ["OnEpoch", "batches_of", "learn", "learned_from", "training_data"]

OnEpoch = Callable[[Epoch], None]


def learned_from(material: Material) -> npt.NDArray[np.int64]:
    """Rows of the photos that a training sees, those it validates with included, int64 (n,), rising."""
    parts = material.photos()
    return np.union1d(parts.train, parts.validation)


def training_data(
    material: Material,
    shop: npt.NDArray[Any],
    photos: npt.NDArray[Any],
    rows: npt.NDArray[np.int64],
    *,
    n_colors: int = 0,
) -> TrainingData:
    """What a tower sees of a material.

    Args:
        material: says which product is on each.
        shop: the gallery, shape (m, ...).
        photos: regions of photos, shape (n, regions, ...).
        rows: which photos of the material these are, int64 (n,).
        n_colors: how many of the last axes are colours.
    """
    numbers, split = material.rows, material.split
    return TrainingData(
        photos=photos,
        shop=shop,
        photo_product=numbers.photo_product[rows],
        shop_product=numbers.shop_product,
        product_category=numbers.product_category,
        train=numbers.mask(split.train),
        validation=numbers.mask(split.validation),
        own=numbers.own[rows],
        near_equal=numbers.near_equal,
        n_colors=n_colors,
    )


def batches_of(data: TrainingData, options: TrainOptions) -> Batches:
    """Batches of the products that are learned from, at their beginning."""
    return Batches(
        data.photo_product,
        data.shop_product,
        data.product_category,
        data.train,
        own=data.own,
        near_equal=data.near_equal,
        batch_size=options.batch_size,
        seed=options.seed,
        within_category=options.within_category,
        hard=options.hard_negatives,
    )


def learn(
    data: TrainingData,
    options: TrainOptions,
    folder: Path,
    request: TrainRequest,
    fingerprint: str,
    on_epoch: OnEpoch | None,
    build_tower: Callable[[], Any] | None = None,
) -> Trained:
    """Trains a tower; Keras is imported here.

    Args:
        data: of :func:`training_data`.
        options: of this training.
        folder: for its checkpoint and its files.
        request: says whether to go on, and on which devices.
        fingerprint: of the extractor whose features, or network, are learned on.
        on_epoch: called with each epoch.
        build_tower: makes a tower of its own, instead of a head over vectors.

    Raises:
        ConfigError: data that do not fit, or a checkpoint of another training.
        TrainingDiverged: the loss or the weights are no numbers any more.
    """
    from stylesearch.training.keras.loop import train

    return train(
        data,
        batches_of(data, options),
        options,
        folder,
        resume=request.resume,
        build_tower=build_tower,
        devices=request.devices,
        tensorboard=request.tensorboard,
        progress=on_epoch,
        of_run=_asked(request) | {"extractor": fingerprint},
    )


def _asked(request: TrainRequest) -> dict[str, Any]:
    """What is asked of the network: also a head's training that goes on is to be followed by the same."""
    asked: dict[str, Any] = {"finetune": request.finetune}
    if request.finetune:
        asked |= {f"{name} of the network": value for name, value in request.of_network.as_dict().items()}
    return asked
