"""Runs the two networks, as the files in which they were published: by OpenVINO, else by TensorFlow Lite."""

from __future__ import annotations

import logging
import queue
import threading
import warnings
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.errors import ExtractorError, MissingDependency
from stylesearch.extractors.engines.model_cache import compile_cached
from stylesearch.extractors.engines.openvino import import_openvino, openvino_core
from stylesearch.extractors.engines.tensorflow import import_tensorflow
from stylesearch.parallel import usable_cores

__all__ = ["Network", "OpenVinoNetwork", "TensorFlowNetwork", "load_network"]

logger = logging.getLogger("stylesearch.persons")


class Network(Protocol):
    """A loaded TFLite file. Thread-safe."""

    def run(self, square: Floats) -> list[Floats]:
        """Computes the outputs, in the order of their names, for one input; new arrays."""
        ...


def load_network(path: Path) -> Network:
    """Loads a TFLite file with OpenVINO, or with TensorFlow where OpenVINO is missing or refuses the file.

    Raises:
        ExtractorError: neither can run it.
        MissingDependency: neither is installed.
    """
    try:
        return OpenVinoNetwork(path)
    except (MissingDependency, ExtractorError) as error:
        logger.info("%s is run by TensorFlow: %s", path.name, error)
    return TensorFlowNetwork(path)


class OpenVinoNetwork:
    """A TFLite file that OpenVINO has compiled for this machine's CPU; the compiled one lies beside the file.

    All cores work on one input: a search waits for one photo at a time.

    Args:
        path: the file, in a folder of its own.

    Raises:
        ExtractorError: OpenVINO cannot read or compile it.
        MissingDependency: OpenVINO is not installed.
    """

    def __init__(self, path: Path) -> None:
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(usable_cores()),
            "ENABLE_CPU_PINNING": "NO",
        }
        self._compiled = compile_cached(import_openvino(), openvino_core(), path, options)
        names = [output.get_any_name() for output in self._compiled.outputs]
        self._order = sorted(range(len(names)), key=names.__getitem__)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def run(self, square: Floats) -> list[Floats]:
        """Computes the outputs, in the order of their names, for one input; new arrays."""
        try:
            request = self._idle.get_nowait()
        except queue.Empty:  # as many requests as threads have ever called at once
            request = self._compiled.create_infer_request()
        try:
            request.get_input_tensor(0).data[...] = square
            request.infer()
            return [np.array(request.get_output_tensor(index).data) for index in self._order]
        finally:
            self._idle.put(request)


class TensorFlowNetwork:
    """A TFLite file in TensorFlow's interpreter, which runs one input at a time.

    Args:
        path: the file.

    Raises:
        ExtractorError: TensorFlow has no interpreter any more, or cannot read the file.
        MissingDependency: TensorFlow is not installed.
    """

    def __init__(self, path: Path) -> None:
        lite: Any = getattr(import_tensorflow(), "lite", None)
        if not hasattr(lite, "Interpreter"):
            raise ExtractorError(
                f"this TensorFlow cannot run {path.name}: its TFLite interpreter has moved",
                hint="pip install openvino",
            )
        try:
            with warnings.catch_warnings():  # that the interpreter will move to another package
                warnings.simplefilter("ignore")
                self._interpreter = lite.Interpreter(
                    model_content=path.read_bytes(), num_threads=usable_cores()
                )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ExtractorError(
                f"TensorFlow cannot read {path}: {error}",
                hint="fetch it again: stylesearch weights remove persons; stylesearch weights fetch",
            ) from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        outputs = sorted(self._interpreter.get_output_details(), key=lambda one: str(one["name"]))
        self._outputs = [one["index"] for one in outputs]
        self._lock = threading.Lock()

    def run(self, square: Floats) -> list[Floats]:
        """Computes the outputs, in the order of their names, for one input; new arrays."""
        with self._lock:
            self._interpreter.set_tensor(self._input, square)
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index) for index in self._outputs]
