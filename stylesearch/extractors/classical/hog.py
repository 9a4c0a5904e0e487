"""Histograms of oriented gradients: where the edges of a garment are, and which way they run."""

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

__all__ = ["HOG", "Hog"]

_EPSILON = 1e-5
_CLIP = 0.2
# Differences of two bytes: -255 to 255.
_DIFFERENCES = 511


@dataclass(frozen=True)
class Hog:
    """Histograms of oriented gradients (Dalal and Triggs, 2005).

    1. Brightness (``luma``).
    2. Gradients: central differences [-1, 0, 1] along rows and columns, 0 at the edge of the picture.
    3. Cells of 8 x 8 pixels: each pixel adds its gradient's magnitude to one of 9 orientations, 20 degrees
       each, from 0 to 180 degrees without sign. What is left over at the right and below is not looked at.
    4. Blocks of 2 x 2 cells, one at each cell, overlapping: L2-Hys, that is divided by the L2 norm, cut off
       at 0.2, and divided by the L2 norm again. (Cells, blocks and orientations are the paper's default.)

    The vector is all blocks by row, column, cell row, cell column and orientation; values are 0 to 1. A
    picture without an edge is all zeros. Its numbers are those of ``skimage.feature.hog`` on the brightness
    with ``block_norm="L2-Hys"`` and the same cells and blocks.

    Deviations from the paper, all but the first as in scikit-image:
        - the gradient is of the brightness, not of the color channel where it is largest;
        - magnitudes are not spread over neighbouring orientations and cells;
        - blocks are not weighted by a Gaussian window;
        - no square root or gamma before (the paper found that to matter little).

    References:
        N. Dalal, B. Triggs: Histograms of Oriented Gradients for Human Detection. CVPR 2005, 886-893.
        https://doi.org/10.1109/CVPR.2005.177

    Example:
        >>> HOG.dim(64)
        1764
    """

    name: str = "hog"
    input_size: int = 64
    cell: int = 8
    block: int = 2
    orientations: int = 9

    @property
    def min_size(self) -> int:
        """The smallest side: that of one block."""
        return self.cell * self.block

    @property
    def settings(self) -> Mapping[str, Any]:
        """Everything that decides the vectors, as JSON values by name."""
        return MappingProxyType(
            {
                "cell": self.cell,
                "block": self.block,
                "orientations": self.orientations,
                "block_norm": "L2-Hys",
                "colour": "luma",
            }
        )

    def dim(self, size: int) -> int:
        """Width of the vector of an image of ``size`` x ``size`` pixels."""
        return self.n_blocks(size) * self.block**2 * self.orientations

    def n_blocks(self, size: int) -> int:
        """Number of blocks of an image of ``size`` x ``size`` pixels."""
        return (size // self.cell - self.block + 1) ** 2

    def from_arrays(self, images: Images) -> Features:
        """See ``Feature.from_arrays``."""
        return self.of_luma(luma(images))

    def of_luma(self, brightness: npt.NDArray[np.uint8]) -> Features:
        """Computes vectors of uint8 brightness ``(n, s, s)``."""
        return self._blocks(self._cells(brightness))

    def _cells(self, brightness: npt.NDArray[np.uint8]) -> Floats:
        """Mean magnitude by orientation, float32 ``(n, cells, cells, orientations)``."""
        n, size = brightness.shape[:2]
        n_cells = size // self.cell
        signed = brightness.astype(np.int16)
        across, down = np.zeros_like(signed), np.zeros_like(signed)
        np.subtract(signed[:, :, 2:], signed[:, :, :-2], out=across[:, :, 1:-1])
        np.subtract(signed[:, 2:], signed[:, :-2], out=down[:, 1:-1])
        used = n_cells * self.cell
        across, down = across[:, :used, :used], down[:, :used, :used]
        # Magnitude and orientation are looked up: there are few different pairs of differences.
        pair = np.multiply(down, _DIFFERENCES, dtype=np.int32)
        pair += across
        pair += _DIFFERENCES * 255 + 255
        orientation_of, magnitude_of = _gradients(self.orientations)
        histogram = np.take(orientation_of, pair)
        histogram += _cell_offsets(n_cells, self.cell, self.orientations)
        totals = np.empty((n, n_cells, n_cells, self.orientations), np.float32)
        for one, bins, total in zip(pair, histogram, totals, strict=True):
            counted = np.bincount(bins.ravel(), magnitude_of[one.ravel()], minlength=total.size)
            total[...] = counted.reshape(total.shape)
        totals /= self.cell**2
        return totals

    def _blocks(self, cells: Floats) -> Features:
        """Normalised blocks, float32 ``(n, dim)``."""
        n, n_cells = cells.shape[:2]
        n_blocks = n_cells - self.block + 1
        blocks = np.empty((n, n_blocks, n_blocks, self.block, self.block, self.orientations), np.float32)
        for row in range(self.block):
            for column in range(self.block):
                blocks[:, :, :, row, column] = cells[:, row : row + n_blocks, column : column + n_blocks]
        flat = blocks.reshape(n * n_blocks**2, -1)
        for clip in (_CLIP, None):
            flat /= np.sqrt(np.einsum("ij,ij->i", flat, flat) + np.float32(_EPSILON**2))[:, None]
            if clip is not None:
                np.minimum(flat, np.float32(clip), out=flat)
        return blocks.reshape(n, -1)

    def from_tensors(self, tensorflow: Any, images: Any) -> Any:
        """See ``Feature.from_tensors``."""
        tf = tensorflow
        size = images.shape[1]
        n_cells, n_blocks = size // self.cell, size // self.cell - self.block + 1
        brightness = luma_tensor(tf, images)
        across = tf.pad(brightness[:, :, 2:] - brightness[:, :, :-2], [[0, 0], [0, 0], [1, 1]])
        down = tf.pad(brightness[:, 2:] - brightness[:, :-2], [[0, 0], [1, 1], [0, 0]])
        used = n_cells * self.cell
        pair = (down * _DIFFERENCES + across + _DIFFERENCES * 255 + 255)[:, :used, :used]
        orientation_of, magnitude_of = _gradients(self.orientations)
        magnitude = tf.gather(tf.constant(magnitude_of, tf.float32), pair)
        orientation = tf.gather(tf.constant(orientation_of, tf.int32), pair)
        votes = tf.one_hot(orientation, self.orientations) * magnitude[..., None]
        cells = tf.reduce_mean(
            tf.reshape(votes, [-1, n_cells, self.cell, n_cells, self.cell, self.orientations]), axis=[2, 4]
        )
        blocks = tf.stack(
            [
                cells[:, row : row + n_blocks, column : column + n_blocks]
                for row in range(self.block)
                for column in range(self.block)
            ],
            axis=3,
        )
        flat = tf.reshape(blocks, [-1, n_blocks**2, self.block**2 * self.orientations])
        for clip in (_CLIP, None):
            flat /= tf.sqrt(tf.reduce_sum(flat**2, axis=-1, keepdims=True) + _EPSILON**2)
            if clip is not None:
                flat = tf.minimum(flat, clip)
        return tf.reshape(flat, [-1, self.dim(size)])


@functools.cache
def _gradients(orientations: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Orientation and magnitude for each pair of differences, at ``(down + 255) * 511 + across + 255``."""
    step = np.arange(-255, 256, dtype=np.float64)
    down, across = step[:, None], step[None, :]
    degrees = np.rad2deg(np.arctan2(down, across)) % 180.0
    orientation = (degrees / (180.0 / orientations)).astype(np.intp)
    return orientation.ravel(), np.hypot(down, across).ravel()


@functools.cache
def _cell_offsets(n_cells: int, cell: int, orientations: int) -> npt.NDArray[np.intp]:
    """Where the histogram of each pixel's cell begins, (n_cells * cell, n_cells * cell)."""
    of_line = np.arange(n_cells * cell, dtype=np.intp) // cell
    offsets: npt.NDArray[np.intp] = (of_line[:, None] * n_cells + of_line[None, :]) * orientations
    return offsets


HOG = Hog()
