"""On real photos too both ways agree, and the references give the same."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.feature import hog

from stylesearch.extractors import load_extractor
from stylesearch.extractors.classical.feature import WHITE_BOXES
from stylesearch.extractors.classical.harris import harris_response
from stylesearch.extractors.classical.hog import HOG
from stylesearch.extractors.classical.luma import luma
from stylesearch.images.decode import decode
from stylesearch.images.regions import letterbox

DATA = os.environ.get("STYLESEARCH_TEST_DATA")

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(DATA is None, reason="STYLESEARCH_TEST_DATA does not name a folder of real photos"),
]


@pytest.fixture(scope="module")
def photos():
    paths = [
        p for folder in ("luma", "clothing") for p in sorted(Path(DATA or ".", folder).rglob("*.jpg"))[::60]
    ]
    assert len(paths) > 30
    return np.stack([letterbox(decode(path, reduce_to=90).pixels, 64) for path in paths])


@pytest.mark.parametrize("name", WHITE_BOXES)
def test_tensors_and_arrays_agree(photos, name):
    arrays = load_extractor(name, engine="numpy").extract(photos)
    tensors = load_extractor(name, engine="tensorflow").extract(photos)
    assert np.abs(arrays - tensors).max() < 1e-6


def test_scikit_image_and_opencv_give_the_same(photos):
    brightness = luma(photos)
    expected = [hog(one, 9, (8, 8), (2, 2), block_norm="L2-Hys") for one in brightness]
    assert np.abs(HOG.from_arrays(photos) - expected).max() < 1e-5
    response = np.stack([cv2.cornerHarris(one, 3, 3, 0.04) for one in brightness])
    assert np.abs(harris_response(brightness) - response).max() < 1e-6 * response.max()
