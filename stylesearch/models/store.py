"""The trained models of a workspace: reads, saves, activates and removes them.

```text
models/                        in the workspace folder
  .lock                        held while a model is saved or removed
  .NAME.lock                   held while the model NAME is trained or removed
  NAME/
    model.json                 the card, and the name of the active one of the folders below
    <version>-<token>/         never changed once model.json names it
      transform.npz            read by searches, with NumPy
      model.keras              the Siamese network
      curve.png, history.csv   history of the training
    network-<digest>.keras     only of a fine-tuned model: its extractor
    training/                  only during a training: its checkpoints
```

A model is saved by filling a new folder and then replacing ``model.json``: a reader has the old model or the
new one, whole, and a power cut leaves one of the two.

The extractor of a card is stored as a path relative to the workspace folder where it is a file in it, so that
the folder can be moved; ``read_card`` gives the whole path. Nothing here imports Keras.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stylesearch.artifacts.base import MODEL, RECORDS, ArtifactStore
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.data_files import read_json
from stylesearch.errors import ConfigError, SpaceError, UnknownName
from stylesearch.extractors.spec import ExtractorSpec, absolute_spec, relative_spec
from stylesearch.files import hold_lock, sync_files, sync_folder
from stylesearch.models.card import ModelCard, check_name, index_folder, space_of
from stylesearch.registry import unknown_name
from stylesearch.spaces.learned import LearnedTransform

__all__ = [
    "CARD",
    "TRANSFORM",
    "VERSION",
    "check_removable",
    "deactivate",
    "examine_models",
    "files_of",
    "folder_of",
    "is_current",
    "is_network_of",
    "list_models",
    "load_model",
    "model_names",
    "no_such_model",
    "read_card",
    "read_model",
    "remove_model",
    "save_model",
    "share_model",
    "training_lock",
]

log = logging.getLogger(__name__)

CARD: Final = RECORDS[MODEL]
TRANSFORM: Final = "transform.npz"
VERSION: Final = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")
"""Names of folders with the files of a model."""

# A folder can vanish between reading the card and opening it, when a training ends just then.
_TRIES: Final = 5

# Seconds to wait for another process that saves or removes a model.
_LOCK_TIMEOUT: Final = 60.0


def folder_of(home: Path, name: str) -> Path:
    """Folder of a model, whether or not it exists.

    Args:
        home: the workspace folder.
        name: name of the model.

    Raises:
        ConfigError: no model can have that name.
    """
    return home / "models" / check_name(name)


def model_names(home: Path) -> list[str]:
    """Names of the models of a workspace, sorted; damaged ones included."""
    return HomeArtifacts(home).names(MODEL)


def list_models(home: Path) -> list[ModelCard]:
    """Cards of the models of a workspace by name; one that cannot be read is left out, and logged.

    Args:
        home: the workspace folder.
    """
    cards, damaged = examine_models(home)
    for name, reason in damaged.items():
        log.warning("the model %s is damaged: %s", name, reason)
    return cards


def examine_models(home: Path, *, whole: bool = False) -> tuple[list[ModelCard], dict[str, str]]:
    """Reads the cards of all models of a workspace, by name.

    Args:
        home: the workspace folder.
        whole: whether the transform of each is read too.

    Returns:
        the cards that can be used, and of the other models, by name, the reason why they cannot.
    """
    found, damaged = [], {}
    for name in model_names(home):
        try:
            found.append(load_model(folder_of(home, name))[0] if whole else read_model(home, name))
        except UnknownName:
            continue  # removed since the folder was listed
        except (SpaceError, ConfigError) as error:  # the latter: no model can have that name
            damaged[name] = error.message
    return found, damaged


def read_model(home: Path, name: str) -> ModelCard:
    """Reads the card of a model.

    Raises:
        UnknownName: there is no such model; the message has the nearest name.
        SpaceError: its card is damaged.
        ConfigError: no model can have that name.
    """
    return read_card(folder_of(home, name))


def read_card(folder: Path) -> ModelCard:
    """Reads the card of the model in a folder; raises what ``read_model`` raises."""
    return _read(folder)[0]


def files_of(home: Path, name: str) -> Path:
    """Folder with the files of the active version: ``model.keras``, ``curve.png``, ...

    Raises:
        UnknownName, SpaceError, ConfigError: as ``read_model``.
    """
    folder = folder_of(home, name)
    return folder / _read(folder)[1]


def load_model(folder: Path) -> tuple[ModelCard, LearnedTransform]:
    """Loads the card and the transform of the model in a folder, both of one version.

    Args:
        folder: from ``folder_of``.

    Raises:
        UnknownName: there is no model, or it has been removed.
        SpaceError: it is damaged.
    """
    for attempt in range(1, _TRIES + 1):
        card, files = _read(folder)
        try:
            transform = LearnedTransform.load(folder / files / TRANSFORM)
        except SpaceError as error:
            if attempt < _TRIES and not is_current(folder, files):
                continue
            raise SpaceError(
                f"the model {folder.name!r} is damaged: {error}",
                hint=f"stylesearch train {folder.name}, or stylesearch models remove {folder.name}",
            ) from error
        if transform.version != card.transform_version or transform.name != card.space:
            raise SpaceError(
                f"the model {folder.name!r} is damaged: its card is that of another model",
                hint=f"stylesearch train {folder.name}, or stylesearch models remove {folder.name}",
            )
        return card, transform
    raise AssertionError("unreachable")


def is_network_of(home: Path, name: str, extractor: str) -> bool:
    """Whether an extractor is a network in a model's folder, which is removed with the model.

    Args:
        home: the workspace folder.
        name: name of the model.
        extractor: extractor of a card, or of the settings.
    """
    return Path(extractor).parent == folder_of(home, name).resolve()


def _read(folder: Path) -> tuple[ModelCard, str]:
    """Reads the card, and the name of the folder of the active version."""
    try:
        values = read_json(folder / CARD, nan=True)
    except FileNotFoundError:
        raise no_such_model(folder) from None
    except (OSError, ValueError) as error:
        raise SpaceError(f"{folder / CARD} cannot be read: {error}") from error
    try:
        card, files = ModelCard.from_json(values), str(values["files"])
        card = dataclasses.replace(card, extractor=absolute_spec(card.extractor, folder.parents[1]))
    except (ValueError, KeyError, TypeError) as error:  # SpaceError and ConfigError are ValueErrors
        raise SpaceError(f"{folder / CARD} is no card of a model: {error}") from error
    if card.name != folder.name or not VERSION.fullmatch(files):
        raise SpaceError(f"{folder / CARD} is the card of another model: {card.name!r}")
    return card, files


def is_current(folder: Path, files: str) -> bool:
    """Whether ``files`` is the folder of the active version of the model in a folder."""
    try:
        return _read(folder)[1] == files
    except (UnknownName, SpaceError):
        return False


def no_such_model(folder: Path) -> UnknownName:
    """Makes the error for a folder without a model, with the nearest name."""
    known = model_names(folder.parents[1])
    if not known:
        return UnknownName(
            f"no trained model is called {folder.name!r}: there is none in this workspace",
            hint=f"stylesearch train {folder.name}",
        )
    return unknown_name("trained model", folder.name, dict.fromkeys(known))


def save_model(
    home: Path,
    card: ModelCard,
    transform: LearnedTransform,
    files: Mapping[str, Path] | None = None,
    artifacts: ArtifactStore | None = None,
) -> Path:
    """Saves and activates a model, replacing one of that name; an interruption leaves the old one, whole.

    Indexes of the old one are of no use from then on: searches are exact until
    ``stylesearch.search.maintenance.refresh`` has built new ones.

    Args:
        home: the workspace folder.
        card: has the name, metric, weights and version of ``transform``.
        transform: the transform for searches.
        files: more files to keep, by name: ``model.keras``, ``curve.png``, ``history.csv``; they are copied.
        artifacts: the store that puts the model in force; by default the workspace folder's.

    Returns:
        the folder with the files.

    Raises:
        SpaceError: card and transform differ.
        ConfigError: no model can have that name, or another process is saving for too long.
    """
    said = (card.space, card.metric, card.transform_version, dict(card.weights))
    if said != (transform.name, transform.metric, transform.version, dict(transform.weights)):
        raise SpaceError(f"the card of {card.name!r} does not say what its transform is. Received: {said}")
    folder = folder_of(home, card.name)
    with _save_lock(home):
        finished = folder / f"{transform.version[:16]}-{secrets.token_hex(4)}"
        finished.mkdir(parents=True)
        try:
            transform.save(finished / TRANSFORM)
            for name, source in (files or {}).items():
                shutil.copyfile(source, finished / name)
            sync_files(finished)
            sync_folder(folder)
            kept = {"extractor": relative_spec(card.extractor, home), "files": finished.name}
            store = artifacts or HomeArtifacts(home)
            store.put(MODEL, card.name, card.to_json() | kept, _files_of(home, card, finished))
        except BaseException:
            if not is_current(folder, finished.name):  # not when Ctrl-C came just after it was activated
                shutil.rmtree(finished, ignore_errors=True)
            raise
        for path in folder.iterdir():
            if VERSION.fullmatch(path.name) and path != finished:
                _remove(path)
        for indexes in _indexes(home, card.name):
            if not indexes.parent.name.endswith(card.feature_set[:16]):
                _remove(indexes)  # the older one took other features: no build will remove these
    return finished


def share_model(home: Path, name: str, artifacts: ArtifactStore) -> None:
    """Puts a model of a workspace folder in force in a store, as it is.

    Args:
        home: the workspace folder.
        name: name of the model.
        artifacts: the store.

    Raises:
        UnknownName, SpaceError, ConfigError: as ``load_model``.
    """
    folder = folder_of(home, name)
    card, _ = load_model(folder)
    with _save_lock(home):
        record = read_json(folder / CARD, nan=True)
        artifacts.put(MODEL, name, record, _files_of(home, card, folder / str(record["files"])))


def remove_model(home: Path, name: str, artifacts: ArtifactStore | None = None) -> None:
    """Removes a model, an unfinished training of that name, and every index of it.

    The card is removed first: a search that runs meanwhile ends with the old model, or with an error. Where
    trainings may run meanwhile, the caller holds ``training_lock``.

    Args:
        home: the workspace folder.
        name: name of the model.
        artifacts: the store that takes the model out of force; by default the workspace folder's.

    Raises:
        UnknownName: there is neither a model nor a training of that name.
        ConfigError: another model takes features of its network, no model can have that name, or another
            process is saving for too long.
    """
    deactivate(home, name, artifacts)
    folder = folder_of(home, name)
    for indexes in _indexes(home, name):
        _remove(indexes)
    # Last: after an interruption there is still a model of that name to remove.
    with _save_lock(home):
        if folder.is_dir():  # another process may have removed it already
            shutil.rmtree(folder)


def deactivate(home: Path, name: str, artifacts: ArtifactStore | None = None) -> None:
    """Removes the card of a model, so that no search finds it: the first step of ``remove_model``.

    Raises:
        as ``remove_model``.
    """
    check_removable(home, name)
    with _save_lock(home):
        (artifacts or HomeArtifacts(home)).remove(MODEL, name)


def check_removable(home: Path, name: str) -> None:
    """Checks that ``remove_model`` may remove a model.

    Raises:
        UnknownName: there is neither model nor training of that name.
        ConfigError: another model takes features of its network, or no model can have that name.
    """
    folder = folder_of(home, name)
    if not folder.is_dir():
        raise no_such_model(folder)
    for card in list_models(home):
        if card.name != name and is_network_of(home, name, card.extractor):
            raise ConfigError(
                f"{card.space} takes features of the network of {space_of(name)}",
                hint=f"stylesearch models remove {card.name}, then this one",
            )


def training_lock(home: Path, name: str, timeout: float) -> contextlib.AbstractContextManager[None]:
    """Lock that is held while a model is trained or removed: its checkpoint and networks have one owner.

    The file lies beside the model's folder, and stays. It is taken before the lock of the catalog.

    Args:
        home: the workspace folder.
        name: name of the model.
        timeout: seconds to wait for another process.

    Raises:
        ConfigError: another process is training or removing it; or no model can have that name.
    """
    too_long = ConfigError(
        f"another process is training or removing the model {name!r}, or training on its network "
        f"(waited {timeout:g} s)",
        hint="wait until it is done; or train under another name, on a network of no model",
    )
    return hold_lock(folder_of(home, name).with_name(f".{name}.lock"), timeout, too_long)


def _indexes(home: Path, name: str) -> list[Path]:
    """Folders of a model's indexes, for all catalogs and feature sets."""
    return list((home / "indexes").glob(f"*/{index_folder(space_of(name))}"))


def _files_of(home: Path, card: ModelCard, finished: Path) -> list[str]:
    """Paths of a model's files within its folder, but for the card.

    With the networks in it that this model or another takes: whoever gets the model can use them.
    """
    cards = [card, *(one for one in examine_models(home)[0] if one.name != card.name)]
    names = {ExtractorSpec.parse(one.extractor).name for one in cards}
    networks = [Path(one) for one in names if is_network_of(home, card.name, one)]
    beside = [path for one in networks for path in (one, one.with_suffix(".json")) if path.exists()]
    return sorted(
        [*(f"{finished.name}/{path.name}" for path in finished.iterdir()), *(path.name for path in beside)]
    )


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:  # in use: it is of another version, so it does no harm
        log.info("%s could not be removed yet: %s", folder, error)


def _save_lock(home: Path) -> contextlib.AbstractContextManager[None]:
    """Lock of all processes that save or remove models of a workspace."""
    path = home / "models" / ".lock"
    too_long = ConfigError(
        f"another process has been saving a model for {_LOCK_TIMEOUT:.0f} seconds",
        hint=f"if none is running, remove {path}",
    )
    return hold_lock(path, _LOCK_TIMEOUT, too_long)
