"""Pictures, while somebody holds what the catalog is opened under: nobody else waits for that."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import stylesearch as ss
from stylesearch.serving.app import create_app
from stylesearch.serving.settings import ServiceSettings
from tests.unit.serving.asgi import call, scope_of

IMAGE = f"/v1/images/{'ab' * 32}"
LET_GO_AFTER = 5.0


def loopback(path: str, **headers: str) -> dict[str, object]:
    return scope_of(path, headers=[("host", "127.0.0.1"), *headers.items()])


@pytest.mark.parametrize(
    ("path", "etag"), [("", ""), ("", f'"{"ab" * 32}"'), ("/thumbnail", f'"{"ab" * 32}-400-1"')]
)
def test_a_image_that_waits_for_the_catalog_holds_up_nobody(tmp_path: Path, path: str, etag: str) -> None:
    with ss.open(tmp_path / "home", extractor="color-histogram") as shop:
        app = create_app(shop, ServiceSettings())
        is_held, let_go = threading.Event(), threading.Event()
        is_free = threading.Event()

        def hold() -> None:
            with shop._resources._lock:  # as who opens the catalog, upgrades it, loads a network
                is_held.set()
                let_go.wait(LET_GO_AFTER)
                is_free.set()

        async def ask() -> None:
            headers = {"if-none-match": etag} if etag else {}
            image = asyncio.create_task(call(app, loopback(IMAGE + path, **headers)))
            await asyncio.sleep(0.1)
            health = await call(app, loopback("/health"))
            assert health.status == 200
            assert not is_free.is_set(), "the event loop stood still until the catalog was there"
            assert not image.done()
            let_go.set()
            assert (await image).status == 404

        holder = threading.Thread(target=hold)
        holder.start()
        try:
            assert is_held.wait(LET_GO_AFTER)
            asyncio.run(ask())
        finally:
            let_go.set()
            holder.join()
