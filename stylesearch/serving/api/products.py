"""Routes of products: list them, search with one, and with an API key put and delete them."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import Request
from starlette.responses import Response

from stylesearch.catalog import Change
from stylesearch.serving.api.body_fields import PHOTO_EXAMPLE
from stylesearch.serving.api.openapi import json_request_body, problems, product_request_body
from stylesearch.serving.api.product_bodies import (
    NewProductId,
    PatchBody,
    ProductBody,
    ProductForm,
    ProductId,
    ProductsQuery,
)
from stylesearch.serving.api.requests import check_query_names, read_body, read_json
from stylesearch.serving.api.responses import (
    Categories,
    ProductPage,
    ProductWithImages,
    SearchResult,
    json_response,
    product_with_images,
    search_json,
)
from stylesearch.serving.api.search_bodies import SimilarQuery
from stylesearch.serving.problems import Problem
from stylesearch.serving.service import Service, service_of
from stylesearch.types import Product

__all__ = ["check_key", "router"]

CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="stylesearch"'}

UsedService = Annotated[Service, Depends(service_of)]
Bearer = Annotated[
    HTTPAuthorizationCredentials | None,
    Depends(HTTPBearer(scheme_name="bearer", description="an API key of this server", auto_error=False)),
]
KeyHeader = Annotated[
    str | None, Depends(APIKeyHeader(scheme_name="key", name="X-API-Key", auto_error=False))
]


def check_key(given: str, keys: Sequence[str]) -> None:
    """Checks that a request has one of the keys.

    The time that it takes reveals nothing about the keys: all digests are compared, in constant time.

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
    digest = hashlib.sha256(given.encode("latin-1")).digest()
    matches = [hmac.compare_digest(digest, hashlib.sha256(key.encode()).digest()) for key in keys]
    if not given or not any(matches):
        raise Problem(
            401,
            "the API key is wrong" if given else "an API key is needed",
            hint="send Authorization: Bearer KEY, or X-API-Key: KEY",
            headers=CHALLENGE,
            reason="key",
        )


async def require_key(service: UsedService, bearer: Bearer, key: KeyHeader) -> None:
    """FastAPI dependency: ``check_key`` with ``Authorization: Bearer KEY``, or else with ``X-API-Key``."""
    given = (key or "") if bearer is None else bearer.credentials
    check_key(given.strip(), service.settings.api_keys)


router = APIRouter(tags=["products"])


@router.get(
    "/v1/products",
    operation_id="products",
    summary="List products, in pages",
    response_model=ProductPage,
    responses=problems(404, 422, 429, 503),
    dependencies=[Depends(check_query_names)],
)
async def products(query: Annotated[ProductsQuery, Query()], service: UsedService) -> Response:
    """Products that have a picture, in the order of their ids."""
    page, following = await service.access.run(
        service.access.products, query.category, query.cursor, query.limit
    )
    shown = [
        product_with_images(product, images, shop_images=service.shop_images) for product, images in page
    ]
    return json_response({"products": shown, "next_cursor": following})


@router.get(
    "/v1/products/{id}/similar",
    operation_id="similar",
    summary="Find products that look like one",
    response_model=SearchResult,
    responses=problems(404, 422, 429, 503, 504),
    dependencies=[Depends(check_query_names)],
)
async def similar(id: ProductId, query: Annotated[SimilarQuery, Query()], service: UsedService) -> Response:
    """As a search, with the product's own pictures; the product itself is left out."""
    began = time.perf_counter()
    query.check_k(service.settings.max_k)
    answer = await service.photo_search.similar(id, query.search_request, query.space_choice)
    found = search_json(answer, time.perf_counter() - began, shop_images=service.shop_images)
    return json_response(found)


@router.get(
    "/v1/products/{id}",
    operation_id="product",
    summary="Show a product",
    response_model=ProductWithImages,
    responses=problems(404, 422, 429, 503),
)
async def product(id: ProductId, service: UsedService) -> Response:
    """A product with the shop's pictures of it."""
    found, images = await service.access.run(service.access.product, id)
    return json_response(product_with_images(found, images, shop_images=service.shop_images))


@router.get(
    "/v1/categories",
    operation_id="categories",
    summary="Categories and their numbers of products",
    response_model=Categories,
    responses=problems(422, 429, 503),
)
async def categories(service: UsedService) -> Response:
    """Categories by name, with how many products each has."""
    counts = await service.access.run(service.access.categories)
    listed = [{"name": name, "products": n} for name, n in counts.items()]
    return json_response({"categories": listed, "products": sum(counts.values())})


@router.put(
    "/v1/products/{id}",
    operation_id="put_product",
    summary="Add or replace a product",
    response_model=ProductWithImages,
    responses={
        200: {"description": "The product was replaced."},
        201: {"description": "The product was added.", "model": ProductWithImages},
        **problems(400, 401, 403, 408, 413, 415, 422, 429, 503),
    },
    dependencies=[Depends(require_key)],
    openapi_extra={
        "requestBody": product_request_body(
            ProductForm,
            {"title": "Red dress", "category": "dress", "price": "39.90 EUR", "images": [PHOTO_EXAMPLE]},
        )
    },
)
async def put_product(request: Request, id: NewProductId, service: UsedService) -> Response:
    """The very next search finds it, with no rebuild.

    Images that an earlier call added and that are not among these are removed; those of an ingest stay.
    """
    body = await read_body(request, service.settings, ProductBody, ProductForm)
    product = Product(
        *(id, body.title, body.category, body.url, body.price, body.attributes, body.in_stock),
        variants=tuple(one.variant for one in body.variants),
    )
    put = await service.writing.put(product, body.images)
    # The product that was put, not the current one: it may have been deleted since.
    shown = product_with_images(put.product, put.images, shop_images=service.shop_images)
    return json_response(shown, 201 if put.change is Change.NEW else 200)


@router.patch(
    "/v1/products/{id}",
    operation_id="patch_product",
    summary="Change a product",
    response_model=ProductWithImages,
    responses=problems(400, 401, 403, 404, 408, 413, 415, 422, 429, 503),
    dependencies=[Depends(require_key)],
    openapi_extra={
        "requestBody": json_request_body(
            PatchBody, {"price": "29.90 EUR", "in_stock": True, "attributes": {"color": "red"}}
        )
    },
)
async def patch_product(request: Request, id: ProductId, service: UsedService) -> Response:
    """Changes what the body names, without pictures, and leaves the rest as it is.

    The very next search takes it into account, a new category too. A field that is null is cleared, whatever
    said it: a table or a folder that lists it says it again with its next ingest.
    """
    body = await read_json(request, service.settings, PatchBody)
    found, images = await service.writing.patch(id, body.patch)
    return json_response(product_with_images(found, images, shop_images=service.shop_images))


@router.delete(
    "/v1/products/{id}",
    operation_id="delete_product",
    summary="Remove a product",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "The product was removed."}, **problems(401, 403, 404, 422, 429, 503)},
    dependencies=[Depends(require_key)],
)
async def delete_product(id: ProductId, service: UsedService) -> Response:
    """The very next search does not find it.

    Images that were added with it are removed too, unless another product has them. A product
    that a table or a folder lists comes back with the next ingest of that.
    """
    await service.writing.delete(id)
    return Response(status_code=204)
