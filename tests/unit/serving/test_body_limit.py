import asyncio
from typing import Any

import pytest

from stylesearch.serving.middleware import limits
from stylesearch.serving.middleware.limits import BodyLimit
from stylesearch.serving.problems import Problem
from tests.unit.serving.asgi import call, scope_of


class Reader:
    """Reads a body to its end; remembers how much of it was ever held."""

    def __init__(self) -> None:
        self.held = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            self.held += len(message.get("body", b""))
            more = message.get("more_body", False)


def run(chunks: list[bytes], *, limit: int = 100, declared: int | None = None) -> Reader:
    reader = Reader()
    headers = [] if declared is None else [("Content-Length", str(declared))]
    asyncio.run(
        call(BodyLimit(reader, limit), scope_of("/v1/search", method="POST", headers=headers), chunks)
    )
    return reader


def test_a_body_up_to_the_limit_arrives() -> None:
    assert run([b"x" * 60, b"x" * 40], declared=100).held == 100
    assert run([b"x" * 60, b"x" * 40]).held == 100


@pytest.mark.parametrize("declared", [None, 50])
def test_bytes_are_counted_whatever_the_header_says(declared: int | None) -> None:
    with pytest.raises(Problem) as raised:
        run([b"x" * 60, b"x" * 41, b"x" * 1000], declared=declared)
    assert (raised.value.status, raised.value.reason) == (413, "bytes")


def test_a_body_that_says_that_it_is_too_large_is_not_read() -> None:
    reader = Reader()
    app = BodyLimit(reader, 100)
    scope = scope_of("/v1/search", method="POST", headers=[("Content-Length", "101")])
    with pytest.raises(Problem) as raised:
        asyncio.run(call(app, scope, [b"x" * 101]))
    assert raised.value.status == 413
    assert reader.held == 0


def test_the_rest_is_read_and_thrown_away_so_that_the_sender_sees_the_answer() -> None:
    chunks = [b"x" * 101, *[b"x" * 1000] * 50]
    left = list(chunks)

    async def receive() -> Any:
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def ignore(message: Any) -> None: ...

    with pytest.raises(Problem):
        asyncio.run(BodyLimit(Reader(), 100)(scope_of(method="POST"), receive, ignore))
    assert left == []


def test_a_client_that_asks_first_is_told_at_once() -> None:
    async def never() -> Any:
        raise AssertionError("the body was asked for")

    async def ignore(message: Any) -> None: ...

    scope = scope_of(method="POST", headers=[("Content-Length", "101"), ("Expect", "100-continue")])
    with pytest.raises(Problem):
        asyncio.run(BodyLimit(Reader(), 100)(scope, never, ignore))


def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.05)

    async def receive() -> Any:
        if not left:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": left.pop(), "more_body": True}

    left = [b"x" * 101]

    async def ignore(message: Any) -> None: ...

    async def time_stage() -> None:
        async with asyncio.timeout(5):
            await BodyLimit(Reader(), 100)(scope_of(method="POST"), receive, ignore)

    with pytest.raises(Problem):
        asyncio.run(time_stage())


def test_more_bodies_at_once_than_there_is_memory_for_have_to_wait() -> None:
    async def scenario() -> None:
        release = asyncio.Event()

        async def holds(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await release.wait()

        app = BodyLimit(holds, 100)
        scope = scope_of("/v1/search", method="POST")
        held = [asyncio.create_task(call(app, scope, [b"x" * 100])) for _ in range(limits.HELD_BODIES)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as raised:
            await call(app, scope, [b"x"])
        assert (raised.value.status, raised.value.reason) == (503, "bytes_held")
        assert "Retry-After" in raised.value.headers
        release.set()
        await asyncio.gather(*held)
        await call(app, scope, [b"x" * 100])  # what was held has been given back

    asyncio.run(scenario())


def stream(chunks: list[bytes], method: str = "POST", *, limit: int = 10, streamed: int = 1000) -> Reader:
    """Sends a body to a route that reads it piece by piece."""
    reader = Reader()
    layer = BodyLimit(reader, limit, {("POST", "/bulk"): streamed})
    asyncio.run(call(layer, scope_of("/bulk", method=method), chunks))
    return reader


def test_a_route_that_reads_piece_by_piece_has_a_limit_of_its_own() -> None:
    assert stream([b"x" * 100] * 10).held == 1000, "more than all bodies may hold at once"
    with pytest.raises(Problem, match="more than 1000 bytes"):
        stream([b"x" * 100] * 11)
    with pytest.raises(Problem, match="more than 10 bytes"):
        stream([b"x" * 100], "PUT")
