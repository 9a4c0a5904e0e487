"""The mixed space: what each part counts in images and in photos' rows, lengths, missing parts, files."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from stylesearch.errors import SpaceError
from stylesearch.kinds.head import HeadFeatures, KindHead, shipped_head
from stylesearch.spaces import fit_transform, load_transform
from stylesearch.spaces.base import Transform
from stylesearch.spaces.mixed import ALONE, IMAGE, REGION, SQUARE, MixedTransform, Weights
from stylesearch.spaces.parts import FeatureParts
from stylesearch.vectors import normalize_rows

DIM, N_TEXTURE, N_COLORS = 40, 20, 12


def make_head() -> KindHead:
    """A head that calls what lies on the first axis a hat, and what lies on the second shoes."""
    matrix = np.zeros((DIM, 2), np.float32)
    matrix[0, 0] = matrix[1, 1] = 20
    widths = (DIM, DIM + N_TEXTURE + N_COLORS)
    features = HeadFeatures("net", 8, "top", "none", "ab", widths)
    return KindHead(["hat", "shoes"], features, [(matrix, np.zeros(2, np.float32))])


PARTS = FeatureParts(N_TEXTURE, N_COLORS, make_head())


def features(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    network = np.maximum(rng.standard_normal((n, DIM)) * np.geomspace(3, 0.1, DIM) + 0.5, 0)
    texture = rng.standard_normal((n, N_TEXTURE))
    colors = rng.random((n, N_COLORS)) * (rng.random((n, N_COLORS)) < 0.5)
    return np.concatenate([network, texture, colors], axis=1).astype(np.float32)


def fit(rows: np.ndarray, parts: FeatureParts = PARTS, n_blocks: int = 1) -> MixedTransform:
    blocks = iter(np.array_split(rows, n_blocks))
    transform = fit_transform("mixed", blocks, dim_in=rows.shape[1], n_rows=len(rows), parts=parts)
    assert isinstance(transform, MixedTransform)
    return transform


def cosines(transform: MixedTransform, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cosines of the parts of single vectors, (parts,)."""
    found = []
    for place in transform.slices.values():
        a, b = normalize_rows(one[None, place]), normalize_rows(other[None, place])
        found.append(float((a * b).sum()))
    return np.array(found)


def weights(row: Weights) -> np.ndarray:
    return np.array(astuple(row))


def test_it_keeps_the_promises_of_a_transform() -> None:
    rows = features(200)
    transform = fit(rows)
    assert isinstance(transform, Transform)
    assert (transform.name, transform.dim_in) == ("mixed", rows.shape[1])
    before = rows.copy()
    vectors = transform.apply(rows)
    assert np.array_equal(rows, before)
    assert vectors.dtype == np.float32
    assert vectors.shape == (200, transform.dim)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for n_squares in (0, 2):
        of_photo = transform.apply_to_photo(rows[:6], n_squares)
        assert of_photo.shape == (6, transform.dim)
        assert np.allclose(np.linalg.norm(of_photo, axis=1), 1, atol=1e-5)
    with pytest.raises(SpaceError, match="Received"):
        transform.apply_to_photo(rows[:, 1:])


def test_images_are_compared_by_the_weighted_mean_of_their_parts() -> None:
    rows = features(200)
    transform = fit(rows)
    one, other = transform.apply(rows[:2])
    wanted = (weights(IMAGE) * cosines(transform, one, other)).sum() / weights(IMAGE).sum()
    assert one @ other == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(("row", "n_squares", "weigh"), [(0, 2, REGION), (5, 2, SQUARE), (0, 0, ALONE)])
def test_rows_of_a_photo_weigh_parts_as_they_are_to(row: int, n_squares: int, weigh: Weights) -> None:
    rows = features(200)
    transform = fit(rows)
    image = transform.apply(rows[100:101])[0]
    photo = transform.apply_to_photo(rows[:6], n_squares)[row]
    parts = weights(weigh) * cosines(transform, photo, image)
    # The length of a row is the same for all images: of what each part is multiplied by.
    factors = np.where(weights(weigh) > 0, weights(weigh) / np.sqrt(weights(IMAGE)), 0)
    # Of the raw part an image and a photo share no axis for what lies beside the axes.
    length = np.linalg.norm(factors) * np.sqrt(weights(IMAGE).sum())
    assert photo @ image == pytest.approx(parts.sum() / length, abs=1e-5)
    texture = photo[transform.slices["texture"]]
    assert bool(texture.any()) == (weigh is SQUARE)


def test_a_photo_without_a_person_has_one_kind() -> None:
    rows = features(200)
    hat, shoes = rows[:1].copy(), rows[1:2].copy()
    hat[:, :DIM], shoes[:, :DIM] = np.eye(DIM)[0], np.eye(DIM)[1]
    transform = fit(rows)
    place = transform.slices["kind"]
    apart = transform.apply_to_photo(np.concatenate([hat, shoes, hat, shoes]), 2)[:, place]
    assert (apart.argmax(axis=1) == [0, 1, 0, 1]).all()
    together = transform.apply_to_photo(np.concatenate([hat, shoes]))[:, place]
    assert np.allclose(together[0], together[1])
    assert together[0, 0] == pytest.approx(together[0, 1], rel=1e-3)


def test_what_lies_beside_the_raw_axes_is_no_likeness() -> None:
    rows = features(200)
    transform = fit(rows)
    raw = transform.slices["raw"]
    assert transform.raw_axes is not None
    transform.raw_axes = transform.raw_axes[:, :3]
    del transform.slices
    raw = transform.slices["raw"]
    image = normalize_rows(transform.apply(rows[:1])[:, raw])
    photo = normalize_rows(transform.apply_to_photo(rows[:1])[:, raw])
    unit = normalize_rows(rows[:1, :DIM]) @ transform.raw_axes
    assert float((image * photo).sum()) == pytest.approx(float((unit**2).sum()), abs=1e-5)
    assert float((image * image).sum()) == pytest.approx(1)


@pytest.mark.parametrize("n_texture", [0, N_TEXTURE])
@pytest.mark.parametrize("n_colors", [0, N_COLORS])
@pytest.mark.parametrize("head", [None, make_head()])
def test_weights_of_missing_parts_go_to_the_network(
    n_texture: int, n_colors: int, head: KindHead | None
) -> None:
    parts = FeatureParts(n_texture, n_colors, head)
    for row in (IMAGE, REGION, ALONE):
        spread = row.of(parts)
        assert sum(astuple(spread)[:4]) == pytest.approx(1)
        assert spread.raw / spread.whitened == pytest.approx(row.raw / row.whitened)
        assert (spread.texture, spread.colors) == (
            row.texture if n_texture else 0,
            row.colors if n_colors else 0,
        )
        assert spread.kinds == (row.kinds if head else 0)


@pytest.mark.parametrize("parts", [FeatureParts(), FeatureParts(0, N_COLORS), FeatureParts(N_TEXTURE)])
@pytest.mark.parametrize("n_rows", [0, 1, 15, 16, 100])
def test_small_galleries_and_features_of_fewer_parts_have_a_space_too(
    parts: FeatureParts, n_rows: int
) -> None:
    rows = features(max(n_rows, 6))[:, : DIM + parts.n_texture + parts.n_colors]
    transform = fit(rows[:n_rows], parts)
    assert np.isfinite(transform.apply(rows)).all()
    assert np.isfinite(transform.apply_to_photo(rows[:6], 2)).all()
    assert np.isfinite(transform.apply(np.zeros_like(rows))).all()


def test_a_fit_does_not_depend_on_blocks_and_repeats() -> None:
    rows = features(500)
    one, many = fit(rows), fit(rows, n_blocks=9)
    found = one.apply(rows[:9]) @ one.apply(rows[:50]).T
    assert np.allclose(found, many.apply(rows[:9]) @ many.apply(rows[:50]).T, atol=1e-3)
    assert fit(rows).version == one.version
    assert fit(features(500, 1)).version != one.version


def test_a_stored_fit_names_its_head(tmp_path: Path) -> None:
    head = shipped_head()
    rng = np.random.default_rng(0)
    rows = np.maximum(rng.standard_normal((60, head.dim + 108)), 0).astype(np.float32)
    transform = fit(rows, FeatureParts(0, 108, head))
    transform.save(tmp_path / "fit.npz")
    loaded = load_transform("mixed", tmp_path / "fit.npz")
    assert loaded.version == transform.version
    assert np.array_equal(loaded.apply(rows), transform.apply(rows))
    other = fit(features(100))
    other.save(tmp_path / "other.npz")
    with pytest.raises(SpaceError, match="another head"):
        load_transform("mixed", tmp_path / "other.npz")


def test_parts_that_do_not_fit_are_refused() -> None:
    whole = fit(features(100))
    with pytest.raises(SpaceError, match="texture"):
        MixedTransform(PARTS, whole.raw_axes, whole.whitened, None)
    with pytest.raises(SpaceError, match="Received"):
        MixedTransform(PARTS, np.zeros((3, 2), np.float32), whole.whitened, whole.texture)
