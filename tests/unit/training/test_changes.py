"""What is said of a change: paired, by category, and of a handful of photos that it is noise."""

from __future__ import annotations

import numpy as np
import pytest

from stylesearch.evaluation.results import Columns
from stylesearch.training.scores import SCORES, measure_changes


def columns(n_nearer: list[int]) -> Columns:
    n = len(n_nearer)
    nothing = np.zeros(n)
    whole = np.zeros(n, np.int64)
    return Columns(
        n_nearer=np.array(n_nearer),
        n_tied=np.ones(n, np.int64),
        average_precision=nothing,
        right_image=whole,
        right_distance=nothing,
        hit_images=whole[:, None],
        hit_distances=nothing[:, None],
        hit_regions=whole[:, None],
    )


def test_scores_differences_and_verdicts() -> None:
    before = columns([0] * 10 + [30] * 30 + [0])
    after = columns([2] * 10 + [0] * 30 + [0])
    categories = ["dress"] * 10 + ["coat"] * 30 + ["shirt"]
    of_all, coat, dress, shirt = measure_changes(before, after, categories, [str(n) for n in range(41)])
    assert [one.category for one in (of_all, coat, dress, shirt)] == ["", "coat", "dress", "shirt"]
    assert [one.n_queries for one in (of_all, coat, dress, shirt)] == [41, 30, 10, 1]
    assert coat.before["top-20"].value == 0
    assert coat.after["top-20"].value == 1
    assert coat.difference["top-1"].value == 1
    assert [dress.difference[name].value for name in SCORES] == [-1, 0, 0]
    assert [dress.verdict(name) for name in SCORES] == ["fell", "noise", "noise"]
    assert [coat.verdict(name) for name in SCORES] == ["rose", "rose", "rose"]
    assert [shirt.verdict(name) for name in SCORES] == ["noise", "noise", "noise"]
    assert of_all.difference["top-1"].value == pytest.approx(20 / 41)
    low, high = of_all.difference["top-1"].low, of_all.difference["top-1"].high
    assert low < 20 / 41 < high


def test_one_photo_that_won_is_noise() -> None:
    """The bootstrap alone would be certain: every resample of one photo is that photo."""
    only = measure_changes(columns([30]), columns([0]), ["coat"], ["a"])[1]
    assert only.difference["top-1"].low == 1
    assert only.verdict("top-1") == "noise"


def test_photos_of_one_product_are_one_witness() -> None:
    before, after = columns([30] * 20), columns([0] * 20)
    each = measure_changes(before, after, ["coat"] * 20, [str(n) for n in range(20)])[0]
    same = measure_changes(before, after, ["coat"] * 20, ["a"] * 20)[0]
    assert each.verdict("top-1") == "rose"
    assert same.verdict("top-1") == "noise"


def test_intervals_are_as_wide_as_products_are_few() -> None:
    """Four photos of each of ten products: the interval is that of ten, not of forty."""
    before, after = columns([30] * 40), columns(([0] * 4 + [30] * 4) * 5)
    by_photo, by_product = (
        measure_changes(before, after, ["coat"] * 40, [str(n // n_photos) for n in range(40)])[0].difference[
            "top-1"
        ]
        for n_photos in (1, 4)
    )
    assert by_photo.value == by_product.value == 0.5
    ratio = (by_product.high - by_product.low) / (by_photo.high - by_photo.low)
    assert ratio == pytest.approx(2, rel=0.2)


def test_many_categories_are_allowed_for() -> None:
    """Six of six at p = 0.03 is rare for one category, and to be expected of one among twenty."""
    before, after = columns([30] * 120), columns([0] * 6 + [30] * 114)
    categories = [f"c{n // 6:02}" for n in range(120)]
    found = measure_changes(before, after, categories, [str(n) for n in range(120)])
    assert found[1].verdict("top-1") == "noise"
    alone = measure_changes(columns([30] * 6), columns([0] * 6), ["c00"] * 6, [str(n) for n in range(6)])
    assert alone[1].verdict("top-1") == "rose"
