"""Which layers a block is, and that nothing but the last ones is trained."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from stylesearch.errors import ConfigError
from stylesearch.extractors import load_extractor
from stylesearch.extractors.backbones import BACKBONES
from stylesearch.extractors.cnn import CnnExtractor
from stylesearch.extractors.keras_models import backbone_graph
from stylesearch.training.keras.backbone import blocks_of, image_tower, network_of, train_last_blocks

pytestmark = pytest.mark.slow


def names(blocks: list[list[Any]]) -> list[str]:
    return [block[0].name for block in blocks]


def test_blocks_of_efficientnet_lite() -> None:
    blocks = blocks_of(backbone_graph(BACKBONES["efficientnet-lite0"], 32))
    assert len(blocks) == 1 + 16 + 1
    assert [layer.name for layer in blocks[0]] == ["_conv_stem", "_bn0"]
    assert {layer.name[:10] for layer in blocks[-2]} == {"_blocks_15"}
    assert [layer.name for layer in blocks[-1]] == ["_conv_head", "_bn1"]


def test_blocks_of_resnet_are_its_residual_blocks() -> None:
    blocks = blocks_of(backbone_graph(BACKBONES["resnet50"], 32))
    assert len(blocks) == 1 + 3 + 4 + 6 + 3
    assert all(layer.name.startswith("conv5_block3_") for layer in blocks[-1])
    assert len(blocks[-1]) == 6  # three convolutions, each with its normalisation


def test_blocks_of_inception_end_where_its_branches_meet() -> None:
    network = backbone_graph(BACKBONES["inceptionv3"], 75)
    blocks = blocks_of(network)
    order = [layer.name for layer in network.layers]
    assert len(blocks) == 11
    assert min(order.index(layer.name) for layer in blocks[-1]) > order.index("mixed9")


def test_blocks_of_a_network_with_names_of_its_own() -> None:
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(),
            layers.Conv2D(4, 3, name="second"),
            layers.GlobalAveragePooling2D(),
        ]
    )
    assert [[layer.name for layer in block] for block in blocks_of(network)] == [
        ["first", "norm"],
        ["second"],
    ]
    with pytest.raises(ConfigError, match="has 2 blocks"):
        train_last_blocks(network, 3)


def test_only_the_last_blocks_are_trained_and_no_statistics() -> None:
    network = backbone_graph(BACKBONES["efficientnet-lite0"], 32)
    train_last_blocks(network, 2)
    trained = {variable.path for variable in network.trainable_variables}
    last = {
        variable.path
        for block in blocks_of(network)[-2:]
        for layer in block
        if not isinstance(layer, keras.layers.BatchNormalization)
        for variable in layer.weights
    }
    assert trained == last
    assert len(trained) == 4  # expand, depthwise, project; the head


def test_a_tower_is_the_network_and_one_matrix() -> None:
    extractor = load_extractor("efficientnet-lite0@32")
    assert isinstance(extractor, CnnExtractor)
    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(1280, 6)).astype(np.float32), rng.normal(size=6).astype(np.float32)
    tower = image_tower(extractor.recipe.build, 1, kernel, bias)
    assert tower.name == "tower"
    images = rng.integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    wanted = extractor.extract(images) @ kernel + bias
    np.testing.assert_allclose(tower.predict(images, verbose=0), wanted, rtol=1e-3, atol=1e-3)
    assert network_of(tower).name == "efficientnet-lite0"
    assert network_of(network_of(tower)) is network_of(tower)
