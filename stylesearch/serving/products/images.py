"""The bytes of the shop's pictures, by digest: only files that the catalog lists, and as it lists them."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import anyio
import anyio.to_thread
from PIL import Image
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stylesearch.errors import CatalogError, ImageError, NotInCatalog
from stylesearch.files import atomic_file
from stylesearch.images.decode import decode
from stylesearch.images.formats import HEAD_BYTES, recognise
from stylesearch.images.source import open_listed
from stylesearch.serving.problems import Problem

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.serving.search.workspace_reader import WorkspaceAccess
    from stylesearch.serving.uploads import UploadFolder


__all__ = [
    "LONGER_SIDE",
    "MEDIA_TYPE",
    "VERSION",
    "OpenPicture",
    "PictureResponse",
    "Thumbnails",
    "open_picture",
    "require_listed",
]

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 200_000_000
CHUNK_BYTES: Final = 262_144

MEDIA_TYPES: Final = {
    "AVIF": "image/avif",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "HEIF": "image/heic",
    "JPEG": "image/jpeg",
    "JPEG 2000": "image/jp2",
    "PNG": "image/png",
    "PPM": "image/x-portable-anymap",
    "TIFF": "image/tiff",
    "WebP": "image/webp",
}
"""By the name of the format; what is none of these is not sent."""


@dataclass(frozen=True, eq=False, slots=True)
class OpenPicture:
    """A picture's file, open and at its beginning; whoever gets it closes it.

    Attributes:
        file: its bytes.
        n_bytes: how many there are.
        media_type: what they are.
    """

    file: BinaryIO
    n_bytes: int
    media_type: str


class PictureResponse(Response):
    """Sends a file bit by bit: a client that reads slowly does not hold a whole picture in memory.

    Args:
        picture: is closed when it has been sent, or cannot be.
        headers: of the answer.
    """

    def __init__(self, picture: OpenPicture, headers: Mapping[str, str]) -> None:
        super().__init__(
            headers={**headers, "Content-Length": str(picture.n_bytes)}, media_type=picture.media_type
        )
        self._picture = picture

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        with self._picture.file as file:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            while chunk := await anyio.to_thread.run_sync(file.read, CHUNK_BYTES):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def require_listed(catalog: Catalog, sha256: str) -> list[str]:
    """Paths of the shop's pictures with this digest; at least one.

    Raises:
        Problem: 404, the catalog lists none.
    """
    paths = [image.path for image in catalog.images_with_digest(sha256)]
    if not paths:
        raise Problem(404, "the catalog has no picture with this hash")
    return paths


def open_picture(catalog: Catalog, sha256: str, uploads: UploadFolder) -> OpenPicture:
    """A picture of the shop, from the first of its files that is still what the catalog says.

    Args:
        catalog: lists it.
        sha256: of its bytes.
        uploads: where those that were put in lie, wherever they lay when they were.

    Raises:
        Problem: 404, no such picture, or its files have gone or changed since they were ingested.
    """
    for listed in require_listed(catalog, sha256):
        path = str(uploads.place_of(listed, sha256) or listed)
        try:
            picture = _open_picture(path, sha256)
        except OSError as error:
            log.info("the picture %s cannot be read: %s", path, error)
            continue
        if picture is not None:
            return picture
        log.info("the picture %s has changed since it was ingested", path)
    raise Problem(
        404,
        "the file of this picture has gone, or has changed since it was ingested",
        hint="ingest again",
    )


def _open_picture(path: str, sha256: str) -> OpenPicture | None:
    """Opens a file with this digest that is a picture; None where it is something else."""
    try:
        file, n_bytes = open_listed(path, sha256, max_bytes=MAX_FILE_BYTES)
    except CatalogError:
        return None
    try:
        picture_format = recognise(file.read(HEAD_BYTES))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    if picture_format is None:
        file.close()
        return None
    return OpenPicture(file, n_bytes, MEDIA_TYPES[picture_format.name])


# Small pictures for lists of results, made once and kept in the workspace; they may be deleted.

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
