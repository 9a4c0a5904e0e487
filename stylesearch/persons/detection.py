"""Finds where persons are in a photo: what goes into BlazePose's detector, and what its answer means.

The detector looks at a square of 224 pixels and answers for 2,254 fixed places (anchors) whether a person is
there, with a box around the head and shoulders and four keypoints. The first two say where the whole body is:
keypoint 0 is the middle of the hips, and the circle around it through keypoint 1, above the head, encloses
the body. Keypoint 2 is the middle of the shoulders.

References:
    V. Bazarevsky et al., "BlazePose: On-device Real-time Body Pose tracking", 2020,
    https://arxiv.org/abs/2006.10204; anchors and decoding as in MediaPipe's graph ``pose_detection``.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from stylesearch.array_types import Floats, Pixels

__all__ = [
    "DETECTOR_SIZE",
    "MIN_SCORE",
    "Detection",
    "Placement",
    "anchors",
    "decode_detections",
    "detector_input",
    "merge_overlapping",
    "order_by_prominence",
    "sigmoid",
]


DETECTOR_SIZE: Final = 224
"""Side of the detector's square input, in pixels."""

MIN_SCORE: Final = 0.4
"""Below this an anchor's answer is not a person."""

MIN_OVERLAP: Final = 0.3
"""Boxes that share more of their union than this are of the same person."""

_GRIDS: Final = ((28, 2), (14, 2), (7, 6))
"""Cells along a side of the input, and anchors in each cell."""

_LARGEST_LOGIT: Final = 100.0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a photo lies in the detector's square.

    Attributes:
        scale_x, scale_y: pixels of the square for one of the photo.
        left, top: pixels of the square beside and above the photo.
    """

    scale_x: float
    scale_y: float
    left: int
    top: int


@dataclass(frozen=True, eq=False, slots=True)
class Detection:
    """A person as the detector sees it.

    Attributes:
        score: how sure the detector is, 0 to 1.
        box: float32 (4,): x0, y0, x1, y1 of head and shoulders.
        keypoints: float32 (4, 2): x and y of mid-hip, top of the body's circle, mid-shoulder, top of the
            upper body's circle.
    """

    score: float
    box: Floats
    keypoints: Floats

    @property
    def size(self) -> float:
        """Radius of the circle around the whole body, in the unit of the keypoints."""
        return float(np.hypot(*(self.keypoints[1] - self.keypoints[0])))


@functools.cache
def anchors() -> Floats:
    """The middles of the 2,254 anchors: float32 (2254, 2), x and y as fractions of the square; read-only."""
    parts = []
    for n_cells, n_in_cell in _GRIDS:
        middles = (np.arange(n_cells, dtype=np.float32) + np.float32(0.5)) / np.float32(n_cells)
        y, x = np.meshgrid(middles, middles, indexing="ij")
        parts.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), n_in_cell, axis=0))
    points: Floats = np.concatenate(parts)
    points.setflags(write=False)
    return points


def sigmoid(logits: Floats) -> Floats:
    """The logistic function; logits beyond 100 either way count as 100, which leaves 0 or 1."""
    clipped = np.clip(logits, -_LARGEST_LOGIT, _LARGEST_LOGIT).astype(np.float64)
    return (1 / (1 + np.exp(-clipped))).astype(np.float32)


def detector_input(pixels: Pixels) -> tuple[Floats, Placement]:
    """Fits a photo into the detector's square: aspect kept, in the middle, black around it.

    Args:
        pixels: uint8 (h, w, 3), RGB, upright.

    Returns:
        float32 (1, 224, 224, 3) from -1 (black) to 1, and where the photo lies in it.
    """
    height, width = pixels.shape[:2]
    scale = DETECTOR_SIZE / max(height, width)
    fitted_width, fitted_height = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    fitted = cv2.resize(pixels, (fitted_width, fitted_height), interpolation=way)
    left, top = (DETECTOR_SIZE - fitted_width) // 2, (DETECTOR_SIZE - fitted_height) // 2
    square = np.full((1, DETECTOR_SIZE, DETECTOR_SIZE, 3), -1, np.float32)
    inside = square[0, top : top + fitted_height, left : left + fitted_width]
    np.multiply(fitted, np.float32(2 / 255), out=inside)
    inside -= 1
    return square, Placement(fitted_width / width, fitted_height / height, left, top)


def decode_detections(
    answers: Floats, logits: Floats, placement: Placement, min_score: float = MIN_SCORE
) -> list[Detection]:
    """Turns the detector's answer into detections, best first; several may be of the same person.

    Args:
        answers: (2254, 12): of each anchor the middle, width and height of a box and four keypoints, in
            pixels of the square, counted from the anchor's middle.
        logits: (2254,).
        placement: where the photo lies in the square.
        min_score: the least score of a detection.

    Returns:
        Detections in pixels of the photo.
    """
    scores = sigmoid(logits.reshape(-1))
    kept = np.flatnonzero(scores >= min_score)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    numbers = answers[kept].reshape(-1, 6, 2).astype(np.float32)
    middles = anchors()[kept][:, None] * DETECTOR_SIZE
    half = numbers[:, 1:2] / 2
    centre = numbers[:, 0:1] + middles
    points = np.concatenate([centre - half, centre + half, numbers[:, 2:] + middles], axis=1)
    points -= np.array([placement.left, placement.top], np.float32)
    points /= np.array([placement.scale_x, placement.scale_y], np.float32)
    return [
        Detection(float(score), one[:2].reshape(4), one[2:])
        for score, one in zip(scores[kept], points, strict=True)
    ]


def merge_overlapping(detections: list[Detection], min_overlap: float = MIN_OVERLAP) -> list[Detection]:
    """Keeps one detection a person: the mean, weighted by score, of those whose boxes overlap the best one's.

    Args:
        detections: best first.
        min_overlap: boxes that share more than this part of their union are of the same person.

    Returns:
        New detections, best first, each with the score of the best that it was made of.
    """
    if not detections:
        return []
    boxes = np.stack([one.box for one in detections])
    keypoints = np.stack([one.keypoints for one in detections])
    scores = np.array([one.score for one in detections], np.float32)
    left = np.arange(len(detections))
    merged = []
    while left.size:
        same = _overlaps(boxes[left[0]], boxes[left]) > min_overlap
        same[0] = True  # also a box without area is merged with itself
        group = left[same]
        shares = scores[group] / scores[group].sum()
        merged.append(
            Detection(
                float(scores[left[0]]),
                np.einsum("n,nk->k", shares, boxes[group]),
                np.einsum("n,nkd->kd", shares, keypoints[group]),
            )
        )
        left = left[~same]
    return merged


def _overlaps(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box with each of ``boxes``, (n, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    own = float(np.prod(np.clip(box[2:] - box[:2], 0, None)))
    union = own + areas - shared
    overlaps: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return overlaps


def order_by_prominence(detections: list[Detection], width: int, height: int) -> list[Detection]:
    """Sorts detections by score times size times centredness: the largest, most central person first.

    Centredness is 1 where the middle of the trunk is in the middle of the photo, 0.1 in a corner or outside.

    Args:
        detections: in pixels of the photo.
        width, height: size of the photo in pixels.
    """
    middle = np.array([width / 2, height / 2], np.float32)
    half_diagonal = float(np.hypot(*middle))

    def prominence(one: Detection) -> float:
        away = float(np.hypot(*(one.keypoints[[0, 2]].mean(axis=0) - middle))) / half_diagonal
        return one.score * one.size * max(0.1, 1 - away)

    return sorted(detections, key=prominence, reverse=True)
