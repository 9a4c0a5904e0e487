"""Running a Keras model with TensorFlow: on the GPU when there is one, else on the CPU."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from stylesearch.errors import ConfigError, ExtractorError
from stylesearch.extractors.base import Features, Images
from stylesearch.extractors.engines.base import GraphRecipe
from stylesearch.extractors.engines.tensorflow_import import import_tensorflow

__all__ = ["TensorFlowEngine", "visible_gpus"]

logger = logging.getLogger("stylesearch.extractors")

# Pictures a step: enough to fill a GPU, few enough for 4 GB of it with VGG19.
_BATCH = 32
_POLICIES = {"auto": "float32", "f32": "float32", "mixed_float16": "mixed_float16"}


class TensorFlowEngine:
    """A Keras model as one TensorFlow function.

    Args:
        recipe: what to run.
        precision: ``"auto"`` and ``"f32"``: float32; ``"mixed_float16"``: half precision with float32
            weights, which is faster on a GPU and slower on a CPU.

    Raises:
        ConfigError: TensorFlow does not compute in this precision.
        ExtractorError: the model cannot be built.
        MissingDependency: TensorFlow or Keras are not installed.
    """

    def __init__(self, recipe: GraphRecipe, precision: str = "auto") -> None:
        if precision not in _POLICIES:
            raise ConfigError(
                f"the engine tensorflow computes in f32 or mixed_float16, not in {precision!r}",
                hint="choose the precision auto, f32 or mixed_float16",
            )
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
        """Vectors of ``images``, uint8 ``(n, s, s, 3)`` with n at least 1."""
        features = np.empty((len(images), self.dim), np.float32)
        for start in range(0, len(images), _BATCH):
            batch = self._tensorflow.constant(images[start : start + _BATCH])
            try:
                features[start : start + _BATCH] = self._function(batch).numpy()
            except self._tensorflow.errors.ResourceExhaustedError as error:
                raise ExtractorError(
                    f"the {self.device} has not enough memory for {len(batch)} pictures at once",
                    hint="choose a smaller network, or the engine openvino",
                ) from error
        return features


def visible_gpus(tensorflow: Any) -> int:
    """How many GPUs TensorFlow sees; each is told to take memory as it needs it instead of all at once."""
    gpus = tensorflow.config.list_physical_devices("GPU")
    for gpu in gpus:
        try:
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError as error:  # this process has used the GPU before, with settings of its own
            logger.debug("memory growth of %s stays as it is: %s", gpu.name, error)
    return len(gpus)
