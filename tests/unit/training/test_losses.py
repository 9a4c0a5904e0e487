from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stylesearch.training.keras.losses import (
    bce_loss,
    contrastive_loss,
    cosines,
    softmax_loss,
    tf,
    triplet_loss,
)

DIAGONAL = np.eye(2, dtype=bool)


def at_angles(*degrees: float) -> np.ndarray:
    turned = np.radians(degrees)
    return np.stack([np.cos(turned), np.sin(turned)], axis=-1).astype(np.float32)


def batch(photos: list[float], shop: list[float], lengths: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Photos of one region and shop pictures in the plane, at angles."""
    return at_angles(*photos)[:, None] * np.float32(lengths), at_angles(*shop)


def squared(degrees: float) -> float:
    return 2 - 2 * float(np.cos(np.radians(degrees)))


def test_a_photo_is_as_near_as_its_nearest_region() -> None:
    photos = np.stack([at_angles(0, 90, 45), at_angles(180, 200, 190)])
    found = cosines(photos, at_angles(50, 170)).numpy()
    expected = np.cos(np.radians([[5, 80], [130, 10]]))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_vector_of_zeros_is_like_nothing() -> None:
    assert cosines(np.zeros((1, 1, 2), np.float32), at_angles(10, 20)).numpy().tolist() == [[0, 0]]


def test_only_the_nearest_region_is_moved() -> None:
    photos = tf.constant(np.stack([at_angles(5, 200, 100), at_angles(185, 30, 100)]))
    with tf.GradientTape() as tape:
        tape.watch(photos)
        loss = softmax_loss(photos, at_angles(10, 190), DIAGONAL, 1.0)
    moved = np.abs(tape.gradient(loss, photos).numpy()).sum(axis=2) > 1e-6
    # One region is nearest to the right picture, one to the wrong one; the third, at 100 degrees, to neither.
    assert moved.tolist() == [[True, True, False], [True, True, False]]


def test_softmax_is_the_cross_entropy_both_ways() -> None:
    photos, shop = batch([0, 70], [20, 80], lengths=3.0)
    logits = np.cos(np.radians([[20, 80], [50, 10]])) / 0.5
    rows = np.log(np.exp(logits).sum(axis=1)) - np.diag(logits)
    columns = np.log(np.exp(logits).sum(axis=0)) - np.diag(logits)
    expected = (rows.mean() + columns.mean()) / 2
    assert float(softmax_loss(photos, shop, DIAGONAL, 0.5)) == pytest.approx(expected, rel=1e-5)


def test_softmax_of_images_that_are_all_alike_is_the_logarithm_of_their_number() -> None:
    photos, shop = batch([10] * 5, [30] * 5)
    assert float(softmax_loss(photos, shop, np.eye(5, dtype=bool), 0.05)) == pytest.approx(
        np.log(5), rel=1e-5
    )


def test_triplet_takes_the_nearest_of_those_beyond_the_right_one() -> None:
    photos, shop = batch([0, 180, 180, 180], [20, 10, 30, 90])  # of the first: right 20; wrong 10, 30, 90
    same = np.eye(4, dtype=bool)
    same[1:, :] = True  # only the first photo has wrong ones
    semi_hard = max(0, squared(20) - squared(30) + 0.2)
    hard = squared(20) - squared(10) + 0.2
    assert float(triplet_loss(photos, shop, same, 0.2, "semi-hard")) == pytest.approx(semi_hard, abs=1e-5)
    assert float(triplet_loss(photos, shop, same, 0.2, "hard")) == pytest.approx(hard, abs=1e-5)


def test_triplet_takes_the_farthest_where_all_wrong_ones_are_nearer() -> None:
    photos, shop = batch([0, 180, 180], [60, 10, 30])
    same = np.eye(3, dtype=bool)
    same[1:, :] = True
    expected = squared(60) - squared(30) + 0.2
    assert float(triplet_loss(photos, shop, same, 0.2, "semi-hard")) == pytest.approx(expected, abs=1e-5)


def test_triplet_is_nothing_where_all_is_well() -> None:
    photos, shop = batch([0, 90], [5, 95])
    assert float(triplet_loss(photos, shop, DIAGONAL, 0.2, "hard")) == 0


def test_contrastive_pulls_right_pairs_and_pushes_wrong_ones_within_the_margin() -> None:
    photos, shop = batch([0, 180], [30, 200])  # wrong pairs: 200 and 150 degrees, far beyond the margin
    apart = (squared(30) + squared(20)) / 2 / 2
    assert float(contrastive_loss(photos, shop, DIAGONAL, 1.0)) == pytest.approx(apart, rel=1e-4)
    photos, shop = batch([0, 180], [30, 20])  # the first photo is 20 degrees from the wrong picture
    short_of = 1.0 - squared(20) ** 0.5
    expected = (squared(30) + squared(160)) / 2 / 2 + short_of**2 / 2
    assert float(contrastive_loss(photos, shop, DIAGONAL, 1.0)) == pytest.approx(expected, rel=1e-4)


def test_contrastive_has_a_slope_for_vectors_that_are_equal() -> None:
    photos = tf.constant(batch([0, 0], [0, 0])[0])
    with tf.GradientTape() as tape:
        tape.watch(photos)
        loss = contrastive_loss(photos, at_angles(0, 0), DIAGONAL, 1.0)
    assert np.isfinite(tape.gradient(loss, photos).numpy()).all()


def test_bce_is_the_cross_entropy_of_right_and_wrong_pairs() -> None:
    photos = np.float32([[[0, 0], [5, 5]], [[9, 9], [4, 0]]])
    shop = np.float32([[1, 1], [4, 2]])
    right = np.array([2, 2])  # nearest regions
    wrong = np.array([4, 4])  # (5, 5) to (4, 2); (4, 0) to (1, 1)
    bias = 3.0
    expected = (np.log1p(np.exp(right - bias)).mean() + np.log1p(np.exp(bias - wrong)).mean()) / 2
    found = bce_loss(photos, shop, DIAGONAL, tf.constant(bias), tf.constant([1]))
    assert float(found) == pytest.approx(expected, rel=1e-6)


LOSSES = {
    "softmax": lambda *batch: softmax_loss(*batch, 0.5),
    "semi-hard": lambda *batch: triplet_loss(*batch, 0.5, "semi-hard"),
    "hard": lambda *batch: triplet_loss(*batch, 0.5, "hard"),
    "contrastive": lambda *batch: contrastive_loss(*batch, 1.2),
    "bce": lambda *batch: bce_loss(*batch, tf.constant(0.5), tf.constant([1, 2])),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_pairs_that_are_not_to_be_told_apart_do_not_push(loss: Callable[..., Any]) -> None:
    """With a copy of a product under another id: the wrong pair of the two has no effect on the loss."""

    def effect(same: np.ndarray) -> float:
        """Change of the loss when the third picture turns towards the first photo."""
        before, after = (loss(*batch([0, 300, 25], [20, 280, turned]), same) for turned in (25, 22))
        return float(after - before)

    copies = np.eye(3, dtype=bool)
    copies[0, 2] = copies[2, 0] = True
    assert effect(np.eye(3, dtype=bool)) > effect(copies) + 1e-4


@pytest.mark.parametrize("negatives", [1, 2])
def test_bce_leaves_out_wrong_pairs_that_are_right(negatives: int) -> None:
    random = np.random.default_rng(3)
    photos = random.normal(size=(3, 2, 4)).astype(np.float32)
    shop = random.normal(size=(3, 4)).astype(np.float32)
    shifts = tf.constant([1, 2][:negatives])
    same = np.ones((3, 3), bool)  # no wrong pair at all
    only_right = float(bce_loss(photos, shop, same, tf.constant(1.0), shifts))
    distances = np.abs(photos - shop[:, None]).sum(axis=2).min(axis=1)
    assert only_right == pytest.approx(np.log1p(np.exp(distances - 1)).mean() / 2, rel=1e-5)
