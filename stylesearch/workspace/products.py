"""Reads and removes the products that meet a filter, in pages: a catalog may be larger than memory."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

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
"""Products whose attributes are named where a filter has one that no product has."""

VALUES_SHOWN: Final = 20

T = TypeVar("T")


def check_filter(catalog: Catalog, where: ProductFilter) -> None:
    """Refuses a filter that names what the catalog does not have.

    Raises:
        UnknownName: no such source, no product in such a category or below it, or none with such an
            attribute or value of it; the message has the nearest name.
    """
    if where.source is not None:
        catalog.sources.get(where.source)
    if where.category is not None and not catalog.selection.count(ProductFilter(category=where.category)):
        names = catalog.selection.categories()
        parents = {" > ".join(name.split(" > ")[:depth]) for name in names for depth in (1, 2)}
        raise unknown_name("category", where.category, dict.fromkeys(sorted({*names, *parents})))
    for name, value in where.attributes.items():
        if not catalog.selection.has_attribute(name):
            sample = catalog.products(limit=SAMPLE)
            known = {key for product in sample for key in product.attributes}
            known |= {key for product in sample for one in product.variants for key in one.options}
            raise unknown_name("attribute", name, dict.fromkeys(sorted(known)))
        if not catalog.selection.count(ProductFilter(attributes={name: value})):
            raise _unknown_value(name, value, catalog.selection.values_of(name, SAMPLE))


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
