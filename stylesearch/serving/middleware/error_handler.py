"""Turns any exception of a request into a problem response, never a traceback."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylesearch.errors import CatalogDamaged, StyleSearchError
from stylesearch.serving.logs import request_id
from stylesearch.serving.metrics import ServiceMetrics
from stylesearch.serving.middleware.disconnect import is_given_up
from stylesearch.serving.problems import (
    Problem,
    ServiceStopping,
    problem_of,
    problem_response,
    validation_problem,
)

__all__ = ["ErrorHandler", "as_problem"]

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""When to come back to a server that stops: to the one that takes its place, or stands beside it."""


class ErrorHandler:
    """ASGI middleware: answers when the application raises, or is cancelled because the server stops.

    Args:
        app: the next application.
        metrics: counts refusals.
        private: paths that must not appear in responses.
        on_damage: called when a request has come upon damage of the catalog.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServiceMetrics,
        private: Sequence[str] = (),
        on_damage: Callable[[], None] | None = None,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._private = private
        self._on_damage = on_damage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False

        async def send_noted(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except ClientDisconnect:
            return  # the client is gone
        except asyncio.CancelledError:
            if is_given_up(scope):
                raise
            if not has_begun:  # else the connection is closed
                problem = self._problem(ServiceStopping("the server is stopping", retry_after=RETRY_SECONDS))
                problem.headers["Connection"] = "close"
                await problem_response(problem, request_id.get())(scope, receive, send)
        except Exception as error:
            if has_begun:
                log.exception("failed after the answer had begun")
                raise
            await problem_response(self._problem(error), request_id.get())(scope, receive, send)

    def _problem(self, error: Exception) -> Problem:
        problem = as_problem(error, self._private)
        if isinstance(error, CatalogDamaged) and self._on_damage:
            self._on_damage()
        if problem.status == 500:
            log.error("failed: %s", type(error).__name__, exc_info=error)
        elif problem.status > 500 and isinstance(error, StyleSearchError):
            log.warning("refused with %d: %s", problem.status, error)
        self._metrics.count_refusal(problem.reason)
        return problem


def as_problem(error: Exception, private: Sequence[str] = ()) -> Problem:
    """Makes the problem of an error, as ``problem_of``, also of the framework's."""
    if isinstance(error, RequestValidationError):
        return validation_problem(error.errors(), skip=1)
    if isinstance(error, HTTPException):
        details = {404: "there is nothing under this path", 405: "this path does not know this method"}
        detail = details.get(error.status_code, str(error.detail))
        return Problem(error.status_code, detail, headers=error.headers)
    return problem_of(error, private)
