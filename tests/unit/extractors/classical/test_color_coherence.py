import numpy as np
import pytest
from scipy.ndimage import label, uniform_filter

from stylesearch.extractors.classical.color_coherence import (
    COLOR_COHERENCE,
    ColorCoherence,
    blurred_colors,
    region_sizes,
)
from stylesearch.extractors.classical.colors import BACKGROUND, N_COLORS, colors


def flood_filled(image, tau):
    """The vector by labelling one color after the other."""
    found = blurred_colors(image[None])[0]
    counts = np.zeros((2, N_COLORS))
    for color in range(N_COLORS):
        labels, _ = label(found == color, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.ravel())[1:]
        counts[0, color] = sizes[sizes > tau].sum()
        counts[1, color] = sizes[sizes <= tau].sum()
    return np.sqrt(counts.ravel() / counts.sum())


@pytest.mark.parametrize("tau", [0.002, 0.01, 0.1])
def test_a_flood_fill_gives_the_same(photo_like, tau):
    found = ColorCoherence(tau=tau).from_arrays(photo_like)
    expected = [flood_filled(image, tau * 48**2) for image in photo_like]
    assert np.abs(found - expected).max() < 1e-6
    assert (found[:, :N_COLORS] > 0).any() and (found[:, N_COLORS:] > 0).any(), "both kinds occur"


def test_the_blur_is_the_mean_of_nine(photo_like):
    blurred = uniform_filter(photo_like.astype(float), size=(1, 3, 3, 1), mode="nearest")
    # Sums of whole numbers: a hair is added so that rounding does not push one below its level.
    assert np.array_equal(blurred_colors(photo_like), colors((blurred + 1e-6).astype(np.uint8)))


def image_of(rows):
    """Region sizes of a picture drawn in letters."""
    return region_sizes(np.array([[[ord(letter) for letter in row] for row in rows]]))[0].tolist()


def test_regions_made_by_hand():
    assert image_of(["aab", "bab", "bbb"]) == [[3, 3, 6], [6, 3, 6], [6, 6, 6]]


def test_pixels_touch_across_a_corner():
    assert image_of(["ab", "ba"]) == [[2, 2], [2, 2]]
    assert image_of(["axx", "xax", "xxa"]) == [[3, 6, 6], [6, 3, 6], [6, 6, 3]]
    assert image_of(["xxa", "xax", "axx"]) == [[6, 6, 3], [6, 3, 6], [3, 6, 6]]


def test_a_spiral_and_a_comb_are_one_region_each():
    spiral = ["aaaaaaaa", "xxxxxxxa", "aaaaaaxa", "axxxxaxa", "axaxxaxa", "axaaaaxa", "axxxxxxa", "aaaaaaaa"]
    n_spiral = sum(row.count("a") for row in spiral)
    sizes = np.array(image_of(spiral))
    assert sizes[0, 0] == sizes[4, 2] == n_spiral
    comb = ["axaxaxax"] * 7 + ["aaaaaaaa"]
    sizes = np.array(image_of(comb))
    assert sizes[0, 0] == 4 * 7 + 8
    assert sizes[0, 1] == 7


def test_regions_do_not_reach_from_one_image_into_the_next():
    assert (region_sizes(np.zeros((3, 4, 5), np.uint8)) == 20).all()


def test_a_checkerboard_of_many_colors():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 3, (4, 33, 29)).astype(np.uint8)
    expected = np.zeros(numbers.shape, int)
    for image, sizes in zip(numbers, expected, strict=True):
        for color in range(3):
            labels, _ = label(image == color, structure=np.ones((3, 3)))
            sizes[image == color] = np.bincount(labels.ravel())[labels[image == color]]
    assert np.array_equal(region_sizes(numbers), expected)


def test_a_region_of_exactly_tau_is_not_coherent():
    image = np.full((1, 10, 10, 3), 255, np.uint8)
    image[:, 2:7, 2:7] = (150, 20, 20)
    n_red = int((blurred_colors(image) == 9).sum())
    at, below = n_red / 100, (n_red - 0.5) / 100
    assert ColorCoherence(tau=at).from_arrays(image)[0, 9] == 0
    assert ColorCoherence(tau=at).from_arrays(image)[0, 25 + 9] > 0
    assert ColorCoherence(tau=below).from_arrays(image)[0, 9] > 0
    assert ColorCoherence(tau=below).from_arrays(image)[0, 25 + 9] == 0


def test_white_only_is_zeros():
    white = np.full((1, 8, 8, 3), 255, np.uint8)
    assert (blurred_colors(white) == BACKGROUND).all()
    assert not COLOR_COHERENCE.from_arrays(white).any()


def test_turns_and_flips_change_nothing(photo_like):
    plain = COLOR_COHERENCE.from_arrays(photo_like)
    for other in (photo_like[:, ::-1], photo_like[:, :, ::-1], np.rot90(photo_like, axes=(1, 2))):
        assert np.array_equal(COLOR_COHERENCE.from_arrays(np.ascontiguousarray(other)), plain)


def test_the_two_halves_add_up_to_the_histogram_of_the_blurred_image(photo_like):
    squares = COLOR_COHERENCE.from_arrays(photo_like) ** 2
    for image, row in zip(photo_like, squares, strict=True):
        counts = np.bincount(blurred_colors(image[None]).ravel(), minlength=26)[:25]
        assert np.allclose(row[:25] + row[25:], counts / counts.sum(), atol=1e-6)
