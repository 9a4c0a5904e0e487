"""Loading the finder of persons in the background, while a search imports and reads other things."""

from __future__ import annotations

import functools
import logging
import threading

from stylesearch.errors import StyleSearchError

__all__ = ["preload_finder"]

log = logging.getLogger(__name__)


@functools.cache
def preload_finder() -> None:
    """Starts to load the finder that searches share, once in a process, and returns at once.

    An error of the loading is raised where the finder is used.
    """
    threading.Thread(target=_load, name="load persons").start()


def _load() -> None:
    from stylesearch.persons.regions import warm_up_finder  # OpenCV and OpenVINO

    try:
        warm_up_finder()
    except (StyleSearchError, ImportError) as error:
        log.debug("the finder of persons cannot be loaded yet: %s", error)
