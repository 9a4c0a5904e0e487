"""Networks whose last blocks are trained: finds their blocks, and builds a tower from images to vectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

import keras

from stylesearch.array_types import Floats
from stylesearch.errors import ConfigError

__all__ = ["blocks_of", "image_tower", "network_of", "train_last_blocks"]


_NAMED_BLOCK = re.compile(r"(_blocks_\d+|conv\d+_block\d+|block\d+)_")
_END_OF_BLOCK = re.compile(r"mixed\d+(_\d+)?")


def blocks_of(network: keras.Model) -> list[list[Any]]:
    """Groups the layers with weights by block, in the network's order.

    A block has the layers whose names agree up to the number of the block (``_blocks_3__expand_conv``,
    ``conv5_block2_1_conv``, ``block5_conv1``); in Inception all layers up to the next ``mixed``; in other
    networks each layer with its normalisation.

    Args:
        network: a network of the table of extractors, or a user's.
    """
    layers = list(_flat(network))
    marked = any(_END_OF_BLOCK.fullmatch(layer.name) for layer in layers)
    keys, number = [], 0
    for layer in layers:
        named = _NAMED_BLOCK.match(layer.name)
        if named is None and not marked and layer.weights and not _is_normalisation(layer):
            number += 1
        keys.append(named[1] if named else str(number))
        if _END_OF_BLOCK.fullmatch(layer.name):
            number += 1
    pairs = [(key, layer) for key, layer in zip(keys, layers, strict=True) if layer.weights]
    return [[layer for _, layer in block] for _, block in groupby(pairs, key=lambda pair: pair[0])]


def train_last_blocks(network: keras.Model, n_blocks: int) -> None:
    """Makes the last blocks trainable and nothing else; batch normalisation stays frozen everywhere.

    Images of a batch are too few and too similar for batch statistics.

    Raises:
        ConfigError: there are fewer blocks.
    """
    blocks = blocks_of(network)
    if n_blocks > len(blocks):
        raise ConfigError(f"{network.name} has {len(blocks)} blocks. Received: {n_blocks}")
    network.trainable = True
    trained = {id(layer) for block in blocks[-n_blocks:] for layer in block}
    for layer in _flat(network):
        layer.trainable = id(layer) in trained and not _is_normalisation(layer)


def image_tower(build: Callable[[], keras.Model], n_blocks: int, kernel: Floats, bias: Floats) -> keras.Model:
    """Builds a tower from images to vectors: the network, then one matrix.

    Args:
        build: builds an extractor's model, uint8 (n, s, s, 3) to (n, d).
        n_blocks: number of its last blocks that are trained.
        kernel, bias: initial values of the matrix and its bias, (d, dim) and (dim,).

    Returns:
        A model called ``tower``, uint8 (n, s, s, 3) to float32 (n, dim).
    """
    extractor = build()
    train_last_blocks(network_of(extractor), n_blocks)
    images = keras.Input(extractor.input_shape[1:], dtype="uint8", name="pictures")
    head = keras.layers.Dense(kernel.shape[1], name="head")
    vectors = head(extractor(images))
    head.set_weights([kernel, bias])
    return keras.Model(images, vectors, name="tower")


def network_of(model: keras.Model) -> keras.Model:
    """Finds the network, without its preprocessing, in an extractor's model, a tower or a Siamese network."""
    inner = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    is_network = not inner or any(layer.name == "normalise" for layer in model.layers)
    if is_network:
        return inner[0] if inner else model
    return network_of(inner[0])


def _flat(network: keras.Model) -> Iterator[Any]:
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _flat(layer)
        else:
            yield layer


def _is_normalisation(layer: Any) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)
