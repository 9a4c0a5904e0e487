"""Finds the persons in a photo: their joints, and which pixels are theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from stylesearch.array_types import Floats, Pixels
from stylesearch.persons.detection import (
    MIN_SCORE,
    Detection,
    decode_detections,
    detector_input,
    merge_overlapping,
    order_by_prominence,
)
from stylesearch.persons.landmarks import (
    HIPS,
    SHOULDERS,
    Landmarks,
    TurnedSquare,
    cut_square,
    decode_landmarks,
    mask_in_photo,
)
from stylesearch.persons.networks import Network, load_network
from stylesearch.persons.squares import body_box
from stylesearch.persons.weights import DETECTOR, LANDMARKS, PersonFile, find_person_file
from stylesearch.types import Box

__all__ = ["WORKING_SIDE", "Person", "PersonFinder"]

WORKING_SIDE: Final = 640
"""A photo with a longer side is reduced to this before persons are looked for. Around a person a third as
tall as the photo the square of the second network is then about 256 pixels wide, as many as the
network takes; of larger persons (30 drawn photos) 256 to 1600 pixels find the same joints."""

MIN_PERSON: Final = 0.5
"""Below this the second network denies that it was shown a person."""

_N_LOOKS: Final = 2
"""How often the second network looks: at the square of the detector, then at its own."""

_MORE_DETECTIONS: Final = 3
"""How many more detections than persons are looked at: each costs two runs of the second network."""

_SAME_PERSON: Final = 0.3
"""Persons whose shoulders and hips are nearer than this to each other's, in lengths of the trunk, are one."""


@dataclass(frozen=True, eq=False, slots=True)
class Person:
    """A person in a photo, in pixels of the photo.

    Attributes:
        score: how sure the detector is, 0 to 1.
        box: the box of the mask.
        landmarks: float32 (33, 2): x and y of BlazePose's landmarks; may lie outside the photo.
        visibility: float32 (33,): probability that a landmark is in the photo and not hidden.
        mask: uint8 (h, w), of the photo's size: 255 where the person is.
    """

    score: float
    box: Box
    landmarks: Floats
    visibility: Floats
    mask: Pixels


class PersonFinder:
    """Finds persons with BlazePose. Thread-safe.

    The first network is loaded at the first photo, the second at the first that shows somebody.

    Args:
        min_score: the least score that the detector must give a person.
        load: loads a TFLite file; for tests.
    """

    def __init__(
        self, *, min_score: float = MIN_SCORE, load: Callable[[Path], Network] = load_network
    ) -> None:
        self._min_score = min_score
        self._detector = _LazyNetwork(DETECTOR, load)
        self._landmarks = _LazyNetwork(LANDMARKS, load)

    def prepare(self) -> None:
        """Loads both networks, so that no photo need wait for it; quick if they are loaded.

        Raises:
            WeightsNotFound: the files are not on this machine; the hint is the command that brings them.
            WeightsMismatch: a file is damaged.
            ExtractorError: no library here can run them.
            MissingDependency: none is installed.
        """
        self._detector.get()
        self._landmarks.get()

    def find(self, pixels: Pixels, max_persons: int = 4) -> list[Person]:
        """Finds the persons in a photo, the largest and most central first.

        Args:
            pixels: uint8 (h, w, 3), RGB, upright; not modified. It may have any size, and is reduced to
                ``WORKING_SIDE``; a photo decoded to 512 to 700 pixels saves the time of that.
            max_persons: how many are returned at most; each costs two runs of the second network.

        Returns:
            At most ``max_persons`` persons; none if nobody is seen.

        Raises:
            ValueError: ``pixels`` has another shape or type, or no pixel.
            WeightsNotFound: the files are not on this machine; the hint is the command that brings them.
            WeightsMismatch: a file is damaged.
            ExtractorError: no library here can run them.
            MissingDependency: none is installed.
        """
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
            raise ValueError(f"pixels are uint8 of shape (h, w, 3). Received: {pixels.dtype} {pixels.shape}")
        self._landmarks.check_file()
        detector = self._detector.get()
        height, width = pixels.shape[:2]
        small = _reduce(pixels)
        to_photo = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
        persons: list[Person] = []
        for detection in _detect(detector, small, self._min_score)[: max_persons + _MORE_DETECTIONS]:
            if len(persons) == max_persons:
                break
            found = _look(self._landmarks.get(), small, detection)
            if found is None:
                continue
            answer, square, logits = found
            points = answer.points * to_photo
            if any(_is_same(points, other.landmarks) for other in persons):
                continue
            mask = mask_in_photo(logits, _enlarge(square, to_photo), width, height)
            box = body_box(mask)
            if box is not None:
                persons.append(Person(detection.score, box, points, answer.visibility, mask))
        return persons


class _LazyNetwork:
    """A network that one thread loads when it is first needed, while the others wait."""

    def __init__(self, file: PersonFile, load: Callable[[Path], Network]) -> None:
        self._file, self._load = file, load
        self._lock = threading.Lock()
        self._network: Network | None = None

    def check_file(self) -> None:
        """Raises what ``get`` would raise for a missing or damaged file, without loading it."""
        if self._network is None:
            find_person_file(self._file)

    def get(self) -> Network:
        """The network, loaded."""
        if self._network is None:
            with self._lock:
                if self._network is None:
                    self._network = self._load(find_person_file(self._file))
        return self._network


def _reduce(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    reduced: Pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return reduced


def _enlarge(square: TurnedSquare, to_photo: Floats) -> TurnedSquare:
    """The same square in the photo's own pixels; both sides were reduced alike, up to half a pixel."""
    factor = float(to_photo.mean())
    return TurnedSquare(
        square.x * float(to_photo[0]), square.y * float(to_photo[1]), square.side * factor, square.angle
    )


def _detect(network: Network, pixels: Pixels, min_score: float) -> list[Detection]:
    height, width = pixels.shape[:2]
    square, placement = detector_input(pixels)
    answers, logits = network.run(square)
    detections = decode_detections(answers[0], logits[0], placement, min_score)
    return order_by_prominence(merge_overlapping(detections), width, height)


def _look(
    network: Network, pixels: Pixels, detection: Detection
) -> tuple[Landmarks, TurnedSquare, Floats] | None:
    """Runs the second network on a detection; None where it sees no person.

    Returns:
        The landmarks, the square that was looked at last, and the logits of the mask in it.
    """
    square = TurnedSquare.around(detection.keypoints[0], detection.keypoints[1])
    found = None
    for _ in range(_N_LOOKS):
        if square is None:
            break
        points, sure, logits, *_ = network.run(cut_square(pixels, square))
        if float(sure.reshape(())) < MIN_PERSON:
            return None
        answer = decode_landmarks(points, square)
        found = answer, square, logits
        square = answer.next_square
    return found


def _is_same(points: Floats, others: Floats) -> bool:
    """Whether two sets of landmarks are of one person, whom the detector saw twice."""
    trunk = [*SHOULDERS, *HIPS]
    length = max(1.0, float(np.hypot(*(_middle(others, SHOULDERS) - _middle(others, HIPS)))))
    apart = np.hypot(*(points[trunk] - others[trunk]).T).mean()
    return bool(apart < _SAME_PERSON * length)


def _middle(points: Floats, pair: tuple[int, int]) -> Floats:
    middle: Floats = points[list(pair)].mean(axis=0)
    return middle
