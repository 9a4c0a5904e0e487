"""Products put in while others write, and found again when the workspace has moved meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.products import writer
from stylesearch.serving.settings import ServiceSettings
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, put, stored
from tests.integration.tiny_shop import KEY, draw, ingest_tiny_shop, png

# A category that was not there has no index yet: it is searched exactly, and a warning says so.
pytestmark = pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")

ORANGE, TEAL = (240, 140, 10), (10, 140, 140)
SETTINGS = ServiceSettings(api_keys=(KEY,))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return ingest_tiny_shop(tmp_path)


@pytest.fixture
def shop(home: Path) -> Iterator[Workspace]:
    with ss.open(home) as shop:
        yield shop


@pytest.fixture
def client(shop: Workspace) -> Iterator[httpx.Client]:
    with serving(shop, SETTINGS) as client:
        yield client


def test_nothing_is_computed_while_another_process_writes(
    client: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(writer, "extract_images", None)
    with ss.open(home) as elsewhere, elsewhere.catalog.writing():
        answer = put(client, "c", png(draw(ORANGE)))
    assert answer.status_code == 503
    assert "ingest" in answer.json()["detail"]


def test_a_delete_at_the_same_time_does_not_make_a_put_fail(
    client: httpx.Client, shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = writer.put_product

    def and_somebody_deletes(*arguments: Any, **named: Any) -> Any:
        done = really(*arguments, **named)
        shop.remove(["c"])
        return done

    monkeypatch.setattr(writer, "put_product", and_somebody_deletes)
    answer = put(client, "c", png(draw(ORANGE)))
    assert answer.status_code == 201
    assert (answer.json()["id"], len(answer.json()["images"])) == ("c", 1)
    assert client.get("/v1/products/c").status_code == 404


def test_a_workspace_that_moves_or_is_linked_to_keeps_what_was_put(home: Path, tmp_path: Path) -> None:
    orange, teal = png(draw(ORANGE)), png(draw(TEAL))
    with ss.open(home) as shop, serving(shop, SETTINGS) as client:
        links = [one["links"] for one in put(client, "c", orange, teal).json()["images"]]
        put(client, "d", teal)
    moved = home.rename(tmp_path / "moved")
    (tmp_path / "link").symlink_to(moved)
    with ss.open(tmp_path / "link") as shop, serving(shop, SETTINGS) as client:
        assert {client.get(one["original"]).content for one in links} == {orange, teal}
        assert {client.get(one["thumbnail"]).status_code for one in links} == {200}
        assert put(client, "c", orange, title="Again").status_code == 200
        assert {client.get(one["original"]).status_code for one in links} == {200}
        assert len(stored(moved)) == 2, "d has the other"
    with ss.open(moved) as shop, serving(shop, SETTINGS) as client:
        assert client.delete("/v1/products/c", headers=AUTHORIZED).status_code == 204
        assert len(stored(moved)) == 1
        assert client.delete("/v1/products/d", headers=AUTHORIZED).status_code == 204
        assert stored(moved) == set()
