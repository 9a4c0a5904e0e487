"""The space that is searched in when a request names none: if it is not there, the settings are at fault.

So they are when the catalog has no features of the extractor that they name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import (
    CatalogError,
    ConfigError,
    NotInCatalog,
    SpaceError,
    UnknownName,
)
from stylesearch.models.card import is_trained
from stylesearch.serving.problems import OwnSpaceUnusable
from stylesearch.types import SpaceChoice

if TYPE_CHECKING:
    from stylesearch.search.searcher import Searcher
    from stylesearch.workspace.workspace import Workspace


__all__ = [
    "blaming_the_settings",
    "has_no_catalog",
    "has_nothing",
    "no_products_yet",
    "searcher_of",
]

OWN_SPACE = SpaceChoice()
"""Nothing named: the workspace's own space and metric."""

# What is said while a shop has nothing in it: it is filled by an ingest, or over the API.


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


@contextlib.contextmanager
def blaming_the_settings(choice: SpaceChoice = OWN_SPACE) -> Iterator[None]:
    """Tells what is wrong with the settings from what is wrong with the request.

    Args:
        choice: what the request named; empty for the workspace's own.

    Raises:
        OwnSpaceUnusable: the request named no space, and the workspace's own cannot be used.

    Example:
        >>> with blaming_the_settings():
        ...     raise UnknownName("no trained model 'gone'")
        Traceback (most recent call last):
            ...
        stylesearch.serving.problems.OwnSpaceUnusable: no trained model 'gone'
    """
    try:
        yield
    except (UnknownName, SpaceError) as error:
        if choice.space:
            raise
        raise OwnSpaceUnusable(error.message, hint=error.hint) from error
    except ConfigError as error:
        # A metric that the workspace's own model does not take is the request's fault.
        if choice.space or choice.metric:
            raise
        raise OwnSpaceUnusable(error.message, hint=error.hint) from error


def searcher_of(workspace: Workspace, choice: SpaceChoice = OWN_SPACE) -> Searcher:
    """What searches for a request, where there is something to search in; blocks.

    The extractor is that of the settings in every space but a trained model's, which brings its own.

    Args:
        workspace: is searched.
        choice: the space and the metric that the request named; empty for the workspace's own.

    Raises:
        UnknownName: no such space or model.
        SpaceError: the model that the request named is damaged.
        ConfigError: no such metric, or the model takes another one.
        OwnSpaceUnusable: the settings name what cannot be used, or what the catalog has no features for.
        NotInCatalog: there are no products yet, or none with features for the model that the request named.
        CatalogError: the catalog cannot be read.
    """
    try:
        with blaming_the_settings(choice):
            searcher = workspace.searcher(space=choice.space, metric=choice.metric, throughput=True)
    except CatalogError as error:
        if has_nothing(workspace):
            raise no_products_yet() from error
        if isinstance(error, NotInCatalog) and not is_trained(choice.space):
            raise OwnSpaceUnusable(error.message, hint=error.hint) from error
        raise
    catalog, own = searcher.gallery.location.catalog, searcher.gallery.location.feature_set
    if catalog.category_names(own):
        return searcher
    if has_nothing(workspace):
        raise no_products_yet()
    if not is_trained(choice.space) and any(catalog.category_names(one) for one in catalog.feature_sets()):
        raise OwnSpaceUnusable(f"no shop picture has features of {own.extractor}, and some have others")
    return searcher
