"""The pictures of a workspace that were fetched from URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylesearch.images.remote.cache import CacheStatus
    from stylesearch.workspace.resources import Resources

__all__ = ["Pictures"]


class Pictures:
    """The fetched pictures: the folder ``pictures`` of the workspace.

    Args:
        resources: resources of the workspace.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def status(self) -> CacheStatus:
        """Counts the pictures, their bytes, and the URLs that they come from."""
        from stylesearch.images.remote.cache import PictureCache

        with PictureCache(self._resources.pictures) as cache:
            return cache.status()

    def clear(self, *, everything: bool = False) -> CacheStatus:
        """Removes pictures that no image of the catalog has; returns how many.

        Args:
            everything: whether the others go too. They are missing then, wherever a page or a report shows
                them, until the next ingest fetches them again.
        """
        from stylesearch.images.remote.cache import PictureCache

        def is_used(sha256: str) -> bool:
            return catalog is not None and bool(catalog.images_with_digest(sha256, domain=None))

        catalog = None if everything else self._resources.existing_catalog()
        with PictureCache(self._resources.pictures) as cache:
            return cache.clear(keep=is_used)
