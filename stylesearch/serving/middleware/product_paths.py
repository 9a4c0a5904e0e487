"""Paths of requests: names of routes for logs and metrics, and product ids with any characters."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from stylesearch.serving.problems import Problem

__all__ = ["ProductPaths", "counts_against_limit", "route_of"]

PRODUCTS: Final = "/v1/products/"
SIMILAR: Final = "/similar"
IMAGES: Final = "/v1/images/"
ASSETS: Final = "/assets/"
THUMBNAIL: Final = "/thumbnail"

_FIXED: Final = frozenset(
    {
        "/",
        "/docs",
        "/openapi.json",
        "/health",
        "/ready",
        "/metrics",
        "/v1/page",
        "/v1/search",
        "/v1/search/batch",
        "/v1/detect",
        "/v1/products",
        "/v1/products/bulk",
        "/v1/categories",
        "/v1/webhooks/shopify",
    }
)


class ProductPaths:
    """ASGI middleware: allows any characters in a product id, also slashes.

    What stands between ``/v1/products/`` and a final ``/similar`` is put into the path as one segment,
    percent-encoded; whoever takes the id decodes it. It is read from the path as the client wrote it, so
    that ``a%2Fsimilar`` is the product ``a/similar`` and ``a/similar`` is what looks like the product ``a``.
    An id that is not UTF-8 is refused with 422: with a replacement for what cannot be decoded, ``%FE`` and
    ``%FF`` would be one product.

    Args:
        app: the next application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles a request."""
        if scope["type"] == "http" and scope["path"].startswith(PRODUCTS):
            scope = {**scope, "path": _as_one_segment(scope)}
        await self._app(scope, receive, send)


def _as_one_segment(scope: Scope) -> str:
    raw: bytes = (scope.get("raw_path") or scope["path"].encode()).partition(b"?")[0]
    written = raw.decode("latin-1")
    if not written.startswith(PRODUCTS):  # a proxy or a client that encodes more than necessary
        written = quote(unquote_to_bytes(raw))
    rest = written[len(PRODUCTS) :]
    similar = SIMILAR if rest.endswith(SIMILAR) and rest != SIMILAR else ""
    try:
        product_id = unquote_to_bytes(rest.removesuffix(similar)).decode()
    except UnicodeDecodeError:
        raise Problem(422, "id: not UTF-8") from None
    return PRODUCTS + quote(product_id, safe="") + similar


def route_of(path: str) -> str:
    """Returns the route template of a path; ``other`` for any other path."""
    if path in _FIXED:
        return path
    if path.startswith(PRODUCTS) and len(path) > len(PRODUCTS):
        return f"{PRODUCTS}{{id}}{SIMILAR if path.endswith(SIMILAR) else ''}"
    if path.startswith(IMAGES):
        return f"{IMAGES}{{hash}}{THUMBNAIL if path.endswith(THUMBNAIL) else ''}"
    return f"{ASSETS}{{file}}" if path.startswith(ASSETS) else "other"


def counts_against_limit(route: str) -> bool:
    """Whether requests to a route count for the rate limit.

    The page, its files and images (a hundred for each search) do not count, nor do routes for monitoring.
    """
    return (
        route.startswith(("/v1/search", "/v1/detect", "/v1/products", "/v1/categories")) or route == "other"
    )
