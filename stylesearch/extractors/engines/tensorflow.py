"""Runs a Keras model with TensorFlow: on the GPU when there is one, else on the CPU."""

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

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.errors import ConfigError, ExtractorError, MissingDependency
from stylesearch.extractors.engines.base import GraphRecipe

__all__ = [
    "TensorFlowEngine",
    "import_keras",
    "import_tensorflow",
    "visible_gpus",
]

# Importing TensorFlow and Keras: quietly, and with TensorFlow as Keras's backend.

logger = logging.getLogger("stylesearch.extractors")

# Lines of the log that TensorFlow's C++ side writes straight to file descriptor 2 while it starts.
_START_UP_LINE = re.compile(
    rb"^(WARNING: All log messages before absl|[IWE]\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d [\d:. ]+: [IWE] "
    rb"|To enable the following instructions|Skipping registering GPU devices)"
)
_lock = threading.Lock()


def import_tensorflow() -> Any:
    """Imports the module ``tensorflow``.

    Its messages about processors and CUDA while it starts are written to the debug log, unless the user has
    set ``TF_CPP_MIN_LOG_LEVEL`` to see it.

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
            tensorflow.config.list_physical_devices("GPU")  # logs about CUDA here, not later
        return tensorflow


def import_keras() -> Any:
    """Imports the module ``keras``.

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
    with contextlib.ExitStack() as stack:
        try:
            caught = stack.enter_context(tempfile.TemporaryFile())
        except OSError:  # no room for temporary files: then the log is seen
            yield
            return
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


# Images a step: enough to fill a GPU, few enough for 4 GB of it with VGG19.
_BATCH = 32
_POLICIES = {"auto": "float32", "f32": "float32", "mixed_float16": "mixed_float16"}


class TensorFlowEngine:
    """A Keras model as one TensorFlow function.

    Args:
        recipe: the network to run.
        precision: ``"auto"`` and ``"f32"``: float32; ``"mixed_float16"``: half precision with float32
            weights, which is faster on a GPU and slower on a CPU.
        batch_size: images a step, at most.

    Raises:
        ConfigError: TensorFlow does not compute in this precision.
        ExtractorError: the model cannot be built.
        MissingDependency: TensorFlow or Keras are not installed.
    """

    def __init__(self, recipe: GraphRecipe, precision: str = "auto", batch_size: int = _BATCH) -> None:
        if precision not in _POLICIES:
            raise ConfigError(
                f"the engine tensorflow computes in f32 or mixed_float16, not in {precision!r}",
                hint="choose the precision auto, f32 or mixed_float16",
            )
        self.batch_size = batch_size
        self._tensorflow = import_tensorflow()
        self.device = "GPU" if visible_gpus(self._tensorflow) else "CPU"
        self.precision = "mixed_float16" if precision == "mixed_float16" else "f32"
        model = recipe.build(_POLICIES[precision])
        self.dim = int(model.output_shape[-1])
        size = recipe.input_size
        signature = [self._tensorflow.TensorSpec([None, size, size, 3], self._tensorflow.uint8)]
        self._function = self._tensorflow.function(
            lambda images: model(images, training=False), input_signature=signature
        )

    def run(self, images: Images) -> Features:
        """Computes vectors of ``images``, uint8 ``(n, s, s, 3)`` with n at least 1."""
        features = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), self.batch_size):
            batch = self._tensorflow.constant(images[start : start + self.batch_size])
            try:
                features[start : start + self.batch_size] = self._function(batch).numpy()
            except self._tensorflow.errors.ResourceExhaustedError as error:
                raise ExtractorError(
                    f"the {self.device} has not enough memory for {len(batch)} pictures at once",
                    hint="choose a smaller network, or the engine openvino",
                ) from error
        return features


def visible_gpus(tensorflow: Any) -> int:
    """Counts the GPUs that TensorFlow sees; tells each to take memory as needed instead of all at once."""
    gpus = tensorflow.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError as error:  # this process has used the GPU before, with settings of its own
            logger.debug("memory growth of %s stays as it is: %s", gpu.name, error)
    return len(gpus)
