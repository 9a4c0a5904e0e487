"""A head over the features of one network, trained and weighed, before it is put in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesearch.evaluation.results import Columns
from stylesearch.evaluation.surroundings import Surroundings, timed
from stylesearch.evaluation.vectors import Vectors
from stylesearch.model_cards import space_of
from stylesearch.spaces.base import Transform
from stylesearch.spaces.joined import n_colors_of
from stylesearch.spaces.learned import LearnedTransform
from stylesearch.training.joining import even_sample, weighted, with_equal_sizes
from stylesearch.training.learn import OnEpoch, learn, learned_from, training_data
from stylesearch.training.material import Material, photo_features, shop_features
from stylesearch.training.report import TrainRequest
from stylesearch.training.result import Trained
from stylesearch.training.scores import Change, changes, ranked
from stylesearch.training.unfinished import part_of
from stylesearch.training.untrained import UntrainedSpaces, best_untrained
from stylesearch.training.weights import DEFAULT, Weights

__all__ = ["Candidate", "Features", "compared", "read_features", "trained_candidate"]

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


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


def read_features(room: Vectors, around: Surroundings, material: Material) -> Features:
    """Reads all of them."""
    rows, test_rows = learned_from(material), material.photos().test
    return Features(
        shop_features(room, around, material),
        photo_features(room, around, material, rows),
        rows,
        photo_features(room, around, material, test_rows),
        test_rows,
    )


def trained_candidate(
    room: Vectors,
    request: TrainRequest,
    material: Material,
    features: Features,
    folder: Path,
    seconds: dict[str, float],
    on_epoch: OnEpoch | None,
) -> Candidate:
    """Trains a head and chooses its weights.

    Args:
        room: for vectors.
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
        untrained = best_untrained(room, features.shop, features.photos, data, metric, n_colors=n_colors)
        base = untrained.base(metric)
        of_shop, of_photos = (room.transformed(base, one) for one in (features.shop, features.photos))
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
            room, material, learned, features.shop, photos, chosen_with, seed=options.seed
        )
    return Candidate(request.extractor, material, features, untrained, learned, weights, result, chosen_with)


def compared(
    room: Vectors,
    around: Surroundings,
    before: tuple[Candidate, Transform],
    after: tuple[Candidate, Transform],
    request: TrainRequest,
    *,
    tested: bool = False,
) -> tuple[Change, ...]:
    """What changes from one transform to another, each of its candidate's features, on the same photos.

    Args:
        room: for vectors.
        around: tells progress.
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
        count: Callable[[int], None] | None = around.count(f"ranks of {transform.name}", len(rows))
        return ranked(
            room, candidate.material, features.shop, photos, transform, request.options.metric, rows, count
        )

    right = material.rows.photo_product[rows].tolist()
    categories = [material.rows.product_category[number] for number in right]
    products = [material.rows.product_ids[number] for number in right]
    return changes(columns(*before), columns(*after), categories, products, seed=request.options.seed)
