"""Weights and ranks of a gallery that lies in files: memory is bounded, and the answers are the same."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stylesearch.features.arrays import ArrayPool
from stylesearch.spaces.learned import Layer, LearnedTransform
from stylesearch.spaces.unsupervised import RawTransform
from stylesearch.training.category_weights import weight_categories
from stylesearch.training.scores import rank_photos

DIM = 128
LARGE, SMALL = 1024 * 2**20, 4 * 2**20


def gallery(n_products: int, n_photos: int) -> tuple[Any, np.ndarray, np.ndarray]:
    """Two pictures of each product, photos of some that are like the first; a dataset of their numbers."""
    random = np.random.default_rng(0)
    shop = random.normal(size=(2 * n_products, DIM)).astype(np.float32)
    photos = shop[: 2 * n_photos : 2, None] + 4 * random.normal(size=(n_photos, 1, DIM)).astype(np.float32)
    rows = SimpleNamespace(
        product_ids=tuple(f"p{number:05}" for number in range(n_products)),
        product_category=("coat", "dress") * (n_products // 2),
        photo_product=np.arange(n_photos),
        shop_product=np.repeat(np.arange(n_products), 2),
        own=np.full(n_photos, -1),
    )
    categories = [rows.product_category[number] for number in rows.shop_product.tolist()]
    contents = [(str(number), None) for number in range(2 * n_products)]
    return SimpleNamespace(rows=rows, shop_categories=categories, shop_contents=contents), shop, photos


def transform(metric: str) -> LearnedTransform:
    raw = RawTransform(DIM)
    kernel = np.random.default_rng(1).normal(size=(DIM, DIM)).astype(np.float32)
    return LearnedTransform("siamese:x", raw, raw, (Layer(kernel, None),), metric, {"": 0.5})


def peak_and_result(work: Callable[[], Any]) -> tuple[int, Any]:
    tracemalloc.start()
    result = work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, result


@pytest.mark.parametrize("metric", ["cosine", "l1"])
def test_weights_are_chosen_without_the_gallery_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: str
) -> None:
    """Both halves of it take 15 MiB: in memory where that is allowed, else in two files."""
    monkeypatch.setattr("stylesearch.training.category_weights._BYTES", 2**20)
    dataset, shop, photos = gallery(7500, 8)
    of_both_halves = 2 * shop.nbytes

    def weigh(max_bytes: int) -> Any:
        with ArrayPool(tmp_path / "cache", max_bytes) as pool:
            return weight_categories(pool, dataset, transform(metric), shop, photos, np.arange(8))[1]

    in_memory, expected = peak_and_result(lambda: weigh(LARGE))
    in_files, found = peak_and_result(lambda: weigh(SMALL))
    assert found.of_category == expected.of_category
    assert in_memory > of_both_halves
    assert in_files < 0.8 * of_both_halves


def test_ranks_take_no_more_memory_than_the_room_has(tmp_path: Path) -> None:
    dataset, shop, photos = gallery(10_000, 150)

    def rank(max_bytes: int) -> Any:
        with ArrayPool(tmp_path / "cache", max_bytes) as pool:
            return rank_photos(pool, dataset, shop, photos, transform("cosine"), "cosine", np.arange(150))

    large, expected = peak_and_result(lambda: rank(LARGE))
    small, found = peak_and_result(lambda: rank(SMALL))
    np.testing.assert_array_equal(found.n_nearer, expected.n_nearer)
    np.testing.assert_array_equal(found.hit_images, expected.hit_images)
    assert large > 8 * SMALL
    assert small < 2 * SMALL
