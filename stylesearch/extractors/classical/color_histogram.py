"""The color histogram: the share of an image that each of 25 colors covers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from stylesearch.array_types import Features, Images
from stylesearch.extractors.classical.colors import (
    BACKGROUND,
    LEVELS,
    N_COLORS,
    color_table,
    colors,
)

__all__ = ["COLOR_HISTOGRAM", "ColorHistogram"]


@dataclass(frozen=True)
class ColorHistogram:
    """Square roots of the shares of 25 colors (``stylesearch.extractors.classical.colors``).

    White is no color here: pixels of 248 and more in all channels are background and left out, so the
    shares are of the rest. The squares of a vector sum to 1; a picture that is all white is all zeros.

    With the square root the Euclidean distance is Hellinger's (but for a factor), and small shares count.

    Deviations from the paper, which counts pixels in boxes of a color space:
        - square roots of shares instead of counts;
        - white is left out;
        - the boxes are of CIELAB in cylindrical coordinates.

    References:
        M. J. Swain, D. H. Ballard: Color Indexing. International Journal of Computer Vision 7 (1991), 11-32.
        https://doi.org/10.1007/BF00130487

    Example:
        >>> black = np.zeros((1, 16, 16, 3), np.uint8)
        >>> COLOR_HISTOGRAM.from_arrays(black)[0, :3].tolist()
        [1.0, 0.0, 0.0]
    """

    name: str = "color-histogram"
    input_size: int = 64
    min_size: int = 1

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that decides the vectors, as JSON values by name."""
        return MappingProxyType({"bins": N_COLORS, "space": "Lab greys and hues", "values": "sqrt of shares"})

    def dim(self, size: int) -> int:
        """Width of a vector: 25, whatever the size."""
        return N_COLORS

    def from_arrays(self, images: Images) -> Features:
        """See ``Feature.from_arrays``."""
        import cv2

        shares = np.empty((len(images), N_COLORS))
        for found, row in zip(colors(images), shares, strict=True):
            # The background lies outside the range, and so is not counted.
            counts = cv2.calcHist([found], [0], None, [N_COLORS], [0, N_COLORS]).ravel()
            row[...] = counts.astype(np.float64) / max(1.0, float(counts.sum()))
        return np.sqrt(shares).astype(np.float32)

    def from_tensors(self, tensorflow: Any, images: Any) -> Any:
        """See ``Feature.from_tensors``."""
        tf = tensorflow
        levels = tf.bitwise.right_shift(tf.cast(images, tf.int32), 3)
        place = (levels[..., 0] * LEVELS + levels[..., 1]) * LEVELS + levels[..., 2]
        found = tf.gather(tf.constant(color_table(), tf.int32), tf.reshape(place, [tf.shape(images)[0], -1]))
        counts = tf.math.bincount(
            found, minlength=N_COLORS + 1, maxlength=N_COLORS + 1, dtype=tf.float32, axis=-1
        )[:, :BACKGROUND]
        return tf.sqrt(counts / tf.maximum(1.0, tf.reduce_sum(counts, axis=-1, keepdims=True)))


COLOR_HISTOGRAM = ColorHistogram()
