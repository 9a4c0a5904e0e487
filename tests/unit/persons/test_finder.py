"""The finder with made-up networks: what it shows them, and what it makes of their answers."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from stylesearch.errors import WeightsNotFound
from stylesearch.persons import finder as module
from stylesearch.persons.detection import anchors
from stylesearch.persons.finder import WORKING_SIDE, Person, PersonFinder
from stylesearch.types import Box


class FakeDetector:
    """Sees persons at given places: (x, y of the hips, radius, score's logit), fractions of the square."""

    def __init__(self, *seen: tuple[float, float, float, float]) -> None:
        self.seen = seen
        self.shown: list[np.ndarray] = []

    def run(self, square: np.ndarray) -> list[np.ndarray]:
        self.shown.append(square)
        numbers, logits = np.zeros((1, 2254, 12), np.float32), np.full((1, 2254, 1), -99, np.float32)
        for number, (x, y, radius, logit) in enumerate(self.seen):
            middle = np.array([x, y]) - anchors()[number]
            head = middle - (0, radius * 0.8)
            points = [head, (radius * 0.2,) * 2, middle, middle - (0, radius), middle - (0, radius / 2), head]
            numbers[0, number] = np.ravel(points) * 224
            logits[0, number] = logit
        return [numbers, logits]


class FakeLandmarks:
    """Sees a person who fills the middle of every square: shoulders at 0.4, hips at 0.5 of its height."""

    def __init__(self, sure: float = 0.9) -> None:
        self.sure = sure
        self.shown: list[np.ndarray] = []

    def run(self, square: np.ndarray) -> list[np.ndarray]:
        self.shown.append(square)
        table = np.zeros((39, 5), np.float32)
        table[[11, 12], :2] = [(148, 102.4), (108, 102.4)]
        table[[23, 24], :2] = [(140, 128), (116, 128)]
        table[33, :2], table[34, :2] = (128, 128), (128, 128 - 102.4)
        mask = np.full((1, 256, 256, 1), -50, np.float32)
        mask[0, 64:192, 96:160] = 50
        return [table.reshape(1, 195), np.array([[self.sure]], np.float32), mask, mask, mask]


def find(
    monkeypatch: pytest.MonkeyPatch,
    detector: FakeDetector,
    landmarks: FakeLandmarks,
    pixels: np.ndarray,
    max_persons: int = 4,
) -> list[Person]:
    networks = {module.DETECTOR.name: detector, module.LANDMARKS.name: landmarks}
    monkeypatch.setattr(module, "find_person_file", lambda file: Path(file.name))
    return PersonFinder(load=lambda path: networks[path.name]).find(pixels, max_persons)


PHOTO = np.full((400, 400, 3), 90, np.uint8)


def test_a_person_comes_back_in_pixels_of_the_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = FakeDetector((0.5, 0.5, 0.2, 2.0)), FakeLandmarks()
    (person,) = find(monkeypatch, *networks, PHOTO)
    assert person.score == pytest.approx(0.8808, abs=1e-4)
    assert person.landmarks[23] == pytest.approx((200 + 12 / 256 * 200, 200), abs=0.1)  # of a square of 200
    assert person.landmarks.shape == (33, 2)
    assert person.visibility.shape == (33,)
    assert person.mask.shape == (400, 400)
    assert person.box == Box(175, 150, 225, 250)
    assert len(networks[1].shown) == 2, "the second look is at the square that the landmarks say"


@pytest.mark.parametrize("size", [(1600, 1600), (1200, 1600), (90, 120)])
def test_the_size_of_the_photo_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    networks = FakeDetector((0.5, 0.5, 0.2, 2.0)), FakeLandmarks()
    (person,) = find(monkeypatch, *networks, np.full((*size, 3), 90, np.uint8))
    height, width = size
    assert person.mask.shape == size
    assert person.landmarks[[23, 24]].mean(axis=0) == pytest.approx((width / 2, height / 2), abs=1)
    side = 2.5 * 0.2 * max(size)
    assert (person.box.y1 - person.box.y0) / side == pytest.approx(0.5, abs=0.03)
    assert max(size) < WORKING_SIDE or networks[0].shown[0].shape == (1, 224, 224, 3)


class TestSeveral:
    THREE = ((0.2, 0.5, 0.1, 3.0), (0.5, 0.5, 0.2, 1.0), (0.8, 0.5, 0.1, 3.0))

    def test_the_largest_and_most_central_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        persons = find(monkeypatch, FakeDetector(*self.THREE), FakeLandmarks(), PHOTO)
        middles = [person.landmarks[[23, 24]].mean(axis=0)[0] / 400 for person in persons]
        assert middles == pytest.approx([0.5, 0.2, 0.8], abs=0.01)

    def test_no_more_are_looked_at_than_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        landmarks = FakeLandmarks()
        assert len(find(monkeypatch, FakeDetector(*self.THREE), landmarks, PHOTO, max_persons=2)) == 2
        assert len(landmarks.shown) == 4
        assert find(monkeypatch, FakeDetector(*self.THREE), landmarks, PHOTO, max_persons=0) == []

    def test_who_was_detected_twice_is_one_person(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The boxes around the heads do not overlap, but the joints are nearly the same."""
        twice = FakeDetector((0.5, 0.5, 0.2, 3.0), (0.505, 0.5, 0.2, 2.0))
        monkeypatch.setattr(module, "merge_overlapping", lambda detections: detections)
        assert len(find(monkeypatch, twice, FakeLandmarks(), PHOTO)) == 1

    def test_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        landmarks = FakeLandmarks()
        assert find(monkeypatch, FakeDetector(), landmarks, PHOTO) == []
        assert landmarks.shown == []

    def test_whom_the_second_network_denies_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert find(monkeypatch, FakeDetector(*self.THREE), FakeLandmarks(sure=0.4), PHOTO) == []

    def test_whoever_is_not_in_the_photo_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        outside = FakeDetector((1.6, 0.5, 0.2, 3.0))
        assert find(monkeypatch, outside, FakeLandmarks(), PHOTO) == []


def test_only_photos_are_taken() -> None:
    for wrong in (np.zeros((9, 9), np.uint8), np.zeros((9, 9, 3), np.float32), np.zeros((0, 9, 3), np.uint8)):
        with pytest.raises(ValueError, match="uint8"):
            PersonFinder().find(wrong)


def test_missing_files_are_said_with_the_command_that_brings_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path))
    finder = PersonFinder()
    for call in (finder.prepare, lambda: finder.find(PHOTO)):
        with pytest.raises(WeightsNotFound) as error:
            call()
        assert error.value.hint == "stylesearch weights fetch"
        assert str(tmp_path) in str(error.value)


def test_threads_load_the_networks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def load(path: Path) -> FakeDetector | FakeLandmarks:
        loaded.append(path.name)
        return FakeDetector((0.5, 0.5, 0.2, 2.0)) if path.name == module.DETECTOR.name else FakeLandmarks()

    monkeypatch.setattr(module, "find_person_file", lambda file: Path(file.name))
    finder, found = PersonFinder(load=load), []
    threads = [threading.Thread(target=lambda: found.append(finder.find(PHOTO))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(one) for one in found] == [1] * 4
    assert loaded == [module.DETECTOR.name, module.LANDMARKS.name]
