"""Finds the joints and the outline of one person: BlazePose's second network, and what its answer means.

The network looks at a square of 256 pixels in which the person stands upright. The square is turned and
scaled to the person before, and what the network answers is brought back to the photo afterwards.

References:
    V. Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020,
    https://arxiv.org/abs/2006.10204. Deviation: landmarks are not refined with the heat maps, which moves
    them by less than the margins of any box made of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from stylesearch.array_types import Doubles, Floats, Pixels
from stylesearch.persons.detection import sigmoid

__all__ = [
    "ANKLES",
    "HIPS",
    "KNEES",
    "LANDMARKS_SIZE",
    "N_LANDMARKS",
    "SHOULDERS",
    "Landmarks",
    "TurnedSquare",
    "cut_square",
    "decode_landmarks",
    "mask_in_photo",
]

LANDMARKS_SIZE: Final = 256
"""Side of the network's square input, and of its mask, in pixels."""

N_LANDMARKS: Final = 33
"""Landmarks of the body; behind them come six auxiliary ones, of which two enclose the body."""

SHOULDERS: Final = (11, 12)
"""Landmarks of the person's left and right shoulder."""

HIPS: Final = (23, 24)
"""Landmarks of the left and right hip."""

KNEES: Final = (25, 26)
"""Landmarks of the left and right knee."""

ANKLES: Final = (27, 28)
"""Landmarks of the left and right ankle."""

_MARGIN: Final = 1.25
"""The side of the square, in diameters of the circle around the body."""

_SHRUNK_BEFORE: Final = 2.0
"""From this many pixels of the photo for one of the square on, the photo is reduced by areas first."""


@dataclass(frozen=True, slots=True)
class TurnedSquare:
    """A square in a photo, turned so that a person is upright in it.

    Attributes:
        x, y: its middle, in pixels of the photo.
        side: its side, in pixels of the photo.
        angle: clockwise turn of the person in the photo, radians; 0 is upright.
    """

    x: float
    y: float
    side: float
    angle: float

    @classmethod
    def around(cls, middle: Floats, top: Floats) -> TurnedSquare | None:
        """The square around a body; None if it would have no side.

        Args:
            middle: x and y of the middle of the circle that encloses the body.
            top: the point of that circle that is to be straight above.
        """
        right, down = (float(value) for value in top - middle)
        radius = float(np.hypot(right, down))
        if not np.isfinite(radius) or radius < 1:
            return None
        return cls(float(middle[0]), float(middle[1]), 2 * _MARGIN * radius, float(np.arctan2(right, -down)))

    def to_photo(self) -> Doubles:
        """(2, 3): the affine map from the square, 0 to 1 each way, to pixels of the photo."""
        cos, sin = np.cos(self.angle) * self.side, np.sin(self.angle) * self.side
        return np.array(
            [
                [cos, -sin, self.x - 0.5 * (cos - sin)],
                [sin, cos, self.y - 0.5 * (sin + cos)],
            ]
        )


@dataclass(frozen=True, eq=False, slots=True)
class Landmarks:
    """The network's answer for one person.

    Attributes:
        points: float32 (33, 2): x and y in pixels of the photo; may lie outside of it.
        visibility: float32 (33,): probability that the landmark is in the photo and not hidden.
        presence: float32 (33,): probability that the landmark is within the square.
        next_square: the square around the body as the landmarks say it, for a second look.
    """

    points: Floats
    visibility: Floats
    presence: Floats
    next_square: TurnedSquare | None


def cut_square(pixels: Pixels, square: TurnedSquare) -> Floats:
    """Cuts a turned square out of a photo; what lies outside the photo is black.

    Args:
        pixels: uint8 (h, w, 3), RGB.
        square: in pixels of the photo.

    Returns:
        float32 (1, 256, 256, 3), from 0 to 1.
    """
    to_photo = square.to_photo()
    if square.side > _SHRUNK_BEFORE * LANDMARKS_SIZE:
        height, width = pixels.shape[:2]
        factor = LANDMARKS_SIZE / square.side
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        to_photo = to_photo * np.array([[size[0] / width], [size[1] / height]])
    warp = _between_pixels(to_photo, np.array([[1 / LANDMARKS_SIZE, 0, 0], [0, 1 / LANDMARKS_SIZE, 0]]))
    cut = cv2.warpAffine(
        pixels,
        warp,
        (LANDMARKS_SIZE, LANDMARKS_SIZE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    scaled: Floats = np.multiply(cut[None], np.float32(1 / 255), dtype=np.float32)
    return scaled


def decode_landmarks(answers: Floats, square: TurnedSquare) -> Landmarks:
    """Brings the network's landmarks back to the photo.

    Args:
        answers: 39 times x, y, z in pixels of the square and the logits of visibility and presence; (195,).
        square: what the network was shown.
    """
    table = answers.reshape(-1, 5)
    to_photo = square.to_photo()
    points = (table[:, :2] / LANDMARKS_SIZE @ to_photo[:, :2].T + to_photo[:, 2]).astype(np.float32)
    return Landmarks(
        points[:N_LANDMARKS],
        sigmoid(table[:N_LANDMARKS, 3]),
        sigmoid(table[:N_LANDMARKS, 4]),
        TurnedSquare.around(points[N_LANDMARKS], points[N_LANDMARKS + 1]),
    )


def mask_in_photo(logits: Floats, square: TurnedSquare, width: int, height: int) -> Pixels:
    """Brings the network's mask back to the photo.

    Args:
        logits: (256, 256): large where the person is.
        square: what the network was shown.
        width, height: size of the photo in pixels.

    Returns:
        uint8 (height, width): 255 where the person is, 0 where not and outside the square.
    """
    mask = np.rint(sigmoid(logits.reshape(LANDMARKS_SIZE, LANDMARKS_SIZE)) * 255).astype(np.uint8)
    whole = np.vstack([square.to_photo(), [0, 0, 1]])
    from_photo = np.linalg.inv(whole)[:2] * LANDMARKS_SIZE
    warp = _between_pixels(from_photo, np.eye(2, 3))
    placed: Pixels = cv2.warpAffine(
        mask,
        warp,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return placed


def _between_pixels(outer: Doubles, inner: Doubles) -> Doubles:
    """Joins two affine maps, ``inner`` first, into one from indices of pixels to indices of pixels.

    A pixel's index is that of its upper left corner, its color that of its middle: half a pixel on.
    """
    corner = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    joined: Doubles = np.vstack([outer, [0, 0, 1]]) @ np.vstack([inner, [0, 0, 1]]) @ corner
    joined[:2, 2] -= 0.5
    return np.ascontiguousarray(joined[:2])
