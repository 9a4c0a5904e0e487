"""Writes products to a file: as a table that ``ingest`` reads, or as lines of JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any, Final

from stylesearch.csv_cells import ESCAPED_COLUMN, escape_cell
from stylesearch.importers.tables.exported import IMAGE_OPTIONS, VARIANTS
from stylesearch.registry import unknown_name
from stylesearch.types import ImageRecord, Product, ProductFilter, Variant
from stylesearch.workspace.products import check_filter, stream_details

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.records import ProductDetails

__all__ = ["EXPORT_FORMATS", "export_products", "image_values", "product_values"]

COLUMNS: Final = ("id", "title", "category", "image", "price", "url", "in_stock", "domain", "box")
AS_JSON: Final = (VARIANTS, IMAGE_OPTIONS)
"""Columns of a table that are left out where all their cells would be empty."""


def export_products(catalog: Catalog, where: ProductFilter, file: IO[bytes], format: str = "csv") -> int:
    """Writes the products that meet a filter.

    Args:
        catalog: the catalog.
        where: the filter.
        file: binary file to write to.
        format: ``csv``, a row for each image (or for a product without any), in UTF-8, with the sources' own
            categories, so that an ingest of the table changes nothing; or ``jsonl``, a line for each product.

    Returns:
        number of products.

    Raises:
        UnknownName: another format, or the filter names what the catalog does not have.
    """
    if format not in EXPORT_FORMATS:
        raise unknown_name("format of an export", format, EXPORT_FORMATS)
    check_filter(catalog, where)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
    try:
        return EXPORT_FORMATS[format](catalog, where, text)
    finally:
        text.flush()
        text.detach()  # the file is the caller's to close


def product_values(product: Product) -> dict[str, Any]:
    """A product as JSON values."""
    return {
        "id": product.id,
        "title": product.title,
        "category": product.category,
        "url": product.url,
        "price": product.price,
        "attributes": dict(product.attributes),
        "in_stock": product.in_stock,
        "variants": [_variant_values(one) for one in product.variants],
        "amount": product.amount,
        "amount_max": product.amount_max,
        "currency": product.currency,
    }


def image_values(image: ImageRecord) -> dict[str, Any]:
    """An image as JSON values."""
    return {
        "path": image.path,
        "url": image.url,
        "sha256": image.sha256,
        "domain": str(image.domain),
        "width": image.width,
        "height": image.height,
        "box": str(image.box) if image.box else None,
        "options": dict(image.options),
    }


def _variant_values(variant: Variant) -> dict[str, Any]:
    return {
        "id": variant.id,
        "options": dict(variant.options),
        "price": variant.price,
        "in_stock": variant.in_stock,
        "url": variant.url,
    }


def _write_json_lines(catalog: Catalog, where: ProductFilter, file: IO[str]) -> int:
    n_products = 0
    for one in stream_details(catalog, where):
        values = {
            **product_values(one.product),
            "shop_category": one.shop_category,
            "images": [image_values(image) for image in one.images],
        }
        file.write(json.dumps(values, ensure_ascii=False) + "\n")
        n_products += 1
    return n_products


def _write_table(catalog: Catalog, where: ProductFilter, file: IO[str]) -> int:
    # The columns have to be known before the first row is written: the products are read twice.
    names: dict[str, None] = {}
    further: set[str] = set()
    for one in stream_details(catalog, where):
        names.update(dict.fromkeys(one.product.attributes))
        further |= {VARIANTS} if one.product.variants else set()
        further |= {IMAGE_OPTIONS} if any(image.options for image in one.images) else set()
    columns = [*COLUMNS, *(name for name in AS_JSON if name in further)]
    taken = {*COLUMNS, *AS_JSON, ESCAPED_COLUMN}
    header = [*columns, *(f"attributes.{name}" if name in taken else name for name in names)]
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([*map(escape_cell, header), ESCAPED_COLUMN])
    n_products = 0
    for one in stream_details(catalog, where):
        n_products += 1
        for row in _rows(one):
            cells = [_cell(row.get(name)) for name in columns]
            cells += [_cell(one.product.attributes.get(name)) for name in names]
            writer.writerow([*map(escape_cell, cells), ""])
    return n_products


def _rows(one: ProductDetails) -> Iterator[dict[str, Any]]:
    product = one.product
    values = {
        "id": product.id,
        "title": product.title,
        "category": one.shop_category,
        "price": product.price,
        "url": product.url,
        "in_stock": product.in_stock,
        VARIANTS: [_variant_values(variant) for variant in product.variants] or None,
    }
    if not one.images:
        yield values
    for image in one.images:
        yield {
            **values,
            "image": image.locator,
            "domain": str(image.domain),
            "box": image.box,
            IMAGE_OPTIONS: dict(image.options) or None,
        }


def _cell(value: Any) -> str:
    """A value as text: other values than texts as JSON, without one nothing."""
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


EXPORT_FORMATS: Final[dict[str, Callable[[Catalog, ProductFilter, IO[str]], int]]] = {
    "csv": _write_table,
    "jsonl": _write_json_lines,
}
"""Writers of products by format."""
