"""What is said while a shop has nothing in it: it is filled by an ingest, or over the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import NotInCatalog

if TYPE_CHECKING:
    from stylesearch.workspace import Workspace

__all__ = ["has_no_catalog", "has_nothing", "no_products_yet"]


def no_products_yet() -> NotInCatalog:
    """The error of whoever searches; in words for clients, whatever there is of a catalog."""
    return NotInCatalog(
        "there are no products yet",
        hint="products have to be ingested, or put over the API with a key, first",
    )


def has_no_catalog(workspace: Workspace) -> bool:
    """Whether there is no catalog yet; one that the settings name with ``db`` should be there already."""
    settings = workspace.settings
    return not settings.db and not Path(settings.database).exists()


def has_nothing(workspace: Workspace) -> bool:
    """Whether nothing was put into a workspace yet, or all of it was taken out again; blocks.

    Without a key there is no catalog at first; with one there is, and nothing in it.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    if has_no_catalog(workspace):
        return True
    catalog = workspace.catalog
    return not catalog.feature_sets() or not catalog.products(limit=1)
