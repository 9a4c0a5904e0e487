"""The page's own files: read once, when the service starts; nothing else in any folder can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from stylesearch.files import sha256_bytes
from stylesearch.serving.problems import Problem

__all__ = [
    "FOLDER",
    "PageFiles",
    "has_it_already",
]

# Conditional requests: a client that has the bytes already is told so.


def has_it_already(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` names this entity tag (RFC 9110, 13.1.2), compared weakly.

    Args:
        request: any.
        etag: with its quotation marks.
    """
    given = ",".join(request.headers.getlist("if-none-match"))
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags


FOLDER: Final = Path(__file__).with_name("page")

MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""What is none of these is not given out."""


@dataclass(frozen=True, slots=True)
class _PageFile:
    data: bytes
    media_type: str
    etag: str


class PageFiles:
    """The files of a folder, by their path in it.

    Args:
        folder: where they are; read whole.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files: dict[str, _PageFile] = {}
        for path in sorted(folder.rglob("*")):
            media_type = MEDIA_TYPES.get(path.suffix)
            if media_type is not None and path.is_file():
                data = path.read_bytes()
                name = path.relative_to(folder).as_posix()
                self._files[name] = _PageFile(data, media_type, f'"{sha256_bytes(data)[:32]}"')

    def response(self, request: Request, name: str) -> Response:
        """A file, or that the client has it already.

        Raises:
            Problem: 404, there is none of that name.
        """
        file = self._files.get(name)
        if file is None:
            raise Problem(404, "there is no such file")
        # Names stay the same when an update changes the content: a browser is to ask each time.
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if has_it_already(request, file.etag):
            return Response(status_code=304, headers=headers)
        return Response(file.data, headers=headers, media_type=file.media_type)
