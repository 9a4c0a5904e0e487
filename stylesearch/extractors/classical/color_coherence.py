"""The color coherence vector: how much of each color lies in large regions, and how much is scattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Features, Images
from stylesearch.extractors.classical.colors import (
    COLOR_SETTINGS,
    LEVELS,
    N_COLORS,
    Colors,
    color_table,
    colors_of_levels,
)

__all__ = [
    "COLOR_COHERENCE",
    "ColorCoherence",
    "blurred_colors",
    "region_sizes",
    "region_sizes_tensor",
]

# From a sum of nine bytes to one of the 32 levels of a channel.
_BLUR_STEP = 9 * 256 // LEVELS


@dataclass(frozen=True)
class ColorCoherence:
    """The color coherence vector (Pass, Zabih and Miller, 1996).

    1. Blur: each pixel becomes the mean of itself and its eight neighbours (at the edge of the picture, the
       edge repeated).
    2. Colors: the 25 of ``stylesearch.extractors.classical.colors``, and white, which is left out.
    3. Regions: pixels of one color that touch, also across a corner.
    4. A pixel is coherent if its region has more pixels than tau, 1 % of the picture.

    The vector: square roots of the shares of coherent pixels of each color, then of the incoherent ones.
    The shares are of all pixels that are not white: the squares of a vector sum to 1. A picture that is all
    white is all zeros.

    Deviations from the paper:
        - 25 colors of CIELAB instead of 64 boxes of RGB, and white is left out;
        - square roots of shares instead of counts;
        - tau is a share of the picture (the paper: 300 of 38,976 pixels, "about 1 %").

    References:
        G. Pass, R. Zabih, J. Miller: Comparing Images Using Color Coherence Vectors. ACM Multimedia 1996,
        65-73. https://doi.org/10.1145/244130.244148

    Example:
        >>> black = np.zeros((1, 16, 16, 3), np.uint8)
        >>> COLOR_COHERENCE.from_arrays(black)[0, [0, 25]].tolist()
        [1.0, 0.0]
    """

    name: str = "color-coherence"
    input_size: int = 64
    min_size: int = 1
    tau: float = 0.01

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that decides the vectors, as JSON values by name."""
        return MappingProxyType(
            {**COLOR_SETTINGS, "blur": 3, "neighbours": 8, "tau": self.tau, "values": "sqrt of shares"}
        )

    def dim(self, size: int) -> int:
        """Width of a vector: two numbers for each color, whatever the size."""
        return 2 * N_COLORS

    def from_arrays(self, images: Images) -> Features:
        """See ``Feature.from_arrays``."""
        n, size = images.shape[:2]
        colors = blurred_colors(images)
        incoherent = region_sizes(colors) <= self.tau * size**2
        # The background is a 26th color here, which is cut off at the end.
        place = (np.arange(n)[:, None, None] * 2 + incoherent) * (N_COLORS + 1) + colors
        counts = np.bincount(place.ravel(), minlength=n * 2 * (N_COLORS + 1))
        counts = counts.reshape(n, 2, N_COLORS + 1)[:, :, :N_COLORS].reshape(n, -1)
        shares = counts / np.maximum(1.0, counts.sum(axis=1, keepdims=True))
        features: Features = np.sqrt(shares).astype(np.float32)
        return features

    def from_tensors(self, tensorflow: Any, images: Any) -> Any:
        """See ``Feature.from_tensors``."""
        tf = tensorflow
        n, size = tf.shape(images)[0], images.shape[1]
        channels = tf.cast(images, tf.int32)
        # TensorFlow's "SYMMETRIC" by one pixel repeats the edge.
        padded = tf.pad(channels, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")
        across = padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]
        level = (across[:, :-2] + across[:, 1:-1] + across[:, 2:]) // _BLUR_STEP
        place = (level[..., 0] * LEVELS + level[..., 1]) * LEVELS + level[..., 2]
        colors = tf.reshape(tf.gather(tf.constant(color_table(), tf.int32), place), [-1, size, size])
        sizes = region_sizes_tensor(tf, colors)
        incoherent = tf.cast(tf.cast(sizes, tf.float64) <= self.tau * size**2, tf.int32)
        counts = tf.math.bincount(
            tf.reshape(incoherent * (N_COLORS + 1) + colors, [n, -1]),
            minlength=2 * (N_COLORS + 1),
            maxlength=2 * (N_COLORS + 1),
            dtype=tf.float32,
            axis=-1,
        )
        counts = tf.reshape(tf.reshape(counts, [n, 2, N_COLORS + 1])[:, :, :N_COLORS], [n, 2 * N_COLORS])
        return tf.sqrt(counts / tf.maximum(1.0, tf.reduce_sum(counts, axis=-1, keepdims=True)))


def blurred_colors(images: Images) -> Colors:
    """The color of each pixel after the blur, uint8 ``(n, s, s)``.

    Args:
        images: uint8 ``(n, s, s, 3)``, RGB; not modified.
    """
    import cv2

    totals = np.empty(images.shape, np.uint16)
    for image, total in zip(images, totals, strict=True):
        total[...] = cv2.boxFilter(
            image, cv2.CV_16U, (3, 3), normalize=False, borderType=cv2.BORDER_REPLICATE
        )
    totals //= np.uint16(_BLUR_STEP)
    return colors_of_levels(totals)


def region_sizes(numbers: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.intp]:
    """Sizes in pixels of the regions to which the pixels belong; a region also holds together across corners.

    Args:
        numbers: the color of each pixel, ``(n, h, w)``, 0 or more; not modified.

    Returns:
        A new array ``(n, h, w)``.
    """
    from skimage.measure import label

    n, height, width = numbers.shape
    # One image below the other, with a row between, so that one call labels them all.
    column = np.full((n, height + 1, width), -1, np.int16)
    column[:, :height] = numbers
    labels = label(column.reshape(-1, width), background=-1, connectivity=2)
    labels = labels.reshape(n, height + 1, width)[:, :height]
    sizes: npt.NDArray[np.intp] = np.bincount(labels.ravel())[labels]
    return sizes


def region_sizes_tensor(tensorflow: Any, colors: Any) -> Any:
    """Computes ``region_sizes`` with dense tensors, int32 ``(n, h, w)``.

    Labels begin as the pixels' own numbers. In each round every pixel takes the smallest label among its own
    and those of its neighbours of the same color, passes it on to the pixel that its old label names, and
    then takes the label of the pixel that its new label names. This is repeated until nothing changes.

    Args:
        tensorflow: the imported module.
        colors: int32 tensor ``(n, h, w)`` with static ``h`` and ``w``.
    """
    tf = tensorflow
    height, width = colors.shape[1:]
    n_pixels = tf.size(colors)
    outside = tf.pad(colors, [[0, 0], [1, 1], [1, 1]], constant_values=-1)
    around = [(row, column) for row in range(3) for column in range(3) if (row, column) != (1, 1)]
    alike = [
        tf.equal(outside[:, row : row + height, column : column + width], colors) for row, column in around
    ]

    def spread(labels: Any, changed: Any) -> tuple[Any, Any]:
        del changed
        padded = tf.pad(labels, [[0, 0], [1, 1], [1, 1]])
        smallest = labels
        for (row, column), same in zip(around, alike, strict=True):
            neighbour = padded[:, row : row + height, column : column + width]
            smallest = tf.where(same, tf.minimum(smallest, neighbour), smallest)
        before, flat = tf.reshape(labels, [-1]), tf.reshape(smallest, [-1])
        flat = tf.tensor_scatter_nd_min(flat, before[:, None], flat)
        for _ in range(2):
            flat = tf.gather(flat, flat)
        found = tf.reshape(flat, tf.shape(labels))
        return found, tf.reduce_any(tf.not_equal(found, labels))

    numbers = tf.reshape(tf.range(n_pixels), tf.shape(colors))
    labels, _ = tf.while_loop(lambda labels, changed: changed, spread, [numbers, tf.constant(True)])
    flat = tf.reshape(labels, [-1])
    sizes = tf.math.unsorted_segment_sum(tf.ones_like(flat), flat, n_pixels)
    return tf.gather(sizes, labels)


COLOR_COHERENCE = ColorCoherence()
