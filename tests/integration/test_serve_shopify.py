"""Webhooks of Shopify: verified, kept, and done in the background, with pictures of a local server."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

import stylesearch as ss
from stylesearch.serving.api import responses
from stylesearch.serving.products import shopify_sync
from stylesearch.serving.settings import ServiceSettings
from stylesearch.workspace.workspace import Workspace
from tests.integration.live_server import serving
from tests.integration.serve_answers import best, ids, post_photo, problem, valid
from tests.integration.tiny_shop import EXTRACTOR, draw, jpeg

# A category that was not there has no index yet: it is searched exactly, and a warning says so.
pytestmark = pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")

SECRET, NEXT_SECRET = "shpss_0123456789abcdef", "shpss_next_0123456789ab"
SETTINGS = ServiceSettings(shopify_secrets=(SECRET, NEXT_SECRET), shopify_hosts="any")
NAVY, RUST, TEAL = (20, 30, 120), (180, 70, 20), (10, 140, 140)
PICTURES = {
    "/navy.jpg": jpeg(draw(NAVY)),
    "/rust.jpg": jpeg(draw(RUST)),
    "/teal.jpg": jpeg(draw(TEAL)),
    "/text.jpg": b"<html>no picture</html>",
}


class Pictures:
    """A server of pictures, which counts what it is asked for and fails where it is told to."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.fails: dict[str, int] = {}
        pictures = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pictures.asked[self.path] += 1
                path = self.path.partition("?")[0]
                status = pictures.fails.get(path, 200 if path in PICTURES else 404)
                body = PICTURES.get(path, b"") if status == 200 else b""
                self.send_response(status)
                self.send_header("Content-Type", "image/jpeg")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def pictures() -> Iterator[Pictures]:
    found = Pictures()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(f'extractor = "{EXTRACTOR}"\nregions = "few"\n')
    return home


@pytest.fixture
def shop(home: Path) -> Iterator[Workspace]:
    with ss.open(home) as shop:
        yield shop


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shopify_sync, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(shopify_sync, "RETRY_SECONDS", (0.1, 0.1))
    monkeypatch.setattr(shopify_sync, "LOCK_SECONDS", 0.1)


@pytest.fixture
def client(shop: Workspace) -> Iterator[httpx.Client]:
    with serving(shop, SETTINGS) as client:
        yield client


def coat(pictures: Pictures, **changes: Any) -> dict[str, Any]:
    variants = [
        {"id": 1, "sku": "N", "option1": "Navy", "price": "89.00", "inventory_quantity": 2},
        {"id": 2, "sku": "R", "option1": "Rust", "price": "99.00", "inventory_quantity": 0},
    ]
    return {
        "id": 632,
        "title": "Coat",
        "handle": "wool-coat",
        "product_type": "Coats",
        "vendor": "V",
        "tags": "a, b",
        "status": "active",
        "published_at": "2026-11-01T10:00:00Z",
        "updated_at": "2026-11-29T10:00:00Z",
        "options": [{"name": "Color"}],
        "variants": variants,
        "images": [
            {"id": 11, "src": f"{pictures.address}/navy.jpg?v=1", "variant_ids": [1]},
            {"id": 12, "src": f"{pictures.address}/rust.jpg?v=1", "variant_ids": [2]},
        ],
        **changes,
    }


def sign(body: bytes, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), body, hashlib.sha256)).decode()


def send(
    client: httpx.Client, topic: str, payload: Any, *, secret: str = SECRET, **headers: str
) -> httpx.Response:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    told = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": sign(body, secret),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return client.post("/v1/webhooks/shopify", content=body, headers=told)


def queued(answer: httpx.Response) -> str:
    return str(valid(answer, responses.WebhookAnswer)["status"])


def until(condition: Callable[[], bool]) -> None:
    patience = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < patience, "it did not happen"
        time.sleep(0.02)


def done(home: Path) -> None:
    """Until nothing waits."""
    until(lambda: not list((home / "webhooks").glob("*.json")))


def test_a_product_comes_changes_and_goes(client: httpx.Client, home: Path, pictures: Pictures) -> None:
    assert queued(send(client, "products/create", coat(pictures))) == "queued"
    done(home)
    product = valid(client.get("/v1/products/wool-coat"), responses.ProductWithImages)
    assert [product[name] for name in ("title", "category", "price", "amount_max", "in_stock")] == [
        *("Coat", "Coats", "89.00", 99.0, True)
    ]
    assert product["attributes"] == {"vendor": "V", "tags": ["a", "b"]}
    assert [one["in_stock"] for one in product["variants"]] == [True, False]
    hit = post_photo(client, jpeg(draw(RUST, seed=1)), k="1").json()["hits"][0]
    assert hit["product"]["id"] == "wool-coat"
    assert hit["image"]["options"] == {"color": "Rust"}
    assert client.get(hit["image"]["links"]["thumbnail"]).status_code == 200

    changed = coat(
        pictures,
        updated_at="2026-11-29T11:00:00Z",
        title="Long coat",
        product_type="Long coats",
        variants=[{"id": 1, "option1": "Default Title", "price": "79.00", "inventory_quantity": 0}],
        images=[
            {"id": 11, "src": f"{pictures.address}/navy.jpg?v=1", "variant_ids": []},
            {"id": 13, "src": f"{pictures.address}/teal.jpg?v=1", "variant_ids": []},
        ],
    )
    assert queued(send(client, "products/update", changed)) == "queued"
    done(home)
    product = client.get("/v1/products/wool-coat").json()
    assert (product["title"], product["price"], product["in_stock"]) == ("Long coat", "79.00", False)
    assert product["variants"] == []
    assert [image["options"] for image in product["images"]] == [{}, {}]
    assert pictures.asked == {"/navy.jpg?v=1": 1, "/rust.jpg?v=1": 1, "/teal.jpg?v=1": 1}
    assert ids(post_photo(client, jpeg(draw(TEAL)), category="Long coats").json()) == ["wool-coat"]

    gone = {"X_Shopify_Triggered_At": "2026-11-29T12:00:00Z"}
    assert queued(send(client, "products/delete", {"id": 632}, **gone)) == "queued"
    done(home)
    assert client.get("/v1/products/wool-coat").status_code == 404
    assert queued(send(client, "products/update", changed)) == "stale", "it comes hours late"
    counted = client.get("/metrics").text
    assert 'stylesearch_webhooks_total{outcome="done",topic="products/delete"} 1.0' in counted
    assert 'stylesearch_webhooks_total{outcome="stale",topic="products/update"} 1.0' in counted


def test_an_event_that_comes_twice_is_done_once(client: httpx.Client, home: Path, pictures: Pictures) -> None:
    event = {"X_Shopify_Event_Id": "e-1"}
    assert queued(send(client, "products/create", coat(pictures), **event)) == "queued"
    assert queued(send(client, "products/create", coat(pictures), **event)) == "duplicate"
    assert queued(send(client, "products/update", coat(pictures), **event)) == "queued", "another topic"
    done(home)
    assert pictures.asked["/navy.jpg?v=1"] == 1


def test_another_handle_renames_the_product(client: httpx.Client, home: Path, pictures: Pictures) -> None:
    send(client, "products/create", coat(pictures))
    done(home)
    send(client, "products/update", coat(pictures, handle="coat-2", updated_at="2026-11-30T10:00:00Z"))
    done(home)
    assert [one["id"] for one in client.get("/v1/products").json()["products"]] == ["coat-2"]
    assert best(client, jpeg(draw(NAVY, seed=2))) == "coat-2"


@pytest.mark.parametrize("change", [{"status": "draft"}, {"published_at": None}])
def test_what_the_shop_hides_is_taken_away(
    client: httpx.Client, home: Path, pictures: Pictures, change: dict[str, Any]
) -> None:
    send(client, "products/create", coat(pictures))
    done(home)
    send(client, "products/update", coat(pictures, **change))
    done(home)
    assert client.get("/v1/products/wool-coat").status_code == 404


def test_a_table_of_the_same_source_is_one_with_the_webhooks(
    home: Path, pictures: Pictures, tmp_path: Path
) -> None:
    table = tmp_path / "shop" / "export.csv"
    table.parent.mkdir()
    (table.parent / "navy.jpg").write_bytes(PICTURES["/navy.jpg"])
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "title", "category", "image", "fabric"])
        rows.writerow(["wool-coat", "Old", "Coats", "navy.jpg", "wool"])
        rows.writerow(["other", "Other", "Coats", "navy.jpg", "silk"])
    with ss.open(home) as shop:
        shop.ingest(table, source="shopify")
    with ss.open(home) as shop, serving(shop, SETTINGS) as client:
        send(client, "products/update", coat(pictures))
        done(home)
        product = client.get("/v1/products/wool-coat").json()
        assert (product["title"], product["attributes"]["fabric"]) == ("Coat", "wool")
        with ss.open(home) as elsewhere:
            elsewhere.ingest(table, source="shopify")
            assert elsewhere.catalog.sources.ids_at("shopify", "shopify:632") == ["wool-coat"]
        send(client, "products/delete", {"id": 632})
        done(home)
        assert [one["id"] for one in client.get("/v1/products").json()["products"]] == ["other"]


def export(folder: Path, pictures: Pictures) -> Path:
    """Writes the coat as a CSV export of Shopify has it."""
    names = "Handle,Title,Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,Variant Price,"
    names += (
        "Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Image Src,Variant Image,"
    )
    names += "Status"
    navy, rust = (f"{pictures.address}/{name}.jpg?v=1" for name in ("navy", "rust"))
    first = f'wool-coat,Coat,V,Coats,"a, b",true,Color,Navy,N,89.00,shopify,2,deny,{navy},{navy},active'
    second = f"wool-coat,,,,,,,Rust,R,99.00,shopify,0,deny,{rust},{rust},"
    path = folder / "products_export.csv"
    path.write_text("\n".join([names, first, second, ""]))
    return path


OPTIONS: dict[str, Any] = {"source": "shopify", "fetching": {"allow_private": True}}


@pytest.mark.parametrize("options", [{"currency": "EUR"}, {"variants": "separate"}])
def test_an_export_and_a_webhook_of_one_product_say_the_same(
    home: Path, pictures: Pictures, tmp_path: Path, options: dict[str, Any]
) -> None:
    table = export(tmp_path, pictures)
    with ss.open(home) as shop:
        report = shop.ingest(table, **OPTIONS, **options)
        assert not report.failed
    with ss.open(home) as shop, serving(shop, SETTINGS) as client:
        before = valid(client.get("/v1/products"), responses.ProductPage)
        ids = [one["id"] for one in before["products"]]
        assert ids == (["wool-coat"] if "currency" in options else ["N", "R"])
        said = [shop.catalog.sources.said_of(one)[0].said for one in ids]
        assert said[0]["price"] == ("89.00 EUR" if "currency" in options else "89.00")
        send(client, "products/update", coat(pictures))
        done(home)
        assert client.get("/v1/products").json() == before
        assert [shop.catalog.sources.said_of(one)[0].said for one in ids] == said
        with ss.open(home) as elsewhere:
            report = elsewhere.ingest(table, **OPTIONS, prune=True)
        assert (report.products["unchanged"], report.n_changes, report.removed) == (len(ids), 0, 0)
        assert client.get("/v1/products").json() == before
        send(client, "products/delete", {"id": 632})
        done(home)
        assert client.get("/v1/products").json()["products"] == []
    assert max(pictures.asked.values()) == 1


@pytest.mark.parametrize("options", [{}, {"variants": "separate"}])
def test_what_the_shop_hides_is_taken_away_where_only_an_export_told_of_it(
    home: Path, pictures: Pictures, tmp_path: Path, options: dict[str, Any]
) -> None:
    table = export(tmp_path, pictures)
    with ss.open(home) as shop:
        shop.ingest(table, **OPTIONS, **options)
    with ss.open(home) as shop, serving(shop, SETTINGS) as client:
        assert client.get("/v1/products").json()["products"] != []
        send(client, "products/update", coat(pictures, status="archived"))
        done(home)
        assert client.get("/v1/products").json()["products"] == []


def test_an_export_under_another_name_is_warned_of(
    home: Path, pictures: Pictures, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ss.open(home) as shop:
        shop.ingest(export(tmp_path, pictures), **{**OPTIONS, "source": "our-export"})
    with ss.open(home) as shop, serving(shop, SETTINGS):
        until(lambda: "our-export is an export of Shopify, but webhooks change" in caplog.text)
    with ss.open(home) as shop:
        shop.sources.rename("our-export", "shopify")
    caplog.clear()
    with ss.open(home) as shop, serving(shop, SETTINGS) as client:
        send(client, "products/update", coat(pictures))
        done(home)
    assert "is an export of Shopify" not in caplog.text


def test_a_product_that_another_source_lists_stays_without_what_shopify_said(
    home: Path, pictures: Pictures, tmp_path: Path
) -> None:
    table = tmp_path / "shop" / "other.csv"
    table.parent.mkdir()
    (table.parent / "teal.jpg").write_bytes(PICTURES["/teal.jpg"])
    table.write_text("id,title,category,image\nwool-coat,Ours,Coats,teal.jpg\n")
    with ss.open(home) as shop:
        shop.ingest(table)
    with ss.open(home) as shop, serving(shop, SETTINGS) as client:
        send(client, "products/update", coat(pictures))
        done(home)
        assert len(client.get("/v1/products/wool-coat").json()["images"]) == 3
        sources = {one.name: one.run for one in shop.catalog.sources.all()}
        with ss.open(home) as elsewhere:
            elsewhere.ingest(table)
        send(client, "products/update", coat(pictures, updated_at="2026-11-29T11:00:00Z"))
        done(home)
        after = {one.name: one.run for one in shop.catalog.sources.all()}
        assert max(after, key=lambda name: after[name]) == "shopify", "it comes later than the ingest"
        assert after["shopify"] > max(sources.values())
        send(client, "products/delete", {"id": 632})
        done(home)
        product = client.get("/v1/products/wool-coat").json()
        assert (product["title"], product["price"], len(product["images"])) == ("Ours", None, 1)


def test_pictures_that_do_not_come_are_tried_again_and_the_rest_is_there(
    client: httpx.Client, home: Path, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shopify_sync, "RETRY_SECONDS", (0.1,) * 100)
    pictures.fails["/rust.jpg"] = 403
    images = [
        {"id": 11, "src": f"{pictures.address}/navy.jpg?v=1"},
        {"id": 12, "src": f"{pictures.address}/rust.jpg?v=1"},
        {"id": 13, "src": f"{pictures.address}/none.jpg"},
        {"id": 14, "src": f"{pictures.address}/text.jpg"},
    ]
    send(client, "products/create", coat(pictures, images=images))
    until(lambda: pictures.asked["/rust.jpg?v=1"] >= 2)
    assert len(client.get("/v1/products/wool-coat").json()["images"]) == 1
    del pictures.fails["/rust.jpg"]
    until(lambda: len(client.get("/v1/products/wool-coat").json()["images"]) == 2)
    assert pictures.asked["/navy.jpg?v=1"] == 1
    assert "stylesearch_webhook_images_failed_total" in client.get("/metrics").text


def test_what_cannot_be_done_is_given_up_and_does_not_hold_up_others(
    client: httpx.Client, home: Path, pictures: Pictures
) -> None:
    pictures.fails["/navy.jpg"] = 403
    send(client, "products/create", coat(pictures))
    other = coat(pictures, id=7, handle="other", images=[{"id": 1, "src": f"{pictures.address}/teal.jpg"}])
    send(client, "products/create", other)
    done(home)
    assert best(client, jpeg(draw(TEAL, seed=3))) == "other"
    assert client.get("/v1/products/wool-coat").json()["images"][0]["options"] == {"color": "Rust"}
    assert (
        'stylesearch_webhooks_total{outcome="failed",topic="products/create"} 1.0'
        in client.get("/metrics").text
    )


def test_what_waits_is_done_after_a_new_start_and_behind_another_writer(
    home: Path, pictures: Pictures
) -> None:
    with ss.open(home) as elsewhere:
        with (
            ss.open(home) as shop,
            serving(shop, SETTINGS) as client,
            elsewhere.catalog.writing(),
        ):
            send(client, "products/create", coat(pictures))
            time.sleep(0.5)
            assert client.get("/v1/products/wool-coat").status_code == 404
            assert pictures.asked == {}, "nothing is fetched that cannot be stored"
        assert len(list((home / "webhooks").glob("*.json"))) <= 1
    with ss.open(home) as shop, serving(shop, SETTINGS) as client:
        done(home)
        assert client.get("/v1/products/wool-coat").status_code == 200


def test_pictures_of_this_network_are_not_fetched_unless_that_is_allowed(
    shop: Workspace, home: Path, pictures: Pictures
) -> None:
    with serving(shop, ServiceSettings(shopify_secrets=(SECRET,))) as client:
        send(client, "products/create", coat(pictures))
        done(home)
        assert client.get("/v1/products/wool-coat").json()["images"] == []
    assert pictures.asked == {}


def test_only_what_is_signed_is_read(client: httpx.Client, home: Path, pictures: Pictures) -> None:
    body = json.dumps(coat(pictures)).encode()
    right = sign(body)
    for signature in (
        *("", "x", "=", right[:-4], right.upper(), right + "A", "\u00e4", sign(body + b" ")),
        hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        sign(body, "another-secret-0123456789"),
        sign(body, ""),
    ):
        headers = {"X-Shopify-Topic": "products/create", "X-Shopify-Hmac-Sha256": signature.encode("latin-1")}
        answer = client.post("/v1/webhooks/shopify", content=body, headers=headers)
        assert problem(answer, 401)["detail"].startswith("the signature")
    answer = client.post("/v1/webhooks/shopify", content=body, headers={"X-Shopify-Topic": "products/create"})
    assert problem(answer, 401)
    assert list((home / "webhooks").glob("*.json")) == []
    assert queued(send(client, "products/create", coat(pictures), secret=NEXT_SECRET)) == "queued"
    assert SECRET not in client.get("/metrics").text


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"id": 1}', 422),
        (b'{"id": "1", "handle": "x"}', 422),
        (b'{"id": 1e400, "handle": "x"}', 400),
        (b'{"id": NaN, "handle": "x"}', 400),
        (b'{"id": ' + b"9" * 400 + b"}", 400),
        (b'{"id": 1, "handle": "x", "variants": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400),
        (b'{"id": 1, "handle": "x", "tags": [' + b"1," * 400_000 + b"1]}", 413),
        (b"\xff\xfe{\x00", 400),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_signed_and_makes_no_sense_is_refused(
    client: httpx.Client, home: Path, payload: bytes, status: int
) -> None:
    assert problem(send(client, "products/update", payload), status)
    assert list((home / "webhooks").glob("*.json")) == []


def test_other_topics_are_answered_and_ignored(client: httpx.Client, home: Path) -> None:
    for topic in ("orders/create", "", "products/../../x"):
        assert queued(send(client, topic, {"id": 1})) == "ignored"
    assert list((home / "webhooks").glob("*.json")) == []


def test_a_queue_that_is_full_asks_to_come_back(shop: Workspace, pictures: Pictures) -> None:
    settings = ServiceSettings(shopify_secrets=(SECRET,), shopify_queue=1, shopify_hosts="any")
    with serving(shop, settings) as client, shop.catalog.writing():
        send(client, "products/create", coat(pictures))
        answer = send(client, "products/create", coat(pictures, id=7, handle="other"))
        assert problem(answer, 503)["reason"] == "busy"
        assert answer.headers["retry-after"] == "60"


def test_a_body_that_is_too_large_is_not_read(shop: Workspace) -> None:
    with serving(shop, ServiceSettings(shopify_secrets=(SECRET,), max_bytes=1024)) as client:
        assert problem(send(client, "products/update", b" " * 2000), 413)


def test_without_a_secret_it_is_off(shop: Workspace, home: Path) -> None:
    with serving(shop) as client:
        told = problem(send(client, "products/delete", {"id": 1}), 403)
        assert "STYLESEARCH_SERVE_SHOPIFY_SECRETS" in told["hint"]
    assert not (home / "webhooks").exists()


def test_what_cannot_be_read_does_not_hold_up_others(
    client: httpx.Client, home: Path, pictures: Pictures
) -> None:
    (home / "webhooks" / "5.json").mkdir(parents=True)
    (home / "webhooks" / "6.json").write_text('{"id": 6}')
    send(client, "products/create", coat(pictures))
    until(lambda: client.get("/v1/products/wool-coat").status_code == 200)
    assert (home / "webhooks" / "6.bad").read_text() == '{"id": 6}'
