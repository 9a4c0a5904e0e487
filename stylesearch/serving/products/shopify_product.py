"""Reads products as Shopify's webhooks send them (the product resource of its REST Admin API).

They become what a CSV export of the same shop says of them: the id is the handle, the category the product
type, sizes and colors are variants. The numeric id, which alone a deletion names, is their place in the
source. Whatever is of another type than it should be counts as not said.

Source: https://shopify.dev/docs/api/admin-rest/latest/resources/product and
https://shopify.dev/docs/apps/build/webhooks
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from stylesearch.importers.tables.cells import make_options
from stylesearch.listing import ATTRIBUTE, Listing
from stylesearch.money import parse_price
from stylesearch.serving.problems import Problem
from stylesearch.types import Variant

__all__ = ["ShopifyImage", "ShopifyProduct", "place_of", "read_id", "read_product"]

MAX_IMAGES: Final = 250
MAX_VARIANTS: Final = 2048
"""Shopify's own limits."""

MAX_TEXT: Final = 1000
MAX_URL: Final = 2000
MAX_ID: Final = 10**20

_HIDDEN: Final = frozenset({"draft", "archived", "unlisted"})


@dataclass(frozen=True, slots=True)
class ShopifyImage:
    """A picture of a product.

    Attributes:
        url: where it is.
        options: those that all variants that it shows agree on; empty for one of the whole product.
    """

    url: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShopifyProduct:
    """A product as Shopify has it.

    Attributes:
        shopify_id: its numeric id, as a text.
        listing: what is said of it.
        images: its pictures, in their order, each URL once.
        is_shown: whether the shop shows it to its customers.
    """

    shopify_id: str
    listing: Listing
    images: tuple[ShopifyImage, ...]
    is_shown: bool


def read_id(payload: Mapping[str, Any]) -> str:
    """Reads the numeric id of a product, as a text.

    Raises:
        Problem: 422, there is none.
    """
    value = payload.get("id")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < MAX_ID:
        raise Problem(422, "id: the number of a product is wanted")
    return str(value)


def place_of(shopify_id: str) -> str:
    """The place of a product in its source, by which it is found again: ``shopify:123``."""
    return f"shopify:{shopify_id}"


def read_product(payload: Mapping[str, Any]) -> ShopifyProduct:
    """Reads a product.

    Raises:
        Problem: 422, it has no numeric id or no handle.
    """
    shopify_id = read_id(payload)
    handle = _text(payload.get("handle"), 200)
    if not handle:
        raise Problem(422, "handle: a text is wanted")
    names = [_text(one.get("name"), 200) for one in _list(payload, "options")]
    rows = _list(payload, "variants")[:MAX_VARIANTS]
    options = {_id(row): _read_options(row, names) for row in rows}
    said: dict[str, Any] = {
        "title": _text(payload.get("title")) or None,
        "category": _read_category(payload),
        f"{ATTRIBUTE}vendor": _text(payload.get("vendor")) or None,
        f"{ATTRIBUTE}tags": _read_tags(payload.get("tags")) or None,
        f"{ATTRIBUTE}regular_price": _read_regular_price(rows[0]) if rows else None,
        **_read_variants(rows, options),
    }
    if len(rows) == 1 and not options[_id(rows[0])]:
        said[f"{ATTRIBUTE}sku"] = _text(rows[0].get("sku"), 200) or None
    is_shown = _text(payload.get("status")).casefold() not in _HIDDEN
    if "published_at" in payload and payload["published_at"] is None:
        is_shown = False
    return ShopifyProduct(shopify_id, Listing(handle, said, place=place_of(shopify_id)), _read_images(payload, rows, options), is_shown)


def _read_variants(rows: list[dict[str, Any]], options: Mapping[Any, dict[str, str]]) -> dict[str, Any]:
    """What the variants say of the product: themselves, the lowest price, and whether one is in stock."""
    prices = [price for row in rows if (price := _text(row.get("price"), 64))]
    read = [(money.amount, price) for price in prices if (money := parse_price(price)) is not None]
    stock = [_in_stock(row) for row in rows]
    in_stock = True if any(stock) else False if stock and None not in stock else None
    variants = tuple(
        Variant(
            _text(row.get("sku"), 200),
            options[_id(row)],
            _text(row.get("price"), 64) or None,
            one_in_stock,
        )
        for row, one_in_stock in zip(rows, stock, strict=True)
        if options[_id(row)]
    )
    return {
        "price": min(read)[1] if read else (prices[0] if prices else None),
        "in_stock": in_stock,
        "variants": variants,
    }


def _read_options(row: Mapping[str, Any], names: list[str]) -> dict[str, str]:
    values = [_text(row.get(f"option{number}"), 200) for number in (1, 2, 3)]
    if values[0].casefold() == "default title" and not any(values[1:]):
        return {}
    named = dict(enumerate(names, 1))
    return make_options(
        (named.get(number) or f"option {number}", value) for number, value in enumerate(values, 1)
    )


def _read_images(
    payload: Mapping[str, Any], rows: list[dict[str, Any]], options: Mapping[Any, dict[str, str]]
) -> tuple[ShopifyImage, ...]:
    found: dict[str, ShopifyImage] = {}
    for image in _list(payload, "images")[:MAX_IMAGES]:
        url = _read_url(image.get("src"))
        if not url:
            continue
        listed = image.get("variant_ids")
        ids = [one for one in listed if isinstance(one, int)] if isinstance(listed, list) else []
        ids += [
            _id(row) for row in rows if row.get("image_id") is not None and row["image_id"] == image.get("id")
        ]
        shown = [options[one] for one in ids if one in options]
        common = dict.items(shown[0]) if shown else {}.items()
        agreed = {name: value for name, value in common if all(one.get(name) == value for one in shown)}
        found.setdefault(url, ShopifyImage(url, agreed))
    return tuple(found.values())


def _read_category(payload: Mapping[str, Any]) -> str | None:
    """The type that the shop gave it, or else Shopify's own category."""
    own = payload.get("category")
    paths = (payload.get("product_type"), own.get("full_name") if isinstance(own, dict) else None)
    for path in paths:
        levels = [" ".join(level.split()) for level in _text(path).split(">")]
        if category := " > ".join(level for level in levels if level):
            return category
    return None


def _read_tags(value: Any) -> list[str]:
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    return [tag for part in parts[:MAX_IMAGES] if (tag := _text(part, 255))]


def _read_regular_price(row: Mapping[str, Any]) -> str | None:
    """The price before a reduction; None where there is no reduction."""
    before, now = (_text(row.get(name), 64) for name in ("compare_at_price", "price"))
    amounts = [parse_price(text) if text else None for text in (before, now)]
    if amounts[0] is None or amounts[1] is None or amounts[0].amount <= amounts[1].amount:
        return None
    return before


def _in_stock(row: Mapping[str, Any]) -> bool | None:
    """Whether a variant can be bought: Shopify sells all whose stock it does not track."""
    if row.get("inventory_policy") == "continue":
        return True
    if "inventory_management" in row and row["inventory_management"] is None:
        return True
    quantity = row.get("inventory_quantity")
    return quantity > 0 if isinstance(quantity, int | float) else None


def _read_url(value: Any) -> str:
    url = _text(value, MAX_URL + 1).replace(" ", "%20")
    url = f"https:{url}" if url.startswith("//") else url
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    is_web = parts.scheme in ("http", "https") and bool(parts.netloc)
    return url if is_web and len(url) <= MAX_URL else ""


def _list(payload: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    value = payload.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _id(row: Mapping[str, Any]) -> int:
    value = row.get("id")
    return value if isinstance(value, int) else -1


def _text(value: Any, most: int = MAX_TEXT) -> str:
    """A text in one line, without what cannot be stored; "" for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    shown = value.encode("utf-8", "ignore").decode().replace("\0", "")
    return unicodedata.normalize("NFC", " ".join(shown.split()))[:most]
