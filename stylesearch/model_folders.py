"""Where a workspace's trained models lie, and reading them.

::

    models/                        in the workspace folder
      .lock                        held while a model is saved or removed
      NAME/
        model.json                 the card, and which of the folders below is in force
        <version>-<token>/         never changed once model.json names it
          transform.npz            what searches need; NumPy reads it
          model.keras              what training goes on from
          curve.png, history.csv   how training went
        network-<digest>.keras     only of a fine-tuned model: its extractor
        training/                  only while a training is going on; not looked at here

What a card says of its extractor is a path from the workspace folder on where that is a file in it, so that
the folder can be moved; whoever reads the card gets the whole path. Nothing here imports Keras.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from pathlib import Path

from stylesearch.errors import SpaceError, UnknownName
from stylesearch.model_cards import ModelCard, checked_name
from stylesearch.model_paths import whole_path
from stylesearch.registry import unknown_name
from stylesearch.spaces.learned import LearnedTransform

__all__ = [
    "CARD",
    "TRANSFORM",
    "VERSION",
    "Stamp",
    "files_of",
    "folder_of",
    "is_in_force",
    "is_network_of",
    "load_model",
    "model",
    "models",
    "names",
    "no_such_model",
    "read_card",
    "stamp",
]

log = logging.getLogger(__name__)

CARD = "model.json"
TRANSFORM = "transform.npz"
VERSION = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}")
"""Names of folders with the files of a model."""

# A folder can vanish between reading the card and opening it, when trainings end just then.
_TRIES = 5

Stamp = tuple[int, int]
"""What tells one version of a model from another without reading it."""


def folder_of(home: Path, name: str) -> Path:
    """Where a model of a workspace lies, if there is one; ``home`` is the workspace folder."""
    return home / "models" / checked_name(name)


def names(home: Path) -> list[str]:
    """Names of the workspace's models, sorted; damaged ones included."""
    return sorted(path.parent.name for path in (home / "models").glob(f"*/{CARD}"))


def models(home: Path) -> list[ModelCard]:
    """The workspace's models by name; one that cannot be read is left out, and logged.

    Args:
        home: the workspace folder.
    """
    found = []
    for name in names(home):
        try:
            found.append(model(home, name))
        except UnknownName:
            continue  # removed since the folder was listed
        except SpaceError as error:
            log.warning("%s", error)
    return found


def model(home: Path, name: str) -> ModelCard:
    """The card of a model.

    Raises:
        UnknownName: there is no such model; the message has the nearest name.
        SpaceError: its card is damaged.
        ConfigError: no model can have that name.
    """
    return read_card(folder_of(home, name))


def read_card(folder: Path) -> ModelCard:
    """The card of the model in a folder; raises what :func:`model` raises."""
    return _read(folder)[0]


def stamp(folder: Path) -> Stamp:
    """Tells one version of the model in a folder from another; zeros when there is none."""
    try:
        status = (folder / CARD).stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_ino)


def files_of(home: Path, name: str) -> Path:
    """The folder with the files of the model in force: ``model.keras``, ``curve.png``, ...

    Raises:
        UnknownName, SpaceError, ConfigError: as :func:`model`.
    """
    folder = folder_of(home, name)
    return folder / _read(folder)[1]


def load_model(folder: Path) -> tuple[ModelCard, LearnedTransform]:
    """The card and the transform of the model in a folder, of one version.

    Args:
        folder: from :func:`folder_of`.

    Raises:
        UnknownName: there is no model, or it has been removed.
        SpaceError: it is damaged.
    """
    for attempt in range(1, _TRIES + 1):
        card, files = _read(folder)
        try:
            transform = LearnedTransform.load(folder / files / TRANSFORM)
        except SpaceError as error:
            if attempt < _TRIES and not is_in_force(folder, files):
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
    """Whether an extractor is a network in a model's folder, and so goes with it.

    Args:
        home: the workspace folder.
        name: of the model.
        extractor: of a card, or of the settings.
    """
    return Path(extractor).parent == folder_of(home, name).resolve()


def _read(folder: Path) -> tuple[ModelCard, str]:
    """The card, and the name of the folder of the files in force."""
    try:
        values = json.loads((folder / CARD).read_bytes())
    except FileNotFoundError:
        raise no_such_model(folder) from None
    except (OSError, ValueError) as error:
        raise SpaceError(f"{folder / CARD} cannot be read: {error}") from error
    try:
        card, files = ModelCard.from_json(values), str(values["files"])
        card = dataclasses.replace(card, extractor=whole_path(card.extractor, folder.parents[1]))
    except (SpaceError, KeyError, TypeError) as error:
        raise SpaceError(f"{folder / CARD} is no card of a model: {error}") from error
    if card.name != folder.name or not VERSION.fullmatch(files):
        raise SpaceError(f"{folder / CARD} is the card of another model: {card.name!r}")
    return card, files


def is_in_force(folder: Path, files: str) -> bool:
    """Whether the model in a folder is that of the folder of files called ``files``, now."""
    try:
        return _read(folder)[1] == files
    except (UnknownName, SpaceError):
        return False


def no_such_model(folder: Path) -> UnknownName:
    """The error of a folder without a model, with the nearest name."""
    known = names(folder.parents[1])
    if not known:
        return UnknownName(
            f"no trained model is called {folder.name!r}: there is none in this workspace",
            hint=f"stylesearch train {folder.name}",
        )
    return unknown_name("trained model", folder.name, dict.fromkeys(known))
