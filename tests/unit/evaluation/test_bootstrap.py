"""Intervals and p-values against what statistics says of them."""

import itertools

import numpy as np
import pytest

from stylesearch.evaluation import bootstrap
from stylesearch.evaluation.bootstrap import (
    Resampled,
    adjust_by_holm,
    flipped_p_values,
    interval,
    p_values,
    resampled_means,
)


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution():
    parts = np.random.default_rng(1).normal(3, 2, (400, 1))
    means = resampled_means(parts, n_resamples=4000, seed=0)
    found = interval(float(parts.mean()), means[:, 0], 0.95)
    half = 1.96 * parts.std() / 20
    assert found.low == pytest.approx(parts.mean() - half, abs=0.03)
    assert found.high == pytest.approx(parts.mean() + half, abs=0.03)


def test_an_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    held = 0
    for number in range(200):
        parts = (rng.random((80, 1)) < 0.4).astype(float)
        means = resampled_means(parts, n_resamples=400, seed=number)
        found = interval(float(parts.mean()), means[:, 0], 0.95)
        held += found.low <= 0.4 <= found.high
    assert 180 <= held <= 199


def test_the_same_seed_draws_the_same_and_blocks_change_nothing(monkeypatch):
    parts = np.random.default_rng(1).random((50, 3))
    whole = resampled_means(parts, n_resamples=100, seed=5)
    assert np.array_equal(whole, resampled_means(parts, n_resamples=100, seed=5))
    assert not np.array_equal(whole, resampled_means(parts, n_resamples=100, seed=6))
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 120)
    assert np.array_equal(whole, resampled_means(parts, n_resamples=100, seed=5))


@pytest.mark.parametrize("average", ["micro", "macro"])
def test_more_draws_begin_with_those_of_the_study(average):
    parts = np.random.default_rng(1).random((30, 2))
    resampled = Resampled(parts, ["a"] * 20 + ["b"] * 10, n_resamples=40, seed=3)
    more = np.concatenate(list(resampled.blocks(average, 100, 7)))
    assert more.shape == (100, 2)
    assert np.array_equal(more[:40], getattr(resampled, average))


def test_macro_draws_within_categories_and_weighs_them_alike():
    parts = np.array([[1.0], [1.0], [1.0], [0.0]])
    resampled = Resampled(parts, ["a", "a", "a", "b"], n_resamples=50, seed=0)
    assert (resampled.macro == 0.5).all()
    assert resampled.micro.std() > 0
    assert resampled.categories == ["a", "b"]


def test_a_difference_is_paired():
    """Two runs that differ on every query by the same: no noise, however much queries differ."""
    hard = np.random.default_rng(2).random(60)
    parts = np.stack([hard + 0.01, hard], axis=1)
    means = resampled_means(parts, n_resamples=500, seed=0)
    differences = means[:, 0] - means[:, 1]
    assert np.allclose(differences, 0.01)
    assert p_values([differences[:200, None], differences[200:, None]])[0] == pytest.approx(2 / 501)
    assert p_values([-differences[:, None]])[0] == pytest.approx(2 / 501)


def test_p_values_of_equals_are_one_and_of_no_difference_spread_evenly():
    assert p_values([np.zeros((100, 1))]) == [1]
    rng = np.random.default_rng(7)
    found = []
    for number in range(200):
        parts = rng.normal(0, 1, (60, 1))
        found.append(p_values([resampled_means(parts, n_resamples=300, seed=number)])[0])
    assert 2 <= sum(p < 0.05 for p in found) <= 24
    assert 70 <= sum(p < 0.5 for p in found) <= 130


def test_holm_by_hand():
    assert adjust_by_holm([0.01, 0.02, 0.03, 0.005]) == pytest.approx([0.03, 0.04, 0.04, 0.02])
    assert adjust_by_holm([0.9, 0.8]) == [1.0, 1.0]
    assert adjust_by_holm([]) == []


def test_turned_signs_are_counted_as_in_all_turns():
    gained = np.array([[0.5], [0.25], [0.0], [1.0]])
    sums = [abs(np.dot(signs, gained[:, 0])) for signs in itertools.product((-1, 1), repeat=4)]
    exact = np.mean([one >= 1.75 for one in sums])
    found = flipped_p_values(gained, np.full(4, 0.25), n_resamples=20_000, seed=1)
    assert found[0] == pytest.approx(exact, abs=0.01)
    assert flipped_p_values(np.zeros((4, 1)), np.full(4, 0.25), n_resamples=50, seed=1) == [1]


def test_five_queries_prove_nothing():
    assert flipped_p_values(np.ones((5, 1)), np.full(5, 0.2), n_resamples=2000, seed=0)[0] > 0.05
    assert flipped_p_values(np.ones((20, 1)), np.full(20, 0.05), n_resamples=2000, seed=0)[0] < 0.001
