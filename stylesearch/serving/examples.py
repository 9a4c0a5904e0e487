"""Examples for OpenAPI, each taken from a drawn shop; those of requests work on any."""

from typing import Any, Final

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
]

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
    "attributes": {"colour": "red"},
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
