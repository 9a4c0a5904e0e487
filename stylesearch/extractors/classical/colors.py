"""The 25 colors that the color features count, and white, which they leave out."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.array_types import Images

__all__ = [
    "BACKGROUND",
    "COLOR_SETTINGS",
    "LEVELS",
    "N_COLORS",
    "Colors",
    "color_names",
    "color_table",
    "colors",
    "colors_of_levels",
    "lab",
]

N_GREYS = 9
N_HUES = 8
N_SHADES = 2
N_COLORS = N_GREYS + N_HUES * N_SHADES
BACKGROUND = N_COLORS
"""What stands for white: the paper that pictures are letterboxed on, and the background of most shops."""

# Levels that a channel is divided into, and the highest of them, which is white if all channels have it.
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
    """Finds which of the 25 colors each pixel has, or ``BACKGROUND``.

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
    """Computes ``colors`` from channels that are levels already, 0 to 31."""
    place = levels[..., 0].astype(np.uint16)
    place *= np.uint16(LEVELS)
    place += levels[..., 1]
    place *= np.uint16(LEVELS)
    place += levels[..., 2]
    found: Colors = np.take(color_table(), place)
    return found


def color_names() -> list[str]:
    """Names of the 25 colors and the background, in their order."""
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
    """Converts sRGB to CIELAB (D65).

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
    # Relative to the white point: the XYZ of white itself.
    relative = linear @ to_xyz.T / to_xyz.sum(axis=1)
    delta = 6 / 29
    root = np.where(relative > delta**3, np.cbrt(relative), relative / (3 * delta**2) + 4 / 29)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
