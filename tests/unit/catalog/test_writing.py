from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stylesearch.catalog import Catalog, Change, FeatureSet, ImageEntry, ProductChange, Writer
from stylesearch.errors import CatalogError, DatasetError, NotInCatalog
from stylesearch.listing import Listing
from stylesearch.types import Box, Domain, Product

Entry = Callable[..., ImageEntry]
Shop = dict[str, int]


def feature_ids(catalog: Catalog, feature_set: FeatureSet, **only: Any) -> list[int]:
    return [int(i) for ids, _ in catalog.features(feature_set, **only) for i in ids]


def test_a_product_without_id_is_refused(writer: Writer) -> None:
    with pytest.raises(DatasetError, match="every product has an id"), writer.transaction():
        writer.upsert_products([Product("whole", "a", "dress"), Product("", "a", "dress")], source="shop")


def test_a_product_without_title_and_category_gets_some(catalog: Catalog, writer: Writer) -> None:
    with writer.transaction():
        writer.upsert_products([Listing("a"), Listing("b", guesses={"title": "Bee"})], source="shop")
    assert catalog.products() == [Product("a", "a", "uncategorized"), Product("b", "Bee", "uncategorized")]


def test_products_are_new_then_unchanged_then_changed(catalog: Catalog, writer: Writer) -> None:
    first = Product("a", "A", "dress", attributes={"sizes": ["S", "M"], "eco": True})
    with writer.transaction():
        assert writer.upsert_products([first], source="shop") == {"a": (1, ProductChange(Change.NEW))}
    with writer.transaction():
        assert writer.upsert_products([first], source="shop") == {"a": (1, ProductChange(Change.UNCHANGED))}
    second = Product("a", "A!", "dress", price="9.90")
    with writer.transaction():
        assert writer.upsert_products([second, Product("b", "B", "top")], source="shop") == {
            "a": (1, ProductChange(Change.CHANGED, {"title": ("A", "A!"), "price": (None, "9.90")})),
            "b": (2, ProductChange(Change.NEW)),
        }
    assert catalog.product("a") == replace(second, attributes=first.attributes)
    assert catalog.status().products == 2


def test_attributes_that_json_rewrites_do_not_look_new_at_every_run(writer: Writer) -> None:
    product = Product("a", "A", "dress", attributes={"sizes": ("S", "M"), 7: "seven"})  # type: ignore[dict-item]
    with writer.transaction():
        writer.upsert_products([product], source="shop")
        assert writer.upsert_products([product], source="shop")["a"][1].change is Change.UNCHANGED


def test_of_two_products_with_one_id_the_first_counts(catalog: Catalog, writer: Writer) -> None:
    with writer.transaction():
        writer.upsert_products(
            [Product("a", "first", "dress"), Product("a", "second", "skirt")], source="shop"
        )
    assert catalog.product("a").title == "first"


def test_more_products_than_fit_into_one_statement(catalog: Catalog, writer: Writer) -> None:
    products = [Product(f"p{i:05}", f"P {i}", "dress") for i in range(2345)]
    with writer.transaction():
        added = writer.upsert_products(products, source="shop")
        assert {one.change for _, one in added.values()} == {Change.NEW}
        again = writer.upsert_products(products, source="shop")
        assert {one.change for _, one in again.values()} == {Change.UNCHANGED}
        images = writer.upsert_images(
            [ImageEntry(p.id, f"/{p.id}.jpg", sha256="s", width=1, height=1) for p in products], source="s"
        )
    assert len({pk for pk, _ in images.values()}) == 2345
    assert list(images) == [(p.id, f"/{p.id}.jpg") for p in products]
    with writer.transaction():
        assert writer.remove_products(p.id for p in products) == 2345
    assert catalog.status().images == 0


def test_images_are_new_then_unchanged(writer: Writer, shop: Shop, entry: Entry) -> None:
    with writer.transaction():
        again = writer.upsert_images([entry("red", "/shop/red-1.jpg")], source="shop")
        assert again == {("red", "/shop/red-1.jpg"): (shop["/shop/red-1.jpg"], Change.UNCHANGED)}
        more = writer.upsert_images([entry("red", "/shop/red-3.jpg")], source="shop")
    assert [change for _, change in more.values()] == [Change.NEW]


@pytest.mark.parametrize(
    "change", [{"content": "other bytes"}, {"box": Box(1, 2, 3, 4)}, {"error": "cannot be decoded"}]
)
def test_another_content_box_or_an_error_removes_the_vectors(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    shop: Shop,
    entry: Entry,
    change: dict[str, Any],
) -> None:
    path = "/shop/red-1.jpg"
    with writer.transaction():
        changed = writer.upsert_images([entry("red", path, **change)], source="shop")
    assert changed == {("red", path): (shop[path], Change.CHANGED)}
    assert feature_ids(catalog, feature_set) == [2, 3, 4]
    known = catalog.known_images([("red", path)], [feature_set])["red", path]
    assert known.feature_sets == frozenset()
    assert known.box == change.get("box")
    assert known.error == change.get("error")


def test_a_stat_key_a_size_or_a_source_alone_keeps_the_vectors(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: Shop, entry: Entry
) -> None:
    path = "/shop/red-1.jpg"
    with writer.transaction():
        result = writer.upsert_images([entry("red", path, stat_key="7-8-9-1", width=31)], source="other")
    assert [change for _, change in result.values()] == [Change.UNCHANGED]
    known = catalog.known_images([("red", path)])["red", path]
    assert (known.stat_key, known.width) == ("7-8-9-1", 31)
    assert feature_ids(catalog, feature_set) == [1, 2, 3, 4]


def test_a_failed_image_is_kept_with_its_reason_and_can_recover(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, entry: Entry, vectors_for: Any
) -> None:
    broken = ImageEntry("a", "/a.jpg", error="not a picture")
    with writer.transaction():
        writer.upsert_products([Product("a", "A", "dress")], source="shop")
        ((pk, change),) = writer.upsert_images([broken], source="shop").values()
    assert change is Change.NEW
    assert [(failure.item, failure.reason) for failure in catalog.failures()] == [("/a.jpg", "not a picture")]
    assert catalog.status().failed_images == 1
    assert catalog.images_of("a") == []
    with writer.transaction(), pytest.raises(CatalogError, match="not usable"):
        writer.add_features(feature_set, [pk], vectors_for(1))
    with writer.transaction():
        assert writer.upsert_images([broken], source="shop") == {("a", "/a.jpg"): (pk, Change.UNCHANGED)}
        assert writer.upsert_images([entry("a", "/a.jpg")], source="shop") == {
            ("a", "/a.jpg"): (pk, Change.CHANGED)
        }
        writer.add_features(feature_set, [pk], vectors_for(1))
    assert catalog.failures() == []
    assert [image.path for image in catalog.images_of("a")] == ["/a.jpg"]


def test_an_entry_has_either_content_or_an_error() -> None:
    with pytest.raises(ValueError, match="a usable picture has"):
        ImageEntry("a", "/a.jpg", sha256="s", width=0, height=3)
    with pytest.raises(ValueError, match="a usable picture has"):
        ImageEntry("a", "/a.jpg", width=3, height=3)


def test_images_need_their_product(writer: Writer, entry: Entry) -> None:
    with writer.transaction(), pytest.raises(NotInCatalog, match="'nobody'"):
        writer.upsert_images([entry("nobody", "/a.jpg")], source="shop")


def test_a_product_that_moves_takes_its_vectors_along_under_new_ids(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    make_feature_set: Any,
    shop: Shop,
    vectors_for: Any,
) -> None:
    second = make_feature_set("vgg16")
    with writer.transaction():
        writer.add_features(second, [shop["/shop/red-2.jpg"]], vectors_for(1, start=50))
    _, before = catalog.product_features("red", feature_set)
    with writer.transaction():
        writer.upsert_products([Product("red", "Red dress", "skirt")], source="shop")
    assert feature_ids(catalog, feature_set, category="dress") == [3]
    assert feature_ids(catalog, feature_set, category="skirt") == [4, 6, 7]
    assert feature_ids(catalog, second, category="skirt") == [8]
    ids, after = catalog.product_features("red", feature_set)
    assert ids.tolist() == [6, 7]
    np.testing.assert_array_equal(after, before)
    assert catalog.hits_for([1, 2, 6])[6][0].category == "skirt"
    assert set(catalog.hits_for([1, 2, 6])) == {6}


def test_a_new_title_keeps_the_feature_ids(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: Shop
) -> None:
    with writer.transaction():
        changed = writer.upsert_products([Product("red", "Crimson", "dress")], source="shop")
        assert changed["red"][1].fields == {"title": ("Red dress", "Crimson")}
    assert feature_ids(catalog, feature_set) == [1, 2, 3, 4]


def test_a_image_of_another_domain_is_filed_there_under_a_new_id(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: Shop, entry: Entry
) -> None:
    with writer.transaction():
        moved = writer.upsert_images([entry("red", "/shop/red-1.jpg", domain=Domain.CONSUMER)], source="shop")
    assert [change for _, change in moved.values()] == [Change.CHANGED]
    assert feature_ids(catalog, feature_set) == [2, 3, 4]
    assert feature_ids(catalog, feature_set, domain=Domain.CONSUMER) == [5]
    assert catalog.categories(feature_set, domain=Domain.CONSUMER) == {"dress": 1}


def test_feature_ids_are_never_used_again(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: Shop, store: Any, entry: Entry
) -> None:
    with writer.transaction():
        writer.remove_products(["red", "blue", "pleated"])
    assert catalog.status().features == ((feature_set, 0),)
    store((Product("new", "New", "dress"), entry("new", "/new.jpg")))
    assert feature_ids(catalog, feature_set) == [5]


def test_vectors_given_again_replace_the_old_under_new_ids(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: Shop, vectors_for: Any
) -> None:
    with writer.transaction():
        writer.add_features(feature_set, [shop["/shop/blue.jpg"]], vectors_for(1, start=9))
    ids, vectors = catalog.product_features("blue", feature_set)
    assert ids.tolist() == [5]
    np.testing.assert_array_equal(vectors, vectors_for(1, start=9))


def test_vectors_of_another_shape_or_of_no_image_are_refused(
    writer: Writer, feature_set: FeatureSet, shop: Shop, vectors_for: Any
) -> None:
    with writer.transaction(), pytest.raises(ValueError, match=r"need vectors of the shape \(2, 6\)"):
        writer.add_features(feature_set, [1, 2], vectors_for(3))
    with writer.transaction(), pytest.raises(CatalogError, match="not in the catalog"):
        writer.add_features(feature_set, [99], vectors_for(1))


def test_a_feature_set_is_made_once(catalog: Catalog, writer: Writer, feature_set: FeatureSet) -> None:
    same = {
        "extractor": feature_set.extractor,
        "parameters": {},
        "weights_digest": "w",
        "dim": feature_set.dim,
    }
    with writer.transaction():
        assert writer.feature_set(fingerprint=feature_set.fingerprint, **same) == feature_set  # type: ignore[arg-type]
        other = writer.feature_set(fingerprint="another", dtype="float32", **same)  # type: ignore[arg-type]
    assert catalog.feature_sets() == [feature_set, other]
    assert catalog.find_feature_set("another") == other
    assert catalog.find_feature_set("nothing") is None
    with writer.transaction(), pytest.raises(CatalogError, match="have 6 numbers, not 7"):
        writer.feature_set(fingerprint="another", **(same | {"dim": 7}))  # type: ignore[arg-type]
    with writer.transaction(), pytest.raises(ValueError, match="float16, float32"):
        writer.feature_set(fingerprint="x", dtype="int8", **same)  # type: ignore[arg-type]


def test_removing_a_product_removes_all_of_it(
    catalog: Catalog, writer: Writer, feature_set: FeatureSet, shop: Shop
) -> None:
    with writer.transaction():
        assert writer.remove_products(["red", "red", "nobody"]) == 1
    status = catalog.status()
    assert (status.products, status.images, status.features) == (2, 2, ((feature_set, 2),))
    with pytest.raises(NotInCatalog, match="no product 'red'"):
        catalog.product("red")
