"""Reads products that meet a ``ProductFilter``: its conditions in SQL.

Attributes and options are looked up in the table ``product_values``; names of categories are read first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    not_,
    or_,
    select,
    true,
    union,
)
from sqlalchemy import false as nothing

from stylesearch.catalog.categories import LEVELS, find_below
from stylesearch.catalog.queries import HAS_SHOWN_IMAGE
from stylesearch.catalog.tables import listings, product_columns, product_values, products, sources
from stylesearch.conditions import FIELDS, Condition, read_number
from stylesearch.types import ProductFilter

__all__ = ["EVERY_PRODUCT", "is_below", "meets", "meets_at", "page_of", "plain_numbers"]

EVERY_PRODUCT: Final = ProductFilter()
"""The filter that every product meets."""


def is_below(column: ColumnElement[str], category: str) -> ColumnElement[bool]:
    """Condition for a category and those below it: LIKE would not tell upper from lower case everywhere."""
    start = category + LEVELS
    return or_(column == category, func.substr(column, 1, len(start)) == start)


def page_of(connection: Connection, where: ProductFilter, after: str | None, limit: int) -> Select[Any]:
    """Makes the statement for a page of products, in the order of their ids.

    Args:
        connection: connection to the catalog.
        where: the filter.
        after: id after which the page begins.
        limit: largest number of products.

    Returns:
        statement for the product's key, the category that its sources say, and ``product_columns``.
    """
    statement = select(products.c.pk, products.c.shop_category, *product_columns)
    statement = statement.where(*meets(connection, where))
    if after is not None:
        statement = statement.where(products.c.id > after)
    return statement.order_by(products.c.id).limit(limit)


def meets(connection: Connection, where: ProductFilter) -> list[ColumnElement[bool]]:
    """Makes the conditions for the table of products, looking up the categories first."""
    found = [
        _of_field(connection, one) if one.name in FIELDS else _of_attribute(one, products.c.pk)
        for one in where.conditions
    ]
    if where.without_picture:
        found.append(~HAS_SHOWN_IMAGE)
    return found


def meets_at(
    connection: Connection, where: ProductFilter, pk: ColumnElement[int]
) -> list[ColumnElement[bool]]:
    """Makes the conditions for a column that refers to products, without reading their rows where it can.

    Args:
        connection: connection to the catalog.
        where: the filter.
        pk: the column with keys of products.
    """
    fields = [_of_field(connection, one) for one in where.conditions if one.name in FIELDS]
    if where.without_picture:
        fields.append(~HAS_SHOWN_IMAGE)
    found = [_of_attribute(one, pk) for one in where.conditions if one.name not in FIELDS]
    return [*found, pk.in_(select(products.c.pk).where(*fields))] if fields else found


def _of_attribute(condition: Condition, pk: ColumnElement[int]) -> ColumnElement[bool]:
    """Condition for products with such a value: of those that must not have one, each is looked up."""
    stored = product_values.c
    alike: list[ColumnElement[bool]] = []  # one of which is enough
    if condition.values:
        alike.append(stored.value.in_(condition.values))
        if numbers := plain_numbers(condition.values):
            alike.append(stored.number.in_(numbers))
    elif condition.has_bounds:
        alike.append(and_(*_within(condition, stored.number, stored.number)))
    is_named = stored.name == condition.attribute
    if condition.is_negated:
        return ~exists().where(stored.product_pk == pk, is_named, or_(*alike) if alike else true())
    # One look-up for each: an index of values and one of numbers cannot be used for both at once.
    found = [select(stored.product_pk).where(is_named, one) for one in alike or [true()]]
    return pk.in_(union(*found) if len(found) > 1 else found[0])


def plain_numbers(values: Iterable[str]) -> list[float]:
    """Numbers of values that are written without a unit: they mean any way to write the same number."""
    return [number for one in values if (number := read_number(one)) is not None and one[-1:].isdecimal()]


def _within(
    condition: Condition, lowest: ColumnElement[Any], highest: ColumnElement[Any]
) -> list[ColumnElement[bool]]:
    """Conditions for what reaches from ``lowest`` to ``highest``: some of it lies within the bounds."""
    found: list[ColumnElement[bool]] = []
    if condition.low is not None:
        found.append(highest > condition.low if condition.is_low_open else highest >= condition.low)
    if condition.high is not None:
        found.append(lowest < condition.high if condition.is_high_open else lowest <= condition.high)
    return found


def _of_field(connection: Connection, condition: Condition) -> ColumnElement[bool]:
    made = {"category": _category, "in_stock": _in_stock, "price": _price, "source": _source}[condition.name](
        connection, condition
    )
    return not_(func.coalesce(made, nothing())) if condition.is_negated else made


def _category(connection: Connection, condition: Condition) -> ColumnElement[bool]:
    if not condition.values:
        return true()
    known = connection.execute(select(products.c.category).distinct()).scalars().all()
    found = sorted({name for one in condition.values for name in find_below(known, one)})
    # An index finds the products of one category, in the order of their ids.
    return products.c.category == found[0] if len(found) == 1 else products.c.category.in_(found)


def _in_stock(connection: Connection, condition: Condition) -> ColumnElement[bool]:
    if not condition.values:
        return products.c.in_stock.is_not(None)
    return or_(*(products.c.in_stock.is_not_distinct_from(one == "true") for one in condition.values))


def _price(connection: Connection, condition: Condition) -> ColumnElement[bool]:
    lowest, highest = products.c.amount, func.coalesce(products.c.amount_max, products.c.amount)
    if condition.has_bounds:
        return and_(*_within(condition, lowest, highest))
    if not condition.values:
        return lowest.is_not(None)
    return or_(*(and_(lowest <= one, highest >= one) for one in plain_numbers(condition.values)))


def _source(connection: Connection, condition: Condition) -> ColumnElement[bool]:
    of_product = listings.c.product_pk == products.c.pk
    if not condition.values:
        return exists().where(of_product)
    pks = select(sources.c.pk).where(sources.c.name.in_(condition.values))
    return exists().where(of_product, listings.c.source_pk.in_(pks))
