"""Both ways to compute a feature agree; which one runs, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest

from stylesearch.errors import ConfigError
from stylesearch.extractors import describe_extractors, load_extractor
from stylesearch.extractors.classical import compute
from stylesearch.extractors.classical.feature import WHITE_BOXES
from stylesearch.extractors.engines.choose import EngineChoice

pytestmark = pytest.mark.slow

# Whole numbers decide orientations, colors and regions in both; what is left is the rounding of float32.
TOLERANCE = 1e-6


@pytest.mark.parametrize("name", WHITE_BOXES)
@pytest.mark.parametrize("size", [48, 45])
def test_tensors_and_arrays_agree(photo_like, name, size):
    images = np.ascontiguousarray(photo_like[:, :size, :size])
    arrays = load_extractor(f"{name}@{size}", engine="numpy").extract(images)
    tensors = load_extractor(f"{name}@{size}", engine="tensorflow").extract(images)
    assert np.abs(arrays - tensors).max() < TOLERANCE
    assert arrays.any(axis=1).all()


@pytest.mark.parametrize("name", WHITE_BOXES)
def test_tensors_and_arrays_agree_on_noise_and_on_nothing(name):
    noise = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3)).astype(np.uint8)
    noise[1] = 255
    noise[2] = 17
    arrays = load_extractor(f"{name}@24").extract(noise)
    tensors = load_extractor(f"{name}@24", engine="tensorflow").extract(noise)
    assert np.abs(arrays - tensors).max() < TOLERANCE


@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
def test_more_images_than_a_step(photo_like, engine, monkeypatch):
    expected = load_extractor("whitebox@48", engine=engine).extract(photo_like)
    monkeypatch.setattr(compute, "_PIXELS_A_STEP", 2 * 48**2)
    monkeypatch.setattr(compute, "_PIXELS_A_BATCH", 4 * 48**2)
    found = load_extractor("whitebox@48", engine=engine).extract(photo_like)
    assert np.abs(found - expected).max() < TOLERANCE


@pytest.mark.parametrize(
    ("spec", "options", "reason"),
    [
        ("hog", {"weights": "imagenet"}, "no weights"),
        ("whitebox", {"weights": "own.h5"}, "no weights"),
        ("hog", {"engine": "openvino"}, "numpy or tensorflow"),
        ("hog", {"engine": "onnx"}, "onnx"),
        ("harris", {"precision": "bf16"}, "f32"),
        ("harris", {"precision": "mixed_float16"}, "f32"),
        ("harris", {"layer": "fc1"}, "fixed"),
        ("hog", {"preprocessing": "tf"}, "fixed"),
        ("hog@15", {}, "16 to 2048"),
        ("harris@7", {}, "8 to 2048"),
        ("whitebox@4096", {}, "16 to 2048"),
        ("hog@64", {"input_size": 32}, "two input sizes"),
    ],
)
def test_arguments_that_make_no_sense(spec, options, reason):
    with pytest.raises(ConfigError, match=reason):
        load_extractor(spec, **options)


def test_names_and_sizes():
    found = load_extractor("whitebox@128")
    assert (found.name, found.input_size, found.dim, found.weights_digest) == ("whitebox", 128, 8239, "none")
    assert load_extractor("whitebox").dim == 1903
    assert found.fingerprint == load_extractor("whitebox", input_size=128, engine="tensorflow").fingerprint
    assert len({load_extractor(name).fingerprint for name in (*WHITE_BOXES, "hog@32")}) == 6


def test_the_fingerprints_do_not_drift():
    """Stored features are computed anew when these change: change them only together with the vectors."""
    assert {name: load_extractor(name).fingerprint[:8] for name in WHITE_BOXES} == FINGERPRINTS


FINGERPRINTS = {
    "color-coherence": "8fa06368",
    "color-histogram": "2252af24",
    "harris": "c5dd2cd7",
    "hog": "ba3a4ff2",
    "whitebox": "184cd728",
}


def test_the_list(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "cpu")
    rows = {info.name: info for info in describe_extractors()}
    assert set(WHITE_BOXES) <= set(rows)
    for name in WHITE_BOXES:
        row = rows[name]
        assert (row.layer, row.parameters, row.at_hand) == ("-", 0, True)
        assert (row.engine, row.device) == ("numpy", "CPU")
        assert row.dim == load_extractor(name).dim
        assert row.summary


def test_a_gpu_is_used_for_many_images_only(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "gpu")
    assert compute.choose_compute(throughput=True) == EngineChoice("tensorflow", "GPU", certain=False)
    assert compute.choose_compute(throughput=False) == EngineChoice("numpy", "CPU")
    assert compute.choose_compute("numpy", throughput=True) == EngineChoice("numpy", "CPU")
    assert load_extractor("hog", throughput=True).concurrency == 2
    monkeypatch.setenv("STYLESEARCH_DEVICE", "cpu")
    assert compute.choose_compute(throughput=True) == EngineChoice("numpy", "CPU")
    assert load_extractor("hog", throughput=True).concurrency == 1


def test_tensorflow_runs_where_it_sees_a_gpu(photo_like, monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "gpu")
    import stylesearch.extractors.engines.tensorflow as engine

    monkeypatch.setattr(engine, "visible_gpus", lambda tensorflow: 1)
    monkeypatch.setattr(compute, "_with_arrays", lambda feature, input_size: pytest.fail("on the CPU"))
    assert load_extractor("harris@48", throughput=True).extract(photo_like).shape == (6, 64)


def test_a_gpu_that_tensorflow_does_not_see_is_said_and_numpy_runs(photo_like, monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "gpu")
    import stylesearch.extractors.engines.tensorflow as engine

    monkeypatch.setattr(engine, "visible_gpus", lambda tensorflow: 0)
    extractor = load_extractor("hog@48", throughput=True)
    with pytest.warns(UserWarning, match="does not see"):
        found = extractor.extract(photo_like)
    assert np.array_equal(found, load_extractor("hog@48", engine="numpy").extract(photo_like))


@pytest.mark.parametrize(
    ("name", "libraries"),
    [
        ("hog", set()),
        ("color-histogram", {"cv2"}),
        ("harris", {"cv2"}),
        ("color-coherence", {"cv2", "skimage", "scipy"}),
        ("whitebox", {"cv2", "skimage", "scipy"}),
    ],
)
def test_the_cpu_needs_no_tensorflow_and_other_libraries_only_where_they_run(name, libraries):
    code = (
        "import sys, numpy as np;"
        "from stylesearch.extractors import describe_extractors, load_extractor;"
        f"describe_extractors(); extractor = load_extractor({name!r}, throughput=True);"
        "heavy = {'tensorflow', 'keras', 'openvino', 'cv2', 'scipy', 'skimage'};"
        "early = heavy & set(sys.modules); assert not early, early;"
        "extractor.extract(np.zeros((1, 64, 64, 3), np.uint8));"
        f"found = (heavy & set(sys.modules)) - {libraries!r}; assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"STYLESEARCH_DEVICE": "cpu", "PATH": ""})
