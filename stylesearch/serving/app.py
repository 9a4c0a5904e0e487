"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from stylesearch.images.limits import limit_decoding
from stylesearch.images.processes.pool import decoder_processes
from stylesearch.parallel import usable_cores
from stylesearch.serving.api import bulk, health, images, page, products, search, webhooks
from stylesearch.serving.logs import request_id
from stylesearch.serving.metrics import FOLDER_VARIABLE, ServiceMetrics, forget_dead_workers
from stylesearch.serving.middleware.error_handler import ErrorHandler, as_problem
from stylesearch.serving.middleware.hosts import AllowedHosts, ClientAddresses, names_answered
from stylesearch.serving.middleware.limits import BodyLimit, RateLimit
from stylesearch.serving.middleware.product_paths import ProductPaths
from stylesearch.serving.middleware.request_log import RequestLog
from stylesearch.serving.page_files import PageFiles
from stylesearch.serving.problems import problem_response
from stylesearch.serving.products.images import Thumbnails
from stylesearch.serving.products.lost_images import LostImages
from stylesearch.serving.products.shopify_sync import ShopifySync
from stylesearch.serving.products.webhook_queue import WebhookQueue
from stylesearch.serving.products.writer import ProductWriter
from stylesearch.serving.search.photo_search import PhotoSearch
from stylesearch.serving.search.readiness import Readiness
from stylesearch.serving.search.workspace_reader import WorkspaceAccess
from stylesearch.serving.service import Service
from stylesearch.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from stylesearch.workspace.workspace import Workspace

__all__ = ["create_app"]

log = logging.getLogger(__name__)

LEAST_MEMORY: Final = 400_000_000
"""For decoding in a worker: three quarters of it are what a HEIC photo of 24 megapixels takes."""

ROUTERS = (
    search.router,
    bulk.router,
    products.router,
    webhooks.router,
    images.router,
    health.router,
    page.router,
)


def create_app(
    workspace: Workspace, settings: ServiceSettings, *, photo_search: PhotoSearch | None = None
) -> FastAPI:
    """Makes the service of a workspace; one in each process.

    Args:
        workspace: the workspace, which is read, and with an API key written to; its opener closes it.
        settings: settings of the service.
        photo_search: searches; by default made from the settings. It is started and stopped with the
            application.
    """
    metrics = ServiceMetrics()
    searching = photo_search or PhotoSearch(
        workspace,
        queue_size=settings.queue_size,
        batch_size=settings.batch_size,
        batch_wait=settings.batch_wait,
        timeout=settings.timeout,
        max_pixels=settings.max_pixels,
        observe=metrics.observe,
    )
    access = WorkspaceAccess(workspace, create=bool(settings.api_keys or settings.shopify_secrets))
    lost_images = LostImages(access, metrics)
    thumbnails = Thumbnails(access, lost_images)
    writing = ProductWriter(access, thumbnails, settings.max_pixels)
    service = Service(
        settings=settings,
        access=access,
        photo_search=searching,
        thumbnails=thumbnails,
        lost_images=lost_images,
        writing=writing,
        shopify=_shopify(access, writing, metrics, settings),
        page=PageFiles(),
        metrics=metrics,
        readiness=Readiness(access, searching),
    )
    app = FastAPI(
        title=settings.title,
        version=_version(),
        lifespan=_lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _refuse, RequestValidationError: _refuse},
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/assets", service.page)
    _wrap(app, service)
    return app


def _shopify(
    access: WorkspaceAccess, writing: ProductWriter, metrics: ServiceMetrics, settings: ServiceSettings
) -> ShopifySync | None:
    """What does the webhooks of Shopify; None where these are off."""
    if not settings.shopify_secrets:
        return None
    return ShopifySync(
        access,
        writing,
        WebhookQueue(access.home, settings.shopify_queue),
        metrics,
        source=settings.shopify_source,
        options=access.workspace.fetch_options(allow_private=settings.shopify_hosts == "any"),
    )


def _wrap(app: FastAPI, service: Service) -> None:
    """Adds the middleware; the last one added is the outermost."""
    settings = service.settings
    clients = ClientAddresses(settings.trusted_proxies)
    app.add_middleware(ProductPaths)
    streamed = {("POST", "/v1/products/bulk"): settings.bulk_max_bytes}
    app.add_middleware(BodyLimit, max_bytes=settings.max_bytes, streamed=streamed)
    if settings.rate_limit:
        app.add_middleware(RateLimit, per_minute=settings.rate_limit, clients=clients)
    names = names_answered(settings.host, settings.allowed_hosts)
    if names is not None:
        app.add_middleware(AllowedHosts, names=names)
    app.add_middleware(
        ErrorHandler,
        metrics=service.metrics,
        private=service.access.private,
        on_damage=service.readiness.note_damage,
    )
    if (
        settings.cors_origins
    ):  # around all responses, so that pages of these origins can read why they were refused
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After", "ETag"],
        )
    app.add_middleware(
        RequestLog,
        metrics=service.metrics,
        clients=clients,
        shared=bool(settings.cors_origins),
        shop_images=service.shop_images,
    )


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    if folder := os.environ.get(FOLDER_VARIABLE):
        forget_dead_workers(folder)
    own = service.access.workspace.settings.decoding_limits
    memory = _share_of_worker(own.memory, service.settings.workers)
    limit_decoding(replace(own, memory=memory, cpu_seconds=service.settings.decode_seconds))
    with decoder_processes(n_ready=usable_cores()):
        async with _running(service):
            yield


def _share_of_worker(memory: int, n_workers: int) -> int:
    """Bytes for decoding in a worker: its part of the workspace's, but enough for a phone's photo."""
    return max(memory // n_workers, min(memory, LEAST_MEMORY))


@contextlib.asynccontextmanager
async def _running(service: Service) -> AsyncIterator[None]:
    """Starts what works beside the requests, and stops it at the end."""
    await service.access.run(service.access.open)
    await service.photo_search.start()
    if service.shopify is not None:
        service.shopify.start()
    background = [
        asyncio.create_task(service.thumbnails.tidy()),
        asyncio.create_task(service.lost_images.watch()),
    ]
    try:
        yield
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        if service.shopify is not None:
            await asyncio.to_thread(service.shopify.stop)
        await service.photo_search.stop()


async def _refuse(request: Request, error: Exception) -> Response:
    """Answers with a problem in place of the framework's own error response."""
    problem = as_problem(error)
    if problem.status == 405 and (methods := _methods(request)):
        problem.headers["Allow"] = ", ".join(methods)
    return problem_response(problem, request_id.get())


def _methods(request: Request) -> list[str]:
    """Lists the methods of the routes of a path."""
    found: set[str] = set()
    for router in ROUTERS:
        for route in router.routes:
            if route.matches({**request.scope, "method": "?"})[0] is not Match.NONE:
                found |= getattr(route, "methods", None) or set()
    return sorted(found | ({"HEAD"} if "GET" in found else set()))


def _version() -> str:
    try:
        return version("stylesearch")
    except PackageNotFoundError:  # when run from a checkout
        return "0"
