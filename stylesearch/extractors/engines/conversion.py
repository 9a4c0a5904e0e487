"""From a Keras model to OpenVINO's format. Imports TensorFlow; runs once for each fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stylesearch.extractors.engines.base import GraphRecipe
from stylesearch.extractors.engines.bf16 import fit_bf16
from stylesearch.extractors.engines.openvino_import import (
    import_openvino,
    import_openvino_converter,
    openvino_core,
)
from stylesearch.extractors.engines.tensorflow_import import import_tensorflow

__all__ = ["BATCH", "convert_recipe"]

# Pictures that one core computes at once. Fixed shapes spare the engine work at run time, and two pictures
# leave the intermediate results in the cache of a core: EfficientNet-Lite0 takes 5.2 ms a picture and core in
# batches of 2, 5.5 in batches of 8 and 6.2 in batches of 32; for the large networks it makes no difference.
BATCH = 2


def convert_recipe(recipe: GraphRecipe, folder: Path) -> dict[str, Any]:
    """Builds the Keras model, writes ``model.xml`` and ``model.bin`` into ``folder`` and tries out bf16.

    Returns:
        ``dim``: width of a vector. ``batch``: pictures at once. ``bf16_cosine``: of
        :func:`~stylesearch.extractors.engines.bf16.fit_bf16`. ``openvino``: version of the converter.
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
