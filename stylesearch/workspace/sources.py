"""The sources of a workspace: lists, renames and removes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylesearch.catalog import Pruned
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
            writer.rename_source(name, new_name)

    def remove(self, name: str, *, dry_run: bool = False) -> Pruned:
        """Removes a source, with the products and images that no other source lists.

        What only this source said of other products is taken back.

        Args:
            name: name of the source.
            dry_run: whether nothing is removed.

        Returns:
            how many products and images were removed; with ``dry_run``, how many it lists.

        Raises:
            ConfigError: it is the source of the API.
            UnknownName: there is no such source.
        """
        from stylesearch.catalog.pruning import Pruner
        from stylesearch.catalog.source_reader import check_name

        check_name(name)
        catalog = self._resources.catalog()
        catalog.sources.get(name)
        with catalog.writing(timeout=self._resources.settings.lock_timeout) as writer, writer.transaction():
            pruner = Pruner(writer, name)
            if dry_run:
                return pruner.count()
            removed = pruner.remove()
            writer.remove_source(name)
        return removed
