"""Routes for monitoring: health, readiness and metrics."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from stylesearch.errors import StyleSearchError
from stylesearch.serving.api.openapi import problems
from stylesearch.serving.api.responses import Alive, Readiness, json_response
from stylesearch.serving.metrics import CONTENT_TYPE_LATEST
from stylesearch.serving.service import Service, service_of

__all__ = ["router"]

router = APIRouter(tags=["operation"])
UsedService = Annotated[Service, Depends(service_of)]


@router.get(
    "/health",
    operation_id="health",
    summary="Liveness: whether the process answers",
    response_model=Alive,
    responses=problems(),
)
async def health() -> Response:
    """Answers as soon as the process does; nothing else is looked at."""
    return json_response({"status": "alive"})


@router.get(
    "/ready",
    operation_id="ready",
    summary="Readiness: whether searches are answered",
    response_model=Readiness,
    responses={**problems(), 503: {"description": "Not yet, or not just now.", "model": Readiness}},
)
async def ready(service: UsedService) -> Response:
    """Whether the network is loaded and the catalog can be read, and the state of the indexes and images.

    Neither indexes that are behind nor images that are lost make it less ready: searches are answered.
    """
    is_ready, checks = await service.access.run(service.readiness.check)
    checks["images"] = service.lost_images.state
    headers = {} if is_ready else {"Retry-After": "2"}
    return json_response({"ready": is_ready, "checks": checks}, 200 if is_ready else 503, headers)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {"description": "Prometheus text.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems(),
    },
)
async def metrics(service: UsedService) -> Response:
    """Requests, seconds by step, the queue, refusals and the size of the catalog, of all workers together."""
    return Response(await service.access.run(_text, service), media_type=CONTENT_TYPE_LATEST)


def _text(service: Service) -> bytes:
    try:
        n_products, n_images = service.access.catalog.totals()
    except StyleSearchError:
        n_products = n_images = 0  # /ready reports the error
    service.metrics.catalog_products.set(n_products)
    service.metrics.catalog_images.set(n_images)
    return service.metrics.text()
