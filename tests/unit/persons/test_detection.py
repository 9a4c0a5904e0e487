"""The detector's anchors, what goes into it, and what its answer means."""

from __future__ import annotations

import numpy as np
import pytest

from stylesearch.persons.detection import (
    DETECTOR_SIZE,
    Detection,
    Placement,
    anchors,
    decode_detections,
    detector_input,
    merge_overlapping,
    order_by_prominence,
    sigmoid,
)

WHOLE = Placement(1.0, 1.0, 0, 0)


def detection(score: float, box: tuple[float, ...], hip: tuple[float, float], radius: float) -> Detection:
    x, y = hip
    points = [(x, y), (x, y - radius), (x, y - radius / 2), (x, y - radius)]
    return Detection(score, np.array(box, np.float32), np.array(points, np.float32))


def answer(*found: tuple[int, float, list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """The detector's answer in which these anchors (number, logit, twelve numbers) see a person."""
    numbers, logits = np.zeros((2254, 12), np.float32), np.full((2254, 1), -200, np.float32)
    for number, logit, values in found:
        numbers[number], logits[number] = values, logit
    return numbers, logits


class TestAnchors:
    def test_there_are_as_many_as_the_network_has_outputs(self) -> None:
        assert anchors().shape == (2254, 2)
        assert anchors().dtype == np.float32
        assert not anchors().flags.writeable

    @pytest.mark.parametrize(
        ("number", "middle"),
        [
            (0, (0.5 / 28, 0.5 / 28)),
            (1, (0.5 / 28, 0.5 / 28)),
            (2, (1.5 / 28, 0.5 / 28)),
            (2 * 28, (0.5 / 28, 1.5 / 28)),
            (1567, (27.5 / 28, 27.5 / 28)),
            (1568, (0.5 / 14, 0.5 / 14)),
            (1568 + 2 * 14 + 3, (1.5 / 14, 1.5 / 14)),
            (1960, (0.5 / 7, 0.5 / 7)),
            (1965, (0.5 / 7, 0.5 / 7)),
            (1966, (1.5 / 7, 0.5 / 7)),
            (2253, (6.5 / 7, 6.5 / 7)),
        ],
    )
    def test_they_go_row_by_row_from_the_finest_grid(self, number: int, middle: tuple[float, float]) -> None:
        assert anchors()[number] == pytest.approx(middle)


class TestInput:
    def test_a_wide_photo_lies_in_the_middle_between_black(self) -> None:
        square, placement = detector_input(np.full((100, 200, 3), 255, np.uint8))
        assert square.shape == (1, DETECTOR_SIZE, DETECTOR_SIZE, 3)
        assert square.dtype == np.float32
        assert placement == Placement(1.12, 1.12, 0, 56)
        assert square[0, :56].max() == square[0, 168:].max() == -1
        assert square[0, 56:168] == pytest.approx(1)

    def test_a_tall_photo_has_black_beside_it(self) -> None:
        _, placement = detector_input(np.zeros((448, 101, 3), np.uint8))
        assert (placement.left, placement.top) == (87, 0)
        assert placement.scale_y == 0.5
        assert placement.scale_x == 50 / 101

    def test_the_channels_stay_red_green_blue(self) -> None:
        square, _ = detector_input(np.full((8, 8, 3), (255, 0, 51), np.uint8))
        assert square[0, 100, 100] == pytest.approx([1, -1, -0.6], abs=1e-6)

    def test_one_pixel_is_enough(self) -> None:
        assert np.isfinite(detector_input(np.zeros((1, 900, 3), np.uint8))[0]).all()


class TestDecoding:
    def test_box_and_keypoints_are_counted_from_the_middle_of_the_anchor(self) -> None:
        values = [4.0, -2, 20, 10, 0, 30, 0, -50, 0, 0, 1, 2]
        (found,) = decode_detections(*answer((1960, 0.0, values)), WHOLE)
        x = y = 16.0  # 0.5 / 7 of 224
        assert found.score == 0.5
        assert found.box.tolist() == [x + 4 - 10, y - 2 - 5, x + 4 + 10, y - 2 + 5]
        assert found.keypoints.tolist() == [[x, y + 30], [x, y - 50], [x, y], [x + 1, y + 2]]
        assert found.size == 80

    def test_points_come_back_to_the_photo(self) -> None:
        _, placement = detector_input(np.zeros((200, 400, 3), np.uint8))
        (found,) = decode_detections(*answer((1960 + 6 * 24, 9.0, [0.0] * 12)), placement)
        assert found.keypoints[0] == pytest.approx((200, 100))  # the middle anchor: the middle of the photo

    def test_the_best_comes_first_and_what_is_below_the_threshold_is_left_out(self) -> None:
        low = float(np.log(0.39 / 0.61))
        some = answer((5, low, [0.0] * 12), (6, 1.0, [0.0] * 12), (7, 3.0, [0.0] * 12))
        assert [round(one.score, 2) for one in decode_detections(*some, WHOLE)] == [0.95, 0.73]
        assert len(decode_detections(*some, WHOLE, min_score=0.3)) == 3
        assert decode_detections(*answer(), WHOLE) == []

    def test_no_logit_overflows(self) -> None:
        values = sigmoid(np.array([-1e30, -100, 0, 100, 1e30], np.float32))
        assert values.tolist() == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-30)


class TestMerging:
    def test_overlapping_boxes_become_their_mean_weighted_by_score(self) -> None:
        best = detection(0.9, (0, 0, 10, 10), (5, 20), 10)
        same = detection(0.3, (0, 4, 10, 14), (9, 24), 14)
        merged = merge_overlapping([best, same])
        assert [one.score for one in merged] == pytest.approx([0.9])
        assert merged[0].box.tolist() == pytest.approx([0, 1, 10, 11])
        assert merged[0].keypoints[0].tolist() == pytest.approx([6, 21])

    def test_others_stay(self) -> None:
        best, other = (
            detection(0.9, (0, 0, 10, 10), (5, 20), 10),
            detection(0.8, (8, 0, 18, 10), (13, 20), 10),
        )
        assert [one.score for one in merge_overlapping([best, other])] == pytest.approx([0.9, 0.8])
        assert merge_overlapping([]) == []

    def test_a_chain_is_broken_where_it_no_longer_overlaps_the_best(self) -> None:
        chain = [detection(0.9 - i / 10, (4 * i, 0, 4 * i + 10, 10), (0, 0), 9) for i in range(3)]
        assert [round(one.score, 1) for one in merge_overlapping(chain)] == [0.9, 0.7]

    def test_boxes_without_area_do_not_hang_it(self) -> None:
        assert len(merge_overlapping([detection(0.9, (3, 3, 3, 3), (0, 0), 1)] * 2)) == 2


class TestOrder:
    def test_a_large_person_comes_before_a_surer_small_one(self) -> None:
        small, large = detection(0.95, (0,) * 4, (50, 60), 10), detection(0.6, (0,) * 4, (50, 60), 60)
        assert order_by_prominence([small, large], 100, 100) == [large, small]

    def test_of_equal_ones_the_central_one_comes_first(self) -> None:
        aside, central = detection(0.9, (0,) * 4, (95, 50), 20), detection(0.9, (0,) * 4, (48, 50), 20)
        assert order_by_prominence([aside, central], 100, 100) == [central, aside]

    def test_far_outside_counts_as_a_corner(self) -> None:
        outside, small = detection(0.9, (0,) * 4, (900, 900), 50), detection(0.9, (0,) * 4, (50, 51), 4)
        assert order_by_prominence([small, outside], 100, 100) == [outside, small]
