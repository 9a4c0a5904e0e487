from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import sobel, uniform_filter

from stylesearch.extractors.classical.harris import HARRIS, harris_response
from stylesearch.extractors.classical.luma import luma


def by_definition(brightness):
    """The response from SciPy's derivatives and means, in float64, picture by picture."""
    responses = []
    for values in brightness.astype(np.float64) / (4 * 255):
        down, across = (sobel(values, axis, mode="mirror") for axis in (0, 1))
        xx, yy, xy = (
            uniform_filter(product, 3, mode="mirror")
            for product in (across * across, down * down, across * down)
        )
        responses.append(xx * yy - xy**2 - 0.04 * (xx + yy) ** 2)
    return np.stack(responses)


def test_scipy_gives_the_same_response(photo_like):
    brightness = luma(photo_like)
    expected = by_definition(brightness)
    assert np.abs(harris_response(brightness) - expected).max() < 1e-6 * expected.max()


@pytest.mark.parametrize("shape", [(2, 2), (3, 5), (8, 8), (31, 17)])
def test_scipy_gives_the_same_response_for_small_images_of_noise(shape):
    brightness = np.random.default_rng(0).integers(0, 256, (3, *shape)).astype(np.uint8)
    expected = by_definition(brightness)
    assert np.abs(harris_response(brightness) - expected).max() <= 1e-6 * np.abs(expected).max()


def test_the_vector_is_the_mean_over_fields_of_the_response(photo_like):
    strength = np.sqrt(np.maximum(by_definition(luma(photo_like)).astype(np.float64), 0))
    means = strength.reshape(6, 8, 6, 8, 6).mean(axis=(2, 4)).reshape(6, 64)
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    assert np.abs(HARRIS.from_arrays(photo_like) - expected).max() < 1e-4


def test_fields_where_they_do_not_fit(photo_like):
    cut = np.ascontiguousarray(photo_like[:, :45, :45])
    strength = np.sqrt(np.maximum(by_definition(luma(cut)).astype(np.float64), 0))
    borders = [-(-45 * number // 8) for number in range(9)]
    means = np.array(
        [
            [
                one[top:bottom, left:right].mean()
                for top, bottom in pairwise(borders)
                for left, right in pairwise(borders)
            ]
            for one in strength
        ]
    )
    expected = means / np.linalg.norm(means, axis=1, keepdims=True)
    assert np.abs(HARRIS.from_arrays(cut) - expected).max() < 1e-4


def test_a_corner_in_8_by_8_made_by_hand():
    brightness = np.zeros((1, 8, 8), np.uint8)
    brightness[0, 4:, 4:] = 255
    response = harris_response(brightness)[0]
    assert np.unravel_index(response.argmax(), (8, 8)) in [(3, 3), (3, 4), (4, 3), (4, 4)]
    assert response[0, 0] == 0, "nothing changes there"
    assert response[7, 4] < 0, "an edge is no corner"
    assert np.array_equal(response, response.T)


def test_flips_and_turns_move_the_fields(photo_like):
    grid = HARRIS.from_arrays(photo_like).reshape(-1, 8, 8)
    for turned, expected in (
        (photo_like[:, ::-1], grid[:, ::-1]),
        (photo_like[:, :, ::-1], grid[:, :, ::-1]),
        (np.rot90(photo_like, axes=(1, 2)), np.rot90(grid, axes=(1, 2))),
    ):
        found = HARRIS.from_arrays(np.ascontiguousarray(turned)).reshape(-1, 8, 8)
        assert np.allclose(found, expected, atol=1e-5)


def test_no_corner_is_zeros():
    image = np.full((2, 16, 16, 3), 120, np.uint8)
    image[1, 8:] = 30
    assert not HARRIS.from_arrays(image).any()


def test_golden():
    """Recorded from OpenCV 5.0.0: the lower right quarter of 8 x 8 pixels is white; in ten-thousandths."""
    brightness = np.zeros((1, 8, 8), np.uint8)
    brightness[0, 4:, 4:] = 255
    expected = [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, -0.1, -0.8, 2.2, -18.6, -44.4, -44.4],
        [0, 0, -0.8, 38.6, 278.1, 162.7, -177.8, -177.8],
        [0, 0, 2.2, 278.1, 971.9, 733.7, -177.8, -177.8],
        [0, 0, -18.6, 162.7, 733.7, 641.9, -44.4, -44.4],
        [0, 0, -44.4, -177.8, -177.8, -44.4, 0, 0],
        [0, 0, -44.4, -177.8, -177.8, -44.4, 0, 0],
    ]
    assert np.allclose(1e4 * harris_response(brightness)[0], expected, atol=0.06)
