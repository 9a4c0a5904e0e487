"""A head over the features of one network, trained and weighed, before it is put in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats, Ids
from stylesearch.evaluation.results import Columns
from stylesearch.features.arrays import ArrayPool
from stylesearch.features.context import StudyContext, timed
from stylesearch.models.card import space_of
from stylesearch.spaces.base import Transform
from stylesearch.spaces.joined import Untrained, n_colors_of
from stylesearch.spaces.learned import LearnedTransform
from stylesearch.training.batches import Batches
from stylesearch.training.category_weights import DEFAULT, Weights, even_sample, weighted, with_equal_sizes
from stylesearch.training.checkpoints import part_of
from stylesearch.training.data import TrainingData
from stylesearch.training.epoch import Epoch, Trained
from stylesearch.training.options import TrainOptions
from stylesearch.training.pair_dataset import Material, photo_features, shop_features
from stylesearch.training.results import TrainRequest
from stylesearch.training.scores import Change, changes, ranked
from stylesearch.training.validation import Validation

__all__ = [
    "Candidate",
    "OnEpoch",
    "UntrainedSpaces",
    "batches_of",
    "best_untrained",
    "compared",
    "learn",
    "learned_from",
    "read_features",
    "trained_candidate",
    "training_data",
]

# From arrays to a trained tower: the same for vectors and for pictures.

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
        n_colors: how many of the last axes are colors.
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


# What learning starts from and is compared with: the untrained space that finds most.

TOP_K: Final = 20


@dataclass(frozen=True, slots=True, eq=False)
class UntrainedSpaces:
    """The untrained spaces, fitted on a gallery.

    Attributes:
        best: the one that finds more, in the metric that is learned for.
        whitened: the whitened one.
        scores: of each on validation photos: top-20 accuracy and mean reciprocal rank, by name.
    """

    best: Untrained
    whitened: Untrained
    scores: Mapping[str, tuple[float, float]]

    def base(self, metric: str) -> Untrained:
        """What a head sees.

        For cosine the whitened vectors, whose leading axes are a good start for a narrower embedding. For l1,
        where a head only weighs axes, those that pairs are best compared in as they are.
        """
        return self.whitened if metric == "cosine" else self.best


def best_untrained(
    pool: ArrayPool, shop: Floats, photos: Floats, data: TrainingData, metric: str, *, n_colors: int = 0
) -> UntrainedSpaces:
    """Fits raw and whitened on the gallery, and compares them.

    Args:
        pool: for vectors.
        shop: features of the gallery, float32 (n, dim), in the order of ``data.shop``.
        photos: features of photos' regions, float32 (p, regions, dim), in the order of ``data.photos``.
        data: says which of them are of validation products; its vectors are not looked at.
        metric: ``cosine`` or ``l1``.
        n_colors: how many of a feature's last numbers are colors.
    """
    whitened, raw = (pool.fit(space, shop, None, n_colors=n_colors) for space in ("whitened", "raw"))
    assert isinstance(whitened, Untrained)
    assert isinstance(raw, Untrained)
    scores = {}
    spaces = [whitened, raw]
    for transform in spaces:
        validation = Validation(data, metric, transform.dim)
        searched = pool.transform(transform, photos[validation.photos])
        scores[transform.name] = validation.score(searched, pool.transform(transform, shop), TOP_K)
    return UntrainedSpaces(max(spaces, key=lambda one: scores[one.name]), whitened, scores)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """All features that a training needs, read before it begins: the catalog may change meanwhile.

    Attributes:
        shop: of the gallery, float32 (n, dim).
        photos: of regions of the photos that are learned from or chosen with, float32 (p, regions, dim).
        rows: which photos of the material these are, int64 (p,), rising.
        test_photos: likewise of those that are tested with, (t, regions, dim).
        test_rows: which these are, int64 (t,), rising.
    """

    shop: Floats
    photos: Floats
    rows: Ids
    test_photos: Floats
    test_rows: Ids


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What may become the model.

    Attributes:
        spec: what loads its extractor.
        material: pairs, with the features of that.
        features: these.
        untrained: the spaces that it began with.
        learned: the transform, weighed.
        weights: how the weights came about.
        result: of the training.
        chosen_with: photos that the weights were chosen with, rows of the material.
    """

    spec: str
    material: Material
    features: Features
    untrained: UntrainedSpaces
    learned: LearnedTransform
    weights: Weights
    result: Trained
    chosen_with: Ids


def read_features(pool: ArrayPool, context: StudyContext, material: Material) -> Features:
    """Reads all of them."""
    rows, test_rows = learned_from(material), material.photos().test
    return Features(
        shop_features(pool, context, material),
        photo_features(pool, context, material, rows),
        rows,
        photo_features(pool, context, material, test_rows),
        test_rows,
    )


def trained_candidate(
    pool: ArrayPool,
    request: TrainRequest,
    material: Material,
    features: Features,
    folder: Path,
    seconds: dict[str, float],
    on_epoch: OnEpoch | None,
) -> Candidate:
    """Trains a head and chooses its weights.

    Args:
        pool: for vectors.
        request: what is asked for; its extractor is that of the material.
        material: pairs.
        features: of the material.
        folder: the training's, for checkpoints.
        seconds: by stage; is added to.
        on_epoch: called with each epoch.
    """
    options, metric, rows = request.options, request.options.metric, features.rows
    n_colors = n_colors_of(material.extractor.parameters)
    with timed(seconds, "vectors"):
        data = training_data(material, features.shop, features.photos, rows)
        untrained = best_untrained(pool, features.shop, features.photos, data, metric, n_colors=n_colors)
        base = untrained.base(metric)
        of_shop, of_photos = (pool.transform(base, one) for one in (features.shop, features.photos))
        data = training_data(material, of_shop, of_photos, rows, n_colors=n_colors)
    with timed(seconds, "training"):
        fingerprint = material.extractor.fingerprint
        result = learn(data, options, part_of(folder, fingerprint), request, fingerprint, on_epoch)
    with timed(seconds, "weights"):
        learned = LearnedTransform(
            name=space_of(request.name),
            untrained=untrained.best,
            base=base,
            layers=result.layers or (),
            metric=metric,
            weights={DEFAULT: 1.0},
        )
        learned = with_equal_sizes(learned, features.shop, seed=options.seed)
        width = learned.dim_learned + learned.untrained.dim
        cost = data.n_regions * len(features.shop) * width
        chosen_with = even_sample(material.photos().validation, cost, metric)
        photos = features.photos[np.searchsorted(rows, chosen_with)]
        learned, weights = weighted(
            pool, material, learned, features.shop, photos, chosen_with, seed=options.seed
        )
    return Candidate(request.extractor, material, features, untrained, learned, weights, result, chosen_with)


def compared(
    pool: ArrayPool,
    context: StudyContext,
    before: tuple[Candidate, Transform],
    after: tuple[Candidate, Transform],
    request: TrainRequest,
    *,
    tested: bool = False,
) -> tuple[Change, ...]:
    """What changes from one transform to another, each of its candidate's features, on the same photos.

    Args:
        pool: for vectors.
        context: tells progress.
        before, after: of one material but for its features.
        request: metric, and seed of what is drawn.
        tested: with the photos to test with; else with those that the weights were chosen with.

    Returns:
        overall first, then by category; nothing where there are no such photos.
    """
    material = after[0].material
    rows = after[0].features.test_rows if tested else after[0].chosen_with
    if not len(rows):
        return ()

    def columns(candidate: Candidate, transform: Transform) -> Columns:
        features = candidate.features
        photos = features.test_photos
        if not tested:
            photos = features.photos[np.searchsorted(features.rows, rows)]
        count: Callable[[int], None] | None = context.count(f"ranks of {transform.name}", len(rows))
        return ranked(
            pool, candidate.material, features.shop, photos, transform, request.options.metric, rows, count
        )

    right = material.rows.photo_product[rows].tolist()
    categories = [material.rows.product_category[number] for number in right]
    products = [material.rows.product_ids[number] for number in right]
    return changes(columns(*before), columns(*after), categories, products, seed=request.options.seed)
