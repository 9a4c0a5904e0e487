"""How much of each colour lies in large regions of that colour, and how much is scattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.extractors.base import Features, Images
from stylesearch.extractors.whitebox.colours import (
    COLOUR_SETTINGS,
    LEVELS,
    N_COLOURS,
    Colours,
    colour_table,
    colours_of_levels,
)
from stylesearch.extractors.whitebox.regions_of_colour import label_runs, region_sizes_tensor, runs_of

__all__ = ["COLOR_COHERENCE", "ColorCoherence", "blurred_colours"]


@dataclass(frozen=True)
class ColorCoherence:
    """The colour coherence vector (Pass, Zabih and Miller, 1996).

    1. Blur: each pixel becomes the mean of itself and its eight neighbours (at the edge of the picture, the
       edge repeated).
    2. Colours: the 25 of :mod:`stylesearch.extractors.whitebox.colours`, and white, which is left out.
    3. Regions: pixels of one colour that touch, also across a corner.
    4. A pixel is coherent if its region has more pixels than tau, 1 % of the picture.

    The vector: square roots of the shares of coherent pixels of each colour, then of the incoherent ones.
    The shares are of all pixels that are not white: the squares of a vector sum to 1. A picture that is all
    white is all zeros.

    Deviations from the paper:
        - 25 colours of CIELAB instead of 64 boxes of RGB, and white is left out;
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
        """What decides the vectors."""
        return MappingProxyType(
            {**COLOUR_SETTINGS, "blur": 3, "neighbours": 8, "tau": self.tau, "values": "sqrt of shares"}
        )

    def dim(self, size: int) -> int:
        """Two numbers a colour, whatever the size."""
        return 2 * N_COLOURS

    def from_arrays(self, images: Images) -> Features:
        """See :meth:`~stylesearch.extractors.whitebox.feature.Feature.from_arrays`."""
        n, size = images.shape[:2]
        colours = blurred_colours(images)
        runs = runs_of(colours)
        labels = label_runs(colours, runs)
        region_size = np.bincount(labels, runs.length, minlength=len(labels))[labels]
        incoherent = region_size <= self.tau * size**2
        # The background is a 26th colour here, to be cut off at the end.
        place = (runs.picture * 2 + incoherent) * (N_COLOURS + 1) + runs.colour
        counts = np.bincount(place, runs.length, minlength=n * 2 * (N_COLOURS + 1))
        counts = counts.reshape(n, 2, N_COLOURS + 1)[:, :, :N_COLOURS].reshape(n, -1)
        shares = counts / np.maximum(1.0, counts.sum(axis=1, keepdims=True))
        features: Features = np.sqrt(shares).astype(np.float32)
        return features

    def from_tensors(self, tensorflow: Any, images: Any) -> Any:
        """See :meth:`~stylesearch.extractors.whitebox.feature.Feature.from_tensors`."""
        tf = tensorflow
        n, size = tf.shape(images)[0], images.shape[1]
        channels = tf.cast(images, tf.int32)
        # TensorFlow's "SYMMETRIC" by one pixel repeats the edge.
        padded = tf.pad(channels, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")
        across = padded[:, :, :-2] + padded[:, :, 1:-1] + padded[:, :, 2:]
        level = (across[:, :-2] + across[:, 1:-1] + across[:, 2:]) // _BLUR_STEP
        place = (level[..., 0] * LEVELS + level[..., 1]) * LEVELS + level[..., 2]
        colours = tf.reshape(tf.gather(tf.constant(colour_table(), tf.int32), place), [-1, size, size])
        sizes = region_sizes_tensor(tf, colours)
        incoherent = tf.cast(tf.cast(sizes, tf.float64) <= self.tau * size**2, tf.int32)
        counts = tf.math.bincount(
            tf.reshape(incoherent * (N_COLOURS + 1) + colours, [n, -1]),
            minlength=2 * (N_COLOURS + 1),
            maxlength=2 * (N_COLOURS + 1),
            dtype=tf.float32,
            axis=-1,
        )
        counts = tf.reshape(tf.reshape(counts, [n, 2, N_COLOURS + 1])[:, :, :N_COLOURS], [n, 2 * N_COLOURS])
        return tf.sqrt(counts / tf.maximum(1.0, tf.reduce_sum(counts, axis=-1, keepdims=True)))


# From a sum of nine bytes to one of the 32 levels of a channel.
_BLUR_STEP = 9 * 256 // LEVELS


def blurred_colours(images: Images) -> Colours:
    """The colour of each pixel after the blur, uint8 ``(n, s, s)``.

    Args:
        images: uint8 ``(n, s, s, 3)``, RGB; not modified.
    """
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge").astype(np.uint16)
    across = padded[:, :, :-2] + padded[:, :, 1:-1]
    across += padded[:, :, 2:]
    total: npt.NDArray[np.uint16] = across[:, :-2] + across[:, 1:-1]
    total += across[:, 2:]
    total //= np.uint16(_BLUR_STEP)
    return colours_of_levels(total)


COLOR_COHERENCE = ColorCoherence()
