"""Looking through the shop."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from stylesearch.catalog import Change
from stylesearch.serving.api.openapi import PRODUCT_BODY, problems, query_parameters
from stylesearch.serving.api.requests import (
    ListOptions,
    NewProductId,
    ProductBody,
    ProductId,
    SimilarOptions,
    Submission,
    check_values,
    checked,
    from_query,
    known_id,
    new_id,
    parse_json,
    receive,
)
from stylesearch.serving.api.responses import (
    Categories,
    ProductPage,
    ProductWithImages,
    SearchResult,
    json_response,
    product_with_images,
    search_json,
)
from stylesearch.serving.problems import Problem
from stylesearch.serving.products.writer import MAX_IMAGES
from stylesearch.serving.service import Service, service_of
from stylesearch.types import Product

__all__ = [
    "require_key",
    "router",
]

router = APIRouter(tags=["products"])
UsedService = Annotated[Service, Depends(service_of)]


@router.get(
    "/v1/products",
    operation_id="products",
    summary="Products, page by page",
    response_model=ProductPage,
    responses=problems(404, 422, 429, 503),
    openapi_extra={"parameters": query_parameters(ListOptions)},
)
async def products(request: Request, service: UsedService) -> Response:
    """Products that have a picture, in the order of their ids."""
    options = from_query(ListOptions, request)
    page, following = await service.access.run(
        service.access.products, options.category, options.cursor, options.limit
    )
    shown = [product_with_images(product, images) for product, images in page]
    return json_response({"products": shown, "next_cursor": following})


@router.get(
    "/v1/products/{id}/similar",
    operation_id="similar",
    summary="Products that look like one",
    response_model=SearchResult,
    responses=problems(404, 422, 429, 503, 504),
    openapi_extra={"parameters": query_parameters(SimilarOptions)},
)
async def similar(request: Request, id: ProductId, service: UsedService) -> Response:
    """As a search, with the product's own pictures; the product itself is left out."""
    began = time.perf_counter()
    options = from_query(SimilarOptions, request, max_k=service.settings.max_k)
    answer = await service.photo_search.similar(known_id(id), options.search_request, options.space_choice)
    return json_response(search_json(answer, time.perf_counter() - began))


@router.get(
    "/v1/products/{id}",
    operation_id="product",
    summary="One product",
    response_model=ProductWithImages,
    responses=problems(404, 422, 429, 503),
)
async def product(request: Request, id: ProductId, service: UsedService) -> Response:
    """A product with the shop's pictures of it."""
    found, images = await service.access.run(service.access.product, known_id(id))
    return json_response(product_with_images(found, images))


@router.get(
    "/v1/categories",
    operation_id="categories",
    summary="What can be searched in",
    response_model=Categories,
    responses=problems(422, 429, 503),
)
async def categories(service: UsedService) -> Response:
    """Categories by name, with how many products each has."""
    counts = await service.access.run(service.access.categories)
    listed = [{"name": name, "products": n} for name, n in counts.items()]
    return json_response({"categories": listed, "products": sum(counts.values())})


# API keys: who may change the catalog.

CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="stylesearch"'}


def require_key(request: Request, keys: Sequence[str]) -> None:
    """Lets a request pass that brings one of the keys, as ``Authorization: Bearer KEY`` or ``X-API-Key``.

    The time it takes says nothing of a key: digests are compared, all of them, in constant time.

    Raises:
        Problem: 403 where no key is configured, 401 without a key or with a wrong one.
    """
    if not keys:
        raise Problem(
            403,
            "writing is off: this server has no API key",
            hint="whoever runs it can set STYLESEARCH_API_KEY",
            reason="no_key",
        )
    given = _given(request)
    digest = hashlib.sha256(given).digest()
    matches = [hmac.compare_digest(digest, hashlib.sha256(key.encode()).digest()) for key in keys]
    if not given or not any(matches):
        raise Problem(
            401,
            "the API key is wrong" if given else "an API key is needed",
            hint="send Authorization: Bearer KEY, or X-API-Key: KEY",
            headers=CHALLENGE,
            reason="key",
        )


def _given(request: Request) -> bytes:
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip().encode("latin-1")
    return request.headers.get("x-api-key", "").strip().encode("latin-1")


# Putting products in and taking them out, with an API key.

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}]


@router.put(
    "/v1/products/{id}",
    operation_id="put_product",
    summary="Put a product in, or replace it",
    response_model=ProductWithImages,
    responses={
        200: {"description": "It was there, and is replaced."},
        201: {"description": "It is new.", "model": ProductWithImages},
        **problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
    },
    openapi_extra={"requestBody": PRODUCT_BODY, "security": SECURITY},
)
async def put_product(request: Request, id: NewProductId, service: UsedService) -> Response:
    """The very next search finds it, with no rebuild.

    Pictures that an earlier call put in and that are not among these go; those that an ingest took in stay.
    """
    require_key(request, service.settings.api_keys)
    product_id = new_id(id)
    submission = await receive(request, service.settings, pictures="images", many=True, most=MAX_IMAGES)
    body = _product_body(submission)
    product = Product(product_id, body.title, body.category, body.url, body.price, body.attributes)
    put = await service.writing.put(product, submission.pictures)
    # What was put, not what is there by now: somebody may have taken it out again.
    shown = product_with_images(put.product, put.images)
    return json_response(shown, 201 if put.change is Change.NEW else 200)


@router.delete(
    "/v1/products/{id}",
    operation_id="delete_product",
    summary="Take a product out",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is gone."}, **problems(401, 403, 404, 422, 429, 503)},
    openapi_extra={"security": SECURITY},
)
async def delete_product(request: Request, id: ProductId, service: UsedService) -> Response:
    """The very next search does not find it. Pictures that were put in for it go, unless another has them.

    A product that a table or a folder lists comes back with the next ingest of that.
    """
    require_key(request, service.settings.api_keys)
    await service.writing.delete(known_id(id))
    return Response(status_code=204)


def _product_body(submission: Submission) -> ProductBody:
    values = submission.values
    if submission.is_form:
        text = values.pop("product", None)
        if text is None:
            raise Problem(422, "product: a part with the product as JSON is wanted")
        if values:
            raise Problem(422, "there are parts other than product and images")
        values = parse_json(text.encode())
    body = checked(ProductBody, values)
    check_values(body.attributes, "attributes")
    return body
