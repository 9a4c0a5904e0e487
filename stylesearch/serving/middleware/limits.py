"""Limits for clients: bytes of a body, bodies in memory at once, and requests a minute.

Each worker counts requests for itself; a burst is ten seconds' worth. The library ``limits`` has no token
bucket, keeps every client of a minute in memory (here there are 10,000 at most), and shares counts between
workers only through a database. The nginx file in ``deploy/`` limits in front of all workers.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylesearch.serving.middleware.hosts import ClientAddresses
from stylesearch.serving.middleware.product_paths import counts_against_limit, route_of
from stylesearch.serving.problems import Problem

__all__ = [
    "BodyLimit",
    "RateLimit",
    "TokenBuckets",
    "count_photos",
]

HELD_BODIES: Final = 8
"""So many bodies of the largest allowed size may be held at once, or more that are smaller."""

LINGER_BYTES: Final = 64_000_000
LINGER_SECONDS: Final = 2.0
"""How much of a body that is too large is read and thrown away, so that its sender sees the answer: one that
is cut off while it sends reports a broken connection, and tries again."""

RETRY_SECONDS: Final = 2

MAX_CLIENTS: Final = 10_000
BURST_SECONDS: Final = 10.0
MIN_BURST: Final = 5.0
"""Requests that a client may always make at once."""

_TAKE: Final = "stylesearch.take_tokens"
"""Key of a request's scope: takes more tokens for it."""


class BodyLimit:
    """ASGI middleware: refuses bodies over a limit, and more bodies at once than fit in memory.

    Bodies are counted as they arrive: of a body that is too large no more than the limit is in memory.

    Args:
        app: the next application.
        max_bytes: largest size of a body.
        streamed: largest size by method and path of the routes that read a body piece by piece, which do not
            hold it in memory.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, streamed: Mapping[tuple[str, str], int] | None = None
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._streamed = dict(streamed or {})
        self._budget = HELD_BODIES * max_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        streamed = self._streamed.get((scope["method"], scope["path"]))
        max_bytes = self._max_bytes if streamed is None else streamed
        declared = _content_length(scope)
        if declared is not None and declared > max_bytes:
            if not _waits(scope):
                await _drain(receive)
            raise _too_large(max_bytes)
        n_bytes = 0

        async def receive_counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            if message["type"] != "http.request":
                return message
            size = len(message.get("body", b""))
            if n_bytes + size > max_bytes:
                if message.get("more_body", False):
                    await _drain(receive)
                raise _too_large(max_bytes)
            if streamed is not None:
                n_bytes += size
                return message
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
            await self._app(scope, receive_counted, send)
        finally:
            if streamed is None:
                self._held -= n_bytes


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        413,
        f"the body has more than {max_bytes} bytes",
        hint="send a smaller picture, or fewer lines",
        headers={"Connection": "close"},
        reason="bytes",
    )


def _content_length(scope: Scope) -> int | None:
    """Reads Content-Length; None if it is missing or invalid."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else None
    return None


def _waits(scope: Scope) -> bool:
    """Whether the client waits for "100 Continue" before it sends its body."""
    return any(name == b"expect" and value.lower() == b"100-continue" for name, value in scope["headers"])


async def _drain(receive: Receive) -> None:
    """Reads and drops the rest of a body for a while."""
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


class TokenBuckets:
    """A token bucket for each client, which fills steadily and from which each request takes a token.

    Memory is bounded: with more than ``max_clients``, those not seen for longest are dropped, which gives
    them a full bucket.

    Args:
        per_minute: tokens that are added to a bucket in a minute.
        max_clients: largest number of buckets.
        clock: returns rising seconds.

    Example:
        >>> buckets = TokenBuckets(60, clock=lambda: 0.0)
        >>> [buckets.take("me") for _ in range(11)]
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    """

    def __init__(
        self,
        per_minute: float,
        *,
        max_clients: int = MAX_CLIENTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = per_minute / 60
        self.size = max(MIN_BURST, self.rate * BURST_SECONDS)
        self._max_clients = max_clients
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str, n: int = 1) -> float:
        """Takes tokens; returns 0, or takes none and returns the seconds until there are enough.

        For more tokens than a bucket holds, as many must be there as it can hold after another request; the
        others are owed, and taken from those that are added later.
        """
        now = self._clock()
        tokens, then = self._buckets.pop(client, (self.size, now))
        tokens = min(self.size, tokens + (now - then) * self.rate)
        missing = max(0.0, min(n, self.size - 1.0) - tokens)
        self._buckets[client] = (tokens if missing else tokens - n, now)
        while len(self._buckets) > self._max_clients:
            self._buckets.popitem(last=False)
        return missing / self.rate


class RateLimit:
    """ASGI middleware: rate limit per client; each worker counts for itself.

    Args:
        app: the next application.
        per_minute: requests to the API that one client may make, after a burst of ten seconds' worth.
        clients: finds the address of a client.
    """

    def __init__(self, app: ASGIApp, per_minute: int, clients: ClientAddresses) -> None:
        self._app = app
        self._per_minute = per_minute
        self._clients = clients
        self._buckets = TokenBuckets(per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] == "http" and counts_against_limit(route_of(scope["path"])):
            take = functools.partial(self._take, self._clients.household(scope))
            take(1)
            scope = {**scope, _TAKE: take}
        await self._app(scope, receive, send)

    def _take(self, client: str, n: int, again: int = 0) -> None:
        """Takes tokens, or refuses; ``again``: tokens taken already, which a repeated request takes again."""
        if seconds := self._buckets.take(client, n):
            raise Problem(
                429,
                f"more than {self._per_minute} requests a minute, each photo of several counted as one",
                hint="wait for as long as Retry-After says",
                headers={"Retry-After": str(math.ceil(seconds + again / self._buckets.rate))},
                reason="rate",
            )


def count_photos(scope: Scope, n: int) -> None:
    """Counts each photo of a request as a request; the first was counted with the request itself.

    Args:
        scope: scope of the request.
        n: number of photos.

    Raises:
        Problem: 429, the client has asked too often.
    """
    take = scope.get(_TAKE)  # missing without a limit
    if take is not None and n > 1:
        take(n - 1, again=1)
