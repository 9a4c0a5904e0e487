"""What holds of the white-box features for any picture."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import label

from stylesearch.extractors.classical.color_coherence import COLOR_COHERENCE, region_sizes
from stylesearch.extractors.classical.color_histogram import COLOR_HISTOGRAM
from stylesearch.extractors.classical.colors import colors
from stylesearch.extractors.classical.combined import WHITE_BOX
from stylesearch.extractors.classical.harris import HARRIS
from stylesearch.extractors.classical.hog import HOG

IMAGES = st.integers(16, 24).flatmap(lambda size: arrays(np.uint8, (1, size, size, 3)))
MAPS = st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 2))
)


@given(MAPS)
def test_regions_are_those_of_a_flood_fill(numbers):
    for image, found in zip(numbers, region_sizes(numbers), strict=True):
        for color in np.unique(image):
            mask = image == color
            labels, _ = label(mask, structure=np.ones((3, 3)))
            assert np.array_equal(found[mask], np.bincount(labels.ravel())[labels[mask]])


@given(IMAGES)
@settings(deadline=None)
def test_lengths(images):
    n_blocks = (images.shape[1] // 8 - 1) ** 2
    hog = HOG.from_arrays(images)[0]
    assert (hog >= 0).all() and (hog <= 1).all()
    assert (np.linalg.norm(hog.reshape(n_blocks, -1), axis=1) <= 1 + 1e-5).all()
    for feature in (COLOR_HISTOGRAM, COLOR_COHERENCE, HARRIS):
        norm = np.linalg.norm(feature.from_arrays(images)[0])
        assert norm == 0 or abs(norm - 1) < 1e-5, feature.name
    assert np.isfinite(WHITE_BOX.from_arrays(images)).all()


@given(IMAGES)
@settings(deadline=None)
def test_half_a_turn_moves_things_and_changes_none(images):
    turned = np.ascontiguousarray(images[:, ::-1, ::-1])
    for feature in (COLOR_HISTOGRAM, COLOR_COHERENCE):
        assert np.array_equal(feature.from_arrays(turned), feature.from_arrays(images))


@given(IMAGES, st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_a_histogram_does_not_see_where_a_pixel_is(images, seed):
    pixels = images.reshape(-1, 3)
    shuffled = np.random.default_rng(seed).permutation(pixels).reshape(images.shape)
    assert np.array_equal(COLOR_HISTOGRAM.from_arrays(shuffled), COLOR_HISTOGRAM.from_arrays(images))


@given(arrays(np.uint8, (7, 3)))
def test_each_pixel_has_one_of_26_colors(pixels):
    assert (colors(pixels) <= 25).all()
    assert np.array_equal(colors(pixels) == 25, (pixels >= 248).all(axis=1))
