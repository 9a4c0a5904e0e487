from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from stylesearch.distance import distances
from stylesearch.errors import ConfigError
from stylesearch.training.keras.model import (
    AxisWeights,
    EmbeddingHead,
    build_tower,
    load_siamese,
    siamese,
    to_layers,
)

# Keras 3.15 reads its own variables in a way that NumPy 2 frowns upon.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RANDOM = np.random.default_rng(5)
VECTORS = RANDOM.normal(size=(200, 24)).astype(np.float32)


def in_numpy(model: keras.Model, vectors: np.ndarray) -> np.ndarray:
    for layer in to_layers(model):
        vectors = layer.apply(vectors)
    return vectors


def shaken(model: keras.Model) -> keras.Model:
    """With weights that are nowhere near their start."""
    random = np.random.default_rng(9)
    for variable in model.variables:
        variable.assign(variable + random.normal(size=variable.shape) * 0.5)
    return model


HEADS = [
    ("linear", None),
    ("linear", 0.3),
    ("residual", None),
    ("residual", 0.3),
    ("axes", None),
    ("axes", 0.3),
]


@pytest.mark.parametrize(("head", "scale"), HEADS)
def test_keras_and_numpy_agree(head: str, scale: float | None) -> None:
    tower = shaken(build_tower(head, 24, 10, l1_scale=scale))
    of_keras = tower.predict_on_batch(VECTORS)
    assert of_keras.shape == (200, 24 if head == "axes" else 10)
    np.testing.assert_allclose(in_numpy(tower, VECTORS), of_keras, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("metric", ["cosine", "l1"])
@pytest.mark.parametrize("head", ["linear", "residual", "axes"])
def test_the_network_ranks_as_the_metric_on_its_vectors_does(head: str, metric: str) -> None:
    """What makes the learned distance searchable: score and distance order all pairs alike."""
    tower = build_tower(head, 24, 10, l1_scale=0.1 if metric == "l1" else None)
    model = shaken(siamese(tower, metric, l1_start=1.0))
    photos, shop = VECTORS[:10], VECTORS[10:]
    pairs = [np.repeat(photos, len(shop), axis=0), np.tile(shop, (len(photos), 1))]
    scores = model.predict_on_batch(pairs).reshape(len(photos), len(shop)).astype(np.float64)
    found = distances(in_numpy(model, photos), in_numpy(model, shop), metric)
    if metric == "l1":
        assert 0 < scores.min() < scores.max() < 1
        scores = np.log(scores) - np.log1p(-scores)
    for row_of_scores, row in zip(scores, found, strict=True):
        order = np.argsort(row)
        # Neighbours in the order of distances fall in score, but for the rounding of float32.
        assert np.diff(row_of_scores[order]).max() < 2e-4
        assert np.corrcoef(row_of_scores, row)[0, 1] < -0.999


def test_a_head_starts_as_the_leading_axes() -> None:
    assert in_numpy(build_tower("linear", 24, 10), VECTORS).tolist() == VECTORS[:, :10].tolist()
    assert build_tower("linear", 24, 100).output_shape == (None, 24)
    # Colors stand last, and are there from the beginning too.
    with_last = in_numpy(build_tower("linear", 24, 10, n_last=4), VECTORS)
    assert with_last.tolist() == np.hstack([VECTORS[:, :10], VECTORS[:, -4:]]).tolist()
    assert in_numpy(build_tower("linear", 24, 22, n_last=4), VECTORS).tolist() == VECTORS.tolist()
    assert in_numpy(build_tower("linear", 24, 100, n_last=4), VECTORS).tolist() == VECTORS.tolist()
    np.testing.assert_allclose(
        in_numpy(build_tower("axes", 24, 10, l1_scale=0.5), VECTORS), VECTORS / 2, rtol=1e-6
    )
    near = in_numpy(build_tower("residual", 24, 24), VECTORS)
    assert np.abs(near - VECTORS).max() < 0.5 and np.corrcoef(near.ravel(), VECTORS.ravel())[0, 1] > 0.99


def test_weights_of_axes_are_never_negative() -> None:
    tower = build_tower("axes", 24, 10, l1_scale=1.0)
    tower.variables[0].assign(np.linspace(-50, 50, 24))
    weights = tower.layers[-1].as_layer().gain
    assert (weights >= 0).all() and weights[-1] > 10


def test_the_seed_decides_first_weights() -> None:
    first, same, other = (build_tower("residual", 8, 8, seed=seed).get_weights()[0] for seed in (1, 1, 2))
    assert (first == same).all() and (first != other).any()


@pytest.mark.parametrize(("metric", "head"), [("cosine", "residual"), ("l1", "axes")])
def test_a_saved_network_is_the_same(tmp_path: Path, metric: str, head: str) -> None:
    tower = build_tower(head, 24, 10, l1_scale=0.1 if metric == "l1" else None)
    model = shaken(siamese(tower, metric))
    model.save(tmp_path / "model.keras")
    again = load_siamese(tmp_path / "model.keras")
    pair = [VECTORS[:50], VECTORS[50:100]]
    assert (again.predict_on_batch(pair) == model.predict_on_batch(pair)).all()
    for one, other in zip(to_layers(again), to_layers(model), strict=True):
        assert (one.apply(VECTORS) == other.apply(VECTORS)).all()


def test_what_is_no_network_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"no")
    with pytest.raises(ConfigError, match="cannot be read as a saved network"):
        load_siamese(tmp_path / "model.keras")
    with pytest.raises(ConfigError, match="cosine or l1"):
        siamese(build_tower("linear", 4, 2), "l2")


def test_other_layers_are_not_for_numpy() -> None:
    vectors = keras.Input((4,))
    model = keras.Model(vectors, keras.layers.Dense(2, name="strange")(vectors))
    with pytest.raises(ConfigError, match="strange"):
        to_layers(model)


def test_layers_say_how_they_are_made_again() -> None:
    assert EmbeddingHead.from_config(EmbeddingHead(7).get_config()).dim == 7
    assert AxisWeights.from_config(AxisWeights(0.25).get_config()).scale == 0.25
