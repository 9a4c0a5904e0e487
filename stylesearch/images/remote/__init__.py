"""Pictures behind URLs: fetched several at a time, and kept by content in a folder."""

from stylesearch.images.remote.cache import PictureCache
from stylesearch.images.remote.fetch import fetch_stream
from stylesearch.images.remote.values import Fetched, FetchOptions, NotFetched

__all__ = ["FetchOptions", "Fetched", "NotFetched", "PictureCache", "fetch_stream"]
