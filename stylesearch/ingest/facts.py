"""Finds whom a table of facts is about: stock and prices by an id, which may be that of a variant."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from stylesearch.listing import Listing, Unpictured
from stylesearch.money import lowest_price
from stylesearch.types import Variant

if TYPE_CHECKING:
    from stylesearch.catalog.writer import Writer

__all__ = ["FactPlacer"]

_FIELDS: Final = ("price", "in_stock", "url")
"""What is known of a variant beside its id and options."""

_N_SHOWN: Final = 3


class FactPlacer:
    """Makes changes of known products of rows that have an id and facts, and counts those of unknown ids."""

    def __init__(self) -> None:
        self._n_unknown = 0
        self._first: list[str] = []

    def place(self, writer: Writer, listed: Sequence[Unpictured]) -> list[Unpictured]:
        """Replaces rows of facts by what they say of known products.

        An id is that of a product, or of a variant of one. A variant takes what its row says of price, stock
        and address; the price and the stock of its product are made of all its variants anew.

        Args:
            writer: reads the products and variants of the catalog.
            listed: what a source lists; what is no row of facts is returned as it is.
        """
        placed = [one for one in listed if not _is_fact(one)]
        facts = [one for one in listed if _is_fact(one)]
        if not facts:
            return placed
        known = writer.known_ids(one.product.id for one in facts)
        of_products: dict[str, dict[str, Any]] = {}
        of_variants: dict[str, Mapping[str, Any]] = {}
        for one in facts:
            said, variants = dict(one.product.said), _variants(one)
            if variants:
                said = {name: value for name, value in said.items() if name not in ("variants", *_FIELDS)}
                of_variants |= {each.id: {name: getattr(each, name) for name in _FIELDS} for each in variants}
            else:
                of_variants[one.product.id] = said
            if one.product.id in known:
                of_products[one.product.id] = said
        found: set[str] = set()
        for product_id, variants in writer.find_variants(of_variants).items():
            mine = {each.id: of_variants[each.id] for each in variants if each.id in of_variants}
            found |= mine.keys()
            of_products[product_id] = of_products.get(product_id, {}) | _change(variants, mine)
        for one in facts:
            ids = [each.id for each in _variants(one)] or [one.product.id]
            self._count([name for name in ids if name not in found and name not in known])
        item = facts[0].item
        return placed + [
            Unpictured(Listing(product_id, said), item, only_known=True, says_images=False)
            for product_id, said in of_products.items()
        ]

    def notes(self) -> list[str]:
        """How many ids were unknown, if any."""
        if not self._n_unknown:
            return []
        ids = "1 id is" if self._n_unknown == 1 else f"{self._n_unknown:,} ids are"
        return [
            f"{ids} of no known product or variant, and left out, first: {', '.join(self._first)}: "
            "the table has neither pictures nor titles, so it only changes what is known"
        ]

    def _count(self, unknown: Sequence[str]) -> None:
        self._n_unknown += len(unknown)
        self._first += unknown[: _N_SHOWN - len(self._first)]


def _is_fact(one: Unpictured) -> bool:
    return one.only_known and not one.says_images and one.reason is None


def _variants(one: Unpictured) -> tuple[Variant, ...]:
    """The variants that a row tells apart by their ids."""
    return tuple(each for each in one.product.said.get("variants") or () if each.id)


def _change(variants: Sequence[Variant], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What is to be said of a product some of whose variants have changed."""
    changed = []
    for one in variants:
        said = facts.get(one.id, {})
        new = {name: said[name] for name in _FIELDS if said.get(name) is not None}
        changed.append(dataclasses.replace(one, **new))
    result: dict[str, Any] = {"variants": tuple(changed)}
    if any(said.get("price") for said in facts.values()):
        price = lowest_price(one.price for one in changed)
        result |= {"price": price} if price else {}
    stock = [one.in_stock for one in changed]
    if any(stock):
        result["in_stock"] = True
    elif None not in stock:
        result["in_stock"] = False
    return result
