"""Statistics of middle layers behind a network's features: ``+texture``."""

from __future__ import annotations

import numpy as np
import pytest

from stylesearch.errors import ConfigError
from stylesearch.extractors import load_extractor
from stylesearch.extractors.spec import ExtractorSpec


@pytest.mark.parametrize(
    ("text", "with_texture", "with_colors"),
    [
        ("efficientnet-lite0@320+texture", True, False),
        ("efficientnet-lite0+texture+colors", True, True),
        ("efficientnet-lite0@96+texture+colors", True, True),
        ("efficientnet-lite0@320+colors", False, True),
        ("folder/net+texture.keras@96", False, False),
    ],
)
def test_a_text_is_read_and_written_back(text: str, with_texture: bool, with_colors: bool) -> None:
    spec = ExtractorSpec.parse(text)
    assert (spec.with_texture, spec.with_colors) == (with_texture, with_colors)
    assert str(spec) == text
    assert not str(spec.without_colors).endswith("+colors")


def test_a_loaded_extractor_has_its_spec_in_its_name() -> None:
    extractor = load_extractor("efficientnet-lite0@64+texture+colors")
    assert extractor.name == "efficientnet-lite0+texture+colors"
    spec = ExtractorSpec.from_name(extractor.name, extractor.input_size)
    assert str(spec) == "efficientnet-lite0@64+texture+colors"


def test_it_is_another_feature_set_with_240_numbers_more() -> None:
    plain, textured = load_extractor("efficientnet-lite0@64"), load_extractor("efficientnet-lite0@64+texture")
    assert textured.dim == plain.dim + 240
    assert textured.fingerprint != plain.fingerprint
    assert textured.parameters["texture"]["dim"] == 240
    assert "texture" not in plain.parameters


@pytest.mark.parametrize("text", ["resnet50@320+texture", "hog+texture", "net.keras+texture"])
def test_what_has_no_texture_layers_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"\+texture goes with efficientnet-lite0"):
        load_extractor(text)


@pytest.mark.slow
def test_means_and_deviations_of_the_layers_stand_behind_the_features() -> None:
    import keras

    from stylesearch.extractors.keras_models import append_texture

    images = keras.Input((8, 8, 3))
    first = keras.layers.Conv2D(4, 3, name="first")(images)
    second = keras.layers.Conv2D(5, 3, name="second")(first)
    graph = keras.Model(images, keras.layers.GlobalAveragePooling2D()(second))
    pixels = np.random.default_rng(0).standard_normal((2, 8, 8, 3)).astype(np.float32)
    maps = [np.asarray(keras.Model(images, one)(pixels)) for one in (first, second)]
    expected = [np.asarray(graph(pixels))]
    for one in maps:
        expected += [one.mean(axis=(1, 2)), one.std(axis=(1, 2))]
    found = append_texture(graph, ["first", "second"])(pixels)
    assert np.allclose(np.asarray(found), np.concatenate(expected, axis=1), atol=1e-5)


@pytest.mark.slow
def test_both_engines_agree_and_the_first_part_is_the_networks() -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 64, 64, 3), np.uint8)
    spec = "efficientnet-lite0@64+texture"
    one = load_extractor(spec, engine="openvino", precision="f32").extract(images)
    other = load_extractor(spec, engine="tensorflow").extract(images)
    assert np.allclose(one, other, atol=1e-3)
    plain = load_extractor("efficientnet-lite0@64", engine="openvino", precision="f32").extract(images)
    assert np.allclose(one[:, : plain.shape[1]], plain, atol=1e-3)
