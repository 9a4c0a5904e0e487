"""Names of columns, and what they are about."""

from __future__ import annotations

import itertools

import pytest

from stylesearch.importers.tables.aliases import _NAMES, FIELDS, compact_name, find_field, price_currency


def names(field: str) -> set[str]:
    return {compact_name(name) for name in _NAMES[field].split(";")}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(FIELDS, 2)))
def test_no_name_is_about_two_fields(one: str, other: str) -> None:
    assert names(one) & names(other) == set()


@pytest.mark.parametrize("field", sorted(_NAMES))
def test_no_name_is_empty(field: str) -> None:
    assert all(names(field))


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("id", "id"),
        ("artikel nr.", "id"),
        ("imageurl", "image"),
        ("bild 3", "image"),
        ("url de l'image", "image"),
        ("größe", "size"),
        ("vk preis", "price"),
        ("item group id", "group"),
        ("尺码", "size"),
        ("en stock", "in stock"),
        ("sale price (eur)", "sale price"),
    ],
)
def test_what_a_column_is_about(name: str, field: str) -> None:
    found = find_field(name)
    assert found is not None
    assert found[0] == field


@pytest.mark.parametrize(
    "name", ["material", "group", "brand", "image alt text", "image position", "1", "price tag"]
)
def test_other_columns_are_attributes(name: str) -> None:
    assert find_field(name) is None


def test_the_more_usual_name_comes_first() -> None:
    ranks = [find_field(name) for name in ("id", "sku", "ean")]
    assert [found[1] for found in ranks if found] == sorted(found[1] for found in ranks if found)


@pytest.mark.parametrize(
    ("name", "currency"),
    [("preis [chf]", "CHF"), ("price/usd", "USD"), ("prix en €", "€"), ("price", ""), ("price ($)", "$")],
)
def test_a_column_of_prices_may_name_their_currency(name: str, currency: str) -> None:
    assert price_currency(name) == currency
