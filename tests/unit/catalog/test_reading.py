from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer
from stylesearch.catalog import catalog as catalog_module
from stylesearch.errors import NotInCatalog
from stylesearch.types import Box, Domain, ImageRecord, Product, ProductFilter

Shop = dict[str, int]
Entry = Callable[..., ImageEntry]


def test_features_come_in_blocks_in_the_order_of_their_ids(
    catalog: Catalog, feature_set: FeatureSet, shop: Shop, vectors_for: Any
) -> None:
    blocks = list(catalog.features(feature_set, block=3))
    assert [ids.tolist() for ids, _ in blocks] == [[1, 2, 3], [4]]
    assert all(ids.dtype == np.int64 and vectors.dtype == np.float32 for ids, vectors in blocks)
    np.testing.assert_array_equal(np.concatenate([vectors for _, vectors in blocks]), vectors_for(4))
    assert [ids.tolist() for ids, _ in catalog.features(feature_set, block=2)] == [[1, 2], [3, 4]]


def test_features_of_a_category_a_domain_and_since_an_id(
    catalog: Catalog, feature_set: FeatureSet, shop: Shop, store: Any, entry: Entry
) -> None:
    street = entry("red", "/street/1.jpg", domain=Domain.CONSUMER)
    store((Product("red", "Red dress", "dress"), street))

    def ids(**only: Any) -> list[int]:
        return [int(i) for found, _ in catalog.features(feature_set, **only) for i in found]

    assert ids(category="dress") == [1, 2, 3]
    assert ids(category="dress", after_id=1) == [2, 3]
    assert ids(after_id=3) == [4]
    assert ids(after_id=np.int64(3)) == [4]
    assert ids(after_id=4) == []
    assert ids(category="hat") == []
    assert ids(domain=Domain.CONSUMER) == [5]
    assert ids(domain=Domain.CONSUMER, category="dress") == [5]
    assert catalog.categories(feature_set) == {"dress": 3, "skirt": 1}
    assert catalog.category_names(feature_set) == ["dress", "skirt"]
    assert catalog.category_names(feature_set, domain=Domain.CONSUMER) == ["dress"]
    assert catalog.last_feature_id(feature_set) == 4
    assert catalog.last_feature_id(feature_set, category="dress") == 3
    assert catalog.last_feature_id(feature_set, domain=Domain.CONSUMER) == 5
    assert catalog.last_feature_id(feature_set, category="hat") == 0
    for only in (
        {},
        {"category": "dress"},
        {"category": "dress", "after_id": np.int64(1)},
        {"after_id": 4},
        {"category": "hat"},
        {"domain": Domain.CONSUMER},
        {"domain": Domain.CONSUMER, "category": "dress", "after_id": 4},
    ):
        assert catalog.count_features(feature_set, **only) == len(ids(**only)), only
    assert catalog.count_features(feature_set, category="dress", after_id=1) == 2


def test_a_reading_goes_on_while_rows_are_added_and_removed(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: Shop, store: Any, entry: Entry
) -> None:
    blocks = catalog.features(feature_set, block=2)
    first, _ = next(blocks)
    with writer.transaction():
        writer.remove_products(["blue"])
    store((Product("new", "New", "dress"), entry("new", "/new.jpg")))
    assert [first.tolist(), *(ids.tolist() for ids, _ in blocks)] == [[1, 2], [4, 5]]


def test_a_sample_of_features_is_the_same_every_time_and_of_one_domain(
    catalog: Catalog, feature_set: FeatureSet, shop: Shop, store: Any, entry: Entry, vectors_for: Any
) -> None:
    street = entry("red", "/street/1.jpg", domain=Domain.CONSUMER)
    store((Product("red", "Red dress", "dress"), street))

    def sample(n: int, domain: Domain = Domain.SHOP) -> tuple[list[int], Any]:
        blocks = list(catalog.sample_features(feature_set, n, domain=domain))
        ids = [int(i) for found, _ in blocks for i in found]
        return ids, np.concatenate([vectors for _, vectors in blocks])

    for n in (4, 5, 100):
        ids, vectors = sample(n)
        assert ids == [1, 2, 3, 4]
        np.testing.assert_array_equal(vectors, vectors_for(4))
    for n in (1, 2, 3):
        ids, vectors = sample(n)
        assert len(ids) == n and ids == sorted(set(ids)) and set(ids) <= {1, 2, 3, 4}
        np.testing.assert_array_equal(vectors, vectors_for(4)[[one - 1 for one in ids]])
        assert sample(n)[0] == ids
    assert sample(3, Domain.CONSUMER)[0] == [5]


def test_a_sample_does_not_depend_on_the_order_in_which_a_database_gives_rows(
    catalog: Catalog, feature_set: FeatureSet, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sample() -> list[int]:
        return [int(i) for ids, _ in catalog.sample_features(feature_set, 2) for i in ids]

    before, read = sample(), catalog_module.read_numbers
    monkeypatch.setattr(catalog_module, "read_numbers", lambda *given: read(*given)[:, ::-1])
    assert sample() == before


def test_a_large_sample_comes_in_blocks_and_leaves_out_what_is_removed_meanwhile(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stylesearch.catalog.catalog.BLOCK", 2)
    blocks = catalog.sample_features(feature_set, 10)
    first, _ = next(blocks)
    with writer.transaction():
        writer.remove_products(["blue"])
    assert [first.tolist(), *(ids.tolist() for ids, _ in blocks)] == [[1, 2], [4]]


def test_feature_sets_are_kept_apart(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    make_feature_set: Any,
    shop: Shop,
    vectors_for: Any,
) -> None:
    other = make_feature_set("vgg16")
    assert list(catalog.features(other)) == []
    assert catalog.categories(other) == {}
    assert catalog.category_names(other) == []
    with pytest.raises(NotInCatalog, match="no vector of vgg16"):
        catalog.product_features("red", other)
    with writer.transaction():
        writer.add_features(other, [shop["/shop/red-1.jpg"]], vectors_for(1, start=20))
    assert [ids.tolist() for ids, _ in catalog.features(other)] == [[5]]
    assert catalog.status().features == ((feature_set, 4), (other, 1))
    ids, _ = catalog.vectors(other, [1, 5])
    assert ids.tolist() == [5]


def test_vectors_by_id(catalog: Catalog, feature_set: FeatureSet, shop: Shop, vectors_for: Any) -> None:
    ids, vectors = catalog.vectors(feature_set, np.array([4, 99, 2, 4]))
    assert ids.tolist() == [2, 4]
    np.testing.assert_array_equal(vectors, vectors_for(4)[[1, 3]])
    ids, vectors = catalog.vectors(feature_set, [])
    assert (ids.shape, vectors.shape) == ((0,), (0, 6))


def test_hits_carry_the_whole_product_and_image(
    catalog: Catalog, writer: Writer, shop: Shop, store: Any, entry: Entry
) -> None:
    boxed = Product("boxed", "Boxed", "coat", url="u", price="5", attributes={"color": "ü", "n": [1, None]})
    store((boxed, entry("boxed", "/straße/é 100%.jpg", box=Box(1, 2, 30, 40))))
    hits = catalog.hits_for(np.array([5, 2, 77], dtype=np.int64))
    assert set(hits) == {2, 5}
    assert hits[5] == (
        boxed,
        ImageRecord(
            "/straße/é 100%.jpg",
            "sha of /straße/é 100%.jpg",
            Domain.SHOP,
            width=30,
            height=40,
            box=Box(1, 2, 30, 40),
        ),
    )
    assert hits[2][0] == Product(
        "red", "Red dress", "dress", url="https://shop.example/red", price="19.90 EUR"
    )
    assert hits[2][1].path == "/shop/red-2.jpg"
    assert catalog.hits_for([]) == {}


def test_hits_for_more_ids_than_fit_into_one_statement(
    catalog: Catalog, feature_set: FeatureSet, store: Any, entry: Entry
) -> None:
    store(*((Product(f"p{i}", f"P {i}", "dress"), entry(f"p{i}", f"/{i}.jpg")) for i in range(1203)))
    hits = catalog.hits_for(range(1, 1204))
    assert [hits[i][0].id for i in range(1, 1204)] == [f"p{i}" for i in range(1203)]


def test_products_are_listed_in_pages(catalog: Catalog, shop: Shop) -> None:
    assert [product.id for product in catalog.products()] == ["blue", "pleated", "red"]
    assert [product.id for product in catalog.products(limit=2)] == ["blue", "pleated"]
    assert [product.id for product in catalog.products(after="pleated", limit=2)] == ["red"]
    assert [product.id for product in catalog.products(ProductFilter("dress"))] == ["blue", "red"]
    assert [product.id for product in catalog.products(ProductFilter("dress"), after="blue")] == ["red"]
    assert catalog.products(ProductFilter("hat")) == []


def test_one_product_and_its_images(catalog: Catalog, feature_set: FeatureSet, shop: Shop) -> None:
    assert catalog.product("blue") == Product("blue", "Blue dress", "dress", attributes={"size": "M"})
    assert [image.path for image in catalog.images_of("red")] == ["/shop/red-1.jpg", "/shop/red-2.jpg"]
    ids, vectors = catalog.product_features("red", feature_set)
    assert ids.tolist() == [1, 2]
    assert vectors.shape == (2, 6)


def test_the_vectors_of_a_product_are_those_of_shop_images_where_it_has_any(
    catalog: Catalog, feature_set: FeatureSet, store: Any, entry: Entry
) -> None:
    both, seen = Product("both", "Both", "dress"), Product("seen", "Seen", "dress")
    store(
        (both, entry("both", "/a-street.jpg", domain=Domain.CONSUMER)),
        (both, entry("both", "/shop.jpg")),
        (seen, entry("seen", "/b-street.jpg", domain=Domain.CONSUMER)),
        (seen, entry("seen", "/c-street.jpg", domain=Domain.CONSUMER)),
    )
    found = {name: catalog.product_features(name, feature_set) for name in ("both", "seen")}
    assert {name: ids.tolist() for name, (ids, _) in found.items()} == {"both": [2], "seen": [3, 4]}
    assert {name: vectors[:, 0].tolist() for name, (_, vectors) in found.items()} == {
        "both": [1],
        "seen": [2, 3],
    }


def test_a_product_that_is_not_there(catalog: Catalog, feature_set: FeatureSet) -> None:
    for ask in (
        catalog.product,
        catalog.images_of,
        lambda product_id: catalog.product_features(product_id, feature_set),
    ):
        with pytest.raises(NotInCatalog, match="no product 'nobody'"):
            ask("nobody")


def test_known_images(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, make_feature_set: Any, shop: Shop, entry: Entry
) -> None:
    other = make_feature_set("vgg16")
    with writer.transaction():
        writer.upsert_images([entry("blue", "/shop/blue-2.jpg", stat_key="1-2-3-4")], source="shop")
    keys = [
        ("red", "/shop/red-1.jpg"),
        ("blue", "/shop/blue-2.jpg"),
        ("red", "/shop/blue.jpg"),
        ("x", "/x.jpg"),
    ]
    known = catalog.known_images(keys, [feature_set, other])
    assert set(known) == set(keys[:2])
    red, blue = known[keys[0]], known[keys[1]]
    assert red.feature_sets == {feature_set.pk}
    assert red.pk == shop["/shop/red-1.jpg"]
    assert red.product.price == "19.90 EUR"
    assert (red.stat_key, red.error, red.file, red.domain) == (None, None, None, Domain.SHOP)
    assert (blue.feature_sets, blue.stat_key) == (frozenset(), "1-2-3-4")
    assert catalog.known_images(keys[:1])[keys[0]].feature_sets == frozenset()
    assert catalog.known_images([]) == {}


def test_known_contents(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    make_feature_set: Any,
    shop: Shop,
    entry: Entry,
    vectors_for: Any,
) -> None:
    other = make_feature_set("vgg16")
    box = Box(1, 2, 3, 4)
    with writer.transaction():
        images = writer.upsert_images(
            [entry("red", "/boxed.jpg", "sha of /shop/red-1.jpg", box=box)], source="s"
        )
        writer.add_features(other, [pk for pk, _ in images.values()], vectors_for(1, start=30))
        writer.upsert_images([entry("red", "/bare.jpg", "no vector yet")], source="s")
    wanted = [
        ("sha of /shop/red-1.jpg", None),
        ("sha of /shop/red-1.jpg", box),
        ("sha of /shop/red-1.jpg", Box(0, 0, 1, 1)),
        ("no vector yet", None),
        ("unheard of", None),
    ]
    known = catalog.known_contents(wanted, [feature_set, other])
    assert set(known) == set(wanted[:2])
    whole, boxed = known[wanted[0]], known[wanted[1]]
    assert (whole.width, whole.height) == (30, 40)
    assert set(whole.vectors) == {feature_set.pk}
    np.testing.assert_array_equal(whole.vectors[feature_set.pk], vectors_for(1)[0])
    assert set(boxed.vectors) == {other.pk}
    np.testing.assert_array_equal(boxed.vectors[other.pk], vectors_for(1, start=30)[0])


def test_an_empty_catalog(catalog: Catalog) -> None:
    status = catalog.status()
    assert (status.products, status.images, status.failed_images, status.features) == (0, 0, 0, ())
    assert catalog.products() == []
    assert catalog.failures() == []
    assert catalog.highest_feature_id() == 0
    assert catalog.hits_for([1]) == {}
