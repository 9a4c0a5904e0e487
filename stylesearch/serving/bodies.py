"""Reading what a client sends: the body whole, then its parts or its JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import anyio.to_thread
from starlette.requests import Request

from stylesearch.serving.json_bodies import parse_json
from stylesearch.serving.multipart import boundary_of, parse_multipart
from stylesearch.serving.problems import Problem
from stylesearch.serving.settings import ServiceSettings

__all__ = ["Submission", "receive"]

FORM: Final = "multipart/form-data"
JSON: Final = "application/json"
MAX_FIELD_BYTES: Final = 65536
LARGE: Final = 262_144
"""Bodies from here on are taken apart in a thread, so that nobody else waits."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a body said, whichever way.

    Attributes:
        values: fields by name: of a form texts, of JSON anything.
        pictures: the pictures' bytes, in order.
        is_form: whether ``values`` are texts.
    """

    values: dict[str, Any] = field(default_factory=dict)
    pictures: list[bytes] = field(default_factory=list)
    is_form: bool = False


async def receive(
    request: Request, settings: ServiceSettings, *, pictures: str, many: bool, most: int
) -> Submission:
    """Reads the body of a request.

    Args:
        request: its body has not been read.
        settings: for the limits.
        pictures: name of the part, or of the JSON key, that holds pictures.
        many: whether that key holds a list.
        most: how many pictures there may be; there has to be one.

    Raises:
        Problem: 400 malformed, 408 too slow, 413 too large, 415 another type, 422 no or too many pictures.
    """
    media_type, charset = _content_type(request)
    body = await _whole(request, settings.timeout)
    if media_type == FORM:
        boundary = boundary_of(request.headers["content-type"])
        submission = await _off_loop(len(body), _from_form, body, boundary, pictures, settings.max_parts)
    else:
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise Problem(415, "JSON is UTF-8", hint="leave the charset out of the Content-Type")
        submission = await _off_loop(len(body), _from_json, body, pictures, many, most)
    n = len(submission.pictures)
    if not 1 <= n <= most:
        wanted = "exactly one picture" if most == 1 else f"1 to {most} pictures"
        raise Problem(422, f"{pictures}: {wanted} wanted, {n} received")
    return submission


def _content_type(request: Request) -> tuple[str, str]:
    """Media type and charset."""
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
    if kind not in (FORM, JSON):
        raise Problem(415, f"the body is neither {FORM} nor {JSON}", hint="say which it is, in Content-Type")
    return kind, charset


async def _whole(request: Request, timeout: float) -> bytes:
    try:
        async with asyncio.timeout(timeout):
            # Not request.body(): that would hold a second copy for as long as the search takes.
            return b"".join([chunk async for chunk in request.stream()])
    except TimeoutError:
        raise Problem(
            408, f"the body did not arrive within {timeout:g} s", headers={"Connection": "close"}
        ) from None


async def _off_loop(n_bytes: int, function: Callable[..., Submission], *arguments: Any) -> Submission:
    if n_bytes < LARGE:
        return function(*arguments)
    return await anyio.to_thread.run_sync(function, *arguments)


def _from_form(body: bytes, boundary: bytes, pictures: str, max_parts: int) -> Submission:
    parts = parse_multipart(body, boundary, max_parts)
    files = parts.pop(pictures, [])
    if not all(part.is_file for part in files):
        raise Problem(422, f"{pictures}: a file is wanted", hint="send the picture with a file name, any")
    values: dict[str, Any] = {}
    for name, fields in parts.items():
        shown = name[:40].encode("unicode_escape").decode()
        if len(fields) > 1:
            raise Problem(422, f"{shown}: given more than once")
        if len(fields[0].data) > MAX_FIELD_BYTES:
            raise Problem(422, f"{shown}: longer than {MAX_FIELD_BYTES} bytes")
        try:
            values[name] = fields[0].data.decode("utf-8")
        except UnicodeDecodeError:
            raise Problem(422, f"{shown}: not UTF-8") from None
    return Submission(values, [part.data for part in files], is_form=True)


def _from_json(body: bytes, pictures: str, many: bool, most: int) -> Submission:
    values = parse_json(body)
    given = values.pop(pictures, None)
    texts = given if many else [given]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        wanted = "a list of texts" if many else "a text"
        raise Problem(422, f"{pictures}: {wanted} wanted, each a picture in base64")
    if len(texts) > most:
        raise Problem(422, f"{pictures}: at most {most} wanted, {len(texts)} received")
    return Submission(values, [_decoded(text, pictures) for text in texts])


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Problem(
            422, f"{name}: not base64", hint="standard alphabet, padded, without line breaks or data:..."
        ) from None
