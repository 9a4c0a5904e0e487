"""The route of many changes at once: JSON lines in, JSON lines out."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Annotated, Any, Final

import anyio.to_thread
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from stylesearch.errors import CatalogLocked, StyleSearchError
from stylesearch.serving.api.json_body import parse_json
from stylesearch.serving.api.lines import LineSplitter
from stylesearch.serving.api.openapi import lines_request_body, problems
from stylesearch.serving.api.product_bodies import BulkBody
from stylesearch.serving.api.products import require_key
from stylesearch.serving.api.requests import JSON_LINES, LINES_TYPES, check_content_type, read_values
from stylesearch.serving.problems import Problem, problem_of
from stylesearch.serving.products.bulk import BulkChange, BulkOutcome
from stylesearch.serving.service import Service, service_of

__all__ = ["router"]

LINES_AT_ONCE: Final = 500
BYTES_AT_ONCE: Final = 1_000_000
"""Of one transaction: between two of them other changes have their turn."""

RESULTS_IN_MEMORY: Final = 1_000_000
"""Bytes; more of them wait in a temporary file until the body has been read."""

CHUNK_BYTES: Final = 65_536
DISCARD_SECONDS: Final = 2.0

STATUSES: Final = {"changed": 200, "unchanged": 200, "deleted": 204, "missing": 404, "refused": 422}

RESULTS: Final = {
    "description": "The body was read: a line for each line of it that is not empty, in their order.",
    "content": {JSON_LINES: {"schema": {"$ref": "#/components/schemas/BulkResult"}}},
}

router = APIRouter(tags=["products"])
UsedService = Annotated[Service, Depends(service_of)]

Line = tuple[int, bytes | None]
"""Number from 1 and bytes of a line; None where it is too long."""


@router.post(
    "/v1/products/bulk",
    operation_id="bulk",
    summary="Change or delete many products",
    response_class=Response,
    responses={200: RESULTS, **problems(400, 401, 403, 408, 413, 415, 422, 429, 503)},
    dependencies=[Depends(require_key)],
    openapi_extra={"requestBody": lines_request_body(BulkBody, {"id": "example-1", "price": "29.90 EUR"})},
)
async def bulk(request: Request, service: UsedService) -> Response:
    """Each line of the body is JSON: the `id` of a product with what is changed, or with `"delete": true`.

    Products that are new, and pictures, are put in with `PUT`. A line that is wrong has a status and an
    `error`, and stops no other. Some hundred lines are one transaction: what was done when the connection
    breaks stays done, and the same body may be sent again.
    """
    check_content_type(request, LINES_TYPES)
    with service.writing.bulk():
        try:
            await service.writing.check_lock()
        except StyleSearchError:
            await _discard(request)
            raise
        results = tempfile.SpooledTemporaryFile(RESULTS_IN_MEMORY)  # noqa: SIM115 - sent after this returns
        try:
            run = _Bulk(service, results)
            await run.read(request)
            results.seek(0)
        except BaseException:
            results.close()
            raise
    headers = {"Connection": "close"} if run.is_cut_short else {}
    return StreamingResponse(_chunks(results), headers=headers, media_type=JSON_LINES)


@dataclass(slots=True)
class _Bulk:
    """Many changes on their way.

    Attributes:
        service: the service.
        results: takes the JSON lines that are answered.
        is_cut_short: whether the rest of the body was not read.
    """

    service: Service
    results: IO[bytes]
    is_cut_short: bool = False
    is_locked: bool = False

    async def read(self, request: Request) -> None:
        """Reads the body, and does what its lines say."""
        settings = self.service.settings
        splitter = LineSplitter(settings.bulk_max_line)
        waiting: list[Line] = []
        n_bytes = last = 0
        chunks = request.stream()
        try:
            while True:
                async with asyncio.timeout(settings.timeout):
                    chunk = await anext(chunks, None)
                for number, line in splitter.end() if chunk is None else splitter.feed(chunk):
                    if number > settings.bulk_max_lines:
                        raise Problem(413, f"the body has more than {settings.bulk_max_lines} lines")
                    last = number
                    waiting.append((number, line))
                    n_bytes += len(line or b"")
                    if len(waiting) >= LINES_AT_ONCE or n_bytes >= BYTES_AT_ONCE:
                        await self._do(waiting)
                        waiting, n_bytes = [], 0
                if chunk is None:
                    break
        except (Problem, TimeoutError) as error:
            await self._do(waiting)
            waiting = []
            if not isinstance(error, Problem):
                error = Problem(408, f"nothing of the body arrived for {settings.timeout:g} s")
            else:
                await _discard(request)
            self.is_cut_short = True
            self.service.metrics.count_refusal(error.reason)
            self._write([_refusal(last + 1, None, error, "; what follows was not read")])
        await self._do(waiting)

    async def _do(self, lines: Sequence[Line]) -> None:
        """Does what some lines say, in one transaction, and writes their results."""
        if not lines:
            return
        read = await anyio.to_thread.run_sync(_parse, lines, self.service.settings.bulk_max_line)
        changes = [one for _, one in read if isinstance(one, BulkChange)]
        outcomes: Iterator[BulkOutcome | Problem] = iter(())
        if changes:
            # A process that held the catalog a moment ago is not waited for again, until it is done.
            try:
                outcomes = iter(await self.service.writing.change_many(changes, waits=not self.is_locked))
                self.is_locked = False
            except StyleSearchError as error:
                self.is_locked = isinstance(error, CatalogLocked)
                problem = problem_of(error, self.service.access.private)
                outcomes = iter([problem] * len(changes))
        results = []
        for number, one in read:
            if isinstance(one, _Wrong):
                results.append(_refusal(number, one.id, one.problem))
                continue
            outcome = next(outcomes)
            if isinstance(outcome, Problem):
                results.append(_refusal(number, one.id, outcome))
            else:
                result = {"line": number, "id": one.id, "status": STATUSES[outcome.word]}
                why = "the catalog has no such product" if outcome.word == "missing" else outcome.error
                results.append({**result, **({"error": why} if why else {"change": outcome.word})})
        self._write(results)

    def _write(self, results: Sequence[dict[str, Any]]) -> None:
        self.results.write(b"".join(json.dumps(one).encode() + b"\n" for one in results))


@dataclass(frozen=True, slots=True)
class _Wrong:
    """A line that cannot be used; ``id`` is the product's, None where it cannot be told."""

    id: str | None
    problem: Problem


def _parse(lines: Sequence[Line], max_bytes: int) -> list[tuple[int, BulkChange | _Wrong]]:
    return [(number, _parse_line(line, max_bytes)) for number, line in lines]


def _parse_line(line: bytes | None, max_bytes: int) -> BulkChange | _Wrong:
    if line is None:
        return _Wrong(None, Problem(413, f"the line has more than {max_bytes} bytes"))
    try:
        return read_values(BulkBody, line).change
    except Problem as problem:
        return _Wrong(_id_in(line), problem)


def _id_in(line: bytes) -> str | None:
    try:
        product_id = parse_json(line).get("id")
    except Problem:
        return None
    return product_id if isinstance(product_id, str) else None


def _refusal(number: int, product_id: str | None, problem: Problem, more: str = "") -> dict[str, Any]:
    result = {"line": number, "id": product_id, "status": problem.status, "error": problem.detail + more}
    seconds = problem.headers.get("Retry-After")
    return result if seconds is None else {**result, "retry_after": int(seconds)}


async def _discard(request: Request) -> None:
    """Reads and drops the rest of a body for a while, so that its sender sees the answer."""
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            async for _ in request.stream():
                pass
    except (TimeoutError, Problem, RuntimeError):
        return


async def _chunks(results: IO[bytes]) -> AsyncIterator[bytes]:
    with results:
        while chunk := results.read(CHUNK_BYTES):
            yield chunk
