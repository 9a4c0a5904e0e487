"""The bytes of the shop's pictures, by digest: only files that the catalog lists, and as it lists them."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

import anyio.to_thread
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from stylesearch.images.formats import HEAD_BYTES, recognise
from stylesearch.serving.problems import Problem

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.serving.stored_files import UploadFolder

__all__ = ["OpenPicture", "PictureResponse", "open_picture", "require_listed"]

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
            picture = _opened(path, sha256)
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


def _opened(path: str, sha256: str) -> OpenPicture | None:
    """A file with this digest that is a picture; None where it is something else."""
    # Not waiting for it to be a pipe: reading one that stands in a picture's place would never end.
    file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - Path.open takes no opener
    try:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise OSError("no file, or too large to be sent")
        if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
            file.seek(0)
            picture_format = recognise(file.read(HEAD_BYTES))
            file.seek(0)
            if picture_format is not None:
                return OpenPicture(file, status.st_size, MEDIA_TYPES[picture_format.name])
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
