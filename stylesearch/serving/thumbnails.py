"""Small pictures for lists of results, made once and kept in the workspace; they may be deleted."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from PIL import Image

from stylesearch.errors import CatalogError, ImageError, NotInCatalog
from stylesearch.images.decode import decode
from stylesearch.serving.pictures import open_picture, require_listed
from stylesearch.serving.problems import Problem
from stylesearch.storage import atomic_file

if TYPE_CHECKING:
    from stylesearch.serving.workspace_access import WorkspaceAccess

__all__ = ["LONGER_SIDE", "MEDIA_TYPE", "VERSION", "Thumbnails"]

log = logging.getLogger(__name__)

LONGER_SIDE: Final = 400
QUALITY: Final = 82
VERSION: Final = 1
"""Another one when thumbnails are made in another way: in the names of files, and in what browsers keep."""

MADE_AT_ONCE: Final = 2
"""Thumbnails that are decoded at once: a page of a hundred of them must leave the cores to searches."""

MEDIA_TYPE: Final = "image/jpeg"
FOLDER: Final = "thumbnails"


class Thumbnails:
    """Thumbnails of the shop's pictures.

    Args:
        access: to the workspace.
    """

    def __init__(self, access: WorkspaceAccess) -> None:
        self._access = access
        self._folder = access.home / FOLDER
        self._makers = anyio.CapacityLimiter(MADE_AT_ONCE)

    async def of(self, sha256: str) -> bytes:
        """The thumbnail of a picture that the catalog lists.

        Raises:
            Problem: 404, there is no such picture, or its file has gone or changed and no thumbnail is kept.
        """
        kept = await self._access.run(self._kept, sha256)
        if kept is None:
            kept = await anyio.to_thread.run_sync(self._make, sha256, limiter=self._makers)
        return kept

    def forget(self, sha256: str) -> None:
        """Removes what is kept of a picture."""
        self.path(sha256).unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the thumbnail of a picture is kept."""
        return self._folder / sha256[:2] / f"{sha256}-{LONGER_SIDE}-{VERSION}.jpg"

    async def tidy(self) -> None:
        """Removes the thumbnails of pictures that the catalog has no more, as an ingest leaves them."""
        limiter = anyio.CapacityLimiter(1)
        n_removed = await anyio.to_thread.run_sync(self._tidy, limiter=limiter, abandon_on_cancel=True)
        if n_removed:
            log.info("thumbnails removed", extra={"fields": {"removed": n_removed}})

    def _tidy(self) -> int:
        n_removed = 0
        try:
            for folder in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
                digests = {path: path.name.partition("-")[0] for path in folder.glob("*-*.jpg")}
                # Asked after the folder was read: a picture that comes meanwhile is not among them.
                shown = self._access.catalog.shown_digests(digests.values())
                for path, digest in digests.items():
                    if digest not in shown or path != self.path(digest):
                        path.unlink(missing_ok=True)
                        n_removed += 1
        except NotInCatalog:
            return n_removed  # nothing has been ingested yet
        except (CatalogError, OSError) as error:
            log.warning("thumbnails cannot be looked through: %s", error)
        return n_removed

    def _kept(self, sha256: str) -> bytes | None:
        require_listed(self._access.catalog, sha256)
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("the thumbnail %s cannot be read: %s", self.path(sha256), error)
            return None

    def _make(self, sha256: str) -> bytes:
        made_meanwhile = self._kept(sha256)  # by whoever asked for the same a moment ago
        if made_meanwhile is not None:
            return made_meanwhile
        with open_picture(self._access.catalog, sha256, self._access.uploads).file as file:
            original = file.read()
        try:
            data = thumbnail(original, self._access.workspace.settings.max_pixels)
        except ImageError as error:
            raise Problem(404, f"there is no thumbnail: {error}") from error
        try:
            with atomic_file(self.path(sha256)) as file:
                file.write(data)
        except OSError as error:
            # Storage that is full or read-only: slower, and no reason to show nothing.
            log.warning("the thumbnail %s cannot be kept: %s", self.path(sha256), error)
        return data


def thumbnail(data: bytes, max_pixels: int) -> bytes:
    """A JPEG of a picture, upright, sRGB, its longer side at most :data:`LONGER_SIDE`; none is enlarged.

    Raises:
        ImageError: it cannot be decoded.
    """
    pixels = decode(data, reduce_to=LONGER_SIDE, max_pixels=max_pixels).pixels
    image = Image.fromarray(pixels)
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    made = io.BytesIO()
    image.save(made, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return made.getvalue()
