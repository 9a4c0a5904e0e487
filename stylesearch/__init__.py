"""Visual search for fashion shops: a customer's photo in, the shop's matching products out.

::

    import stylesearch as ss

    with ss.open("shop/") as shop:
        shop.ingest("catalog/")
        for hit in shop.query("street.jpg", k=20):
            print(hit.rank, hit.product.id, hit.distance)

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.config import Settings
    from stylesearch.errors import StyleSearchError
    from stylesearch.extractors import load_extractor
    from stylesearch.images.decode import decode
    from stylesearch.metrics import distances
    from stylesearch.search import QueryResult
    from stylesearch.types import Box, Domain, Hit, Product
    from stylesearch.workspace import Workspace, open

__all__ = [
    "Box",
    "Catalog",
    "Domain",
    "Hit",
    "Product",
    "QueryResult",
    "Settings",
    "StyleSearchError",
    "Workspace",
    "decode",
    "distances",
    "load_extractor",
    "open",
]

_HOMES = {
    "Box": "types",
    "Catalog": "catalog",
    "Domain": "types",
    "Hit": "types",
    "Product": "types",
    "QueryResult": "search",
    "Settings": "config",
    "StyleSearchError": "errors",
    "Workspace": "workspace",
    "decode": "images.decode",
    "distances": "metrics",
    "load_extractor": "extractors",
    "open": "workspace",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
