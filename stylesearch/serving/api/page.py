"""The routes of the web page, of the API's reference and of its OpenAPI document."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from stylesearch.files import sha256_bytes
from stylesearch.serving.api.openapi import ApiExamples, openapi_text, problems
from stylesearch.serving.api.responses import PageInfo, json_response
from stylesearch.serving.page_files import has_entity
from stylesearch.serving.service import Service, service_of

__all__ = ["router"]

router = APIRouter(tags=["page"])
UsedService = Annotated[Service, Depends(service_of)]


@router.get("/", include_in_schema=False)
async def index(request: Request, service: UsedService) -> Response:
    """The page."""
    return await service.page.get_response("index.html", request.scope)


@router.get("/docs", include_in_schema=False)
async def docs(request: Request, service: UsedService) -> Response:
    """The API for people: Swagger UI."""
    return await service.page.get_response("docs.html", request.scope)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, service: UsedService) -> Response:
    """The API for programs, with the spaces and examples that there are now."""
    examples = await service.access.run(_examples, service)
    text = openapi_text(request.app, service.settings, examples)
    etag = f'"{sha256_bytes(text.encode())[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    if has_entity(request, etag):
        return Response(status_code=304, headers=headers)
    return Response(text, headers=headers, media_type="application/json")


def _examples(service: Service) -> ApiExamples:
    return ApiExamples(service.access.spaces(), service.access.samples())


@router.get(
    "/v1/page",
    operation_id="page",
    summary="Limits and spaces, for the search page",
    response_model=PageInfo,
    responses=problems(),
)
async def page(service: UsedService) -> Response:
    """Limits, and the spaces that a search may name."""
    settings = service.settings
    return json_response(
        {
            "max_bytes": settings.max_bytes,
            "max_k": settings.max_k,
            "spaces": await service.access.run(service.access.spaces),
            "title": settings.title,
            "keeps_uploads": bool(settings.keep_uploads),
        }
    )
