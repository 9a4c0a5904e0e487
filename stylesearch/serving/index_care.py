"""Looking after the indexes while the service runs: products that are put one by one bring no rebuild."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from stylesearch.errors import (
    CatalogError,
    CatalogLocked,
    ConfigError,
    SpaceError,
    StyleSearchError,
    UnknownName,
)

if TYPE_CHECKING:
    from stylesearch.workspace import Workspace

__all__ = ["IndexCare"]

log = logging.getLogger(__name__)


class _Stopping(Exception):
    """A build is given up, since the service ends; the next one begins it again."""


class IndexCare:
    """Builds again what pays, of the workspace's own space and metric: see :mod:`stylesearch.gallery.upkeep`.

    Answers are right without it, only slower. Other spaces are searched as they are: what a client may name
    is no reason to fill a disk with indexes.

    Args:
        workspace: whose.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._seen: int | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Has a build end after the category it is at; indexes are whole or not there. From any thread."""
        self._stopping.set()

    def look(self) -> bool:
        """Looks whether anything is to be done, and does it; blocks. Returns whether it looked closely.

        While another process writes, it is left to that.
        """
        if self._stopping.is_set():
            return False
        try:
            catalog = self.workspace.catalog
            gallery = self.workspace.searcher(throughput=True).gallery
        except (CatalogError, ConfigError, SpaceError, UnknownName):
            return False  # nothing to search in yet: searches say so
        state = catalog.state()
        if catalog.readonly or (not gallery.damaged and state is not None and state == self._seen):
            return False
        from stylesearch.gallery import upkeep

        was_damaged = bool(gallery.damaged)  # what a search finds out from here on is for the next look
        try:
            with catalog.writing(timeout=0):
                upkeep.refresh(gallery.home, [gallery.metric], self._go_on)
                if was_damaged:
                    gallery.forget()
        except CatalogLocked:
            return False
        except _Stopping:
            log.info("the indexes are not built to the end, since the service stops")
            return False
        except (OSError, StyleSearchError) as error:
            log.warning("the indexes could not be built: %s; what they lack is searched exactly", error)
        self._seen = state
        return True

    def _go_on(self, stage: str, n_done: int, n_total: int | None) -> None:
        if self._stopping.is_set():
            raise _Stopping
