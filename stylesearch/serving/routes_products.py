"""Looking through the shop."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from stylesearch.serving.answers import json_response, product_with_images, search_json
from stylesearch.serving.documented import problems, query_parameters
from stylesearch.serving.options import ListOptions, ProductId, SimilarOptions, from_query, known_id
from stylesearch.serving.schemas import Categories, ProductPage, ProductWithImages, SearchResult
from stylesearch.serving.service import Service, service_of

__all__ = ["router"]

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
    answer = await service.photo_search.similar(
        known_id(id),
        k=options.k,
        category=options.category,
        space=options.space or "",
        metric=options.metric or "",
    )
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
