"""What tests of two services on one catalog ask both of them."""

from __future__ import annotations

import httpx

from stylesearch.serving.settings import ServiceSettings
from tests.integration.serve_answers import post_photo
from tests.integration.tiny_shop import KEY, draw, jpeg, png

__all__ = ["ORANGE", "SETTINGS", "search"]

SETTINGS = ServiceSettings(api_keys=(KEY,))
ORANGE = png(draw((240, 140, 10)))
PHOTO = jpeg(draw((200, 30, 40), size=(200, 300), seed=99))


def search(client: httpx.Client, **more: str) -> dict[str, float]:
    """Posts the photo: each product found, by its id, and its similarity."""
    answer = post_photo(client, PHOTO, k="30", **more)
    assert answer.status_code == 200, answer.text
    return {hit["product"]["id"]: hit["similarity"] for hit in answer.json()["hits"]}
