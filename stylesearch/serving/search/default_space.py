"""Chooses the searcher for a request, and distinguishes faults of the settings from those of the request.

A request that names no space uses the default space of the settings. Where that cannot be used, or the
catalog has no features of the settings' extractor, the server is at fault and not its client.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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
    "DEFAULT_SPACE",
    "as_server_fault",
    "is_empty",
    "no_products_error",
    "searcher_for",
]

DEFAULT_SPACE = SpaceChoice()
"""Nothing named: the space and metric of the settings."""


def no_products_error() -> NotInCatalog:
    """Makes the error of a search while the shop is empty, in words for clients."""
    return NotInCatalog(
        "there are no products yet",
        hint="products have to be ingested, or put over the API with a key, first",
    )


def is_empty(workspace: Workspace) -> bool:
    """Whether a workspace has no products, or none with features; blocks.

    A new workspace has no catalog, or an empty one if products are put over the API.

    Raises:
        CatalogError: the catalog cannot be read.
    """
    settings = workspace.settings
    if not settings.db and not settings.has_catalog:  # one that the settings name is expected to be there
        return True
    catalog = workspace.catalog
    return not catalog.feature_sets() or not catalog.products(limit=1)


@contextlib.contextmanager
def as_server_fault(choice: SpaceChoice = DEFAULT_SPACE) -> Iterator[None]:
    """Turns an error of the default space into ``OwnSpaceUnusable``.

    Args:
        choice: choice of the request; faults of what it names are the request's.

    Raises:
        OwnSpaceUnusable: the request named no space, and the default space cannot be used.

    Example:
        >>> with as_server_fault():
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
        if (
            choice.space or choice.metric
        ):  # a metric that the default model does not support is the request's fault
            raise
        raise OwnSpaceUnusable(error.message, hint=error.hint) from error


def searcher_for(workspace: Workspace, choice: SpaceChoice = DEFAULT_SPACE) -> Searcher:
    """Returns the searcher of a space and metric, if there is something to search in; blocks.

    The extractor is that of the settings, except in the space of a trained model, which has its own.

    Args:
        workspace: the workspace to search.
        choice: the space and metric that the request named.

    Raises:
        UnknownName: no such space or model.
        SpaceError: the model that the request named is damaged.
        ConfigError: no such metric, or the model takes another one.
        OwnSpaceUnusable: the settings name what cannot be used, or what the catalog has no features for.
        NotInCatalog: there are no products yet, or none with features for the model that the request named.
        CatalogError: the catalog cannot be read.
    """
    try:
        with as_server_fault(choice):
            searcher = workspace.searcher(space=choice.space, metric=choice.metric, throughput=True)
    except CatalogError as error:
        if is_empty(workspace):
            raise no_products_error() from error
        if isinstance(error, NotInCatalog) and not is_trained(choice.space):
            raise OwnSpaceUnusable(error.message, hint=error.hint) from error
        raise
    catalog, feature_set = searcher.gallery.location.catalog, searcher.gallery.location.feature_set
    if catalog.category_names(feature_set):
        return searcher
    if is_empty(workspace):
        raise no_products_error()
    if not is_trained(choice.space) and any(catalog.category_names(one) for one in catalog.feature_sets()):
        raise OwnSpaceUnusable(
            f"no shop picture has features of {feature_set.extractor}, and some have others"
        )
    return searcher
