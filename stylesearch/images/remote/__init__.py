"""Pictures behind URLs: fetched several at a time, and kept by content in a folder.

Importing this package loads none of HTTPX: the names below do, when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from stylesearch.images.remote.cache import PictureCache
    from stylesearch.images.remote.fetch import fetch_stream
    from stylesearch.images.remote.values import Fetched, FetchOptions, NotFetched

__all__ = ["FetchOptions", "Fetched", "NotFetched", "PictureCache", "fetch_stream"]

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cache": ["PictureCache"],
        "fetch": ["fetch_stream"],
        "values": ["FetchOptions", "Fetched", "NotFetched"],
    },
)
