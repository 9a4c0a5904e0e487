"""Plants trees of empty images, and reads them."""

from __future__ import annotations

from pathlib import Path

from stylesearch.importers.base import ImportOptions, Note
from stylesearch.importers.folders.importer import FolderImporter
from stylesearch.listing import Record
from stylesearch.types import Failure

__all__ = ["notes", "plant", "products", "read"]


def plant(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content does not matter here")
    return root


def read(root: Path, **options: object) -> list[Record | Failure]:
    """All but the notes."""
    found = FolderImporter().records(root, ImportOptions(**options))  # type: ignore[arg-type]
    return [item for item in found if isinstance(item, Record | Failure)]


def notes(root: Path) -> list[str]:
    found = FolderImporter().records(root, ImportOptions())
    return [item.text for item in found if isinstance(item, Note)]


def products(root: Path, **options: object) -> dict[str, tuple[str, int]]:
    """What the tree is taken for: category and number of images by place; "" for a category not said."""
    found: dict[str, tuple[str, int]] = {}
    for item in read(root, **options):
        assert isinstance(item, Record), item
        category = item.product.said.get("category", "")
        found[item.product.place] = category, found.get(item.product.place, ("", 0))[1] + 1
    return found
