"""Letting Keras download the weights of a network, and giving up soon where there is no network."""

from __future__ import annotations

import contextlib
import importlib
import logging
import socket
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

from stylesearch.errors import WeightsNotFound
from stylesearch.extractors.backbones import Backbone

__all__ = ["download_imagenet"]

logger = logging.getLogger("stylesearch.extractors")

_HOST = "https://storage.googleapis.com/tensorflow/keras-applications/"
_SECONDS = 6.0


def download_imagenet(backbone: Backbone, path: Path) -> None:
    """Has Keras download the ImageNet weights of ``backbone`` to ``path``, where it keeps them.

    Keras shows its progress on standard error.

    Raises:
        WeightsNotFound: there is no network, or the download failed.
    """
    if not _reachable():
        raise _not_found(backbone, path, "and there is no network to download it")
    from stylesearch.extractors.engines.tensorflow_import import import_keras

    import_keras()
    network = getattr(importlib.import_module(f"keras.applications.{backbone.module}"), backbone.class_name)
    logger.info("downloading %s", backbone.weights_file)
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(60.0)  # Keras sets none: a silent server would be waited for without end
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
        f"the ImageNet weights of {backbone.name} are not at hand: {path} does not exist, {reason}",
        hint=f"put {backbone.weights_file} into {path.parent}, or give its path as the weights",
    )


def _reachable() -> bool:
    """Whether the server of the weights answers. In a thread, since looking up its name has no time limit."""
    answers: list[bool] = []

    def ask() -> None:
        request = urllib.request.Request(_HOST, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS):
                answers.append(True)
        except urllib.error.HTTPError:
            answers.append(True)  # it may not like the question, but it is there
        except OSError as error:
            logger.debug("%s does not answer: %s", _HOST, error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(_SECONDS)
    return bool(answers)
