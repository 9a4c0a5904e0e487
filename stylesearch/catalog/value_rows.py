"""Rows of the table ``product_values``: what filters and facets ask of attributes and of options of variants.

They follow from the product alone; the writer keeps them up in its transaction, ``db check`` compares them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select

from stylesearch.catalog.queries import in_batches
from stylesearch.catalog.tables import product_values, products
from stylesearch.conditions import plain_value, read_number
from stylesearch.option_names import plain_name

__all__ = ["Values", "fill_values", "read_values", "store_values", "values_to_filter"]

LONGEST: Final = 200
"""Characters of a name or value that are compared: of a longer value only that there is one is known."""

Values = dict[tuple[str, str], tuple[float | None, str]]
"""Number and label by name and value, all in their plain form; an empty value for what is not compared."""


def values_to_filter(attributes: Mapping[str, Any], options: Sequence[Mapping[str, str]]) -> Values:
    """Lists the values of a product that filters can ask for.

    Args:
        attributes: its attributes; of a list, each value counts.
        options: options of each of its variants.

    Example:
        >>> values_to_filter({"Farbe": "Navy Blue", "width": [50, "60 cm"]}, [{"size": "M"}])
        ... # doctest: +NORMALIZE_WHITESPACE
        {('color', 'navy blue'): (None, 'Navy Blue'), ('width', '50'): (50.0, '50'),
         ('width', '60 cm'): (60.0, '60 cm'), ('size', 'm'): (None, 'M')}
    """
    found: Values = {}
    for one in (attributes, *options):
        for key, value in one.items():
            name = plain_name(str(key))
            if not name or len(name) > LONGEST:
                continue
            for label in _texts(value):
                plain = plain_value(label)
                if len(plain) > LONGEST or not plain:
                    found.setdefault((name, ""), (None, ""))
                else:
                    label = " ".join(label.encode("utf-8", "replace").decode().replace("\0", " ").split())
                    found.setdefault((name, plain), (read_number(plain), label))
    return found


def _texts(value: Any) -> Iterator[str]:
    """The values of an attribute as texts: an empty one for an object, none for null."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 1e15:
        yield str(int(value))
    elif isinstance(value, str | int | float):
        yield str(value)
    elif value is not None:
        yield ""


def read_values(connection: Connection, product_pks: Sequence[int]) -> dict[int, Values]:
    """Reads the stored values of products, by their keys."""
    found: dict[int, Values] = {pk: {} for pk in product_pks}
    one = product_values.c
    for batch in in_batches(product_pks):
        statement = select(one.product_pk, one.name, one.value, one.number, one.label)
        for pk, name, value, number, label in connection.execute(statement.where(one.product_pk.in_(batch))):
            found[pk][name, value] = (number, label)
    return found


def store_values(connection: Connection, wanted: Mapping[int, Values], *, are_new: bool = False) -> None:
    """Stores the values of products; writes nothing of those that have them already.

    Args:
        connection: connection of the writer, in a transaction.
        wanted: values by key of the product.
        are_new: whether none of these products has any yet.
    """
    stored = {} if are_new else read_values(connection, list(wanted))
    changed = [pk for pk, values in wanted.items() if stored.get(pk, {}) != values]
    for batch in in_batches([pk for pk in changed if stored.get(pk)]):
        connection.execute(delete(product_values).where(product_values.c.product_pk.in_(batch)))
    rows = [
        {"product_pk": pk, "name": name, "value": value, "number": number, "label": label}
        for pk in changed
        for (name, value), (number, label) in wanted[pk].items()
    ]
    if rows:
        connection.execute(insert(product_values), rows)


def fill_values(connection: Connection) -> None:
    """Makes the values of all products anew: after an import."""
    connection.execute(delete(product_values))
    last = -1
    page = select(products.c.pk, products.c.attributes, products.c.variants).order_by(products.c.pk)
    while rows := connection.execute(page.where(products.c.pk > last).limit(1000)).all():
        wanted = {
            pk: values_to_filter(attributes or {}, [one.options for one in variants])
            for pk, attributes, variants in rows
        }
        store_values(connection, wanted, are_new=True)
        last = rows[-1].pk
