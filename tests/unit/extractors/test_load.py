import warnings

import numpy as np
import pytest

from stylesearch.errors import ConfigError, UnknownName
from stylesearch.extractors import describe_extractors, load, load_extractor
from stylesearch.parallel import usable_cores


def test_a_name():
    extractor = load_extractor("efficientnet-lite0")
    assert extractor.name == "efficientnet-lite0"
    assert extractor.input_size == 224
    assert extractor.dim == 1280
    assert dict(extractor.parameters) == {"input_size": 224, "layer": "avg_pool", "preprocessing": "lite"}


def test_an_input_size_behind_the_name_or_as_an_option():
    behind, option = (
        load_extractor("resnet50@320", weights="random"),
        load_extractor("resnet50", weights="random", input_size=320),
    )
    assert behind.input_size == option.input_size == 320
    assert behind.fingerprint == option.fingerprint
    assert behind.name == "resnet50"


def test_what_decides_the_vectors_is_in_the_fingerprint_and_what_does_not_is_not():
    one = load_extractor("resnet50", weights="random")
    assert one.fingerprint != load_extractor("resnet50", weights="random:1").fingerprint
    assert one.fingerprint != load_extractor("resnet50@225", weights="random").fingerprint
    assert one.fingerprint == load_extractor("resnet50", weights="random", engine="tensorflow").fingerprint
    assert one.fingerprint == load_extractor("resnet50", weights="random", precision="f32").fingerprint


def test_the_fingerprint_of_a_network_does_not_drift():
    """Stored features are computed anew when this changes: change it only together with the vectors."""
    found = load_extractor("efficientnet-lite0@320").fingerprint
    assert found == "8214e71bdd35643f0be64f1d9a06b2103ae4d97206ba04c3592cc43c7dc96b10"


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UnknownName, match="'resnet50'"):
        load_extractor("resnet-50")


@pytest.mark.parametrize(
    ("spec", "options", "reason"),
    [
        ("efficientnet-lite0@big", {}, "input size"),
        ("efficientnet-lite0@16", {}, "32 to 2048"),
        ("inceptionv3@74", {"weights": "random"}, "75 to 2048"),
        ("efficientnet-lite0@320", {"input_size": 224}, "two input sizes"),
        ("vgg16@320", {"weights": "random"}, "fc1"),
        ("efficientnet-lite0", {"preprocessing": "tf"}, "fixed"),
        ("own.keras", {"weights": "imagenet"}, "own weights"),
        ("efficientnet-lite0", {"engine": "onnx"}, "onnx"),
        ("efficientnet-lite0", {"engine": "openvino", "precision": "mixed_float16"}, "mixed_float16"),
    ],
)
def test_arguments_that_make_no_sense(spec, options, reason):
    with pytest.raises(ConfigError, match=reason):
        load_extractor(spec, **options)


def test_vgg_takes_its_own_size():
    assert load_extractor("vgg16@224", weights="random").input_size == 224


def test_many_images_are_extracted_by_several_threads(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "cpu")
    assert load_extractor("efficientnet-lite0").concurrency == 1
    assert load_extractor("efficientnet-lite0", throughput=True).concurrency == usable_cores()


def test_the_list(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("STYLESEARCH_DEVICE", "cpu")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "vgg16_weights_tf_dim_ordering_tf_kernels.h5").write_bytes(b"")
    rows = {info.name: info for info in describe_extractors()}
    assert list(rows) == sorted(rows)
    networks = {name: info for name, info in rows.items() if info.parameters}
    assert {name for name, info in networks.items() if info.at_hand} >= {"efficientnet-lite0", "vgg16"}
    assert not networks["resnet50"].at_hand
    assert not networks["vgg19"].at_hand
    assert "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5" in rows["resnet50"].weights
    assert rows["vgg19"].layer == "fc1"
    assert {(info.engine, info.device) for info in networks.values()} == {("openvino", "CPU")}


def test_a_gpu_that_tensorflow_does_not_see_is_said_and_openvino_runs(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "gpu")
    import stylesearch.extractors.engines.tensorflow as engine

    monkeypatch.setattr(engine, "visible_gpus", lambda tensorflow: 0)
    extractor = load_extractor("efficientnet-lite0@64", throughput=True)
    with pytest.warns(UserWarning, match="does not see"):
        assert extractor.engine.device == "CPU"
    assert type(extractor.engine).__name__ == "OpenVinoEngine"


def test_a_gpu_is_used_for_many_images(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "gpu")
    import stylesearch.extractors.engines.tensorflow as engine

    monkeypatch.setattr(engine, "visible_gpus", lambda tensorflow: 1)
    monkeypatch.setattr(engine, "TensorFlowEngine", lambda recipe, precision: (recipe.name, precision))
    extractor = load_extractor("resnet50", weights="random", throughput=True)
    assert extractor.engine == ("resnet50", "auto")
    assert extractor.concurrency == 2


def test_nothing_is_loaded_before_it_is_needed(monkeypatch):
    def never(*arguments, **options):
        raise AssertionError("loaded")

    monkeypatch.setattr(load, "_open_engine", never)
    extractor = load_extractor("efficientnet-lite0")
    assert extractor.extract(np.zeros((0, 224, 224, 3), np.uint8)).shape == (0, 1280)
    with pytest.raises(AssertionError, match="loaded"):
        extractor.extract(np.zeros((1, 224, 224, 3), np.uint8))


def test_no_warnings_on_a_machine_without_a_gpu(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_extractor("efficientnet-lite0@64", throughput=True).extract(np.zeros((1, 64, 64, 3), np.uint8))
