"""Bodies are counted as they arrive: of one that is too large no more than the limit is ever held."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylesearch.serving.problems import Problem

__all__ = ["BodyLimit"]

HELD_BODIES: Final = 8
"""So many bodies of the largest allowed size may be held at once, or more that are smaller."""

LINGER_BYTES: Final = 64_000_000
LINGER_SECONDS: Final = 2.0
"""How much of a body that is too large is read and thrown away, so that its sender sees the answer: one that
is cut off while it sends reports a broken connection, and tries again."""

RETRY_SECONDS: Final = 2


class BodyLimit:
    """Refuses bodies over a limit, and more bodies at once than there is memory for.

    Args:
        app: what comes next.
        max_bytes: of one body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._budget = HELD_BODIES * max_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = _declared(scope)
        if declared is not None and declared > self._max_bytes:
            if not _waits(scope):
                await _drain(receive)
            raise self._too_large()
        n_bytes = 0

        async def counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            if message["type"] != "http.request":
                return message
            size = len(message.get("body", b""))
            if n_bytes + size > self._max_bytes:
                if message.get("more_body", False):
                    await _drain(receive)
                raise self._too_large()
            if self._held + size > self._budget:
                if message.get("more_body", False):
                    await _drain(receive)
                raise Problem(
                    503,
                    "too many uploads at once",
                    hint="try again in a moment",
                    headers={"Retry-After": str(RETRY_SECONDS), "Connection": "close"},
                    reason="bytes_held",
                )
            n_bytes += size
            self._held += size
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= n_bytes

    def _too_large(self) -> Problem:
        return Problem(
            413,
            f"the body has more than {self._max_bytes} bytes",
            hint="send a smaller picture",
            headers={"Connection": "close"},
            reason="bytes",
        )


def _declared(scope: Scope) -> int | None:
    """What Content-Length says, if it says anything."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else None
    return None


def _waits(scope: Scope) -> bool:
    """Whether the client sends its body only when it is told to."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])


async def _drain(receive: Receive) -> None:
    """Reads on for a while without keeping anything."""
    n_bytes = 0
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while n_bytes < LINGER_BYTES:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                n_bytes += len(message.get("body", b""))
    except TimeoutError:
        return
