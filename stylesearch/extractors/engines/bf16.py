"""Finds out whether a converted model may compute in bf16, and which of its layers must not.

bf16 has 8 significant bits and runs up to twice as fast where the processor has instructions for it. Most
networks lose nothing by it. EfficientNet-Lite0 does: among 300 photos of garments the least cosine between
its vectors in bf16 and in f32 was 0.995 (median 0.9992), and most of the error arose in the first depthwise
convolution. With the first three convolutions in f32 it is within 0.999 for 1,586 of 1,589 photos (median
0.9997) at 1.05 times the time of bf16 throughout, where f32 throughout takes 1.7 times. So the first layers
are put back to f32 step by step until the vectors agree.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Images
from stylesearch.files import atomic_file

__all__ = ["MIN_SAMPLE_COSINE", "fit_bf16", "least_cosine", "sample_images"]

# Cosines to f32 shall be 0.999 or more. Photos are harder than the samples, so the samples must do better.
MIN_SAMPLE_COSINE = 0.9995

_F32_CONVOLUTIONS = (0, 3, 7, 14)
_N_SAMPLES = 16
_CONVOLUTIONS = ("Convolution", "GroupConvolution")
_VALUES = ("Const", "Parameter", "Result")


def fit_bf16(core: Any, xml: Path, size: int, batch: int) -> float | None:
    """Marks in ``xml`` the layers that must stay in f32 when the model computes in bf16.

    Args:
        core: an ``openvino.Core``.
        xml: a converted model; rewritten if layers must be marked.
        size, batch: side in pixels and number of images of its input.

    Returns:
        The least cosine between the vectors in bf16 and in f32 of ``sample_images``; None where the
        processor has no bf16. Below ``MIN_SAMPLE_COSINE``, bf16 must not be used.
    """
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return None
    images = sample_images(_N_SAMPLES, size)
    unmarked = xml.read_bytes()
    exact = _vectors(core, xml, "f32", images, batch)
    cosine = 0.0
    for n_convolutions in _F32_CONVOLUTIONS:
        with atomic_file(xml) as file:
            file.write(keep_in_f32(unmarked, n_convolutions))
        cosine = least_cosine(exact, _vectors(core, xml, "bf16", images, batch))
        if cosine >= MIN_SAMPLE_COSINE:
            break
    return cosine


def keep_in_f32(xml: bytes, n_convolutions: int) -> bytes:
    """Marks every layer up to convolution number ``n_convolutions`` as one that needs its precision.

    ``precise`` is the attribute by which OpenVINO's own conversions mark layers that must not be reduced;
    there is no call for it in Python. Were it ignored by a later version, ``fit_bf16`` would notice.
    """
    if n_convolutions == 0:
        return xml
    from xml.etree import ElementTree  # a query never gets here

    root: Any = ElementTree.fromstring(xml)
    n_seen = 0
    for layer in root.iterfind("./layers/layer"):  # in topological order
        n_seen += layer.get("type") in _CONVOLUTIONS
        if n_seen > n_convolutions:
            break
        if layer.get("type") not in _VALUES:
            information = layer.find("rt_info")
            if information is None:
                information = ElementTree.Element("rt_info")
                layer.insert(0 if layer.find("data") is None else 1, information)
            ElementTree.SubElement(information, "attribute", {"name": "precise", "version": "0"})
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def least_cosine(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    """The least cosine between rows; 0 where a row is all zeros or not finite, which is no agreement.

    Example:
        >>> least_cosine(np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[2.0, 0.0], [0.0, 1.0]]))
        1.0
    """
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    if not (np.isfinite(norms) & (norms > 0)).all():
        return 0.0
    return float(((one * other).sum(axis=1) / norms).min())


def sample_images(n: int, size: int, seed: int = 0) -> Images:
    """Draws ``n`` images with the statistics of photos: soft shapes, edges, stripes, shading, a little noise.

    Returns:
        uint8 ``(n, size, size, 3)``; the same for the same arguments.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    images = np.empty((n, size, size, 3), np.uint8)
    for image in images:
        canvas = np.full((size, size, 3), 255.0) * rng.uniform(0.3, 1.0)
        for _ in range(12):
            centre, radius = rng.uniform(0, 1, 2), rng.uniform(0.05, 0.4, 2)
            angle, frequency = rng.uniform(0, np.pi), rng.uniform(4, 40)
            inside = ((x - centre[0]) / radius[0]) ** 2 + ((y - centre[1]) / radius[1]) ** 2 < 1
            stripes = 0.75 + 0.25 * np.sin(frequency * (x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi)
            shade = (stripes * (0.6 + 0.4 * y))[..., None] * rng.uniform(0, 255, 3)
            canvas = np.where(inside[..., None], shade, canvas)
        image[...] = np.clip(canvas + rng.normal(0, 4, canvas.shape), 0, 255).astype(np.uint8)
    return images


def _vectors(core: Any, xml: Path, precision: str, images: Images, batch: int) -> npt.NDArray[np.float64]:
    compiled = core.compile_model(xml, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    batches = [compiled(images[start : start + batch])[0] for start in range(0, len(images), batch)]
    return np.concatenate(batches).astype(np.float64)
