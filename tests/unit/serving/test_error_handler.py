"""What is raised, or cut short, becomes a problem."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from stylesearch.serving.middleware.disconnect import GIVEN_UP
from stylesearch.serving.middleware.error_handler import ErrorHandler
from tests.unit.serving.asgi import Sent, scope_of


class Refusals:
    """Stands in for the figures."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def count_refusal(self, reason: str) -> None:
        self.reasons.append(reason)


async def cancelled(application: Any, **more: Any) -> tuple[Sent, list[str]]:
    """What is answered when an application is cancelled in the midst of its work, and what is counted."""
    refusals, sent = Refusals(), Sent()
    layer = ErrorHandler(application, refusals)  # type: ignore[arg-type]

    async def receive() -> Any:
        raise AssertionError("nobody reads")

    task = asyncio.create_task(layer({**scope_of(), **more}, receive, sent))
    await asyncio.sleep(0.01)
    task.cancel()
    await task
    return sent, refusals.reasons


async def works(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


async def is_answering(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    await works(scope, receive, send)


def test_who_still_waits_when_the_server_stops_is_told_to_come_back(caplog: pytest.LogCaptureFixture) -> None:
    sent, reasons = asyncio.run(cancelled(works))
    assert sent.status == json.loads(sent.body)["status"] == 503
    assert json.loads(sent.body)["detail"] == "the server is stopping"
    assert sent.headers["content-type"] == "application/problem+json"
    assert (sent.headers["retry-after"], sent.headers["connection"]) == ("1", "close")
    assert reasons == ["stopping"]
    assert all(record.levelno < logging.ERROR and not record.exc_info for record in caplog.records)


def test_an_answer_that_has_begun_gets_no_second_one() -> None:
    sent, reasons = asyncio.run(cancelled(is_answering))
    assert (sent.status, sent.body, reasons) == (200, b"half", [])


def test_nothing_is_answered_to_a_client_that_has_gone() -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled(works, **{GIVEN_UP: lambda: True}))
