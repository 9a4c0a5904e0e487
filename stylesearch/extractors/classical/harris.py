"""Harris corners by place: prints, checks, buttons and lace have many, plain cloth has none."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Features, Floats, Images
from stylesearch.extractors.classical.luma import luma, luma_tensor

__all__ = ["HARRIS", "Harris", "harris_response"]

_K = 0.04
_SOBEL = 3
_WINDOW = 3
# Whole numbers become the response of brightness from 0 to 1 and means over the window, as OpenCV gives it:
# Sobel differences count eight times (two weights of 4), of which OpenCV takes off 4; the window has 3 rows.
_SCALE = (1.0 / (4 * 3 * 255)) ** 4


@dataclass(frozen=True)
class Harris:
    """Corner strength over an 8 x 8 grid, from the detector of Harris and Stephens (1988).

    1. Brightness (``luma``) and its derivatives (Sobel, 3 x 3).
    2. The response ``det(M) - 0.04 trace(M)^2``, M summed over 3 x 3 pixels: ``harris_response``.
    3. The square root where it is positive, else 0; the mean of that in each of 8 x 8 fields of the picture.
    4. Divided by the L2 norm of the 64 means.

    The vector has the fields by row and column, and norm 1; an image without corners is all zeros. A grid of
    means has a number at each position, with a corner or without, so that vectors can be compared number by
    number; a list of corners cannot.

    Deviations from the paper:
        - no list of corners: neither local maxima nor a threshold, whose counts jump when a picture changes
          slightly (``python -m benchmarks whitebox_parts`` compares the two);
        - a square window instead of a Gaussian one, and Sobel differences, both as in OpenCV.

    References:
        C. Harris, M. Stephens: A Combined Corner and Edge Detector. Alvey Vision Conference 1988, 147-151.
        https://doi.org/10.5244/C.2.23

    Example:
        >>> square = np.zeros((1, 64, 64, 3), np.uint8)
        >>> square[:, :20, :20] = 255
        >>> int(HARRIS.from_arrays(square).argmax())  # third row, third column
        18
    """

    name: str = "harris"
    input_size: int = 64
    grid: int = 8

    @property
    def min_size(self) -> int:
        """The smallest side: one pixel for each field."""
        return self.grid

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that decides the vectors, as JSON values by name."""
        return MappingProxyType(
            {"grid": self.grid, "k": _K, "sobel": _SOBEL, "window": _WINDOW, "values": "sqrt, unit"}
        )

    def dim(self, size: int) -> int:
        """Width of a vector: one number for each field, whatever the size."""
        return self.grid**2

    def from_arrays(self, images: Images) -> Features:
        """See ``Feature.from_arrays``."""
        return self.of_luma(luma(images))

    def of_luma(self, brightness: npt.NDArray[np.uint8]) -> Features:
        """Computes vectors of uint8 brightness ``(n, s, s)``."""
        strength = harris_response(brightness)
        np.maximum(strength, 0, out=strength)
        np.sqrt(strength, out=strength)
        fields = _fields(self.grid, brightness.shape[1])
        means = (fields @ strength @ fields.T).reshape(len(brightness), -1)
        norms = np.sqrt(np.einsum("ij,ij->i", means, means))[:, None]
        features: Features = np.divide(means, norms, out=np.zeros_like(means), where=norms > 0)
        return features

    def from_tensors(self, tensorflow: Any, images: Any) -> Any:
        """See ``Feature.from_tensors``."""
        tf = tensorflow
        padded = tf.cast(_reflect(tf, luma_tensor(tf, images)), tf.float32)
        down = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
        across = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
        horizontal, vertical = down[:, :, 2:] - down[:, :, :-2], across[:, 2:] - across[:, :-2]
        xx, yy, xy = (
            _window_tensor(tf, product)
            for product in (horizontal * horizontal, vertical * vertical, horizontal * vertical)
        )
        response = (xx * yy - xy * xy - _K * (xx + yy) ** 2) * _SCALE
        strength = tf.sqrt(tf.maximum(response, 0.0))
        fields = tf.constant(_fields(self.grid, images.shape[1]))
        means = tf.reshape(fields @ strength @ tf.transpose(fields), [-1, self.grid**2])
        return tf.math.divide_no_nan(means, tf.norm(means, axis=-1, keepdims=True))


def harris_response(brightness: npt.NDArray[np.uint8]) -> Floats:
    """Computes the response of each pixel: above 0 at corners, below at edges, 0 where nothing changes.

    Args:
        brightness: uint8 ``(n, h, w)``, at least 2 x 2 pixels; not modified.

    Returns:
        A new float32 array ``(n, h, w)``, computed by OpenCV's ``cornerHarris`` with its usual border: images
        go on mirrored, without repeating the edge.
    """
    import cv2

    response = np.empty(brightness.shape, np.float32)
    for image, out in zip(brightness, response, strict=True):
        out[...] = cv2.cornerHarris(image, _WINDOW, _SOBEL, _K)
    return response


def _reflect(tensorflow: Any, values: Any) -> Any:
    return tensorflow.pad(values, [[0, 0], [1, 1], [1, 1]], mode="REFLECT")


def _window_tensor(tensorflow: Any, values: Any) -> Any:
    """Sums over 3 x 3 pixels of a tensor ``(n, h, w)``."""
    padded = _reflect(tensorflow, values)
    rows = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    return rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]


@functools.cache
def _fields(grid: int, size: int) -> Floats:
    """Weight of each of ``size`` rows in the mean of each of ``grid`` fields, float32 (grid, size)."""
    field = np.arange(size) * grid // size
    member = field == np.arange(grid)[:, None]
    weights: Floats = (member / member.sum(axis=1, keepdims=True)).astype(np.float32)
    return weights


HARRIS = Harris()
