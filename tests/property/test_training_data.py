"""Splits, near pairs and batches against naive definitions, on whatever Hypothesis draws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stylesearch.training import near_duplicates
from stylesearch.training.batches import Batches
from stylesearch.training.near_duplicates import near_pairs
from stylesearch.training.split import split_products


@st.composite
def joined_catalogs(draw):
    """Categories of products, and disjoint groups of them."""
    n_products = draw(st.integers(1, 60))
    categories = {f"p{number:02}": draw(st.sampled_from("abc")) for number in range(n_products)}
    group_of = {name: draw(st.integers(0, 3 * n_products)) for name in categories}
    groups = [
        [name for name in categories if group_of[name] == group] for group in sorted(set(group_of.values()))
    ]
    return categories, [group for group in groups if len(group) > 1]


@given(joined_catalogs(), st.integers(0, 5))
def test_a_split_parts_all_products_and_no_group(catalog, seed):
    categories, groups = catalog
    split = split_products(categories, groups, seed=seed)
    parts = (split.train, split.validation, split.test)
    assert sum(map(len, parts)) == len(categories)
    assert frozenset().union(*parts) == categories.keys()
    for group in groups:
        assert any(set(group) <= part for part in parts)


@given(st.integers(1, 80), st.integers(1, 20), st.integers(0, 20))
def test_a_product_that_is_added_moves_at_most_one_over_each_border(n_dresses, n_skirts, seed):
    categories = {f"d{i}": "dress" for i in range(n_dresses)} | {f"s{i}": "skirt" for i in range(n_skirts)}
    before = split_products(categories, seed=seed)
    after = split_products({**categories, "new": "dress"}, seed=seed)

    def part_of(split, name):
        return next(part for part in ("train", "validation", "test") if name in getattr(split, part))

    moved = [name for name in categories if part_of(before, name) != part_of(after, name)]
    assert len(moved) <= 2
    assert all(categories[name] == "dress" for name in moved)


PATTERNS = st.integers(1, 40).flatmap(
    lambda n: arrays(np.uint64, (n, 4), elements=st.sampled_from([0, 1, 3, 255, 2**40 - 1, 2**64 - 1]))
)


@settings(deadline=None)
@given(PATTERNS, st.integers(0, 130), st.integers(1, 9))
def test_near_pairs_join_what_a_naive_comparison_joins(patterns, max_bits, at_once):
    with pytest.MonkeyPatch.context() as patch:  # many small blocks
        patch.setattr(near_duplicates, "_ROWS_AT_ONCE", at_once)
        found = [tuple(pair) for pairs in near_pairs(patterns, max_bits) for pair in pairs.tolist()]
    assert len(found) == len(set(found))
    assert all(i < j for i, j in found)

    def n_bits(i, j):
        return sum((int(a) ^ int(b)).bit_count() for a, b in zip(patterns[i], patterns[j], strict=True))

    wanted = {pair for pair in itertools.combinations(range(len(patterns)), 2) if n_bits(*pair) <= max_bits}
    assert set(found) <= wanted
    assert components(len(patterns), found) == components(len(patterns), wanted)


def components(n, pairs):
    label = list(range(n))
    for _ in range(n):
        for i, j in pairs:
            label[i] = label[j] = min(label[i], label[j])
    return label


@st.composite
def shops(draw):
    """Arguments of batches: views (own rows) or consumer photos, groups of copies, categories."""
    n_products = draw(st.integers(1, 40))
    counts = draw(st.lists(st.integers(0, 4), min_size=n_products, max_size=n_products))
    shop_product = np.repeat(np.arange(n_products), counts)
    if draw(st.booleans()):
        photo_product, own = shop_product, np.arange(len(shop_product))
    else:
        n_photos = draw(st.lists(st.integers(0, 3), min_size=n_products, max_size=n_products))
        photo_product, own = np.repeat(np.arange(n_products), n_photos), None
    groups = draw(arrays(np.int64, n_products, elements=st.integers(0, 2 * n_products)))
    categories = draw(st.lists(st.sampled_from("ab"), min_size=n_products, max_size=n_products))
    return {
        "photo_product": photo_product,
        "shop_product": shop_product,
        "product_category": categories,
        "products": draw(arrays(np.bool_, n_products)),
        "own": own,
        "duplicates": groups,
        "batch_size": draw(st.integers(2, 20)),
        "seed": draw(st.integers(0, 3)),
        "within_category": draw(st.booleans()),
        "hard": draw(st.booleans()),
    }


@settings(deadline=None)
@given(shops())
def test_batches_hold_right_pairs_of_different_products(shop):
    batches = Batches(**shop)
    if shop["hard"]:
        random = np.random.default_rng(0)
        photo_vectors = random.normal(size=(len(shop["photo_product"]), 2, 3)).astype(np.float32)
        batches.refresh(
            lambda rows: photo_vectors[rows],
            random.normal(size=(len(shop["shop_product"]), 3)).astype(np.float32),
        )
    for _ in range(2):
        seen: list[int] = []
        n_batches = 0
        for batch in batches.epoch():
            n_batches += 1
            assert 2 <= len(batch.products) <= shop["batch_size"]
            assert len(set(shop["duplicates"][batch.products])) == len(batch.products)
            assert np.array_equal(shop["photo_product"][batch.photos], batch.products)
            assert np.array_equal(shop["shop_product"][batch.shop], batch.products)
            assert shop["products"][batch.products].all()
            if shop["own"] is not None:
                assert (shop["own"][batch.photos] != batch.shop).all()
            seen += batch.products.tolist()
        assert len(seen) == len(set(seen))
        assert n_batches <= batches.n_batches
        if len(set(shop["duplicates"])) == len(shop["duplicates"]):  # no copies: nearly nobody is left out
            assert n_batches == batches.n_batches
            n_lots = 3 if shop["within_category"] else 1
            assert batches.n_products - len(seen) <= n_lots


@settings(deadline=None)
@given(shops(), st.integers(0, 30))
def test_restored_batches_go_on_exactly(shop, n_before):
    def endless(batches):
        for _ in range(3):
            yield from batches.epoch()

    batches = Batches(**shop)
    coming = endless(batches)
    taken = list(itertools.islice(coming, n_before))
    state = batches.state()
    wanted = list(coming)
    restored = Batches(**shop)
    restored.restore(state)
    found = list(endless(restored))[: len(wanted)]
    assert len(found) == len(wanted)
    assert len(taken) <= n_before
    for one, other in zip(found, wanted, strict=True):
        for name in ("products", "photos", "shop"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
