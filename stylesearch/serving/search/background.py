"""Doing once what every search does, so that the first client does not wait for it."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.errors import (
    CatalogError,
    CatalogLocked,
    ConfigError,
    SpaceError,
    StyleSearchError,
    UnknownName,
)
from stylesearch.images.regions import plan_boxes
from stylesearch.types import SearchRequest

if TYPE_CHECKING:
    import numpy.typing as npt

    from stylesearch.workspace.workspace import Workspace


__all__ = [
    "IndexCare",
    "load_network",
    "warm_up",
]

log = logging.getLogger(__name__)


def load_network(workspace: Workspace, n_images: int = 1) -> npt.NDArray[np.float32] | None:
    """Loads the network and has it see noise; blocks.

    Returns:
        features of the noise, shape (n_images, dim); None where the workspace's model has been removed,
        which is no reason to answer nothing any more.

    Raises:
        ExtractorError: the network cannot be loaded.
    """
    try:
        extractor = workspace.extractor(throughput=True)
    except (SpaceError, UnknownName) as error:
        log.warning("%s; searches in other spaces go on", error)
        return None
    size = extractor.input_size
    return extractor.extract(np.random.default_rng(0).integers(0, 256, (n_images, size, size, 3), np.uint8))


def warm_up(workspace: Workspace) -> None:
    """Loads the network, opens the gallery and searches with noise; blocks.

    Nothing to search in is no error, nor is a model that has been removed: there may be others.

    Raises:
        ExtractorError: the network cannot be loaded.
    """
    features = load_network(workspace, len(plan_boxes(workspace.settings.regions, 1, 1)))
    if features is None:
        return
    try:
        workspace.searcher(throughput=True).gallery.search(features, SearchRequest(k=1))
    except (CatalogError, ConfigError, SpaceError) as error:
        log.info("nothing can be searched yet: %s", error)


# Looking after the indexes while the service runs: products that are put one by one bring no rebuild.


class _Stopping(Exception):
    """A build is given up, since the service ends; the next one begins it again."""


class IndexCare:
    """Rebuilds the indexes of the workspace's own space and metric when that is worth it.

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
        from stylesearch.search.maintenance import refresh

        was_damaged = bool(gallery.damaged)  # what a search finds out from here on is for the next look
        try:
            with catalog.writing(timeout=0):
                refresh(gallery.location, [gallery.metric], self._go_on)
                if was_damaged:
                    gallery.reload()
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
