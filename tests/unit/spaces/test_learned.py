"""The learned space: exact weighted distances, in NumPy, saved whole or not at all."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylesearch.distance import METRICS, distances
from stylesearch.errors import SpaceError
from stylesearch.spaces import fit_transform
from stylesearch.spaces.base import Transform, scale_for_category
from stylesearch.spaces.learned import Layer, LearnedTransform
from stylesearch.spaces.unsupervised import RawTransform
from stylesearch.testing import fake_transform

DIM = 40
WEIGHTS = {"": 0.5, "Dress": 0.8, "Skirt": 0.0, "Top": 1.0, "Coat": 0.25}


def features(n: int, seed: int = 0) -> np.ndarray:
    return np.maximum(np.random.default_rng(seed).standard_normal((n, DIM)) + 0.3, 0).astype(np.float32)


def whitened(seed: int = 0):
    return fit_transform("whitened", iter([features(200, seed)]), dim_in=DIM, n_rows=200)


def learned(metric: str = "cosine", **choices):
    base = RawTransform(DIM) if metric == "l1" else None
    return fake_transform(whitened(), base=base, metric=metric, weights=WEIGHTS, **choices)


@pytest.mark.parametrize("metric", METRICS)
def test_it_keeps_the_promises_of_a_transform(metric):
    transform, rows = learned(metric), features(100, 1)
    assert isinstance(transform, Transform)
    assert transform.name == "siamese:default"
    assert transform.metric == metric
    before = rows.copy()
    vectors = transform.apply(rows)
    assert np.array_equal(rows, before)
    assert vectors.dtype == np.float32
    assert vectors.shape == (100, transform.dim)
    assert transform.dim == transform.dim_learned + transform.untrained.dim
    assert np.allclose(transform.apply(rows[:7]), vectors[:7], atol=1e-4), "few rows go another way"
    assert transform.apply(rows[:0]).shape == (0, transform.dim)
    with pytest.raises(SpaceError, match="Received"):
        transform.apply(rows[:, 1:])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("category", [*WEIGHTS, "never seen"])
def test_the_metric_on_scaled_vectors_is_the_weighted_distance(metric, category):
    transform, queries, gallery = learned(metric), features(5, 1), features(60, 2)
    weight = WEIGHTS.get(category, WEIGHTS[""])
    found = distances(
        scale_for_category(transform, transform.apply(queries), category),
        scale_for_category(transform, transform.apply(gallery), category),
        metric,
    ).astype(np.float64)

    def head(rows):
        rows = transform.base.apply(rows)
        for layer in transform.layers:
            rows = layer.apply(rows)
        return rows

    def untrained(rows):
        return transform.untrained.apply(rows) * np.float32(transform.untrained_scale)

    of_learned = distances(head(queries), head(gallery), metric).astype(np.float64)
    of_untrained = distances(untrained(queries), untrained(gallery), metric).astype(np.float64)
    if metric == "l2":
        expected = np.sqrt(weight * of_learned**2 + (1 - weight) * of_untrained**2)
    else:
        expected = weight * of_learned + (1 - weight) * of_untrained
    assert np.allclose(found, expected, rtol=1e-4, atol=1e-5)


@given(weight=st.floats(0, 1), seed=st.integers(0, 20), metric=st.sampled_from(METRICS))
def test_any_weight_is_exact_on_any_vectors(weight, seed, metric):
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((8, 6)).astype(np.float32)
    head = Layer(rng.standard_normal((6, 3)).astype(np.float32), None)
    transform = LearnedTransform("siamese:x", RawTransform(6), RawTransform(6), (head,), metric, {"": weight})
    vectors = scale_for_category(transform, transform.apply(rows), "any")
    power = 2 if metric == "l2" else 1
    parts = [distances(part, part, metric).astype(np.float64) ** power for part in (head.apply(rows), rows)]
    expected = (weight * parts[0] + (1 - weight) * parts[1]) ** (1 / power)
    assert np.allclose(distances(vectors, vectors, metric), expected, rtol=1e-4, atol=1e-4)


def test_both_parts_are_of_length_one_for_cosine_and_zeros_stay_zero():
    transform = LearnedTransform(
        "siamese:x",
        RawTransform(4),
        RawTransform(4),
        (Layer(np.eye(4, dtype=np.float32)[:, :2].copy(), None),),
        "cosine",
        {"": 0.5},
    )
    rows = np.array([[3, 4, 0, 0], [0, 0, 5, 0], [0, 0, 0, 0]], np.float32)
    found = transform.apply(rows)
    assert found.tolist() == pytest.approx(
        np.array([[0.6, 0.8, 0.6, 0.8, 0, 0], [0, 0, 0, 0, 1, 0], [0] * 6]), abs=1e-6
    )


def of_weights(metric: str, weights: dict[str, float]) -> LearnedTransform:
    return dataclasses.replace(learned(metric), weights=weights)


def order(transform: Transform, metric: str, category: str = "Dress") -> np.ndarray:
    queries, gallery = (
        scale_for_category(transform, transform.apply(rows), category)
        for rows in (features(5, 1), features(60, 2))
    )
    return np.argsort(distances(queries, gallery, metric), axis=1, kind="stable")


@pytest.mark.parametrize("metric", METRICS)
def test_the_untrained_part_is_left_out_where_all_weights_are_one(metric):
    alone = of_weights(metric, {"": 1.0, "Dress": 1.0})
    # Beside a category that uses the untrained part, both parts are there.
    mixed = of_weights(metric, {"": 0.5, "Dress": 1.0})
    assert (alone.dim, mixed.dim) == (mixed.dim_learned, mixed.dim_learned + mixed.untrained.dim)
    assert alone.apply(features(7)).shape == (7, alone.dim)
    assert np.array_equal(alone.apply(features(7)), mixed.apply(features(7))[:, : alone.dim])
    assert {category: scales.tolist() for category, scales in alone.scales.items()} == dict.fromkeys(
        ("", "Dress"), [1.0] * alone.dim
    )
    assert np.array_equal(order(alone, metric), order(mixed, metric))
    assert not np.array_equal(order(alone, metric), order(mixed, metric, "any other"))


@pytest.mark.parametrize("metric", METRICS)
def test_the_learned_part_is_left_out_where_all_weights_are_zero(metric):
    transform = of_weights(metric, {"": 0.0, "Dress": 0.0})
    untrained = transform.untrained
    assert transform.dim == untrained.dim
    queries, gallery = features(5, 1), features(60, 2)
    found = distances(transform.apply(queries), transform.apply(gallery), metric)
    wanted = distances(untrained.apply(queries), untrained.apply(gallery), metric)
    if metric == "cosine":
        assert np.allclose(found, wanted, rtol=1e-5, atol=1e-6)
    else:
        assert np.array_equal(found, wanted)
    assert np.array_equal(order(transform, metric), order(untrained, metric))


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_part_that_is_left_out_stays_out_when_it_is_loaded(weight, tmp_path: Path):
    transform = of_weights("cosine", {"": weight})
    transform.save(tmp_path / "model.npz")
    loaded = LearnedTransform.load(tmp_path / "model.npz")
    assert (loaded.version, loaded.dim) == (transform.version, transform.dim)
    assert np.array_equal(loaded.apply(features(9)), transform.apply(features(9)))
    both = dataclasses.replace(loaded, weights={"": 0.5})  # nothing of the other part is lost
    assert np.array_equal(both.apply(features(9)), of_weights("cosine", {"": 0.5}).apply(features(9)))


def test_a_part_that_is_left_out_is_not_computed(monkeypatch):
    monkeypatch.setattr(Layer, "apply", lambda *_: pytest.fail("the network was asked"))
    of_weights("cosine", {"": 0.0}).apply(features(3))
    monkeypatch.undo()
    monkeypatch.setattr(RawTransform, "apply", lambda *_: pytest.fail("the untrained space was asked"))
    transform = fake_transform(RawTransform(DIM), base=whitened(), weights={"": 1.0})
    assert transform.apply(features(3)).shape == (3, transform.dim_learned)


def test_raw_and_whitened_vectors_are_not_touched():
    for transform in (RawTransform(DIM), whitened()):
        vectors = transform.apply(features(3))
        assert transform.scales is None
        assert transform.metric is None
        assert scale_for_category(transform, vectors, "Dress") is vectors


def test_a_base_of_the_same_version_is_computed_once(monkeypatch):
    calls = []
    kind = type(whitened())
    apply = kind.apply
    monkeypatch.setattr(kind, "apply", lambda self, rows: calls.append(len(rows)) or apply(self, rows))
    fake_transform(whitened(), base=whitened()).apply(features(3))
    assert calls == [3]
    fake_transform(whitened(), base=whitened(1)).apply(features(3))
    assert calls == [3, 3, 3]


@pytest.mark.parametrize("base", [None, RawTransform(DIM), "another fit"])
@pytest.mark.parametrize("metric", METRICS)
def test_it_is_saved_whole(metric, base, tmp_path: Path):
    base = whitened(3) if isinstance(base, str) else base
    transform = fake_transform(whitened(), base=base, metric=metric, weights=WEIGHTS)
    transform.save(tmp_path / "model.npz")
    loaded = LearnedTransform.load(tmp_path / "model.npz")
    assert loaded.version == transform.version
    assert loaded.name == transform.name
    assert dict(loaded.weights) == WEIGHTS
    rows = features(90)
    assert np.array_equal(loaded.apply(rows), transform.apply(rows))
    for category in WEIGHTS:
        assert np.array_equal(loaded.scales[category], transform.scales[category])


def test_whatever_changes_a_vector_changes_the_version():
    transform = learned()
    first = transform.layers[0]
    others = [
        fake_transform(whitened(1), weights=WEIGHTS),
        learned(seed=1),
        learned(name="other"),
        dataclasses.replace(transform, base=RawTransform(transform.base.dim_in), layers=()),
        dataclasses.replace(transform, layers=transform.layers[:1]),
        dataclasses.replace(
            transform, layers=(dataclasses.replace(first, activation="linear"), *transform.layers[1:])
        ),
        dataclasses.replace(
            transform, layers=(dataclasses.replace(first, gain=first.bias, bias=None), *transform.layers[1:])
        ),
        dataclasses.replace(transform, weights={**WEIGHTS, "Dress": 0.7}),
        dataclasses.replace(transform, metric="l2"),
        dataclasses.replace(transform, metric="l2", untrained_scale=2.0),
    ]
    assert len({one.version for one in [transform, *others]}) == 1 + len(others)
    assert learned().version == transform.version


def test_a_damaged_file_is_refused(tmp_path: Path):
    path = tmp_path / "model.npz"
    learned().save(path)
    whole = path.read_bytes()
    with np.load(path) as stored:
        arrays = dict(stored)
    for damaged in (b"", whole[: len(whole) // 2], b"x" * 100):
        path.write_bytes(damaged)
        with pytest.raises(SpaceError, match=r"model\.npz"):
            LearnedTransform.load(path)
    assert {"header", "version", "untrained.axes", "layer0.kernel", "layer1.gain"} <= set(arrays)
    for name in arrays:
        np.savez(path, **{key: array for key, array in arrays.items() if key != name})
        with pytest.raises(SpaceError, match=r"model\.npz"):
            LearnedTransform.load(path)
    np.savez(path, **{**arrays, "layer1.bias": arrays["layer1.bias"] + 1})
    with pytest.raises(SpaceError, match="another's"):
        LearnedTransform.load(path)
    whitened().save(path)
    with pytest.raises(SpaceError, match="cannot be read as a trained model"):
        LearnedTransform.load(path)
    path.unlink()
    with pytest.raises(SpaceError):
        LearnedTransform.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "hamming"}, "metric"),
        ({"weights": {"Dress": 0.5}}, "all other categories"),
        ({"weights": {"": 1.5}}, "0 to 1"),
        ({"weights": {"": float("nan")}}, "0 to 1"),
        ({"untrained_scale": 0.0}, "above 0"),
        ({"base": RawTransform(DIM + 1)}, "one width"),
        ({"layers": (Layer(None, None, np.ones(3, np.float32)),)}, "layer 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(SpaceError, match=message):
        dataclasses.replace(learned(), **change)


def test_a_layer_is_what_its_docstring_says():
    rng = np.random.default_rng(0)
    kernel, bias, gain = (rng.standard_normal(shape).astype(np.float32) for shape in ((5, 5), 5, 5))
    rows = rng.standard_normal((100, 5)).astype(np.float32)
    plain = (rows @ kernel) * gain + bias
    assert np.allclose(Layer(kernel, bias, gain).apply(rows), plain, atol=1e-5)
    relu = Layer(kernel, bias, gain, activation="relu", residual=True)
    assert np.allclose(relu.apply(rows), np.maximum(plain, 0) + rows, atol=1e-5)
    assert np.allclose(relu.apply(rows[:3]), relu.apply(rows)[:3], atol=1e-5)
    assert np.array_equal(Layer(None, None, gain).apply(rows), rows * gain)


@pytest.mark.parametrize(
    "arguments",
    [
        (None, None),
        (np.ones((2, 3), np.float32), np.ones(2, np.float32)),
        (np.ones((2, 3)), None),
        (np.full((2, 3), np.nan, np.float32), None),
        (np.ones(3, np.float32), None),
        (np.ones((2, 3), np.float32), None, None, "linear", True),
        (np.ones((2, 3), np.float32), None, None, "tanh"),
    ],
)
def test_a_layer_that_makes_no_sense_is_refused(arguments):
    with pytest.raises(SpaceError, match="Received"):
        Layer(*arguments)
