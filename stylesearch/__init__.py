"""Visual search for fashion shops: a customer's photo in, the shop's matching products out.

```python
import stylesearch as ss

with ss.open("shop/") as shop:
    shop.ingest("catalog/")
    for hit in shop.query("street.jpg", k=20):
        print(hit.rank, hit.product.id, hit.distance)
```

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.distance import distances
    from stylesearch.errors import StyleSearchError
    from stylesearch.extractors import load_extractor
    from stylesearch.images.decode import decode
    from stylesearch.search.searcher import DetectResult, QueryResult
    from stylesearch.settings import Settings
    from stylesearch.types import Box, Domain, Explanation, Hit, Product, Seen, Spot
    from stylesearch.workspace.workspace import Workspace, open

__all__ = [
    "Box",
    "Catalog",
    "DetectResult",
    "Domain",
    "Explanation",
    "Hit",
    "Product",
    "QueryResult",
    "Seen",
    "Settings",
    "Spot",
    "StyleSearchError",
    "Workspace",
    "decode",
    "distances",
    "load_extractor",
    "open",
]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "catalog": ["Catalog"],
        "distance": ["distances"],
        "errors": ["StyleSearchError"],
        "extractors": ["load_extractor"],
        "images.decode": ["decode"],
        "search.searcher": ["DetectResult", "QueryResult"],
        "settings": ["Settings"],
        "types": ["Box", "Domain", "Explanation", "Hit", "Product", "Seen", "Spot"],
        "workspace.workspace": ["Workspace", "open"],
    },
)
