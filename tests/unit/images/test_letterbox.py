from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from stylesearch.images.regions import fit_size, letterbox


@pytest.mark.parametrize(
    ("width", "height", "left", "top", "right", "bottom"),
    [
        (100, 200, 16, 0, 48, 64),
        (200, 100, 0, 16, 64, 48),
        (64, 64, 0, 0, 64, 64),
        (30, 30, 0, 0, 64, 64),
        (16, 32, 16, 0, 48, 64),
        (1000, 16, 0, 31, 64, 32),
        (16, 5000, 31, 0, 32, 64),
    ],
)
def test_aspect_kept_and_centred_on_white(width, height, left, top, right, bottom):
    pixels = np.full((height, width, 3), (10, 120, 30), np.uint8)
    square = letterbox(pixels, 64)
    assert square.shape == (64, 64, 3)
    expected = np.full((64, 64, 3), 255)
    expected[top:bottom, left:right] = (10, 120, 30)
    np.testing.assert_array_equal(square, expected)


def test_the_odd_pixel_is_right_or_below():
    inked = (letterbox(np.zeros((64, 31, 3), np.uint8), 64) == 0).all(axis=(0, 2))
    assert (int(inked.argmax()), int(inked.sum())) == (16, 31)


def test_the_input_is_not_changed_and_may_be_a_view():
    pixels = np.random.default_rng(0).integers(0, 256, (90, 60, 3), dtype=np.uint8)
    before = pixels.copy()
    turned = letterbox(pixels[::-1, ::-1], 48)
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_allclose(turned[::-1, ::-1].astype(int), letterbox(pixels, 48), atol=2)
    pixels.flags.writeable = False
    letterbox(pixels, 32)


def test_same_size_changes_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    np.testing.assert_array_equal(letterbox(pixels, 48), pixels)


@pytest.mark.parametrize("factor", [2, 3, 5, 8, 11, 16])
def test_fine_stripes_become_grey_rather_than_moire(factor):
    height = 64 * factor
    stripes = np.zeros((height, height, 3), np.uint8)
    stripes[:, ::2] = 255
    square = letterbox(stripes, 64)[:, 2:-2].astype(int)
    assert np.abs(square - 128).max() <= 20


def test_close_to_one_slow_resize(garment):
    large = garment.resize((1500, 2000), Image.Resampling.LANCZOS)
    for size in (96, 224, 320):
        exact = np.asarray(large.resize((size * 3 // 4, size), Image.Resampling.BICUBIC)).astype(int)
        ours = letterbox(np.asarray(large), size)[:, size // 8 : size // 8 + size * 3 // 4]
        assert np.abs(ours - exact).mean() < 1.5


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(pixels):
    with pytest.raises(ValueError, match=r"pixels are uint8 of shape \(h, w, 3\)\. Received"):
        letterbox(pixels, 32)


def test_fitted_size_is_never_more_than_the_room_nor_nothing():
    for width in (1, 7, 100, 4031):
        for height in (1, 9, 101, 60_000):
            fitted = fit_size(width, height, (224, 320))
            assert 1 <= fitted[0] <= 224
            assert 1 <= fitted[1] <= 320
            assert fitted[0] == 224 or fitted[1] == 320
