from __future__ import annotations

import dataclasses
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylesearch.array_types import Floats, Ids
from stylesearch.evaluation.ranking import RankedGallery, rank
from stylesearch.evaluation.scores import expected_reciprocal_rank, top_k_share
from stylesearch.training.data import TrainingData
from stylesearch.training.validation import Validation
from stylesearch.vectors import normalize_rows


def shuffled_data(own: bool) -> TrainingData:
    """40 products, their 120 pictures in no order, two photos of each; the photos are pictures if ``own``."""
    random = np.random.default_rng(2)
    product = random.permutation(np.repeat(np.arange(40), 3))
    names = random.normal(size=(40, 6))
    shop = (names[product] + 1.5 * random.normal(size=(120, 6))).astype(np.float32)
    if own:
        rows = random.permutation(120)[:80]
        photos, photo_product = np.repeat(shop[rows][:, None], 3, axis=1), product[rows]
    else:
        rows, photo_product = None, np.repeat(np.arange(40), 2)
        photos = random.normal(size=(80, 3, 6)).astype(np.float32)
    validation = np.arange(40) % 3 == 0
    return TrainingData(photos, shop, photo_product, product, ("",) * 40, ~validation, validation, own=rows)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("metric", ["cosine", "l1"])
def test_it_is_the_score_of_a_study(metric: str, own: bool) -> None:
    data = shuffled_data(own)
    validation = Validation(data, metric, 6)
    assert (validation.photos == data.validation_photos()).all() and len(validation.photos) > 20
    found = validation.score(data.photos[validation.photos], data.shop, 5)
    order = np.argsort(data.shop_product, kind="stable")
    place = np.argsort(order)
    columns = rank(
        data.photos[validation.photos],
        data.photo_product[validation.photos],
        RankedGallery(data.shop[order], data.shop_product[order]),
        metric,
        own=place[data.own[validation.photos]] if data.own is not None else None,
    )
    expected = (
        top_k_share(columns.n_nearer, columns.n_tied, 5).mean(),
        expected_reciprocal_rank(columns.n_nearer, columns.n_tied).mean(),
    )
    assert 0.05 < expected[0] < 0.6
    assert found == pytest.approx(expected, abs=1e-9)


def test_vectors_that_are_all_alike_score_as_chance_does() -> None:
    data = shuffled_data(own=False)
    validation = Validation(data, "cosine", 6)
    photos = np.ones((len(validation.photos), 3, 6), np.float32)
    assert validation.score(photos, np.ones((120, 6), np.float32), 10)[0] == pytest.approx(10 / 40)


def test_many_photos_are_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylesearch.training.validation._MIN_PHOTOS", {"cosine": 7, "l1": 7})
    monkeypatch.setattr("stylesearch.training.validation._COST", {"cosine": 1, "l1": 1})
    data = shuffled_data(own=False)
    validation = Validation(data, "cosine", 6)
    every = data.validation_photos()
    assert len(validation.photos) == 7 and len(every) == 28
    assert validation.photos.tolist() == every[::4].tolist()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = shuffled_data(own=True)
    validation = Validation(data, "cosine", 6)
    photos = data.photos[validation.photos]
    whole = validation.score(photos, data.shop, 5)
    monkeypatch.setattr("stylesearch.training.validation._BYTES", 1)
    assert validation.score(photos, data.shop, 5) == pytest.approx(whole, abs=1e-9)


@pytest.mark.parametrize("n_rows", [1, 7, 120, 4096])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("metric", ["cosine", "l1"])
def test_blocks_of_the_gallery_give_what_the_whole_gives(
    monkeypatch: pytest.MonkeyPatch, metric: str, own: bool, n_rows: int
) -> None:
    data = shuffled_data(own)
    validation = Validation(data, metric, 6)
    photos = data.photos[validation.photos]
    expected = whole_score(data, validation.photos, metric)
    monkeypatch.setattr("stylesearch.training.validation._ROWS_AT_ONCE", n_rows)
    monkeypatch.setattr("stylesearch.training.validation._EVEN", 1)
    assert validation.score(photos, data.shop, 5) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("n_rows", "even"), [(1, 1), (7, 1), (20, 1), (20, 8), (64, 64), (4096, 64)])
@pytest.mark.parametrize("n_bytes", [1, 2000, 2**20])
@pytest.mark.parametrize("metric", ["cosine", "l1"])
def test_ties_and_products_of_many_blocks_give_what_the_whole_gives(
    monkeypatch: pytest.MonkeyPatch, metric: str, n_bytes: int, n_rows: int, even: int
) -> None:
    """One validation product and one other have 50 pictures each; all is exact, and most are tied."""
    random = np.random.default_rng(5)
    product = random.permutation(np.concatenate([np.arange(40), np.full(49, 3), np.full(49, 11)]))
    shop, photos = exact_vectors(random, (len(product),)), exact_vectors(random, (60, 2))
    validation_products = np.arange(40) % 3 == 0
    photo_product = np.append(np.full(5, 3), np.arange(55) % 40)
    own = np.full(60, -1)
    own[:5] = np.flatnonzero(product == 3)[[0, 1, 17, 48, 49]]
    data = TrainingData(
        photos, shop, photo_product, product, ("",) * 40, ~validation_products, validation_products, own=own
    )
    validation = Validation(data, metric, 6)
    expected = whole_score(data, validation.photos, metric)
    assert 0.05 < expected[0] < 0.95
    monkeypatch.setattr("stylesearch.training.validation._ROWS_AT_ONCE", n_rows)
    monkeypatch.setattr("stylesearch.training.validation._EVEN", even)
    monkeypatch.setattr("stylesearch.training.validation._BYTES", n_bytes)
    assert validation.score(photos[validation.photos], shop, 5) == expected


def exact_vectors(random: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Four numbers of six are 1 or -1: the length is 2, and no sum or product is rounded."""
    signs = random.choice([-1.0, 1.0], size=(*shape, 6))
    signs[..., :2] = 0
    vectors: Floats = random.permuted(signs, axis=-1).astype(np.float32)
    return vectors


def whole_score(data: TrainingData, rows: Ids, metric: str) -> tuple[float, float]:
    """What photos of these rows score, from all distances at once."""
    nearest = whole_distances(data.photos[rows], data.shop, metric)
    if data.own is not None:
        own = data.own[rows]
        nearest[np.flatnonzero(own >= 0), own[own >= 0]] = np.inf
    products = np.stack([nearest[:, data.shop_product == product].min(axis=1) for product in range(40)], 1)
    right = products[np.arange(len(rows)), data.photo_product[rows]][:, None]
    n_nearer, n_tied = (products < right).sum(axis=1), (products == right).sum(axis=1)
    return top_k_share(n_nearer, n_tied, 5).mean(), expected_reciprocal_rank(n_nearer, n_tied).mean()


def whole_distances(photos: Floats, shop: Floats, metric: str) -> Floats:
    """Of each photo's nearest region to all pictures at once, in the order of the shop."""
    if metric == "l1":
        far: Floats = np.abs(photos[:, :, None] - shop).sum(axis=3).min(axis=1)
        return far
    cosines: Floats = (normalize_rows(photos) @ normalize_rows(shop).T).max(axis=1)
    return 1 - cosines


@pytest.mark.parametrize("metric", ["cosine", "l1"])
def test_a_large_gallery_is_not_copied(tmp_path: Path, metric: str) -> None:
    """It lies in a file, in no order; to hold it once would take 31 MiB."""
    n_products, dim = 16_000, 256
    random = np.random.default_rng(0)
    shop = np.lib.format.open_memmap(tmp_path / "shop.npy", "w+", np.float32, (2 * n_products, dim))
    for start in range(0, len(shop), 1000):
        shop[start : start + 1000] = random.normal(size=(1000, dim))
    data = TrainingData(
        random.normal(size=(20, 2, dim)).astype(np.float32),
        shop,
        np.arange(20),
        random.permutation(np.repeat(np.arange(n_products), 2)),
        ("",) * n_products,
        np.arange(n_products) >= 20,
        np.arange(n_products) < 20,
    )
    validation = Validation(data, metric, dim)
    assert len(validation.photos) == 20
    tracemalloc.start()
    validation.score(data.photos[validation.photos], shop, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.6 * shop.nbytes


@pytest.mark.parametrize("metric", ["cosine", "l1"])
def test_a_large_gallery_is_read_once(monkeypatch: pytest.MonkeyPatch, metric: str) -> None:
    """Its distances to all photos, 76 MiB, are not held, nor is it read again for every few of them."""
    monkeypatch.setattr("stylesearch.training.validation._MIN_PHOTOS", {"cosine": 200, "l1": 200})
    n_products, dim = 50_000, 4
    random = np.random.default_rng(0)
    shop = random.normal(size=(2 * n_products, dim)).astype(np.float32).view(CountedRows)
    shop.n_read = 0
    data = TrainingData(
        random.normal(size=(200, 1, dim)).astype(np.float32),
        shop,
        np.arange(200),
        random.permutation(np.repeat(np.arange(n_products), 2)),
        ("",) * n_products,
        np.arange(n_products) >= 200,
        np.arange(n_products) < 200,
    )
    validation = Validation(data, metric, dim)
    assert len(validation.photos) == 200
    tracemalloc.start()
    validation.score(data.photos[validation.photos], shop, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 2 * n_products <= shop.n_read < 2.1 * n_products
    assert peak < 16 * 2**20


class CountedRows(np.ndarray[tuple[int, ...], np.dtype[np.float32]]):
    """Knows how many rows of it were gathered."""

    n_read: int

    def __getitem__(self, rows: Any) -> Any:
        found = np.asarray(self)[rows]
        self.n_read += len(found)
        return found


def test_a_photo_of_a_product_without_another_image_is_left_out() -> None:
    data = shuffled_data(own=True)
    alone = data.shop_product.copy()
    first = int(data.validation_photos()[0])
    product = data.photo_product[first]
    others = (alone == product) & (np.arange(120) != data.own[first])
    alone[others] = (product + 1) % 40
    changed = dataclasses.replace(data, shop_product=alone)
    assert first in data.validation_photos() and first not in changed.validation_photos()
