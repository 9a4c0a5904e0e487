"""Cancels the work for a request whose client has disconnected."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

__all__ = ["CancelWhenGone", "is_given_up"]

Scope = Any
Receive = Any
Send = Any

READING = ("GET", "HEAD", "POST")
"""Methods that change nothing (``POST`` searches): a product that is being put is put, whoever listens."""

BODILESS = ("GET", "HEAD")

GIVEN_UP: Final = "stylesearch.given_up"
"""Key of a request's scope."""


def is_given_up(scope: Scope) -> bool:
    """Whether a request was cancelled because its client has disconnected, not because the server stops."""
    return GIVEN_UP in scope and bool(scope[GIVEN_UP]())


class CancelWhenGone:
    """ASGI middleware: cancels the work for a request when its client closes the connection.

    Frameworks do not notice a disconnect once they have read the request; then a search would be finished for
    nobody while others wait. Goes around the whole application.

    When it is cancelled itself, because the server stops, the application is cancelled too, and may still
    answer.

    Args:
        app: the application.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http" or scope["method"] not in READING:
            await self.app(scope, receive, send)
            return
        request = _Request(receive, send, has_body=_has_body(scope))
        inner = {**scope, GIVEN_UP: lambda: request.given_up}
        work = asyncio.ensure_future(self.app(inner, request.receive, request.send))
        watch = asyncio.ensure_future(request.wait_until_gone())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not request.answered:
                request.given_up = True
                work.cancel("the client has gone")
                with contextlib.suppress(asyncio.CancelledError):
                    await work
                return
            await asyncio.wait({work})
        except asyncio.CancelledError:  # cancellation of this task itself
            work.cancel("the server is stopping")
            await asyncio.wait({work})
        finally:
            watch.cancel()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):  # cancellation of this task, which ends anyway
                await asyncio.gather(work, watch, return_exceptions=True)
        work.result()  # an exception of the application, or its cancellation, is raised here


def _has_body(scope: Scope) -> bool:
    if scope["method"] not in BODILESS:
        return True
    headers = dict(scope.get("headers", ()))
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


class _Request:
    """Passes a client's messages to the application, and tells when the client has disconnected.

    Attributes:
        answered: whether the whole response has been sent, after which servers send "disconnect" too.
        given_up: whether the work was cancelled because the client has disconnected.
    """

    def __init__(self, receive: Receive, send: Send, *, has_body: bool) -> None:
        self.answered = False
        self.given_up = False
        self._receive = receive
        self._send = send
        self._read = asyncio.Event()
        self._gone = asyncio.Event()
        # Most applications do not read the body of methods without one: then nothing would be received.
        self._empty_body_due = not has_body
        if not has_body:
            self._read.set()

    async def send(self, message: Any) -> None:
        """Sends a message of the response."""
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.answered = True
        await self._send(message)

    async def receive(self) -> Any:
        """Receives the next message for the application; the only reader until the body is complete."""
        if self._empty_body_due:
            self._empty_body_due = False
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._read.is_set():
            await self._gone.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone.set()
            self._read.set()
        elif not message.get("more_body", False):
            self._read.set()
        return message

    async def wait_until_gone(self) -> None:
        """Returns when the body has been read and the client has disconnected."""
        await self._read.wait()
        while not self._gone.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
