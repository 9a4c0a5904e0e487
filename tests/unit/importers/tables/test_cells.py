from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stylesearch.importers.tables.cells import (
    copy_cells,
    make_options,
    read_category,
    read_deepest_category,
    read_flag,
    read_stock,
    split_list,
    split_locators,
)
from stylesearch.importers.tables.items import TableRow
from stylesearch.importers.tables.prices import choose_price, is_in_effect, name_currency, trim_price


@pytest.mark.parametrize(
    ("text", "is_stock"),
    [
        *(
            (text, True)
            for text in ("in_stock", "in stock", "InStock", "https://schema.org/InStock", "preorder")
        ),
        *(
            (text, True)
            for text in ("Auf Lager", "en stock", "disponible", "Op voorraad", "有货", "7", "1.5", "yes")
        ),
        *((text, False) for text in ("out_of_stock", "http://schema.org/SoldOut", "Ausverkauft", "épuisé")),
        *(
            (text, False)
            for text in ("agotado", "esaurito", "niet op voorraad", "售罄", "0", "-2", "0,0", "no")
        ),
        *(
            (text, True)
            for text in ("10+", "> 5", "5 Stk.", "sofort", "lieferbar in 3 Tagen", "wenige verfügbar")
        ),
        *((text, True) for text in ("nur noch 2", "3 in stock", "Only 2 left", "fast ausverkauft")),
        *((text, False) for text in ("0 Stück", "0 verfügbar", "nicht mehr lieferbar", "kein Bestand")),
        *((text, None) for text in ("", "maybe", "2 weeks", "bald wieder verfügbar", "siehe Filiale")),
    ],
)
def test_stock_in_words_numbers_and_flags(text: str, is_stock: bool | None) -> None:
    assert read_stock(text) is is_stock


@pytest.mark.parametrize(
    ("text", "flag"),
    [("TRUE", True), ("ja", True), ("1", True), ("Non", False), ("0", False), ("2", None), ("", None)],
)
def test_flags(text: str, flag: bool | None) -> None:
    assert read_flag(text) is flag


@pytest.mark.parametrize(
    ("text", "separators", "path"),
    [
        ("Women>Dresses", ">»", "Women > Dresses"),
        (" Women  »  Long   dresses ", ">»", "Women > Long dresses"),
        ("Women > > Dresses >", ">»", "Women > Dresses"),
        ("Hats &amp; Caps &gt; Caps", ">»", "Hats & Caps > Caps"),
        ("Women/Dresses", ">»", "Women/Dresses"),
        ("Women/T\\/C", "/", "Women > T/C"),
        ("Women|Dresses", "|", "Women > Dresses"),
        ("Uncategorized", ">»", ""),
        (">", ">»", ""),
    ],
)
def test_category_paths(text: str, separators: str, path: str) -> None:
    assert read_category(text, separators) == path


def test_the_deepest_category_is_the_first_of_those_with_the_most_levels() -> None:
    assert read_deepest_category(["Sale", "Women > Dresses", "Women > Skirts"]) == "Women > Dresses"
    assert read_deepest_category([]) == ""


def test_lists_and_locators() -> None:
    assert split_list(r"a, b\, c,,d ") == ["a", "b, c", "d"]
    assert split_list("a|b", "|") == ["a", "b"]
    assert split_locators("https://i.example/1,https://i.example/2") == [
        "https://i.example/1",
        "https://i.example/2",
    ]
    assert split_locators("a.jpg, b.jpg") == ["a.jpg", "b.jpg"]


def test_options_in_any_language_are_of_one_name() -> None:
    assert make_options([("Farbe", "Rot"), ("TALLA", "M"), ("Fit", ""), ("", "x")]) == {
        "color": "Rot",
        "size": "M",
    }
    assert make_options([("Color", "Red"), ("Colour", "Blue")]) == {"color": "Red", "colour": "Blue"}


def test_a_column_that_is_missing_says_nothing() -> None:
    row = TableRow(1, {"name": ("X",), "brand": ("",)})
    assert copy_cells(row, {"title": ("title", "name"), "brand": ("brand",), "url": ("link",)}) == {
        "title": "X",
        "brand": None,
    }


@pytest.mark.parametrize(
    ("regular", "sale", "expected"),
    [
        ("20", "15", ("15", "20")),
        ("20", "20", ("20", "")),
        ("20", "0.00", ("20", "")),
        ("20", "soon", ("20", "")),
        ("", "15", ("15", "")),
        ("", "", ("", "")),
        ("1.299,00 EUR", "999 EUR", ("999 EUR", "1.299,00 EUR")),
    ],
)
def test_the_price_that_customers_pay(regular: str, sale: str, expected: tuple[str, str]) -> None:
    assert choose_price(regular, sale) == expected


@pytest.mark.parametrize(
    ("start", "end", "is_now"),
    [
        ("", "", True),
        ("2026-05-04", "2026-05-04", True),
        ("2026-05-05", "", False),
        ("", "2026-05-03", False),
        ("2026-05-04T11:59-0100", "", False),
        ("2026-05-04 11:59:00", "2026-05-04 12:00:00", True),
        ("4.5.26", "5/4/26", True),
    ],
)
def test_whether_a_sale_is_now(start: str, end: str, is_now: bool) -> None:
    assert is_in_effect(start, end, datetime(2026, 5, 4, 12, tzinfo=UTC)) is is_now


def test_zeros_beyond_cents_are_dropped() -> None:
    assert [trim_price(text) for text in ("19.900000", "19.905", "1900", "0.0000")] == [
        "19.90",
        "19.905",
        "1900",
        "0.00",
    ]


@pytest.mark.parametrize(
    ("price", "currency", "named"),
    [
        ("19.90", "EUR", "19.90 EUR"),
        ("19.90", "eur", "19.90 EUR"),
        ("1.299,00", "EUR", "1.299,00 EUR"),
        ("19.90 €", "EUR", "19.90 €"),
        ("$19.90", "CAD", "$19.90 CAD"),
        ("$19.90", "EUR", "$19.90"),
        ("199 kr", "SEK", "199 kr SEK"),
        ("19.90 USD", "EUR", "19.90 USD"),
        ("on request", "EUR", "on request"),
        ("19.90", "", "19.90"),
    ],
)
def test_a_currency_is_added_to_prices_without_one(price: str, currency: str, named: str) -> None:
    assert name_currency(price, currency) == named


def test_an_option_may_be_named_by_signs() -> None:
    assert make_options([("-", "a"), ("Farbe", "rot"), ("colour", "red")]) == {
        "-": "a",
        "color": "rot",
        "colour": "red",
    }
