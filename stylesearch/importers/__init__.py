"""Ways to read a shop's products: each takes a path and lists records, one picture of one product each.

Readers of public datasets (:mod:`stylesearch.importers.datasets`) are importers too: they also know splits.
"""

from __future__ import annotations

from typing import Final

from stylesearch.registry import Entry, Registry

__all__ = ["IMPORTERS"]

IMPORTERS: Final = Registry(
    "importer",
    {
        "csv": Entry(
            "stylesearch.importers.table:TableImporter",
            "a CSV or TSV file with a header: id, title, category, image, price, url, domain, box",
        ),
        "deepfashion-c2s": Entry(
            "stylesearch.importers.datasets.deepfashion:ConsumerToShop",
            "DeepFashion, consumer-to-shop benchmark: Eval/, Anno/ and img/ or img_highres/",
        ),
        "deepfashion-inshop": Entry(
            "stylesearch.importers.datasets.deepfashion:InShop",
            "DeepFashion, in-shop benchmark: Eval/, Anno/ and img/ or img_highres/",
        ),
        "deepfashion2": Entry(
            "stylesearch.importers.datasets.deepfashion2:DeepFashion2",
            "DeepFashion2: train/ and validation/, each with annos/ and image/",
        ),
        "folder": Entry(
            "stylesearch.importers.folder:FolderImporter",
            "a folder: category/product/picture.jpg, or category/picture.jpg",
        ),
        "street2shop": Entry(
            "stylesearch.importers.datasets.street2shop:Street2Shop",
            "Exact Street2Shop: meta/json/ and photos/",
        ),
    },
)
"""Every importer, by the name that ``--format`` takes."""
