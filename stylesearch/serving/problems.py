"""Errors for clients: ``application/problem+json`` with the library's messages, never a traceback."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Collection, Mapping, Sequence
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
    "shown_name",
    "unknown_field",
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
    """The settings name a space or a model that is missing or damaged, or has no features in the catalog."""


class Overload(StyleSearchError):
    """A search was refused or ended because of load or shutdown.

    Attributes:
        retry_after: seconds after which to try again.
    """

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint or "try again a little later")
        self.retry_after = retry_after


class QueueFull(Overload):
    """The queue of searches is full."""


class SearchTimeout(Overload, TimeoutError):
    """A search took too long, and was cancelled."""


class ServiceStopping(Overload):
    """The service is stopping, and takes no new requests."""


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


_WORDS: Final[Mapping[str, str]] = {
    "extra_forbidden": "no such parameter",
    "missing": "is missing",
    "model_type": "an object is wanted",
}
"""In place of pydantic's words for errors, by their type."""


class Problem(Exception):
    """An error response.

    Attributes:
        status: status code.
        detail: what happened, for people.
        hint: what to do about it; may be empty.
        headers: headers of the response.
        reason: a word for the metrics, where the request was refused to protect the server. A 503 also tells
            it to the client, or that the server is busy.
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
        """The body of the response."""
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.hint:
            body["hint"] = self.hint
        if self.status == 503:  # the metrics distinguish queues; for a client they are the same
            body["reason"] = self.reason if self.reason in get_args(Reason) else "busy"
        return {**body, "request_id": request_id}


def problem_of(error: Exception, private: Sequence[str] = ()) -> Problem:
    """Makes the problem for an error of the library.

    Args:
        error: any exception; faults of the server become a 500 without their message.
        private: paths of the server. A message with one of them is not sent to the client, only logged.
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
        if isinstance(error, errors.NotInCatalog):  # it repeats a part of the request, such as an id
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
    """Makes the response of a problem."""
    # Escaped, so that any text of a client, even half a surrogate pair, gives a valid response.
    body = json.dumps(problem.as_dict(request_id), ensure_ascii=True).encode()
    return Response(
        body,
        problem.status,
        headers={**problem.headers, "Cache-Control": "no-store"},
        media_type=MEDIA_TYPE,
    )


def unknown_field(name: str, known: Collection[str], *, hint: str = "") -> Problem:
    """Makes the problem of a field that a body or a query has and no request knows.

    Args:
        name: name of the field, from the client.
        known: names of the fields that are known, in the order in which they are told.
        hint: what to do about it; by default the nearest known name.
    """
    near = difflib.get_close_matches(name.casefold(), known, n=1)
    hint = hint or (f"did you mean {near[0]}?" if near else "")
    return Problem(422, f"{shown_name(name)}: no such field; known are {', '.join(known)}", hint=hint)


def shown_name(name: str) -> str:
    """The name of a field from a client, for messages: shortened, and with control characters escaped."""
    return name[:40].encode("unicode_escape").decode()


def validation_problem(
    findings: Sequence[Mapping[str, Any]], skip: int = 0, known: Collection[str] = ()
) -> Problem:
    """Makes the problem of values that pydantic refuses: the errors in one line, without the values.

    Args:
        findings: errors from ``errors()`` of pydantic or FastAPI.
        skip: number of parts to drop from the beginning of each location, such as FastAPI's ``query``.
        known: names of the fields that there are; the first unknown one is told with them, and nothing else.
    """
    if known:
        for one in findings:
            if one["type"] == "extra_forbidden" and len(one["loc"]) == skip + 1:
                return unknown_field(str(one["loc"][skip]), known)
    lines = []
    for one in findings[:ERRORS_SHOWN]:
        parts = [shown_name(str(part)) for part in one["loc"][skip:]]
        message = _WORDS.get(one["type"]) or one["msg"].removeprefix("Value error, ")
        lines.append(f"{'.'.join(parts)}: {message}" if parts else message)
    more = len(findings) - len(lines)
    return Problem(422, "; ".join(lines) + (f"; and {more} more" if more else ""))
