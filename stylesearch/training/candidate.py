"""Trains candidates for a model: a head over the features of one extractor, with weights by category."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats, Ids
from stylesearch.evaluation.results import Columns
from stylesearch.features.arrays import ArrayPool
from stylesearch.features.context import StudyContext, time_stage
from stylesearch.models.card import space_of
from stylesearch.spaces.base import Transform
from stylesearch.spaces.learned import LearnedTransform
from stylesearch.spaces.parts import FeatureParts
from stylesearch.training.baseline import UntrainedSpaces, select_baseline
from stylesearch.training.batches import Batches
from stylesearch.training.category_weights import (
    DEFAULT,
    Weights,
    equalize_scales,
    sample_evenly,
    weight_categories,
)
from stylesearch.training.checkpoints import head_folder
from stylesearch.training.data import TrainingData
from stylesearch.training.epoch import OnEpoch, Trained
from stylesearch.training.options import TrainOptions
from stylesearch.training.pair_dataset import PairDataset, photo_features, shop_features
from stylesearch.training.results import TrainRequest
from stylesearch.training.scores import Change, measure_changes, rank_photos

__all__ = [
    "Candidate",
    "Features",
    "build_batches",
    "build_training_data",
    "compare_candidates",
    "read_features",
    "train_candidate",
    "train_tower",
]


def build_training_data(
    dataset: PairDataset,
    shop: npt.NDArray[Any],
    photos: npt.NDArray[Any],
    rows: npt.NDArray[np.int64],
    *,
    n_colors: int = 0,
) -> TrainingData:
    """Builds the input of a tower from a data set and arrays of its images.

    Args:
        dataset: the product of each image, and the split.
        shop: the gallery, shape (m, ...).
        photos: regions of photos, shape (n, regions, ...).
        rows: rows of these photos in the data set, int64 (n,).
        n_colors: number of the last axes that are colors.
    """
    numbers, split = dataset.rows, dataset.split
    return TrainingData(
        photos=photos,
        shop=shop,
        photo_product=numbers.photo_product[rows],
        shop_product=numbers.shop_product,
        product_category=numbers.product_category,
        train=numbers.mask(split.train),
        validation=numbers.mask(split.validation),
        own=numbers.own[rows],
        duplicates=numbers.duplicates,
        n_colors=n_colors,
    )


def build_batches(data: TrainingData, options: TrainOptions) -> Batches:
    """Builds the batches of the training products, before their first epoch."""
    return Batches(
        data.photo_product,
        data.shop_product,
        data.product_category,
        data.train,
        own=data.own,
        duplicates=data.duplicates,
        batch_size=options.batch_size,
        seed=options.seed,
        within_category=options.within_category,
        hard=options.hard_negatives,
    )


def train_tower(
    data: TrainingData,
    options: TrainOptions,
    folder: Path,
    request: TrainRequest,
    fingerprint: str,
    on_epoch: OnEpoch | None,
    build_tower: Callable[[], Any] | None = None,
) -> Trained:
    """Trains a tower; imports Keras.

    Args:
        data: training data from ``build_training_data``.
        options: options of this training.
        folder: folder of its checkpoint and its files.
        request: whether to resume, and on which devices.
        fingerprint: fingerprint of the extractor whose features, or network, are trained on.
        on_epoch: called with each epoch.
        build_tower: builds the tower; by default it is a head over vectors.

    Raises:
        ConfigError: data that do not fit, or a checkpoint of another training.
        TrainingDiverged: the loss or the weights are not finite.
    """
    from stylesearch.training.keras.loop import train

    return train(
        data,
        build_batches(data, options),
        options,
        folder,
        resume=request.resume,
        build_tower=build_tower,
        devices=request.devices,
        tensorboard=request.tensorboard,
        on_epoch=on_epoch,
        identity=_identity(request) | {"extractor": fingerprint},
    )


def _identity(request: TrainRequest) -> dict[str, Any]:
    """Values that a resumed training must share, besides its data and options, by name.

    They include those of the fine-tuning, since a resumed head must be followed by the same fine-tuning.
    """
    identity: dict[str, Any] = {"finetune": request.finetune}
    if request.finetune:
        options = request.network_options.as_dict()
        identity |= {f"{name} of the network": value for name, value in options.items()}
    return identity


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features for a training, all read before it begins, since the catalog may change meanwhile.

    Attributes:
        shop: features of the gallery, float32 (n, dim).
        photos: features of the regions of training and validation photos, float32 (p, regions, dim).
        rows: rows of these photos in the data set, int64 (p,), rising.
        test_photos: features of the regions of test photos, float32 (t, regions, dim).
        test_rows: rows of these photos in the data set, int64 (t,), rising.
    """

    shop: Floats
    photos: Floats
    rows: Ids
    test_photos: Floats
    test_rows: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A trained transform that may become the model.

    Attributes:
        spec: spec of its extractor.
        dataset: pairs, with features of that extractor.
        features: features of the data set.
        untrained: the untrained spaces over the same features.
        learned: the transform, with weights by category.
        weights: the weights, and the scores that they were chosen by.
        result: result of the training.
        validation_rows: rows in the data set of the photos that the weights were chosen with, int64 (q,).
    """

    spec: str
    dataset: PairDataset
    features: Features
    untrained: UntrainedSpaces
    learned: LearnedTransform
    weights: Weights
    result: Trained
    validation_rows: Ids


def read_features(pool: ArrayPool, context: StudyContext, dataset: PairDataset) -> Features:
    """Reads all features of a data set that a training needs."""
    rows, test_rows = dataset.learning_rows(), dataset.photos().test
    return Features(
        shop_features(pool, context, dataset),
        photo_features(pool, context, dataset, rows),
        rows,
        photo_features(pool, context, dataset, test_rows),
        test_rows,
    )


def train_candidate(
    pool: ArrayPool,
    request: TrainRequest,
    dataset: PairDataset,
    features: Features,
    folder: Path,
    seconds: dict[str, float],
    on_epoch: OnEpoch | None,
) -> Candidate:
    """Trains a head and chooses its weights by category.

    Args:
        pool: allocates the vectors.
        request: options; its extractor is that of the data set.
        dataset: the pairs.
        features: features of the data set.
        folder: folder of the training's checkpoints.
        seconds: mapping to which the time of every stage is added.
        on_epoch: called with each epoch.
    """
    options, metric, rows = request.options, request.options.metric, features.rows
    parts = FeatureParts.of_extractor(dataset.extractor)
    with time_stage(seconds, "vectors"):
        data = build_training_data(dataset, features.shop, features.photos, rows)
        untrained = select_baseline(pool, features.shop, features.photos, data, metric, parts=parts)
        base = untrained.base(metric)
        of_shop = pool.transform(base, features.shop)
        of_photos = pool.transform_photos(base, features.photos)
        data = build_training_data(dataset, of_shop, of_photos, rows, n_colors=parts.n_colors)
    with time_stage(seconds, "training"):
        fingerprint = dataset.extractor.fingerprint
        result = train_tower(data, options, head_folder(folder, fingerprint), request, fingerprint, on_epoch)
    with time_stage(seconds, "weights"):
        learned = LearnedTransform(
            name=space_of(request.name),
            untrained=untrained.best,
            base=base,
            layers=result.layers or (),
            metric=metric,
            weights={DEFAULT: 1.0},
        )
        learned = equalize_scales(learned, features.shop, seed=options.seed)
        width = learned.dim_learned + learned.untrained.dim
        cost = data.n_regions * len(features.shop) * width
        validation_rows = sample_evenly(dataset.photos().validation, cost, metric)
        photos = features.photos[np.searchsorted(rows, validation_rows)]
        learned, weights = weight_categories(
            pool, dataset, learned, features.shop, photos, validation_rows, seed=options.seed
        )
    return Candidate(
        request.extractor, dataset, features, untrained, learned, weights, result, validation_rows
    )


def compare_candidates(
    pool: ArrayPool,
    context: StudyContext,
    before: tuple[Candidate, Transform],
    after: tuple[Candidate, Transform],
    request: TrainRequest,
    *,
    test: bool = False,
) -> tuple[Change, ...]:
    """Measures the changes of the scores from one transform to another, on the same photos.

    Args:
        pool: allocates the vectors.
        context: reports progress.
        before, after: a candidate and a transform of its features; their data sets differ only in features.
        request: has the metric, and the seed of draws.
        test: whether test photos are ranked; else the photos that the weights were chosen with.

    Returns:
        the change over all photos, then by category; empty where there are no such photos.
    """
    dataset = after[0].dataset
    rows = after[0].features.test_rows if test else after[0].validation_rows
    if not len(rows):
        return ()

    def columns(candidate: Candidate, transform: Transform) -> Columns:
        features = candidate.features
        photos = features.test_photos
        if not test:
            photos = features.photos[np.searchsorted(features.rows, rows)]
        count: Callable[[int], None] | None = context.count(f"ranks of {transform.name}", len(rows))
        return rank_photos(
            pool, candidate.dataset, features.shop, photos, transform, request.options.metric, rows, count
        )

    right = dataset.rows.photo_product[rows].tolist()
    categories = [dataset.rows.product_category[number] for number in right]
    products = [dataset.rows.product_ids[number] for number in right]
    return measure_changes(columns(*before), columns(*after), categories, products, seed=request.options.seed)
