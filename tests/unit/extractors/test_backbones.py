"""The table against Keras itself and against the study that it reproduces."""

import importlib

import numpy as np
import pytest

from stylesearch.extractors.backbones import BACKBONES, PREPROCESSING
from stylesearch.extractors.keras_models import apply_preprocessing

pytestmark = pytest.mark.slow

# Table 1 of the study that this library grew from, checked with Keras: width and parameters up to the layer.
# (The study prints InceptionV3's parameters in the row of ResNet50 by mistake.) The two Lite networks
# are not of the study: their parameters are counted in their weights' files, see test_efficientnet_lite.py.
TABLE_1 = {
    "efficientnet-lite0": (1280, 3_413_024),
    "efficientnet-lite2": (1280, 4_869_168),
    "inceptionv3": (2048, 21_802_784),
    "resnet50": (2048, 23_587_712),
    "vgg16": (4096, 117_479_232),
    "vgg19": (4096, 122_788_928),
}
KERAS_ROWS = sorted(name for name, row in BACKBONES.items() if row.module)


def test_the_table_is_table_1():
    assert {name: (row.dim, row.parameters) for name, row in BACKBONES.items()} == TABLE_1


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_graph_has_what_the_table_says(name):
    import keras

    from stylesearch.extractors.keras_models import backbone_graph

    row = BACKBONES[name]
    with keras.StatelessScope():  # variables without values: 2.6 GB fewer for the two VGGs
        graph = backbone_graph(row, row.input_size)
    assert graph.count_params() == row.parameters
    assert graph.output_shape == (None, row.dim)
    assert graph.input_shape == (None, row.input_size, row.input_size, 3)


@pytest.mark.parametrize("name", KERAS_ROWS)
def test_the_checksum_is_that_of_keras(name, monkeypatch):
    import keras
    from keras.src.utils import file_utils

    asked = {}

    class NoDownload(Exception):
        pass

    def get_file(file_name, origin, **options):
        asked[file_name] = options["file_hash"]
        raise NoDownload

    monkeypatch.setattr(file_utils, "get_file", get_file)
    row = BACKBONES[name]
    module = importlib.import_module(f"keras.applications.{row.module}")
    with keras.StatelessScope(), pytest.raises(NoDownload):
        getattr(module, row.class_name)(weights="imagenet", include_top=not row.any_size)
    assert asked == {row.weights_file: row.weights_md5}


@pytest.mark.parametrize("name", KERAS_ROWS)
def test_preprocessing_is_that_of_keras(name):
    row = BACKBONES[name]
    module = importlib.import_module(f"keras.applications.{row.module}")
    images = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
    images[0, 0], images[1, 0] = 0, 255
    expected = module.preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(_preprocessed(row.preprocessing, images), expected, rtol=1e-5, atol=1e-5)


def test_preprocessing_of_efficientnet_lite():
    images = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    expected = (images.astype(np.float64) - 127) / 128
    np.testing.assert_allclose(_preprocessed("lite", images), expected, atol=1e-6)


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_modes_have_the_names_of_keras(mode):
    from keras.applications.imagenet_utils import preprocess_input

    images = np.random.default_rng(1).integers(0, 256, (1, 5, 5, 3), dtype=np.uint8)
    expected = preprocess_input(images.astype(np.float32), mode=mode)
    np.testing.assert_allclose(_preprocessed(mode, images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("mode", "scale"), [("none", 1.0), ("0-1", 255.0)])
def test_plain_modes(mode, scale):
    images = np.arange(27, dtype=np.uint8).reshape(1, 3, 3, 3)
    np.testing.assert_allclose(_preprocessed(mode, images), images / scale, rtol=1e-6)


@pytest.mark.parametrize("mode", sorted(PREPROCESSING))
def test_preprocessing_does_not_write_into_its_input(mode):
    images = np.random.default_rng(2).integers(0, 256, (1, 4, 4, 3), dtype=np.uint8)
    before = images.copy()
    _preprocessed(mode, images)
    np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize("name", KERAS_ROWS)
def test_keras_keeps_the_weights_under_the_name_in_the_table(name, monkeypatch):
    class Asked(Exception):
        pass

    def get_file(fname, *arguments, **options):
        raise Asked(fname, options.get("cache_subdir"))

    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils, "get_file", get_file)
    row = BACKBONES[name]
    module = importlib.import_module(f"keras.applications.{row.module}")
    import keras

    with pytest.raises(Asked) as asked, keras.StatelessScope():
        getattr(module, row.class_name)(weights="imagenet", include_top=not row.any_size)
    assert asked.value.args == (row.weights_file, "models")


def _preprocessed(mode, images):
    import keras

    inputs = keras.Input(images.shape[1:], dtype="uint8")
    model = keras.Model(inputs, apply_preprocessing(mode, inputs))
    return np.asarray(model(images))
