"""Joins what several sources say of one product: which field has which value, and why.

A source changes only what it says, and of two that disagree the one that came last counts. Nothing here
knows the database: the writer reads the rows, and stores what comes out.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stylesearch.catalog.categories import Categories
from stylesearch.catalog.records import Patch, SourceListing
from stylesearch.errors import ConfigError
from stylesearch.listing import ATTRIBUTE, UNCATEGORIZED, Listing
from stylesearch.money import Money, parse_price
from stylesearch.types import Product, Variant

__all__ = [
    "Merged",
    "merge",
    "patch_values",
    "price_counts",
    "product_values",
    "restore_fields",
    "strange_fields",
    "values_of",
    "without",
]

_OF_VARIANTS: Final = "each variant of the product has a price of its own, and none has this one"
"""Why a price that is said of a whole product does not count."""

Values = dict[str, Any]
"""Values by field, as in ``Listing.said``; variants are JSON objects, and empty fields are left out."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A product after a source has said something of it.

    Attributes:
        values: the product's values by field.
        said, guesses: what the source says of it from now on.
        overruled: by field, the name of another source that says what the product had before.
    """

    values: Values
    said: Values
    guesses: Mapping[str, str]
    overruled: Mapping[str, str]


def values_of(product: Product, shop_category: str) -> Values:
    """Values of a product by field; its category is the sources' own."""
    return _json_values({**Listing.of(product).said, "category": shop_category})


def merge(
    product_id: str,
    values: Values,
    before: SourceListing | None,
    listing: Listing,
    others: Callable[[], Sequence[SourceListing]],
) -> Merged:
    """Merges a listing into a product.

    Args:
        product_id: id of the product.
        values: what the catalog has; empty for a new product.
        before: what this source said before, or None.
        listing: what it says now.
        others: reads what other sources say, the one that came last first; called only where that matters.
    """
    stated = _json_values(listing.said)
    mine = {} if before is None else before.said
    kept = (
        {} if listing.is_whole else {name: value for name, value in mine.items() if name not in listing.said}
    )
    said = {**kept, **stated}
    changed = {name: value for name, value in stated.items() if values.get(name) != value}
    taken_back = [name for name, value in mine.items() if name not in said and values.get(name) == value]
    after = {name: value for name, value in {**values, **stated}.items() if name not in taken_back}
    if "price" in changed and values and not price_counts(after):
        del changed["price"]
    if "variants" in taken_back and "price" not in said and "price" not in taken_back:
        taken_back.append("price")  # it may be that of a variant
    guesses = dict(listing.guesses)
    old_guesses = {} if before is None else before.guesses
    guessed_anew = any(
        name not in said and old_guesses.get(name) == values.get(name) != guess
        for name, guess in guesses.items()
    )
    if values and not changed and not taken_back and not guessed_anew:
        return Merged(values, said, guesses, {})
    others_say = others() if values else []
    merged = {**values, **changed}
    for name in taken_back:
        merged.pop(name, None)
    overruled: dict[str, str] = {}
    for other in others_say:
        for name, value in other.said.items():
            if name in taken_back:
                merged.setdefault(name, value)
            if name in changed and values.get(name) == value:
                overruled.setdefault(name, other.source)
    if guessed_anew:
        for name in guesses.keys() - said.keys():
            if old_guesses.get(name) == merged.get(name) and not any(name in one.said for one in others_say):
                merged[name] = guesses[name]
    _settle_price(merged)
    _fill(merged, product_id, [guesses, *(one.guesses for one in others_say)])
    return Merged(merged, said, guesses, overruled)


def patch_values(
    product_id: str, values: Values, before: SourceListing | None, patch: Patch
) -> tuple[Values, Values]:
    """Changes some fields of a product. What is cleared is so whatever source said it.

    Args:
        product_id: id of the product.
        values: what the catalog has.
        before: what the source of the change said before, or None.
        patch: the change.

    Returns:
        The product's values by field, and what the source says of it from now on.

    Raises:
        ConfigError: a price that does not count beside those of the variants: see ``price_counts``.
    """
    stated = _json_values(patch.said)
    cleared = patch.cleared | (patch.said.keys() - stated.keys())

    def stays(name: str) -> bool:
        is_cleared = name in cleared or (patch.clears_attributes and name.startswith(ATTRIBUTE))
        return name in stated or not is_cleared

    merged = {name: value for name, value in {**values, **stated}.items() if stays(name)}
    mine = {} if before is None else before.said
    said = {name: value for name, value in {**mine, **stated}.items() if stays(name)}
    if "price" in stated and not price_counts(merged):
        raise ConfigError(f"price: {_OF_VARIANTS}", hint="change the prices of the variants")
    if "variants" in values and "variants" not in merged and "price" in merged:
        said["price"] = merged["price"]  # it may be that of a variant, which nobody says any more
    _settle_price(merged)
    _fill(merged, product_id, [])
    return merged, said


def without(product_id: str, values: Values, gone: SourceListing, left: Sequence[SourceListing]) -> Values:
    """Values of a product that a source no longer lists: what only that source said is taken back.

    Args:
        product_id: id of the product.
        values: what the catalog has.
        gone: what the source said.
        left: what other sources say, the one that came last first.
    """
    said_by_others = {name for one in left for name in one.said}

    def is_gone(name: str, value: Any) -> bool:
        is_guess = gone.guesses.get(name) == value and name not in said_by_others
        return bool(gone.said.get(name) == value or is_guess)

    merged = {name: value for name, value in values.items() if not is_gone(name, value)}
    taken_back = set(gone.said)
    if "variants" in values and "variants" not in merged:
        merged.pop("price", None)  # it may be that of a variant
        taken_back.add("price")
    for other in left:
        for name, value in other.said.items():
            if name in taken_back:
                merged.setdefault(name, value)
    _settle_price(merged)
    _fill(merged, product_id, [one.guesses for one in left])
    return merged


def product_values(product_id: str, values: Values, categories: Categories) -> dict[str, Any]:
    """Makes the row of the table ``products``, without its key.

    Args:
        product_id: id of the product.
        values: its values by field.
        categories: which category it is searched in, by the sources' own.
    """
    variants = tuple(Variant(**one) for one in values.get("variants", ()))
    of_variants = [one.price for one in variants]
    prices = [*(() if of_variants and all(of_variants) else (values.get("price"),)), *of_variants]
    read = [money for price in prices if (money := _read_price(price)) is not None]
    if not read:
        read = [money for money in [_read_price(values.get("price"))] if money is not None]
    amounts = [money.amount for money in read]
    return {
        "id": product_id,
        "title": values["title"],
        "category": categories.find(values["category"]),
        "shop_category": values["category"],
        "url": values.get("url"),
        "price": values.get("price"),
        "attributes": {
            name.removeprefix(ATTRIBUTE): value
            for name, value in values.items()
            if name.startswith(ATTRIBUTE)
        },
        "in_stock": values.get("in_stock"),
        "variants": variants,
        "amount": min(amounts, default=None),
        "amount_max": max(amounts, default=None),
        "currency": next((money.currency for money in read if money.currency), None),
    }


def price_counts(values: Values) -> bool:
    """Whether the price of a whole product counts beside those of its variants.

    It does where a variant has no price of its own, or this one too; a text that is no single amount stands.
    """
    of_variants = [one.get("price") for one in values.get("variants", ())]
    if not of_variants or not all(of_variants):
        return True
    money = _read_price(values.get("price"))
    amounts = {read.amount for read in map(_read_price, of_variants) if read is not None}
    return money is None or not amounts or money.amount in amounts


def strange_fields(product_id: str, values: Values, said: Sequence[SourceListing]) -> set[str]:
    """Names of fields of which no source says, or has guessed, what a product has.

    Of products of older versions nothing tells what a source said (see the migration 0002): none is strange.

    Args:
        product_id: id of the product.
        values: what the catalog has.
        said: what the sources say.
    """
    if any(not one.said and not one.guesses for one in said) or not said:
        return set()
    defaults = {"title": product_id, "category": UNCATEGORIZED}
    # A price that is said and does not count leaves the one from before, which no source may say any more.
    has_variants = any("variants" in one for one in (values, *(one.said for one in said)))
    return {
        name
        for name, value in values.items()
        if value != defaults.get(name)
        and not any(value in (one.said.get(name), one.guesses.get(name)) for one in said)
        and not (name == "price" and has_variants and price_counts(values))
    }


def restore_fields(product_id: str, values: Values, said: Sequence[SourceListing]) -> Values:
    """Values of a product with what its sources say in place of ``strange_fields``.

    Args:
        product_id: id of the product.
        values: what the catalog has, as far as that can be read.
        said: what the sources say, the one that came last first.
    """
    strange = strange_fields(product_id, values, said)
    told = {name: value for one in reversed(said) for name, value in one.said.items()}
    merged = {name: value for name, value in values.items() if name not in strange}
    for name in strange if values else told:
        if name in told:
            merged[name] = told[name]
    _settle_price(merged)
    _fill(merged, product_id, [one.guesses for one in said])
    return merged


def _read_price(price: str | None) -> Money | None:
    return parse_price(price) if price else None


def _settle_price(values: Values) -> None:
    """Gives a product whose own price does not count the lowest price of its variants."""
    if not price_counts(values):
        texts = [one["price"] for one in values["variants"]]
        read = [(money.amount, text) for text in texts if (money := _read_price(text)) is not None]
        values["price"] = min(read)[1]


def _json_values(said: Mapping[str, Any]) -> Values:
    """Converts values to what the database gives back, without the empty ones.

    JSON changes some (a tuple, a number as a key), which would otherwise count as changed at every run.
    """
    values = {name: value for name, value in said.items() if value not in (None, "", ())}
    if "variants" in values:
        values["variants"] = [dataclasses.asdict(one) for one in values["variants"]]
    if all(isinstance(value, str | bool) for value in values.values()):
        return values
    plain: Values = json.loads(json.dumps(values))
    return plain


def _fill(values: Values, product_id: str, guesses: Sequence[Mapping[str, str]]) -> None:
    """Gives a product that lacks a title or a category a guessed one."""
    for name, default in (("title", product_id), ("category", UNCATEGORIZED)):
        if not values.get(name):
            values[name] = next((one[name] for one in guesses if one.get(name)), default)
