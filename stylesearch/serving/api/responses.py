"""What the service answers, as OpenAPI shows it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stylesearch.serving.problems import Reason

if TYPE_CHECKING:
    from stylesearch.serving.search.photo_search import SearchAnswer
    from stylesearch.types import Box, Hit, ImageRecord, Product


__all__ = [
    "BATCH_EXAMPLE",
    "CATEGORIES_EXAMPLE",
    "HASH_EXAMPLE",
    "IMAGE_EXAMPLE",
    "PICTURE_EXAMPLE",
    "PRODUCT_EXAMPLE",
    "PRODUCT_PAGE_EXAMPLE",
    "PRODUCT_WITH_IMAGES_EXAMPLE",
    "SEARCH_EXAMPLE",
    "Alive",
    "BatchItem",
    "BatchResult",
    "CatalogCheck",
    "Categories",
    "Category",
    "Checks",
    "HitModel",
    "ImageLinks",
    "ImageModel",
    "PageInfo",
    "ProblemModel",
    "ProductLinks",
    "ProductModel",
    "ProductPage",
    "ProductWithImages",
    "Readiness",
    "SearchResult",
    "Seconds",
    "image_json",
    "json_response",
    "product_json",
    "product_with_images",
    "search_json",
    "similarity",
]

# Examples for OpenAPI, each taken from a drawn shop; those of requests work on any.

PICTURE_EXAMPLE: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAwAQMAAABKYuosAAAABlBMVEX///+yIjQVHkuVAAAANUlEQVR42mNgwA/4"
    "fzAwMTAwUJcQYMEUU2DCFHNgRBdjZjjAwIiujpGBwQFdjImBQYEJi38AYG0C8MkhyAYAAAAASUVORK5CYII="
)
"""A red dress, PNG, in base64: 32 x 48 pixels, just enough to be searched with."""

HASH_EXAMPLE: Final = "7d1f3c0a5b2e49688c7f0d6e4b9a1c53e2f8076d9b4c1a5e3f7082d6c9b4a1e5"

IMAGE_EXAMPLE: Final[dict[str, Any]] = {
    "hash": HASH_EXAMPLE,
    "width": 480,
    "height": 640,
    "links": {
        "original": f"/v1/images/{HASH_EXAMPLE}",
        "thumbnail": f"/v1/images/{HASH_EXAMPLE}/thumbnail",
    },
}

PRODUCT_EXAMPLE: Final[dict[str, Any]] = {
    "id": "dress-000006",
    "title": "Red dress, knee-length",
    "category": "dress",
    "price": "39.90 EUR",
    "url": "https://shop.example/dress-000006",
    "attributes": {"color": "red"},
    "links": {"self": "/v1/products/dress-000006", "similar": "/v1/products/dress-000006/similar"},
}

PRODUCT_WITH_IMAGES_EXAMPLE: Final[dict[str, Any]] = {**PRODUCT_EXAMPLE, "images": [IMAGE_EXAMPLE]}

PRODUCT_PAGE_EXAMPLE: Final[dict[str, Any]] = {
    "products": [PRODUCT_WITH_IMAGES_EXAMPLE],
    "next_cursor": "dress-000006",
}

SEARCH_EXAMPLE: Final[dict[str, Any]] = {
    "hits": [
        {
            "rank": 1,
            "product": PRODUCT_EXAMPLE,
            "distance": 0.12,
            "similarity": 0.88,
            "image": IMAGE_EXAMPLE,
            "region": [48, 0, 432, 320],
        }
    ],
    "width": 480,
    "height": 640,
    "regions": [[0, 0, 480, 640], [48, 0, 432, 320]],
    "space": "whitened",
    "metric": "cosine",
    "extractor": "efficientnet-lite0@320",
    "seconds": {"decode": 0.01, "wait": 0.004, "extract": 0.28, "search": 0.003, "total": 0.298},
}

BATCH_EXAMPLE: Final[dict[str, Any]] = {
    "results": [
        {"result": SEARCH_EXAMPLE},
        {
            "problem": {
                "type": "about:blank",
                "title": "Unsupported Media Type",
                "status": 415,
                "detail": "the picture is a PDF document",
                "hint": "pictures are read from JPEG, PNG, WebP and others",
                "request_id": "f3a1c09b7d",
            }
        },
    ]
}

CATEGORIES_EXAMPLE: Final[dict[str, Any]] = {
    "categories": [{"name": "dress", "products": 12}, {"name": "skirt", "products": 8}],
    "products": 20,
}


PixelBox = Annotated[
    list[int],
    Field(
        min_length=4,
        max_length=4,
        description="x0, y0, x1, y1 in pixels of the upright photo, origin at the top left",
    ),
]


class _Answer(BaseModel):
    """Base of all: what is not described is not answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemModel(_Answer):
    """An error (RFC 9457)."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(description="what the status says", examples=["Not Found"])
    status: int = Field(description="the status of HTTP", examples=[404])
    detail: str = Field(description="what happened", examples=["the catalog has no product 'dress-1'"])
    hint: str | None = Field(None, description="what to do about it")
    reason: Reason | None = Field(
        None,
        description="of a 503, and of no other status. `busy`: too much is asked of the server. `locked`: "
        "the catalog is being written to. `stopping`: the server is. `unusable`: catalog, indexes or model "
        "cannot be used as they are, and before somebody mends that it is of no use to try again",
    )
    request_id: str = Field(description="under which the server's log has it", examples=["f3a1c09b7d"])


class ImageLinks(_Answer):
    """Where the picture's bytes are."""

    original: str
    thumbnail: str


class ImageModel(_Answer):
    """A picture of a product."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": IMAGE_EXAMPLE})

    hash: str = Field(description="sha256 of its bytes, hexadecimal", examples=[HASH_EXAMPLE])
    width: int = Field(description="in pixels, upright")
    height: int = Field(description="in pixels, upright")
    links: ImageLinks


class ProductLinks(_Answer):
    """Where to go on from a product."""

    self: str
    similar: str


class ProductModel(_Answer):
    """A thing for sale."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": PRODUCT_EXAMPLE})

    id: str = Field(description="the shop's own")
    title: str
    category: str
    price: str | None = Field(description="as the shop writes it")
    url: str | None = Field(description="where it is sold; http and https only")
    attributes: dict[str, Any] = Field(description="anything else that the shop said")
    links: ProductLinks


class ProductWithImages(ProductModel):
    """A thing for sale, with its pictures."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"example": PRODUCT_WITH_IMAGES_EXAMPLE}
    )

    images: list[ImageModel] = Field(description="the shop's; those of customers are not shown")


class ProductPage(_Answer):
    """A page of products, in the order of their ids."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"example": PRODUCT_PAGE_EXAMPLE}
    )

    products: list[ProductWithImages]
    next_cursor: str | None = Field(description="give it as `cursor` for the next page; null on the last one")


class HitModel(_Answer):
    """A product that was found."""

    rank: int = Field(description="1 for the nearest")
    product: ProductModel
    distance: float = Field(description="in the space and metric of the search; smaller is nearer")
    similarity: float = Field(
        ge=0,
        le=1,
        description="never rises with the distance d. `cosine`: 1 - d, or 0 where d is above 1. `l1` and "
        "`l2`: 1 / (1 + d). It orders hits and fills a bar; it is no probability, and those of two spaces "
        "or metrics cannot be compared.",
    )
    image: ImageModel = Field(description="the product's picture that was nearest")
    region: PixelBox | None = Field(description="the part of the photo that was nearest")


class Seconds(_Answer):
    """Wall time of each step."""

    decode: float = Field(0.0, ge=0, description="from bytes to pixels")
    wait: float = Field(0.0, ge=0, description="for the network, and for photos to go with")
    extract: float = Field(0.0, ge=0, description="in the network")
    search: float = Field(0.0, ge=0, description="in the indexes and the catalog")
    total: float = Field(ge=0, description="from the request's last byte to the answer's first")


class SearchResult(_Answer):
    """What was found for a photo or a product."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": SEARCH_EXAMPLE})

    hits: list[HitModel] = Field(description="nearest first")
    width: int | None = Field(description="of the upright photo; null where a product was searched with")
    height: int | None
    regions: list[PixelBox] = Field(description="the parts of the photo that were looked at")
    space: str
    metric: str
    extractor: str
    seconds: Seconds


class BatchItem(_Answer):
    """What became of one photo of a batch: one of the two is there."""

    result: SearchResult | None = None
    problem: ProblemModel | None = None


class BatchResult(_Answer):
    """What was found for each photo."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": BATCH_EXAMPLE})

    results: list[BatchItem] = Field(description="in the order of the photos")


class Category(_Answer):
    """A category that can be searched in."""

    name: str
    products: int


class Categories(_Answer):
    """Categories with products that have a picture."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": CATEGORIES_EXAMPLE})

    categories: list[Category]
    products: int = Field(description="in all of them")


class Alive(_Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"


class CatalogCheck(_Answer):
    """How much is in the catalog."""

    products: int


class Checks(_Answer):
    """What was looked at."""

    model: str = Field(description="`loaded`, or what it is waiting for")
    schema_: str = Field(alias="schema", description="the revision of the catalog, or why it cannot be read")
    index: str = Field(description="`ready`, `behind` or `none`: searches are right in any case, and slower")
    catalog: CatalogCheck


class Readiness(_Answer):
    """Whether searches are answered; of an empty shop, with 404."""

    ready: bool
    checks: Checks


class PageInfo(_Answer):
    """What the page has to know."""

    max_bytes: int
    max_k: int
    spaces: list[str] = Field(description="the first is the default")
    title: str
    keeps_uploads: bool = Field(description="whether photos that are searched with are kept")


# From a distance to a number between 0 and 1 that a person can read.


def similarity(distance: float, metric: str) -> float:
    """How alike two pictures are: 1 for the same, never rising with the distance.

    ``cosine``: 1 - d, or 0 where d is above 1 (pictures that have nothing in common, or less). ``l1`` and
    ``l2``, which have no upper end: 1 / (1 + d).

    Args:
        distance: 0 or more, in that metric; rounding may leave it a little below.
        metric: ``l1``, ``l2`` or ``cosine``.

    Example:
        >>> similarity(0.25, "cosine"), similarity(1.5, "cosine"), similarity(3.0, "l2")
        (0.75, 0.0, 0.25)
    """
    d = max(0.0, distance)
    return max(0.0, 1.0 - d) if metric == "cosine" else 1.0 / (1.0 + d)


# Values of the library as the JSON that :mod:`stylesearch.serving.api.responses` describes.


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        body = text.encode()
    except (
        UnicodeEncodeError
    ):  # half a surrogate pair, from a table that was ingested: it can be escaped only
        body = json.dumps(value, ensure_ascii=True, allow_nan=False).encode()
    return Response(body, status, headers=dict(headers or {}), media_type="application/json")


def search_json(answer: SearchAnswer, total: float) -> dict[str, Any]:
    """What was found.

    Args:
        answer: of the search.
        total: seconds that the request has taken so far.
    """
    seconds = {"decode": 0.0, "wait": answer.wait, "extract": 0.0, "search": 0.0, **answer.result.seconds}
    return {
        "hits": [_hit(hit, answer.metric) for hit in answer.result],
        "width": answer.width,
        "height": answer.height,
        "regions": [_corners(box) for box in answer.result.regions],
        "space": answer.space,
        "metric": answer.metric,
        "extractor": answer.extractor,
        "seconds": {
            **{name: round(seconds[name], 6) for name in ("decode", "wait", "extract", "search")},
            "total": round(total, 6),
        },
    }


def product_json(product: Product) -> dict[str, Any]:
    """A product without its pictures."""
    link = f"/v1/products/{quote(product.id, safe='')}"
    return {
        "id": product.id,
        "title": product.title,
        "category": product.category,
        "price": product.price,
        "url": product.url if _is_web(product.url) else None,
        "attributes": dict(product.attributes),
        "links": {"self": link, "similar": f"{link}/similar"},
    }


def product_with_images(product: Product, images: Iterable[ImageRecord]) -> dict[str, Any]:
    """A product with its pictures, each once."""
    unique = {image.sha256: image for image in images}
    return {**product_json(product), "images": [image_json(image) for image in unique.values()]}


def image_json(image: ImageRecord) -> dict[str, Any]:
    """A picture; where its file lies is not told."""
    link = f"/v1/images/{image.sha256}"
    return {
        "hash": image.sha256,
        "width": image.width,
        "height": image.height,
        "links": {"original": link, "thumbnail": f"{link}/thumbnail"},
    }


def _hit(hit: Hit, metric: str) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "product": product_json(hit.product),
        "distance": hit.distance,
        "similarity": similarity(hit.distance, metric),
        "image": image_json(hit.image),
        "region": None if hit.region is None else _corners(hit.region),
    }


def _corners(box: Box) -> list[int]:
    return [box.x0, box.y0, box.x1, box.y1]


def _is_web(url: str | None) -> bool:
    """Whether a link may be shown: a page that makes a link of ``javascript:...`` would run it."""
    if url is None:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
