"""Rows of products become what a source says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylesearch.importers.base import ImportOptions, Listed, Note
from stylesearch.importers.tables import row_store
from stylesearch.importers.tables.grouping import ProductJoiner
from stylesearch.importers.tables.items import Item, Picture
from stylesearch.importers.tables.pictures import PictureFinder
from stylesearch.importers.tables.row_store import RowStore
from stylesearch.listing import Listing, Record, Unpictured, Withdrawn
from stylesearch.types import Variant

SITE = "https://s.example/"


def listed(*items: Item, is_whole: bool = False, **options: Any) -> list[Listed]:
    def join() -> Iterator[Listed]:
        chosen = ImportOptions(**options)
        store = RowStore()
        for line, item in enumerate(items, 2):
            store.add(line, item)
        joiner = ProductJoiner("t.csv", PictureFinder(Path("/nowhere"), chosen), chosen, is_whole=is_whole)
        for product in store.products():
            yield from joiner.list_product(product)
        yield from joiner.notes()
        store.close()

    return list(join())


def pictures(*names: str, **options: str) -> tuple[Picture, ...]:
    return tuple(Picture(SITE + name, options) for name in names)


def shown(items: list[Listed]) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Pictures and their options, by product; products that are withdrawn have none."""
    found: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for item in items:
        if isinstance(item, Withdrawn):
            assert item.product_id not in found
            continue
        assert isinstance(item, Record), item
        name = item.path.removeprefix(SITE)
        found.setdefault(item.product.id, []).append((name, dict(item.options)))
    return found


def variant(id: str, price: str | None = None, in_stock: bool | None = None, **options: str) -> Variant:
    return Variant(id, options, price, in_stock)


NAVY_S = Item("d", {"title": "D"}, variant("d-ns", "29.90 EUR", False, color="Navy", size="S"))
NAVY_M = Item("d", {"title": "M"}, variant("d-nm", "29.90 EUR", None, color="Navy", size="M"))
SAND_S = Item("d", {}, variant("d-ss", "9,90 EUR", True, color="Sand", size="S"))


def test_the_first_row_that_says_a_field_counts() -> None:
    (item,) = listed(
        Item("d", {"title": None, "category": "dress", "attributes.color": None}),
        Item("d", {"title": "First", "price": "1"}, pictures=pictures("a")),
        Item("d", {"title": "Second", "price": "2", "url": "u"}),
    )
    assert isinstance(item, Record)
    assert item.product.said == {
        "title": "First",
        "category": "dress",
        "attributes.color": None,
        "price": "1",
        "url": "u",
    }


def test_variants_are_one_product_with_the_lowest_price_and_any_stock() -> None:
    (item,) = listed(NAVY_S, NAVY_M, SAND_S, NAVY_S)
    assert isinstance(item, Unpictured)
    assert item == Unpictured(item.product, "t.csv:2", None)
    assert item.product.said == {
        "title": "D",
        "variants": (NAVY_S.variant, NAVY_M.variant, SAND_S.variant),
        "price": "9,90 EUR",
        "in_stock": True,
    }


@pytest.mark.parametrize(
    ("stocks", "expected"),
    [
        ((False, False), {"in_stock": False}),
        ((False, True), {"in_stock": True}),
        ((False, None), {}),
        ((None, None), {}),
    ],
)
def test_a_product_is_sold_out_if_all_variants_are(
    stocks: tuple[bool | None, ...], expected: dict[str, bool]
) -> None:
    (item,) = listed(
        *(Item("d", {}, variant(f"v{i}", None, one, size=f"{i}")) for i, one in enumerate(stocks))
    )
    assert isinstance(item, Unpictured)
    assert {name: value for name, value in item.product.said.items() if name == "in_stock"} == expected


def test_a_single_variant_without_options_is_the_product() -> None:
    (item,) = listed(Item("d", {"title": "D"}, variant("sku", "5", True), pictures("a")))
    assert isinstance(item, Record)
    assert item.product.said == {"title": "D", "variants": (), "price": "5", "in_stock": True}


def test_prices_that_cannot_be_read_are_kept_as_they_are() -> None:
    (item,) = listed(*(Item("d", {}, variant(size, "on request", size=size)) for size in "SM"))
    assert isinstance(item, Unpictured)
    assert item.product.said["price"] == "on request"


def test_a_picture_shows_the_options_that_all_its_variants_share() -> None:
    rows = [
        Item("d", {}, None, pictures("all", "navy", "sand")),
        Item("d", {}, variant("1", color="Navy", size="S"), pictures("navy", "both", color="Navy", size="S")),
        Item("d", {}, variant("2", color="Navy", size="M"), pictures("navy", color="Navy", size="M")),
        Item("d", {}, variant("3", color="Sand", size="L"), pictures("sand", "both", color="Sand")),
        Item("d", {}, variant("4", color="Navy", size="S"), pictures("both", color="Navy")),
    ]
    assert shown(listed(*rows)) == {
        "d": [("all", {}), ("navy", {"color": "Navy"}), ("sand", {"color": "Sand"}), ("both", {})]
    }


def test_separate_variants_are_products_with_their_own_pictures() -> None:
    rows = [
        Item(
            "d", {"title": "Dress", "price": "30", "url": "u"}, None, pictures("all"), guesses={"title": "d"}
        ),
        Item("d", {}, variant("d-n", "29", True, size="S", color="Navy"), pictures("navy", color="Navy")),
        Item("d", {}, variant("", None, False, size="S", color="Sand")),
    ]
    items = listed(*rows, variants="separate", is_whole=True)
    assert shown(items) == {"d-n": [("navy", {})], "d-Sand-S": [("all", {})]}
    first, second = (item.product for item in items if isinstance(item, Record))
    assert first.said == {
        "title": "Dress, Navy, S",
        "price": "29",
        "in_stock": True,
        "url": "u",
        "attributes.color": "Navy",
        "attributes.size": "S",
    }
    assert second.said["price"] == "30"
    assert second.said["in_stock"] is False
    assert first.is_whole
    assert second.is_whole


def test_separate_variants_whose_ids_repeat_are_named_by_their_options() -> None:
    rows = [Item("d", {}, variant("same", size=size), pictures(size, size=size)) for size in "SM"]
    assert shown(listed(*rows, variants="separate")) == {"d-S": [("S", {})], "d-M": [("M", {})]}


def test_a_variant_without_pictures_has_the_nearest_ones() -> None:
    rows = [
        Item("d", {}, variant("ns", color="Navy", size="S"), pictures("navy", color="Navy", size="S")),
        Item("d", {}, variant("nm", color="Navy", size="M")),
        Item("d", {}, variant("sm", color="Sand", size="L"), pictures("sand", color="Sand", size="L")),
    ]
    assert shown(listed(*rows, variants="separate"))["nm"] == [("navy", {})]


def test_a_product_without_variants_is_the_same_apart_or_together() -> None:
    row = Item("d", {"title": "D"}, pictures=pictures("a"))
    assert listed(row, variants="separate") == listed(row)


def test_a_hidden_product_is_left_out_and_counted_unless_asked_for() -> None:
    rows = [
        Item("hidden", {}, pictures=pictures("a"), is_shown=False),
        Item("shown", {}, pictures=pictures("b"), is_shown=True),
        Item("silent", {}, pictures=pictures("c")),
        Item("parts", {}, variant("v", size="S"), pictures("d"), is_shown=False),
    ]
    *records, note = listed(*rows)
    assert list(shown(records)) == ["shown", "silent"]
    assert note == Note("2 products are left out: not shown to customers (--with-unpublished takes them in)")
    assert list(shown(listed(*rows, unpublished=True))) == ["hidden", "shown", "silent", "parts"]


def test_a_hidden_variant_of_a_product_that_is_shown_is_left_out() -> None:
    rows = [
        Item("d", {}, None, pictures("a"), is_shown=True),
        Item("d", {}, variant("1", size="S"), pictures("s"), is_shown=False),
        Item("d", {}, variant("2", size="M"), is_shown=True),
    ]
    (item,) = listed(*rows)
    assert isinstance(item, Record)
    assert [one.id for one in item.product.said["variants"]] == ["2"]
    assert len(listed(*rows, unpublished=True)) == 2


def test_what_is_sold_out_is_left_out_only_if_asked_for() -> None:
    rows = [
        Item("a", {"in_stock": False}, pictures=pictures("a")),
        Item("b", {"in_stock": True}, pictures=pictures("b")),
        Item("c", {"in_stock": None}, pictures=pictures("c")),
    ]
    assert list(shown(listed(*rows))) == ["a", "b", "c"]
    *records, note = listed(*rows, sold_out=False)
    assert list(shown(records)) == ["b", "c"]
    assert isinstance(note, Note)
    assert note.text.startswith("1 product is left out: sold out")


def test_separate_variants_are_sold_out_one_by_one() -> None:
    rows = [Item("d", {}, variant(size, None, size == "S", size=size), pictures("a")) for size in "SML"]
    *records, note = listed(*rows, variants="separate", sold_out=False)
    assert list(shown(records)) == ["S"]
    assert isinstance(note, Note)
    assert note.text.startswith("2 products are left out: sold out")


def test_parts_list_the_product_that_they_add_to_even_if_it_is_missing() -> None:
    items = listed(
        Item("x", {}, is_part=True), Item("y", pictures=pictures("a")), Item("x", {}, is_part=True)
    )
    reason = "the product 'x', which this adds to, is not in the table"
    assert items[:2] == [
        Unpictured(Listing("x"), f"t.csv:{line}", reason, only_known=True) for line in (2, 4)
    ]
    assert isinstance(items[2], Record)


def test_a_variant_may_be_in_another_category_and_the_first_counts() -> None:
    rows = [
        Item("d", {"category": name}, variant(name, size=name), pictures(name)) for name in ("Tops", "Sale")
    ]
    assert len(shown(listed(*rows))["d"]) == 2


def test_a_picture_that_is_missing_is_said_once_for_a_product() -> None:
    rows = [
        Item("d", {}, pictures=(Picture("x.jpg"), Picture(SITE + "a"))),
        Item("d", {}, pictures=(Picture("x.jpg"),)),
    ]
    unpictured, record = sorted(listed(*rows), key=lambda item: isinstance(item, Record))
    assert isinstance(unpictured, Unpictured)
    assert (unpictured.item, unpictured.reason) == ("t.csv:2", "no such picture: /nowhere/x.jpg")
    assert isinstance(record, Record)
    assert record.product is unpictured.product


def test_what_is_wrong_with_a_row_without_pictures_is_said_too() -> None:
    refused, record = listed(Item("d", problem="no such domain"), Item("d", pictures=pictures("a")))
    assert refused == Unpictured(Listing("d"), "t.csv:2", "no such domain")
    assert isinstance(record, Record)


def test_a_product_with_far_too_many_rows_is_one_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_store, "MAX_ROWS", 2)
    refused, *records = listed(*(Item("d", {}, pictures=pictures(str(i))) for i in range(5)))
    assert isinstance(refused, Unpictured)
    assert (refused.product.id, refused.item) == ("d", "t.csv:4")
    assert "3 more rows of the product 'd'" in str(refused.reason)
    assert len(records) == 2


def titles(*items: Item) -> dict[str, str]:
    found = listed(*items, variants="separate")
    return {item.product.id: item.product.said["title"] for item in found if isinstance(item, Unpictured)}


def test_separate_variants_keep_the_titles_of_their_own_rows() -> None:
    sand = Item("d", {"title": "Wrap dress, sand"}, variant("s", color="Sand", size="S"))
    navy_s = Item("d", {"title": "Wrap dress, navy"}, variant("ns", color="Navy", size="S"))
    navy_m = Item("d", {"title": "Wrap dress, navy"}, variant("nm", color="Navy", size="M"))
    assert titles(sand, navy_s, navy_m) == {
        "s": "Wrap dress, sand",
        "ns": "Wrap dress, navy, S",
        "nm": "Wrap dress, navy, M",
    }


def test_separate_variants_of_one_title_are_told_apart_by_their_options() -> None:
    rows = [Item("d", {"title": "Dress"}, variant(size, size=size)) for size in "SM"]
    assert titles(*rows) == {"S": "Dress, S", "M": "Dress, M"}
    parent = Item("d", {"title": "The dress"})
    assert titles(parent, *rows) == {"S": "The dress, S", "M": "The dress, M"}
    assert titles(parent, rows[0]) == {"S": "Dress"}
