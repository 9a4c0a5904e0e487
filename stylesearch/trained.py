"""The trained models of a workspace: how one replaces another, and what goes when one is removed.

A model is saved by filling a new folder and then swapping ``model.json``: a reader has the old model or the
new one, whole, and a pulled plug leaves one of the two. Where everything lies is said in
:mod:`stylesearch.model_folders`. Nothing here imports Keras.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from stylesearch.errors import ConfigError, SpaceError
from stylesearch.model_cards import (
    PREFIX,
    ModelCard,
    check_features,
    checked_name,
    index_folder,
    is_trained,
    name_of,
    space_of,
)
from stylesearch.model_folders import (
    CARD,
    TRANSFORM,
    VERSION,
    Stamp,
    files_of,
    folder_of,
    is_in_force,
    is_network_of,
    load_model,
    model,
    models,
    names,
    no_such_model,
    read_card,
    stamp,
)
from stylesearch.model_paths import kept_path
from stylesearch.spaces.learned import LearnedTransform
from stylesearch.storage import locked, sync_files, sync_folder, write_json

__all__ = [
    "PREFIX",
    "ModelCard",
    "Stamp",
    "check_features",
    "checked_name",
    "files_of",
    "folder_of",
    "index_folder",
    "is_network_of",
    "is_trained",
    "load_model",
    "model",
    "models",
    "name_of",
    "names",
    "read_card",
    "remove_model",
    "require_removable",
    "save_model",
    "space_of",
    "stamp",
    "training_lock",
    "withdraw_model",
]

log = logging.getLogger(__name__)

_PATIENCE = 60.0


def save_model(
    home: Path, card: ModelCard, transform: LearnedTransform, files: Mapping[str, Path] | None = None
) -> Path:
    """Puts a model in force, in place of one of that name; an interruption leaves the old one, whole.

    Indexes of the old one are of no use from then on: searches are exact until
    :func:`stylesearch.gallery.upkeep.refresh` has built new ones.

    Args:
        home: the workspace folder.
        card: says the same of name, metric, weights and version as ``transform``.
        transform: what searches need.
        files: what else is kept, by name: ``model.keras``, ``curve.png``, ``history.csv``; they are copied.

    Returns:
        the folder with the files.

    Raises:
        SpaceError: card and transform do not say the same.
        ConfigError: no model can have that name, or another process is saving for too long.
    """
    said = (card.space, card.metric, card.transform_version, dict(card.weights))
    if said != (transform.name, transform.metric, transform.version, dict(transform.weights)):
        raise SpaceError(f"the card of {card.name!r} does not say what its transform is. Received: {said}")
    folder = folder_of(home, card.name)
    with _lock(home):
        finished = folder / f"{transform.version[:16]}-{secrets.token_hex(4)}"
        finished.mkdir(parents=True)
        try:
            transform.save(finished / TRANSFORM)
            for name, source in (files or {}).items():
                shutil.copyfile(source, finished / name)
            sync_files(finished)
            sync_folder(folder)
            kept = {"extractor": kept_path(card.extractor, home), "files": finished.name}
            write_json(folder / CARD, card.to_json() | kept)
        except BaseException:
            if not is_in_force(folder, finished.name):  # not when Ctrl-C came just after it was put in force
                shutil.rmtree(finished, ignore_errors=True)
            raise
        for path in folder.iterdir():
            if VERSION.fullmatch(path.name) and path != finished:
                _remove(path)
        for indexes in _indexes(home, card.name):
            if not indexes.parent.name.endswith(card.feature_set[:16]):
                _remove(indexes)  # the older one took other features: no build will come by here
    return finished


def remove_model(home: Path, name: str) -> None:
    """Removes a model, an unfinished training of that name, and every index of it.

    What searches load goes first: a search that runs meanwhile ends in the old model, or in an error. Where
    trainings may run meanwhile, the caller holds :func:`training_lock`.

    Args:
        home: the workspace folder.
        name: of the model.

    Raises:
        UnknownName: there is neither.
        ConfigError: another model takes features of its network, no model can have that name, or another
            process is saving for too long.
    """
    withdraw_model(home, name)
    folder = folder_of(home, name)
    for indexes in _indexes(home, name):
        _remove(indexes)
    # Last: whoever is interrupted finds a model of that name to remove.
    with _lock(home):
        if folder.is_dir():  # no other process was quicker
            shutil.rmtree(folder)


def withdraw_model(home: Path, name: str) -> None:
    """The first step of :func:`remove_model`, which it leaves to be done: the model is in force no more.

    Raises:
        as :func:`remove_model`.
    """
    require_removable(home, name)
    with _lock(home):
        (folder_of(home, name) / CARD).unlink(missing_ok=True)


def require_removable(home: Path, name: str) -> None:
    """Nothing, where :func:`remove_model` may go ahead.

    Raises:
        UnknownName: there is neither model nor training of that name.
        ConfigError: another model takes features of its network, or no model can have that name.
    """
    folder = folder_of(home, name)
    if not folder.is_dir():
        raise no_such_model(folder)
    for card in models(home):
        if card.name != name and is_network_of(home, name, card.extractor):
            raise ConfigError(
                f"{card.space} takes features of the network of {space_of(name)}",
                hint=f"stylesearch models remove {card.name}, then this one",
            )


def training_lock(home: Path, name: str, timeout: float) -> contextlib.AbstractContextManager[None]:
    """Held while a model of that name is trained or removed: its checkpoint and networks have one owner.

    The file lies beside the model's folder, and stays. It is taken before the lock of the catalog.

    Args:
        home: the workspace folder.
        name: of the model.
        timeout: seconds to wait for another process.

    Raises:
        ConfigError: another process is training or removing it; or no model can have that name.
    """
    too_long = ConfigError(
        f"another process is training or removing the model {name!r}, or training on its network "
        f"(waited {timeout:g} s)",
        hint="wait until it is done; or train under another name, on a network of no model",
    )
    return locked(folder_of(home, name).with_name(f".{name}.lock"), timeout, too_long)


def _indexes(home: Path, name: str) -> list[Path]:
    """Folders of a model's indexes, of every catalog and feature set."""
    return list((home / "indexes").glob(f"*/{index_folder(space_of(name))}"))


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:  # in use, on a system that forbids it: it is of another version, so of no harm
        log.info("%s could not be removed yet: %s", folder, error)


def _lock(home: Path) -> contextlib.AbstractContextManager[None]:
    """Keeps others that save or remove models of this workspace waiting."""
    path = home / "models" / ".lock"
    too_long = ConfigError(
        f"another process has been saving a model for {_PATIENCE:.0f} seconds",
        hint=f"if none is running, remove {path}",
    )
    return locked(path, _PATIENCE, too_long)
