"""Who is searched with and in: every rule on a catalog small enough to see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stylesearch.errors import ConfigError, NotInCatalog
from stylesearch.evaluation.indexed import check_indexed
from stylesearch.evaluation.protocol import Protocol, choose, count_catalog
from stylesearch.evaluation.results import StudySettings
from stylesearch.evaluation.study import gallery_facts, query_facts
from stylesearch.features import images as features_images
from stylesearch.features.images import list_images
from stylesearch.types import Box

ROWS = [
    ("b", "b_main.jpg", "shop", "b0"),
    ("b", "a_back.jpg", "shop", "b1"),  # listed second, though its name comes first
    ("b", "b_street.jpg", "consumer", "b2"),
    ("a", "a_main.jpg", "shop", "a0"),
    ("a", "a_street.jpg", "consumer", "a0"),  # the very picture of the shop
    ("n", "n_main.jpg", "shop", "n0"),
    ("z", "z_street.jpg", "consumer", "z0"),  # the shop has no picture of it
]
SPLITS = {"a": "test", "b": "train", "n": "test", "z": "test"}
SETTINGS = StudySettings(methods=("fake",), metrics=("l1",), ks=(1,))


def names(images) -> list[str]:
    return [one.image.path.rpartition("/")[2] for one in images]


def chosen(catalog, **changes) -> Protocol:
    return choose(list_images(catalog), replace(SETTINGS, **changes))


def test_consumer_photos_are_searched_in_all_shop_images(make_catalog):
    protocol = chosen(make_catalog(ROWS))
    assert names(protocol.gallery) == ["a_main.jpg", "a_back.jpg", "b_main.jpg", "n_main.jpg"]
    assert names(protocol.queries) == ["a_street.jpg", "b_street.jpg"]
    assert {reason: names(lost) for reason, lost in protocol.left_out.items()} == {
        "no right product in the gallery": ["z_street.jpg"]
    }


def test_views_are_searched_in_first_images_as_they_were_listed(make_catalog):
    protocol = chosen(make_catalog(ROWS), queries="views")
    assert names(protocol.gallery) == ["a_main.jpg", "b_main.jpg", "n_main.jpg"]
    assert names(protocol.queries) == ["a_back.jpg"]
    assert not protocol.left_out


@pytest.mark.parametrize(
    ("changes", "gallery", "queries"),
    [
        (
            {"gallery": "queried"},
            ["a_main.jpg", "a_back.jpg", "b_main.jpg"],
            ["a_street.jpg", "b_street.jpg"],
        ),
        (
            {"gallery": "*_main.*"},
            ["a_main.jpg", "b_main.jpg", "n_main.jpg"],
            ["a_street.jpg", "b_street.jpg"],
        ),
        ({"queries": "views", "gallery": "*_back.*"}, ["a_back.jpg"], ["b_main.jpg"]),
        (
            {"queries": "views", "gallery": "others"},
            ["a_main.jpg", "a_back.jpg", "b_main.jpg", "n_main.jpg"],
            ["a_back.jpg", "b_main.jpg"],
        ),
        ({"queries": "views", "gallery": "queried"}, ["b_main.jpg"], ["a_back.jpg"]),
        ({"split": "test", "gallery_split": "test"}, ["a_main.jpg", "n_main.jpg"], ["a_street.jpg"]),
        (
            {"split": "test", "gallery_split": "any"},
            ["a_main.jpg", "a_back.jpg", "b_main.jpg", "n_main.jpg"],
            ["a_street.jpg"],
        ),
        (
            {"split": "test,train", "gallery_split": "train"},
            ["a_back.jpg", "b_main.jpg"],
            ["b_street.jpg"],
        ),
    ],
)
def test_galleries_and_splits(make_catalog, changes, gallery, queries):
    protocol = chosen(make_catalog(ROWS, SPLITS), **changes)
    assert names(protocol.gallery) == gallery
    assert names(protocol.queries) == queries


def test_a_image_that_cannot_be_read_takes_along_the_queries_that_only_it_answers(make_catalog):
    protocol = chosen(make_catalog(ROWS))
    lost = [one.pk for one in (*protocol.gallery, *protocol.queries) if one.product.id == "a"]
    rest = protocol.without({lost[0]: "unreadable"})
    assert names(rest.queries) == ["b_street.jpg"]
    assert names(rest.unreadable) == ["a_main.jpg"]
    assert names(rest.left_out["no right product in the gallery"]) == ["z_street.jpg", "a_street.jpg"]
    without_query = protocol.without({lost[1]: "unreadable"})
    assert names(without_query.left_out["unreadable"]) == ["a_street.jpg"]
    assert len(without_query.gallery) == 4


def test_queries_that_cannot_be_used_are_counted_by_reason(make_catalog):
    rows = [*ROWS, ("b", "b_other.jpg", "consumer", "b3"), ("b", "b_third.jpg", "consumer", "b4")]
    protocol = chosen(make_catalog(rows))
    keys = {names([one])[0]: one.pk for one in protocol.queries}
    rest = protocol.without(
        {
            keys["b_other.jpg"]: "it changed",
            keys["a_street.jpg"]: "it is gone",
            keys["b_third.jpg"]: "it changed",
        }
    )
    facts = query_facts(rest, SETTINGS)
    assert {one.reason: one.n for one in facts.left_out} == {
        "it changed": 2,
        "it is gone": 1,
        "no right product in the gallery": 1,
    }
    assert facts.n_listed == 5


def test_equal_images_on_both_sides_are_counted(make_catalog):
    protocol = chosen(make_catalog(ROWS))
    facts = query_facts(protocol, SETTINGS)
    assert (facts.equal_images.n_queries, facts.equal_images.n_same_product) == (1, 1)
    assert facts.equal_images.examples == (("/shop/a_street.jpg", "/shop/a_main.jpg"),)
    assert (facts.n_listed, facts.n_queries, facts.categories) == (3, 2, {"dress": 2})
    assert facts.description == "2 consumer photos of 2 products, through the whole photo"
    gallery = gallery_facts(protocol, SETTINGS)
    assert gallery.description == "all shop pictures: 4 pictures of 3 products"
    assert gallery.categories == {"dress": 3, "skirt": 1}


def test_the_gallery_says_how_many_images_are_cut_to_their_box(make_catalog):
    protocol = chosen(make_catalog(ROWS))
    first, *others = protocol.gallery
    boxed = replace(first, image=replace(first.image, box=Box(0, 0, 3, 4)))
    found = gallery_facts(replace(protocol, gallery=(boxed, *others)), SETTINGS)
    assert found.description == "all shop pictures: 4 pictures (1 of them cut to their box) of 3 products"


def test_a_query_is_not_counted_as_equal_to_itself(make_catalog):
    settings = replace(SETTINGS, queries="views", gallery="others")
    protocol = chosen(make_catalog(ROWS), queries="views", gallery="others")
    assert query_facts(protocol, settings).equal_images.n_queries == 0


def test_the_order_of_an_ingest_changes_nothing(make_catalog):
    one, other = chosen(make_catalog(ROWS)), chosen(make_catalog(ROWS[::-1]))
    for of in (lambda p: gallery_facts(p, SETTINGS), lambda p: query_facts(p, SETTINGS)):
        assert of(one) == of(other)


def test_a_catalog_is_counted_whole(make_catalog):
    catalog = make_catalog(ROWS)
    facts = count_catalog(list_images(catalog), catalog)
    assert (facts.n_products, facts.n_shop_images, facts.n_consumer_images) == (4, 4, 3)
    assert [(one.category, one.n_products) for one in facts.categories] == [("dress", 2), ("skirt", 2)]


@pytest.mark.parametrize(
    ("rows", "changes", "error", "match"),
    [
        (ROWS[:2], {}, NotInCatalog, "no consumer photos"),
        (ROWS[3:4], {"queries": "views"}, NotInCatalog, "no products with several shop pictures"),
        (ROWS, {"split": "tset"}, NotInCatalog, "of the split 'tset'"),
        (ROWS, {"gallery": "*.tiff"}, NotInCatalog, "no shop pictures are left"),
        (ROWS[-2:], {}, NotInCatalog, "none of 1 queries"),
        (ROWS, {"gallery": "others"}, ConfigError, "for queries that are views"),
        (ROWS, {"queries": "all"}, ConfigError, "consumer or views"),
    ],
)
def test_what_cannot_be_searched_is_refused(make_catalog, rows, changes, error, match):
    with pytest.raises(error, match=match):
        chosen(make_catalog(rows, SPLITS), **changes)


def test_indexes_are_only_asked_for_the_gallery_that_they_hold(make_catalog):
    images = list_images(make_catalog(ROWS))
    check_indexed(choose(images, SETTINGS), images)
    check_indexed(choose(images, replace(SETTINGS, queries="views", gallery="others")), images)
    for changes in (
        {"gallery": "*_main.*"},
        {"gallery": "queried"},
        {"queries": "views"},
    ):
        with pytest.raises(ConfigError, match="all 4 shop pictures"):
            check_indexed(choose(images, replace(SETTINGS, **changes)), images)


def test_all_images_are_listed_in_few_reads_whatever_the_page(make_catalog, monkeypatch):
    rows = [(f"p{i % 5}", f"{i}.jpg", "shop" if i % 3 else "consumer", f"s{i}") for i in range(23)]
    catalog = make_catalog(rows)
    images = list_images(catalog)
    expected = sorted((product, f"/shop/{file}", domain, sha256) for product, file, domain, sha256 in rows)
    found = [(one.product.id, one.image.path, str(one.image.domain), one.image.sha256) for one in images]
    assert found == expected
    keys = {(one.image.path): one.pk for one in images}
    assert [keys[f"/shop/{i}.jpg"] for i in range(23)] == sorted(keys.values())  # as they were listed
    pages = []
    read = type(catalog).usable_images
    monkeypatch.setattr(
        type(catalog),
        "usable_images",
        lambda self, **asked: pages.append(asked) or read(self, **asked),
    )
    monkeypatch.setattr(features_images, "PAGE", 4)
    assert list_images(catalog) == images
    assert len(pages) == 7  # six with something, and the one that says that this was all
