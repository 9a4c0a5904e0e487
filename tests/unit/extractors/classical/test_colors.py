import numpy as np
import pytest
from skimage.color import rgb2lab

from stylesearch.extractors.classical.colors import (
    BACKGROUND,
    N_COLORS,
    color_names,
    color_table,
    colors,
    lab,
)


def test_lab_is_scikit_images():
    rgb = np.random.default_rng(0).uniform(0, 1, (500, 3))
    # Both use D65; scikit-image rounds the white point to five digits.
    assert np.abs(lab(rgb) - rgb2lab(rgb)).max() < 0.05


def test_lab_of_the_ends():
    assert np.allclose(lab(np.zeros(3)), 0, atol=1e-9)
    assert np.allclose(lab(np.ones(3)), [100, 0, 0], atol=1e-9)


def test_the_table_holds_every_color():
    assert set(color_table().tolist()) == set(range(N_COLORS + 1))
    assert len(color_names()) == N_COLORS + 1 == 26
    assert not color_table().flags.writeable


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "grey 0"),
        ((128, 128, 128), "grey 4"),
        ((247, 247, 247), "grey 8"),
        ((255, 255, 247), "grey 8"),
        ((248, 248, 248), "background"),
        ((255, 255, 255), "background"),
        ((150, 20, 20), "dark red"),
        ((255, 140, 0), "light orange"),
        ((250, 220, 40), "light yellow"),
        ((20, 90, 30), "dark green"),
        ((20, 30, 90), "dark blue"),
        ((255, 150, 200), "light purple"),
    ],
)
def test_colors_one_can_name(rgb, name):
    assert color_names()[colors(np.array(rgb, np.uint8))] == name


def test_every_level_in_a_naive_loop():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (400, 3)).astype(np.uint8)
    for pixel, found in zip(pixels, colors(pixels), strict=True):
        if (pixel >= 248).all():
            assert found == BACKGROUND
            continue
        lightness, a, b = lab((pixel // 8 + 0.5) / 32)
        if np.hypot(a, b) < 12:
            assert found == int(lightness / 100 * 9)
        else:
            degrees = np.degrees(np.arctan2(b, a)) % 360
            assert found == 9 + int(degrees // 45) * 2 + (lightness >= 50)
