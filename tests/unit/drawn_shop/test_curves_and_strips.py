from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stylesearch.drawn_shop.drawing.curves import (
    along,
    between,
    ellipse,
    mirror_half,
    move,
    normals,
    outline,
    spline,
)
from stylesearch.drawn_shop.garments.strips import Spine, Strip, warp_strip


def test_a_spline_goes_through_its_points_and_ends_with_the_last() -> None:
    points = np.array([(0.0, 0.0), (3.0, 1.0), (4.0, 5.0), (1.0, 6.0)])
    curve = spline(points, samples=5)
    assert curve.shape == (16, 2)
    np.testing.assert_allclose(curve[::5], points)


def test_a_closed_spline_passes_each_point_once() -> None:
    points = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0)]
    curve = spline(points, closed=True, samples=4)
    assert curve.shape == (16, 2)
    np.testing.assert_allclose(curve[::4], points)


def test_points_on_a_line_make_a_line() -> None:
    curve = spline(np.array([(0.0, 0.0), (1.0, 2.0), (4.0, 8.0)]))
    np.testing.assert_allclose(curve[:, 1], 2 * curve[:, 0], atol=1e-12)


def test_curves_written_as_numbers_are_read_only_and_the_same_as_from_an_array() -> None:
    points = [(0.0, 0.0), (1.0, 3.0), (5.0, 2.0)]
    remembered = spline(points)
    np.testing.assert_array_equal(remembered, spline(np.array(points)))
    with pytest.raises(ValueError, match="read-only"):
        remembered += 1.0


def test_an_outline_has_corners_where_its_pieces_meet() -> None:
    corner = outline([(0, 0), (2, 0)], [(2, 0), (2, 2)])
    assert [2.0, 0.0] in corner.tolist()
    np.testing.assert_allclose(corner[(corner[:, 0] < 2.0)][:, 1], 0.0)


def test_mirroring_and_moving() -> None:
    half = np.array([(0.0, 0.0), (2.0, 1.0), (1.0, 3.0)])
    whole = mirror_half(half)
    np.testing.assert_array_equal(whole[3:], [(-1.0, 3.0), (-2.0, 1.0), (0.0, 0.0)])
    np.testing.assert_array_equal(move(half, 1, -2), half + np.array([1, -2]))
    np.testing.assert_array_equal(half[0], (0.0, 0.0))


def test_normals_point_to_the_right_of_the_image_on_the_way_down() -> None:
    down = np.column_stack([np.zeros(5), np.arange(5.0)])
    np.testing.assert_allclose(normals(down), np.tile((1.0, 0.0), (5, 1)))
    ribbon = between(down, 2.0)
    assert ribbon[:, 0].min() == -2.0
    assert ribbon[:, 0].max() == 2.0


def test_along_measures_length_and_ellipses_have_their_radii() -> None:
    bent = np.array([(0.0, 0.0), (3.0, 0.0), (3.0, 1.0)])
    np.testing.assert_allclose(along(bent, [0.0, 0.5, 0.75, 1.0]), [(0, 0), (2, 0), (3, 0), (3, 1)])
    around = ellipse(1.0, 2.0, 3.0, 1.0)
    assert around[:, 0].max() == pytest.approx(4.0)
    assert around[:, 1].max() == pytest.approx(3.0)


def _arm(turn: float, mirror: float = 1.0) -> Spine:
    height = np.linspace(0.0, 50.0, 26)
    angle = np.linspace(0.0, 0.9, 26)
    centre = move(np.cumsum(np.column_stack([np.sin(angle), np.cos(angle)]) * 6.0, axis=0), 100.0, 20.0)
    across = np.column_stack([np.cos(angle), -np.sin(angle)]) * 2.5 * mirror
    return Spine(height, centre, across, middle=np.full(26, 1.5), half=np.full(26, 8.0), turn=turn)


@pytest.mark.parametrize("turn", [0.0, 0.5, -0.8])
@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_what_is_placed_is_located_again(turn: float, mirror: float) -> None:
    spine = _arm(turn, mirror)
    random = np.random.default_rng(5)
    points = np.column_stack([random.uniform(-5, 8, 200), random.uniform(1, 49, 200)])
    found = spine.locate(spine.place(points))
    # the shift of a turned wearer is undone to first order only: the picture bends by a few millimetres there
    np.testing.assert_allclose(found, points, atol=0.25 if turn == 0 else 2.0)


def test_a_warped_strip_carries_its_drawing_along() -> None:
    pixels = np.zeros((100, 40, 4), dtype=np.uint8)
    pixels[:, :, 3] = 255
    pixels[40:60, :, 0] = 255  # a red band at heights 20 to 30
    strip = Strip(Image.frombuffer("RGBX", (40, 100), pixels, "raw", "RGBX", 0, 1), -8.5, 0.0, 2.0)
    reach = np.array([(-8.5, 0.0), (11.5, 0.0), (11.5, 50.0), (-8.5, 50.0)])
    spine = _arm(0.0)
    placed = warp_strip(strip, spine, (400, 400), reach)
    assert placed is not None
    image, corner = placed
    spots = spine.place(np.array([(1.5, 25.0), (1.5, 10.0), (1.5, 40.0)])).round().astype(int) - corner
    red = [image.getpixel((int(x), int(y)))[0] for x, y in spots]  # type: ignore[index]
    assert red[0] > 200
    assert max(red[1:]) < 30


def test_a_strip_outside_the_image_is_not_drawn() -> None:
    strip = Strip(Image.new("RGBX", (40, 100), (9, 9, 9, 255)), -8.5, 0.0, 2.0)
    reach = np.array([(-8.5, 0.0), (11.5, 50.0)])
    assert warp_strip(strip, _arm(0.0), (50, 50), reach) is None
