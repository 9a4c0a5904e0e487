"""Runs a converted model with OpenVINO on the CPU. TensorFlow is imported only to convert it, once."""

from __future__ import annotations

import contextlib
import importlib
import queue
import sys
import threading
from collections import deque
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.errors import ConfigError, MissingDependency
from stylesearch.extractors.engines.base import GraphRecipe
from stylesearch.extractors.engines.bf16 import MIN_SAMPLE_COSINE, fit_bf16
from stylesearch.extractors.engines.model_cache import ConvertedModel, compile_cached, open_converted
from stylesearch.extractors.engines.tensorflow import import_tensorflow
from stylesearch.parallel import usable_cores

__all__ = [
    "BATCH",
    "OpenVinoEngine",
    "choose_precision",
    "convert_recipe",
    "explain_precision",
    "import_openvino",
    "import_openvino_converter",
    "openvino_core",
]

_TELEMETRY = "openvino_telemetry"
_TOOLS = "openvino.tools.ovc"
_lock = threading.Lock()
_core: Any = None

BATCH = 2
"""Images that one core computes at once, in a model of fixed shapes.

Two leave the intermediate results in the cache of a core: EfficientNet-Lite0 takes 5.2 ms an image and core
in batches of 2, 5.5 in batches of 8 and 6.2 in batches of 32; for the large networks it makes no difference.
"""


def import_openvino() -> Any:
    """Imports ``openvino`` without its conversion tools and its telemetry.

    ``import openvino`` alone also imports the tools, which takes twice as long as all the rest and sends an
    event to Intel over the network. The package can do without them, so they are made to look absent
    meanwhile. ``openvino.convert_model`` still works, and imports them when it is called.

    Raises:
        MissingDependency: OpenVINO is not installed.
    """
    with _lock:
        if "openvino" in sys.modules:
            return sys.modules["openvino"]
        with _absent(_TELEMETRY, _TOOLS):
            try:
                openvino: Any = importlib.import_module("openvino")
            except ModuleNotFoundError as error:
                raise MissingDependency(
                    f"the OpenVINO engine needs the library {error.name!r}, which is not installed",
                    hint="pip install openvino, or choose the engine 'tensorflow'",
                ) from error
        if not hasattr(openvino, "convert_model"):
            openvino.convert_model = _convert_model  # for other code in this process that expects it there
        return openvino


def openvino_core() -> Any:
    """The ``openvino.Core`` of this process, which all models share and which lives as long as the process.

    The first use of its CPU gives the calling thread another stack for signal handlers. The end of the last
    core and model takes it away, but only from the thread in which it happens: in any other, the first thread
    keeps a stack that is not there any more, and its next signal, be it Ctrl-C, is a segmentation fault.

    Raises:
        MissingDependency: OpenVINO is not installed.
    """
    global _core
    openvino = import_openvino()
    with _lock:
        if _core is None:
            _core = openvino.Core()
        return _core


def import_openvino_converter() -> Any:
    """Imports ``openvino.convert_model``, without telemetry unless other code has imported that before."""
    import_openvino()
    with _lock, _absent(_TELEMETRY):
        return importlib.import_module(_TOOLS).convert_model


def _convert_model(*args: Any, **options: Any) -> Any:
    return import_openvino_converter()(*args, **options)


@contextlib.contextmanager
def _absent(*names: str) -> Iterator[None]:
    """Makes modules that were not yet imported look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # documented: makes an import fail
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


class OpenVinoEngine:
    """A model compiled for this machine's CPU.

    Every core runs its own stream of small batches, whose intermediate results stay in its cache: on two
    cores a sixth faster than one large batch over both, for the 16 crops of a query as for an ingest.

    Args:
        recipe: the network to run; converted with TensorFlow if the cache does not have it.
        precision: ``"auto"`` (bf16 where it is at hand and exact enough), ``"f32"`` or ``"bf16"``.

    Raises:
        ConfigError: there is no such precision here, or the cache folder cannot be written.
        ExtractorError: the model cannot be built or compiled.
        MissingDependency: OpenVINO is not installed.
    """

    device = "CPU"

    def __init__(self, recipe: GraphRecipe, precision: str = "auto") -> None:
        converted = open_converted(recipe.name, recipe.fingerprint, partial(convert_recipe, recipe))
        core = openvino_core()
        self.dim = int(converted.facts["dim"])
        self.precision = choose_precision(core, converted, precision)
        self._batch = int(converted.facts["batch"])
        options = {
            "INFERENCE_PRECISION_HINT": self.precision,
            "NUM_STREAMS": str(usable_cores()),
            "INFERENCE_NUM_THREADS": str(usable_cores()),
            # Decoding threads share the cores; the system places them better when none is tied to one.
            "ENABLE_CPU_PINNING": "NO",
        }
        compiled = compile_cached(import_openvino(), core, converted.xml, options)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(usable_cores()):
            self._idle.put(compiled.create_infer_request())

    def run(self, images: Images) -> Features:
        """Computes vectors of ``images``, uint8 ``(n, s, s, 3)`` with n at least 1, C-contiguous."""
        features = np.empty((len(images), self.dim), np.float32)
        running: deque[_Running] = deque()
        try:
            for start in range(0, len(images), self._batch):
                request = self._take(running)
                running.append(_Running(request, features[start : start + self._batch]))
                chunk = images[start : start + self._batch]
                # The last chunk may be short; what an earlier call left behind it is computed too, and
                # ignored.
                request.get_input_tensor(0).data[: len(chunk)] = chunk
                request.start_async()
            while running:
                self._idle.put(running.popleft().finish())
        finally:
            for unfinished in running:  # after an error or Ctrl-C
                unfinished.request.wait()
                self._idle.put(unfinished.request)
        return features

    def _take(self, running: deque[_Running]) -> Any:
        """Takes an idle request, else the oldest of this call's own, else one that another thread returns."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return running.popleft().finish() if running else self._idle.get()


class _Running:
    """A batch that is being computed, and the rows that its vectors go to."""

    __slots__ = ("features", "request")

    def __init__(self, request: Any, features: Features) -> None:
        self.request, self.features = request, features

    def finish(self) -> Any:
        """Waits, copies the vectors out and returns the request, which is idle then."""
        self.request.wait()
        self.features[...] = self.request.get_output_tensor(0).data[: len(self.features)]
        return self.request


def choose_precision(core: Any, converted: ConvertedModel, wanted: str) -> str:
    """Resolves ``"auto"`` to ``"f32"`` or ``"bf16"``.

    Raises:
        ConfigError: ``wanted`` is neither, nor ``"auto"``; or it is bf16, which this processor does not have
            or which changes this model's vectors too much.
    """
    if wanted not in ("auto", "f32", "bf16"):
        raise ConfigError(
            f"the OpenVINO engine computes in f32 or bf16, not in {wanted!r}",
            hint="choose the precision auto, f32 or bf16, or the engine tensorflow",
        )
    precision, reason = explain_precision(core, converted, wanted)
    if wanted not in ("auto", precision):
        raise ConfigError(f"bf16 cannot be used: {reason}", hint="choose the precision auto or f32")
    return precision


def explain_precision(core: Any, converted: ConvertedModel, wanted: str = "auto") -> tuple[str, str]:
    """The precision that a converted model can be computed in here, and the reason.

    Args:
        core: an ``openvino.Core``.
        converted: the model.
        wanted: ``"f32"``; or ``"auto"`` or ``"bf16"``, which get bf16 where it can be used.

    Returns:
        ``"f32"`` or ``"bf16"``, and a clause that says why.
    """
    if wanted == "f32":
        return "f32", "the settings say so"
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return "f32", "this processor has no bfloat16"
    cosine = converted.facts["bf16_cosine"]
    if cosine is None:
        return "f32", "the processor that converted the model had no bfloat16"
    if cosine < MIN_SAMPLE_COSINE:
        return "f32", f"bfloat16 changes this model's vectors too much (cosine {cosine:.4f})"
    return (
        "bf16",
        f"this processor has bfloat16, and the vectors stay near those of f32 (cosine {cosine:.4f})",
    )


def convert_recipe(recipe: GraphRecipe, folder: Path) -> dict[str, Any]:
    """Converts a Keras model into OpenVINO's format, in ``folder``, and tries out bf16. Imports TensorFlow.

    Returns:
        ``dim``: width of a vector. ``batch``: images at once. ``bf16_cosine``: the result of
        ``fit_bf16``. ``openvino``: version of the converter.
    """
    tensorflow = import_tensorflow()
    openvino = import_openvino()
    size = recipe.input_size
    model = recipe.build()
    function = tensorflow.function(lambda images: model(images, training=False))
    signature = tensorflow.TensorSpec([BATCH, size, size, 3], tensorflow.uint8)
    converted = import_openvino_converter()(function.get_concrete_function(signature))
    # Half-precision weights would spare disk, but then f32 would no longer give Keras's vectors.
    openvino.save_model(converted, folder / "model.xml", compress_to_fp16=False)
    return {
        "dim": int(model.output_shape[-1]),
        "batch": BATCH,
        "bf16_cosine": fit_bf16(openvino_core(), folder / "model.xml", size, BATCH),
        "openvino": openvino.__version__,
    }
