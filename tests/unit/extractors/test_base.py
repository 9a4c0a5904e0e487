import subprocess
import sys

import numpy as np
import pytest

from stylesearch.errors import ExtractorError
from stylesearch.extractors.base import check_images, fingerprint_of


def test_good_images_are_passed_on_without_a_copy():
    images = np.zeros((2, 8, 8, 3), np.uint8)
    assert check_images(images, 8) is images


def test_strided_images_are_made_contiguous():
    images = np.zeros((2, 8, 16, 3), np.uint8)[:, :, ::2]
    assert check_images(images, 8).flags.c_contiguous


@pytest.mark.parametrize("images", [[[1]], None, "photo.jpg"])
def test_other_things_are_no_images(images):
    with pytest.raises(ExtractorError, match=type(images).__name__):
        check_images(images, 8)


def test_everything_in_a_fingerprint_counts():
    parameters = {"input_size": 224, "layer": "avg_pool"}
    prints = {
        fingerprint_of("resnet50", parameters, "ab"),
        fingerprint_of("resnet51", parameters, "ab"),
        fingerprint_of("resnet50", parameters | {"input_size": 225}, "ab"),
        fingerprint_of("resnet50", parameters | {"layer": "fc1"}, "ab"),
        fingerprint_of("resnet50", parameters, "ac"),
    }
    assert len(prints) == 5
    assert fingerprint_of("resnet50", dict(reversed(parameters.items())), "ab") in prints


def test_the_package_is_light():
    code = (
        "import sys, stylesearch.extractors as e, stylesearch.testing as t;"
        "e.describe_extractors(); t.FakeExtractor;"
        "heavy = {'tensorflow', 'keras', 'openvino', 'pytest', 'h5py', 'PIL'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
