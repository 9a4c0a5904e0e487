"""Work for a client that has gone is cancelled; what changes something is finished."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from stylesearch.serving.middleware.disconnect import CancelWhenGone, is_given_up


class Client:
    """Sends a body in two parts; goes when told to."""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self.messages = list(messages) or [
            {"type": "http.request", "body": b"ab", "more_body": True},
            {"type": "http.request", "body": b"c", "more_body": False},
        ]
        self.gone = asyncio.Event()
        self.n_readers = 0
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        self.n_readers += 1
        assert self.n_readers == 1, "two readers at once"
        try:
            if self.messages:
                await asyncio.sleep(0)
                return self.messages.pop(0)
            await self.gone.wait()
            return {"type": "http.disconnect"}
        finally:
            self.n_readers -= 1

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


class Application:
    """Reads the body, then works for a while; notes how that ended."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.body = b""
        self.end = ""
        self.failure = failure
        self.working = asyncio.Event()
        self.go_on = asyncio.Event()
        self.last: dict[str, Any] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            if scope["type"] == "http":
                more = True
                while more:
                    message = await receive()
                    self.body += message.get("body", b"")
                    more = message.get("more_body", False)
            self.working.set()
            await self.go_on.wait()
            if self.failure:
                raise self.failure
            await send({"type": "http.response.start", "status": 200})
            self.end = "done"
        except asyncio.CancelledError:
            self.end = "cancelled"
            raise


class Unread(Application):
    """Works without asking for a body."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await super().__call__({"type": "bodiless"}, receive, send)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 10))


def scope(method: str = "POST") -> dict[str, Any]:
    return {"type": "http", "method": method}


def test_the_body_arrives_whole_and_the_answer_goes_out() -> None:
    async def scenario() -> None:
        client, application = Client(), Application()
        application.go_on.set()
        await CancelWhenGone(application)(scope(), client.receive, client.send)
        assert application.body == b"abc"
        assert (application.end, client.sent[0]["status"]) == ("done", 200)

    run(scenario())


def test_a_search_ends_when_its_client_goes() -> None:
    async def scenario() -> None:
        client, application = Client(), Application()
        task = asyncio.create_task(CancelWhenGone(application)(scope(), client.receive, client.send))
        await application.working.wait()
        client.gone.set()
        await task
        assert application.end == "cancelled"
        assert client.sent == []

    run(scenario())


def test_a_product_is_put_whoever_listens() -> None:
    async def scenario() -> None:
        client, application = Client(), Application()
        task = asyncio.create_task(CancelWhenGone(application)(scope("PUT"), client.receive, client.send))
        await application.working.wait()
        client.gone.set()
        await asyncio.sleep(0.01)
        application.go_on.set()
        await task
        assert application.end == "done"

    run(scenario())


def test_going_away_while_sending_is_left_to_the_application() -> None:
    async def scenario() -> None:
        client = Client(
            {"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.disconnect"}
        )
        application = Application()
        application.go_on.set()
        await CancelWhenGone(application)(scope(), client.receive, client.send)
        assert application.body == b"ab"

    run(scenario())


def test_an_application_that_listens_for_the_end_hears_it() -> None:
    async def scenario() -> None:
        client = Client()
        heard: list[str] = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            while not heard or heard[-1] != "http.disconnect":
                heard.append((await receive())["type"])

        client.gone.set()
        await CancelWhenGone(application)(scope(), client.receive, client.send)
        assert heard[:2] == ["http.request", "http.request"]

    run(scenario())


def test_an_error_of_the_application_goes_on_to_the_server() -> None:
    async def scenario() -> None:
        client, application = Client(), Application(ValueError("a mistake"))
        application.go_on.set()
        with pytest.raises(ValueError, match="a mistake"):
            await CancelWhenGone(application)(scope(), client.receive, client.send)

    run(scenario())


def test_a_server_that_stops_cancels_the_work() -> None:
    async def scenario() -> None:
        client, application = Client(), Application()
        task = asyncio.create_task(CancelWhenGone(application)(scope(), client.receive, client.send))
        await application.working.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert application.end == "cancelled"

    run(scenario())


@pytest.mark.parametrize(("stops", "sent"), [(True, [503]), (False, [])])
def test_who_is_cancelled_knows_why_and_may_answer_a_client_that_still_waits(
    stops: bool, sent: list[int]
) -> None:
    async def scenario() -> None:
        client = Client()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            try:
                while (await receive()).get("more_body"):
                    pass
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if is_given_up(scope):
                    raise
                await asyncio.sleep(0.01)
                await send({"type": "http.response.start", "status": 503})

        task = asyncio.create_task(CancelWhenGone(application)(scope(), client.receive, client.send))
        await asyncio.sleep(0.01)
        if stops:
            task.cancel()
        else:
            client.gone.set()
        await task
        assert [message["status"] for message in client.sent] == sent

    run(scenario())


def test_a_server_that_stops_when_all_has_been_answered_is_no_mistake() -> None:
    async def scenario() -> None:
        client, application = Client(), Application()
        application.go_on.set()
        is_ending = asyncio.Event()

        async def receive() -> Any:
            try:
                return await client.receive()
            finally:
                if application.end:  # nobody waits for the client to go any more
                    is_ending.set()
                    await asyncio.sleep(0.05)

        task = asyncio.create_task(CancelWhenGone(application)(scope(), receive, client.send))
        await is_ending.wait()
        task.cancel()
        await task
        assert client.sent[0]["status"] == 200

    run(scenario())


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_work_for_a_client_that_has_gone_ends_though_nobody_reads_a_body(method: str) -> None:
    async def scenario() -> None:
        client, application = Client({"type": "http.request", "body": b"", "more_body": False}), Unread()
        task = asyncio.create_task(CancelWhenGone(application)(scope(method), client.receive, client.send))
        await application.working.wait()
        await asyncio.sleep(0.01)
        assert not task.done()
        client.gone.set()
        await task
        assert application.end == "cancelled"

    run(scenario())


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"3")], [(b"transfer-encoding", b"chunked")]])
def test_a_get_that_is_read_all_the_same_is_read_whole(headers: list[tuple[bytes, bytes]]) -> None:
    async def scenario() -> None:
        messages = [] if headers else [{"type": "http.request", "body": b"", "more_body": False}]
        client, application = Client(*messages), Application()
        application.go_on.set()
        asked = {**scope("GET"), "headers": headers}
        await CancelWhenGone(application)(asked, client.receive, client.send)
        assert application.body == (b"abc" if headers else b"")
        assert application.end == "done"

    run(scenario())


def test_what_comes_after_the_answer_is_not_cut_off() -> None:
    """Servers say "disconnect" also when the answer has been sent whole."""

    async def scenario() -> None:
        client = Client({"type": "http.request", "body": b"", "more_body": False})
        ended: list[str] = []

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"all"})
            client.gone.set()
            await asyncio.sleep(0.01)
            ended.append("done")

        await CancelWhenGone(application)(scope("GET"), client.receive, client.send)
        assert ended == ["done"]

    run(scenario())


def test_what_is_no_request_passes() -> None:
    async def scenario() -> None:
        client, application = Client(), Application()
        application.go_on.set()
        await CancelWhenGone(application)({"type": "lifespan"}, client.receive, client.send)
        assert application.end == "done"

    run(scenario())
