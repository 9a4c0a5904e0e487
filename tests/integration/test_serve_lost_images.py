"""Pictures whose files are gone: hits go on, and ``/ready`` and the metrics say so."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.api import responses
from stylesearch.serving.metrics import ServiceMetrics
from stylesearch.serving.products import lost_images
from stylesearch.serving.products.lost_images import LostImages
from stylesearch.serving.search.workspace_reader import WorkspaceAccess
from tests.integration.live_server import serving
from tests.integration.serve_answers import post_photo, valid
from tests.integration.tiny_shop import ingest_tiny_shop


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return ingest_tiny_shop(tmp_path)


@pytest.fixture
def source(home: Path) -> Path:
    return home.parent / "source"


def metric(client: httpx.Client, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found, name
    return float(found[1])


def lost(client: httpx.Client, number: int) -> dict[str, int]:
    """The images of ``/ready``, once so many are lost."""
    patience = time.monotonic() + 30
    while time.monotonic() < patience:
        images: dict[str, int] = valid(client.get("/ready"), responses.Readiness)["checks"]["images"]
        if images["lost"] == number and images["checked"]:
            return images
        time.sleep(0.02)
    raise AssertionError(images)


def test_a_folder_that_is_gone_is_told_and_searches_go_on(
    home: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_images, "CHECK_SECONDS", 0.02)
    with ss.open(home) as shop, serving(shop) as client:
        assert lost(client, 0) == {"checked": 6, "lost": 0}
        assert metric(client, "stylesearch_lost_images") == 0
        moved = source.rename(source.with_name("moved"))
        assert lost(client, 6) == {"checked": 6, "lost": 6}
        assert metric(client, "stylesearch_lost_images") == 6
        hit = post_photo(client, k="1").json()["hits"][0]
        assert hit["product"]["id"] == "dress-red", "what is known of it is answered"
        assert client.get(hit["image"]["links"]["thumbnail"]).status_code == 404
        assert client.get(hit["image"]["links"]["original"]).status_code == 404
        assert metric(client, "stylesearch_lost_image_requests_total") == 2
        moved.rename(source)
        assert lost(client, 0) == {"checked": 6, "lost": 0}


def test_what_is_asked_for_in_vain_counts_before_the_next_check(home: Path, source: Path) -> None:
    with ss.open(home) as shop, serving(shop) as client:
        lost(client, 0)
        (source / "dress0.jpg").unlink()
        hit = post_photo(client, k="1").json()["hits"][0]
        for _ in range(3):
            assert client.get(hit["image"]["links"]["thumbnail"]).status_code == 404
        assert lost(client, 1)["lost"] == 1
        assert client.get("/v1/images/" + "0" * 64).status_code == 404
        assert lost(client, 1)["lost"] == 1, "what the catalog never had is not lost"


def test_of_many_images_a_sample_tells_how_many_are_gone(
    home: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_images, "SAMPLE", 3)
    for path in source.glob("*.jpg"):
        path.unlink()
    with ss.open(home) as shop:
        found = LostImages(WorkspaceAccess(shop), ServiceMetrics())
        found.check()
        assert found.state["lost"] == 6
        assert 1 <= found.state["checked"] <= 3


def test_an_empty_shop_has_lost_nothing(tmp_path: Path) -> None:
    with ss.open(tmp_path / "home") as shop:
        found = LostImages(WorkspaceAccess(shop), ServiceMetrics())
        found.check()
        assert found.state == {"checked": 0, "lost": 0}
