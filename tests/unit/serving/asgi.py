"""Calling one layer of the service, without a server and without the other layers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["Sent", "call", "scope_of"]

Message = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


def scope_of(
    path: str = "/",
    *,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    client: tuple[str, int] | None = ("192.0.2.1", 5000),
    raw_path: bytes | None = None,
) -> dict[str, Any]:
    """What a server says of a request."""
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode() if raw_path is None else raw_path,
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        "client": client,
    }


class Sent:
    """An answer, as it was sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")


async def call(app: App, scope: dict[str, Any], chunks: Iterable[bytes] = (b"",)) -> Sent:
    """What an application answers to a request whose body comes in these pieces."""
    left = list(chunks)

    async def receive() -> Message:
        if not left:
            return {"type": "http.disconnect"}
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    sent = Sent()
    await app(scope, receive, sent)
    return sent
