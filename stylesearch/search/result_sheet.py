"""Saves a query's answer as an image file: the photo, and the hits in a grid beside it."""

from __future__ import annotations

from pathlib import Path

from stylesearch.errors import ConfigError
from stylesearch.files import atomic_file
from stylesearch.images.contact_sheet import SheetEntry, contact_sheet
from stylesearch.search.searcher import QueryResult
from stylesearch.types import Box

__all__ = ["save_sheet"]

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


def save_sheet(result: QueryResult, path: Path) -> Path:
    """Writes the contact sheet of an answer and returns its path.

    On the photo, the region in which the nearest product was found is outlined.

    Raises:
        ConfigError: ``path`` has no ending of an image file.
        ImageError: the photo can no longer be read.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"a contact sheet ends in {', '.join(FORMATS)}. Received: {path.name}",
            hint="out.png, for example",
        )
    entries = [
        SheetEntry(
            hit.image.path,
            hit.rank,
            hit.product.title,
            category=hit.product.category,
            distance=hit.distance,
            product_id=hit.product.id,
        )
        for hit in result.hits
    ]
    n_found = len(result.hits)
    page = contact_sheet(
        result.photo if result.photo is not None else b"",
        entries,
        boxes=_nearest_box(result),
        title=result.subject,
        subtitle=f"{n_found} product{'' if n_found == 1 else 's'}, the nearest first",
    )
    with atomic_file(path) as file:
        page.save(file, FORMATS[path.suffix.lower()])
    return path


def _nearest_box(result: QueryResult) -> list[Box]:
    """The region of the photo in which the nearest product was found."""
    first = result.hits[0].region if result.hits else None
    return [first] if first is not None else []
