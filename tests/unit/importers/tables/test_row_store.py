"""Rows of products, wherever they are in a table."""

from __future__ import annotations

import contextlib
import itertools
import random
import sqlite3
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.tables import row_store
from stylesearch.importers.tables.items import Item, Picture
from stylesearch.importers.tables.row_store import ProductRows, RowStore
from stylesearch.types import Box, Domain, Variant


def store_rows(items: list[Item]) -> list[ProductRows]:
    with contextlib.closing(RowStore()) as store:
        for line, item in enumerate(items, 2):
            store.add(line, item)
        return list(store.products())


def lines(items: list[Item]) -> list[tuple[str, list[int]]]:
    return [(product.key, [line for line, _ in product.rows]) for product in store_rows(items)]


def test_a_row_comes_back_as_it_was() -> None:
    item = Item(
        "k",
        {"title": "T", "price": None, "in_stock": True, "attributes.tags": ["a", "b"]},
        Variant("v", {"color": "Navy"}, "1 EUR", False, "https://s.example/v"),
        (
            Picture("a.jpg", {"color": "Navy"}, Domain.CONSUMER, Box(1, 2, 3, 4)),
            Picture("https://s.example/b.jpg"),
        ),
        guesses={"title": "g"},
        is_shown=False,
        is_part=True,
        problem="p",
    )
    assert store_rows([item]) == [ProductRows("k", [(2, item)])]


def test_products_come_in_the_order_of_their_first_row() -> None:
    assert lines([Item(key) for key in "bacabbc"]) == [("b", [2, 6, 7]), ("a", [3, 5]), ("c", [4, 8])]


def test_rows_in_any_order_are_grouped_as_in_memory() -> None:
    chooser = random.Random(1)
    keys = [str(chooser.randrange(400)) for _ in range(3000)]
    expected: dict[str, list[int]] = {}
    for line, key in enumerate(keys, 2):
        expected.setdefault(key, []).append(line)
    assert lines([Item(key) for key in keys]) == list(expected.items())


VARIANT = Variant("v", {"size": "M"})
PARENT = Item("parent", {"title": "P"}, names=("id:7", "child-1", "child-2"))
CHILDREN = [Item("id:7", variant=VARIANT, is_part=True), Item("child-1", variant=VARIANT), Item("child-2")]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_rows_that_mean_a_product_by_another_name_are_its_own_wherever_they_are(
    order: tuple[int, ...],
) -> None:
    items = [[PARENT, *CHILDREN][i] for i in order]
    (product,) = store_rows(items)
    assert product.key == "parent"
    assert product.rows[0][1].said == {"title": "P"}, "the product's own row comes first"
    assert sorted(line for line, _ in product.rows) == [2, 3, 4, 5]


def test_a_name_that_two_products_list_is_the_first_one_s() -> None:
    items = [Item("a", names=("x",)), Item("b", names=("x", "y")), Item("x"), Item("y")]
    assert lines(items) == [("a", [2, 4]), ("b", [3, 5])]


def test_products_that_name_each_other_are_one() -> None:
    assert lines([Item("a", names=("b",)), Item("b", names=("a",)), Item("c")]) in (
        [("a", [2, 3]), ("c", [4])],
        [("b", [3, 2]), ("c", [4])],
    )


def test_names_that_are_in_no_row_and_a_name_of_its_own_change_nothing() -> None:
    assert lines([Item("a", names=("a", "", "nowhere")), Item("b")]) == [("a", [2]), ("b", [3])]


def test_rows_about_a_product_come_before_those_of_its_variants() -> None:
    assert lines([Item("a", variant=VARIANT), Item("a"), Item("a", variant=VARIANT)]) == [("a", [3, 2, 4])]


def test_of_a_product_with_too_many_rows_the_others_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_store, "MAX_ROWS", 3)
    first, second = store_rows([Item("a")] * 5 + [Item("b")])
    assert ([line for line, _ in first.rows], first.more, first.n_more) == ([2, 3, 4], 5, 2)
    assert (second.key, second.n_more) == ("b", 0)


def test_a_full_folder_for_temporary_files_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(RowStore()) as store:
        store._database.execute("PRAGMA max_page_count = 8")
        with pytest.raises(
            DatasetError, match="folder for temporary files: database or disk is full"
        ) as caught:
            for line in range(100_000):
                store.add(line, Item(str(line), {"title": "x" * 100}))
    assert "SQLITE_TMPDIR" in caught.value.hint


def test_the_rows_are_gone_when_it_is_closed(tmp_path: Path) -> None:
    store = RowStore()
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store._database.execute("SELECT 1")
