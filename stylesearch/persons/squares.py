"""Boxes of parts of a person, and squares in which what is not the person is white."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from stylesearch.array_types import Floats, Pixels
from stylesearch.errors import ImageError
from stylesearch.images.regions import letterbox
from stylesearch.persons.landmarks import ANKLES, HIPS, SHOULDERS
from stylesearch.types import Box

__all__ = ["body_box", "legs_box", "masked_square", "torso_box"]

_BESIDE: Final = 0.15
_ABOVE: Final = 0.2
_BELOW: Final = 0.1
"""Margins around shoulders and hips, in lengths of the trunk: clothes are wider than joints."""

_SURE: Final = 128
"""From this value of a mask on a pixel counts as the person's."""

_WHITE_TO, _ITSELF_FROM = np.float32(64), np.float32(160)
"""A pixel is white up to the first value of the mask, and itself from the second on."""

_WHITE: Final = np.float32(255)


def torso_box(landmarks: Floats, width: int, height: int) -> Box | None:
    """The box from shoulders to hips, with margins, cut off at the edges of the photo.

    Args:
        landmarks: float32 (33, 2), x and y in pixels of the photo.
        width, height: size of the photo in pixels.

    Returns:
        The box, or None where nothing of it lies in the photo or it has no area.
    """
    joints = landmarks[[*SHOULDERS, *HIPS]]
    trunk = _trunk_length(landmarks)
    return _inside(joints, (_BESIDE * trunk, _ABOVE * trunk, _BELOW * trunk), width, height)


def legs_box(landmarks: Floats, width: int, height: int) -> Box | None:
    """The box from hips to ankles, with the same margins; else as ``torso_box``."""
    joints = landmarks[[*HIPS, *ANKLES]]
    trunk = _trunk_length(landmarks)
    return _inside(joints, (_BESIDE * trunk, _ABOVE * trunk, _BELOW * trunk), width, height)


def body_box(mask: Pixels) -> Box | None:
    """The box around all pixels of a mask that are the person's for sure; None where there are none.

    Args:
        mask: uint8 (h, w), 255 where the person is.
    """
    sure = mask >= _SURE
    rows, columns = np.flatnonzero(sure.any(axis=1)), np.flatnonzero(sure.any(axis=0))
    if not rows.size:
        return None
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def masked_square(pixels: Pixels, mask: Pixels, box: Box, size: int) -> Pixels:
    """Cuts a box out of a photo; what is not the person becomes white, softly; then it is letterboxed.

    Args:
        pixels: uint8 (h, w, 3), RGB; not modified.
        mask: uint8 (h, w), 255 where the person is.
        box: in pixels of the photo; what reaches out of it is cut off.
        size: side of the square in pixels.

    Returns:
        A new uint8 array of shape (size, size, 3): see ``stylesearch.images.regions.letterbox``.

    Raises:
        ImageError: the box has nothing in common with the photo.
        ValueError: photo and mask have different sizes.
    """
    if mask.shape != pixels.shape[:2]:
        raise ValueError(f"the mask is {mask.shape}, not of the photo's size {pixels.shape[:2]}")
    inside = box.cut(mask.shape[1], mask.shape[0])
    if inside is None:
        raise ImageError(f"the box {box} lies outside the photo of {mask.shape[1]} x {mask.shape[0]} pixels")
    rows, columns = slice(inside.y0, inside.y1), slice(inside.x0, inside.x1)
    return letterbox(_whiten(pixels[rows, columns], np.ascontiguousarray(mask[rows, columns])), size)


def _whiten(pixels: Pixels, mask: Pixels) -> Pixels:
    """Copies a part of a photo; white where the mask is low, and softly at the edge.

    Most pixels are the person's or not at all, so that only those of the edge are computed.
    """
    whitened = np.full(pixels.shape, 255, np.uint8)
    cv2.copyTo(pixels, (mask > _WHITE_TO).view(np.uint8), whitened)
    values = mask.reshape(-1)
    edge = np.flatnonzero((values > _WHITE_TO) & (values < _ITSELF_FROM))
    shares = ((values[edge].astype(np.float32) - _WHITE_TO) / (_ITSELF_FROM - _WHITE_TO))[:, None]
    blended = _WHITE + (pixels.reshape(-1, 3)[edge] - _WHITE) * shares
    whitened.reshape(-1, 3)[edge] = np.rint(blended).astype(np.uint8)
    return whitened


def _trunk_length(landmarks: Floats) -> float:
    """Distance from the middle of the shoulders to the middle of the hips."""
    between = landmarks[list(SHOULDERS)].mean(axis=0) - landmarks[list(HIPS)].mean(axis=0)
    return float(np.hypot(*between))


def _inside(joints: Floats, margins: tuple[float, float, float], width: int, height: int) -> Box | None:
    beside, above, below = margins
    (left, top), (right, bottom) = joints.min(axis=0).tolist(), joints.max(axis=0).tolist()
    edges = (left - beside, top - above, right + beside, bottom + below)
    if not all(map(math.isfinite, edges)):
        return None
    x0, y0 = max(0, round(edges[0])), max(0, round(edges[1]))
    x1, y1 = min(width, round(edges[2])), min(height, round(edges[3]))
    return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
