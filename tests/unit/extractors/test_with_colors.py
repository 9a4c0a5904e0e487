"""A network and colors as one extractor, and how that is written down."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from stylesearch.errors import ConfigError, UnknownName
from stylesearch.extractors import load_extractor
from stylesearch.extractors.hsv_histogram import COLOR_SETTINGS, N_COLORS, color_histogram
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.extractors.with_colors import ExtractorWithColors
from stylesearch.testing import FakeExtractor

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.uint8)


def test_features_are_those_of_the_network_and_then_the_colors() -> None:
    network = FakeExtractor(concurrency=3)
    joined = ExtractorWithColors(network)
    assert (joined.dim, joined.input_size, joined.concurrency) == (32 + N_COLORS, 64, 3)
    assert joined.weights_digest == network.weights_digest
    found = joined.extract(IMAGES)
    assert np.array_equal(found[:, :32], network.extract(IMAGES))
    assert np.array_equal(found[:, 32:], color_histogram(IMAGES))
    assert np.array_equal(joined.append_colors(found[:, :32], IMAGES), found)


def test_fingerprint_and_parameters_tell_both_parts() -> None:
    joined = ExtractorWithColors(FakeExtractor())
    assert joined.fingerprint != joined.network.fingerprint
    assert joined.fingerprint != ExtractorWithColors(FakeExtractor(seed=1)).fingerprint
    assert joined.parameters["colors"] == dict(COLOR_SETTINGS)
    assert {**joined.parameters, "colors": None} == {**joined.network.parameters, "colors": None}


def test_preloading_loads_the_network() -> None:
    loaded = []

    class Slow(FakeExtractor):
        def preload(self) -> None:
            loaded.append(self.name)

    ExtractorWithColors(Slow()).preload()
    assert loaded == ["fake"]


def test_it_is_loaded_by_name_with_all_that_a_network_takes() -> None:
    one = load_extractor("resnet50@320+colors", weights="random")
    other = load_extractor("resnet50+colors", weights="random", input_size=320)
    assert isinstance(one, ExtractorWithColors)
    assert (one.name, one.dim, one.input_size) == ("resnet50+colors", 2048 + 108, 320)
    assert one.fingerprint == other.fingerprint
    assert one.network.fingerprint == load_extractor("resnet50@320", weights="random").fingerprint


def test_the_fingerprint_of_the_default_does_not_drift() -> None:
    """Stored features are computed anew when this changes: change it only together with the vectors."""
    found = load_extractor("efficientnet-lite0@320+colors").fingerprint
    assert found == "9c6551d5772392a59c032089a7c92739d7d57a4a3bda5a8e3d6cfd104c531d0a"


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("hog+colors", "hog is none"),
        ("whitebox@128+colors", "whitebox is none"),
        ("+colors", "behind the name of a network"),
        ("resnet50+colors@320", "is written NAME"),
        ("resnet50@+colors", "input size"),
    ],
)
def test_what_makes_no_sense_is_refused(spec: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load_extractor(spec)


@pytest.mark.parametrize("spec", ["resnet50+edges", "resnet50+colours", "resnet-50+colors"])
def test_an_unknown_name_suggests_the_nearest(spec: str) -> None:
    with pytest.raises(UnknownName, match="resnet50"):
        load_extractor(spec)


def test_what_an_extractor_is_called_loads_it() -> None:
    assert str(ExtractorSpec.from_name("resnet50", 224)) == "resnet50@224"
    assert str(ExtractorSpec.from_name("resnet50+colors", 224)) == "resnet50@224+colors"
    extractor = load_extractor("efficientnet-lite0@64+colors")
    again = load_extractor(str(ExtractorSpec.from_name(extractor.name, extractor.input_size)))
    assert again.fingerprint == extractor.fingerprint


def test_a_file_of_that_name_is_a_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own+colors").touch()
    assert ExtractorSpec.parse("own+colors") == ExtractorSpec("own+colors")
    assert ExtractorSpec.parse("other.keras@64+colors") == ExtractorSpec("other.keras", 64, with_colors=True)
    assert ExtractorSpec.parse("a+colors.keras") == ExtractorSpec("a+colors.keras")


def test_colors_need_nothing_but_numpy() -> None:
    code = (
        "import sys, numpy as np;"
        "from stylesearch.extractors import load_extractor;"
        "extractor = load_extractor('efficientnet-lite0@32+colors');"
        "extractor.append_colors(np.zeros((1, 1280), np.float32), np.zeros((1, 32, 32, 3), np.uint8));"
        "heavy = {'cv2', 'skimage', 'scipy', 'sklearn', 'matplotlib', 'tensorflow', 'openvino', 'PIL'};"
        "heavy &= set(sys.modules);"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
