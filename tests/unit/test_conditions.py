"""The language of filters: what is read, what is refused, and where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylesearch.conditions import Condition, parse_where, plain_value, write_condition
from stylesearch.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("color=red", Condition("color", ("red",))),
        ("Farbe = Navy  BLUE", Condition("color", ("navy blue",))),
        ("color!=red", Condition("color", ("red",), is_negated=True)),
        ("not color = red", Condition("color", ("red",), is_negated=True)),
        ("not color != red", Condition("color", ("red",))),
        ("price<50", Condition("price", high=50, is_high_open=True)),
        ("price >= 19.90", Condition("price", low=19.9)),
        ("price=10..50", Condition("price", low=10, high=50)),
        ("price=..50", Condition("price", high=50)),
        ("not price=10..", Condition("price", low=10, is_negated=True)),
        ("sizes='10..50'", Condition("sizes", ("10..50",))),
        ("color in (red, 'navy, blue' , dark red)", Condition("color", ("dark red", "navy, blue", "red"))),
        ("color NOT IN (red)", Condition("color", ("red",), is_negated=True)),
        ("color exists", Condition("color")),
        ("not main color exists", Condition("main_color", is_negated=True)),
        ('"size (EU)" = "38 \\" x"', Condition("size_(eu)", ('38 " x',))),
        ("material='rock and roll'", Condition("material", ("rock and roll",))),
        ("brand=levi's", Condition("brand", ("levi's",))),
        ("in stock = YES", Condition("in_stock", ("true",))),
        ("category=Women > Dresses", Condition("category", ("Women > Dresses",))),
        ("attributes.Größe=M", Condition("attributes.size", ("m",))),
    ],
)
def test_a_text_is_read(text: str, expected: Condition) -> None:
    assert parse_where(text) == (expected,)
    assert parse_where([expected, text]) == (expected,)


def test_conditions_are_joined_by_and_or_given_one_by_one() -> None:
    both = parse_where("color=red and price<50")
    assert both == parse_where(["color=red", "price < 50"]) == parse_where({"color": "red", "price": "<50"})
    assert parse_where(None) == parse_where([]) == parse_where({}) == ()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("red, blue", Condition("x", ("red, blue",))),
        ("!= red, blue", Condition("x", ("red, blue",), is_negated=True)),
        ("10..", Condition("x", low=10)),
        (["Red", 5], Condition("x", ("5", "red"))),
        (True, Condition("x", ("true",))),
        (5.0, Condition("x", ("5.0",))),
        (None, Condition("x", is_negated=True)),
    ],
)
def test_values_by_name_need_no_quotes(value: Any, expected: Condition) -> None:
    assert parse_where({"x": value}) == (expected,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("color", "character 6, after 'color': Expected one of = != < <= > >= in exists"),
        ("color=", "character 7, after 'color=': Expected a value"),
        ("color=red and", "character 14, after 'color=red and': Expected a name"),
        ("color=red, blue", "character 10, after 'color=red': Expected end of text"),
        ("color=red or color=blue", "character 11, after 'color=red': Expected end of text"),
        ("color=red price<50", "character 16, after 'color=red price': Expected end of text"),
        ("color=red or price < 50", "character 11, after 'color=red': Expected end of text"),
        ("color=red price <50", "character 17, after 'color=red price': Expected end of text"),
        ("color=red price>.5", "character 16, after 'color=red price': Expected end of text"),
        ("size=a > 5", "character 8, after 'size=a': Expected end of text"),
        ("color=red size exists", "character 16, after 'color=red size': Expected end of text"),
        ("color=red or blue", "character 11, after 'color=red': Expected end of text"),
        ("color==red", "character 7, after 'color=': Expected a value"),
        ("not (color=red)", "character 5, after 'not': Expected a name"),
        ("color in (red", "character 14, after 'color in (red': Expected ')'"),
        ("color=red and price<cheap", "character 15, after 'color=red and': price< needs a number"),
        ("price=abc", "character 1: price: 'abc' is no number"),
        ("price=50 EUR", "price: '50 eur' is no number"),
        ("in_stock=maybe", "in_stock is true or false. Received: 'maybe'"),
        ("source<5", "source is no number"),
        ("price=50..10", "a range begins with its lower end"),
        ('color in (red, "")', "color: a value is empty"),
        ("", "a filter is empty"),
        ("a=" + "b" * 4000, "at most 4000 characters"),
        (" and ".join(["a=1"] * 51), "at most 50 conditions"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_where(text)
    assert message in str(refused.value)


@pytest.mark.parametrize("where", [{"a": {"b": 1}}, {"a": []}, {"a": ""}, {"a": [""]}, {"": "x"}, [5]])
def test_values_that_are_none_are_refused(where: Any) -> None:
    with pytest.raises(ConfigError):
        parse_where(where)


@settings(max_examples=30, deadline=None)
@given(st.text(min_size=1, max_size=20).filter(plain_value))
def test_a_condition_is_read_as_it_was_written(value: str) -> None:
    assert parse_where(write_condition("x", value)) == (Condition("x", (value,)),)


@pytest.mark.parametrize("end", [", and more", "/", " (", "%"])
def test_a_long_text_is_written_as_quickly_as_a_short_one(end: str) -> None:
    value = "machine wash at thirty degrees with like colors" * 4 + end
    assert write_condition("care", value) == f'care="{value}"'


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet="abc =<>!(),'\"\\.1and not in exists", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = parse_where(text)
    except ConfigError:
        return
    assert all(isinstance(one, Condition) for one in found)
