"""Which categories products are searched in, and how they are filed anew."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer
from stylesearch.catalog.categories import Categories
from stylesearch.catalog.refiling import refile_products, set_categories
from stylesearch.types import Product

DIM = 6
"""Of the vectors of the feature set."""

SHOP = ("Kleider", "Damen > Röcke", "Damen > Hosen", "Hats")


def found(categories: Categories) -> list[str]:
    return [categories.find(name) for name in SHOP]


def test_a_category_comes_before_patterns_and_longer_patterns_before_shorter() -> None:
    categories = Categories(
        {"Damen > *": "Women", "*": "Other", "Kleider": "Dresses", "Damen > R*": "Skirts"}
    )
    assert found(categories) == ["Dresses", "Skirts", "Women", "Other"]


def test_a_pattern_takes_only_the_star_for_more_than_itself() -> None:
    categories = Categories({"Hats (*)?": "Hats", "[a]*": "A"})
    assert [categories.find(name) for name in ("Hats (x)?", "Hats x", "a", "[a]b")] == [
        "Hats",
        "Hats x",
        "a",
        "A",
    ]


def test_renaming_changes_what_is_mapped_and_what_is_not() -> None:
    categories = Categories({"Kleider": "Dresses", "Damen > *": "Women"})
    renamed = categories.rename({"Dresses": "Gowns", "Hats": "Caps", "Women": "Ladies"}, SHOP)
    assert found(renamed) == ["Gowns", "Ladies", "Ladies", "Caps"]
    assert renamed.find("Damen > Neu") == "Ladies"


def test_renaming_back_leaves_nothing() -> None:
    there = Categories({}).rename({"Hats": "Caps"}, SHOP)
    assert there.entries == {"Hats": "Caps"}
    assert there.rename({"Caps": "Hats"}, SHOP).entries == {}


def test_one_that_a_pattern_would_rename_can_keep_its_name() -> None:
    categories = Categories({"*": "Other"}).change({"Hats": "Hats"})
    assert found(categories) == ["Other", "Other", "Other", "Hats"]
    assert found(categories.rename({"Other": "Rest"}, SHOP)) == ["Rest", "Rest", "Rest", "Hats"]
    assert found(categories.change({"Hats": ""})) == ["Other"] * 4


@pytest.fixture
def many(store: Callable[..., dict[str, int]], entry: Callable[..., ImageEntry]) -> list[str]:
    """Eight dresses and a hat, each with an image and a vector."""
    items = [(Product(f"d{n}", "D", "Kleider"), entry(f"d{n}", f"/shop/{n}.jpg")) for n in range(8)]
    items.append((Product("hat", "Hat", "Hats"), entry("hat", "/shop/hat.jpg")))
    store(*items)
    return [f"d{n}" for n in range(8)]


def filed(catalog: Catalog, feature_set: FeatureSet) -> dict[str, tuple[str, str]]:
    """Category of each product, and of its vector."""
    result = {}
    for category in catalog.category_names(feature_set):
        for ids, _ in catalog.features(feature_set, category=category):
            for product, _image in catalog.hits_for(ids.tolist()).values():
                result[product.id] = (product.category, category)
    return result


def test_products_and_vectors_are_filed_anew_some_at_a_time(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    many: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stylesearch.catalog.refiling.FILED_AT_ONCE", 3)
    last = catalog.highest_feature_id()
    with writer.transaction():
        set_categories(writer, Categories({"Kleider": "Dresses"}))
    told: list[int] = []
    assert refile_products(writer, told.append) == 8
    assert told == [3, 6, 8]
    expected = dict.fromkeys(many, ("Dresses", "Dresses")) | {"hat": ("Hats", "Hats")}
    assert filed(catalog, feature_set) == expected
    new = [key for ids, _ in catalog.features(feature_set, category="Dresses") for key in ids.tolist()]
    assert min(new) > last
    assert refile_products(writer) == 0


def test_one_that_is_cut_short_is_finished_by_the_next(
    catalog: Catalog,
    writer: Writer,
    feature_set: FeatureSet,
    many: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stylesearch.catalog.refiling.FILED_AT_ONCE", 3)
    with writer.transaction():
        set_categories(writer, Categories({"Kleider": "Dresses"}))

    def stop(n_moved: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refile_products(writer, stop)
    assert catalog.selection.categories() == {"Dresses": 3, "Hats": 1, "Kleider": 5}
    assert refile_products(writer) == 5
    assert catalog.selection.categories() == {"Dresses": 8, "Hats": 1}
    assert {category for pair in filed(catalog, feature_set).values() for category in pair} == {
        "Dresses",
        "Hats",
    }


def test_what_a_source_lists_later_is_filed_so_too(catalog: Catalog, writer: Writer, many: list[str]) -> None:
    with writer.transaction():
        set_categories(writer, Categories({"Kleider": "Dresses", "Damen > *": "Women"}))
        wanted = [Product("new", "New", "Damen > Neu"), Product("d0", "D", "Kleider")]
        writer.upsert_products(wanted, source="shop")
    assert catalog.product("new").category == "Women"
    refile_products(writer)
    assert catalog.product("d0").category == "Dresses"
    assert catalog.selection.shop_categories() == {
        ("Damen > Neu", "Women"): 1,
        ("Hats", "Hats"): 1,
        ("Kleider", "Dresses"): 8,
    }


KILLED_WHILE_FILING = """
    import os, signal, sys
    from stylesearch.catalog import Catalog, refiling
    from stylesearch.catalog.categories import Categories

    refiling.FILED_AT_ONCE = 3
    left = int(sys.argv[2])

    class Killed(refiling.Writer):
        def refile_products(self, pks):
            global left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            super().refile_products(pks)

    with Catalog.open(sys.argv[1]) as catalog, catalog.writing() as opened:
        writer = Killed(opened._connection)
        with writer.transaction():
            refiling.set_categories(writer, Categories({"Kleider": "Dresses"}))
        refiling.refile_products(writer)
"""


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_kill_leaves_whole_products_and_the_rest_is_done_later(
    catalog_file: Path,
    catalog: Catalog,
    entry: Callable[..., ImageEntry],
    start_process: Callable[..., subprocess.Popen[str]],
    n: int,
) -> None:
    with catalog.writing() as first, first.transaction():
        feature_set = first.feature_set(
            extractor="a", parameters={}, weights_digest="w", fingerprint="f", dim=DIM
        )
        first.upsert_products([Product(f"d{n}", "D", "Kleider") for n in range(8)], source="shop")
        stored = first.upsert_images([entry(f"d{n}", f"/shop/{n}.jpg") for n in range(8)], source="shop")
        vectors = np.arange(8 * DIM, dtype=np.float32).reshape(8, DIM)
        first.add_features(feature_set, [pk for pk, _ in stored.values()], vectors)
    process = start_process(KILLED_WHILE_FILING, catalog_file, n)
    assert process.wait(timeout=60) == -signal.SIGKILL
    left = 8 - 3 * (n - 1)
    assert sorted(filed(catalog, feature_set).values()) == sorted(
        [("Kleider", "Kleider")] * left + [("Dresses", "Dresses")] * (8 - left)
    )
    with catalog.writing() as writer:
        assert refile_products(writer) == left
    assert set(filed(catalog, feature_set).values()) == {("Dresses", "Dresses")}
    assert len(filed(catalog, feature_set)) == 8
