"""The catalog: products, their pictures and every feature vector, in one database.

:class:`Catalog` reads, a :class:`Writer` (from :meth:`Catalog.writing`) writes; importers turn a folder or
a table into records. Importing this package loads none of SQLAlchemy: the names below do, when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylesearch.catalog.catalog import Catalog
    from stylesearch.catalog.freshness import stat_key
    from stylesearch.catalog.rows import (
        CatalogStatus,
        Change,
        FeatureSet,
        ImageEntry,
        KnownContent,
        KnownImage,
        Pruned,
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
    "Pruned",
    "Writer",
    "stat_key",
]

_HOMES = {"Catalog": "catalog", "Writer": "writer", "stat_key": "freshness"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'rows')}"), name)
