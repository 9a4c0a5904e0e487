"""From a Keras model to OpenVINO's format. Imports TensorFlow; runs once for each fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from stylesearch.extractors.base import Images
from stylesearch.extractors.engines.base import GraphRecipe
from stylesearch.extractors.engines.openvino_import import import_openvino, import_openvino_converter
from stylesearch.extractors.engines.tensorflow_import import import_tensorflow

__all__ = ["BATCH", "convert_recipe", "sample_pictures"]

# Pictures that one core computes at once. Fixed shapes spare the engine work at run time, and two pictures
# leave the intermediate results in the cache of a core: EfficientNet-Lite0 takes 5.2 ms a picture and core in
# batches of 2, 5.5 in batches of 8 and 6.2 in batches of 32; for the large networks it makes no difference.
BATCH = 2

_N_SAMPLES = 8


def convert_recipe(recipe: GraphRecipe, folder: Path) -> dict[str, Any]:
    """Builds the Keras model, writes ``model.xml`` and ``model.bin`` into ``folder`` and tries them out.

    Returns:
        ``dim``: width of a vector. ``batch``: pictures at once. ``bf16_cosine``: the least cosine between the
        vectors in bf16 and in f32 of :func:`sample_pictures`, or None where the processor has no bf16.
        ``openvino``: version of the converter.
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
        "bf16_cosine": _bf16_cosine(openvino, folder / "model.xml", size),
        "openvino": openvino.__version__,
    }


def _bf16_cosine(openvino: Any, xml: Path, size: int) -> float | None:
    core = openvino.Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return None
    pictures = sample_pictures(_N_SAMPLES, size)
    vectors = {}
    for precision in ("f32", "bf16"):
        compiled = core.compile_model(xml, "CPU", {"INFERENCE_PRECISION_HINT": precision})
        batches = [compiled(pictures[start : start + BATCH])[0] for start in range(0, _N_SAMPLES, BATCH)]
        vectors[precision] = np.concatenate(batches).astype(np.float64)
    return least_cosine(vectors["f32"], vectors["bf16"])


def least_cosine(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> float:
    """The least cosine between rows; 0 where a row is all zeros or not finite, which is no agreement.

    Example:
        >>> least_cosine(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]))
        1.0
    """
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    comparable = np.isfinite(norms) & (norms > 0)
    if not comparable.all():
        return 0.0
    return float(((one * other).sum(axis=1) / norms).min())


def sample_pictures(n: int, size: int, seed: int = 0) -> Images:
    """``n`` pictures with the statistics of photos: soft shapes, edges, stripes, shading and a little noise.

    Returns:
        uint8 ``(n, size, size, 3)``; the same for the same arguments.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    pictures = np.empty((n, size, size, 3), np.uint8)
    for picture in pictures:
        canvas = np.full((size, size, 3), 255.0) * rng.uniform(0.3, 1.0)
        for _ in range(12):
            centre, radius = rng.uniform(0, 1, 2), rng.uniform(0.05, 0.4, 2)
            angle, frequency = rng.uniform(0, np.pi), rng.uniform(4, 40)
            inside = ((x - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2 < 1
            stripes = 0.75 + 0.25 * np.sin(frequency * (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi)
            shade = (stripes * (0.6 + 0.4 * y))[..., None] * rng.uniform(0, 255, 3)
            canvas = np.where(inside[..., None], shade, canvas)
        picture[...] = np.clip(canvas + rng.normal(0, 4, canvas.shape), 0, 255).astype(np.uint8)
    return pictures
