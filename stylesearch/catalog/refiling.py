"""Changes the categories that products are searched in, and files products and their vectors anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlalchemy import delete, insert, select, update

from stylesearch.catalog.categories import Categories
from stylesearch.catalog.queries import in_batches
from stylesearch.catalog.tables import category_map, products
from stylesearch.catalog.writer import Writer

__all__ = ["refile_products", "set_categories"]

FILED_AT_ONCE: Final = 1000
"""Products of one transaction: of all at once, the vectors would double the database's file meanwhile."""


def set_categories(writer: Writer, categories: Categories) -> None:
    """Stores which categories products are searched in; called inside a transaction."""
    connection = writer.connection()
    stored = writer.categories().entries
    gone = [name for name, category in stored.items() if categories.entries.get(name) != category]
    new = {name: one for name, one in categories.entries.items() if stored.get(name) != one}
    for name in gone:
        connection.execute(delete(category_map).where(category_map.c.shop_category == name))
    if new:
        rows = [{"shop_category": name, "category": category} for name, category in new.items()]
        connection.execute(insert(category_map), rows)


def refile_products(writer: Writer, progress: Callable[[int], None] | None = None) -> int:
    """Files every product under the category that it is searched in now, some in each transaction.

    What is filed already is left alone: a call that is cut short is finished by the next one.

    Args:
        writer: writer of the catalog, outside a transaction.
        progress: called with the number of products filed so far.

    Returns:
        number of products that moved.
    """
    moved = 0
    with writer.transaction():
        pending = _find_pending(writer)
    for shop_category, category, wanted in pending:
        n = FILED_AT_ONCE
        while n == FILED_AT_ONCE:
            with writer.transaction():
                n = _refile_some(writer, shop_category, category, wanted)
            moved += n
            if n and progress:
                progress(moved)
    return moved


def _find_pending(writer: Writer) -> list[tuple[str, str, str]]:
    """Lists where products are filed wrongly: the sources' category, the present one, and the right one."""
    categories = writer.categories()
    filed = select(products.c.shop_category, products.c.category).distinct()
    return [
        (shop_category, category, wanted)
        for shop_category, category in writer.connection().execute(filed)
        if (wanted := categories.find(shop_category)) != category
    ]


def _refile_some(writer: Writer, shop_category: str, category: str, wanted: str) -> int:
    connection = writer.connection()
    found = (
        select(products.c.pk)
        .where(products.c.shop_category == shop_category, products.c.category == category)
        .limit(FILED_AT_ONCE)
    )
    pks = list(connection.execute(found).scalars())
    with writer.shown_counts.following(pks):
        for batch in in_batches(pks):
            connection.execute(update(products).where(products.c.pk.in_(batch)).values(category=wanted))
    writer.refile_products(pks)
    return len(pks)
