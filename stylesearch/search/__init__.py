"""The searchable state of a catalog: its shop images in one space, with an index per category."""

from stylesearch.search.gallery import Gallery, GalleryHit, IndexWarning
from stylesearch.search.store import CategoryStatus

__all__ = ["CategoryStatus", "Gallery", "GalleryHit", "IndexWarning"]
