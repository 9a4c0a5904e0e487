"""The sources of a workspace: lists, renames and removes them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylesearch.catalog import Pruned, Source
    from stylesearch.catalog.source_reader import SourceStatus
    from stylesearch.workspace.resources import Resources

__all__ = ["Sources"]


class Sources:
    """The sources that a workspace's products come from.

    Args:
        resources: resources of the workspace.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def list(self) -> list[SourceStatus]:
        """Lists the sources with how much they list, in the order of their names."""
        return self._resources.catalog().sources.status()

    def find(self, name: str) -> Source:
        """Finds a source by its name, or by the path that it lay at last.

        Raises:
            ConfigError: it is the source of the API, which is neither renamed nor removed.
            UnknownName: there is none.
        """
        from stylesearch.catalog.source_reader import check_name

        check_name(name)
        sources = self._resources.catalog().sources
        if name not in {one.name for one in sources.all()}:
            # Links stay as they were given.
            found = sources.of_path(os.path.abspath(name)) if name else None  # noqa: PTH100
            if found is not None:
                return found
        return sources.get(name)

    def rename(self, name: str, new_name: str) -> None:
        """Gives a source another name; the next ingest of its path, or under the new name, is of it.

        Raises:
            ConfigError: the new name is empty, or one of both is that of the API's source.
            UnknownName: there is no such source.
            CatalogError: another source has the new name.
        """
        from stylesearch.catalog.source_reader import check_name

        check_name(name)
        check_name(new_name)
        catalog = self._resources.catalog()
        catalog.sources.get(name)
        with catalog.writing(timeout=self._resources.settings.lock_timeout) as writer, writer.transaction():
            writer.sources.rename(name, new_name)

    def preview_removal(self, name: str) -> tuple[Pruned, Pruned]:
        """Counts what ``remove`` would remove, and what would stay since other sources list it too.

        Raises:
            UnknownName: there is no such source.
            CatalogLocked: another process is writing.
        """
        from stylesearch.catalog import Pruned

        listed, removed = self._remove(name, dry_run=True)
        return removed, Pruned(listed.products - removed.products, listed.images - removed.images)

    def remove(self, name: str, *, dry_run: bool = False) -> Pruned:
        """Removes a source, with the products and images that no other source lists.

        What only this source said of other products is taken back.

        Args:
            name: name of the source.
            dry_run: whether nothing is removed.

        Returns:
            how many products and images were removed, or with ``dry_run`` would be.

        Raises:
            ConfigError: it is the source of the API.
            UnknownName: there is no such source.
            CatalogLocked: another process is writing.
        """
        return self._remove(name, dry_run=dry_run)[1]

    def _remove(self, name: str, *, dry_run: bool) -> tuple[Pruned, Pruned]:
        """Removes a source; returns how much it listed, and how much was removed."""
        from stylesearch.catalog.pruning import Pruner
        from stylesearch.catalog.source_reader import check_name

        check_name(name)
        catalog = self._resources.catalog()
        catalog.sources.get(name)
        writing = catalog.writing(timeout=self._resources.settings.lock_timeout)
        with writing as writer, contextlib.suppress(_NotMeant), writer.transaction():
            pruner = Pruner(writer, name)
            listed, removed = pruner.count(), pruner.remove()
            writer.remove_source(name)
            if dry_run:
                raise _NotMeant
        return listed, removed


class _NotMeant(Exception):
    """Ends a transaction of which nothing is to stay."""
