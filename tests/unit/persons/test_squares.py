"""Boxes of parts of a person, and squares in which the rest is white."""

from __future__ import annotations

import numpy as np
import pytest

from stylesearch.errors import ImageError
from stylesearch.images.regions import letterbox
from stylesearch.persons.squares import body_box, legs_box, masked_square, torso_box
from stylesearch.types import Box


def landmarks(**joints: tuple[tuple[float, float], tuple[float, float]]) -> np.ndarray:
    points = np.full((33, 2), 9999, np.float32)
    for name, pair in joints.items():
        first = {"shoulders": 11, "hips": 23, "ankles": 27}[name]
        points[first : first + 2] = pair
    return points


UPRIGHT = landmarks(
    shoulders=((140, 100), (80, 110)), hips=((130, 205), (90, 205)), ankles=((125, 400), (95, 380))
)


class TestBoxes:
    def test_the_torso_reaches_beyond_its_joints(self) -> None:
        # The trunk is 100 long: 15 beside, 20 above the higher shoulder, 10 below the lower hip.
        assert torso_box(UPRIGHT, 500, 500) == Box(65, 80, 155, 215)

    def test_the_legs(self) -> None:
        assert legs_box(UPRIGHT, 500, 500) == Box(75, 185, 145, 410)

    def test_what_lies_outside_the_photo_is_cut_off(self) -> None:
        assert torso_box(UPRIGHT - np.float32([100, 100]), 500, 500) == Box(0, 0, 55, 115)
        assert torso_box(UPRIGHT, 100, 120) == Box(65, 80, 100, 120)

    @pytest.mark.parametrize("shift", [(-500, 0), (500, 0), (0, -500), (0, 500)])
    def test_there_is_none_outside(self, shift: tuple[int, int]) -> None:
        assert torso_box(UPRIGHT + np.array(shift, np.float32), 400, 300) is None
        assert legs_box(UPRIGHT + np.array(shift, np.float32), 400, 300) is None

    def test_there_is_none_without_area_or_numbers(self) -> None:
        nowhere = landmarks(shoulders=((50, 50), (50, 50)), hips=((50, 50), (50, 50)))
        assert torso_box(nowhere, 100, 100) is None
        assert torso_box(np.full((33, 2), np.nan, np.float32), 100, 100) is None

    def test_upside_down_it_is_a_box_too(self) -> None:
        box = torso_box(UPRIGHT * np.float32([1, -1]) + np.float32([0, 400]), 500, 500)
        assert box == Box(65, 175, 155, 310)

    def test_the_body_is_where_the_mask_is_sure(self) -> None:
        mask = np.zeros((50, 40), np.uint8)
        mask[5, 6], mask[30, 20], mask[49, 39] = 128, 255, 127
        assert body_box(mask) == Box(6, 5, 21, 31)
        assert body_box(np.full((9, 7), 127, np.uint8)) is None
        assert body_box(np.full((9, 7), 255, np.uint8)) == Box(0, 0, 7, 9)


class TestMaskedSquare:
    def test_what_is_not_the_person_becomes_white_softly(self) -> None:
        pixels = np.zeros((1, 6, 3), np.uint8)
        mask = np.array([[0, 64, 112, 160, 200, 255]], np.uint8)
        square = masked_square(pixels, mask, Box(0, 0, 6, 1), 6)
        row = int(np.argmin(square.sum(axis=(1, 2))))
        assert square[row, :, 0].tolist() == pytest.approx([255, 255, 128, 0, 0, 0], abs=1)

    def test_a_box_of_the_person_alone_is_letterboxed_as_ever(self) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
        square = masked_square(pixels, np.full((60, 50), 255, np.uint8), Box(10, 20, 40, 60), 64)
        assert square.tolist() == letterbox(pixels[20:60, 10:40], 64).tolist()

    def test_a_box_that_reaches_out_is_cut_off(self) -> None:
        pixels, mask = np.zeros((60, 50, 3), np.uint8), np.full((60, 50), 255, np.uint8)
        reaching = masked_square(pixels, mask, Box(30, 20, 90, 60), 64)
        assert reaching.tolist() == masked_square(pixels, mask, Box(30, 20, 50, 60), 64).tolist()
        with pytest.raises(ImageError, match="outside"):
            masked_square(pixels, mask, Box(50, 0, 60, 9), 64)

    def test_the_mask_is_of_the_photo(self) -> None:
        with pytest.raises(ValueError, match="size"):
            masked_square(np.zeros((60, 50, 3), np.uint8), np.zeros((50, 60), np.uint8), Box(0, 0, 9, 9), 8)
