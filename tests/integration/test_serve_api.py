"""The REST API on a tiny shop: what it reads, and what it finds."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import stylesearch as ss
from stylesearch.serving.api import responses
from stylesearch.serving.settings import ServiceSettings
from tests.integration.live_server import serving
from tests.integration.serve_answers import RED, ids, post_photo, problem, valid
from tests.integration.tiny_shop import COLORS, ingest_tiny_shop, png


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))
    with ss.open(home) as shop:  # what is not indexed is found as well, with a warning that would be an error
        for metric in ("l1", "l2"):
            shop.indexes.build(space="raw", metric=metric)
    return home


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[httpx.Client]:
    with ss.open(home) as shop, serving(shop, ServiceSettings(title="Tiny")) as client:
        yield client


def test_a_photo_finds_its_product(client: httpx.Client) -> None:
    found = valid(post_photo(client, k="3"), responses.SearchResult)
    assert len(found["hits"]) == 3
    first = found["hits"][0]
    assert first["product"]["id"] == "dress-red"
    assert first["rank"] == 1
    assert 0.7 < first["similarity"] <= 1
    assert [hit["similarity"] for hit in found["hits"]] == sorted(
        (hit["similarity"] for hit in found["hits"]), reverse=True
    )
    assert (found["width"], found["height"]) == (120, 160)
    assert found["regions"][0] == [0, 0, 120, 160]
    assert first["region"] in found["regions"]
    assert (found["space"], found["metric"]) == ("mixed", "cosine")
    seconds = found["seconds"]
    assert seconds["total"] >= seconds["decode"] > 0


def test_a_photo_in_json_finds_the_same(client: httpx.Client) -> None:
    body = {"image": base64.b64encode(RED).decode(), "k": 3, "category": None, "box": None}
    assert ids(client.post("/v1/search", json=body).json()) == ids(post_photo(client, k="3").json())


@pytest.mark.parametrize("as_json", [False, True])
def test_box_category_space_and_metric_count(client: httpx.Client, as_json: bool) -> None:
    asked = {"k": 2, "category": "skirt", "box": [10, 20, 90, 120], "space": "raw", "metric": "l2"}
    if as_json:
        answer = client.post("/v1/search", json={**asked, "image": base64.b64encode(RED).decode()})
    else:
        answer = post_photo(client, **{**{k: str(v) for k, v in asked.items()}, "box": "10, 20, 90, 120"})
    found = valid(answer, responses.SearchResult)
    assert {hit["product"]["category"] for hit in found["hits"]} == {"skirt"}
    assert found["regions"] == [[10, 20, 90, 120]]
    assert (found["space"], found["metric"], len(found["hits"])) == ("raw", "l2", 2)


@pytest.mark.parametrize(
    "where", [{"where": "price<50 and category=skirt"}, {"where": {"category": "skirt", "price": "..50"}}]
)
def test_a_filter_narrows_and_facets_count(client: httpx.Client, where: dict[str, Any]) -> None:
    image = base64.b64encode(RED).decode()
    facets = ["category", "price", "fabric"]
    answers = [client.post("/v1/search", json={"image": image, "facets": facets, **where})]
    if isinstance(where["where"], str):
        answers.append(post_photo(client, facets=",".join(facets), **where))
        of_product = {"facets": "category,price,fabric", **where}
        answers.append(client.get("/v1/products/dress-red/similar", params=of_product))
    for answer in answers:
        found = valid(answer, responses.SearchResult)
        assert sorted(ids(found)) == ["skirt-black", "skirt-pink/purple", "skirt-yellow"]
        assert found["facets"] == {
            "category": [
                {"label": "dress", "count": 3, "where": "category=dress"},
                {"label": "skirt", "count": 3, "where": "category=skirt"},
            ],
            "price": [{"label": "10 to 25", "count": 3, "where": "price>=10 and price<25"}],
            "fabric": [{"label": "silk", "count": 3, "where": "fabric=silk"}],
        }
    assert "facets" not in post_photo(client).json()


def test_a_filter_that_cannot_be_read_is_said_with_its_place(client: httpx.Client) -> None:
    told = problem(post_photo(client, where="price<50, fabric=silk"), 422)
    assert "cannot be read at character 9" in str(told)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_box_is_cut_to_the_photo(client: httpx.Client, as_json: bool) -> None:
    if as_json:
        body = {"image": base64.b64encode(RED).decode(), "box": [-20, -5, 900, 80]}
        answer = client.post("/v1/search", json=body)
    else:
        answer = post_photo(client, box="-20,-5,900,80")
    found = valid(answer, responses.SearchResult)
    assert found["regions"] == [[0, 0, 120, 80]]
    assert found["seen"][0]["box"] == [0, 0, 120, 80]


def test_it_answers_as_the_library_does(client: httpx.Client, home: Path) -> None:
    found = post_photo(client, k="6").json()
    with ss.open(home) as shop:
        result = shop.query(RED, k=6)
    assert ids(found) == [hit.product.id for hit in result]
    assert [hit["distance"] for hit in found["hits"]] == pytest.approx([hit.distance for hit in result])
    assert [hit["image"]["hash"] for hit in found["hits"]] == [hit.image.sha256 for hit in result]


def test_links_that_a_page_must_not_follow_are_left_out(client: httpx.Client) -> None:
    found = post_photo(client, k="6").json()
    urls = {hit["product"]["id"]: hit["product"]["url"] for hit in found["hits"]}
    assert urls["dress-red"] is None, "it is javascript:"
    assert urls["dress-blue"] == "https://shop.example/x"


def test_hits_are_explained_where_that_is_asked_for(client: httpx.Client, home: Path) -> None:
    body = {"image": base64.b64encode(RED).decode(), "k": 3, "explain": True}
    photos = [("images", ("x", RED))]
    batch = client.post("/v1/search/batch", files=photos, data={"k": "3", "explain": "true"})
    (one_of_batch,) = valid(batch, responses.BatchResult)["results"]
    plain = valid(post_photo(client, k="3"), responses.SearchResult)["hits"]
    answers = [
        valid(client.post("/v1/search", json=body), responses.SearchResult),
        valid(post_photo(client, k="3", explain="true"), responses.SearchResult),
        one_of_batch["result"],
    ]
    with ss.open(home) as shop:
        wanted = shop.query(RED, k=3, explain=True)
    for answer in answers:
        for hit, without, of_library in zip(answer["hits"], plain, wanted, strict=True):
            explanation = hit.pop("explanation")
            assert hit == without
            assert (explanation["region"], explanation["square"]) == (hit["region"], None)
            assert of_library.explanation is not None
            assert explanation["parts"] == pytest.approx(of_library.explanation.parts, abs=1e-5)
            assert sum(explanation["parts"].values()) == pytest.approx(1 - hit["distance"], abs=1e-5)
    similar = client.get("/v1/products/dress-red/similar", params={"explain": "true"})
    for hit in valid(similar, responses.SearchResult)["hits"]:
        assert (hit["explanation"]["region"], hit["explanation"]["square"]) == (None, None)
    for said in ("false", None):
        answer = post_photo(client, k="3", **({"explain": said} if said else {}))
        assert valid(answer, responses.SearchResult)["hits"] == plain


def test_a_batch_answers_in_order_and_a_bad_photo_fails_no_other(client: httpx.Client) -> None:
    photos = [RED, b"%PDF-1.7 no picture", RED]
    form = client.post("/v1/search/batch", files=[("images", ("x", one)) for one in photos], data={"k": "2"})
    texts = [base64.b64encode(one).decode() for one in photos]
    as_json = client.post("/v1/search/batch", json={"images": texts, "k": 2})
    for answer in (form, as_json):
        first, second, third = valid(answer, responses.BatchResult)["results"]
        assert ids(first["result"]) == ids(third["result"]) == ids(post_photo(client, k="2").json())
        assert second["problem"]["status"] == 415
        assert "PDF" in second["problem"]["detail"]
        assert second["problem"]["request_id"] == answer.headers["x-request-id"]
        assert list(first) == ["result"]


def test_products_page_by_page(client: httpx.Client) -> None:
    listed: list[str] = []
    cursor: str | None = None
    for _ in range(10):
        params: dict[str, Any] = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = valid(client.get("/v1/products", params=params), responses.ProductPage)
        assert len(page["products"]) == 2
        listed += [one["id"] for one in page["products"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert listed == sorted(f"{category}-{name}" for category, names in COLORS.items() for name in names)
    only = client.get("/v1/products", params={"category": "dress", "limit": 3}).json()
    assert [one["category"] for one in only["products"]] == ["dress"] * 3
    assert only["next_cursor"] is None


def test_a_product_has_the_shops_images_and_not_the_customers(client: httpx.Client) -> None:
    product = valid(client.get("/v1/products/dress-red"), responses.ProductWithImages)
    assert product["attributes"] == {"fabric": "silk"}
    assert len(product["images"]) == 1
    assert (product["images"][0]["width"], product["images"][0]["height"]) == (120, 160)


def test_links_lead_where_they_say_whatever_the_id(client: httpx.Client) -> None:
    page = client.get("/v1/products").json()["products"]
    assert any("/" in product["id"] for product in page)
    for product in page:
        assert client.get(product["links"]["self"]).json() == product
        found = valid(client.get(product["links"]["similar"], params={"k": 4}), responses.SearchResult)
        assert product["id"] not in ids(found)
        assert len(found["hits"]) == 4
        assert (found["width"], found["height"], found["regions"]) == (None, None, [])
        assert found["hits"][0]["region"] is None


def test_similar_takes_its_options(client: httpx.Client) -> None:
    params = {"k": 2, "category": "skirt", "space": "raw", "metric": "l1"}
    found = client.get("/v1/products/dress-red/similar", params=params).json()
    assert {hit["product"]["category"] for hit in found["hits"]} == {"skirt"}
    assert (found["space"], found["metric"], len(found["hits"])) == ("raw", "l1", 2)


def test_categories_with_their_counts(client: httpx.Client) -> None:
    assert valid(client.get("/v1/categories"), responses.Categories) == {
        "categories": [{"name": "dress", "products": 3}, {"name": "skirt", "products": 3}],
        "products": 6,
    }


def test_images_are_given_out_as_they_are_and_may_be_kept(client: httpx.Client, home: Path) -> None:
    image = client.get("/v1/products/dress-red").json()["images"][0]
    answer = client.get(image["links"]["original"])
    assert answer.content == (home.parent / "source" / "dress0.jpg").read_bytes()
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    thumbnail = client.get(image["links"]["thumbnail"])
    assert Image.open(io.BytesIO(thumbnail.content)).size == (120, 160), "none is enlarged"
    for whole in (answer, thumbnail):
        etag = whole.headers["etag"]
        again = client.get(str(whole.request.url), headers={"If-None-Match": f'"x", W/{etag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        head = client.head(str(whole.request.url))
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))
        assert head.headers["etag"] == etag
        for one in (whole, again, head):
            assert one.headers["cross-origin-resource-policy"] == "cross-origin", "the shop's site shows it"
    assert answer.headers["etag"] != thumbnail.headers["etag"]


def test_only_the_shops_images_are_given_out(client: httpx.Client, home: Path) -> None:
    with ss.open(home) as shop:
        customers = [one for one in shop.images("dress-red") if one.domain == "consumer"]
    for digest, status in ((customers[0].sha256, 404), ("0" * 64, 404), ("0" * 63, 422), ("G" * 64, 422)):
        for suffix in ("", "/thumbnail"):
            problem(client.get(f"/v1/images/{digest}{suffix}"), status)
    headers = {"If-None-Match": f'"{customers[0].sha256}"'}
    problem(client.get(f"/v1/images/{customers[0].sha256}", headers=headers), 404)


def test_what_the_page_has_to_know(client: httpx.Client) -> None:
    assert valid(client.get("/v1/page"), responses.PageInfo) == {
        "max_bytes": ServiceSettings().max_bytes,
        "max_k": 100,
        "spaces": ["mixed", "raw", "whitened"],
        "title": "Tiny",
        "keeps_uploads": False,
    }


def test_the_page_and_its_files_work_under_the_policy(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    for name in re.findall(r'(?:src|href)="(/assets/[^"]+)"', answer.text):
        file = client.get(name)
        assert file.status_code == 200, name
        assert file.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=", answer.text)


def test_alive_ready_and_counted(client: httpx.Client) -> None:
    assert valid(client.get("/health"), responses.Alive) == {"status": "alive"}
    checks = valid(client.get("/ready"), responses.Readiness)["checks"]
    assert checks["model"] == "loaded"
    assert checks["index"] == "ready"
    assert checks["catalog"] == {"products": 6}
    post_photo(client)
    text = client.get("/metrics").text
    assert re.search(
        r'stylesearch_requests_total\{method="POST",route="/v1/search",status="200"\} [1-9]', text
    )
    assert re.search(r'stylesearch_step_seconds_count\{step="extract"\} [1-9]', text)
    assert "stylesearch_catalog_products 6.0" in text
    assert "stylesearch_queue_photos 0.0" in text


def test_files_that_have_changed_or_gone_are_not_given_out(tmp_path: Path) -> None:
    home = ingest_tiny_shop(tmp_path)
    source = tmp_path / "source"
    with ss.open(home) as shop, serving(shop) as client:
        image = client.get("/v1/products/dress-red").json()["images"][0]["links"]
        kept = client.get("/v1/products/dress-blue").json()["images"][0]["links"]
        assert client.get(kept["thumbnail"]).status_code == 200
        shutil.copy(source / "dress1.jpg", source / "dress0.jpg")
        problem(client.get(image["original"]), 404)
        problem(client.get(image["thumbnail"]), 404)
        (source / "dress0.jpg").unlink()
        os.mkfifo(source / "dress0.jpg")  # reading it would never end
        problem(client.get(image["original"]), 404)
        (source / "dress1.jpg").unlink()
        problem(client.get(kept["original"]), 404)
        assert client.get(kept["thumbnail"]).status_code == 200, "it is kept"
        (thumbnail,) = home.glob("thumbnails/*/*.jpg")
        thumbnail.unlink()
        problem(client.get(kept["thumbnail"]), 404)


def test_a_workspace_with_nothing_in_it_says_so(tmp_path: Path) -> None:
    with ss.open(tmp_path / "home", extractor="color-histogram") as shop:
        with serving(shop) as client:
            assert client.get("/health").status_code == 200
            answer = client.get("/ready")
            assert valid(answer, responses.Readiness, 503)["ready"] is False
            page = valid(client.get("/v1/products"), responses.ProductPage)
            assert page == {"products": [], "next_cursor": None}
            nothing = valid(client.get("/v1/categories"), responses.Categories)
            assert nothing == {"categories": [], "products": 0}
            assert problem(post_photo(client), 404)["detail"] == "there are no products yet"
            for answer in (
                client.post("/v1/search/batch", files=[("images", ("x", RED))]),
                client.get("/v1/products/x"),
                client.get("/v1/products", params={"category": "x"}),
                client.get(f"/v1/images/{'0' * 64}"),
                client.get(f"/v1/images/{'0' * 64}/thumbnail"),
            ):
                problem(answer, 404)
                assert str(tmp_path) not in answer.text
            assert client.get("/metrics").status_code == 200
            assert client.get("/v1/page").status_code == 200
        assert not (tmp_path / "home").exists(), "nothing is made by asking"


def test_a_large_image_is_sent_bit_by_bit_and_whole(tmp_path: Path) -> None:
    folder = tmp_path / "catalog" / "dress" / "large"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), np.uint8)
    (folder / "1.png").write_bytes(png(Image.fromarray(noise)))
    with ss.open(tmp_path / "home", extractor="color-histogram") as shop:
        shop.ingest(tmp_path / "catalog")
        with serving(shop) as client:
            link = client.get("/v1/products").json()["products"][0]["images"][0]["links"]["original"]
            with client.stream("GET", link) as answer:
                pieces = list(answer.iter_raw())
            assert b"".join(pieces) == (folder / "1.png").read_bytes()
            assert len(pieces) > 1
            assert client.head(link).headers["content-length"] == str(len(b"".join(pieces)))
