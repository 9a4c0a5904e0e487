"""Trains a model of a workspace: from the pairs of its catalog to an active model."""

from __future__ import annotations

import importlib.metadata
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stylesearch.errors import ConfigError
from stylesearch.features.arrays import ArrayPool
from stylesearch.features.context import StudyContext, time_stage
from stylesearch.models.card import ModelCard, check_name
from stylesearch.models.store import save_model
from stylesearch.training.candidate import Candidate, compare_candidates, read_features, train_candidate
from stylesearch.training.checkpoints import NETWORK, check_resumable, training_folder
from stylesearch.training.epoch import OnEpoch
from stylesearch.training.finetune import finetune_network
from stylesearch.training.pair_dataset import PairDataset, describe_split, load_pairs
from stylesearch.training.results import TrainReport, TrainRequest
from stylesearch.training.scores import SCORES, Change
from stylesearch.training.seen_products import SeenProducts

if TYPE_CHECKING:
    from stylesearch.artifacts.base import ArtifactStore

__all__ = ["train_model"]

log = logging.getLogger(__name__)

_LIBRARIES: Final = ("stylesearch", "numpy", "keras", "tensorflow")


def train_model(
    context: StudyContext,
    home: Path,
    request: TrainRequest,
    *,
    artifacts: ArtifactStore | None = None,
    on_epoch: OnEpoch | None = None,
) -> TrainReport:
    """Trains a model on the pairs of a catalog, and activates it; an older one stays active until then.

    The caller holds ``stylesearch.models.store.training_lock``, and afterwards removes the training's
    folder and networks that the new model has replaced.

    Args:
        context: missing features are written to its catalog and cache.
        home: the workspace folder.
        request: options of the training.
        artifacts: the store that the model is put in; by default the workspace folder's.
        on_epoch: called with each epoch.

    Raises:
        ConfigError: too few pairs or devices, nothing to resume, or a request that makes no sense.
        UnknownName: no such extractor, plan or loss.
        TrainingDiverged: the loss or the weights are not finite; no model is activated.
        CatalogLocked: features are missing and another process is writing.
    """
    check_name(request.name)
    if request.devices > 1:  # checked first, since features may take hours
        from stylesearch.training.keras.step import strategy_over

        strategy_over(request.devices)
    if request.resume:
        check_resumable(home, request.name, context.load(request.extractor).fingerprint)
    folder = training_folder(home, request.name)
    seconds: dict[str, float] = {}
    with time_stage(seconds, "total"), ArrayPool(context.cache, context.max_bytes) as pool:
        with time_stage(seconds, "features"):
            seen = SeenProducts.read(request.extractor)
            dataset = load_pairs(context, request.extractor, request.pair_options, seen)
            _check_enough(dataset)
            features = read_features(pool, context, dataset)
        if folder.exists() and not request.resume:
            shutil.rmtree(folder)  # so that no later --resume finds a part of another training
        first = train_candidate(pool, request, dataset, features, folder, seconds, on_epoch)
        chosen = first
        if request.finetune:
            chosen = _fine_tune(context, home, request, first, pool, seconds, on_epoch) or first
        with time_stage(seconds, "measuring"):
            sides = (first, first.untrained.best), (chosen, chosen.learned)
            validation = compare_candidates(pool, context, *sides, request)
            test = compare_candidates(pool, context, *sides, request, test=True)
        card = _card(request, first, chosen, validation, test)
        files = {path.name: path for path in chosen.result.files}
        saved = save_model(home, card, chosen.learned, files, artifacts)
    return TrainReport(
        card=card,
        validation=validation,
        test=test,
        weights=chosen.weights,
        history=chosen.result.history,
        best=chosen.result.best,
        stopped_early=chosen.result.stopped_early,
        n_failed=chosen.dataset.n_failed,
        n_connected=chosen.dataset.n_connected,
        seconds=seconds,
        folder=saved,
    )


def _fine_tune(
    context: StudyContext,
    home: Path,
    request: TrainRequest,
    first: Candidate,
    pool: ArrayPool,
    seconds: dict[str, float],
    on_epoch: OnEpoch | None,
) -> Candidate | None:
    """Fine-tunes the network and trains a head on it; None where the result is no better than ``first``.

    Args:
        context: catalog, cache and memory limit.
        home: the workspace folder.
        request: options of the training.
        first: the head on the network as it is.
        pool: allocates the vectors.
        seconds: mapping to which the time of every stage is added.
        on_epoch: called with each epoch.
    """
    folder = training_folder(home, request.name)
    with time_stage(seconds, "fine-tuning"):
        network = finetune_network(context, home, first.dataset, request, folder / NETWORK, on_epoch)
    if network is None:
        log.warning("fine-tuning found no more validation products: the network stays as it was")
        return None
    with_network = replace(request, extractor=network)
    with time_stage(seconds, "features"):
        dataset = load_pairs(context, network, request.pair_options, first.dataset.seen)
        _check_same(first.dataset, dataset)
        features = read_features(pool, context, dataset)
    tuned = train_candidate(pool, with_network, dataset, features, folder, seconds, on_epoch)
    with time_stage(seconds, "measuring"):
        gained = compare_candidates(pool, context, (first, first.learned), (tuned, tuned.learned), request)
    if _is_worse(gained):
        log.warning(
            "the fine-tuned network finds no more validation products than a head on the network as it was: "
            "it stays so"
        )
        return None
    return tuned


def _check_enough(dataset: PairDataset) -> None:
    parts = dataset.photos()
    if not len(parts.train) or not len(parts.validation):
        raise ConfigError(
            f"{len(parts.train)} photos to learn from and {len(parts.validation)} to choose with are not "
            f"enough; {dataset.n_connected} products share equal or nearly equal pictures and stay together",
            hint="give the parts other shares: --split-shares 70,15,15",
        )


def _check_same(original: PairDataset, dataset: PairDataset) -> None:
    """Checks that two data sets have the same images and split, so that they can be compared."""
    before, after = original.rows, dataset.rows
    are_same = (before.photos, before.shop) == (after.photos, after.shop)
    # Photos without a pair connect products too, so the split can differ although the images are the same.
    if not (
        are_same and original.split == dataset.split and np.array_equal(before.duplicates, after.duplicates)
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
    """Makes the card of the model that was chosen.

    Args:
        request: options of the training.
        first: the head on the network as it was.
        chosen: the same head, or that on the fine-tuned network.
        validation, test: changes against the baseline.
    """
    dataset, learned = chosen.dataset, chosen.learned
    asked: dict[str, Any] = {
        "regions": dataset.regions,
        "untrained_scores": {name: list(scores) for name, scores in chosen.untrained.scores.items()},
        **describe_split(dataset.split, request.pair_options),
    }
    if chosen is not first:
        asked |= {"finetuned_from": first.spec, "finetuned_blocks": request.finetune}
    return ModelCard(
        name=request.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        feature_set=dataset.extractor.fingerprint,
        extractor=chosen.spec,
        weights_digest=dataset.extractor.weights_digest,
        pairs=dataset.kind,
        n_products=dataset.n_products(),
        split_seed=request.pair_options.seed,
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
    """Whether the overall score is no better, or that of a category is worse by more than noise."""
    overall = sum(estimate.value for estimate in validation[0].difference.values())
    return overall <= 0 or any(one.verdict(name) == "fell" for one in validation for name in SCORES)


def _by_category(found: Sequence[Change]) -> dict[str, Any]:
    return {one.category: one.as_dict() for one in found}
