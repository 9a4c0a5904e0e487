"""What ``doctor`` says of the precision in which networks are computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylesearch.extractors import load_extractor
from stylesearch.settings import load_settings
from stylesearch.workspace.doctor import examine

SPEC = "efficientnet-lite0@64"


def found(home: Path, check: str, **settings: str) -> str:
    (detail,) = [
        one.detail
        for one in examine(load_settings({"home": str(home), **settings}, {}))
        if one.check == check
    ]
    return detail


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLESEARCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_precision_is_known_once_the_network_is_converted(own_cache: Path, tmp_path: Path) -> None:
    def say(**settings: str) -> str:
        return found(tmp_path / "home", "default extractor", extractor=f"{SPEC}+colors", **settings)

    assert "at its first use it is converted" in say(engine="openvino")
    assert not list(own_cache.glob("models/*/model.xml")), "it converts nothing"
    extractor = load_extractor(SPEC, engine="openvino")
    extractor.extract(np.zeros((1, 64, 64, 3), np.uint8))
    precision = extractor.engine.precision  # type: ignore[attr-defined]
    assert f"{SPEC}+colors in {precision}, by OpenVINO: " in say(engine="openvino")
    assert "in f32, by OpenVINO: the settings say so" in say(engine="openvino", precision="f32")
    assert say(engine="tensorflow").endswith("in f32, by TensorFlow")
    assert say(engine="tensorflow", precision="mixed_float16").endswith("in mixed_float16, by TensorFlow")


def test_features_without_a_network_have_no_precision(tmp_path: Path) -> None:
    assert found(tmp_path, "default extractor", extractor="hog") == "hog@64"
