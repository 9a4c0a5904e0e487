"""Finds the shop's images by digest, and makes their thumbnails.

Only files that the catalog lists are sent, and only if their bytes have not changed. Thumbnails are made once
and stored in the workspace's ``thumbnails/``, which may be deleted.
"""

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
    from stylesearch.serving.products.lost_images import LostImages
    from stylesearch.serving.search.workspace_reader import WorkspaceAccess
    from stylesearch.serving.uploads import UploadFolder


__all__ = [
    "LONGER_SIDE",
    "THUMBNAIL_MEDIA_TYPE",
    "THUMBNAIL_VERSION",
    "ImageResponse",
    "LostImage",
    "OpenImage",
    "Thumbnails",
    "make_thumbnail",
    "open_image",
    "require_listed",
]

log = logging.getLogger(__name__)

MAX_FILE_BYTES: Final = 200_000_000
CHUNK_BYTES: Final = 262_144

LONGER_SIDE: Final = 400
"""Of a thumbnail, in pixels."""
JPEG_QUALITY: Final = 82
THUMBNAIL_MEDIA_TYPE: Final = "image/jpeg"
THUMBNAIL_VERSION: Final = 1
"""Part of file names and of what browsers cache: to be raised when thumbnails are made differently."""
THUMBNAILS_AT_ONCE: Final = 2
"""Thumbnails that are made at once: a page of a hundred of them must leave the cores to searches."""
THUMBNAIL_FOLDER: Final = "thumbnails"

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
"""By the name of the format; other formats are not sent."""


class LostImage(Problem):
    """The catalog has an image, and none of its files."""


@dataclass(frozen=True, eq=False, slots=True)
class OpenImage:
    """An image file, open and at its beginning; the caller closes it.

    Attributes:
        file: the open file.
        n_bytes: size of the file.
        media_type: media type of the file.
    """

    file: BinaryIO
    n_bytes: int
    media_type: str


class ImageResponse(Response):
    """Sends a file in chunks, so that a client that reads slowly does not hold a whole image in memory.

    Args:
        image: the image, which is closed when it has been sent or the sending failed.
        headers: headers of the response.
    """

    def __init__(self, image: OpenImage, headers: Mapping[str, str]) -> None:
        super().__init__(
            headers={**headers, "Content-Length": str(image.n_bytes)}, media_type=image.media_type
        )
        self._image = image

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request."""
        with self._image.file as file:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            while chunk := await anyio.to_thread.run_sync(file.read, CHUNK_BYTES):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


def require_listed(catalog: Catalog, sha256: str) -> list[str]:
    """Returns the paths of the shop's images with a digest; at least one.

    Raises:
        Problem: 404, the catalog lists none.
    """
    paths = [image.path for image in catalog.images_with_digest(sha256)]
    if not paths:
        raise Problem(404, "the catalog has no picture with this hash")
    return paths


def open_image(catalog: Catalog, sha256: str, uploads: UploadFolder) -> OpenImage:
    """Opens an image of the shop: the first of its files whose bytes have not changed.

    Args:
        catalog: the catalog that lists it.
        sha256: digest of its bytes.
        uploads: the files that came over the API, which may have moved with the workspace.

    Raises:
        LostImage: its files have gone or changed since they were ingested.
        Problem: 404, no such image.
    """
    for listed in require_listed(catalog, sha256):
        path = str(uploads.find(listed, sha256) or listed)
        try:
            image = _open_if_unchanged(path, sha256)
        except OSError as error:
            log.info("the picture %s cannot be read: %s", path, error)
            continue
        if image is not None:
            return image
        log.info("the picture %s has changed since it was ingested", path)
    raise LostImage(
        404,
        "the file of this picture has gone, or has changed since it was ingested",
        hint="ingest again",
    )


def _open_if_unchanged(path: str, sha256: str) -> OpenImage | None:
    """Opens an image file if it has this digest; else returns None."""
    try:
        file, n_bytes = open_listed(path, sha256, max_bytes=MAX_FILE_BYTES)
    except CatalogError:
        return None
    try:
        image_format = recognise(file.read(HEAD_BYTES))
        file.seek(0)
    except BaseException:
        file.close()
        raise
    if image_format is None:
        file.close()
        return None
    return OpenImage(file, n_bytes, MEDIA_TYPES[image_format.name])


class Thumbnails:
    """Thumbnails of the shop's images.

    Args:
        access: reads the workspace.
        lost: is told of images whose file is gone.
    """

    def __init__(self, access: WorkspaceAccess, lost: LostImages) -> None:
        self._access = access
        self._lost = lost
        self._folder = access.home / THUMBNAIL_FOLDER
        self._makers = anyio.CapacityLimiter(THUMBNAILS_AT_ONCE)

    async def get(self, sha256: str) -> bytes:
        """Returns the thumbnail of an image that the catalog lists.

        Raises:
            Problem: 404, there is no such image, or its file is gone or has changed and no thumbnail is
                stored.
        """
        data = await self._access.run(self._read, sha256)
        if data is None:
            data = await anyio.to_thread.run_sync(self._make, sha256, limiter=self._makers)
        return data

    def forget(self, sha256: str) -> None:
        """Removes the thumbnail of an image, if there is one."""
        self.path(sha256).unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """File of the thumbnail of an image."""
        return self._folder / sha256[:2] / f"{sha256}-{LONGER_SIDE}-{THUMBNAIL_VERSION}.jpg"

    async def tidy(self) -> None:
        """Removes the thumbnails of images that are no longer in the catalog, as after an ingest."""
        limiter = anyio.CapacityLimiter(1)
        n_removed = await anyio.to_thread.run_sync(self._tidy, limiter=limiter, abandon_on_cancel=True)
        if n_removed:
            log.info("thumbnails removed", extra={"fields": {"removed": n_removed}})

    def _tidy(self) -> int:
        n_removed = 0
        try:
            for folder in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
                digests = {path: path.name.partition("-")[0] for path in folder.glob("*-*.jpg")}
                # Read after the folder, so that an image that is added meanwhile is not removed.
                shown = self._access.catalog.shown.digests(digests.values())
                for path, digest in digests.items():
                    if digest not in shown or path != self.path(digest):
                        path.unlink(missing_ok=True)
                        n_removed += 1
        except NotInCatalog:
            return n_removed  # nothing has been ingested yet
        except (CatalogError, OSError) as error:
            log.warning("thumbnails cannot be looked through: %s", error)
        return n_removed

    def _read(self, sha256: str) -> bytes | None:
        require_listed(self._access.catalog, sha256)
        try:
            return self.path(sha256).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("the thumbnail %s cannot be read: %s", self.path(sha256), error)
            return None

    def _make(self, sha256: str) -> bytes:
        data = self._read(sha256)  # another request may have made it
        if data is not None:
            return data
        try:
            opened = open_image(self._access.catalog, sha256, self._access.uploads)
        except LostImage:
            self._lost.note(sha256)
            raise
        with opened.file as file:
            original = file.read()
        try:
            data = make_thumbnail(original, self._access.workspace.settings.max_pixels)
        except ImageError as error:
            raise Problem(404, f"there is no thumbnail: {error}") from error
        try:
            with atomic_file(self.path(sha256)) as file:
                file.write(data)
        except OSError as error:
            # Full or read-only storage only makes it slower.
            log.warning("the thumbnail %s cannot be kept: %s", self.path(sha256), error)
        return data


def make_thumbnail(data: bytes, max_pixels: int) -> bytes:
    """Makes a JPEG of an image: upright, sRGB, its longer side at most ``LONGER_SIDE``, never enlarged.

    Args:
        data: bytes of the image file.
        max_pixels: larger images are refused before they are decoded.

    Returns:
        bytes of the JPEG.

    Raises:
        ImageError: the image cannot be decoded.
    """
    pixels = decode(data, reduce_to=LONGER_SIDE, max_pixels=max_pixels).pixels
    image = Image.fromarray(pixels)
    image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
    made = io.BytesIO()
    image.save(made, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    return made.getvalue()
