from pathlib import Path

import numpy as np
import pytest

from stylesearch.errors import SpaceError, UnknownName
from stylesearch.spaces import SPACES, fit_transform, load_transform
from stylesearch.spaces.base import Transform
from stylesearch.spaces.unsupervised import MAX_ROWS, MIN_ROWS, PrincipalFit

DIM = 48


def features(n: int, seed: int = 0) -> np.ndarray:
    """What a network gives: a few strong common directions, many weak ones, nothing below zero."""
    rng = np.random.default_rng(seed)
    latent = rng.standard_normal((n, DIM)) * np.geomspace(3, 0.1, DIM)
    mixing = np.linalg.qr(np.random.default_rng(9).standard_normal((DIM, DIM)))[0]
    return np.maximum(latent @ mixing + 0.5, 0).astype(np.float32)


def fit(space: str, rows: np.ndarray, n_blocks: int = 1) -> Transform:
    return fit_transform(space, iter(np.array_split(rows, n_blocks)), dim_in=rows.shape[1], n_rows=len(rows))


@pytest.mark.parametrize("space", SPACES)
def test_every_transform_keeps_its_promises(space: str, tmp_path: Path) -> None:
    rows = features(300)
    transform = fit(space, rows)
    assert isinstance(transform, Transform)
    assert transform.name == space
    assert transform.dim_in == DIM
    before = rows.copy()
    vectors = transform.apply(rows)
    assert np.array_equal(rows, before)
    assert vectors.shape == (300, transform.dim)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    assert transform.apply(rows[:0]).shape == (0, transform.dim)
    assert np.allclose(transform.apply(rows[7:8])[0], vectors[7], atol=1e-5)
    with pytest.raises(SpaceError, match="Received"):
        transform.apply(rows[:, 1:])
    transform.save(tmp_path / "fit.npz")
    loaded = load_transform(space, tmp_path / "fit.npz")
    assert loaded.version == transform.version
    assert np.array_equal(loaded.apply(rows), vectors)


@pytest.mark.parametrize("space", SPACES)
def test_a_damaged_file_is_refused(space: str, tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    fit(space, features(300)).save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"x" * 100):
        path.write_bytes(damaged)
        with pytest.raises(SpaceError, match=r"fit\.npz"):
            load_transform(space, path)
    path.unlink()
    with pytest.raises(SpaceError):
        load_transform(space, path)


def test_an_unknown_space_is_named_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="whitened"):
        fit("whitend", features(20))


def test_axes_are_half_whitened_and_in_order() -> None:
    rows = features(4000)
    transform = fit("whitened", rows)
    vectors = transform.apply(rows)
    assert np.allclose(vectors.mean(axis=0), 0, atol=1e-4)
    covariance = np.cov(vectors, rowvar=False)
    deviations = np.sqrt(np.diag(covariance))
    assert np.all(np.diff(deviations) <= 1e-6)
    off_diagonal = covariance - np.diag(np.diag(covariance))
    assert np.abs(off_diagonal).max() < 1e-3
    # Dividing by the square root of the deviation leaves the square root of the deviation.
    rooted = np.sqrt(rows)
    expected = np.sqrt(np.linalg.eigvalsh(np.cov(rooted, rowvar=False))[::-1][: transform.dim])
    assert np.allclose(deviations, np.sqrt(expected), rtol=1e-2)


def test_a_fit_does_not_depend_on_how_the_rows_come_in_blocks() -> None:
    rows = features(500)
    one, many = fit("whitened", rows), fit("whitened", rows, n_blocks=9)
    assert np.allclose(np.abs(one.apply(rows[:20])), np.abs(many.apply(rows[:20])), atol=1e-3)
    assert fit("whitened", rows).version == one.version


def test_other_rows_make_another_version() -> None:
    assert fit("whitened", features(300, 1)).version != fit("whitened", features(300, 2)).version
    assert fit("raw", features(300, 1)).version == fit("raw", features(300, 2)).version


@pytest.mark.parametrize("n_rows", [0, 1, MIN_ROWS - 1, MIN_ROWS, 40])
def test_a_small_gallery_has_a_space_too(n_rows: int) -> None:
    transform = fit("whitened", features(n_rows))
    assert 1 <= transform.dim <= DIM
    assert np.isfinite(transform.apply(features(5))).all()


def test_a_gallery_of_one_image_many_times_has_a_space_too() -> None:
    rows = np.repeat(features(1), 50, axis=0)
    transform = fit("whitened", rows)
    assert np.isfinite(transform.apply(features(5))).all()


def test_a_large_gallery_is_sampled() -> None:
    rows = features(2000)
    n_rows = 3 * MAX_ROWS  # claimed: every third row is used
    sampled = fit_transform("whitened", iter([rows]), dim_in=DIM, n_rows=n_rows)
    assert sampled.version == fit("whitened", rows[::3]).version


@pytest.mark.parametrize("n_rows", [5, DIM, DIM + 1, 300])
def test_axes_of_few_vectors_are_those_of_their_products(n_rows: int) -> None:
    rows = features(n_rows)
    fitted = PrincipalFit(DIM, n_rows)
    for block in np.array_split(rows, 3):
        fitted.add(block)
    axes = fitted.axes(4)
    assert axes.shape == (DIM, 4)
    assert np.allclose(axes.T @ axes, np.eye(4), atol=1e-4)
    wanted = np.linalg.eigh(rows.T.astype(np.float64) @ rows)[1][:, ::-1][:, :4]
    assert np.allclose(np.abs(wanted.T @ axes), np.eye(4), atol=1e-2)


def test_no_vector_has_no_axis() -> None:
    assert PrincipalFit(DIM, 0).axes(4).shape == (DIM, 0)
