"""Every extractor keeps the contract, on each engine; weights are random where none are installed."""

import itertools
import json

import pytest

from stylesearch.extractors import load_extractor
from stylesearch.extractors.classical.feature import WHITE_BOXES
from stylesearch.extractors.with_colors import ExtractorWithColors
from stylesearch.testing import ExtractorContract, FakeExtractor

# Keras itself, when it saves a model.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(autouse=True, scope="module")
def _shared_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STYLESEARCH_CACHE", str(tmp_path_factory.getbasetemp() / "stylesearch-cache"))
        patch.setenv("STYLESEARCH_DEVICE", "cpu")
        yield


class TestFake(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return FakeExtractor()


class TestFakeWithColors(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return ExtractorWithColors(FakeExtractor())


class TestEfficientNetLite0(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return load_extractor("efficientnet-lite0@64")


class TestEfficientNetLite0WithColors(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return load_extractor("efficientnet-lite0@64+colors", throughput=True)


class TestEfficientNetLite0ForManyImages(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return load_extractor("efficientnet-lite0@64", throughput=True, precision="f32")


class TestEfficientNetLite0OnTensorFlow(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return load_extractor("efficientnet-lite0@64", engine="tensorflow")


@pytest.mark.slow
class TestEfficientNetLite2(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return load_extractor("efficientnet-lite2@64")


@pytest.mark.slow
class TestResNet50(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return load_extractor("resnet50@64", weights="random", engine="tensorflow")


@pytest.mark.slow
class TestInceptionV3(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return load_extractor("inceptionv3@75", weights="random", engine="tensorflow")


@pytest.mark.slow
class TestVGG16(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls):
        return load_extractor("vgg16", weights="random", engine="tensorflow")


class TestModelOfOnesOwn(ExtractorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def extractor(cls, tmp_path_factory):
        import keras

        folder = tmp_path_factory.mktemp("own")
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [
                keras.Input((40, 40, 3)),
                keras.layers.Conv2D(16, 5, strides=2, activation="relu"),
                keras.layers.Conv2D(24, 3),
            ]
        )
        model.save(folder / "own.keras")
        (folder / "own.json").write_text(json.dumps({"input_size": 40, "preprocessing": "0-1"}))
        return load_extractor(str(folder / "own.keras"))


class TestWhiteBoxes(ExtractorContract):
    @pytest.fixture(
        scope="class", params=itertools.product(WHITE_BOXES, ("auto", "tensorflow")), ids="-".join
    )
    @classmethod
    def extractor(cls, request):
        name, engine = request.param
        size = "" if name == "whitebox" else "@32"
        return load_extractor(name + size, engine=engine)
