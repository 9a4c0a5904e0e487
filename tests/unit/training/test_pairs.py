"""Which products can be learned from, and how they are numbered."""

from __future__ import annotations

import numpy as np
import pytest

from stylesearch.errors import TooFewPairs, UnknownName
from stylesearch.features.images import CatalogImage
from stylesearch.training.near_duplicates import MAX_PRODUCTS_OF_IMAGE, NearDuplicates
from stylesearch.training.pair_dataset import MIN_PRODUCTS, find_pairs, number_pairs
from stylesearch.types import Domain, ImageRecord, Product


def listed(*rows: str) -> list[CatalogImage]:
    """Pictures from rows ``product domain sha256``; a name under ``m`` is a dress."""
    images = []
    for pk, row in enumerate(rows):
        product, domain, sha256 = row.split()
        record = ImageRecord(f"/{product}/{pk:04}", sha256, Domain(domain), 9, 9)
        images.append(
            CatalogImage(pk, Product(product, product, "dress" if product < "m" else "skirt"), record)
        )
    return images


SHOP = listed(
    "a shop 1", "a shop 2", "a consumer 3", "b shop 4", "b consumer 5", "n shop 6", "n shop 7", "z shop 8"
)


def sha(images):
    return "".join(one.image.sha256 for one in images)


def found(pairs):
    return {one.id: (sha(one.photos), sha(one.shop)) for one in pairs.products}


def test_consumer_pairs_are_photos_and_shop_images():
    pairs = find_pairs(SHOP, "consumer", min_products=2)
    assert found(pairs) == {"a": ("3", "12"), "b": ("5", "4")}
    assert [one.category for one in pairs.products] == ["dress", "dress"]


def test_of_views_each_may_be_the_photo():
    pairs = find_pairs(SHOP, "views", min_products=2)
    assert found(pairs) == {"a": ("12", "12"), "n": ("67", "67")}


def test_auto_is_consumer_where_there_are_enough_else_views():
    assert find_pairs(SHOP, min_products=2).kind == "consumer"
    assert find_pairs([*SHOP, *listed("y shop 9", "y shop 0")], min_products=3).kind == "views"


def test_too_few_pairs_say_how_many_there_are_and_where_more_could_come_from():
    with pytest.raises(TooFewPairs) as caught:
        find_pairs(SHOP)
    message = str(caught.value)
    assert f"at least {MIN_PRODUCTS} products" in message
    assert "2 products with a consumer's photo" in message
    assert "2 products with two or more shop pictures" in message
    assert "--domain consumer" in caught.value.hint
    with pytest.raises(TooFewPairs, match="there are 0 products"):
        find_pairs([], "views", min_products=0)


def test_an_unknown_kind_is_told():
    with pytest.raises(UnknownName, match="'views'"):
        find_pairs(SHOP, "view")


def test_a_image_and_its_copy_are_no_pair():
    images = listed("a shop 1", "a shop 1", "b shop 2", "b shop 3", "c shop 4", "c shop 5", "c shop 6")
    assert found(find_pairs(images, "views", min_products=1)) == {"b": ("23", "23"), "c": ("456", "456")}
    near = NearDuplicates(
        same_image={"2": "2", "3": "2", "5": "5", "6": "5"}, same_shape={"4": "4", "5": "4"}
    )
    assert found(find_pairs(images, "views", near=near, min_products=1)) == {"c": ("45", "45")}


def test_a_shop_image_under_a_consumers_name_is_no_photo():
    images = listed("a shop 1", "a consumer 1", "b shop 2", "b consumer 2", "b consumer 3")
    assert found(find_pairs(images, "consumer", min_products=1)) == {"b": ("3", "2")}


def test_a_logo_makes_no_pair():
    logos = [f"p{number} shop 0" for number in range(MAX_PRODUCTS_OF_IMAGE + 1)]
    pairs = find_pairs(listed(*logos, "p0 shop 1", "q shop 2", "q shop 3"), "views", min_products=1)
    assert found(pairs) == {"q": ("23", "23")}


def test_a_swatch_makes_no_pair():
    images = listed("p shop 0", "p shop 1", "q shop 2", "q shop 3")
    pairs = find_pairs(images, "views", near=NearDuplicates(blank=frozenset("0")), min_products=1)
    assert found(pairs) == {"q": ("23", "23")}


def test_rows_number_pairs_and_the_whole_gallery():
    pairs = find_pairs(SHOP, "views", min_products=1)
    rows = number_pairs(pairs, SHOP, [frozenset("bz"), frozenset("unknown")])
    assert rows.product_ids == ("a", "b", "n", "z")
    assert rows.product_category == ("dress", "dress", "skirt", "skirt")
    assert (sha(rows.photos), rows.photo_product.tolist()) == ("1267", [0, 0, 2, 2])
    assert (sha(rows.shop), rows.shop_product.tolist()) == ("124678", [0, 0, 1, 2, 2, 3])
    assert rows.own.tolist() == [0, 1, 3, 4]
    assert rows.duplicates.tolist() == [0, 1, 2, 1]
    assert rows.has_no_pair.tolist() == [False, True, False, True]
    assert rows.mask({"a", "b", "elsewhere"}).tolist() == [True, False, False, False]


def test_the_gallery_of_a_paired_product_holds_no_copy():
    images = listed("a shop 1", "a shop 2", "a shop 1", "b shop 3", "b shop 3")
    rows = number_pairs(find_pairs(images, "views", min_products=1), images)
    assert sha(rows.shop) == "1233"  # `b` has no pair and is only searched


def test_consumer_photos_are_not_in_the_gallery():
    rows = number_pairs(find_pairs(SHOP, "consumer", min_products=1), SHOP)
    assert sha(rows.photos) == "35"
    assert rows.own.tolist() == [-1, -1]
    assert rows.own.dtype == rows.duplicates.dtype == np.int64
