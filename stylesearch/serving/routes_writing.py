"""Putting products in and taking them out, with an API key."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from stylesearch.catalog import Change
from stylesearch.serving import bodies
from stylesearch.serving.answers import json_response, product_with_images
from stylesearch.serving.documented import PRODUCT_BODY, problems
from stylesearch.serving.json_bodies import check_values, parse_json
from stylesearch.serving.keys import require_key
from stylesearch.serving.options import NewProductId, ProductBody, ProductId, checked, known_id, new_id
from stylesearch.serving.problems import Problem
from stylesearch.serving.products_writing import MOST_PICTURES
from stylesearch.serving.schemas import ProductWithImages
from stylesearch.serving.service import Service, service_of
from stylesearch.types import Product

__all__ = ["router"]

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}]

router = APIRouter(tags=["products"])
UsedService = Annotated[Service, Depends(service_of)]


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
    submission = await bodies.receive(
        request, service.settings, pictures="images", many=True, most=MOST_PICTURES
    )
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


def _product_body(submission: bodies.Submission) -> ProductBody:
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
