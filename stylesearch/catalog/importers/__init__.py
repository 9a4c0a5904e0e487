"""Ways to read a shop's products: each takes a path and lists records, one picture of one product each."""

from __future__ import annotations

from typing import Final

from stylesearch.registry import Entry, Registry

__all__ = ["IMPORTERS"]

IMPORTERS: Final = Registry(
    "importer",
    {
        "csv": Entry(
            "stylesearch.catalog.importers.table:TableImporter",
            "a CSV or TSV file with a header: id, title, category, image, price, url, domain, box",
        ),
        "folder": Entry(
            "stylesearch.catalog.importers.folder:FolderImporter",
            "a folder: category/product/picture.jpg, or category/picture.jpg",
        ),
    },
)
"""Every importer, by the name that ``--format`` takes."""
