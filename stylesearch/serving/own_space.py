"""The space that is searched in when a request names none: if it is not there, the settings are at fault.

So they are when the catalog has no features of the extractor that they name.
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
    StyleSearchError,
    UnknownName,
)
from stylesearch.model_cards import is_trained
from stylesearch.serving.empty_shop import has_nothing, no_products_yet

if TYPE_CHECKING:
    from stylesearch.search import Searcher
    from stylesearch.workspace import Workspace

__all__ = ["OwnSpaceUnusable", "blaming_the_settings", "searcher_of"]


class OwnSpaceUnusable(StyleSearchError):
    """The settings name a space or a model that is not there, or not whole, or without any features."""


@contextlib.contextmanager
def blaming_the_settings(space: str = "", metric: str = "") -> Iterator[None]:
    """Tells what is wrong with the settings from what is wrong with the request.

    Args:
        space, metric: what the request named; empty for the workspace's own.

    Raises:
        OwnSpaceUnusable: the request named no space, and the workspace's own cannot be used.

    Example:
        >>> with blaming_the_settings():
        ...     raise UnknownName("no trained model 'gone'")
        Traceback (most recent call last):
            ...
        stylesearch.serving.own_space.OwnSpaceUnusable: no trained model 'gone'
    """
    try:
        yield
    except (UnknownName, SpaceError) as error:
        if space:
            raise
        raise OwnSpaceUnusable(error.message, hint=error.hint) from error
    except ConfigError as error:
        if space or metric:  # a metric that the workspace's own model does not take is the request's fault
            raise
        raise OwnSpaceUnusable(error.message, hint=error.hint) from error


def searcher_of(workspace: Workspace, space: str = "", metric: str = "") -> Searcher:
    """What searches for a request, where there is something to search in; blocks.

    The extractor is that of the settings in every space but a trained model's, which brings its own.

    Args:
        workspace: is searched.
        space, metric: what the request named; empty for the workspace's own.

    Raises:
        UnknownName: no such space or model.
        SpaceError: the model that the request named is damaged.
        ConfigError: no such metric, or the model takes another one.
        OwnSpaceUnusable: the settings name what cannot be used, or what the catalog has no features for.
        NotInCatalog: there are no products yet, or none with features for the model that the request named.
        CatalogError: the catalog cannot be read.
    """
    try:
        with blaming_the_settings(space, metric):
            searcher = workspace.searcher(space=space, metric=metric, throughput=True)
    except CatalogError as error:
        if has_nothing(workspace):
            raise no_products_yet() from error
        if isinstance(error, NotInCatalog) and not is_trained(space):
            raise OwnSpaceUnusable(error.message, hint=error.hint) from error
        raise
    catalog, own = searcher.gallery.home.catalog, searcher.gallery.home.feature_set
    if catalog.category_names(own):
        return searcher
    if has_nothing(workspace):
        raise no_products_yet()
    if not is_trained(space) and any(catalog.category_names(one) for one in catalog.feature_sets()):
        raise OwnSpaceUnusable(f"no shop picture has features of {own.extractor}, and some have others")
    return searcher
