"""Values of the library as the JSON that :mod:`stylesearch.serving.schemas` describes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from starlette.responses import Response

from stylesearch.serving.similarity import similarity

if TYPE_CHECKING:
    from stylesearch.serving.photo_search import SearchAnswer
    from stylesearch.types import Box, Hit, ImageRecord, Product

__all__ = ["image_json", "json_response", "product_json", "product_with_images", "search_json"]


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
