"""Background work: warming up before the first search, and index maintenance while the service runs."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.errors import (
    CatalogError,
    CatalogLocked,
    ConfigError,
    IndexesLocked,
    SpaceError,
    StyleSearchError,
    UnknownName,
)
from stylesearch.images.regions import PERSON_PLAN, WITHOUT_PERSON, plan_boxes
from stylesearch.persons.preload import preload_finder
from stylesearch.types import SearchRequest

if TYPE_CHECKING:
    import numpy.typing as npt

    from stylesearch.workspace.workspace import Workspace

__all__ = ["IndexMaintenance", "load_network", "warm_up"]

log = logging.getLogger(__name__)


def load_network(workspace: Workspace, n_images: int = 1) -> npt.NDArray[np.float32] | None:
    """Loads the network and extracts features of noise; blocks.

    Returns:
        features of the noise, shape (n_images, dim); None where the workspace's model was removed: the
        service starts nevertheless, since other spaces can be searched.

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
    """Loads the network, opens the gallery and searches with noise, so that the first client does not wait.

    Blocks. An empty catalog is no error, nor is a removed model: there may be others.

    Raises:
        ExtractorError: the network cannot be loaded.
    """
    plan = workspace.settings.regions
    if plan == PERSON_PLAN:
        from stylesearch.persons.regions import warm_up_finder

        warm_up_finder()
        plan = WITHOUT_PERSON
    else:  # the page asks for the spots of each photo; searches do without them
        preload_finder()
    features = load_network(workspace, len(plan_boxes(plan, 1, 1)))
    if features is None:
        return
    try:
        workspace.searcher(throughput=True).gallery.search(features, SearchRequest(k=1))
    except (CatalogError, ConfigError, SpaceError) as error:
        log.info("nothing can be searched yet: %s", error)


class _Stopping(Exception):
    """Raised to end a build when the service stops; the next service begins it again."""


class IndexMaintenance:
    """Rebuilds the indexes of the workspace's default space and metric when that is worth it.

    Single products that are put cause no rebuild: answers are right without it, only slower. Other spaces are
    not rebuilt, or clients that name them could fill the disk with indexes.

    Args:
        workspace: workspace with the indexes.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._last_state: int | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends a build after the categories that it has begun; indexes stay complete. From any thread."""
        self._stopping.set()

    def run(self) -> bool:
        """Rebuilds what is worth it, where the catalog has changed since the last run; blocks.

        Does nothing while another process builds, or writes to the catalog: an ingest builds at its end.

        Returns:
            whether the indexes were examined.
        """
        if self._stopping.is_set():
            return False
        try:
            catalog = self.workspace.catalog
            gallery = self.workspace.searcher(throughput=True).gallery
        except (CatalogError, ConfigError, SpaceError, UnknownName):
            return False  # nothing to search in yet, which searches report
        state = catalog.state()
        if catalog.readonly or (not gallery.damaged and state is not None and state == self._last_state):
            return False
        from stylesearch.index.build_lock import building
        from stylesearch.search.maintenance import refresh

        damaged = list(gallery.damaged)  # what is found damaged from here on is repaired by the next run
        try:
            with catalog.writing(timeout=0):
                pass  # nobody writes; whoever begins now is not kept waiting
            with building(self.workspace.settings.home / "indexes", 0):
                refresh(gallery.location, [gallery.metric], self._check_stopping, suspects=damaged)
                if damaged:
                    gallery.reload()
        except (CatalogLocked, IndexesLocked):
            return False
        except _Stopping:
            log.info("the indexes are not built to the end, since the service stops")
            return False
        except (OSError, StyleSearchError) as error:
            log.warning("the indexes could not be built: %s; what they lack is searched exactly", error)
        self._last_state = state
        return True

    def _check_stopping(self, stage: str, n_done: int, n_total: int | None) -> None:
        if self._stopping.is_set():
            raise _Stopping
