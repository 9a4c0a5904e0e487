"""Splits: shares by category, groups in one piece, and a source's own split."""

from __future__ import annotations

from collections import Counter

import pytest

from stylesearch.errors import ConfigError
from stylesearch.training.split import given_split, split_products


def products(**n_by_category: int) -> dict[str, str]:
    return {
        f"{category}{number:04}": category for category, n in n_by_category.items() for number in range(n)
    }


def test_every_category_is_split_by_the_shares():
    categories = products(dress=100, skirt=40, hat=7)
    split = split_products(categories, shares=(0.7, 0.15, 0.15))
    counts = {
        part: Counter(categories[name] for name in getattr(split, part))
        for part in ("train", "validation", "test")
    }
    assert [counts[part]["dress"] for part in counts] == [70, 15, 15]
    assert [counts[part]["skirt"] for part in counts] == [28, 6, 6]
    assert all(counts[part]["hat"] >= 1 for part in counts)


def test_many_small_categories_keep_the_shares_together():
    split = split_products(products(**{f"c{number}x": 3 for number in range(300)}))
    assert abs(len(split.test) / 900 - 0.15) < 0.03
    assert abs(len(split.validation) / 900 - 0.15) < 0.03


def test_a_seed_draws_another_split_and_the_same_again():
    categories = products(dress=100)
    assert split_products(categories, seed=1) == split_products(dict(reversed(categories.items())), seed=1)
    assert split_products(categories, seed=1).test != split_products(categories, seed=2).test


def test_a_share_may_be_nothing():
    split = split_products(products(dress=10), shares=(0.8, 0.2, 0.0))
    assert (len(split.train), len(split.validation), len(split.test)) == (8, 2, 0)


@pytest.mark.parametrize("shares", [(0.7, 0.2, 0.2), (1.2, -0.1, -0.1)])
def test_shares_that_make_no_sense_are_refused(shares):
    with pytest.raises(ConfigError, match="sum to 1"):
        split_products(products(dress=10), shares=shares)


def test_a_product_in_two_groups_is_an_error_of_the_caller():
    with pytest.raises(ValueError, match="dress0001"):
        split_products(products(dress=4), [{"dress0000", "dress0001"}, {"dress0001", "dress0002"}])


def test_a_given_split_is_kept_whatever_its_parts_are_called():
    given = {"a": "train", "b": "val", "c": "test", "d": "Query", "e": "gallery"}
    split = given_split(given, dict.fromkeys(given, "dress"))
    assert split is not None
    assert (split.train, split.validation, split.test) == ({"a"}, {"b"}, {"c", "d", "e"})
    assert split.origin == "given"


@pytest.mark.parametrize("missing", [None, "fold-3"])
def test_no_split_is_given_unless_every_product_has_one(missing):
    given = {"a": "train", "b": "val", "c": missing}
    assert given_split(given, dict.fromkeys(given, "dress")) is None


def test_what_straddles_a_given_split_stays_only_where_it_is_measured():
    given = {"a": "train", "b": "test", "c": "train", "d": "val", "e": "train"}
    split = given_split(given, dict.fromkeys(given, "dress"), [{"a", "b"}, {"c", "d"}])
    assert split is not None
    assert (split.train, split.validation, split.test) == ({"e"}, {"d"}, {"b"})
    assert split.left_out == {"a", "c"}


def test_a_validation_part_that_a_source_lacks_is_drawn_from_its_train_part():
    categories = products(dress=100)
    given = {name: "test" if name >= "dress0080" else "train" for name in categories}
    group = {"dress0001", "dress0002"}
    split = given_split(given, categories, [group], shares=(0.75, 0.25, 0.0))
    assert split is not None
    assert split.test == {name for name in categories if given[name] == "test"}
    assert (len(split.train), len(split.validation)) == (60, 20)
    assert split.origin == "given in part"
    assert group <= split.train or group <= split.validation


def test_a_source_without_a_train_part_gives_nothing_to_learn_from():
    with pytest.raises(ConfigError, match="all are of test"):
        given_split({"a": "test", "b": "query"}, {"a": "dress", "b": "dress"})
