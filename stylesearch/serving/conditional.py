"""Conditional requests: a client that has the bytes already is told so."""

from __future__ import annotations

from starlette.requests import Request

__all__ = ["has_it_already"]


def has_it_already(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` names this entity tag (RFC 9110, 13.1.2), compared weakly.

    Args:
        request: any.
        etag: with its quotation marks.
    """
    given = ",".join(request.headers.getlist("if-none-match"))
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags
