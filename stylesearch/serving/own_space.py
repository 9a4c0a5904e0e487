"""The space that is searched in when a request names none: if it is not there, the settings are at fault."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from stylesearch.errors import ConfigError, SpaceError, StyleSearchError, UnknownName

__all__ = ["OwnSpaceUnusable", "blaming_the_settings"]


class OwnSpaceUnusable(StyleSearchError):
    """The settings of the workspace name a space or a model that is not there, or not whole."""


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
