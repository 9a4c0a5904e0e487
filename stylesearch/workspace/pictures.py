"""The pictures of a workspace that were fetched from URLs."""

from __future__ import annotations

from contextlib import ExitStack
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

        with PictureCache(self._resources.settings.pictures) as cache:
            return cache.status()

    def clear(self, *, everything: bool = False) -> CacheStatus:
        """Removes pictures that no image of the catalog has; returns how many.

        Args:
            everything: whether the others go too. They are missing then, wherever a page or a report shows
                them, until the next ingest fetches them again.

        Raises:
            CatalogLocked: another process is writing, and may be fetching.
        """
        from stylesearch.images.remote.cache import PictureCache

        def is_used(sha256: str) -> bool:
            assert catalog is not None
            return bool(catalog.images_with_digest(sha256, domain=None))

        catalog = self._resources.existing_catalog()
        with ExitStack() as held:
            cache = held.enter_context(PictureCache(self._resources.settings.pictures))
            if catalog is None:
                return cache.clear()
            # No ingest may fetch a picture meanwhile, and list it when it is gone.
            held.enter_context(catalog.writing(timeout=self._resources.settings.lock_timeout))
            return cache.clear() if everything else cache.clear(keep=is_used)
