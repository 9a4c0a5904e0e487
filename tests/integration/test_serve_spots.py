"""Spots over the API: they are told, searched for, and refused where they are not there."""

from __future__ import annotations

import base64
import concurrent.futures
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import stylesearch as ss
from stylesearch.persons import regions
from stylesearch.persons.finder import Person
from stylesearch.serving.api import responses
from stylesearch.serving.settings import ServiceSettings
from tests.integration.live_server import serving
from tests.integration.serve_answers import RED, ids, post_photo, problem, valid
from tests.integration.tiny_shop import ingest_tiny_shop, png
from tests.unit.persons.fake_finder import HEIGHT, WIDTH, FakeFinder

BOXES = {
    "torso": [115, 80, 185, 210],
    "legs": [115, 180, 185, 350],
    "body": [100, 50, 200, 350],
    "whole": [0, 0, WIDTH, HEIGHT],
}


def worn() -> bytes:
    """A photo whose upper half is red and whose lower half is blue, on green."""
    pixels = np.full((HEIGHT, WIDTH, 3), (20, 150, 60), np.uint8)
    pixels[50:195, 100:200] = (200, 30, 40)
    pixels[195:350, 100:200] = (30, 40, 200)
    return png(Image.fromarray(pixels))


class FinderOfLarge(FakeFinder):
    """Finds nobody in photos as small as the tiny shop's."""

    def find(self, pixels: np.ndarray, max_persons: int = 4) -> list[Person]:
        return super().find(pixels, max_persons) if pixels.shape[1] >= WIDTH else []


@pytest.fixture(scope="module")
def finder() -> Iterator[FakeFinder]:
    fake = FinderOfLarge()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(regions, "_FINDER", fake)
        yield fake


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest_tiny_shop(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def client(home: Path, finder: FakeFinder) -> Iterator[httpx.Client]:
    with ss.open(home) as shop, serving(shop) as client:
        yield client


def detect(client: httpx.Client, photo: bytes) -> Any:
    return client.post("/v1/detect", files={"image": ("x", photo)})


def test_the_spots_of_a_photo(client: httpx.Client) -> None:
    found = valid(detect(client, worn()), responses.DetectedSpots)
    assert [(one["number"], one["person"], one["region"]) for one in found["spots"]] == [
        (1, 1, "torso"),
        (2, 1, "legs"),
        (3, 1, "body"),
        (4, 0, "whole"),
    ]
    assert {one["region"]: one["box"] for one in found["spots"]} == BOXES
    assert all(one["kind"] is one["confidence"] is None for one in found["spots"]), "colors tell no kinds"
    assert (found["width"], found["height"]) == (WIDTH, HEIGHT)
    seconds = found["seconds"]
    assert seconds["total"] >= seconds["decode"] > 0
    as_json = client.post("/v1/detect", json={"image": base64.b64encode(worn()).decode()})
    assert valid(as_json, responses.DetectedSpots)["spots"] == found["spots"]


def test_a_photo_of_nobody_is_one_spot(client: httpx.Client) -> None:
    (spot,) = valid(detect(client, RED), responses.DetectedSpots)["spots"]
    assert (spot["number"], spot["region"], spot["box"]) == (1, "whole", [0, 0, 120, 160])


@pytest.mark.parametrize(
    ("region", "number", "first"), [("torso", "1", "dress-red"), ("legs", "2", "dress-blue")]
)
def test_a_region_is_searched_by_name_and_number(
    client: httpx.Client, region: str, number: str, first: str
) -> None:
    named, numbered = (
        valid(post_photo(client, worn(), region=one, k="3"), responses.SearchResult)
        for one in (region, number)
    )
    assert ids(named)[0] == first
    assert ids(named) == ids(numbered)
    assert named["regions"] == [BOXES[region]]
    assert named["seen"] == [{"region": region, "box": BOXES[region], "kind": None, "confidence": None}]
    assert all(hit["region"] == BOXES[region] for hit in named["hits"])
    body = {"image": base64.b64encode(worn()).decode(), "region": region, "k": 3}
    assert ids(client.post("/v1/search", json=body).json()) == ids(named)
    for written in (int(number), float(number)):
        answer = client.post("/v1/search", json={**body, "region": written})
        assert valid(answer, responses.SearchResult)["hits"] == numbered["hits"]


def test_body_whole_and_auto(client: httpx.Client) -> None:
    body, whole, fourth, auto = (
        valid(post_photo(client, worn(), region=one), responses.SearchResult)
        for one in ("body", "whole", "4", "auto")
    )
    assert body["regions"] == [BOXES["body"]]
    assert whole["regions"] == fourth["regions"] == [BOXES["whole"]]
    assert ids(whole) == ids(fourth)
    assert len(auto["regions"]) == 4, "as the plan of the settings says"
    assert auto["hits"] == post_photo(client, worn()).json()["hits"]
    assert [one["region"] for one in auto["seen"]] == ["whole"]


def test_it_answers_as_the_library_does(client: httpx.Client, home: Path) -> None:
    with ss.open(home) as shop:
        for region in ("torso", "legs", "3"):
            result = shop.query(worn(), region=region, k=6)
            found = post_photo(client, worn(), region=region, k="6").json()
            assert ids(found) == [hit.product.id for hit in result]
            distances = [hit["distance"] for hit in found["hits"]]
            assert distances == pytest.approx([hit.distance for hit in result], abs=1e-6)


@pytest.mark.parametrize("region", ["", "head", "0", "100", "01", "-1", "Torso", "torso,legs"])
def test_no_such_region(client: httpx.Client, region: str) -> None:
    refused = problem(post_photo(client, worn(), region=region), 422)
    assert refused["detail"].startswith("region: ")


@pytest.mark.parametrize("region", [0, 100, -1, 1.5, True, None, [1]])
def test_no_such_region_in_json(client: httpx.Client, region: Any) -> None:
    body = {"image": base64.b64encode(worn()).decode(), "region": region}
    assert problem(client.post("/v1/search", json=body), 422)["detail"].startswith("region: ")


def test_what_the_photo_does_not_show_is_told(client: httpx.Client) -> None:
    assert "nobody is seen" in problem(post_photo(client, RED, region="torso"), 422)["detail"]
    missing = problem(post_photo(client, worn(), region="9"), 422)
    assert "there is no spot 9: the photo has 4" in missing["detail"]
    assert "auto or whole" in missing["hint"]
    both = problem(post_photo(client, worn(), region="torso", box="0,0,50,50"), 422)
    assert "a box and the region torso" in both["detail"]


def test_a_bad_photo_has_no_spots(client: httpx.Client) -> None:
    problem(detect(client, b"%PDF-1.7 no picture"), 415)
    problem(client.post("/v1/detect", json={}), 422)
    problem(client.post("/v1/detect", files={"image": ("x", RED)}, data={"k": "3"}), 422)
    problem(client.post("/v1/detect", json={"image": "?"}), 422)


def test_photos_with_and_without_a_person_in_one_batch(client: httpx.Client) -> None:
    photos = [("images", ("x", one)) for one in (worn(), RED, worn())]
    whole = valid(client.post("/v1/search/batch", files=photos), responses.BatchResult)["results"]
    assert all("result" in one for one in whole)
    answer = client.post("/v1/search/batch", files=photos, data={"region": "2", "k": "2"})
    first, second, third = valid(answer, responses.BatchResult)["results"]
    assert ids(first["result"]) == ids(third["result"])
    assert first["result"]["regions"] == [BOXES["legs"]]
    assert second["problem"]["status"] == 422


def test_many_at_once_each_get_their_own(client: httpx.Client) -> None:
    """Photos with different numbers of squares go through the network together."""
    wanted = {
        region: post_photo(client, worn(), region=region).json()["hits"]
        for region in ("auto", "torso", "legs", "whole")
    }
    spots = detect(client, worn()).json()["spots"]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        searches = [
            (region, pool.submit(post_photo, client, worn(), region=region)) for region in [*wanted] * 4
        ]
        detections = [pool.submit(detect, client, worn()) for _ in range(8)]
        nobody = [pool.submit(detect, client, RED) for _ in range(4)]
        for region, one in searches:
            hits = one.result().json()["hits"]
            assert [hit["product"]["id"] for hit in hits] == [hit["product"]["id"] for hit in wanted[region]]
            assert {str(hit["region"]) for hit in hits} == {str(hit["region"]) for hit in wanted[region]}
        assert all(one.result().json()["spots"] == spots for one in detections)
        assert all(len(one.result().json()["spots"]) == 1 for one in nobody)


def test_a_turned_photo_is_upright(client: httpx.Client) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.open(io.BytesIO(worn())).transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    found = detect(client, file.getvalue()).json()
    assert (found["width"], found["height"]) == (WIDTH, HEIGHT)
    assert {one["region"]: one["box"] for one in found["spots"]} == BOXES
    assert ids(post_photo(client, file.getvalue(), region="legs").json())[0] == "dress-blue"


def test_with_the_plan_person_auto_sees_the_squares(home: Path, finder: FakeFinder) -> None:
    with ss.open(home, regions="person") as shop, serving(shop) as client:
        found = valid(post_photo(client, worn()), responses.SearchResult)
        assert [one["region"] for one in found["seen"]] == ["torso", "legs", "body"]
        *parts, body = (one["box"] for one in found["seen"])
        assert found["regions"][3:] == [body, *parts]
        nobody = valid(post_photo(client, RED), responses.SearchResult)
        assert [one["region"] for one in nobody["seen"]] == ["whole"]
        similar = client.get("/v1/products/dress-red/similar").json()
        assert similar["seen"] == []


def test_it_is_counted_and_limited_as_searches_are(home: Path, finder: FakeFinder) -> None:
    with ss.open(home) as shop, serving(shop, ServiceSettings(rate_limit=30)) as client:
        answers = [detect(client, RED) for _ in range(8)]
        assert {answer.status_code for answer in answers} == {200, 429}
        text = client.get("/metrics").text
        assert re.search(r'requests_total\{method="POST",route="/v1/detect",status="200"\} [1-9]', text)


def test_kinds_are_told(ingested: Path, finder: FakeFinder, drawn_shop: Path) -> None:
    photo = next(iter(sorted((drawn_shop / "street").glob("*.jpg")))).read_bytes()
    with ss.open(ingested) as shop, serving(shop) as client:
        found = valid(detect(client, photo), responses.DetectedSpots)
        assert all(one["kind"] and 0 < one["confidence"] <= 1 for one in found["spots"])
        spots = {one["region"]: one for one in found["spots"]}
        seen = valid(post_photo(client, photo), responses.SearchResult)["seen"]
        assert [one["region"] for one in seen][::2] == ["torso", "body"]
        for one in seen:
            spot = spots[one["region"]]
            assert (one["box"], one["kind"]) == (spot["box"], spot["kind"])
            assert one["confidence"] == pytest.approx(spot["confidence"], abs=0.05)
