"""One training of a workspace's model, from its catalog to a model in force."""

from __future__ import annotations

import importlib.metadata
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch import trained
from stylesearch.errors import ConfigError
from stylesearch.evaluation.surroundings import Surroundings, timed
from stylesearch.evaluation.vectors import Vectors
from stylesearch.model_cards import ModelCard, space_of
from stylesearch.spaces.learned import LearnedTransform
from stylesearch.training.finetune import finetuned, remove_other_networks
from stylesearch.training.joining import even_sample, weighted, with_equal_sizes
from stylesearch.training.learn import OnEpoch, learn, learned_from, training_data
from stylesearch.training.material import Material, find_material, photo_features, shop_features, split_facts
from stylesearch.training.report import TrainReport, TrainRequest
from stylesearch.training.scores import SCORES, Change, changes, ranked
from stylesearch.training.unfinished import NETWORK, check_interrupted, part_of, training_folder
from stylesearch.training.untrained import UntrainedSpaces, best_untrained
from stylesearch.training.weights import DEFAULT

__all__ = ["clear_away", "train_model"]

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

_LIBRARIES: Final = ("stylesearch", "numpy", "keras", "tensorflow")


def train_model(
    around: Surroundings,
    home: Path,
    request: TrainRequest,
    *,
    on_epoch: OnEpoch | None = None,
) -> TrainReport:
    """Trains a model on the pairs of a catalog, and puts it in force; an older one stays so until then.

    The caller holds :func:`stylesearch.trained.training_lock`, and calls :func:`clear_away` afterwards.

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
    trained.checked_name(request.name)
    if request.devices > 1:  # features may take hours: whether there are so many is said before that
        from stylesearch.training.keras.step import strategy_over

        strategy_over(request.devices)
    if request.resume:
        fingerprint = around.load(request.extractor).fingerprint
        check_interrupted(home, request.name, fingerprint, finetune=bool(request.finetune))
    seconds: dict[str, float] = {}
    with timed(seconds, "total"), Vectors(around.cache, around.max_bytes) as room:
        with timed(seconds, "features"):
            material = find_material(around, request.extractor, request.material)
            _check_enough(material)
        report = None
        if request.finetune:
            report = _with_new_network(around, home, request, material, room, seconds, on_epoch)
            if report is None:
                log.warning("fine-tuning did not help on validation products: the network stays as it was")
        if report is None:
            spec = request.extractor
            report = _Training(around, home, request, material, material, spec, room, seconds).run(on_epoch)
        assert report is not None  # only a new network is given up
        return report


def clear_away(home: Path, name: str) -> None:
    """Removes what only the training needed, and networks that the new model has replaced.

    Args:
        home: the workspace folder, whose ``config.toml`` names none of these networks any more.
        name: of a model in force.
    """
    remove_other_networks(home, name)
    shutil.rmtree(training_folder(home, name), ignore_errors=True)


def _with_new_network(
    around: Surroundings,
    home: Path,
    request: TrainRequest,
    original: Material,
    room: Vectors,
    seconds: dict[str, float],
    on_epoch: OnEpoch | None,
) -> TrainReport | None:
    """Fine-tunes the network and trains on its features; None where that does not help."""
    with timed(seconds, "fine-tuning"):
        folder = training_folder(home, request.name) / NETWORK
        network = finetuned(around, home, original, request, folder, on_epoch)
    if network is None:
        return None
    of_network = replace(request, extractor=str(network))
    with timed(seconds, "features"):
        material = find_material(around, of_network.extractor, request.material)
        _check_same(original, material)
    training = _Training(around, home, of_network, material, original, request.extractor, room, seconds)
    return training.run(on_epoch)


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
    if (original.rows.photos, original.rows.shop) != (material.rows.photos, material.rows.shop):
        raise ConfigError(
            "the catalog has changed while the network was trained",
            hint="run it again with --resume: what was done is kept",
        )


class _Training:
    """One training, when its material is there."""

    def __init__(
        self,
        around: Surroundings,
        home: Path,
        request: TrainRequest,
        material: Material,
        original: Material,
        original_spec: str,
        room: Vectors,
        seconds: dict[str, float],
    ) -> None:
        self._around = around
        self._home = home
        self._request = request
        self._material = material
        self._original = original
        self._original_spec = original_spec
        self._room = room
        self._seconds = seconds
        self._parts = material.photos()
        self._metric = request.options.metric

    def run(self, on_epoch: OnEpoch | None) -> TrainReport | None:
        """Trains, weighs, measures, saves; None for a new network that is worse than the original one."""
        rows = learned_from(self._material)
        with timed(self._seconds, "vectors"):
            shop, photos, untrained = self._untrained(self._material, rows)
            base = untrained.base(self._metric)
            of_shop, of_photos = (self._room.transformed(base, one) for one in (shop, photos))
            data = training_data(self._material, of_shop, of_photos, rows)
        folder = training_folder(self._home, self._request.name)
        own = part_of(folder, self._material.extractor.fingerprint)
        with timed(self._seconds, "training"):
            result = learn(data, self._request.options, own, self._request, on_epoch)
        with timed(self._seconds, "weights"):
            learned = LearnedTransform(
                name=space_of(self._request.name),
                untrained=untrained.best,
                base=base,
                layers=result.layers or (),
                metric=self._metric,
                weights={DEFAULT: 1.0},
            )
            learned = with_equal_sizes(learned, shop, seed=self._request.options.seed)
            width = learned.dim_learned + learned.untrained.dim
            cost = data.n_regions * len(shop) * width
            chosen_with = even_sample(self._parts.validation, cost, self._metric)
            of_chosen = photos[np.searchsorted(rows, chosen_with)]
            learned, weights = weighted(
                self._room,
                self._material,
                learned,
                shop,
                of_chosen,
                chosen_with,
                seed=self._request.options.seed,
            )
        with timed(self._seconds, "measuring"):
            before = untrained
            if self._original is not self._material:
                before = self._untrained(self._original, rows)[2]
            validation = self._changes(before, learned, chosen_with)
            if self._original is not self._material and _is_worse(validation):
                return None
            test = self._changes(before, learned, self._parts.test) if len(self._parts.test) else ()
        card = self._card(learned, untrained, validation, test)
        files = {path.name: path for path in result.files}
        saved = trained.save_model(self._home, card, learned, files)
        return TrainReport(
            card=card,
            validation=validation,
            test=test,
            weights=weights,
            history=result.history,
            best=result.best,
            stopped_early=result.stopped_early,
            n_failed=self._material.n_failed,
            n_joined=self._material.n_joined,
            seconds=self._seconds,
            folder=saved,
        )

    def _untrained(self, material: Material, rows: Ids) -> tuple[Floats, Floats, UntrainedSpaces]:
        """Features of the gallery and of some photos, and the best untrained space of them."""
        shop = shop_features(self._room, self._around, material)
        photos = photo_features(self._room, self._around, material, rows)
        data = training_data(material, shop, photos, rows)
        return shop, photos, best_untrained(self._room, shop, photos, data, self._metric)

    def _changes(
        self, untrained: UntrainedSpaces, learned: LearnedTransform, rows: Ids
    ) -> tuple[Change, ...]:
        """What changed for some photos, from the untrained space of the original network on."""
        numbers = self._material.rows
        spaces = ((self._original, untrained.best), (self._material, learned))
        found = [
            ranked(self._room, self._around, material, transform, self._metric, rows)
            for material, transform in spaces
        ]
        right = numbers.photo_product[rows].tolist()
        categories = [numbers.product_category[number] for number in right]
        products = [numbers.product_ids[number] for number in right]
        return changes(found[0], found[1], categories, products, seed=self._request.options.seed)

    def _card(
        self,
        learned: LearnedTransform,
        untrained: UntrainedSpaces,
        validation: Sequence[Change],
        test: Sequence[Change],
    ) -> ModelCard:
        request, material = self._request, self._material
        extractor = material.extractor
        asked: dict[str, Any] = {
            "regions": material.regions,
            "untrained_scores": {name: list(scores) for name, scores in untrained.scores.items()},
            **split_facts(material.split, request.material),
        }
        if self._original is not material:
            asked |= {"finetuned_from": self._original_spec, "finetuned_blocks": request.finetune}
        return ModelCard(
            name=request.name,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            feature_set=extractor.fingerprint,
            extractor=request.extractor,
            weights_digest=extractor.weights_digest,
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
    """Whether less is found overall, or less in a category by more than noise."""
    overall = sum(estimate.value for estimate in validation[0].difference.values())
    return overall < 0 or any(one.verdict(name) == "fell" for one in validation for name in SCORES)


def _by_category(found: Sequence[Change]) -> dict[str, Any]:
    return {one.category: one.as_dict() for one in found}
