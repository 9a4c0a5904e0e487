"""Reads products as Shopify's webhooks send them (the product resource of its REST Admin API).

They become what a CSV export of the same shop says of them, read with the same options and joined by the same
code: the id is the handle, the category the product type, sizes and colors are variants. The numeric id,
which alone a deletion names, is their place in the source. Whatever is of another type than it should be
counts as not said.

Source: https://shopify.dev/docs/api/admin-rest/latest/resources/product and
https://shopify.dev/docs/apps/build/webhooks
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.tables.cells import make_options, read_category, split_list
from stylesearch.importers.tables.grouping import ProductJoiner
from stylesearch.importers.tables.items import Item, Picture
from stylesearch.importers.tables.pictures import PictureFinder
from stylesearch.importers.tables.prices import choose_price
from stylesearch.importers.tables.row_store import ProductRows
from stylesearch.listing import ATTRIBUTE, Listing, Record, Withdrawn
from stylesearch.serving.problems import Problem
from stylesearch.types import Variant

__all__ = ["ShopifyProduct", "place_of", "read_id", "read_product"]

MAX_IMAGES: Final = 250
MAX_VARIANTS: Final = 2048
"""Shopify's own limits."""

MAX_TEXT: Final = 1000
MAX_URL: Final = 2000
MAX_ID: Final = 10**20

_NOT_ONE_LINE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

_HIDDEN: Final = frozenset({"draft", "archived", "unlisted"})


@dataclass(frozen=True, slots=True)
class ShopifyProduct:
    """A product as Shopify has it.

    Attributes:
        place: its place in the source.
        listings: what is said of it: of one product, or of each variant where these are products apart; none
            where the options leave it out.
        images: their pictures, in their order; the variants of one picture share its URL.
        hidden_ids: ids that it would have if the options did not leave out anything.
    """

    place: str
    listings: tuple[Listing, ...]
    images: tuple[Record, ...]
    hidden_ids: frozenset[str]


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


def read_product(payload: Mapping[str, Any], options: ImportOptions | None = None) -> ShopifyProduct:
    """Reads a product.

    Args:
        payload: the body of a webhook.
        options: those that are kept with the source.

    Raises:
        Problem: 422, it has no numeric id or no handle.
    """
    place = place_of(read_id(payload))
    written = payload.get("handle")
    handle = _text(written, 200)
    if not handle or (isinstance(written, str) and _NOT_ONE_LINE.search(written)):
        raise Problem(422, "handle: a text in one line is wanted")
    rows = ProductRows(handle, list(enumerate(_read_items(payload, handle))))
    chosen = replace(options or ImportOptions(), media_root="")
    listings, images = _join(rows, chosen, place)
    everything, _ = _join(rows, replace(chosen, unpublished=True, sold_out=True), place)
    return ShopifyProduct(place, listings, images, frozenset(one.id for one in everything))


def _join(
    rows: ProductRows, options: ImportOptions, place: str
) -> tuple[tuple[Listing, ...], tuple[Record, ...]]:
    """Joins the rows of a product as an importer does."""
    finder = PictureFinder(Path("/"), options)  # of URLs, which lie in no folder
    listings: dict[str, Listing] = {}
    images: dict[tuple[str, str], Record] = {}
    for one in ProductJoiner("webhook", finder, options, is_whole=False).list_product(rows):
        if isinstance(one, Withdrawn):
            continue
        listing = listings.setdefault(one.product.id, replace(one.product, place=place))
        if isinstance(one, Record):
            images.setdefault((listing.id, one.path), replace(one, product=listing))
    return tuple(listings.values()), tuple(images.values())


def _read_items(payload: Mapping[str, Any], handle: str) -> Iterator[Item]:
    """Reads what the rows of a table would say: one of the product with its pictures, one of each variant."""
    names = [_text(one.get("name"), 200) for one in _list(payload, "options")]
    rows = _list(payload, "variants")[:MAX_VARIANTS]
    images = [
        (url, _shown_variants(image, rows))
        for image in _list(payload, "images")[:MAX_IMAGES]
        if (url := _read_url(image.get("src")))
    ]
    regular = choose_price(*_read_prices(rows[0]))[1] if rows else ""
    said: dict[str, Any] = {
        "title": _text(payload.get("title")) or None,
        "category": _find_category(payload),
        f"{ATTRIBUTE}vendor": _text(payload.get("vendor")) or None,
        f"{ATTRIBUTE}tags": _read_tags(payload.get("tags")) or None,
        f"{ATTRIBUTE}regular_price": regular or None,
        f"{ATTRIBUTE}sku": None,  # of a product that has got sizes, the variants have them
        "variants": (),
        "price": None,
        "in_stock": None,
    }
    variants: list[Item] = []
    for number, row in enumerate(rows):
        options = _read_options(row, names)
        if options:
            price = choose_price(*_read_prices(row))[0] or None
            variant = Variant(_read_sku(row), options, price, _in_stock(row))
            pictures = tuple(Picture(url, options) for url, shown in images if number in shown)
            variants.append(Item(handle, variant=variant, pictures=pictures, is_part=True))
        elif len(rows) == 1:
            said |= {
                "price": choose_price(*_read_prices(row))[0] or None,
                "in_stock": _in_stock(row),
                f"{ATTRIBUTE}sku": _read_sku(row) or None,
            }
    pictures = tuple(Picture(url) for url, _ in images)
    yield Item(handle, said, pictures=pictures, is_shown=_is_shown(payload))
    yield from variants


def _is_shown(payload: Mapping[str, Any]) -> bool:
    """Whether the shop shows a product to its customers."""
    is_unpublished = "published_at" in payload and payload["published_at"] is None
    return not is_unpublished and _text(payload.get("status")).casefold() not in _HIDDEN


def _shown_variants(image: Mapping[str, Any], rows: list[dict[str, Any]]) -> set[int]:
    """Numbers of the variants that a picture is of, in their list: either may name the other."""
    listed = image.get("variant_ids")
    ids = {one for one in listed if isinstance(one, int)} if isinstance(listed, list) else set()
    own = image.get("id")
    return {
        number
        for number, row in enumerate(rows)
        if (isinstance(row.get("id"), int) and row["id"] in ids)
        or (row.get("image_id") is not None and row["image_id"] == own)
    }


def _read_options(row: Mapping[str, Any], names: list[str]) -> dict[str, str]:
    values = [_text(row.get(f"option{number}"), 200) for number in (1, 2, 3)]
    if values[0].casefold() == "default title" and not any(values[1:]):
        return {}
    named = dict(enumerate(names, 1))
    return make_options(
        (named.get(number) or f"option {number}", value) for number, value in enumerate(values, 1)
    )


def _find_category(payload: Mapping[str, Any]) -> str | None:
    """The type that the shop gave it, or else Shopify's own category."""
    own = payload.get("category")
    texts = (payload.get("product_type"), own.get("full_name") if isinstance(own, dict) else None)
    paths = (read_category(_text(text)) for text in texts)
    return next((path for path in paths if path and not path.isdigit()), None)


def _read_tags(value: Any) -> list[str]:
    parts = split_list(value) if isinstance(value, str) else value if isinstance(value, list) else []
    return [tag for part in parts[:MAX_IMAGES] if (tag := _text(part, 255))]


def _read_prices(row: Mapping[str, Any]) -> tuple[str, str]:
    """The price before a reduction, or else the price; and the price."""
    price = _text(row.get("price"), 64)
    return _text(row.get("compare_at_price"), 64) or price, price


def _read_sku(row: Mapping[str, Any]) -> str:
    """The SKU, without the apostrophe that keeps spreadsheets from reading a number."""
    return _text(row.get("sku"), 200).removeprefix("'")


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


def _text(value: Any, most: int = MAX_TEXT) -> str:
    """A text in one line, without what cannot be stored; "" for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    shown = value.encode("utf-8", "ignore").decode().replace("\0", "")
    return unicodedata.normalize("NFC", " ".join(shown.split()))[:most]
