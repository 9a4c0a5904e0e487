"""A picture made square without squashing it: scaled to fit, centred, white around it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["OVERSAMPLING", "draw_letterboxed", "fitted_size", "letterbox"]

OVERSAMPLING = 1.4
"""How many times the pixels wanted a cheaply reduced picture must keep, each way, before the last resize.

The reductions (a JPEG decoded small, means of blocks) are fast and slightly rough; a bicubic step of this
size or more after them hides it.
"""

_WHITE = 255


def letterbox(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Fits a picture into a square.

    The aspect ratio is kept, the longer side becomes ``size``, the rest is white, half on each side (the odd
    pixel right or below). Larger pictures are reduced with antialiasing, smaller ones enlarged, both bicubic.

    Args:
        pixels: shape (h, w, 3), RGB; not modified.
        size: side of the square, in pixels.

    Returns:
        A new array of shape (size, size, 3).

    Raises:
        ValueError: if ``pixels`` has another shape or type, or no pixel.

    Example:
        >>> letterbox(np.zeros((200, 100, 3), np.uint8), 32)[16, [0, 7, 8, 23, 24], 0].tolist()
        [255, 255, 0, 0, 255]
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"pixels are uint8 of shape (h, w, 3). Received: {pixels.dtype} {pixels.shape}")
    canvas = np.empty((size, size, 3), np.uint8)
    draw_letterboxed(Image.fromarray(pixels), (0.0, 0.0, pixels.shape[1], pixels.shape[0]), canvas)
    return canvas


def fitted_size(width: float, height: float, room: tuple[int, int]) -> tuple[int, int]:
    """Width and height, at least 1, of something scaled to fit into ``room`` (width, height).

    Example:
        >>> fitted_size(3000, 4000, (320, 320))
        (240, 320)
    """
    scale = min(room[0] / width, room[1] / height)
    return (
        min(room[0], max(1, math.floor(width * scale + 0.5))),
        min(room[1], max(1, math.floor(height * scale + 0.5))),
    )


def draw_letterboxed(
    image: Image.Image, rectangle: tuple[float, float, float, float], canvas: npt.NDArray[np.uint8]
) -> None:
    """Fills ``canvas``, shape (h, w, 3), with a rectangle of an RGB image, letterboxed on white.

    Args:
        image: not modified.
        rectangle: left, top, right, bottom in pixels of ``image``, fractions allowed.
        canvas: overwritten whole.
    """
    left, top, right, bottom = rectangle
    room_height, room_width = canvas.shape[:2]
    width, height = fitted_size(right - left, bottom - top, (room_width, room_height))
    scaled = image.resize((width, height), Image.Resampling.BICUBIC, box=rectangle, reducing_gap=OVERSAMPLING)
    x, y = (room_width - width) // 2, (room_height - height) // 2
    if width < room_width or height < room_height:
        canvas[...] = _WHITE
    canvas[y : y + height, x : x + width] = np.asarray(scaled)
