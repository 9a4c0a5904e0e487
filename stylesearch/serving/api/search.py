"""Routes of searches with one photo or several."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from stylesearch.serving.api.body_fields import PHOTO_EXAMPLE
from stylesearch.serving.api.openapi import problems, request_body
from stylesearch.serving.api.requests import read_body
from stylesearch.serving.api.responses import (
    BatchResult,
    DetectedSpots,
    SearchResult,
    detect_json,
    json_response,
    search_json,
)
from stylesearch.serving.api.search_bodies import (
    BatchBody,
    BatchForm,
    DetectBody,
    DetectForm,
    SearchBody,
    SearchForm,
    SearchOptions,
)
from stylesearch.serving.logs import request_id
from stylesearch.serving.middleware.error_handler import as_problem
from stylesearch.serving.middleware.limits import count_photos
from stylesearch.serving.problems import Problem
from stylesearch.serving.service import Service, service_of
from stylesearch.serving.uploads import keep_upload

__all__ = ["router"]

PHOTOS_AT_ONCE = 2
"""Photos of a batch that are searched with at the same time."""

router = APIRouter(tags=["search"])
UsedService = Annotated[Service, Depends(service_of)]


@router.post(
    "/v1/search",
    operation_id="search",
    summary="Find the products that a photo shows",
    response_model=SearchResult,
    responses=problems(400, 404, 408, 413, 415, 422, 429, 503, 504),
    openapi_extra={"requestBody": request_body(SearchBody, SearchForm, {"image": PHOTO_EXAMPLE, "k": 5})},
)
async def search(request: Request, service: UsedService) -> Response:
    """Looks at a photo through several regions, or at one `region` or `box` of it: the nearest products.

    Send the picture as it is (`multipart/form-data`, field `image`), or in JSON as base64. JPEG, PNG, WebP,
    HEIC, AVIF, GIF, BMP, TIFF, JPEG 2000 and PPM are read, whatever the file is called.
    It is not kept, unless whoever runs this server has chosen to.
    """
    body = await read_body(request, service.settings, SearchBody, SearchForm)
    began = time.perf_counter()
    body.check_k(service.settings.max_k)
    if body.category is not None:  # checked before the network runs
        await service.access.run(service.access.check_category, body.category)
    found = await _search(service, body.image, body, began)
    return json_response(found)


@router.post(
    "/v1/detect",
    operation_id="detect",
    summary="Find what in a photo can be searched for",
    response_model=DetectedSpots,
    responses=problems(400, 404, 408, 413, 415, 422, 429, 503, 504),
    openapi_extra={"requestBody": request_body(DetectBody, DetectForm, {"image": PHOTO_EXAMPLE})},
)
async def detect(request: Request, service: UsedService) -> Response:
    """Finds the persons in a photo and answers its spots, with the kinds of garments that they show.

    The `number` of a spot is a `region` of `POST /v1/search` with the same photo. Where nobody is seen, the
    whole photo is the only spot. The photo is not kept.
    """
    body = await read_body(request, service.settings, DetectBody, DetectForm)
    began = time.perf_counter()
    answer = await service.photo_search.detect(body.image)
    return json_response(detect_json(answer, time.perf_counter() - began))


@router.post(
    "/v1/search/batch",
    operation_id="search_batch",
    summary="Find the products of several photos",
    response_model=BatchResult,
    responses=problems(400, 404, 408, 413, 415, 422, 429, 503),
    openapi_extra={
        "requestBody": request_body(BatchBody, BatchForm, {"images": [PHOTO_EXAMPLE, PHOTO_EXAMPLE], "k": 3})
    },
)
async def search_batch(request: Request, service: UsedService) -> Response:
    """Searches with 1 to 16 photos, each for itself: a bad one has a `problem` and fails no other.

    Only where the server had no room for any of them, the answer is 503.
    """
    body = await read_body(request, service.settings, BatchBody, BatchForm)
    began = time.perf_counter()
    body.check_k(service.settings.max_k)
    count_photos(request.scope, len(body.images))
    # Errors that concern all photos are reported once.
    await service.access.run(service.access.check_search, body.search_request, body.space_choice)

    # A few at a time: all at once would fill the queue and delay clients with one photo.
    turns = asyncio.Semaphore(min(PHOTOS_AT_ONCE, service.settings.queue_size))

    async def one(photo: bytes) -> dict[str, Any] | Problem:
        try:
            async with turns:
                return await _search(service, photo, body, began)
        except Exception as error:
            problem = as_problem(error, service.access.private)
            if problem.status == 500:
                raise  # a programming error, which must be logged
            return problem

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(photo)) for photo in body.images]
    outcomes = [task.result() for task in tasks]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    if len(refusals) == len(outcomes) and {problem.status for problem in refusals} == {503}:
        raise refusals[-1]
    for problem in refusals:
        service.metrics.count_refusal(problem.reason)
    return json_response({"results": [_item(outcome) for outcome in outcomes]})


def _item(outcome: dict[str, Any] | Problem) -> dict[str, Any]:
    """Makes the JSON for one photo of a batch."""
    if isinstance(outcome, Problem):
        return {"problem": outcome.as_dict(request_id.get())}
    return {"result": outcome}


async def _search(service: Service, photo: bytes, options: SearchOptions, began: float) -> dict[str, Any]:
    answer = await service.photo_search.search(photo, options.search_request, options.space_choice)
    if service.settings.keep_uploads:
        await service.access.run(keep_upload, service.settings.keep_uploads, photo)
    return search_json(answer, time.perf_counter() - began, shop_images=service.shop_images)
