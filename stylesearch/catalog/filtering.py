"""Reads products that meet a ``ProductFilter``: its conditions in SQL."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, String, and_, cast, exists, false, func, or_, select

from stylesearch.catalog.categories import LEVELS, plain_category
from stylesearch.catalog.queries import HAS_SHOWN_IMAGE
from stylesearch.catalog.tables import listings, product_columns, products, sources
from stylesearch.option_names import spellings
from stylesearch.types import ProductFilter, Variant

__all__ = ["EVERY_PRODUCT", "has_attribute", "is_below", "meets", "page_of"]

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
    found: list[ColumnElement[bool]] = []
    if where.category is not None:
        found.append(_is_in_category(connection, plain_category(where.category)))
    found += [_has_value(name, value) for name, value in where.attributes.items()]
    if where.min_price is not None:
        found.append(func.coalesce(products.c.amount_max, products.c.amount) >= where.min_price)
    if where.max_price is not None:
        found.append(products.c.amount <= where.max_price)
    if where.in_stock is not None:
        found.append(products.c.in_stock == where.in_stock)
    if where.source is not None:
        pk = select(sources.c.pk).where(sources.c.name == where.source).scalar_subquery()
        found.append(exists().where(listings.c.product_pk == products.c.pk, listings.c.source_pk == pk))
    if where.without_picture:
        found.append(~HAS_SHOWN_IMAGE)
    return found


def has_attribute(name: str) -> ColumnElement[bool]:
    """Condition for products with an attribute, or an option of a variant, of a name."""
    options = cast(products.c.variants, String)
    return or_(
        *(products.c.attributes[one].as_string().is_not(None) for one in spellings(name)),
        *(_holds(options, f"{json.dumps(one)}: ") for one in _option_names(name)),
    )


def _has_value(name: str, value: str) -> ColumnElement[bool]:
    """Condition for an attribute of a value, a list with it, or a variant with such an option."""
    options = cast(products.c.variants, String)
    found = [_holds(options, f"{json.dumps(one)}: {json.dumps(value)}") for one in _option_names(name)]
    for one in spellings(name):
        stored = products.c.attributes[one]
        text = cast(stored.as_string(), String)
        found += [text == value, and_(func.substr(text, 1, 1) == "[", _holds(text, json.dumps(value)))]
        if not value.isascii():  # the database may have written a list anew, without escapes
            in_list = _holds(text, json.dumps(value, ensure_ascii=False))
            found.append(and_(func.substr(text, 1, 1) == "[", in_list))
        if value in ("true", "false"):
            found.append(stored.as_boolean() == (value == "true"))
    return or_(*found)


def _option_names(name: str) -> list[str]:
    """Spellings of the name of an option that are no field of a variant."""
    fields = {one.name for one in dataclasses.fields(Variant)}
    return [one for one in spellings(name) if one not in fields]


def _holds(text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Condition for a text with a part: LIKE would not tell upper from lower case everywhere."""
    return func.length(func.replace(text, part, "")) < func.length(text)


def _is_in_category(connection: Connection, category: str) -> ColumnElement[bool]:
    below = is_below(products.c.category, category)
    names = connection.execute(select(products.c.category).where(below).distinct().limit(2)).scalars().all()
    if len(names) > 1:
        return below
    # An index finds the products of one category, in the order of their ids.
    return products.c.category == names[0] if names else false()
