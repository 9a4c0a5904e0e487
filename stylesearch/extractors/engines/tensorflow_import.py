"""Importing TensorFlow and Keras: quietly, and with TensorFlow as Keras's backend."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from stylesearch.errors import ConfigError, MissingDependency

__all__ = ["import_keras", "import_tensorflow"]

logger = logging.getLogger("stylesearch.extractors")

# Lines of the log that TensorFlow's C++ side writes straight to file descriptor 2 while it starts.
_START_UP_LINE = re.compile(
    rb"^(WARNING: All log messages before absl|[IWE]\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d [\d:. ]+: [IWE] "
    rb"|To enable the following instructions|Skipping registering GPU devices)"
)
_lock = threading.Lock()


def import_tensorflow() -> Any:
    """The module ``tensorflow``.

    What it says about processors and CUDA while it starts goes to the debug log, unless the user has set
    ``TF_CPP_MIN_LOG_LEVEL`` to see it.

    Raises:
        MissingDependency: TensorFlow is not installed.
    """
    with _lock:
        if "tensorflow" in sys.modules:
            return sys.modules["tensorflow"]
        chatty = "TF_CPP_MIN_LOG_LEVEL" in os.environ
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        with contextlib.nullcontext() if chatty else _start_up_log_hidden():
            try:
                import tensorflow
            except ModuleNotFoundError as error:
                raise MissingDependency(
                    f"building a network needs the library {error.name!r}, which is not installed",
                    hint="pip install tensorflow",
                ) from error
            tensorflow.config.list_physical_devices("GPU")  # has its say about CUDA, here rather than later
        return tensorflow


def import_keras() -> Any:
    """The module ``keras``.

    Raises:
        ConfigError: it runs on another backend than TensorFlow.
        MissingDependency: Keras or TensorFlow are not installed.
    """
    import_tensorflow()
    try:
        import keras
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"building a network needs the library {error.name!r}, which is not installed",
            hint="pip install keras",
        ) from error
    if keras.config.backend() != "tensorflow":
        raise ConfigError(
            f"Keras runs on {keras.config.backend()!r} here, and networks are built with TensorFlow",
            hint="set KERAS_BACKEND=tensorflow, or change ~/.keras/keras.json",
        )
    return keras


@contextlib.contextmanager
def _start_up_log_hidden() -> Iterator[None]:
    """Catches what is written to file descriptor 2; what is not TensorFlow's log is written there later."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        kept = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            caught.seek(0)
            for line in caught.read().splitlines(keepends=True):
                if _START_UP_LINE.match(line):
                    logger.debug("%s", line.decode(errors="replace").rstrip())
                else:
                    os.write(2, line)
