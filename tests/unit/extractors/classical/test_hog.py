import numpy as np
import pytest
from skimage.feature import hog as skimage_hog

from stylesearch.extractors.classical.hog import HOG, Hog
from stylesearch.extractors.classical.luma import luma


def reference(images, block=2):
    return np.stack(
        [skimage_hog(luma(one), 9, (8, 8), (block, block), block_norm="L2-Hys") for one in images]
    )


@pytest.mark.parametrize("block", [2, 3])
def test_scikit_image_gives_the_same(photo_like, block):
    found = Hog(block=block).from_arrays(photo_like)
    assert np.abs(found - reference(photo_like, block)).max() < 1e-6


@pytest.mark.parametrize("size", [16, 23, 41])
def test_scikit_image_gives_the_same_where_cells_do_not_fit(photo_like, size):
    cut = np.ascontiguousarray(photo_like[:, :size, :size])
    assert np.abs(HOG.from_arrays(cut) - reference(cut)).max() < 1e-6
    assert HOG.from_arrays(cut).shape == (6, HOG.dim(size))


def test_scikit_image_gives_the_same_on_noise():
    noise = np.random.default_rng(3).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    assert np.abs(HOG.from_arrays(noise) - reference(noise)).max() < 1e-6


def one_cell(brightness):
    """Mean magnitudes of an 8 x 8 picture, one cell, by orientation."""
    return HOG._cells(np.asarray(brightness, np.uint8).reshape(1, 8, 8))[0, 0, 0]


def test_an_upright_edge_in_a_cell_made_by_hand():
    brightness = np.zeros((8, 8))
    brightness[:, 4:] = 80
    # Columns 3 and 4 see a difference of 80 along the row: 16 pixels of 64, orientation 0.
    assert one_cell(brightness).tolist() == [80 * 16 / 64, 0, 0, 0, 0, 0, 0, 0, 0]


def test_a_level_edge_in_a_cell_made_by_hand():
    brightness = np.zeros((8, 8))
    brightness[4:] = 80
    # 90 degrees are the middle of the fifth orientation, 80 to 100.
    assert one_cell(brightness).tolist() == [0, 0, 0, 0, 80 * 16 / 64, 0, 0, 0, 0]


def test_a_slope_in_a_cell_made_by_hand():
    y, x = np.mgrid[:8, :8]
    found = one_cell(10 * x + 10 * y)
    # 45 degrees are in the third orientation, 40 to 60: the 36 pixels inside differ by 20 both ways. At the
    # edge one of the two differences is 0: 12 pixels upright, 12 level; the corners have none.
    expected = [12 * 20 / 64, 0, 36 * np.hypot(20, 20) / 64, 0, 12 * 20 / 64, 0, 0, 0, 0]
    assert np.allclose(found, expected)


def test_the_edge_of_a_image_counts_nothing():
    assert not HOG.from_arrays(np.full((1, 32, 32, 3), 200, np.uint8)).any()


def test_blocks_are_cut_off_and_of_norm_one():
    upright = np.zeros((1, 16, 16, 3), np.uint8)
    upright[:, :, 4:] = 90
    found = HOG.from_arrays(upright).reshape(4, 9)
    # Two left cells with one orientation each: 1 / sqrt(2) is cut off at 0.2, and scaled back to 1 / sqrt(2).
    expected = np.zeros((4, 9))
    expected[[0, 2], 0] = 0.5**0.5
    assert np.allclose(found, expected, atol=1e-5)


def test_a_flip_moves_the_cells_and_mirrors_the_orientations(photo_like):
    images = photo_like + np.zeros(1, np.uint8)
    plain = HOG._cells(luma(images))
    mirrored = HOG._cells(luma(np.ascontiguousarray(images[:, :, ::-1])))
    # An angle becomes 180 degrees minus itself; only 0 degrees stays in its own orientation by rounding, so
    # orientations are compared where no gradient lies upright.
    total = plain[:, :, ::-1].sum(axis=-1)
    assert np.allclose(mirrored.sum(axis=-1), total, rtol=1e-5)
    skew = plain[:, :, ::-1, 1:8]
    assert np.allclose(mirrored[..., 1:8], skew[..., ::-1], rtol=1e-4, atol=1e-4)


def test_a_half_turn_turns_the_cells_and_keeps_the_orientations(photo_like):
    plain = HOG._cells(luma(photo_like))
    turned = HOG._cells(luma(np.ascontiguousarray(photo_like[:, ::-1, ::-1])))
    assert np.allclose(turned, plain[:, ::-1, ::-1], rtol=1e-5, atol=1e-5)


def test_a_quarter_turn_swaps_upright_and_level():
    stripes = np.zeros((1, 32, 32, 3), np.uint8)
    stripes[:, :, ::4] = 200
    stripes[:, :, 1::4] = 120
    upright = HOG._cells(luma(stripes))
    level = HOG._cells(luma(np.ascontiguousarray(np.rot90(stripes, axes=(1, 2)))))
    assert np.allclose(np.rot90(upright, axes=(1, 2))[..., 0], level[..., 4])
    assert not level[..., 0].any()


def test_golden():
    """Recorded from scikit-image 0.26.0."""
    y, x = np.mgrid[:16, :16]
    image = np.stack([x * 16, y * 16, x * y], axis=-1).astype(np.uint8)
    found = HOG.from_arrays(image[None]).reshape(4, 9)
    expected = [
        [0.0678, 0, 0.3078, 0.3991, 0.1316, 0, 0, 0, 0],
        [0.0658, 0, 0.0233, 0.3991, 0.1555, 0, 0, 0, 0],
        [0.0907, 0, 0.3991, 0.0924, 0.1306, 0, 0, 0, 0],
        [0.0907, 0, 0.3893, 0.3991, 0.1535, 0, 0, 0, 0],
    ]
    assert np.allclose(found, expected, atol=6e-5)
