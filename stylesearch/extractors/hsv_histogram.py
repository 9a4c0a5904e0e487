"""The color histogram behind a network's features (``+colors``): 108 bins of hue, saturation and value.

A network that was trained to name things pays little attention to color: a red and a blue shirt are both
shirts. Whoever looks for a garment does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Features, Images
from stylesearch.extractors.classical.colors import COLOR_SETTINGS as CLASSICAL_COLORS

__all__ = ["COLOR_SETTINGS", "N_COLORS", "color_histogram"]

# Of hue, saturation and value.
_BINS: Final = (12, 3, 3)
N_COLORS: Final = _BINS[0] * _BINS[1] * _BINS[2]
"""How many numbers there are: 108."""

# Share of the image, around its middle, that is counted each way: what lies farther out is mostly background.
_PART: Final = 0.6
# Blocks a side that an image is reduced to, at least (up to twice as many): so the colors of a weave or a
# knit are mixed, as they are seen from afar.
_SIDE: Final = 64
# White in all channels from here on, as for the white-box features: paper, and the background of most shops.
_WHITE: Final = int(CLASSICAL_COLORS["white"])

COLOR_SETTINGS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "dim": N_COLORS,
        "bins": list(_BINS),
        "space": "HSV",
        "part": _PART,
        "side": _SIDE,
        "white": _WHITE,
        "values": "sqrt of shares",
    }
)
"""What decides the numbers, for fingerprints; ``dim`` is their count."""


def color_histogram(images: Images) -> Features:
    """Computes square roots of the shares of 108 colors in the middle of each image.

    1. The middle 60 % of the picture, each way, in blocks of as many pixels as leave 64 blocks a side, at
       least, of the whole: each becomes its mean, rounded. Smaller pictures are taken as they are.
    2. Blocks of 248 and more in all channels are white and left out, so neither the borders of a letterboxed
       picture nor a shop's background count.
    3. The others are sorted by hue (12 bins of 30 degrees, the first beginning at red; greys count as red),
       saturation and value (3 bins each). Hue and saturation first become whole numbers from 0 to 255, as
       Pillow has them, so that what lies between two bins, as the hues of most greyish colors do, is in
       the lower one.
    4. Counts become shares of what is not white, and these their square roots: the Euclidean distance of two
       vectors is then Hellinger's, but for a factor, and small shares count.

    The squares of a vector sum to 1; a picture whose middle is all white is all zeros.

    Args:
        images: uint8 ``(n, s, s, 3)``, RGB; not modified. ``n`` may be 0.

    Returns:
        A new float32 array ``(n, 108)``, the bins in the order of hue, then saturation, then value.

    References:
        M. J. Swain, D. H. Ballard: Color Indexing. International Journal of Computer Vision 7 (1991), 11-32.
        https://doi.org/10.1007/BF00130487 (deviations: HSV, white is left out, square roots of shares).

    Example:
        >>> red = np.zeros((1, 64, 64, 3), np.uint8)
        >>> red[..., 0] = 200
        >>> np.flatnonzero(color_histogram(red)[0]).tolist()  # hue 0, saturation 2, value 2
        [8]
    """
    blocks = _middle_blocks(images)
    n_images = len(blocks)
    place = _bins_of(blocks)
    place[(blocks >= _WHITE).all(axis=-1)] = N_COLORS  # one bin more, for white, which is cut off again
    place += np.arange(n_images, dtype=np.int32)[:, None, None] * (N_COLORS + 1)
    counts = np.bincount(place.ravel(), minlength=n_images * (N_COLORS + 1))
    counts = counts.reshape(n_images, N_COLORS + 1)[:, :N_COLORS]
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    features: Features = np.sqrt(shares).astype(np.float32)
    return features


def _middle_blocks(images: Images) -> Images:
    """Reduces the middle of the images by a whole factor: uint8 ``(n, m, m, 3)``."""
    size = images.shape[1]
    step = max(1, size // _SIDE)
    n_blocks = size // step
    n_blocks -= 2 * round(n_blocks * (1 - _PART) / 2)
    start = (size - n_blocks * step) // 2
    stop = start + n_blocks * step
    middle = images[:, start:stop, start:stop]
    if step == 1:
        return middle
    # Row by row and column by column, in wide additions: several times faster than a mean over two axes.
    rows = middle[:, ::step].astype(np.uint32)
    for row in range(1, step):
        rows += middle[:, row::step]
    total = rows[:, :, ::step].copy()
    for column in range(1, step):
        total += rows[:, :, column::step]
    total += step**2 // 2
    total //= step**2
    return total.astype(np.uint8)


def _bins_of(pixels: Images) -> npt.NDArray[np.int32]:
    """The bin of each pixel, int32 ``(...)``; in whole numbers, so that it is the same everywhere."""
    red, green, blue = np.moveaxis(pixels.astype(np.int32), -1, 0)
    high = np.maximum(np.maximum(red, green), blue)
    spread = high - np.minimum(np.minimum(red, green), blue)
    # The hue in sixths of a turn, times the spread: the distance from the primary color that is highest.
    from_primary = np.where(high == red, green - blue, np.where(high == green, blue - red, red - green))
    primary = np.where(high == red, 0, np.where(high == green, 2, 4))
    turn = 6 * np.maximum(1, spread)
    hue = 255 * ((primary * spread + from_primary) % turn) // turn
    saturation = 255 * spread // np.maximum(1, high)
    bins: npt.NDArray[np.int32] = np.zeros_like(high)
    for channel, n_bins in zip((hue, saturation, high), _BINS, strict=True):
        bins *= n_bins
        bins += channel * n_bins >> 8
    return bins
