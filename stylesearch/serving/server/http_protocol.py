"""Uvicorn's HTTP/1.1 protocol on h11, with a time-out for requests and problem responses for bad ones.

Uvicorn (0.54) has no time-out for the headers of a request: without a proxy in front, a few hundred
connections that never send them block all other clients, as ``tests/unit/serving/test_http_protocol.py``
shows. What is read as HTTP at all is in ``strict_http``.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from http import HTTPStatus
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from stylesearch.serving.problems import MEDIA_TYPE, Problem
from stylesearch.serving.server.strict_http import StrictConnection

__all__ = ["REQUEST_SECONDS", "TimeoutProtocol"]

REQUEST_SECONDS: Final = 15.0
"""From the first byte of a request, or from the connection's beginning, to the end of its headers."""


class TimeoutProtocol(H11Protocol):
    """Closes connections whose request does not arrive in time; answers invalid HTTP with a problem."""

    request_seconds = REQUEST_SECONDS
    conn: StrictConnection
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.conn = StrictConnection()

    def connection_made(self, transport: Any) -> None:
        """Starts the timer for the first request."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Stops the timer when the headers of a request are complete; starts it for the next request."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._start_timer()
        else:
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers invalid HTTP and too large headers with a problem, like any other error, and closes.

        If a response has begun or been sent, it only closes the connection.
        """
        self._refuse(*self.conn.refusal)

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        may_answer = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        if self.cycle is not None and not self.cycle.response_complete:
            # The application may be about to answer, which h11 would refuse too.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not may_answer:
            self.transport.close()
            return
        identity = secrets.token_hex(8)  # the client's own id was not parsed
        body = Problem(status.value, detail).as_dict(identity)
        headers = [("content-type", MEDIA_TYPE), ("x-request-id", identity), ("connection", "close")]
        events = (
            h11.Response(status_code=status.value, headers=headers, reason=status.phrase.encode()),
            h11.Data(data=json.dumps(body).encode()),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self.request_seconds, self._give_up)

    def _give_up(self) -> None:
        """Ends a connection that has sent no whole request; one that has begun a request is told so."""
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            detail = f"the headers did not arrive within {self.request_seconds:g} s"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, detail)
        else:
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
