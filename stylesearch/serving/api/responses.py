"""Bodies of responses: models for OpenAPI, and functions that make the JSON that they describe.

The functions make the JSON directly, without building and validating models for each response. Tests validate
every response with its model.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from stylesearch.images.source import without_secrets
from stylesearch.serving.problems import Reason
from stylesearch.types import FacetValue

if TYPE_CHECKING:
    from stylesearch.serving.search.photo_search import DetectAnswer, SearchAnswer
    from stylesearch.types import Box, Explanation, Hit, ImageRecord, Product, Seen, Variant


__all__ = [
    "Alive",
    "BatchItem",
    "BatchResult",
    "BulkResult",
    "CatalogCheck",
    "Categories",
    "Category",
    "Checks",
    "DetectSeconds",
    "DetectedSpots",
    "ExplanationModel",
    "HitModel",
    "ImageLinks",
    "ImageModel",
    "ImagesCheck",
    "PageInfo",
    "ProblemModel",
    "ProductLinks",
    "ProductModel",
    "ProductPage",
    "ProductWithImages",
    "Readiness",
    "SearchResult",
    "Seconds",
    "SeenModel",
    "SpotModel",
    "VariantModel",
    "WebhookAnswer",
    "detect_json",
    "image_json",
    "json_response",
    "product_json",
    "product_with_images",
    "search_json",
    "similarity",
]

IMAGE_HASH: Final = "7d1f3c0a5b2e49688c7f0d6e4b9a1c53e2f8076d9b4c1a5e3f7082d6c9b4a1e5"
"""In examples; the examples of all fields are of a drawn shop."""

PixelBox = Annotated[
    list[int],
    Field(
        min_length=4,
        max_length=4,
        description="x0, y0, x1, y1 in pixels of the upright photo, origin at the top left",
        examples=[[48, 0, 432, 320]],
    ),
]


class _Answer(BaseModel):
    """Base of all responses: what is not described is not answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemModel(_Answer):
    """An error (RFC 9457)."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(description="what the status says", examples=["Not Found"])
    status: int = Field(description="the status of HTTP", examples=[404])
    detail: str = Field(description="what happened", examples=["the catalog has no product 'dress-1'"])
    hint: str | None = Field(None, description="what to do about it", examples=["GET /v1/products lists all"])
    reason: Reason | None = Field(
        None,
        description="of a 503, and of no other status. `busy`: too much is asked of the server. `locked`: "
        "the catalog is being written to. `stopping`: the server is. `unusable`: catalog, indexes or model "
        "cannot be used as they are, and before somebody mends that it is of no use to try again",
    )
    request_id: str = Field(description="under which the server's log has it", examples=["f3a1c09b7d"])


class ImageLinks(_Answer):
    """Where the picture's bytes are."""

    original: str = Field(examples=[f"/v1/images/{IMAGE_HASH}"])
    thumbnail: str = Field(examples=[f"/v1/images/{IMAGE_HASH}/thumbnail"])
    shown: str = Field(
        description="what a page shows: the thumbnail, or by the server's settings the shop's own address of "
        "the picture, where it has one with http or https",
        examples=[f"/v1/images/{IMAGE_HASH}/thumbnail"],
    )


class ImageModel(_Answer):
    """A picture of a product."""

    hash: str = Field(description="sha256 of its bytes, hexadecimal", examples=[IMAGE_HASH])
    width: int = Field(description="in pixels, upright", examples=[480])
    height: int = Field(description="in pixels, upright", examples=[640])
    options: dict[str, str] = Field(
        description="of a product with variants, those that the picture shows; else empty",
        examples=[{"color": "Navy"}],
    )
    links: ImageLinks


class ProductLinks(_Answer):
    """Where to go on from a product."""

    self: str = Field(examples=["/v1/products/dress-000006"])
    similar: str = Field(examples=["/v1/products/dress-000006/similar"])


class VariantModel(_Answer):
    """One of the things that a product is sold as: a size, a color."""

    id: str = Field(description="the shop's own, or empty", examples=["dress-000006-navy-m"])
    options: dict[str, str] = Field(examples=[{"color": "Navy", "size": "M"}])
    price: str | None = Field(
        description="as the shop writes it; null for that of the product", examples=["39.90 EUR"]
    )
    in_stock: bool | None = Field(description="null where the shop does not say", examples=[True])
    url: str | None = Field(
        description="its own page; http and https only", examples=["https://shop.example/dress-000006?v=1"]
    )


class ProductModel(_Answer):
    """A thing for sale."""

    id: str = Field(description="the shop's own", examples=["dress-000006"])
    title: str = Field(examples=["Red dress, knee-length"])
    category: str = Field(examples=["dress"])
    price: str | None = Field(
        description="as the shop writes it; of variants with several prices, the lowest",
        examples=["39.90 EUR"],
    )
    amount: float | None = Field(
        description="the price as a number; null where there is none", examples=[39.9]
    )
    amount_max: float | None = Field(
        description="the highest price of a variant; the same as `amount` where all cost the same",
        examples=[59.9],
    )
    currency: str | None = Field(
        description="ISO 4217; null where the shop's prices do not say", examples=["EUR"]
    )
    in_stock: bool | None = Field(
        description="whether it, or one of its variants, can be bought now; null where the shop does not say",
        examples=[True],
    )
    variants: list[VariantModel] = Field(description="the sizes, colors and so on that it is sold in")
    url: str | None = Field(
        description="where it is sold; http and https only", examples=["https://shop.example/dress-000006"]
    )
    attributes: dict[str, Any] = Field(
        description="anything else that the shop said", examples=[{"color": "red"}]
    )
    links: ProductLinks


class ProductWithImages(ProductModel):
    """A thing for sale, with its pictures."""

    images: list[ImageModel] = Field(description="the shop's; those of customers are not shown")


class ProductPage(_Answer):
    """A page of products, in the order of their ids."""

    products: list[ProductWithImages]
    next_cursor: str | None = Field(
        description="give it as `cursor` for the next page; null on the last one", examples=["dress-000006"]
    )


class ExplanationModel(_Answer):
    """What made a hit of a product."""

    region: PixelBox | None = Field(
        description="the part of the photo that was nearest; null where a product was searched with"
    )
    square: PixelBox | None = Field(
        description="the square around a person that was nearest together with it; null where there is none"
    )
    parts: dict[str, float] = Field(
        description="a number for each part of the vectors. For `cosine` they sum to 1 - distance, for `l1` "
        "to the distance, for `l2` to its square",
        examples=[{"raw": 0.2, "whitened": 0.38, "texture": 0.1, "colors": 0.15, "kind": 0.05}],
    )


class HitModel(_Answer):
    """A product that was found."""

    rank: int = Field(description="1 for the nearest", examples=[1])
    product: ProductModel
    distance: float = Field(
        description="in the space and metric of the search; smaller is nearer", examples=[0.12]
    )
    similarity: float = Field(
        ge=0,
        le=1,
        description="never rises with the distance d. `cosine`: 1 - d, or 0 where d is above 1. `l1` and "
        "`l2`: 1 / (1 + d). It orders hits and fills a bar; it is no probability, and those of two spaces "
        "or metrics cannot be compared.",
        examples=[0.88],
    )
    image: ImageModel = Field(description="the product's picture that was nearest")
    region: PixelBox | None = Field(description="the part of the photo that was nearest")
    explanation: ExplanationModel | None = Field(
        None, description="what made it a hit; only there where `explain` asked for it"
    )


class Seconds(_Answer):
    """Wall time of each step."""

    decode: float = Field(0.0, ge=0, description="from bytes to pixels", examples=[0.01])
    wait: float = Field(0.0, ge=0, description="for the network, and for photos to go with", examples=[0.004])
    extract: float = Field(0.0, ge=0, description="in the network", examples=[0.28])
    search: float = Field(0.0, ge=0, description="in the indexes and the catalog", examples=[0.003])
    total: float = Field(
        ge=0, description="from the request's last byte to the answer's first", examples=[0.298]
    )


class SeenModel(_Answer):
    """A part of the photo, and the kind of garment that it shows."""

    region: str = Field(
        description="`torso`, `legs` or `body` of a person, the `whole` photo, or the `box` that was given",
        examples=["torso"],
    )
    box: PixelBox
    kind: str | None = Field(
        description="which may be `not a garment`; null where the server's features do not tell it",
        examples=["t-shirt"],
    )
    confidence: float | None = Field(
        ge=0, le=1, description="probability of the kind; null where that is", examples=[0.92]
    )


class SpotModel(SeenModel):
    """A part of the photo that can be searched for."""

    number: int = Field(description="for the `region` of a search", examples=[1])
    person: int = Field(
        description="whose part it is: 1 for the largest and most central person, 0 for the whole photo",
        examples=[1],
    )


class DetectSeconds(_Answer):
    """Wall time of each step."""

    decode: float = Field(ge=0, description="from bytes to pixels, persons found", examples=[0.081])
    wait: float = Field(ge=0, description="for the network, and for photos to go with", examples=[0.004])
    extract: float = Field(ge=0, description="in the network", examples=[0.064])
    total: float = Field(
        ge=0, description="from the request's last byte to the answer's first", examples=[0.149]
    )


class DetectedSpots(_Answer):
    """What in a photo can be searched for."""

    spots: list[SpotModel] = Field(
        description="torso, legs and body of each person, the largest and most central person first; "
        "the whole photo last"
    )
    width: int = Field(description="of the upright photo", examples=[480])
    height: int = Field(description="as the width", examples=[640])
    extractor: str = Field(examples=["efficientnet-lite0@320+texture+colors"])
    seconds: DetectSeconds


class FacetModel(_Answer):
    """A value of products, and how many have it."""

    label: str = Field(description="the value as it is shown", examples=["Navy Blue"])
    count: int = Field(
        ge=0,
        description="products that are left if `where` takes the place of the conditions on the same name",
        examples=[12],
    )
    where: str = Field(description="the condition that a product has it", examples=["color=navy blue"])


class SearchResult(_Answer):
    """What was found for a photo or a product."""

    hits: list[HitModel] = Field(description="nearest first")
    width: int | None = Field(
        description="of the upright photo; null where a product was searched with", examples=[480]
    )
    height: int | None = Field(description="as the width", examples=[640])
    regions: list[PixelBox] = Field(description="the parts of the photo that were looked at")
    seen: list[SeenModel] = Field(
        description="what the photo shows: around a person, else in the box or in the whole photo; empty "
        "where a product was searched with"
    )
    facets: dict[str, list[FacetModel]] | None = Field(
        None,
        description="by each name that `facets` asked for, the values of most products first",
        examples=[{"color": [{"label": "navy", "count": 3, "where": "color=navy"}]}],
    )
    space: str = Field(examples=["mixed"])
    metric: str = Field(examples=["cosine"])
    extractor: str = Field(examples=["efficientnet-lite0@320+texture+colors"])
    seconds: Seconds


class BatchItem(_Answer):
    """What became of one photo of a batch: one of the two is there."""

    result: SearchResult | None = None
    problem: ProblemModel | None = None


class BatchResult(_Answer):
    """What was found for each photo."""

    results: list[BatchItem] = Field(description="in the order of the photos")


class BulkResult(_Answer):
    """What became of one line of many changes."""

    line: int = Field(description="from 1", examples=[1])
    id: str | None = Field(
        description="the product's; null where the line has none", examples=["dress-000006"]
    )
    status: int = Field(description="as of HTTP", examples=[200])
    change: Literal["changed", "unchanged", "deleted"] | None = Field(
        None, description="what was done; only where the line was right", examples=["changed"]
    )
    error: str | None = Field(None, description="what is wrong", examples=["price: Input should be a string"])
    retry_after: int | None = Field(
        None, description="seconds after which the line may be sent again", examples=[5]
    )


class WebhookAnswer(_Answer):
    """What becomes of a webhook."""

    status: Literal["queued", "duplicate", "stale", "ignored"] = Field(
        description="`queued`: it is done soon. `duplicate`: it has come before. `stale`: the product has "
        "changed since. `ignored`: this server does nothing with the topic",
        examples=["queued"],
    )


class Category(_Answer):
    """A category that can be searched in."""

    name: str = Field(examples=["dress"])
    products: int = Field(examples=[12])


class Categories(_Answer):
    """Categories with products that have a picture."""

    categories: list[Category]
    products: int = Field(description="in all of them", examples=[12])


class Alive(_Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"


class CatalogCheck(_Answer):
    """How much is in the catalog."""

    products: int = Field(examples=[12])


class ImagesCheck(_Answer):
    """Whether the files of the shop's images are there."""

    checked: int = Field(description="how many were looked for, at random", examples=[7])
    lost: int = Field(description="how many are gone; of many, an estimate", examples=[0])


class Checks(_Answer):
    """What was looked at."""

    model: str = Field(description="`loaded`, or what it is waiting for", examples=["loaded"])
    schema_: str = Field(
        alias="schema",
        description="the revision of the catalog, or why it cannot be read",
        examples=["0001"],
    )
    index: str = Field(
        description="`ready`, `behind` or `none`: searches are right in any case, and slower",
        examples=["ready"],
    )
    catalog: CatalogCheck
    images: ImagesCheck


class Readiness(_Answer):
    """Whether searches are answered; of an empty shop, with 404."""

    ready: bool
    checks: Checks


class PageInfo(_Answer):
    """What the page has to know."""

    max_bytes: int = Field(examples=[20_000_000])
    max_k: int = Field(examples=[100])
    spaces: list[str] = Field(description="the first is the default", examples=[["mixed", "raw", "whitened"]])
    title: str = Field(examples=["stylesearch"])
    keeps_uploads: bool = Field(description="whether photos that are searched with are kept")


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Makes a response with a JSON body."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        body = text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, from an ingested table, can only be escaped
        body = json.dumps(value, ensure_ascii=True, allow_nan=False).encode()
    return Response(body, status, headers=dict(headers or {}), media_type="application/json")


def search_json(answer: SearchAnswer, total: float, *, shop_images: bool = False) -> dict[str, Any]:
    """Makes the JSON of a search result.

    Args:
        answer: answer of the search.
        total: seconds that the request has taken so far.
        shop_images: see ``image_json``.
    """
    seconds = {"decode": 0.0, "wait": answer.wait, "extract": 0.0, "search": 0.0, **answer.result.seconds}
    return {
        "hits": [_hit(hit, answer.metric, shop_images) for hit in answer.result],
        "width": answer.width,
        "height": answer.height,
        "regions": [_corners(box) for box in answer.result.regions],
        "seen": [_seen(one) for one in answer.result.seen],
        **({"facets": _facets(answer.result.facets)} if answer.result.facets else {}),
        "space": answer.space,
        "metric": answer.metric,
        "extractor": answer.extractor,
        "seconds": {
            **{name: round(seconds[name], 6) for name in ("decode", "wait", "extract", "search")},
            "total": round(total, 6),
        },
    }


def _facets(facets: Mapping[str, tuple[FacetValue, ...]]) -> dict[str, Any]:
    return {name: [dataclasses.asdict(one) for one in values] for name, values in facets.items()}


def detect_json(answer: DetectAnswer, total: float) -> dict[str, Any]:
    """Makes the JSON of the spots of a photo.

    Args:
        answer: the spots.
        total: seconds that the request has taken so far.
    """
    seconds = {**answer.result.seconds, "wait": answer.wait, "total": total}
    return {
        "spots": [{"number": one.number, "person": one.person, **_seen(one)} for one in answer.result],
        "width": answer.result.width,
        "height": answer.result.height,
        "extractor": answer.extractor,
        "seconds": {name: round(seconds[name], 6) for name in ("decode", "wait", "extract", "total")},
    }


def product_json(product: Product) -> dict[str, Any]:
    """Makes the JSON of a product without its images."""
    link = f"/v1/products/{quote(product.id, safe='')}"
    return {
        "id": product.id,
        "title": product.title,
        "category": product.category,
        "price": product.price,
        "amount": product.amount,
        "amount_max": product.amount_max,
        "currency": product.currency,
        "in_stock": product.in_stock,
        "variants": [_variant(one) for one in product.variants],
        "url": product.url if _is_web(product.url) else None,
        "attributes": dict(product.attributes),
        "links": {"self": link, "similar": f"{link}/similar"},
    }


def product_with_images(
    product: Product, images: Iterable[ImageRecord], *, shop_images: bool = False
) -> dict[str, Any]:
    """Makes the JSON of a product with its images, each once."""
    unique = {image.sha256: image for image in images}
    shown = [image_json(image, shop_images=shop_images) for image in unique.values()]
    return {**product_json(product), "images": shown}


def image_json(image: ImageRecord, *, shop_images: bool = False) -> dict[str, Any]:
    """Makes the JSON of an image, without the path of its file.

    Args:
        image: the image.
        shop_images: whether the shop's own address of the image is shown in place of the thumbnail; not one
            with a user name or a password.
    """
    link = f"/v1/images/{image.sha256}"
    thumbnail = f"{link}/thumbnail"
    return {
        "hash": image.sha256,
        "width": image.width,
        "height": image.height,
        "options": dict(image.options),
        "links": {
            "original": link,
            "thumbnail": thumbnail,
            "shown": image.url if shop_images and _is_public(image.url) else thumbnail,
        },
    }


def similarity(distance: float, metric: str) -> float:
    """Similarity of two images: 1 for equal ones, never rising with the distance.

    ``cosine``: 1 - d, or 0 where d is above 1. ``l1`` and ``l2``, which have no upper limit: 1 / (1 + d).

    Args:
        distance: distance in that metric, 0 or more; rounding may make it slightly negative.
        metric: ``l1``, ``l2`` or ``cosine``.

    Example:
        >>> similarity(0.25, "cosine"), similarity(1.5, "cosine"), similarity(3.0, "l2")
        (0.75, 0.0, 0.25)
    """
    d = max(0.0, distance)
    return max(0.0, 1.0 - d) if metric == "cosine" else 1.0 / (1.0 + d)


def _variant(variant: Variant) -> dict[str, Any]:
    return {
        "id": variant.id,
        "options": dict(variant.options),
        "price": variant.price,
        "in_stock": variant.in_stock,
        "url": variant.url if _is_web(variant.url) else None,
    }


def _hit(hit: Hit, metric: str, shop_images: bool) -> dict[str, Any]:
    return {
        "rank": hit.rank,
        "product": product_json(hit.product),
        "distance": hit.distance,
        "similarity": similarity(hit.distance, metric),
        "image": image_json(hit.image, shop_images=shop_images),
        "region": None if hit.region is None else _corners(hit.region),
        **({} if hit.explanation is None else {"explanation": _explanation(hit.explanation)}),
    }


def _explanation(one: Explanation) -> dict[str, Any]:
    return {
        "region": None if one.region is None else _corners(one.region),
        "square": None if one.square is None else _corners(one.square),
        "parts": dict(one.parts),
    }


def _seen(one: Seen) -> dict[str, Any]:
    confidence = None if one.confidence is None else round(one.confidence, 4)
    return {"region": one.region, "box": _corners(one.box), "kind": one.kind, "confidence": confidence}


def _corners(box: Box) -> list[int]:
    return [box.x0, box.y0, box.x1, box.y1]


def _is_public(url: str | None) -> bool:
    """Whether an image's address can be shown to everybody."""
    return url is not None and _is_web(url) and without_secrets(url) == url


def _is_web(url: str | None) -> bool:
    """Whether a link is safe to show: a page that links to ``javascript:...`` would run it."""
    if url is None:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)
