"""Products put in and taken out over the API: found, or gone, in the very next search of every process."""

from __future__ import annotations

import base64
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import stylesearch as ss
from stylesearch.catalog.pruning import Pruner
from stylesearch.serving.api import responses
from stylesearch.serving.products import writer
from stylesearch.serving.settings import ServiceSettings
from stylesearch.testing import save_fake_model
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.serve_answers import AUTHORIZED, best, put, stored
from tests.integration.tiny_shop import COLORS, EXTRACTOR, KEY, draw, ingest_tiny_shop, jpeg, png

# A category that was not there has no index yet: it is searched exactly, and a warning says so.
pytestmark = pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")

ORANGE, TEAL = (240, 140, 10), (10, 140, 140)
SETTINGS = ServiceSettings(api_keys=("another-key-0123456789", KEY))


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def source(ingested: Path) -> Path:
    return ingested.parent / "source"


@pytest.fixture
def home(ingested: Path, tmp_path: Path) -> Path:
    shutil.copytree(ingested, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def shop(home: Path) -> Iterator[Workspace]:
    with ss.open(home) as shop:
        yield shop


@pytest.fixture
def client(shop: Workspace) -> Iterator[httpx.Client]:
    with serving(shop, SETTINGS) as client:
        yield client


def test_a_product_that_was_put_is_found_at_once_by_everybody(client: httpx.Client, home: Path) -> None:
    content = png(draw(ORANGE))
    with ss.open(home) as elsewhere:
        assert elsewhere.query(content, k=1, regions="whole")[0].product.id != "coat-1"
        answer = put(
            client,
            "coat-1",
            content,
            price="10",
            url="https://shop.example/c",
            attributes={"sizes": [1, 2.5]},
        )
        assert answer.status_code == 201, answer.text
        product = answer.json()
        responses.ProductWithImages.model_validate(product, strict=True)
        assert product["attributes"] == {"sizes": [1, 2.5]}
        assert client.get(product["links"]["self"]).json() == product
        assert best(client, content, category="coat") == "coat-1"
        assert elsewhere.query(content, k=1, regions="whole")[0].product.id == "coat-1"
    assert client.get("/v1/categories").json()["categories"][0] == {"name": "coat", "products": 1}
    image = product["images"][0]
    assert client.get(image["links"]["original"]).content == content
    assert client.get(image["links"]["thumbnail"]).status_code == 200
    assert stored(home) == {f"{image['hash']}.png"}


def test_json_puts_the_same(client: httpx.Client) -> None:
    body = {"title": "T", "category": "coat", "images": [base64.b64encode(png(draw(ORANGE))).decode()] * 2}
    answer = client.put("/v1/products/c", json=body, headers={"X-API-Key": KEY})
    assert answer.status_code == 201
    assert len(answer.json()["images"]) == 1, "the same picture twice is one"
    assert (answer.json()["price"], answer.json()["attributes"]) == (None, {})


def test_putting_again_replaces(client: httpx.Client, home: Path) -> None:
    orange, teal = png(draw(ORANGE)), jpeg(draw(TEAL))
    first = put(client, "c", orange, teal).json()
    assert len(first["images"]) == 2
    gone = next(one for one in first["images"] if client.get(one["links"]["original"]).content == orange)
    assert client.get(gone["links"]["thumbnail"]).status_code == 200
    again = put(client, "c", teal, title="Another", category="jacket")
    assert again.status_code == 200
    assert [again.json()[name] for name in ("title", "category")] == ["Another", "jacket"]
    assert [one["hash"] for one in again.json()["images"]] == [
        one["hash"] for one in first["images"] if one != gone
    ]
    assert len(stored(home)) == 1
    assert list(home.glob(f"thumbnails/*/{gone['hash']}*")) == []
    assert client.get(gone["links"]["original"]).status_code == 404
    assert best(client, teal, category="jacket") == "c"
    assert client.post("/v1/search", files={"image": orange}, data={"category": "coat"}).status_code == 404
    unchanged = put(client, "c", teal, title="Another", category="jacket")
    assert (unchanged.status_code, unchanged.json()) == (200, again.json())


def test_images_that_an_ingest_took_in_stay(client: httpx.Client, home: Path, source: Path) -> None:
    before = client.get("/v1/products/dress-red").json()["images"]
    answer = put(client, "dress-red", png(draw(ORANGE)), title="New", category="dress")
    assert answer.status_code == 200
    assert len(answer.json()["images"]) == 2
    assert before[0] in answer.json()["images"]
    with ss.open(home) as elsewhere:
        assert elsewhere.ingest(source / "products.csv", prune=True).removed == 0, (
            "nor does an ingest take what was put"
        )
    assert len(client.get("/v1/products/dress-red").json()["images"]) == 2


def test_what_is_deleted_is_gone_at_once_with_its_files(client: httpx.Client, home: Path) -> None:
    content, shared = png(draw(ORANGE)), jpeg(draw(TEAL))
    images = put(client, "one", content, shared).json()["images"]
    put(client, "two/with slash", shared)
    for image in images:
        assert client.get(image["links"]["thumbnail"]).status_code == 200
    answer = client.delete("/v1/products/one", headers=AUTHORIZED)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert best(client, content, category="coat") == "two/with slash"
    assert client.get("/v1/products/one").status_code == 404
    assert len(stored(home)) == 1, "the other product has it still"
    assert len(list(home.glob("thumbnails/*/*"))) == 1
    assert client.delete("/v1/products/one", headers=AUTHORIZED).status_code == 404
    assert client.delete("/v1/products/two%2Fwith%20slash", headers=AUTHORIZED).status_code == 204
    assert stored(home) == set()


def test_deleting_what_an_ingest_took_in_leaves_its_files(client: httpx.Client, source: Path) -> None:
    photo = jpeg(draw(COLORS["dress"]["red"], seed=0))
    assert best(client, photo) == "dress-red"
    assert client.delete("/v1/products/dress-red", headers=AUTHORIZED).status_code == 204
    assert best(client, photo) != "dress-red"
    assert (source / "dress0.jpg").exists()


def test_while_another_process_writes_one_is_told_to_come_back(
    client: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LOCK_SECONDS", 0.1)
    with ss.open(home) as elsewhere, elsewhere.catalog.writing():
        for answer in (
            put(client, "c", png(draw(ORANGE))),
            client.delete("/v1/products/dress-red", headers=AUTHORIZED),
        ):
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert str(home) not in answer.text
        assert best(client, jpeg(draw(COLORS["dress"]["red"]))) == "dress-red", "searches go on"
    assert stored(home) == set()
    assert put(client, "c", png(draw(ORANGE))).status_code == 201


def test_a_change_that_fails_leaves_everything_as_it_was(
    client: httpx.Client, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = put(client, "c", png(draw(ORANGE))).json()
    files = stored(home)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the plug is pulled")

    with monkeypatch.context() as patch:
        patch.setattr(Pruner, "keep_images", fail)
        assert put(client, "c", png(draw(TEAL)), title="New").status_code == 500
    assert client.get("/v1/products/c").json() == before
    assert stored(home) == files


def test_many_changes_at_once_are_done_in_turn_or_told_to_come_back(client: httpx.Client) -> None:
    def one(number: int) -> int:
        return put(client, f"c{number}", png(draw(ORANGE, seed=number))).status_code

    with ThreadPoolExecutor(24) as threads:
        statuses = list(threads.map(one, range(24)))
    assert set(statuses) <= {201, 503}
    listed = {
        product["id"]
        for product in client.get("/v1/products", params={"category": "coat"}).json()["products"]
    }
    assert listed == {f"c{number}" for number, status in enumerate(statuses) if status == 201}
    assert len(listed) >= writer.MAX_WAITING


def test_searches_are_right_while_products_come_and_go(client: httpx.Client) -> None:
    content = png(draw(ORANGE))
    stop = threading.Event()
    wrong: list[Any] = []

    def search() -> None:
        while not stop.is_set():
            answer = client.post("/v1/search", files={"image": content}, data={"category": "dress"})
            hits = answer.json().get("hits", []) if answer.status_code == 200 else []
            if {hit["product"]["id"] for hit in hits} != {f"dress-{name}" for name in COLORS["dress"]}:
                wrong.append(answer.text)
            time.sleep(0.005)

    thread = threading.Thread(target=search)
    thread.start()
    for _ in range(8):
        assert put(client, "c", content).status_code == 201
        assert client.delete("/v1/products/c", headers=AUTHORIZED).status_code == 204
    stop.set()
    thread.join()
    assert wrong == []


def test_a_shop_can_begin_with_nothing(tmp_path: Path) -> None:
    with (
        ss.open(tmp_path / "home", extractor=EXTRACTOR, regions="few") as shop,
        serving(shop, SETTINGS) as client,
    ):
        assert client.get("/v1/products").json() == {"products": [], "next_cursor": None}
        for number, color in enumerate((ORANGE, TEAL, (9, 9, 9), (200, 9, 9))):
            content = png(draw(color, seed=number))
            assert put(client, f"c{number}", content).status_code == 201
            assert best(client, content) == f"c{number}"
        assert client.delete("/v1/products/c0", headers=AUTHORIZED).status_code == 204
        assert best(client, png(draw(ORANGE))) != "c0"


def test_keys_and_file_names_are_nowhere(
    client: httpx.Client, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    assert put(client, "c", png(draw(ORANGE))).status_code == 201
    put(client, "c", png(draw(ORANGE)), headers={"X-API-Key": "wrong-key-0123456789"})
    everything = caplog.text + str([getattr(record, "fields", "") for record in caplog.records])
    everything += "".join(str(path) for path in home.rglob("*")) + client.get("/metrics").text
    for secret in (KEY, "another-key-0123456789", "wrong-key", "evil"):
        assert secret not in everything


def test_searches_in_the_space_of_a_model_find_it_too(home: Path, source: Path) -> None:
    with ss.open(home) as shop:
        shop.ingest(source / "products.csv", extractors=[EXTRACTOR, "hog"])
        save_fake_model(shop.settings, extractor="hog")
    with ss.open(home) as shop, serving(shop, SETTINGS) as client:
        assert client.get("/v1/page").json()["spaces"] == ["mixed", "raw", "whitened", "siamese:default"]
        content = png(draw(ORANGE, size=(160, 90)))
        assert put(client, "c", content).status_code == 201
        found = client.post(
            "/v1/search", files={"image": content}, data={"space": "siamese:default", "category": "coat"}
        )
        assert [hit["product"]["id"] for hit in found.json()["hits"]] == ["c"]
        assert (found.json()["space"], found.json()["extractor"]) == ("siamese:default", "hog@64")
        assert best(client, content, category="coat") == "c"
        other = client.post(
            "/v1/search", files={"image": content}, data={"space": "siamese:default", "metric": "l1"}
        )
        assert other.status_code == 422
        assert "trained for the metric cosine" in other.json()["detail"]


def test_what_is_put_or_changed_comes_later_than_an_ingest(
    client: httpx.Client, shop: Workspace, source: Path
) -> None:
    def last() -> str:
        return max(shop.catalog.sources.all(), key=lambda one: one.run).name

    put(client, "c", png(draw(TEAL)))
    for change in (
        lambda: put(client, "c", png(draw(TEAL))),
        lambda: client.patch("/v1/products/c", json={"price": "5 EUR"}, headers=AUTHORIZED),
        lambda: client.post(
            "/v1/products/bulk",
            content=b'{"id": "c", "price": "6 EUR"}',
            headers={**AUTHORIZED, "Content-Type": "application/x-ndjson"},
        ),
    ):
        shop.ingest(source)
        assert last() != "api"
        assert change().status_code == 200
        assert last() == "api"
