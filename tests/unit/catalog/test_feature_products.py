"""Which product a feature is of is read once, and followed from then on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import BigInteger, literal, select

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer, feature_products, selection
from stylesearch.catalog.feature_products import FeatureProducts
from stylesearch.catalog.queries import read_numbers
from stylesearch.catalog.tables import features, images, products
from stylesearch.errors import CatalogDamaged
from stylesearch.types import Product, ProductFilter


def test_numbers_are_read_column_by_column(
    catalog: Catalog, feature_set: FeatureSet, shop: dict[str, int]
) -> None:
    with catalog._connect() as connection:
        ids, pks = read_numbers(connection, select(features.c.id, features.c.image_pk))
        assert (ids.dtype, sorted(zip(ids.tolist(), pks.tolist(), strict=True))) == (
            np.int64,
            [tuple(row) for row in connection.execute(select(features.c.id, features.c.image_pk)).all()],
        )
        assert read_numbers(connection, select(features.c.id).where(features.c.id < 0)).shape == (1, 0)
        big = read_numbers(connection, select(literal(2**63 - 1, BigInteger).label("big")))
        assert big.tolist() == [[2**63 - 1]]


def test_features_that_are_added_and_removed_are_followed(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    make_feature_set: Callable[[str], FeatureSet],
    shop: dict[str, int],
    store: Any,
    entry: Callable[..., ImageEntry],
    vectors_for: Any,
) -> None:
    known = FeatureProducts(catalog._reading, feature_set)

    def features_of(*names: str) -> list[int]:
        state = catalog.state()
        with catalog._connect() as connection:
            (pks,) = read_numbers(connection, select(products.c.pk).where(products.c.id.in_(names)))
            of_products = images.c.product_pk.in_(pks.tolist())
            joined = select(features.c.id).join(images, features.c.image_pk == images.c.pk)
            joined = joined.where(of_products, features.c.feature_set_pk == feature_set.pk)
            expected = connection.execute(joined).scalars().all()
            assert known.follow(state)
            found = known.features_of(pks).tolist()
            existing = connection.execute(select(features.c.id)).scalars().all()
        assert found == sorted(found)
        # What was removed may be among them: hits are read from its rows, which are gone.
        assert sorted(set(found).intersection(existing)) == sorted(expected)
        return sorted(expected)

    assert features_of("red") == [1, 2]
    assert features_of("blue", "red") == [1, 2, 3]
    assert features_of("nobody") == []
    other = make_feature_set("vgg16")
    with writer.transaction():
        writer.add_features(other, [shop["/shop/red-1.jpg"]], vectors_for(1))
    assert features_of("red") == [1, 2], "of another feature set"
    store((Product("red", "Red dress", "dress"), entry("red", "/shop/red-3.jpg")))
    assert len(features_of("red")) == 3
    with writer.transaction():
        writer.refile_products([1, 2, 3])
        writer.remove_products(["blue"])
    assert len(features_of("red", "blue", "pleated")) == 4


def test_features_that_are_gone_do_not_pile_up(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    shop: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feature_products, "GROWN_BY", 0)
    known = FeatureProducts(catalog._reading, feature_set)
    sizes = []
    for _ in range(4):
        with writer.transaction():
            writer.refile_products([1, 2, 3])
        assert known.follow(catalog.state())
        sizes.append(len(known))
    assert sizes == [4, 8, 4, 8]


def test_a_change_between_the_products_and_their_features_is_noticed(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    shop: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where, selections = ProductFilter(where="category=dress"), catalog._selections
    selections._n_asked[feature_set.pk] = 100
    assert catalog.select_features(feature_set, where).ids.tolist() == [1, 2, 3]
    selections._kept.clear()
    read = selection.keys_that_meet

    def read_and_refile(*given: Any) -> Any:
        found = read(*given)
        with writer.transaction():
            writer.refile_products([1, 2, 3])
        return found

    monkeypatch.setattr(selection, "keys_that_meet", read_and_refile)
    found = catalog.select_features(feature_set, where).ids.tolist()
    (existing,) = [ids.tolist() for ids, _ in catalog.features(feature_set, category="dress")]
    assert found == existing


def test_features_that_another_thread_reads_are_not_waited_for(
    catalog: Catalog, feature_set: FeatureSet, shop: dict[str, int]
) -> None:
    selections = catalog._selections
    selections._n_asked[feature_set.pk] = 100
    where = ProductFilter(where="category=dress")
    selected = catalog.select_features(feature_set, where)
    known = selections._products[feature_set.pk]
    with known._reading:
        assert not known.follow(catalog.state())
        assert selected.ids.tolist() == [1, 2, 3]


def test_a_number_that_is_none_is_damage(catalog_file: Path) -> None:
    wrong = select(literal(1).label("id"), literal("x").label("product_pk")).subquery()
    with Catalog.open(catalog_file) as catalog, catalog._connect() as connection:
        for statement in (
            select(wrong),
            select(wrong.c.product_pk),
            select(literal(7.5).label("product_pk")),
        ):
            with pytest.raises(CatalogDamaged, match="product_pk is not a whole number"):
                read_numbers(connection, statement)


def test_one_search_does_not_read_the_products_of_all_features(
    catalog: Catalog, feature_set: FeatureSet, shop: dict[str, int]
) -> None:
    selections = catalog._selections
    for number in range(3):
        where = ProductFilter(where=f"price<{number + 1}")
        selected = catalog.select_features(feature_set, where)
        selected.among(np.array([1, 2]))
        if number == 0:
            assert not selections._products
    assert list(selections._products) == [feature_set.pk]
