"""Checks whether the service can answer requests, for ``GET /ready``."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from stylesearch.errors import StyleSearchError
from stylesearch.serving.problems import OwnSpaceUnusable
from stylesearch.serving.search.default_space import searcher_for

if TYPE_CHECKING:
    from stylesearch.serving.search.photo_search import PhotoSearch
    from stylesearch.serving.search.workspace_reader import WorkspaceAccess

__all__ = ["Readiness"]

log = logging.getLogger(__name__)

LOADED: Final = "loaded"
INDEX_STATE_SECONDS: Final = 5.0
"""Seconds that the state of the indexes is cached: reading that of a large shop takes a while."""

DAMAGE_SECONDS: Final = 60.0
"""Seconds for which a damage counts that a request came upon, whatever is changed meanwhile."""


class Readiness:
    """Checks the network, the default space and the catalog.

    Args:
        access: reads the workspace.
        photo_search: searches with the network.
    """

    def __init__(self, access: WorkspaceAccess, photo_search: PhotoSearch) -> None:
        self._access = access
        self._photo_search = photo_search
        self._index: tuple[float, str] | None = None
        self._damage: tuple[float, int | None] | None = None

    def note_damage(self) -> None:
        """Notes that a request came upon damage of the catalog.

        It counts for a minute, and until the catalog is changed: then somebody may have mended it.
        """
        try:
            self._damage = (time.monotonic(), self._access.catalog.state())
        except StyleSearchError as error:  # it cannot be read at all, which a check sees by itself
            log.info("the damaged catalog cannot be read: %s", error)

    def check(self) -> tuple[bool, dict[str, Any]]:
        """Returns whether searches and changes can be answered, and the state of each part; blocks.

        Indexes do not count: without them searches are right, only slower. Nor do spaces other than the
        workspace's own. An empty catalog counts as ready: a shop that is filled over the API begins with one,
        and could not be filled if the service waited for products.
        """
        model = self._model_state()
        n_products = 0
        try:
            n_products = self._access.catalog.totals()[0]
            schema, usable = self._access.catalog.revision, True
            if self._is_damaged():
                log.warning("not ready: requests came upon damage of the catalog; run `stylesearch db check`")
                schema, usable = "the catalog is damaged", False
        except StyleSearchError as error:
            log.warning("not ready: %s", error)
            schema, usable = "the catalog cannot be read", False
        checks = {
            "model": model,
            "schema": schema,
            "index": self._index_state() if usable else "none",
            "catalog": {"products": n_products},
        }
        return model == LOADED and usable, checks

    def _is_damaged(self) -> bool:
        if self._damage is None:
            return False
        since, state = self._damage
        return time.monotonic() - since < DAMAGE_SECONDS or self._access.catalog.state() == state

    def _model_state(self) -> str:
        if not self._photo_search.ready:
            return "loading"
        try:
            searcher_for(self._access.workspace)
        except OwnSpaceUnusable as error:
            log.warning("not ready: %s", error)
            return "the default space cannot be searched in"
        except StyleSearchError as error:
            log.info("nothing to search in: %s", error)  # yet: other checks decide whether it is an error
        return LOADED

    def _index_state(self) -> str:
        now = time.monotonic()
        if self._index is None or now - self._index[0] > INDEX_STATE_SECONDS:
            self._index = (now, self._read_index_state())
        return self._index[1]

    def _read_index_state(self) -> str:
        from stylesearch.search.maintenance import status

        try:
            rows = status(self._access.workspace.searcher(throughput=True).gallery)
        except StyleSearchError as error:
            log.info("no indexes: %s", error)
            return "none"
        states = {row.state for row in rows if row.n_indexed or row.n_pending}
        if not states:
            return "none"
        if states == {"ready"}:
            return "behind" if any(row.n_pending for row in rows) else "ready"
        return "behind" if "ready" in states else "none"
