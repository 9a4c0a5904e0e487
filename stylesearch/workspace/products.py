"""Reads and removes the products that meet a filter, in pages: a catalog may be larger than memory."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from stylesearch.conditions import FIELDS
from stylesearch.errors import UnknownName
from stylesearch.registry import unknown_name
from stylesearch.types import Product, ProductFilter

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.records import ProductDetails
    from stylesearch.workspace.resources import Resources

__all__ = ["check_filter", "remove_where", "stream_details", "stream_products"]

PAGE: Final = 1000
SAMPLE: Final = 1000
"""Values among which the nearest one is looked for, where a filter has one that no product has."""

VALUES_SHOWN: Final = 20

T = TypeVar("T")


def check_filter(catalog: Catalog, where: ProductFilter) -> None:
    """Refuses a filter that names what the catalog does not have.

    Raises:
        UnknownName: no such source, no product in such a category or below it, none with such an attribute
            or value of it, or none that says whether it is in stock; the message has the nearest name.
    """
    selection = catalog.selection
    for one in where.conditions:
        if one.is_negated:
            continue  # it is met by what has no such thing
        if one.name == "source":
            for name in one.values:
                catalog.sources.get(name)
        elif one.name == "category":
            for name in one.values:
                if not selection.count(ProductFilter(category=name)):
                    names = selection.categories()
                    parents = {" > ".join(path.split(" > ")[:depth]) for path in names for depth in (1, 2)}
                    raise unknown_name("category", name, dict.fromkeys(sorted({*names, *parents})))
        elif one.name == "in_stock":
            if one.values and not selection.count(ProductFilter(where="in_stock exists")):
                raise UnknownName(
                    "no product says whether it is in stock",
                    hint="the sources have no stock that was read: see `stylesearch products show ID`",
                )
        elif one.name not in FIELDS:
            if not selection.has_attribute(one.attribute):
                raise unknown_name("attribute", one.attribute, dict.fromkeys(selection.attributes()))
            if one.values and not selection.count(ProductFilter(where=[one])):
                raise _unknown_value(one.attribute, one.values[0], selection.values_of(one.attribute, SAMPLE))


def _unknown_value(name: str, value: str, known: Sequence[str]) -> UnknownName:
    folded = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(value.casefold(), folded, n=1, cutoff=0.5)
    suggestion = f". Did you mean {folded[near[0]]!r}?" if near else ""
    shown = ", ".join(known[:VALUES_SHOWN]) + (", ..." if len(known) > VALUES_SHOWN else "")
    return UnknownName(f"no product has {name} {value!r}{suggestion}", hint=f"known: {shown}")


def stream_products(
    catalog: Catalog, where: ProductFilter, *, after: str | None = None, limit: int | None = None
) -> Iterator[Product]:
    """Yields products in the order of their ids.

    Args:
        catalog: the catalog.
        where: the filter that they meet.
        after: id after which they begin.
        limit: largest number of products; None for all.
    """
    return _pages(lambda last, n: catalog.products(where, after=last, limit=n), _id_of, after, limit)


def stream_details(catalog: Catalog, where: ProductFilter) -> Iterator[ProductDetails]:
    """Yields products with their images, in the order of their ids."""
    return _pages(
        lambda last, n: catalog.selection.details(where, after=last, limit=n),
        lambda one: one.product.id,
        None,
        None,
    )


def remove_where(resources: Resources, where: ProductFilter) -> int:
    """Removes the products that meet a filter, in one transaction; returns how many were removed."""
    catalog = resources.catalog()
    check_filter(catalog, where)
    with catalog.writing(timeout=resources.settings.lock_timeout) as writer:
        wanted = [one.id for one in stream_products(catalog, where)]
        with writer.transaction():
            return writer.remove_products(wanted)


def _pages(
    read: Callable[[str | None, int], Sequence[T]],
    id_of: Callable[[T], str],
    after: str | None,
    limit: int | None,
) -> Iterator[T]:
    left = limit
    while left is None or left > 0:
        n = PAGE if left is None else min(PAGE, left)
        page = read(after, n)
        yield from page
        if len(page) < n:
            return
        after = id_of(page[-1])
        left = None if left is None else left - n


def _id_of(product: Product) -> str:
    return product.id
