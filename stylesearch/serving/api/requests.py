"""Reads queries and bodies of requests: a form or JSON becomes a model.

Each kind of request has a model (``search_bodies``, ``product_bodies``), whose rules and descriptions are
also in the OpenAPI document. Unknown or repeated fields and values of another type are refused with 422. A
form and a query have texts where JSON has numbers, so each has its own model, derived from the one for JSON.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Collection, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import unquote_to_bytes

import anyio.to_thread
from pydantic import ValidationError
from starlette.requests import Request

from stylesearch.serving.api.body_fields import StrictModel
from stylesearch.serving.api.json_body import parse_json
from stylesearch.serving.api.multipart import boundary_of, parse_multipart
from stylesearch.serving.problems import Problem, unknown_field, validation_problem
from stylesearch.serving.settings import ServiceSettings

__all__ = [
    "FORM",
    "JSON",
    "JSON_LINES",
    "LINES_TYPES",
    "check_content_type",
    "check_query_names",
    "read_body",
    "read_json",
    "read_values",
    "receive_all",
]

FORM: Final = "multipart/form-data"
JSON: Final = "application/json"
JSON_LINES: Final = "application/x-ndjson"
LINES_TYPES: Final = (JSON_LINES, "application/ndjson", "application/jsonl", "application/x-jsonlines")
PATCH_TYPES: Final = (JSON, "application/merge-patch+json")

MAX_FIELD_BYTES: Final = 65536
"""Of one text of a form."""

LARGE: Final = 262_144
"""Bodies from here on are parsed in a thread, so that no other request waits for it."""


async def check_query_names(request: Request) -> None:
    """FastAPI dependency: refuses what FastAPI would guess about.

    Of a parameter that is given twice it would use the last, and in one that is not UTF-8 it would replace
    what it cannot read.

    Raises:
        Problem: 422.
    """
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError:
        raise Problem(422, "the query is not UTF-8") from None
    names = [name for name, _ in request.query_params.multi_items()]
    if len(names) > len(set(names)):
        raise Problem(422, "a parameter of the query is given more than once")


Body = TypeVar("Body", bound=StrictModel)


async def read_body(
    request: Request, settings: ServiceSettings, as_json: type[Body], as_form: type[Body]
) -> Body:
    """Reads and validates the body of a request.

    Args:
        request: a request whose body has not been read.
        settings: settings with the limits.
        as_json: model of a body of JSON.
        as_form: model of a form.

    Raises:
        Problem: 400 malformed, 408 too slow, 413 too large, 415 another type, 422 wrong values.
    """
    media_type = check_content_type(request, (FORM, JSON))
    body = await receive_all(request, settings.timeout)
    if media_type == FORM:
        boundary = boundary_of(request.headers["content-type"])

        def read() -> Body:
            values = _form_values(body, boundary, settings.max_parts, as_form.part_names())
            if "images" in as_form.model_fields:  # a form without a file has an empty list
                values.setdefault("images", [])
            return _validate(as_form, values)
    else:

        def read() -> Body:
            return read_values(as_json, body)

    return read() if len(body) < LARGE else await anyio.to_thread.run_sync(read)


async def read_json(
    request: Request, settings: ServiceSettings, model: type[Body], media_types: Sequence[str] = PATCH_TYPES
) -> Body:
    """Reads and validates a body that may only be JSON.

    Args:
        request: a request whose body has not been read.
        settings: settings with the limits.
        model: model of the body.
        media_types: media types that are read.

    Raises:
        Problem: 400 malformed, 408 too slow, 413 too large, 415 another type, 422 wrong values.
    """
    check_content_type(request, media_types)
    body = await receive_all(request, settings.timeout)
    read = functools.partial(read_values, model, body)
    return read() if len(body) < LARGE else await anyio.to_thread.run_sync(read)


def read_values(model: type[Body], body: bytes) -> Body:
    """Validates JSON.

    Raises:
        Problem: 400 malformed, 413 too many values, 422 wrong values.
    """
    return _validate(model, parse_json(body))


def _validate(model: type[Body], values: dict[str, Any]) -> Body:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        findings = error.errors(include_url=False, include_context=False, include_input=False)
        raise validation_problem(findings, known=tuple(model.model_fields)) from None


def check_content_type(request: Request, media_types: Sequence[str]) -> str:
    """Checks what a body is, before it is read; returns its media type.

    Args:
        request: the request.
        media_types: media types that are read, all of them but a form in UTF-8.

    Raises:
        Problem: 415, it is another type, another charset, or compressed.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(415, "the body is compressed", hint="send it as it is, without Content-Encoding")
    given = request.headers.getlist("content-type")
    media_type, _, parameters = (given[0] if len(given) == 1 else "").partition(";")
    charset = ""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    kind = media_type.strip().lower()
    if kind not in media_types:
        known = f"neither {' nor '.join(media_types)}" if len(media_types) > 1 else f"not {media_types[0]}"
        raise Problem(415, f"the body is {known}", hint="say which it is, in Content-Type")
    if kind != FORM and charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise Problem(415, "JSON is UTF-8", hint="leave the charset out of the Content-Type")
    return kind


async def receive_all(request: Request, timeout: float) -> bytes:
    """Reads a body.

    Raises:
        Problem: 408, it did not arrive in time; 413, it is too large.
    """
    try:
        async with asyncio.timeout(timeout):
            # Not request.body(), which would keep a second copy for as long as the search takes.
            return b"".join([chunk async for chunk in request.stream()])
    except TimeoutError:
        raise Problem(
            408, f"the body did not arrive within {timeout:g} s", headers={"Connection": "close"}
        ) from None


def _form_values(body: bytes, boundary: bytes, max_parts: int, known: Collection[str]) -> dict[str, Any]:
    """Reads the fields of a form: an image as bytes, ``images`` as a list of these, any other as text.

    Raises:
        Problem: 400 malformed, 413 too many parts, 422 a field that is not among ``known``, or no text.
    """
    values: dict[str, Any] = {}
    for name, parts in parse_multipart(body, boundary, max_parts).items():
        if name not in known:
            file_field = next(one for one in ("image", "images") if one in known)
            is_file = any(part.is_file for part in parts)
            hint = f"send the picture in the field {file_field}" if is_file else ""
            raise unknown_field(name, known, hint=hint)
        if name in ("image", "images") and not all(part.is_file for part in parts):
            raise Problem(422, f"{name}: a file is wanted", hint="send the picture with a file name, any")
        if name == "images":
            values[name] = [part.data for part in parts]
            continue
        if len(parts) > 1:
            raise Problem(422, f"{name}: given more than once")
        data = parts[0].data
        if name == "image":
            values[name] = data
            continue
        if len(data) > MAX_FIELD_BYTES:
            raise Problem(422, f"{name}: longer than {MAX_FIELD_BYTES} bytes")
        try:
            values[name] = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Problem(422, f"{name}: not UTF-8") from None
    return values
