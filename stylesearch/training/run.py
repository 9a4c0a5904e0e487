"""One training of a workspace's model, from its catalog to a model in force."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.errors import ConfigError
from stylesearch.extractors.cnn import CnnExtractor
from stylesearch.extractors.spec import COLORS
from stylesearch.extractors.with_colors import ExtractorWithColors
from stylesearch.features.arrays import Vectors
from stylesearch.features.context import Surroundings, timed
from stylesearch.features.images import BOX
from stylesearch.files import write_json
from stylesearch.models.card import ModelCard
from stylesearch.models.store import checked_name, folder_of, save_model
from stylesearch.spaces.joined import n_colors_of
from stylesearch.spaces.unsupervised import WhitenedTransform
from stylesearch.training.candidate import (
    Candidate,
    OnEpoch,
    compared,
    learn,
    learned_from,
    read_features,
    trained_candidate,
    training_data,
)
from stylesearch.training.checkpoints import NETWORK, check_interrupted, training_folder
from stylesearch.training.data import picture_array
from stylesearch.training.pair_dataset import Material, find_material, how_split, shop_features, split_facts
from stylesearch.training.results import TrainReport, TrainRequest
from stylesearch.training.scores import SCORES, Change
from stylesearch.training.split import KnownProducts

__all__ = [
    "FINETUNE_DEFAULTS",
    "finetuned",
    "train_model",
]

# Training the last blocks of a network on a shop's own pictures: the result is an extractor, by its path.

FINETUNE_DEFAULTS: Final = {"learning_rate": 1e-4, "batch_size": 32, "epochs": 10, "patience": 3}
"""A network that knows much already is changed a little, and its activations take memory."""


def finetuned(
    around: Surroundings,
    home: Path,
    material: Material,
    request: TrainRequest,
    folder: Path,
    on_epoch: OnEpoch | None,
) -> str | None:
    """Trains the last blocks of the material's network; colors that are joined to it stay so.

    Args:
        around: where.
        home: the workspace folder.
        material: pairs, split, and features of the network as it is.
        request: how many blocks are trained, and how.
        folder: for the checkpoint.
        on_epoch: called with each epoch.

    Returns:
        what loads the new network: its file, beside which lies the JSON that says how it is used, and
        ``+colors`` where the material has them. None where no epoch found more validation products than there
        were before.

    Raises:
        ConfigError: the extractor is no network, or has fewer blocks.
    """
    options, name = request.of_network, request.name
    extractor, colors = material.extractor, ""
    if isinstance(extractor, ExtractorWithColors):
        extractor, colors = extractor.network, COLORS
    if not isinstance(extractor, CnnExtractor):
        raise ConfigError(
            f"{extractor.name} is no network: there is nothing to fine-tune",
            hint="choose one of `stylesearch extractors` that has parameters",
        )
    recipe = extractor.recipe
    with Vectors(around.cache, around.max_bytes) as room:
        features = shop_features(room, around, material)
        n_of_network = features.shape[1] - n_colors_of(material.extractor.parameters)
        kernel, bias = _first_head(features[:, :n_of_network], options.dim)
    rows = learned_from(material)
    size, work, seed = extractor.input_size, around.work, options.seed
    photos = [material.rows.photos[row] for row in rows.tolist()]
    from stylesearch.training.keras.backbone import network_of, picture_tower

    with (
        picture_array(
            material.rows.shop, BOX, size, around.cache, work, progress=around.tell("shop pictures")
        ) as shop_pixels,
        picture_array(
            photos, material.regions, size, around.cache, work, seed=seed, progress=around.tell("photos")
        ) as photo_pixels,
    ):
        data = training_data(material, shop_pixels[:, 0], photo_pixels, rows)
        tower = partial(picture_tower, recipe.build, request.finetune, kernel, bias)
        result = learn(data, options, folder, request, material.extractor.fingerprint, on_epoch, tower)
    if result.best == 0:
        return None
    network = network_of(result.model.get_layer("tower"))
    digest = hashlib.sha256()
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    path = folder_of(home, name).resolve() / f"network-{digest.hexdigest()[:16]}.keras"
    how = how_split(material.split, request.material)
    known = KnownProducts.after_training(path.stem, how, material.split, material.known)
    card = {
        "input_size": size,
        "preprocessing": extractor.parameters["preprocessing"],
        "name": f"{Path(extractor.name).stem}-{name}",
    }
    if path.exists():  # it may be in use, under its name; but its products may go by other ids by now
        card = json.loads(path.with_suffix(".json").read_bytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path.with_suffix(".json"), card | {"split": known.as_json()})
    if not path.exists():
        unfinished = path.with_name(f".{path.name}.unfinished.keras")
        network.save(unfinished)
        unfinished.replace(path)
    return f"{path}{colors}"


def _first_head(features: Floats, dim: int) -> tuple[Floats, Floats]:
    """A matrix and a bias that half-whiten features, as the whitened space does without its square root.

    A root is too steep at zero, where many features of such networks are, to learn through it.
    """
    squares = (np.sign(block) * block**2 for block in np.array_split(features, 1 + len(features) // 2048))
    whitened = WhitenedTransform.fit(squares, dim_in=features.shape[1], n_rows=len(features))
    if whitened.axes is None:
        return np.eye(features.shape[1], dtype=np.float32), np.zeros(features.shape[1], np.float32)
    kernel = np.ascontiguousarray(whitened.axes[:, :dim])
    return kernel, -(whitened.mean @ kernel)


log = logging.getLogger(__name__)

_LIBRARIES: Final = ("stylesearch", "numpy", "keras", "tensorflow")


def train_model(
    around: Surroundings,
    home: Path,
    request: TrainRequest,
    *,
    on_epoch: OnEpoch | None = None,
) -> TrainReport:
    """Trains a model on the pairs of a catalog, and puts it in force; an older one stays so until then.

    The caller holds :func:`stylesearch.models.store.training_lock`, and afterwards removes the training's
    folder and networks that the new model has replaced.

    Args:
        around: where; missing features are written to its catalog and cache.
        home: the workspace folder.
        request: what is asked for.
        on_epoch: called with each epoch.

    Raises:
        ConfigError: too few pairs or devices, nothing to go on with, or a request that makes no sense.
        UnknownName: no such extractor, plan or loss.
        TrainingDiverged: the loss or the weights are no numbers any more; nothing is put in force.
        CatalogLocked: features are missing and another process is writing.
    """
    checked_name(request.name)
    if request.devices > 1:  # features may take hours: whether there are so many is said before that
        from stylesearch.training.keras.step import strategy_over

        strategy_over(request.devices)
    if request.resume:
        check_interrupted(home, request.name, around.load(request.extractor).fingerprint)
    folder = training_folder(home, request.name)
    seconds: dict[str, float] = {}
    with timed(seconds, "total"), Vectors(around.cache, around.max_bytes) as room:
        with timed(seconds, "features"):
            known = KnownProducts.of_network(request.extractor)
            material = find_material(around, request.extractor, request.material, known)
            _check_enough(material)
            features = read_features(room, around, material)
        if folder.exists() and not request.resume:
            shutil.rmtree(folder)  # no later --resume is to find a part of another training
        first = trained_candidate(room, request, material, features, folder, seconds, on_epoch)
        chosen = first
        if request.finetune:
            chosen = _with_new_network(around, home, request, first, room, seconds, on_epoch) or first
        with timed(seconds, "measuring"):
            sides = (first, first.untrained.best), (chosen, chosen.learned)
            validation = compared(room, around, *sides, request)
            test = compared(room, around, *sides, request, tested=True)
        card = _card(request, first, chosen, validation, test)
        files = {path.name: path for path in chosen.result.files}
        saved = save_model(home, card, chosen.learned, files)
    return TrainReport(
        card=card,
        validation=validation,
        test=test,
        weights=chosen.weights,
        history=chosen.result.history,
        best=chosen.result.best,
        stopped_early=chosen.result.stopped_early,
        n_failed=chosen.material.n_failed,
        n_joined=chosen.material.n_joined,
        seconds=seconds,
        folder=saved,
    )


def _with_new_network(
    around: Surroundings,
    home: Path,
    request: TrainRequest,
    first: Candidate,
    room: Vectors,
    seconds: dict[str, float],
    on_epoch: OnEpoch | None,
) -> Candidate | None:
    """Fine-tunes the network and trains a head on it; None where that finds no more than the head alone.

    Args:
        first: the head on the network as it is.
    """
    folder = training_folder(home, request.name)
    with timed(seconds, "fine-tuning"):
        network = finetuned(around, home, first.material, request, folder / NETWORK, on_epoch)
    if network is None:
        log.warning("fine-tuning found no more validation products: the network stays as it was")
        return None
    of_network = replace(request, extractor=network)
    with timed(seconds, "features"):
        material = find_material(around, network, request.material, first.material.known)
        _check_same(first.material, material)
        features = read_features(room, around, material)
    tuned = trained_candidate(room, of_network, material, features, folder, seconds, on_epoch)
    with timed(seconds, "measuring"):
        gained = compared(room, around, (first, first.learned), (tuned, tuned.learned), request)
    if _is_worse(gained):
        log.warning(
            "the fine-tuned network finds no more validation products than a head on the network as it was: "
            "it stays so"
        )
        return None
    return tuned


def _check_enough(material: Material) -> None:
    parts = material.photos()
    if not len(parts.train) or not len(parts.validation):
        raise ConfigError(
            f"{len(parts.train)} photos to learn from and {len(parts.validation)} to choose with are not "
            f"enough; {material.n_joined} products share equal or nearly equal pictures and stay together",
            hint="give the parts other shares: --split-shares 70,15,15",
        )


def _check_same(original: Material, material: Material) -> None:
    """A comparison needs the same pictures before and after."""
    before, after = original.rows, material.rows
    are_same = (before.photos, before.shop) == (after.photos, after.shop)
    # Photos that make no pair join products too: then the pictures are the same, and their parts are not.
    if not (
        are_same and original.split == material.split and np.array_equal(before.near_equal, after.near_equal)
    ):
        raise ConfigError(
            "the catalog has changed while the network was trained: products, pictures, or which of them "
            "share one",
            hint="run it again without --resume, while nothing is ingested; features are kept",
        )


def _card(
    request: TrainRequest,
    first: Candidate,
    chosen: Candidate,
    validation: Sequence[Change],
    test: Sequence[Change],
) -> ModelCard:
    """What is said of the model that was chosen.

    Args:
        request: what was asked for.
        first: the head on the network as it was.
        chosen: the same, or that on the network that was fine-tuned.
        validation, test: what changed.
    """
    material, learned = chosen.material, chosen.learned
    asked: dict[str, Any] = {
        "regions": material.regions,
        "untrained_scores": {name: list(scores) for name, scores in chosen.untrained.scores.items()},
        **split_facts(material.split, request.material),
    }
    if chosen is not first:
        asked |= {"finetuned_from": first.spec, "finetuned_blocks": request.finetune}
    return ModelCard(
        name=request.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        feature_set=material.extractor.fingerprint,
        extractor=chosen.spec,
        weights_digest=material.extractor.weights_digest,
        pairs=material.kind,
        n_products=material.n_products(),
        split_seed=request.material.seed,
        loss=request.options.loss,
        options=request.options.as_dict() | asked,
        scores={"validation": _by_category(validation), "test": _by_category(test)},
        weights=learned.weights,
        untrained=learned.untrained.name,
        metric=learned.metric,
        transform_version=learned.version,
        libraries={name: importlib.metadata.version(name) for name in _LIBRARIES},
    )


def _is_worse(validation: Sequence[Change]) -> bool:
    """Whether no more is found overall, or less in a category by more than noise."""
    overall = sum(estimate.value for estimate in validation[0].difference.values())
    return overall <= 0 or any(one.verdict(name) == "fell" for one in validation for name in SCORES)


def _by_category(found: Sequence[Change]) -> dict[str, Any]:
    return {one.category: one.as_dict() for one in found}
