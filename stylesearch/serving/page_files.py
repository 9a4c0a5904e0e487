"""Serves the files of the web page and of Swagger UI, from this package and from ``fastapi_offline``."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

__all__ = ["FOLDER", "PageFiles", "has_entity"]

FOLDER: Final = Path(__file__).with_name("page")
SWAGGER_UI: Final = ("fastapi_offline", "static")
SUFFIXES: Final = frozenset({".css", ".html", ".js", ".png", ".svg"})
"""What ends otherwise is not given out, whatever lies in the folders."""


class PageFiles(StaticFiles):
    """Serves static files at their path in their folder.

    Args:
        folder: folder of the page's own files, which come before those of Swagger UI.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        super().__init__(directory=folder, packages=[SWAGGER_UI])

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Finds the file of a path."""
        return super().lookup_path(path) if PurePath(path).suffix in SUFFIXES else ("", None)

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Makes the response of a file, or 304 if the client has it already."""
        response = super().file_response(*arguments, **options)
        # Names stay the same when an update changes the content, so a browser must ask each time.
        response.headers["Cache-Control"] = "no-cache"
        return response


def has_entity(request: Request, etag: str) -> bool:
    """Whether the client has an entity: ``If-None-Match`` has its tag (RFC 9110, 13.1.2), compared weakly.

    Args:
        request: the request.
        etag: the tag, with its quotation marks.
    """
    given = ",".join(request.headers.getlist("if-none-match"))
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags
