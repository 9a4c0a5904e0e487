"""Errors as the client sees them: ``application/problem+json`` in the library's words, never a traceback."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, Literal, get_args

from starlette.responses import Response

from stylesearch import errors
from stylesearch.errors import StyleSearchError

__all__ = [
    "MEDIA_TYPE",
    "Overload",
    "OwnSpaceUnusable",
    "Problem",
    "QueueFull",
    "Reason",
    "SearchTimeout",
    "ServiceStopping",
    "problem_of",
    "problem_response",
    "validation_problem",
]

MEDIA_TYPE: Final = "application/problem+json"

ERRORS_SHOWN: Final = 5
"""Of values that are wrong; of more, how many there are."""

Reason = Literal["busy", "locked", "stopping", "unusable"]
"""Why the answer is 503, for programs: after the first three it is worth trying again, after the last one
somebody has to mend something first."""

LOCK_SECONDS: Final = 5
"""When to come back after another process's writing: an ingest holds the catalog for as long as it runs."""


class OwnSpaceUnusable(StyleSearchError):
    """The settings name a space or a model that is not there, or not whole, or without any features."""


class Overload(StyleSearchError):
    """A search that was not done, through no fault of its own.

    Attributes:
        retry_after: seconds after which it is worth trying again.
    """

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint or "try again a little later")
        self.retry_after = retry_after


class QueueFull(Overload):
    """As many photos as the queue holds are waiting already."""


class SearchTimeout(Overload, TimeoutError):
    """The answer was not there in time; the photo is not looked at any more."""


class ServiceStopping(Overload):
    """The service finishes what it holds and takes nothing new."""


_STATUS_OF: Final[tuple[tuple[type[Exception], int], ...]] = (
    (QueueFull, 503),
    (ServiceStopping, 503),
    (SearchTimeout, 504),
    (OwnSpaceUnusable, 503),
    (errors.ImageTooLarge, 413),
    (errors.ImageTooSmall, 422),
    (errors.NotAnImage, 415),
    (errors.ImageError, 422),
    (errors.UnknownName, 422),
    (errors.NotInCatalog, 404),
    (errors.CatalogLocked, 503),
    (errors.CatalogError, 503),
    (errors.IndexingError, 503),
    (errors.ConfigError, 422),
)
"""The first that fits counts; other errors of the library are the server's own, 500."""

_REASONS: Final[Mapping[type[Exception], str]] = {
    QueueFull: "queue",
    ServiceStopping: "stopping",
    SearchTimeout: "timeout",
    errors.CatalogLocked: "locked",
    errors.ImageTooLarge: "pixels",
}

_HINTS: Final[Mapping[type[Exception], str]] = {
    errors.ImageTooLarge: "send a smaller picture",
    errors.CatalogLocked: "try again in a moment",
}
"""In place of hints that are for whoever runs the server."""

_MISTAKE: Final = "something went wrong here; the log of the server says what, under the request id"
"""Of every 500, whatever happened: what the server is made of is nobody's business."""


class Problem(Exception):
    """What is answered in place of a result.

    Attributes:
        status: of HTTP.
        detail: what happened, for people.
        hint: what to do about it, or an empty string.
        headers: that go with it.
        reason: a word for the metrics, where the request was turned away for the server's sake. Of a 503 the
            client is told it as well, or that the server is busy.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        hint: str = "",
        headers: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.hint = hint
        self.headers = dict(headers or {})
        self.reason = reason

    def as_dict(self, request_id: str) -> dict[str, Any]:
        """The body of the answer."""
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.hint:
            body["hint"] = self.hint
        if self.status == 503:  # the metrics tell one queue from another; a client waits for all alike
            body["reason"] = self.reason if self.reason in get_args(Reason) else "busy"
        return {**body, "request_id": request_id}


def problem_of(error: Exception, private: Sequence[str] = ()) -> Problem:
    """What is answered for an error of the library.

    Args:
        error: any exception; those that are the server's own fault become a 500 without a word of theirs.
        private: paths of the server. What names one of them is kept from the client; the log has it.
    """
    if isinstance(error, Problem):
        return error
    status = next((code for kind, code in _STATUS_OF if isinstance(error, kind)), 500)
    if status == 500 or not isinstance(error, errors.StyleSearchError):
        return Problem(500, _MISTAKE)
    unless_listed = "unusable" if status == 503 else ""
    reason = next((word for kind, word in _REASONS.items() if isinstance(error, kind)), unless_listed)
    hint = next((text for kind, text in _HINTS.items() if isinstance(error, kind)), error.hint)
    detail = error.message
    if isinstance(error, errors.CatalogLocked):
        detail = "the catalog is being written to: an ingest, or indexes being built"
    elif isinstance(error, OwnSpaceUnusable):
        detail = "the settings of this server name a space or a model that cannot be used; its log says why"
        hint = "whoever runs it has to mend that; a request that names another space may be answered"
    elif any(path in detail or path in hint for path in private if path):
        if isinstance(error, errors.NotInCatalog):  # it says again what was asked for, as an id
            detail, hint = "the catalog has nothing of that name", ""
        elif isinstance(error, errors.CatalogError):
            detail, hint = "the server's workspace cannot be used as it is; its log says why", ""
        else:
            return Problem(500, _MISTAKE)
    headers = {}
    if status == 503:
        seconds = getattr(error, "retry_after", None) or LOCK_SECONDS
        headers["Retry-After"] = str(max(1, math.ceil(seconds)))
    return Problem(status, detail, hint=hint, headers=headers, reason=reason)


def problem_response(problem: Problem, request_id: str) -> Response:
    """The answer of a problem."""
    # Escaped, so that whatever a client's text held, even half a surrogate pair, makes a valid answer.
    body = json.dumps(problem.as_dict(request_id), ensure_ascii=True).encode()
    return Response(
        body,
        problem.status,
        headers={**problem.headers, "Cache-Control": "no-store"},
        media_type=MEDIA_TYPE,
    )


def validation_problem(findings: Sequence[Mapping[str, Any]], skip: int = 0) -> Problem:
    """The problem of values that pydantic refuses: what is wrong, in one line, without what was received.

    Args:
        findings: as ``errors()`` of pydantic and of FastAPI has them.
        skip: of each location, how many parts say no more than where FastAPI looked, as ``query``.
    """
    lines = []
    for one in findings[:ERRORS_SHOWN]:
        # Names of unknown fields are the client's words: cut short, and made harmless for any terminal.
        parts = [str(part)[:40].encode("unicode_escape").decode() for part in one["loc"][skip:]]
        message = one["msg"].removeprefix("Value error, ")
        lines.append(f"{'.'.join(parts)}: {message}" if parts else message)
    more = len(findings) - len(lines)
    return Problem(422, "; ".join(lines) + (f"; and {more} more" if more else ""))
