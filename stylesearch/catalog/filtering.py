"""Reads products that meet a ``ProductFilter``: its conditions in SQL.

Attributes and options are looked up in the table ``product_values``; names of categories are read first.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    not_,
    or_,
    select,
    true,
    union,
)
from sqlalchemy import false as nothing

from stylesearch.array_types import Ids
from stylesearch.catalog.categories import LEVELS, find_below
from stylesearch.catalog.queries import HAS_SHOWN_IMAGE, PRODUCT_CATEGORIES, read_numbers
from stylesearch.catalog.tables import listings, product_columns, product_values, products, sources
from stylesearch.conditions import FIELDS, Condition, read_number
from stylesearch.types import ProductFilter

__all__ = [
    "EVERY_PRODUCT",
    "estimate",
    "is_below",
    "keys_that_meet",
    "meets",
    "meets_at",
    "meets_each",
    "page_of",
    "plain_numbers",
]

EVERY_PRODUCT: Final = ProductFilter()
"""The filter that every product meets."""

SAMPLE: Final = 64
"""Products that are looked at to guess how many meet a filter."""

FEW: Final = 300
"""Products that are looked up one by one in less time than those that meet another condition are listed."""

_ENDS: Final = select(*(select(end(products.c.pk)).scalar_subquery() for end in (func.min, func.max)))
"""The first and the last key of products: one query each, since an index has either."""


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
    found = [_of_attribute(one, pk) for one in where.conditions if one.name not in FIELDS]
    fields = _of_fields(connection, where)
    return [*found, pk.in_(select(products.c.pk).where(*fields))] if fields else found


def _of_fields(connection: Connection, where: ProductFilter) -> list[ColumnElement[bool]]:
    """Makes the conditions on fields, for the table of products."""
    found = [_of_field(connection, one) for one in where.conditions if one.name in FIELDS]
    return [*found, ~HAS_SHOWN_IMAGE] if where.without_picture else found


def keys_that_meet(connection: Connection, where: ProductFilter) -> Ids:
    """Reads the keys of the products that meet a filter, int64, in any order; a key may come several times.

    Those of each condition are read by themselves and combined here: a database chooses well for one
    condition, and for several only if it knows how many products meet each. Once few are left, each of them
    is looked up.
    """
    asked = [one for one in where.conditions if one.name not in FIELDS and not one.is_negated]
    asked.sort(key=lambda one: not one.values)  # ranges are often met by more
    statements: list[Select[int] | CompoundSelect[int]] = [_with_value(one) for one in asked]
    if fields := _of_fields(connection, where):
        statements.append(select(products.c.pk).where(*fields))
    if not statements:
        return _read_keys(connection, select(products.c.pk).where(*meets(connection, where)))
    left = _read_keys(connection, statements[0])
    for statement in statements[1:]:
        if len(left) <= FEW:
            return _look_up(connection, where, left)
        left = left[np.isin(left, _read_keys(connection, statement))]
    for one in where.conditions:
        if one.name not in FIELDS and one.is_negated:
            if len(left) <= FEW:
                return _look_up(connection, where, left)
            left = left[~np.isin(left, _read_keys(connection, _with_value(one)))]
    return left


def _look_up(connection: Connection, where: ProductFilter, keys: Ids) -> Ids:
    """Reads those of a few keys whose products meet a filter, each by itself."""
    if not len(keys):
        return keys
    met = [products.c.pk.in_(keys.tolist()), *meets_each(connection, where, products.c.pk)]
    if where.without_picture:
        met.append(~HAS_SHOWN_IMAGE)
    return _read_keys(connection, select(products.c.pk).where(*met))


def _read_keys(connection: Connection, statement: Select[int] | CompoundSelect[int]) -> Ids:
    keys: Ids = read_numbers(connection, statement)[0]
    return keys


def meets_each(
    connection: Connection, where: ProductFilter, pk: ColumnElement[int]
) -> list[ColumnElement[bool]]:
    """Makes the conditions for a few products, each of which is looked up by itself.

    The conditions of ``meets`` find all products with a value first, which is more work than a few need.

    Args:
        connection: connection to the catalog.
        where: the filter; conditions on its fields are about the table of products.
        pk: the column with keys of products.
    """
    return [
        _of_field(connection, one) if one.name in FIELDS else _of_attribute(one, pk, one_by_one=True)
        for one in where.conditions
    ]


def estimate(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> tuple[int, float]:
    """Guesses from a sample how many products there are, and which share of them meets conditions.

    Args:
        connection: connection to the catalog.
        conditions: conditions for the table of products.

    Returns:
        number of products; and the share, 0 where the sample has none that meets them.
    """
    first, last = connection.execute(_ENDS).one()
    if first is None:
        return 0, 0.0
    # At random, as products that are alike lie side by side or at even distances; the same ones every time.
    draw = random.Random(SAMPLE)
    drawn = {first + int(draw.random() * (last - first + 1)) for _ in range(SAMPLE)}
    n_met = func.sum(case((and_(true(), *conditions), 1), else_=0))
    n_found, n_met = connection.execute(
        select(func.count(), n_met).where(products.c.pk.in_(sorted(drawn)))
    ).one()
    n_products = round((last - first + 1) * n_found / len(drawn))
    return n_products, (n_met or 0) / max(1, n_found)


def _of_attribute(
    condition: Condition, pk: ColumnElement[int], *, one_by_one: bool = False
) -> ColumnElement[bool]:
    """Condition for products with such a value: of those that must not have one, each is looked up."""
    if not condition.is_negated and not one_by_one:
        return pk.in_(_with_value(condition))
    stored = product_values.c
    # As a sum, a number is not looked up in the index of numbers: that would be read once for each product.
    alike = _alike(condition, stored.number + 0.0)
    named = exists().where(stored.product_pk == pk, stored.name == condition.attribute)
    found = named.where(or_(*alike) if alike else true())
    return ~found if condition.is_negated else found


def _with_value(condition: Condition) -> Select[int] | CompoundSelect[int]:
    """Makes the statement for the keys of products with such a value, whether or not it must be there."""
    stored = product_values.c
    # One look-up for each: an index of values and one of numbers cannot be used for both at once.
    found = [
        select(stored.product_pk).where(stored.name == condition.attribute, one)
        for one in _alike(condition, stored.number) or [true()]
    ]
    return union(*found) if len(found) > 1 else found[0]


def _alike(condition: Condition, number: ColumnElement[float | None]) -> list[ColumnElement[bool]]:
    """Makes conditions for values, one of which is enough; none where any value is."""
    found: list[ColumnElement[bool]] = []
    if condition.values:
        numbers = plain_numbers(condition.values)
        if len(numbers) < len(condition.values):  # equal numbers are stored as equal: they are enough
            found.append(product_values.c.value.in_(condition.values))
        if numbers:
            found.append(number.in_(numbers))
    elif condition.has_bounds:
        found.append(and_(*_within(condition, number, number)))
    return found


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
    known = [name for name in connection.execute(PRODUCT_CATEGORIES).scalars() if name is not None]
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
