"""Loading the finder of persons in the background, while a search imports and reads other things."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable

from stylesearch.errors import StyleSearchError

__all__ = ["preload_finder"]

log = logging.getLogger(__name__)


@functools.cache
def preload_finder() -> None:
    """Starts to load the finder that searches share, once in a process; its libraries are imported at once.

    An error of the loading is raised where the finder is used.
    """
    try:
        from stylesearch.persons.regions import warm_up_finder  # OpenCV and OpenVINO
    except ImportError as error:
        _say_unloaded(error)
        return
    threading.Thread(target=_load, args=(warm_up_finder,), name="load persons").start()


def _load(warm_up_finder: Callable[[], bool]) -> None:
    try:
        warm_up_finder()
    except (StyleSearchError, ImportError) as error:
        _say_unloaded(error)


def _say_unloaded(error: Exception) -> None:
    log.debug("the finder of persons cannot be loaded yet: %s", error)
