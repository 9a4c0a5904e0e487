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
        n_unseen = Pruner(writer, "shop").count(whole_products=whole_products)
        assert Pruner(writer, "street").count(whole_products=whole_products) == 0
    assert paths(catalog) == before
    with writer.transaction():
        assert n_unseen == Pruner(writer, "shop").remove(whole_products=whole_products).images > 0


def test_other_sources_are_left_alone(
    catalog: Catalog, writer: Writer, shop: Shop, store: Any, entry: Callable[..., ImageEntry]
) -> None:
    red = catalog.product("red")
    store((red, entry("red", "/street/red.jpg")), source="street")
    with writer.transaction():
        assert Pruner(writer, "shop").remove() == Pruned(products=2, images=4)
    assert paths(catalog) == ["/street/red.jpg"]
    with writer.transaction():
        assert Pruner(writer, "street").remove() == Pruned(products=1, images=1)
    assert catalog.products() == []


def test_products_that_had_no_image_anyway_stay(catalog: Catalog, writer: Writer, shop: Shop) -> None:
    with writer.transaction():
        writer.upsert_products([Product("planned", "Planned", "dress")], source="shop")
        Pruner(writer, "shop").remove()
    assert [product.id for product in catalog.products()] == ["planned"]


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
