"""Turned squares: out of a photo and back, for pixels, landmarks and masks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stylesearch.persons.landmarks import (
    LANDMARKS_SIZE,
    TurnedSquare,
    cut_square,
    decode_landmarks,
    mask_in_photo,
)


def point(x: float, y: float) -> np.ndarray:
    return np.array([x, y], np.float32)


def turned(angle: float) -> TurnedSquare:
    return TurnedSquare(60.0, 40.0, 80.0, np.radians(angle))


class TestTurnedSquare:
    def test_its_side_is_two_and_a_half_times_the_radius(self) -> None:
        square = TurnedSquare.around(point(50, 60), point(50, 20))
        assert square == TurnedSquare(50.0, 60.0, 100.0, 0.0)

    @pytest.mark.parametrize(
        ("top", "degrees"), [((70, 60), 90), ((50, 80), 180), ((30, 60), -90), ((60, 50), 45)]
    )
    def test_it_turns_with_the_person(self, top: tuple[float, float], degrees: float) -> None:
        square = TurnedSquare.around(point(50, 60), point(*top))
        assert square is not None
        assert np.degrees(square.angle) == pytest.approx(degrees)
        above = square.to_photo() @ [0.5, 0.1, 1]  # straight above the middle: 0.4 of the side
        assert above - (50, 60) == pytest.approx(np.subtract(top, (50, 60)), abs=1e-5)

    @pytest.mark.parametrize("top", [(50, 60), (50.5, 60), (np.nan, 0), (np.inf, 0)])
    def test_there_is_none_without_a_side(self, top: tuple[float, float]) -> None:
        assert TurnedSquare.around(point(50, 60), point(*top)) is None

    def test_its_corners(self) -> None:
        corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ turned(90).to_photo().T
        assert corners == pytest.approx(np.array([[100, 0], [100, 80], [20, 80], [20, 0]]))


class TestCut:
    def test_as_large_as_the_square_it_is_the_photo_itself(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
        cut = cut_square(pixels, TurnedSquare(128.0, 128.0, 256.0, 0.0))
        assert cut.shape == (1, 256, 256, 3)
        assert cut.dtype == np.float32
        assert cut[0] == pytest.approx(pixels / 255, abs=1e-6)

    def test_a_quarter_turn_stands_a_lying_person_up(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
        cut = cut_square(pixels, TurnedSquare(128.0, 128.0, 256.0, np.pi / 2))  # the head was right
        assert cut[0] == pytest.approx(np.rot90(pixels) / 255, abs=0.01)

    def test_outside_the_photo_is_black(self) -> None:
        cut = cut_square(np.full((80, 80, 3), 255, np.uint8), TurnedSquare(0.0, 0.0, 128.0, 0.0))
        assert cut[0, :126].max() == cut[0, :, :126].max() == 0
        assert cut[0, 130:, 130:].min() == 1

    def test_a_large_photo_is_reduced_by_areas(self) -> None:
        """Stripes of one pixel would become bands if pixels were only picked."""
        pixels = np.zeros((1200, 1200, 3), np.uint8)
        pixels[:, ::2] = 255
        cut = cut_square(pixels, TurnedSquare(600.0, 600.0, 1100.0, 0.0))
        assert cut == pytest.approx(0.5, abs=0.06)

    def test_reduced_or_not_things_are_at_the_same_place(self) -> None:
        pixels = np.zeros((700, 700, 3), np.uint8)
        cv2.circle(pixels, (400, 250), 60, (255, 255, 255), -1)
        for side in (500.0, 525.0):  # just below and above the factor of two
            y, x = np.argwhere(
                cut_square(pixels, TurnedSquare(350.0, 350.0, side, 0.0))[0, ..., 0] > 0.5
            ).mean(0)
            assert (x, y) == pytest.approx(
                (128 + 50.5 * 256 / side - 0.5, 128 - 99.5 * 256 / side - 0.5), abs=0.4
            )


class TestDecoding:
    def answers(self) -> np.ndarray:
        table = np.zeros((39, 5), np.float32)
        table[11, :2] = (64, 32)
        table[11, 3:] = (2, -2)
        table[33, :2], table[34, :2] = (128, 128), (192, 128)
        return table.reshape(1, 195)

    def test_landmarks_come_back_to_the_photo(self) -> None:
        found = decode_landmarks(self.answers(), TurnedSquare(100.0, 200.0, 512.0, 0.0))
        assert found.points.shape == (33, 2)
        assert found.points.dtype == np.float32
        assert found.points[11] == pytest.approx((100 - 128, 200 - 192))
        assert found.visibility[11] == pytest.approx(0.880797)
        assert found.presence[11] == pytest.approx(0.119203)
        assert found.visibility[0] == 0.5

    def test_turned_too(self) -> None:
        found = decode_landmarks(self.answers(), TurnedSquare(100.0, 200.0, 512.0, np.pi / 2))
        assert found.points[11] == pytest.approx((100 + 192, 200 - 128), abs=1e-3)

    def test_the_next_square_comes_from_the_auxiliary_landmarks(self) -> None:
        found = decode_landmarks(self.answers(), TurnedSquare(100.0, 200.0, 512.0, 0.0))
        assert found.next_square is not None
        assert found.next_square.side == pytest.approx(2.5 * 128)
        assert np.degrees(found.next_square.angle) == pytest.approx(90)


class TestMask:
    @pytest.mark.parametrize("angle", [0, 30, 90, -135])
    def test_it_comes_back_to_where_it_was_cut(self, angle: float) -> None:
        drawn = np.zeros((80, 120), np.uint8)
        cv2.ellipse(drawn, (60, 40), (12, 25), 20, 0, 360, 255, -1)
        cut = cut_square(np.repeat(drawn[..., None], 3, axis=2), turned(angle))[0, ..., 0]
        mask = mask_in_photo(np.where(cut > 0.5, 50, -50).astype(np.float32), turned(angle), 120, 80)
        assert mask.shape == (80, 120)
        assert mask.dtype == np.uint8
        both, either = ((mask > 127) & (drawn > 127)).sum(), ((mask > 127) | (drawn > 127)).sum()
        assert both / either > 0.97

    def test_outside_the_square_there_is_nobody(self) -> None:
        everywhere = np.full((1, LANDMARKS_SIZE, LANDMARKS_SIZE, 1), 1e4, np.float32)
        mask = mask_in_photo(everywhere, TurnedSquare(50.0, 50.0, 40.0, 0.0), 100, 90)
        rows, columns = np.nonzero(mask > 127)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 69, 30, 69)
        assert mask[:29].max() == 0

    def test_logits_become_probabilities(self) -> None:
        logits = np.zeros((256, 256), np.float32)
        assert mask_in_photo(logits, TurnedSquare(5.0, 5.0, 40.0, 0.0), 10, 10).tolist() == [[128] * 10] * 10
