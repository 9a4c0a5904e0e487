"""Searches a catalog: its shop images in one space, with an index for each category."""

from stylesearch.search.gallery import Gallery, GalleryHit, IndexWarning
from stylesearch.search.store import CategoryStatus

__all__ = ["CategoryStatus", "Gallery", "GalleryHit", "IndexWarning"]
