"""Computes white-box features: with NumPy on the CPU, with TensorFlow on a GPU."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.errors import ConfigError, ExtractorError
from stylesearch.extractors.classical.feature import Compute, Feature
from stylesearch.extractors.engines.choose import EngineChoice, choose_engine

__all__ = ["ENGINES", "choose_compute", "open_compute"]

ENGINES = ("auto", "numpy", "tensorflow")

# Pixels a step on the CPU: intermediate results stay in the second-level cache.
_PIXELS_A_STEP = 32 * 1024
# Pixels a step in tensors: enough to fill a GPU, few enough to need only some hundred megabytes of it.
_PIXELS_A_BATCH = 1024 * 1024


def choose_compute(engine: str = "auto", precision: str = "auto", throughput: bool = True) -> EngineChoice:
    """Resolves ``"auto"``: TensorFlow where it sees a GPU and there are many images, else NumPy.

    NumPy has computed the 16 images of a query long before TensorFlow is imported, and on a CPU it is the
    faster of the two.

    Raises:
        ConfigError: there is no such engine, or it does not compute in that precision.
    """
    if engine not in ENGINES:
        raise ConfigError(
            f"white-box features are computed by {' or '.join(ENGINES[1:])}, not by {engine!r}",
            hint=f"engines of white-box features: {', '.join(ENGINES)}",
        )
    if precision not in ("auto", "f32"):
        raise ConfigError(
            f"white-box features are computed in f32, not in {precision!r}",
            hint="choose the precision auto or f32",
        )
    if engine == "auto":
        choice = choose_engine("auto", "auto", throughput)
        if choice.device == "GPU":
            return choice
    if engine == "tensorflow":
        return choose_engine("tensorflow")
    return EngineChoice("numpy", "CPU")


def open_compute(feature: Feature, input_size: int, choice: EngineChoice) -> Compute:
    """Makes the function that turns one or more images of that size into vectors; it is thread-safe.

    Raises:
        MissingDependency: TensorFlow is asked for and not installed.
    """
    if choice.engine == "tensorflow":
        from stylesearch.extractors.engines.tensorflow import import_tensorflow, visible_gpus

        tensorflow = import_tensorflow()
        n_gpus = visible_gpus(tensorflow)
        if choice.certain or n_gpus:
            return _with_tensors(feature, input_size, tensorflow, "GPU" if n_gpus else "CPU")
        warnings.warn(
            f"there is a GPU, but TensorFlow does not see it; {feature.name} is computed on the CPU instead "
            "(pip install 'stylesearch[gpu]', or set STYLESEARCH_DEVICE=cpu to silence this)",
            UserWarning,
            stacklevel=2,
        )
    return _with_arrays(feature, input_size)


def _with_arrays(feature: Feature, input_size: int) -> Compute:
    step = max(1, _PIXELS_A_STEP // input_size**2)

    def compute(images: Images) -> Features:
        features = np.empty((len(images), feature.dim(input_size)), np.float32)
        for start in range(0, len(images), step):
            features[start : start + step] = feature.from_arrays(images[start : start + step])
        return features

    return compute


def _with_tensors(feature: Feature, input_size: int, tensorflow: Any, device: str) -> Compute:
    signature = [tensorflow.TensorSpec([None, input_size, input_size, 3], tensorflow.uint8)]
    function = tensorflow.function(
        lambda images: feature.from_tensors(tensorflow, images), input_signature=signature
    )

    step = max(1, _PIXELS_A_BATCH // input_size**2)

    def compute(images: Images) -> Features:
        features = np.empty((len(images), feature.dim(input_size)), np.float32)
        for start in range(0, len(images), step):
            batch = tensorflow.constant(images[start : start + step])
            try:
                features[start : start + step] = function(batch).numpy()
            except tensorflow.errors.ResourceExhaustedError as error:
                raise ExtractorError(
                    f"the {device} has not enough memory for {len(batch)} pictures at once",
                    hint="choose a smaller input size, or the engine numpy",
                ) from error
        return features

    return compute
