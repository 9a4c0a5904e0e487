"""Reads products that meet a ``ProductFilter``: its conditions in SQL."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, String, cast, exists, false, func, or_, select

from stylesearch.catalog.categories import LEVELS, plain_category
from stylesearch.catalog.queries import HAS_SHOWN_IMAGE
from stylesearch.catalog.tables import listings, product_columns, products, sources
from stylesearch.types import ProductFilter

__all__ = ["EVERY_PRODUCT", "is_below", "meets", "page_of"]

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
    for name, value in where.attributes.items():
        stored = products.c.attributes[name]
        is_equal = cast(stored.as_string(), String) == value
        if value in ("true", "false"):
            is_equal = or_(is_equal, stored.as_boolean() == (value == "true"))
        found.append(is_equal)
    if where.min_price is not None:
        found.append(func.coalesce(products.c.amount_max, products.c.amount) >= where.min_price)
    if where.max_price is not None:
        found.append(products.c.amount <= where.max_price)
    if where.in_stock is not None:
        found.append(products.c.in_stock.is_(where.in_stock))
    if where.source is not None:
        pk = select(sources.c.pk).where(sources.c.name == where.source).scalar_subquery()
        found.append(exists().where(listings.c.product_pk == products.c.pk, listings.c.source_pk == pk))
    if where.without_picture:
        found.append(~HAS_SHOWN_IMAGE)
    return found


def _is_in_category(connection: Connection, category: str) -> ColumnElement[bool]:
    below = is_below(products.c.category, category)
    names = connection.execute(select(products.c.category).where(below).distinct().limit(2)).scalars().all()
    if len(names) > 1:
        return below
    # An index finds the products of one category, in the order of their ids.
    return products.c.category == names[0] if names else false()
