"""HTTP/1.1 as uvicorn speaks it with h11, for clients that are slow, or that talk without end.

Uvicorn gives a connection as long as it likes to say what it wants, and with its other parser as many bytes
of headers: a few hundred such connections and nobody else is answered. h11 refuses more than 16 KiB of
headers that are not whole by itself; here is the time.
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

__all__ = ["SECONDS_TO_ASK", "PatientProtocol"]

SECONDS_TO_ASK: Final = 15.0
"""From the first byte of a request, or from the connection's beginning, to the end of its headers."""


class PatientProtocol(H11Protocol):
    """Closes a connection that has not asked for anything whole in time; what is no HTTP is a problem too."""

    seconds_to_ask = SECONDS_TO_ASK
    _asking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """The time for the first request begins."""
        super().connection_made(transport)
        self._wait_for_request()

    def data_received(self, data: bytes) -> None:
        """A request has come whole, or its time goes on."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            self._wait_for_request()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP, or too much of it, as every other error is answered.

        Where an answer has begun or been given there is no second one: the connection is closed, no more.
        """
        may_answer = self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        if self.cycle is not None and not self.cycle.response_complete:
            # The application may be about to answer, and would be refused by h11 as well.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not may_answer:
            self.transport.close()
            return
        status = HTTPStatus.BAD_REQUEST
        identity = secrets.token_hex(8)  # whatever the client called it has not been understood
        body = Problem(status.value, msg).as_dict(identity)
        headers = [("content-type", MEDIA_TYPE), ("x-request-id", identity), ("connection", "close")]
        events = (
            h11.Response(status_code=status.value, headers=headers, reason=status.phrase.encode()),
            h11.Data(data=json.dumps(body).encode()),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _wait_for_request(self) -> None:
        if self._asking is None:
            self._asking = self.loop.call_later(self.seconds_to_ask, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
