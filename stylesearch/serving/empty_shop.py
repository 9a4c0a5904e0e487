"""What is said while a shop has nothing in it: it is filled by an ingest, or over the API."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from stylesearch.errors import CatalogError, NotInCatalog

if TYPE_CHECKING:
    from stylesearch.workspace import Workspace

__all__ = ["FILL_IT", "has_nothing", "no_products_yet"]

FILL_IT: Final = "products have to be ingested, or put over the API with a key, first"


def no_products_yet() -> NotInCatalog:
    """The error of whoever searches; in words for clients, whatever there is of a catalog."""
    return NotInCatalog("there are no products yet", hint=FILL_IT)


def has_nothing(workspace: Workspace, error: CatalogError) -> bool:
    """Whether a workspace cannot be searched only since nothing was ever put into it; blocks.

    Without a key there is no catalog then; with one there is, and nothing in it.

    Args:
        workspace: whose.
        error: of the one who tried to search it.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    if isinstance(error, NotInCatalog):
        return not workspace.catalog.feature_sets()
    settings = workspace.settings
    return not settings.db and not Path(settings.database).exists()
