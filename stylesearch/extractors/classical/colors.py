"""The 25 colors that the color features count, and white, which they leave out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Features, Images

__all__ = [
    "BACKGROUND",
    "COLOR_COHERENCE",
    "COLOR_HISTOGRAM",
    "COLOR_SETTINGS",
    "LEVELS",
    "N_COLORS",
    "ColorCoherence",
    "ColorHistogram",
    "Runs",
    "blurred_colors",
    "color_names",
    "color_table",
    "colors",
    "colors_of_levels",
    "lab",
    "label_runs",
    "region_sizes_tensor",
    "runs_of",
]

N_GREYS = 9
N_HUES = 8
N_SHADES = 2
N_COLORS = N_GREYS + N_HUES * N_SHADES
BACKGROUND = N_COLORS
"""What stands for white: the paper that pictures are letterboxed on, and the background of most shops."""

# Levels of a channel that are told apart, and of these the highest, which is white if all channels have it.
LEVELS = 32
# Colors of less chroma than this (CIELAB) are greys.
_GREY_CHROMA = 12.0

COLOR_SETTINGS: Mapping[str, str | int] = MappingProxyType(
    {"bins": N_COLORS, "colours": "Lab, 9 greys + 8 hues x 2", "white": 256 - 256 // LEVELS}
)
"""What decides which color a pixel has: for the fingerprints of the features that count them."""
_HUES = ("red", "orange", "yellow", "green", "turquoise", "azure", "blue", "purple")

Colors = npt.NDArray[np.uint8]


def colors(images: Images) -> Colors:
    """Which of the 25 colors each pixel has, or :data:`BACKGROUND`.

    A channel counts in 32 levels. Pixels whose channels are all in the highest (248 and more) are background.
    The others are sorted in CIELAB: below a chroma of 12 into 9 greys of equal steps of lightness, above it
    into 8 hues (of 45 degrees, beginning at 0), each dark (lightness below 50) or light.

    Args:
        images: uint8 ``(..., 3)``, RGB, taken as sRGB; not modified.

    Returns:
        A new uint8 array ``(...)`` of values 0 to 25.

    Example:
        >>> table = color_names()
        >>> found = colors(np.array([[200, 20, 30], [10, 10, 10], [255, 255, 255]], np.uint8))
        >>> [table[number] for number in found]
        ['dark red', 'grey 0', 'background']
    """
    return colors_of_levels(images >> np.uint8(3))


def colors_of_levels(levels: npt.NDArray[np.unsignedinteger[Any]]) -> Colors:
    """The same for channels that are levels already, 0 to 31."""
    place = levels[..., 0].astype(np.uint16)
    place *= np.uint16(LEVELS)
    place += levels[..., 1]
    place *= np.uint16(LEVELS)
    place += levels[..., 2]
    found: Colors = np.take(color_table(), place)
    return found


def color_names() -> list[str]:
    """What the 25 colors and the background may be called, in their order."""
    greys = [f"grey {number}" for number in range(N_GREYS)]
    hues = [f"{shade} {hue}" for hue in _HUES for shade in ("dark", "light")]
    return [*greys, *hues, "background"]


@functools.cache
def color_table() -> npt.NDArray[np.uint8]:
    """The color of each triple of levels, at ``(red * 32 + green) * 32 + blue``; read-only."""
    level = (np.arange(LEVELS) + 0.5) / LEVELS
    rgb = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness, a, b = lab(rgb).T
    lightness = np.clip(lightness / 100.0, 0.0, 1.0 - 1e-9)
    turn = np.arctan2(b, a) / (2 * np.pi) % 1.0
    grey = (lightness * N_GREYS).astype(np.uint8)
    hue = np.minimum((turn * N_HUES).astype(np.uint8), N_HUES - 1)
    shade = (lightness * N_SHADES).astype(np.uint8)
    colored = N_GREYS + hue * N_SHADES + shade
    table: Colors = np.where(np.hypot(a, b) < _GREY_CHROMA, grey, colored).astype(np.uint8)
    table[-1] = BACKGROUND
    table.flags.writeable = False
    return table


def lab(rgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """CIELAB (D65) of sRGB.

    Args:
        rgb: ``(..., 3)``, 0 to 1; not modified.

    Returns:
        A new array of the same shape: lightness 0 to 100, a, b.

    References:
        IEC 61966-2-1 (sRGB); CIE 15 (CIELAB).

    Example:
        >>> lab(np.array([1.0, 1.0, 1.0])).round(1).tolist()[0]
        100.0
    """
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    # Relative to the white point, which is what white itself gives.
    relative = linear @ to_xyz.T / to_xyz.sum(axis=1)
    delta = 6 / 29
    root = np.where(relative > delta**3, np.cbrt(relative), relative / (3 * delta**2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


# How much of a picture has which color.


@dataclass(frozen=True)
class ColorHistogram:
    """Square roots of the shares of 25 colors (:mod:`stylesearch.extractors.classical.colors`).

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
        """What decides the vectors."""
        return MappingProxyType({"bins": N_COLORS, "space": "Lab greys and hues", "values": "sqrt of shares"})

    def dim(self, size: int) -> int:
        """25, whatever the size."""
        return N_COLORS

    def from_arrays(self, images: Images) -> Features:
        """See :meth:`~stylesearch.extractors.classical.feature.Feature.from_arrays`."""
        shares = np.empty((len(images), N_COLORS))
        for found, row in zip(colors(images), shares, strict=True):
            counts = np.bincount(found.ravel(), minlength=N_COLORS + 1)[:BACKGROUND]
            row[...] = counts / max(1, counts.sum())
        return np.sqrt(shares).astype(np.float32)

    def from_tensors(self, tensorflow: Any, images: Any) -> Any:
        """See :meth:`~stylesearch.extractors.classical.feature.Feature.from_tensors`."""
        tf = tensorflow
        levels = tf.bitwise.right_shift(tf.cast(images, tf.int32), 3)
        place = (levels[..., 0] * LEVELS + levels[..., 1]) * LEVELS + levels[..., 2]
        found = tf.gather(tf.constant(color_table(), tf.int32), tf.reshape(place, [tf.shape(images)[0], -1]))
        counts = tf.math.bincount(
            found, minlength=N_COLORS + 1, maxlength=N_COLORS + 1, dtype=tf.float32, axis=-1
        )[:, :BACKGROUND]
        return tf.sqrt(counts / tf.maximum(1.0, tf.reduce_sum(counts, axis=-1, keepdims=True)))


COLOR_HISTOGRAM = ColorHistogram()


# How large the region of one color is to which each pixel belongs, for a batch of pictures at once.


class Runs:
    """Maximal stretches of one color along a row, which is what regions are put together from.

    Attributes:
        picture: which picture of the batch each belongs to, intp ``(runs,)``.
        color: its color, ``(runs,)``.
        length: its pixels, intp ``(runs,)``.
        of_pixel: the run of each pixel, int32 ``(n, h, w)``.
        begins: where a run begins, bool ``(n, h, w)``.
    """

    __slots__ = ("begins", "color", "length", "of_pixel", "picture")

    def __init__(self, picture: Any, color: Any, length: Any, of_pixel: Any, begins: Any) -> None:
        self.picture: npt.NDArray[np.intp] = picture
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
        picture=first // (height * width),
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


def region_sizes_tensor(tensorflow: Any, colors: Any) -> Any:
    """Pixels of the region to which each pixel belongs, int32 ``(n, h, w)``, with dense tensors.

    Every pixel takes the smallest number among its own and those of its like neighbours, and hands it on to
    the pixel whose number it had; then it takes the number of the pixel of that number. This is repeated
    until nothing changes.

    Args:
        tensorflow: the module.
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


# How much of each color lies in large regions of that color, and how much is scattered.


@dataclass(frozen=True)
class ColorCoherence:
    """The color coherence vector (Pass, Zabih and Miller, 1996).

    1. Blur: each pixel becomes the mean of itself and its eight neighbours (at the edge of the picture, the
       edge repeated).
    2. Colors: the 25 of :mod:`stylesearch.extractors.classical.colors`, and white, which is left out.
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
        """What decides the vectors."""
        return MappingProxyType(
            {**COLOR_SETTINGS, "blur": 3, "neighbours": 8, "tau": self.tau, "values": "sqrt of shares"}
        )

    def dim(self, size: int) -> int:
        """Two numbers a color, whatever the size."""
        return 2 * N_COLORS

    def from_arrays(self, images: Images) -> Features:
        """See :meth:`~stylesearch.extractors.classical.feature.Feature.from_arrays`."""
        n, size = images.shape[:2]
        colors = blurred_colors(images)
        runs = runs_of(colors)
        labels = label_runs(colors, runs)
        region_size = np.bincount(labels, runs.length, minlength=len(labels))[labels]
        incoherent = region_size <= self.tau * size**2
        # The background is a 26th color here, to be cut off at the end.
        place = (runs.picture * 2 + incoherent) * (N_COLORS + 1) + runs.color
        counts = np.bincount(place, runs.length, minlength=n * 2 * (N_COLORS + 1))
        counts = counts.reshape(n, 2, N_COLORS + 1)[:, :, :N_COLORS].reshape(n, -1)
        shares = counts / np.maximum(1.0, counts.sum(axis=1, keepdims=True))
        features: Features = np.sqrt(shares).astype(np.float32)
        return features

    def from_tensors(self, tensorflow: Any, images: Any) -> Any:
        """See :meth:`~stylesearch.extractors.classical.feature.Feature.from_tensors`."""
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


# From a sum of nine bytes to one of the 32 levels of a channel.
_BLUR_STEP = 9 * 256 // LEVELS


def blurred_colors(images: Images) -> Colors:
    """The color of each pixel after the blur, uint8 ``(n, s, s)``.

    Args:
        images: uint8 ``(n, s, s, 3)``, RGB; not modified.
    """
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge").astype(np.uint16)
    across = padded[:, :, :-2] + padded[:, :, 1:-1]
    across += padded[:, :, 2:]
    total: npt.NDArray[np.uint16] = across[:, :-2] + across[:, 1:-1]
    total += across[:, 2:]
    total //= np.uint16(_BLUR_STEP)
    return colors_of_levels(total)


COLOR_COHERENCE = ColorCoherence()
