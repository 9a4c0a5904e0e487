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
    """Whether work for a request that is cancelled is so since its client has gone; else the server stops."""
    return GIVEN_UP in scope and bool(scope[GIVEN_UP]())


class CancelWhenGone:
    """ASGI middleware: cancels the work for a request when its client closes the connection.

    Frameworks read what a client sends and otherwise listen no more; then a photo is searched with for
    nobody, and others wait for that. Goes around the whole application.

    When it is cancelled itself, since the server stops and waits no longer, the application is too, and may
    still answer that.

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
        except asyncio.CancelledError:  # of this task itself
            work.cancel("the server is stopping")
            await asyncio.wait({work})
        finally:
            watch.cancel()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):  # of this task, which is at its end anyway
                await asyncio.gather(work, watch, return_exceptions=True)
        work.result()  # where nothing was made of the cancelling, it goes on from here


def _has_body(scope: Scope) -> bool:
    if scope["method"] not in BODILESS:
        return True
    headers = dict(scope.get("headers", ()))
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


class _Request:
    """What a client sends, as the application reads it; its going away, for whoever waits for that.

    Attributes:
        answered: whether the whole answer has been sent: then servers say "disconnect" as well.
        given_up: whether the client has gone, and the work is cancelled for that.
    """

    def __init__(self, receive: Receive, send: Send, *, has_body: bool) -> None:
        self.answered = False
        self.given_up = False
        self._receive = receive
        self._send = send
        self._read = asyncio.Event()
        self._gone = asyncio.Event()
        # Most applications never ask for a body where none is usual: then nobody would listen.
        self._empty_body_due = not has_body
        if not has_body:
            self._read.set()

    async def send(self, message: Any) -> None:
        """A message of the answer."""
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.answered = True
        await self._send(message)

    async def receive(self) -> Any:
        """The next message for the application; the only reader until the body is there."""
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
        """Returns when the body has been read and the client has gone."""
        await self._read.wait()
        while not self._gone.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
