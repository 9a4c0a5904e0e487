"""Trains models of a workspace: options by name, locks, settings, and removal of replaced networks."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylesearch.files import expand_user
from stylesearch.workspace.indexes import Indexes

if TYPE_CHECKING:
    from collections.abc import Callable

    from stylesearch.models.card import ModelCard
    from stylesearch.training.epoch import Epoch
    from stylesearch.training.results import TrainReport
    from stylesearch.types import ReportProgress
    from stylesearch.workspace.resources import Resources

__all__ = ["follow_network", "make_default", "train"]


def train(
    resources: Resources,
    name: str,
    choices: Mapping[str, Any],
    *,
    default: bool,
    max_memory: int,
    progress: ReportProgress | None,
    on_epoch: Callable[[Epoch], None] | None,
) -> TrainReport:
    """Trains a model and builds its indexes, for ``stylesearch.Workspace.train``.

    Args:
        resources: resources of the workspace.
        name: name of the model.
        choices: fields of the training's options by name; None counts as not given.
        default: whether to make it the workspace's space.
        max_memory: rough limit of memory for vectors and distances, in MiB.
        progress: called as ``progress(stage, n_done, n_total)``.
        on_epoch: called with each epoch.
    """
    from stylesearch.errors import ConfigError
    from stylesearch.images.regions import PERSON_PLAN
    from stylesearch.models.networks import owner_of
    from stylesearch.models.store import training_lock
    from stylesearch.training.finetune import FINETUNE_DEFAULTS
    from stylesearch.training.options import TrainOptions
    from stylesearch.training.pair_dataset import TRAINING_PLAN, PairOptions
    from stylesearch.training.results import TrainRequest
    from stylesearch.training.run import train_model

    own = resources.settings
    asked = {name: value for name, value in choices.items() if value is not None}
    spec = _absolute_spec(str(asked.pop("extractor", "") or own.extractor))
    seed = asked.get("seed", 0)
    # A head learns from regions that are the same for all photos.
    regions = TRAINING_PLAN if own.regions == PERSON_PLAN else own.regions
    of_pairs = {"regions": regions} | _take_fields(asked, PairOptions, "seed")
    pair_options = PairOptions(**of_pairs, seed=seed)
    of_options = _take_fields(asked, TrainOptions)
    of_request = _take_fields(asked, TrainRequest, "extractor", "name", "network_options")
    if of_request.get("finetune"):
        # Options of steps and batches apply to the network; the head over its features is quick to train.
        of_request["network_options"] = TrainOptions(**(FINETUNE_DEFAULTS | of_options))
        of_options = {name: one for name, one in of_options.items() if name not in FINETUNE_DEFAULTS}
    options = TrainOptions(**of_options)
    request = TrainRequest(spec, name=name, pair_options=pair_options, options=options, **of_request)
    if asked:
        raise ConfigError(f"a training has no choice called {', '.join(sorted(asked))}")
    context = resources.study_context(max_memory, progress)
    resources.bring_models()
    owner = owner_of(own.home, spec)
    with contextlib.ExitStack() as held:
        # No card says yet that this model uses that network. In the order of names, against deadlocks.
        for one in sorted({name, owner or name}):
            held.enter_context(training_lock(own.home, one, own.lock_timeout))
        if owner:
            _check_network_exists(spec, owner)
        report = train_model(context, own.home, request, artifacts=resources.artifacts, on_epoch=on_epoch)
        if default:
            make_default(own.home, report.card, own.weights)
        else:
            follow_network(own.home, report.card)
        _remove_leftovers(resources, name)  # only now, when the settings no longer name the old network
        began = time.perf_counter()
        build = f"stylesearch index build -s {report.card.space}"
        Indexes(resources).refresh([resources.extractor(report.card.extractor)], progress, build)
    seconds = {**report.seconds, "index": time.perf_counter() - began}
    seconds["total"] += seconds["index"]
    return dataclasses.replace(report, seconds=seconds)


def _check_network_exists(spec: str, owner: str) -> None:
    """Checks that a network was not removed while another process held its model."""
    from stylesearch.errors import ConfigError
    from stylesearch.extractors.spec import ExtractorSpec

    file = ExtractorSpec.parse(spec).name
    if not Path(file).is_file():
        raise ConfigError(
            f"there is no network {file}: the model {owner!r} was trained anew or removed",
            hint=f"stylesearch models show {owner} says which network it takes now",
        )


def _remove_leftovers(resources: Resources, name: str) -> None:
    """Removes files that only the training needed, and replaced networks with their features.

    The model is in use already: where networks cannot be removed now, a warning says so, and the next
    training of that name or its removal removes them.
    """
    from stylesearch.errors import StyleSearchError
    from stylesearch.models.networks import fingerprints_of, forget_features, unused_networks
    from stylesearch.training.checkpoints import training_folder

    own = resources.settings
    shutil.rmtree(training_folder(own.home, name), ignore_errors=True)
    unused = unused_networks(own.home, name)
    if not unused:
        return
    try:
        with resources.catalog().writing(timeout=own.lock_timeout) as writer:
            forget_features(writer, own.home, fingerprints_of(unused))
        for path in unused:
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)
    except (OSError, StyleSearchError) as error:
        warnings.warn(
            f"the model is in use, but {len(unused)} networks that no model takes any more could not be "
            f"removed: {error}; they go with the next training of {name!r}, or with its removal",
            stacklevel=3,
        )


def _take_fields(asked: dict[str, Any], kind: type, *but: str) -> dict[str, Any]:
    """Removes the choices that are fields of ``kind`` from ``asked``, and returns them."""
    names = {field.name for field in dataclasses.fields(kind)} - {"pair_options", "options", *but}
    return {name: asked.pop(name) for name in names & asked.keys()}


def _absolute_spec(spec: str) -> str:
    """Makes the path of a model's file absolute, since a search may be run from another folder."""
    from stylesearch.extractors.spec import ExtractorSpec

    parsed = ExtractorSpec.parse(spec)
    path = expand_user(parsed.name)
    return str(dataclasses.replace(parsed, name=str(path.resolve()))) if path.is_file() else spec


def make_default(home: Path, card: ModelCard, weights: str = "") -> None:
    """Writes into ``config.toml`` that searches use a model, and ingests its extractor.

    Args:
        home: the workspace folder.
        card: card of the model.
        weights: the setting that it was trained with, which queries load the extractor with.

    Raises:
        ConfigError: the file cannot be read.
    """
    from stylesearch.extractors.spec import relative_spec
    from stylesearch.settings import change_settings, load_settings

    changes: dict[str, str | int | float | None] = {"space": card.space}
    # Products that are ingested without the model's features would not be found.
    if _extractor_of(home) != card.extractor:
        changes["extractor"] = relative_spec(card.extractor, home)
    lasting = str(Path(weights).resolve()) if Path(weights).is_file() else weights
    if load_settings({"home": home}, {}).weights not in (weights, lasting):
        changes["weights"] = lasting or None
    change_settings(home, changes)


def follow_network(home: Path, card: ModelCard) -> None:
    """Replaces a network in ``config.toml`` by the new one that has replaced it.

    Called before the old network is removed, so that the file never names a missing one.

    Raises:
        ConfigError: the file cannot be read.
    """
    from stylesearch.extractors.spec import ExtractorSpec, relative_spec
    from stylesearch.models.store import is_network_of, list_models
    from stylesearch.settings import change_settings

    said = _extractor_of(home)
    in_use = {ExtractorSpec.parse(one.extractor).name for one in list_models(home)}
    if is_network_of(home, card.name, said) and ExtractorSpec.parse(said).name not in in_use:
        change_settings(home, {"extractor": relative_spec(card.extractor, home)})


def _extractor_of(home: Path) -> str:
    """The extractor in the settings file, or the default."""
    from stylesearch.settings import load_settings

    return load_settings({"home": home}, {}).extractor
