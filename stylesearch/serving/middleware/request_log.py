"""The outermost middleware: request ids, security headers, a log line and metrics for each request."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stylesearch.serving.logs import request_id
from stylesearch.serving.metrics import ServiceMetrics
from stylesearch.serving.middleware.hosts import ClientAddresses
from stylesearch.serving.middleware.product_paths import route_of

__all__ = [
    "CONTENT_SECURITY_POLICY",
    "SECURITY_HEADERS",
    "RequestLog",
]

log = logging.getLogger(__name__)

OWN_IMAGES: Final = "img-src 'self' blob: data:"

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        OWN_IMAGES,
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""``blob:`` and ``data:`` are pictures that somebody has chosen on the page, shown before they are sent."""

SHOP_IMAGES: Final = "img-src 'self' blob: data: https: http:"
"""Where the page shows the pictures of the shop's own servers, which may be any."""

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
}

CLIENT_GONE: Final = 499
"""Of a request that had no answer, since its client did not wait for it: in logs and figures only."""

PATH_SHOWN: Final = 200
MONITORED: Final = ("/health", "/ready", "/metrics")

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestLog:
    """ASGI middleware that logs and measures requests; the outermost layer of the service.

    Args:
        app: the next application.
        metrics: counts requests.
        clients: finds the address of a client, for the log.
        shared: whether pages of other origins may show responses.
        shop_images: whether the page shows pictures of the shop's own servers.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: ServiceMetrics,
        clients: ClientAddresses,
        *,
        shared: bool = False,
        shop_images: bool = False,
    ) -> None:
        self._app = app
        self._headers = dict(SECURITY_HEADERS)
        if shared:
            self._headers["cross-origin-resource-policy"] = "cross-origin"
        if shop_images:
            self._headers["content-security-policy"] = CONTENT_SECURITY_POLICY.replace(
                OWN_IMAGES, SHOP_IMAGES
            )
        self._metrics = metrics
        self._clients = clients

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        identity = _identity(scope)
        token = request_id.set(identity)
        answer = _Answer(send, identity, self._headers, without_body=scope["method"] == "HEAD")
        # Routes for GET answer HEAD too; the body is dropped on its way.
        inner = {**scope, "method": "GET"} if answer.without_body else scope
        try:
            await self._app(inner, receive, answer.send)
        finally:
            self._note(scope, answer, time.perf_counter() - began)
            request_id.reset(token)

    def _note(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        route = route_of(scope["path"])
        status = answer.status or CLIENT_GONE
        self._metrics.count_answer(scope["method"], route, status, seconds)
        fields = {
            "method": scope["method"],
            "route": route,
            "path": scope["path"][:PATH_SHOWN],
            "status": status,
            "seconds": round(seconds, 6),
            "bytes": answer.n_bytes,
            "client": self._clients.of(scope),
        }
        # Monitors ask every few seconds, so their successful requests are not logged.
        is_news = route not in MONITORED or status >= 400
        log.log(logging.INFO if is_news else logging.DEBUG, "request", extra={"fields": fields})


class _Answer:
    """Adds headers to a response, and measures it."""

    def __init__(self, send: Send, identity: str, headers: Mapping[str, str], *, without_body: bool) -> None:
        self.status = 0
        self.n_bytes = 0
        self.without_body = without_body
        self._send = send
        self._identity = identity
        self._headers = headers

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-ID"] = self._identity
            for name, value in self._headers.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        elif message["type"] == "http.response.body":
            if self.without_body:
                message = {**message, "body": b""}
            self.n_bytes += len(message.get("body", b""))
        await self._send(message)


def _identity(scope: Scope) -> str:
    """Returns the client's own request id if it is valid, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value.decode("latin-1")):
            return str(value.decode("latin-1"))
    return secrets.token_hex(8)
