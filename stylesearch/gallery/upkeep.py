"""Keeping indexes worth having: when to build, what to build, what is pending and what is damaged."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stylesearch.errors import IndexDamaged
from stylesearch.gallery import fit
from stylesearch.types import Failure

if TYPE_CHECKING:
    from stylesearch.gallery.gallery import Gallery

__all__ = ["CategoryStatus", "rebuild", "refresh", "repair", "status", "verify"]

log = logging.getLogger(__name__)

# A fit is made anew when the gallery has changed in size by this much since: a whitening fitted on a small
# gallery serves a larger one less well.
REFIT_GROWTH = 1.25

# An index is built anew when so many images are pending or gone: each pending one costs every query a
# little, and a build costs as much as the whole category.
REBUILD_AT_LEAST = 256
REBUILD_SHARE = 0.1

ReportProgress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class CategoryStatus:
    """The state of one category's index.

    Attributes:
        category: its name.
        state: ``ready``, ``missing`` or ``damaged``.
        kind: what searches it (``annoy`` or ``exact``); empty when nothing is built.
        n_indexed: images in the index.
        n_pending: images that came after; they are searched exactly.
        n_gone: images in the index that the catalog no longer has.
        n_bytes: size on disk.
    """

    category: str
    state: str
    kind: str = ""
    n_indexed: int = 0
    n_pending: int = 0
    n_gone: int = 0
    n_bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The status as JSON values."""
        return asdict(self)

    @property
    def pays(self) -> bool:
        """Whether building it anew is worth it."""
        if self.state != "ready":
            return True
        return self.n_pending + self.n_gone > max(REBUILD_AT_LEAST, REBUILD_SHARE * self.n_indexed)
