import numpy as np

from stylesearch.extractors.classical.color_histogram import COLOR_HISTOGRAM
from stylesearch.extractors.classical.colors import colors


def test_numpys_histogram_gives_the_same(photo_like):
    found = COLOR_HISTOGRAM.from_arrays(photo_like)
    for image, row in zip(photo_like, found, strict=True):
        counts, _ = np.histogram(colors(image), bins=25, range=(0, 25))
        counts[24] -= (colors(image) == 25).sum()  # the last bin of NumPy includes its upper end
        assert np.allclose(row, np.sqrt(counts / counts.sum()), atol=1e-7)


def test_a_image_of_8_by_8_made_by_hand():
    image = np.full((1, 8, 8, 3), 255, np.uint8)
    image[0, 0] = (0, 0, 0)
    image[0, 1:4] = (150, 20, 20)
    found = COLOR_HISTOGRAM.from_arrays(image)[0]
    expected = np.zeros(25)
    expected[0], expected[9] = np.sqrt([8 / 32, 24 / 32])
    assert np.allclose(found, expected)


def test_squares_sum_to_one(photo_like):
    assert np.allclose((COLOR_HISTOGRAM.from_arrays(photo_like) ** 2).sum(axis=1), 1, atol=1e-6)


def test_white_only_is_zeros():
    assert not COLOR_HISTOGRAM.from_arrays(np.full((1, 8, 8, 3), 255, np.uint8)).any()


def test_white_around_a_image_changes_nothing(photo_like):
    wider = np.full((6, 64, 64, 3), 255, np.uint8)
    wider[:, 8:56, 8:56] = photo_like
    assert np.array_equal(COLOR_HISTOGRAM.from_arrays(wider), COLOR_HISTOGRAM.from_arrays(photo_like))


def test_turns_and_flips_change_nothing(photo_like):
    plain = COLOR_HISTOGRAM.from_arrays(photo_like)
    for other in (photo_like[:, ::-1], photo_like[:, :, ::-1], np.rot90(photo_like, axes=(1, 2))):
        assert np.array_equal(COLOR_HISTOGRAM.from_arrays(np.ascontiguousarray(other)), plain)
