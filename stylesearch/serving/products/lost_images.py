"""Finds out whether the files of the shop's images are still there, for ``GET /ready`` and the metrics.

A folder that has moved or a disk that is not mounted leaves searches as right as ever, and every picture on
the page missing. Looking at all files would cost too much: a sample tells how many are gone, and what clients
ask for in vain is counted as well.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

from stylesearch.errors import NotInCatalog, StyleSearchError
from stylesearch.images.source import is_lost

if TYPE_CHECKING:
    from stylesearch.serving.metrics import ServiceMetrics
    from stylesearch.serving.search.workspace_reader import WorkspaceAccess
    from stylesearch.types import ImageRecord

__all__ = ["CHECK_SECONDS", "SAMPLE", "LostImages"]

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 60.0
SAMPLE: Final = 500
"""Images whose files are looked for: with 500, one image in 100 that is gone is found in 99 of 100 checks."""

MAX_NOTED: Final = 1000


class LostImages:
    """Counts the shop's images whose file is gone.

    Args:
        access: reads the workspace.
        metrics: takes the number.
    """

    def __init__(self, access: WorkspaceAccess, metrics: ServiceMetrics) -> None:
        self._access = access
        self._metrics = metrics
        self._noted: dict[str, None] = {}
        self._n_checked = 0
        self._n_lost = 0

    @property
    def state(self) -> dict[str, Any]:
        """How many images the last check looked at, and how many are gone; in a large shop an estimate."""
        return {"checked": self._n_checked, "lost": max(self._n_lost, len(self._noted))}

    def note(self, sha256: str) -> None:
        """Notes that an image was asked for and its file is gone or has changed; from any thread."""
        self._metrics.lost_image_requests.inc()
        if len(self._noted) < MAX_NOTED:
            self._noted[sha256] = None
        self._metrics.lost_images.set(self.state["lost"])

    async def watch(self) -> None:
        """Checks again and again, until it is cancelled."""
        while True:
            try:
                await self._access.run(self.check)
            except Exception:  # the next check may succeed
                log.exception("the files of the images could not be looked for")
            await asyncio.sleep(CHECK_SECONDS)

    def check(self) -> None:
        """Looks for the files of a sample of the images, and of those noted; blocks."""
        try:
            catalog = self._access.catalog
            sample, total = catalog.shown.sample_images(SAMPLE)
            for sha256 in list(self._noted):
                same = catalog.images_with_digest(sha256)
                if not same or not all(self._is_lost(image) for image in same):
                    self._noted.pop(sha256, None)
        except NotInCatalog:
            sample, total = [], 0
        except StyleSearchError as error:
            log.warning("the files of the images could not be looked for: %s", error)
            return
        lost = [image for image in sample if self._is_lost(image)]
        n_before, self._n_checked = self._n_lost, len(sample)
        self._n_lost = round(total * len(lost) / len(sample)) if lost else 0
        self._metrics.lost_images.set(self.state["lost"])
        if lost and self._n_lost != n_before:
            log.warning(
                "of %d images %d have lost their file, such as %s; ingest again, or mount its folder",
                len(sample),
                len(lost),
                lost[0].path,
            )

    def _is_lost(self, image: ImageRecord) -> bool:
        return is_lost(str(self._access.uploads.find(image.path, image.sha256) or image.path))
