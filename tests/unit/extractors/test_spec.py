"""An extractor's spec: its text, its options, and the same extractor from it in another process."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stylesearch.errors import ConfigError
from stylesearch.extractors import load_extractor
from stylesearch.extractors.spec import ExtractorSpec

TEXTS = [
    "resnet50",
    "resnet50@320",
    "resnet50+colors",
    "efficientnet-lite0@320+colors",
    "hog",
    "hog+colors",
    "folder/net.keras",
    "folder/net@home.keras",
    "folder/net@home.keras@96+colors",
    "folder/a+colors.keras@96",
    "unknown+edges",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_read_and_written_back(text: str) -> None:
    spec = ExtractorSpec.parse(text)
    assert str(spec) == text
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert spec.with_colors == text.endswith("+colors")


@pytest.mark.parametrize(
    ("text", "name", "input_size"),
    [
        ("resnet50@320+colors", "resnet50", 320),
        ("folder/net@home.keras@96+colors", "folder/net@home.keras", 96),
        ("folder/net@home.keras", "folder/net@home.keras", None),
        ("hog+colors", "hog", None),
    ],
)
def test_name_and_size(text: str, name: str, input_size: int | None) -> None:
    spec = ExtractorSpec.parse(text)
    assert (spec.name, spec.input_size) == (name, input_size)


def test_what_a_name_stands_for() -> None:
    assert ExtractorSpec.parse("hog@32+colors").is_classical
    assert ExtractorSpec.parse("net.keras@32+colors").is_model_file
    network = ExtractorSpec.parse("resnet50@32+colors")
    assert not network.is_classical and not network.is_model_file
    assert str(network.without_colors) == "resnet50@32"


@pytest.mark.parametrize("text", ["resnet50@", "resnet50@big", "resnet50@-1", "resnet50@1@x", "@+colors"])
def test_what_is_malformed_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="input size"):
        ExtractorSpec.parse(text)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("efficientnet-lite0+texture@320", "efficientnet-lite0@320+texture"),
        ("efficientnet-lite0+colors@320", "efficientnet-lite0@320+colors"),
        ("efficientnet-lite0+texture+colors@320", "efficientnet-lite0@320+texture+colors"),
        ("efficientnet-lite0+texture@320+colors", "efficientnet-lite0@320+texture+colors"),
        ("efficientnet-lite0+colors+texture@320", "efficientnet-lite0@320+texture+colors"),
        ("efficientnet-lite0@320+colors+texture", "efficientnet-lite0@320+texture+colors"),
        ("efficientnet-lite0+colors+texture", "efficientnet-lite0+texture+colors"),
        ("efficientnet-lite0+colors+colors", "efficientnet-lite0+colors"),
        ("efficientnet-lite0+texture+texture", "efficientnet-lite0+texture"),
        ("folder/net@home.keras+colors@96", "folder/net@home.keras@96+colors"),
        ("efficientnet-lite0@big+texture", "efficientnet-lite0@320+texture"),
        ("efficientnet-lite0@320+color", "efficientnet-lite0@320"),
        ("+texture+colors", "resnet50+texture+colors"),
        ("@320", "resnet50@320"),
    ],
)
def test_the_right_form_is_told(text: str, right: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ExtractorSpec.parse(text)
    assert refused.value.hint == right
    assert repr(text) in refused.value.message
    assert str(ExtractorSpec.parse(right)) == right


@pytest.mark.parametrize("name", ["net", "net@64", "net+texture@64", "we@ird", "a+colors.keras@96"])
def test_an_existing_file_is_the_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    for text, size, colors in (
        (name, None, False),
        (f"{name}+colors", None, True),
        (f"{name}@32+colors", 32, True),
    ):
        spec = ExtractorSpec.parse(text)
        assert (spec.name, spec.input_size, spec.with_colors, spec.with_texture) == (
            name,
            size,
            colors,
            False,
        )


def test_settings_for_networks_apply_where_they_can() -> None:
    settings = {"weights": "random", "engine": "tensorflow", "precision": "f32"}
    network = ExtractorSpec.parse("resnet50@64").with_network_settings(settings)
    assert (network.weights, network.engine, network.precision) == ("random", "tensorflow", "f32")
    model = ExtractorSpec.parse("net.keras@64+colors").with_network_settings(settings)
    assert (model.weights, model.engine, model.precision) == (None, "tensorflow", "f32")
    for text in ("hog", "hog@32", "hog+colors"):
        assert ExtractorSpec.parse(text).with_network_settings(settings) == ExtractorSpec.parse(text)


def test_options_of_a_call_go_before_those_of_the_spec() -> None:
    spec = ExtractorSpec("resnet50", 64, weights="random", engine="tensorflow")
    assert spec.with_options(weights=None, engine="auto") == spec
    assert spec.with_options(weights="random:1").weights == "random:1"
    with pytest.raises(ConfigError, match="two input sizes"):
        spec.with_options(input_size=32)


def test_a_spec_loads_what_its_text_and_options_load() -> None:
    spec = ExtractorSpec("resnet50", 64, with_colors=True, weights="random:3")
    assert load_extractor(spec).fingerprint == load_extractor(str(spec), weights="random:3").fingerprint


LOAD = """
import pickle, sys
import numpy as np
from stylesearch.extractors import load_extractor
extractors = [load_extractor(spec) for spec in pickle.load(sys.stdin.buffer)]
images = np.arange(2 * 32 * 32 * 3, dtype=np.uint32).reshape(2, 32, 32, 3).astype(np.uint8)
found = [one.fingerprint for one in extractors], extractors[0].extract(images)
assert "tensorflow" not in sys.modules
pickle.dump(found, sys.stdout.buffer)
"""


def test_another_process_builds_the_same_extractors() -> None:
    settings = {"weights": "random:3", "precision": "f32"}
    texts = ("hog@32", "resnet50@64+colors", "efficientnet-lite0@64")
    specs = [ExtractorSpec.parse(text).with_network_settings(settings) for text in texts]
    done = subprocess.run(
        [sys.executable, "-c", LOAD], input=pickle.dumps(specs), capture_output=True, check=True, timeout=300
    )
    fingerprints, features = pickle.loads(done.stdout)
    extractors = [load_extractor(spec) for spec in specs]
    assert fingerprints == [one.fingerprint for one in extractors]
    images = np.arange(2 * 32 * 32 * 3, dtype=np.uint32).reshape(2, 32, 32, 3).astype(np.uint8)
    assert np.array_equal(features, extractors[0].extract(images))
