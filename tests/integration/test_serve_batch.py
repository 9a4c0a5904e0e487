"""Several photos in one request take no more than their share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.serving.problems import QueueFull, SearchTimeout
from stylesearch.serving.settings import ServiceSettings
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.serve_answers import RED
from tests.integration.tiny_shop import ingest_tiny_shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with ss.open(ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))) as shop:
        yield shop


class Busy:
    """Stands in for what searches, with room for so many at a time."""

    ready = True
    queue_length = 0

    def __init__(self, room: int) -> None:
        self.room = room

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def search(self, photo: bytes, *_: Any) -> Any:
        if self.room == 0:
            raise QueueFull("no room", retry_after=1)
        self.room -= 1
        try:
            await asyncio.sleep(0.01)
        finally:
            self.room += 1
        raise SearchTimeout("this far and no further", retry_after=1)


def test_photos_of_a_batch_count_one_by_one(shop: Workspace) -> None:
    photos = [("images", ("x", RED)) for _ in range(3)]
    with serving(shop, ServiceSettings(rate_limit=1)) as client:  # five at once, then one a minute
        began = time.monotonic()
        assert client.post("/v1/search/batch", files=photos).status_code == 200
        refused = client.post("/v1/search/batch", files=photos)
        gone = time.monotonic() - began
        assert refused.status_code == 429
        # Two were left for three photos. The request that is sent again takes one for itself as well.
        assert 120 - gone <= int(refused.headers["retry-after"]) <= 120


@pytest.mark.parametrize("queue_size", [1, 2, 32])
def test_a_batch_does_not_fill_the_queue_by_itself(shop: Workspace, queue_size: int) -> None:
    photos = [("images", ("x", RED)) for _ in range(16)]
    settings = ServiceSettings(queue_size=queue_size)
    with serving(shop, settings, photo_search=Busy(min(queue_size, 2))) as client:
        results = client.post("/v1/search/batch", files=photos).json()["results"]
        assert [one["problem"]["status"] for one in results] == [504] * 16
