"""What products and pictures are in their rows, by column."""

from __future__ import annotations

import json
from typing import Any

from stylesearch.catalog.models import ImageState
from stylesearch.catalog.rows import ImageEntry
from stylesearch.types import Product

__all__ = ["image_values", "product_values", "same_product"]


def product_values(product: Product) -> dict[str, Any]:
    """What a product is in its row, by column."""
    return {
        "id": product.id,
        "title": product.title,
        "category": product.category,
        "url": product.url,
        "price": product.price,
        "attributes": dict(product.attributes),
    }


def same_product(stored: Product, given: Product) -> bool:
    """Whether a row says of a product what a source says."""
    if stored == given:
        return True
    # What JSON changes on the way (a tuple, a key that is a number) would else look new at every run.
    attributes = json.loads(json.dumps(dict(given.attributes)))
    return product_values(stored) == {**product_values(given), "attributes": attributes}


def image_values(entry: ImageEntry, source: str) -> dict[str, Any]:
    """What an import says about a picture, by column."""
    return {
        "sha256": entry.sha256,
        "domain": entry.domain.value,
        "box": None if entry.box is None else str(entry.box),
        "width": entry.width,
        "height": entry.height,
        "state": (ImageState.OK if entry.error is None else ImageState.FAILED).value,
        "error": entry.error,
        "stat_key": entry.stat_key,
        "source": source,
    }
