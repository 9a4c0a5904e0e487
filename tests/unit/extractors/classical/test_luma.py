import numpy as np
from skimage.color import rgb2gray

from stylesearch.extractors.classical.luma import luma


def test_greys_stay_what_they_are():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    assert np.array_equal(luma(greys), np.arange(256))


def test_near_the_formula_everywhere():
    colors = np.random.default_rng(0).integers(0, 256, (5000, 3)).astype(np.uint8)
    assert np.abs(luma(colors) - colors @ [0.299, 0.587, 0.114]).max() < 1


def test_order_of_channels_is_rgb():
    primaries = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    # scikit-image weighs them otherwise (BT.709), but in the same order.
    assert np.array_equal(np.argsort(luma(primaries)), np.argsort(rgb2gray(primaries[None])[0]))
    assert luma(primaries).tolist() == [77, 149, 29]
