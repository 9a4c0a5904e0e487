"""What keeps a service from being ready, or from answering requests that nothing is wrong with."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.api import responses
from stylesearch.serving.settings import ServiceSettings
from stylesearch.testing import save_fake_model
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, RED, post_photo, problem, put, valid
from tests.integration.tiny_shop import EXTRACTOR, KEY, ingest_tiny_shop

WITH_KEY = ServiceSettings(api_keys=(KEY,))


@pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")
def test_what_cannot_be_searched_by_default_is_not_ready(tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    with ss.open(home, space="siamese:gone") as shop, serving(shop) as client:
        checks = valid(client.get("/ready"), responses.Readiness, 503)["checks"]
        assert checks["model"] == "the default space cannot be searched in"
        assert post_photo(client, space="raw").status_code == 200


@pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")
def test_a_default_model_that_is_missing_is_no_fault_of_the_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = ingest_tiny_shop(tmp_path)
    with ss.open(home, space="siamese:gone") as shop, serving(shop, WITH_KEY) as client:
        for answer in (
            post_photo(client),
            client.post("/v1/search/batch", files=[("images", ("x", RED))]),
            client.get("/v1/products/dress-red/similar"),
            put(client, "coat-1", RED),
        ):
            told = problem(answer, 503)
            assert told["reason"] == "unusable"
            assert "settings of this server" in told["detail"]
            assert "gone" not in answer.text
            assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/v1/products/coat-1").status_code == 404
        assert "gone" in problem(post_photo(client, space="siamese:gone"), 422)["detail"]
        assert 'stylesearch_rejected_total{reason="unusable"} 4.0' in client.get("/metrics").text
    assert "refused with 503: no trained model" in caplog.text, "the log says what the client is not told"


@pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")
def test_an_extractor_that_nothing_was_ingested_with_is_no_fault_of_the_request(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = ingest_tiny_shop(tmp_path)
    with ss.open(home) as shop:
        save_fake_model(shop.settings, "colors")
    with ss.open(home, extractor="hog") as shop, serving(shop) as client:
        for answer in (
            post_photo(client),
            post_photo(client, space="raw"),
            client.post("/v1/search/batch", files=[("images", ("x", RED))]),
            client.get("/v1/products/dress-red/similar"),
        ):
            told = problem(answer, 503)
            assert told["reason"] == "unusable"
            assert "settings of this server" in told["detail"]
            assert "hog" not in answer.text
            assert "--extractor" not in answer.text
        checks = valid(client.get("/ready"), responses.Readiness, 503)["checks"]
        assert checks["model"] == "the default space cannot be searched in"
        assert post_photo(client, space="siamese:colors").status_code == 200
    assert "refused with 503: the catalog has no features of hog" in caplog.text


def fill_and_empty(client: httpx.Client) -> None:
    assert put(client, "coat-1", RED).status_code == 201
    assert post_photo(client).status_code == 200
    assert client.delete("/v1/products/coat-1", headers=AUTHORIZED).status_code == 204


@pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")
@pytest.mark.parametrize(
    ("settings", "begin"),
    [(ServiceSettings(), None), (WITH_KEY, None), (WITH_KEY, fill_and_empty)],
    ids=["without a key", "with a key", "filled and emptied"],
)
def test_an_empty_shop_says_that_it_has_no_products_yet(
    tmp_path: Path, settings: ServiceSettings, begin: Callable[[httpx.Client], None] | None
) -> None:
    with (
        ss.open(tmp_path / "home", extractor=EXTRACTOR, regions="few") as shop,
        serving(shop, settings) as client,
    ):
        if begin is not None:
            begin(client)
        for answer in (
            post_photo(client),
            post_photo(client, space="raw", metric="l1"),
            client.get("/v1/products/x/similar"),
            client.post("/v1/search/batch", files=[("images", ("x", RED))]),
        ):
            told = problem(answer, 404)
            assert told["detail"] == "there are no products yet"
            assert "ingested, or put" in told["hint"]
            assert str(tmp_path) not in answer.text
        assert client.get("/ready").status_code == (200 if settings.api_keys else 503)


def test_a_shop_that_is_filled_over_the_api_is_ready_before_it_has_products(tmp_path: Path) -> None:
    with (
        ss.open(tmp_path / "home", extractor=EXTRACTOR, regions="few") as shop,
        serving(shop, WITH_KEY) as client,
    ):
        checks = valid(client.get("/ready"), responses.Readiness)["checks"]
        assert checks["model"] == "loaded"
        assert (checks["index"], checks["catalog"]) == ("none", {"products": 0})


def test_a_damaged_catalog_is_not_taken_for_a_busy_one(tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    (home / "catalog.db").write_bytes(b"no database" * 4096)
    with ss.open(home) as shop, serving(shop) as client:
        answer = post_photo(client)
        assert problem(answer, 503)["reason"] == "unusable"
        assert str(tmp_path) not in answer.text


def test_a_catalog_with_another_schema_is_not_ready(tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    with ss.open(home) as shop, serving(shop) as client:
        ready = valid(client.get("/ready"), responses.Readiness)
        assert ready["checks"]["schema"] == shop.catalog.revision
        with contextlib.closing(sqlite3.connect(home / "catalog.db")) as other, other:
            other.execute("UPDATE alembic_version SET version_num = '9999'")
        checks = valid(client.get("/ready"), responses.Readiness, 503)["checks"]
        assert checks["schema"] == "the catalog cannot be read"
