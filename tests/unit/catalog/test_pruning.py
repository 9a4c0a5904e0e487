from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Pruned, Writer
from stylesearch.catalog.pruning import Pruner
from stylesearch.types import Product

Shop = dict[str, int]


def paths(catalog: Catalog) -> list[str]:
    return sorted(image.path for product in catalog.products() for image in catalog.images_of(product.id))


def test_what_was_not_seen_goes_with_its_vectors(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: Shop
) -> None:
    with writer.transaction():
        Pruner(writer, "shop").mark([shop["/shop/red-1.jpg"], shop["/shop/red-1.jpg"]])
    with writer.transaction():
        Pruner(writer, "shop").mark([shop["/shop/pleated.jpg"]])
        assert Pruner(writer, "shop").remove() == Pruned(products=1, images=2)
    assert paths(catalog) == ["/shop/pleated.jpg", "/shop/red-1.jpg"]
    assert [ids.tolist() for ids, _ in catalog.features(feature_set)] == [[1, 4]]


def test_only_images_that_a_seen_product_no_longer_lists(
    catalog: Catalog, writer: Writer, shop: Shop
) -> None:
    with writer.transaction():
        Pruner(writer, "shop").mark([shop["/shop/red-1.jpg"]])
        assert Pruner(writer, "shop").remove(whole_products=False) == Pruned(products=0, images=1)
    assert paths(catalog) == ["/shop/blue.jpg", "/shop/pleated.jpg", "/shop/red-1.jpg"]


@pytest.mark.parametrize("whole_products", [True, False])
def test_what_would_go_is_counted_and_stays(
    catalog: Catalog, writer: Writer, shop: Shop, whole_products: bool
) -> None:
    before = paths(catalog)
    with writer.transaction():
        Pruner(writer, "shop").mark([shop["/shop/red-1.jpg"]])
        unseen = Pruner(writer, "shop").count(whole_products=whole_products)
        assert Pruner(writer, "street").count(whole_products=whole_products) == Pruned(0, 0)
    assert paths(catalog) == before
    with writer.transaction():
        assert unseen == Pruner(writer, "shop").remove(whole_products=whole_products)
    assert unseen == (Pruned(2, 3) if whole_products else Pruned(0, 1))


def test_other_sources_are_left_alone(
    catalog: Catalog, writer: Writer, shop: Shop, store: Any, entry: Callable[..., ImageEntry]
) -> None:
    red = catalog.product("red")
    store((red, entry("red", "/street/red.jpg")), source="street")
    with writer.transaction():
        assert Pruner(writer, "shop").remove() == Pruned(products=2, images=4)
    assert paths(catalog) == ["/street/red.jpg"]
    assert catalog.product("red") == red, "the other source said the same of it"
    with writer.transaction():
        assert Pruner(writer, "street").remove() == Pruned(products=1, images=1)
    assert catalog.products() == []


def test_a_product_without_an_image_stays_while_it_is_listed(
    catalog: Catalog, writer: Writer, shop: Shop
) -> None:
    with writer.transaction():
        planned = writer.upsert_products([Product("planned", "Planned", "dress")], source="shop")
        Pruner(writer, "shop").mark([], [planned["planned"][0]])
        assert Pruner(writer, "shop").remove() == Pruned(products=3, images=4)
    assert [product.id for product in catalog.products()] == ["planned"]


def test_a_product_with_an_image_that_cannot_be_used_keeps_all_it_had(
    catalog: Catalog, writer: Writer, shop: Shop
) -> None:
    with writer.transaction():
        red = writer.upsert_products([catalog.product("red")], source="shop")["red"][0]
        Pruner(writer, "shop").mark([shop["/shop/red-1.jpg"]], [red], keeps_images=True)
        assert Pruner(writer, "shop").remove() == Pruned(products=2, images=2)
    assert paths(catalog) == ["/shop/red-1.jpg", "/shop/red-2.jpg"]


def test_an_image_that_two_sources_list_goes_with_the_second(
    catalog: Catalog, writer: Writer, shop: Shop, entry: Callable[..., ImageEntry]
) -> None:
    with writer.transaction():
        writer.upsert_products([Product("red", "Crimson", "dress", price="5 EUR")], source="sale")
        writer.upsert_images([entry("red", "/shop/red-1.jpg")], source="sale")
    with writer.transaction():
        assert Pruner(writer, "shop").remove() == Pruned(products=2, images=3)
    assert paths(catalog) == ["/shop/red-1.jpg"]
    left = catalog.product("red")
    assert (left.title, left.price, left.url) == ("Crimson", "5 EUR", None)
    with writer.transaction():
        assert Pruner(writer, "sale").remove() == Pruned(products=1, images=1)


def test_pruning_twice_removes_nothing_more(writer: Writer, shop: Shop) -> None:
    with writer.transaction():
        Pruner(writer, "shop").mark(shop.values())
        assert Pruner(writer, "shop").remove() == Pruned(0, 0)
    with writer.transaction():
        assert Pruner(writer, "shop").remove() == Pruned(0, 0)
        assert Pruner(writer, "never heard of").remove() == Pruned(0, 0)


def test_marks_of_an_earlier_writer_do_not_count(catalog: Catalog, entry: Callable[..., ImageEntry]) -> None:
    with catalog.writing() as first, first.transaction():
        first.upsert_products([Product("a", "A", "dress")], source="shop")
        ((pk, _),) = first.upsert_images([entry("a", "/a.jpg")], source="shop").values()
        Pruner(first, "shop").mark([pk])
    with catalog.writing() as second, second.transaction():
        assert Pruner(second, "shop").remove() == Pruned(products=1, images=1)


def test_marks_of_a_transaction_that_failed_do_not_count(writer: Writer, shop: Shop) -> None:
    with pytest.raises(KeyError), writer.transaction():
        Pruner(writer, "shop").mark(shop.values())
        raise KeyError
    with writer.transaction():
        Pruner(writer, "shop").mark([shop["/shop/blue.jpg"]])
        assert Pruner(writer, "shop").remove().images == 3
