"""Running a converted model with OpenVINO on the CPU. Only to convert it first is TensorFlow imported."""

from __future__ import annotations

import queue
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from stylesearch.errors import ConfigError
from stylesearch.extractors.base import Features, Images
from stylesearch.extractors.engines.base import GraphRecipe
from stylesearch.extractors.engines.bf16 import MIN_SAMPLE_COSINE
from stylesearch.extractors.engines.compiled_cache import compile_cached
from stylesearch.extractors.engines.devices import n_cores
from stylesearch.extractors.engines.model_cache import ConvertedModel, open_converted
from stylesearch.extractors.engines.openvino_import import import_openvino, openvino_core

__all__ = ["OpenVinoEngine", "choose_precision"]


class OpenVinoEngine:
    """A model compiled for this machine's CPU.

    Every core runs its own stream of small batches, whose intermediate results stay in its cache: on two
    cores a sixth faster than one large batch over both, for the 16 crops of a query as for an ingest.

    Args:
        recipe: what to run; converted with TensorFlow if the cache does not have it.
        precision: ``"auto"`` (bf16 where it is at hand and exact enough), ``"f32"`` or ``"bf16"``.

    Raises:
        ConfigError: there is no such precision here, or the cache folder cannot be written.
        ExtractorError: the model cannot be built or compiled.
        MissingDependency: OpenVINO is not installed.
    """

    device = "CPU"

    def __init__(self, recipe: GraphRecipe, precision: str = "auto") -> None:
        def convert(folder: Path) -> dict[str, Any]:
            from stylesearch.extractors.engines.conversion import convert_recipe

            return convert_recipe(recipe, folder)

        converted = open_converted(recipe.name, recipe.fingerprint, convert)
        core = openvino_core()
        self.dim = int(converted.facts["dim"])
        self.precision = choose_precision(core, converted, precision)
        self._batch = int(converted.facts["batch"])
        options = {
            "INFERENCE_PRECISION_HINT": self.precision,
            "NUM_STREAMS": str(n_cores()),
            "INFERENCE_NUM_THREADS": str(n_cores()),
            # Decoding threads share the cores; the system places them better when none is tied to one.
            "ENABLE_CPU_PINNING": "NO",
        }
        compiled = compile_cached(import_openvino(), core, converted.xml, options)
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(n_cores()):
            self._idle.put(compiled.create_infer_request())

    def run(self, images: Images) -> Features:
        """Vectors of ``images``, uint8 ``(n, s, s, 3)`` with n at least 1, C-contiguous."""
        features = np.empty((len(images), self.dim), np.float32)
        running: deque[_Running] = deque()
        try:
            for start in range(0, len(images), self._batch):
                request = self._take(running)
                running.append(_Running(request, features[start : start + self._batch]))
                chunk = images[start : start + self._batch]
                # The last chunk may be short; what an earlier call left behind it is computed for nothing.
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
        """An idle request, else the oldest of this call's own, else one that another thread returns."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return running.popleft().finish() if running else self._idle.get()


class _Running:
    """A batch that is being computed, and where its vectors go."""

    __slots__ = ("features", "request")

    def __init__(self, request: Any, features: Features) -> None:
        self.request, self.features = request, features

    def finish(self) -> Any:
        """Waits, copies the vectors out and returns the request, which is idle then."""
        self.request.wait()
        self.features[...] = self.request.get_output_tensor(0).data[: len(self.features)]
        return self.request


def choose_precision(core: Any, converted: ConvertedModel, wanted: str) -> str:
    """``"f32"`` or ``"bf16"``.

    Raises:
        ConfigError: ``wanted`` is neither, nor ``"auto"``; or it is bf16, which this processor does not have
            or which changes this model's vectors too much.
    """
    if wanted not in ("auto", "f32", "bf16"):
        raise ConfigError(
            f"the OpenVINO engine computes in f32 or bf16, not in {wanted!r}",
            hint="choose the precision auto, f32 or bf16, or the engine tensorflow",
        )
    if wanted == "f32":
        return "f32"
    available = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    cosine = converted.facts["bf16_cosine"]  # None where it was converted on a processor without bf16
    if available and cosine is not None and cosine >= MIN_SAMPLE_COSINE:
        return "bf16"
    if wanted == "auto":
        return "f32"
    reason = (
        f"it changes this model's vectors too much (cosine {cosine:.4f})"
        if available and cosine is not None
        else "this processor, or the one that converted the model, does not have it"
    )
    raise ConfigError(f"bf16 cannot be used: {reason}", hint="choose the precision auto or f32")
