"""The catalog: products, their images and every feature vector, in one database.

``Catalog`` opens and reads it, a ``Writer`` (from ``Catalog.writing``) changes it. Importing
this package loads none of SQLAlchemy: the names below do, when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from stylesearch.catalog.catalog import Catalog
    from stylesearch.catalog.records import (
        CatalogStatus,
        Change,
        FeatureSet,
        ImageEntry,
        KnownContent,
        KnownImage,
        Patch,
        ProductChange,
        Pruned,
        Source,
    )
    from stylesearch.catalog.writer import Writer

__all__ = [
    "Catalog",
    "CatalogStatus",
    "Change",
    "FeatureSet",
    "ImageEntry",
    "KnownContent",
    "KnownImage",
    "Patch",
    "ProductChange",
    "Pruned",
    "Source",
    "Writer",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalog": ["Catalog"],
        "records": [
            "CatalogStatus",
            "Change",
            "FeatureSet",
            "ImageEntry",
            "KnownContent",
            "KnownImage",
            "Patch",
            "ProductChange",
            "Pruned",
            "Source",
        ],
        "writer": ["Writer"],
    },
)
