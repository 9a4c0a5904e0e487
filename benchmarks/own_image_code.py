"""Image code of our own that OpenCV and scikit-image have replaced; kept for ``image_libraries`` to time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Floats, Images
from stylesearch.extractors.classical.colors import colors_of_levels
from stylesearch.extractors.classical.harris import _K, _SCALE

__all__ = ["blurred_colors", "harris_response", "label_runs", "runs_of"]


class Runs:
    """Maximal stretches of one color along a row, which is what regions are put together from.

    Attributes:
        picture: which picture of the batch each belongs to, intp ``(runs,)``.
        color: its color, ``(runs,)``.
        length: its pixels, intp ``(runs,)``.
        of_pixel: the run of each pixel, int32 ``(n, h, w)``.
        begins: where a run begins, bool ``(n, h, w)``.
    """

    __slots__ = ("begins", "color", "image", "length", "of_pixel")

    def __init__(self, image: Any, color: Any, length: Any, of_pixel: Any, begins: Any) -> None:
        self.image: npt.NDArray[np.intp] = image
        self.color: npt.NDArray[np.integer[Any]] = color
        self.length: npt.NDArray[np.intp] = length
        self.of_pixel: npt.NDArray[np.int32] = of_pixel
        self.begins: npt.NDArray[np.bool_] = begins


def runs_of(colors: npt.NDArray[np.integer[Any]]) -> Runs:
    """The runs of pictures ``(n, h, w)`` whose pixels are numbers of colors, in reading order."""
    height, width = colors.shape[1:]
    begins = np.ones(colors.shape, np.bool_)
    np.not_equal(colors[:, :, 1:], colors[:, :, :-1], out=begins[:, :, 1:])
    first = np.flatnonzero(begins)
    of_pixel = np.cumsum(begins, dtype=np.int32).reshape(colors.shape)
    of_pixel -= 1
    return Runs(
        image=first // (height * width),
        color=colors.reshape(-1)[first],
        length=np.diff(first, append=colors.size),
        of_pixel=of_pixel,
        begins=begins,
    )


def label_runs(colors: npt.NDArray[np.integer[Any]], runs: Runs) -> npt.NDArray[np.int32]:
    """The region of each run: the smallest number of a run in it. Pixels touch their eight neighbours."""
    uppers, lowers = _touching(colors, runs)
    labels = np.arange(len(runs.length), dtype=np.int32)
    while len(uppers):
        one, other = labels[uppers], labels[lowers]
        apart = one != other
        uppers, lowers, one, other = uppers[apart], lowers[apart], one[apart], other[apart]
        # Each region is hung below one of its neighbours of smaller number: whichever is written last.
        labels[np.maximum(one, other)] = np.minimum(one, other)
        while True:
            shorter = labels[labels]
            if np.array_equal(shorter, labels):
                break
            labels = shorter
    return labels


def _touching(
    colors: npt.NDArray[np.integer[Any]], runs: Runs
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Pairs of runs of one color in neighbouring rows that touch, each at least once."""
    upper, lower = runs.of_pixel[:, :-1], runs.of_pixel[:, 1:]
    begin_above, begin_below = runs.begins[:, :-1], runs.begins[:, 1:]
    above, below = colors[:, :-1], colors[:, 1:]
    # Straight below each other: looked at where one of the two begins.
    straight = (above == below) & (begin_above | begin_below)
    # Across a corner: only where neither runs on, since otherwise the two also meet straight.
    corner = begin_above[:, :, 1:] & begin_below[:, :, 1:]
    falling = corner & (above[:, :, :-1] == below[:, :, 1:])
    rising = corner & (above[:, :, 1:] == below[:, :, :-1])
    return (
        np.concatenate([upper[straight], upper[:, :, :-1][falling], upper[:, :, 1:][rising]]),
        np.concatenate([lower[straight], lower[:, :, 1:][falling], lower[:, :, :-1][rising]]),
    )


def blurred_colors(images: Images) -> npt.NDArray[np.uint8]:
    """The color of each pixel after the blur, uint8 ``(n, s, s)``.

    Args:
        images: uint8 ``(n, s, s, 3)``, RGB; not modified.
    """
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge").astype(np.uint16)
    across = padded[:, :, :-2] + padded[:, :, 1:-1]
    across += padded[:, :, 2:]
    total: npt.NDArray[np.uint16] = across[:, :-2] + across[:, 1:-1]
    total += across[:, 2:]
    total //= np.uint16(72)
    return colors_of_levels(total)


def harris_response(brightness: npt.NDArray[np.uint8]) -> Floats:
    """How much each pixel looks like a corner: above 0 at corners, below at edges, 0 where nothing changes.

    Args:
        brightness: uint8 ``(n, h, w)``, at least 2 x 2 pixels; not modified.

    Returns:
        A new float32 array ``(n, h, w)``: what OpenCV's ``cornerHarris`` gives for a picture of bytes with
        block size 3, Sobel size 3, k 0.04 and its usual border (pictures go on mirrored, without repeating
        the edge).
    """
    n, height, width = brightness.shape
    padded = np.empty((n, height + 2, width + 2), np.int16)
    padded[:, 1:-1, 1:-1] = brightness
    _mirror_edges(padded)
    smooth = padded[:, :-2] + padded[:, 2:]
    smooth += padded[:, 1:-1]
    smooth += padded[:, 1:-1]
    derivatives = np.empty((2, n, height, width), np.float32)
    np.subtract(smooth[:, :, 2:], smooth[:, :, :-2], out=derivatives[0], casting="unsafe")
    smooth = padded[:, :, :-2] + padded[:, :, 2:]
    smooth += padded[:, :, 1:-1]
    smooth += padded[:, :, 1:-1]
    np.subtract(smooth[:, 2:], smooth[:, :-2], out=derivatives[1], casting="unsafe")
    horizontal, vertical = derivatives
    # Sums of squares stay whole numbers that float32 holds exactly: at most 9 * 1020 ** 2.
    products = np.empty((3, n, height + 2, width + 2), np.float32)
    inside = products[:, :, 1:-1, 1:-1]
    np.multiply(horizontal, horizontal, out=inside[0])
    np.multiply(vertical, vertical, out=inside[1])
    np.multiply(horizontal, vertical, out=inside[2])
    _mirror_edges(products)
    rows = products[..., :-2, :] + products[..., 1:-1, :]
    rows += products[..., 2:, :]
    sums = rows[..., :-2] + rows[..., 1:-1]
    sums += rows[..., 2:]
    xx, yy, xy = sums
    trace = xx + yy
    trace *= trace
    trace *= np.float32(_K)
    response: Floats = xx * yy
    response -= np.multiply(xy, xy, out=xy)
    response -= trace
    response *= np.float32(_SCALE)
    return response


def _mirror_edges(padded: npt.NDArray[Any]) -> None:
    """Fills the outermost rows and columns of ``(..., h + 2, w + 2)`` with the ones next but one to them."""
    padded[..., 0, :] = padded[..., 2, :]
    padded[..., -1, :] = padded[..., -3, :]
    padded[..., 0] = padded[..., 2]
    padded[..., -1] = padded[..., -3]
