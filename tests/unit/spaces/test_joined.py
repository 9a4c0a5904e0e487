"""Colors beside the network's part: weights, lengths, zeros, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylesearch.distance import METRICS, distances
from stylesearch.errors import SpaceError
from stylesearch.spaces import fit_transform, load_transform
from stylesearch.spaces.base import Transform
from stylesearch.spaces.joined import COLOR_WEIGHT, JoinedTransform
from stylesearch.spaces.learned import LearnedTransform
from stylesearch.spaces.parts import FeatureParts
from stylesearch.spaces.unsupervised import RawTransform, WhitenedTransform
from stylesearch.testing import fake_transform
from stylesearch.vectors import normalize_rows

DIM, N_COLORS = 40, 12
PLAIN = {"raw": RawTransform, "whitened": WhitenedTransform}


def features(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    network = np.maximum(rng.standard_normal((n, DIM)) + 0.3, 0)
    colors = rng.random((n, N_COLORS)) * (rng.random((n, N_COLORS)) < 0.4)
    return np.concatenate([network, colors], axis=1).astype(np.float32)


def fit(space: str, rows: np.ndarray, n_blocks: int = 1) -> Transform:
    blocks = iter(np.array_split(rows, n_blocks))
    return fit_transform(
        space, blocks, dim_in=rows.shape[1], n_rows=len(rows), parts=FeatureParts(n_colors=N_COLORS)
    )


def plain(space: str, rows: np.ndarray) -> Transform:
    return fit_transform(space, iter([rows[:, :DIM]]), dim_in=DIM, n_rows=len(rows))


@pytest.mark.parametrize("space", PLAIN)
def test_it_keeps_the_promises_of_a_transform(space: str, tmp_path: Path) -> None:
    rows = features(200)
    transform = fit(space, rows)
    assert isinstance(transform, Transform)
    assert isinstance(transform, JoinedTransform)
    assert (transform.name, transform.dim_in) == (space, DIM + N_COLORS)
    assert transform.scales is None
    assert transform.metric is None
    before = rows.copy()
    vectors = transform.apply(rows)
    assert np.array_equal(rows, before)
    assert vectors.dtype == np.float32
    assert vectors.shape == (200, transform.dim)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(transform.apply(rows[:7]), vectors[:7], atol=1e-5)
    assert transform.apply(rows[:0]).shape == (0, transform.dim)
    with pytest.raises(SpaceError, match="Received"):
        transform.apply(rows[:, 1:])
    transform.save(tmp_path / "fit.npz")
    loaded = load_transform(space, tmp_path / "fit.npz")
    assert loaded.version == transform.version
    assert np.array_equal(loaded.apply(rows), vectors)


@pytest.mark.parametrize("space", PLAIN)
def test_cosine_is_the_weighted_sum_of_both_parts(space: str) -> None:
    rows, queries = features(80), features(9, 1)
    transform, alone = fit(space, rows), plain(space, rows)
    found = distances(transform.apply(queries), transform.apply(rows), "cosine")
    of_network = distances(alone.apply(queries[:, :DIM]), alone.apply(rows[:, :DIM]), "cosine")
    of_colors = distances(queries[:, DIM:], rows[:, DIM:], "cosine")
    assert np.allclose(found, (1 - COLOR_WEIGHT) * of_network + COLOR_WEIGHT * of_colors, atol=1e-5)


def test_l2_orders_as_cosine_does() -> None:
    rows, queries = features(80), features(9, 1)
    transform = fit("whitened", rows)
    by = {metric: distances(transform.apply(queries), transform.apply(rows), metric) for metric in METRICS}
    assert np.allclose(by["l2"] ** 2 / 2, by["cosine"], atol=1e-4)


def test_the_network_part_is_fitted_as_if_it_were_alone() -> None:
    rows = features(300)
    transform = fit("whitened", rows, n_blocks=4)
    assert isinstance(transform, JoinedTransform)
    alone = fit_transform("whitened", iter(np.array_split(rows[:, :DIM], 4)), dim_in=DIM, n_rows=300)
    assert transform.plain.version == alone.version


@pytest.mark.parametrize("space", PLAIN)
def test_a_part_of_zeros_stays_zero(space: str) -> None:
    rows = features(100)
    transform = fit(space, rows)
    assert isinstance(transform, JoinedTransform)
    colorless = rows[:1].copy()
    colorless[:, DIM:] = 0
    found = transform.apply(colorless)
    assert not found[:, transform.plain.dim :].any()
    assert np.linalg.norm(found) == pytest.approx((1 - COLOR_WEIGHT) ** 0.5, abs=1e-5)
    assert np.isfinite(transform.apply(np.zeros_like(rows[:2]))).all()
    if space == "raw":
        assert not transform.apply(np.zeros_like(rows[:2])).any()


def test_a_image_without_colors_is_found_by_what_else_it_is() -> None:
    rows = features(100)
    transform = fit("whitened", rows)
    colorless = rows[5:6].copy()
    colorless[:, DIM:] = 0
    assert distances(transform.apply(colorless), transform.apply(rows), "cosine").argmin() == 5


def test_weight_and_width_make_another_version_and_a_plain_transform_keeps_its_own(tmp_path: Path) -> None:
    one = JoinedTransform(RawTransform(4), 2)
    others = [JoinedTransform(RawTransform(4), 2, 0.1), JoinedTransform(RawTransform(3), 3), RawTransform(6)]
    assert len({one.version, *(other.version for other in others)}) == 4
    for space, kind in PLAIN.items():
        rows = features(100)[:, :DIM]
        unjoined = plain(space, rows)
        unjoined.save(tmp_path / "plain.npz")
        assert type(unjoined) is kind
        with np.load(tmp_path / "plain.npz") as stored:
            assert set(stored) <= {"mean", "axes", "dim_in"}


@pytest.mark.parametrize(("n_colors", "weight"), [(0, 0.1), (2, 0.0), (2, 1.0), (2, float("nan"))])
def test_what_makes_no_sense_is_refused(n_colors: int, weight: float) -> None:
    with pytest.raises(SpaceError, match="Received"):
        JoinedTransform(RawTransform(4), n_colors, weight)


def test_parameters_say_how_many_numbers_are_of_texture_and_colors() -> None:
    assert FeatureParts.of("net", {"input_size": 64}, "ab") == FeatureParts()
    both = {"input_size": 64, "texture": {"dim": 30}, "colors": {"dim": 12}}
    parts = FeatureParts.of("net+texture+colors", both, "ab")
    assert parts == FeatureParts(30, 12)
    assert [part.shape[1] for part in parts.split(np.zeros((2, 100), np.float32))] == [58, 30, 12]


@pytest.mark.parametrize("n_colors", [0, N_COLORS])
def test_texture_is_left_out(n_colors: int, tmp_path: Path) -> None:
    rows = features(100)[:, : DIM + n_colors]
    with_texture = np.insert(rows, [DIM] * 5, 7, axis=1)
    parts = FeatureParts(5, n_colors)
    transform = fit_transform(
        "whitened", iter([with_texture]), dim_in=with_texture.shape[1], n_rows=100, parts=parts
    )
    found = transform.apply(with_texture)
    if n_colors:
        assert np.array_equal(found, fit("whitened", rows).apply(rows))
    else:
        assert np.allclose(found, normalize_rows(plain("whitened", rows).apply(rows)), atol=1e-6)
    transform.save(tmp_path / "fit.npz")
    assert load_transform("whitened", tmp_path / "fit.npz").version == transform.version


@pytest.mark.parametrize("metric", METRICS)
def test_a_trained_model_may_stand_on_it(metric: str, tmp_path: Path) -> None:
    rows = features(200)
    untrained = fit("whitened", rows)
    assert isinstance(untrained, JoinedTransform)
    base = fit("raw", rows) if metric == "l1" else None
    assert base is None or isinstance(base, JoinedTransform)
    transform = fake_transform(untrained, base=base, metric=metric)
    transform.save(tmp_path / "transform.npz")
    loaded = LearnedTransform.load(tmp_path / "transform.npz")
    assert loaded.version == transform.version
    assert isinstance(loaded.untrained, JoinedTransform)
    assert isinstance(loaded.base, JoinedTransform)
    assert np.array_equal(loaded.apply(rows), transform.apply(rows))
