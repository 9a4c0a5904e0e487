"""Batches: what an epoch holds, hard neighbours, and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stylesearch.errors import ConfigError
from stylesearch.training import batches as batches_module
from stylesearch.training.batches import Batches, ProductRows


def views(n_products: int, n_views: int = 3, **options: Any) -> Batches:
    product_of = np.repeat(np.arange(n_products), n_views)
    options.setdefault("product_category", ["dress"] * n_products)
    options.setdefault("products", np.ones(n_products, bool))
    return Batches(product_of, product_of, own=np.arange(len(product_of)), **options)


def products_of(batches: Batches) -> list[list[int]]:
    return [batch.products.tolist() for batch in batches.epoch()]


def flat(found: list[list[int]]) -> list[int]:
    return sorted(product for batch in found for product in batch)


def test_every_product_comes_once_an_epoch_in_batches_of_about_one_size():
    batches = views(100, batch_size=32)
    assert (batches.n_products, batches.n_batches) == (100, 4)
    first, second = products_of(batches), products_of(batches)
    assert flat(first) == flat(second) == list(range(100))
    assert [len(batch) for batch in first] == [25] * 4
    assert first != second


def test_all_right_pairs_are_drawn_alike():
    batches = views(2, n_views=3, batch_size=2)
    drawn = [(batch.photos[0], batch.shop[0]) for _ in range(3000) for batch in batches.epoch()]
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert len(counts) == 12  # 6 of each of the two products, either of which may come first
    assert counts.min() > 0.75 * 3000 / 12


def test_what_has_no_pair_and_what_is_not_asked_for_is_left_out():
    photo_product = np.array([0, 0, 1, 3, 4])
    shop_product = np.array([0, 0, 1, 2, 4, 4])  # 1 has only its own picture, 2 no photo, 3 no shop picture
    own = np.array([0, 1, 2, -1, -1])
    asked = np.array([True] * 5)
    batches = Batches(photo_product, shop_product, ["dress"] * 5, asked, own=own, batch_size=4)
    assert [sorted(batch) for batch in products_of(batches)] == [[0, 4]]


def test_copies_of_a_product_are_never_in_one_batch():
    groups = np.repeat(np.arange(10), 3)
    batches = views(30, duplicates=groups, batch_size=8)
    for _ in range(20):
        for batch in batches.epoch():
            assert len(set(groups[batch.products])) == len(batch.products)
    one_group = views(30, duplicates=np.zeros(30, np.int64), batch_size=8)
    assert products_of(one_group) == []


def test_a_batch_of_one_category_and_small_categories_together():
    categories = ["dress"] * 20 + ["skirt"] * 9 + ["hat"] * 3 + ["sock"]
    batches = views(33, product_category=categories, batch_size=10, within_category=True)
    found = [sorted({categories[one] for one in batch}) for batch in products_of(batches)]
    assert sorted(found) == [["dress"], ["dress"], ["hat", "sock"], ["skirt"]]


def lines(n_products: int) -> np.ndarray:
    """Vectors of three views of products along a line: neighbours are those of the next numbers."""
    vectors = np.stack([np.arange(n_products), np.zeros(n_products)], axis=1)
    return np.repeat(vectors, 3, axis=0).astype(np.float32)


def rows_of(vectors: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Embeds photos whose vectors are known."""
    return lambda rows: vectors[rows]


@pytest.mark.parametrize("metric", ["l1", "l2"])
def test_hard_batches_hold_nearest_wrong_neighbours(metric):
    easy, hard = views(400, batch_size=16), views(400, batch_size=16, hard=True)
    hard.refresh(rows_of(lines(400)), lines(400), metric)
    found = products_of(hard)
    assert flat(found) == list(range(400))

    def share_with_a_neighbour(batches):
        near = [one + 1 in batch or one - 1 in batch for batch in batches for one in batch]
        return np.mean(near)

    assert share_with_a_neighbour(found) > 0.8
    assert share_with_a_neighbour(products_of(easy)) < 0.2


def test_neighbours_are_of_the_same_category_and_no_copies():
    categories = ["dress", "skirt"] * 50
    groups = np.arange(100) // 4 * 4 + np.arange(100) % 2  # 0, 2 are copies; 1, 3; 4, 6; ...
    batches = views(
        100, product_category=categories, duplicates=groups, hard=True, within_category=True, batch_size=10
    )
    batches.refresh(rows_of(lines(100)[:, None]), lines(100), "l2")
    neighbours = batches.state()["neighbours"]
    for product, row in enumerate(neighbours.tolist()):
        assert all(other % 2 == product % 2 and groups[other] != groups[product] for other in row)
        assert abs(row[0] - product) in (2, 4)


def test_a_photo_is_as_near_as_its_nearest_region():
    shop = lines(50)
    photos = np.stack([shop + 1000, shop, shop + 2000], axis=1)
    batches, plain = views(50, hard=True, batch_size=8), views(50, hard=True, batch_size=8)
    batches.refresh(rows_of(photos), shop, "l2")
    plain.refresh(rows_of(shop), shop, "l2")
    assert np.array_equal(batches.state()["neighbours"], plain.state()["neighbours"])


def test_a_large_shop_is_looked_up_in_parts(monkeypatch):
    monkeypatch.setattr(batches_module, "LOOKED_UP_AT_ONCE", 30)
    batches = views(100, hard=True, batch_size=10)
    batches.refresh(rows_of(lines(100)), lines(100), "l2")
    neighbours = batches.state()["neighbours"]
    assert neighbours.shape == (100, 20)
    assert (neighbours[:, 0] >= 0).all()
    assert (neighbours[:, 0] != np.arange(100)).all()


@pytest.mark.parametrize("within_category", [False, True])
def test_photos_are_embedded_where_they_are_looked_up(monkeypatch, within_category):
    """One photo of each product, a part of the shop at a time, drawn as if all vectors were there already."""
    monkeypatch.setattr(batches_module, "LOOKED_UP_AT_ONCE", 30)
    random = np.random.default_rng(5)
    photo_product, shop_product = np.repeat(np.arange(100), 4), np.repeat(np.arange(100), 2)
    photos = random.normal(size=(400, 3, 6)).astype(np.float32)
    shop = random.normal(size=(200, 6)).astype(np.float32)
    category = ["dress"] * 60 + ["skirt"] * 40
    every = np.ones(100, bool)
    batches = Batches(
        photo_product, shop_product, category, every, seed=8, within_category=within_category, hard=True
    )
    asked = []

    def embed(rows):
        asked.append(rows)
        return photos[rows]

    batches.refresh(embed, shop, "l2")
    found = batches.state()["neighbours"]
    stream = np.random.default_rng([8, 0, 1])
    lots = [np.arange(60), np.arange(60, 100)] if within_category else [np.arange(100)]
    drawn = []
    for lot in lots:
        for products in np.array_split(stream.permutation(lot), -(-len(lot) // 30)):
            part = np.sort(products)
            drawn.append(ProductRows(photo_product, 100).draw(part, stream))
            ProductRows(shop_product, 100).draw(part, stream)
            distances = np.linalg.norm(
                photos[drawn[-1]][:, :, None] - shop.reshape(100, 2, 6)[part].reshape(-1, 6), axis=3
            )
            of_products = distances.min(axis=1).reshape(len(part), len(part), 2).min(axis=2)
            np.fill_diagonal(of_products, np.inf)
            assert (found[part, 0] == part[of_products.argmin(axis=1)]).all()
    assert [rows.tolist() for rows in asked] == [rows.tolist() for rows in drawn]
    assert max(len(rows) for rows in asked) <= 30
    assert sum(len(rows) for rows in asked) == 100


def test_refreshed_batches_go_on_exactly_from_their_state():
    batches = views(60, hard=True, batch_size=8, seed=3)
    products_of(batches)
    batches.refresh(rows_of(lines(60)), lines(60), "l2")
    coming = batches.epoch()
    next(coming)
    restored = views(60, hard=True, batch_size=8, seed=3)
    restored.restore(batches.state())
    assert products_of(restored) == [batch.products.tolist() for batch in coming]
    restored.refresh(rows_of(lines(60)), lines(60), "l2")
    batches.refresh(rows_of(lines(60)), lines(60), "l2")
    assert products_of(restored) == products_of(batches)


@pytest.mark.parametrize(
    "options", [{"seed": 1}, {"batch_size": 9}, {"hard": True}, {"products": np.arange(60) < 59}]
)
def test_a_state_of_other_batches_is_refused(options):
    with pytest.raises(ConfigError, match="other products"):
        views(60, **options).restore(views(60).state())


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ConfigError, match="2 products or more"):
        views(10, batch_size=1)
    batches = views(10, batch_size=4)
    with pytest.raises(ValueError, match="30 shop images"):
        batches.refresh(rows_of(lines(10)), lines(9))
    with pytest.raises(ValueError, match="10 photos"):
        batches.refresh(lambda rows: lines(10), lines(10))
    next(batches.epoch())
    with pytest.raises(ValueError, match="between epochs"):
        batches.refresh(rows_of(lines(10)), lines(10))


def test_nothing_to_draw_is_no_batch():
    batches = views(10, products=np.zeros(10, bool), hard=True)
    batches.refresh(rows_of(lines(10)), lines(10))
    assert (batches.n_products, batches.n_batches, products_of(batches)) == (0, 0, [])
