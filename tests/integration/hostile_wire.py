"""Requests as bytes on the wire, put together by hand: no client library would send most of these."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["BOUNDARY", "Hostile", "as_json", "field", "form", "image", "part", "raw"]

BOUNDARY = "hostile"


@dataclass(frozen=True)
class Hostile:
    """A request.

    Attributes:
        name: what is hostile about it.
        statuses: that are right answers.
        data: the request on the wire; ``HOST`` in it stands for the address.
        before_framework: it is refused where HTTP is read, in a few words of plain text.
    """

    name: str
    statuses: tuple[int, ...]
    data: bytes
    before_framework: bool = False


def raw(
    name: str,
    statuses: int | tuple[int, ...],
    body: bytes = b"",
    *,
    to: str = "POST /v1/search",
    kind: str | None = f"multipart/form-data; boundary={BOUNDARY}",
    headers: tuple[str, ...] = (),
    length: int | None = -1,
    before_framework: bool = False,
) -> Hostile:
    """A request with a body; ``length`` is what it claims, -1 for the truth and None for no word of it."""
    lines = [
        f"{to} HTTP/1.1",
        "Host: HOST",
        *([f"Content-Type: {kind}"] if kind is not None else []),
        *headers,
    ]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    head = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n"
    return Hostile(
        name, (statuses,) if isinstance(statuses, int) else statuses, head + body, before_framework
    )


def part(disposition: str, data: bytes, *headers: str) -> bytes:
    """A part of a form."""
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def image(data: bytes, filename: str = "x.jpg") -> bytes:
    return part(f'name="image"; filename="{filename}"', data)


def field(name: str, value: str | bytes) -> bytes:
    return part(f'name="{name}"', value if isinstance(value, bytes) else value.encode())


def as_json(name: str, statuses: int | tuple[int, ...], value: Any, **options: Any) -> Hostile:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return raw(name, statuses, body, kind="application/json", **options)
