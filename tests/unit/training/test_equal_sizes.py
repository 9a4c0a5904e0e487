"""Both distances of one size, so that a weight of a half is half of each; and samples that are even."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stylesearch.spaces.learned import Layer, LearnedTransform
from stylesearch.spaces.unsupervised import RawTransform
from stylesearch.training.category_weights import equalize_scales, sample_evenly


def transform(metric: str) -> LearnedTransform:
    raw = RawTransform(8)
    return LearnedTransform(
        "siamese:x", raw, raw, (Layer(None, None, np.full(8, 0.02, np.float32)),), metric, {"": 1.0}
    )


def test_l1_distances_have_one_mean() -> None:
    shop = np.random.default_rng(0).normal(size=(300, 8)).astype(np.float32)
    equal = equalize_scales(transform("l1"), shop)  # whose weight of 1 leaves the untrained part out
    vectors = replace(equal, weights={"": 0.5}).apply(shop)
    far = np.abs(vectors[:150] - vectors[150:])
    assert far[:, :8].sum() == pytest.approx(far[:, 8:].sum(), rel=1e-4)


def test_cosines_are_of_one_size_already() -> None:
    given = transform("cosine")
    assert equalize_scales(given, np.ones((5, 8), np.float32)) is given


def test_equal_images_have_no_size() -> None:
    assert equalize_scales(transform("l1"), np.ones((5, 8), np.float32)).untrained_scale == 1.0


def test_a_sample_is_even_and_never_too_small() -> None:
    rows = np.arange(10_000) * 2
    assert sample_evenly(rows, 1.0, "cosine").tolist() == (np.arange(2000) * 10).tolist()
    assert len(sample_evenly(rows, 1e15, "l1")) == 300
    assert sample_evenly(rows[:7], 1e15, "l1").tolist() == rows[:7].tolist()
