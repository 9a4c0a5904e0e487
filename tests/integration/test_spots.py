"""What is seen in a photo, and searching for one spot of it: library and command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import stylesearch as ss
from stylesearch.distance import distances
from stylesearch.errors import ConfigError, NoSuchSpot
from stylesearch.images.regions import plan_boxes
from stylesearch.kinds.head import KindHead
from stylesearch.persons import regions
from stylesearch.spaces.base import join_squares
from stylesearch.types import Box
from tests.unit.persons.fake_finder import HEIGHT, WIDTH, FakeFinder

TORSO = Box(115, 80, 185, 210)

Command = Callable[..., Any]


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> FakeFinder:
    fake = FakeFinder()
    monkeypatch.setattr(regions, "_FINDER", fake)
    return fake


@pytest.fixture
def photo(drawn_shop: Path, tmp_path: Path) -> Path:
    """A customer's photo of the size that places of the fake finder are in."""
    with Image.open(sorted((drawn_shop / "street").glob("*.jpg"))[0]) as street:
        street.resize((WIDTH, HEIGHT)).save(tmp_path / "photo.jpg", quality=95)
    return tmp_path / "photo.jpg"


@pytest.fixture
def shop(workspace: Path) -> Iterator[ss.Workspace]:
    """Of a copy: a search in another metric has an index built at the end."""
    with ss.open(workspace) as opened:
        yield opened


def test_kinds_are_those_of_the_head(shop: ss.Workspace, photo: Path, finder: FakeFinder) -> None:
    head, searcher = KindHead.load(), shop.searcher()
    view = searcher.look_for_spots(photo)
    probabilities = head.predict(searcher.extractor.extract(view.images))
    found = shop.detect(photo)
    assert [spot.region for spot in found] == ["torso", "legs", "body", "whole"]
    for spot, row in zip(found, (1, 2, 3, 0), strict=True):
        assert spot.kind == head.kinds[probabilities[row].argmax()]
        assert spot.confidence == pytest.approx(float(probabilities[row].max()), abs=0.02)
    assert (found.width, found.height) == (WIDTH, HEIGHT)
    assert set(found.seconds) == {"decode", "extract"}


def test_a_search_tells_what_it_has_looked_at(shop: ss.Workspace, photo: Path, finder: FakeFinder) -> None:
    spots = {spot.region: spot for spot in shop.detect(photo)}

    def seen(**options: Any) -> list[tuple[str, Box, str | None]]:
        found = shop.query(photo, **options).seen
        assert all(one.confidence is not None and 0 < one.confidence <= 1 for one in found)
        return [(one.region, one.box, one.kind) for one in found]

    def of(*names: str) -> list[tuple[str, Box, str | None]]:
        return [(spots[name].region, spots[name].box, spots[name].kind) for name in names]

    assert seen(regions="street") == of("whole")
    assert seen() == of("torso", "legs", "body")
    for name in ("torso", "legs", "body", "whole"):
        assert seen(region=name) == seen(region=spots[name].number) == of(name)
    ((region, box, kind),) = seen(box=(10, 10, 200, 200))
    assert (region, box) == ("box", Box(10, 10, 200, 200))
    assert kind in KindHead.load().kinds
    finder.somebody = False
    assert [region for region, _, _ in seen(regions="person")] == ["whole"]
    assert shop.similar(shop.query(photo)[0].product.id).seen == ()


@pytest.mark.filterwarnings("ignore::stylesearch.search.gallery.IndexWarning")
@pytest.mark.parametrize("metric", ["cosine", "l1", "l2"])
def test_hits_say_which_parts_of_the_photo_made_them(
    shop: ss.Workspace, photo: Path, finder: FakeFinder, metric: str
) -> None:
    spots = {spot.box for spot in shop.detect(photo) if spot.person}
    body = next(spot.box for spot in shop.detect(photo) if spot.region == "body")
    box = Box(100, 60, 200, 300)
    asked: list[tuple[dict[str, Any], set[Box | None], set[Box | None]]] = [
        ({}, {*plan_boxes("bands", WIDTH, HEIGHT), body}, {*spots}),
        ({"region": "torso"}, {TORSO}, {TORSO}),
        ({"box": box}, {box}, {box}),
        ({"box": (0, 0, 50, 50)}, {Box(0, 0, 50, 50)}, {None}),
        ({"regions": "large"}, {*plan_boxes("large", WIDTH, HEIGHT)}, {None}),
    ]
    for options, regions_, squares in asked:
        plain = shop.query(photo, metric=metric, k=8, **options)
        assert all(hit.explanation is None for hit in plain)
        for hit, without in zip(
            shop.query(photo, metric=metric, k=8, explain=True, **options), plain, strict=True
        ):
            assert (hit.product.id, hit.distance) == (without.product.id, without.distance)
            assert hit.explanation is not None
            assert hit.explanation.region in regions_
            assert hit.explanation.square in squares
            assert hit.region == (hit.explanation.square or hit.explanation.region)
            whole = {"cosine": 1 - hit.distance, "l1": hit.distance, "l2": hit.distance**2}[metric]
            assert sum(hit.explanation.parts.values()) == pytest.approx(whole, rel=1e-3, abs=1e-4)


def test_the_pair_that_is_told_is_the_one_that_was_nearest(
    shop: ss.Workspace, photo: Path, finder: FakeFinder
) -> None:
    searcher = shop.searcher()
    view = searcher.look(photo)
    n_regions = len(view.boxes) - view.n_squares
    transform = searcher.gallery.transform
    vectors = transform.apply_to_photo(searcher.extractor.extract(view.images), view.n_squares)
    pairs = set()
    for hit in shop.query(photo, k=24, explain=True):
        assert hit.explanation is not None
        region = view.boxes[:n_regions].index(hit.explanation.region)
        square = view.boxes.index(hit.explanation.square, n_regions)
        pair = join_squares(vectors[[region, square]], 1, "cosine")
        images = transform.apply(searcher.gallery.features_of(hit.product.id))
        assert distances(pair, images, "cosine").min() == pytest.approx(hit.distance, abs=0.01)
        pairs.add((region, square))
    assert len(pairs) > 2


@pytest.mark.parametrize("plan", ["few", "street", "person"])
def test_a_region_is_searched_alone_whatever_the_plan(
    shop: ss.Workspace, photo: Path, finder: FakeFinder, plan: str
) -> None:
    for spot in shop.detect(photo):
        for region in (str(spot.number), spot.region):
            found = shop.query(photo, region=region, regions=plan)
            assert found.regions == (spot.box,)
            assert all(hit.region == spot.box for hit in found)
            assert len(found) == 20
    whole = shop.query(photo, regions="whole")
    assert [(hit.product.id, hit.distance) for hit in shop.query(photo, region="whole")] == [
        (hit.product.id, hit.distance) for hit in whole
    ]
    assert shop.query(photo, regions=plan, region="legs")[0] != whole[0]


def test_what_cannot_be_searched_for_is_refused(shop: ss.Workspace, photo: Path, finder: FakeFinder) -> None:
    with pytest.raises(ConfigError):
        shop.query(photo, region="torso", box=(0, 0, 9, 9))
    with pytest.raises(ConfigError):
        shop.query(photo, region=0)
    with pytest.raises(NoSuchSpot):
        shop.query(photo, region=9)
    finder.somebody = False
    with pytest.raises(NoSuchSpot):
        shop.query(photo, region="torso")
    assert [spot.region for spot in shop.detect(photo)] == ["whole"]


def test_an_extractor_whose_features_tell_no_kinds(
    drawn_shop: Path, photo: Path, finder: FakeFinder, tmp_path: Path
) -> None:
    with ss.open(tmp_path / "home", extractor="color-histogram") as shop:
        shop.ingest(drawn_shop / "products.csv")
        found = shop.detect(photo)
        assert [(spot.kind, spot.confidence) for spot in found] == [(None, None)] * 4
        (seen,) = shop.query(photo, regions="street").seen
        assert (seen.region, seen.kind, seen.confidence) == ("whole", None, None)


class TestCommand:
    def test_it_says_what_is_seen(
        self, stylesearch: Command, ingested: Path, photo: Path, finder: FakeFinder
    ) -> None:
        with ss.open(ingested) as shop:
            *parts, _ = shop.detect(photo)
        shown = stylesearch("--home", ingested, "query", photo, "--regions", "person", "-k", 2)
        assert shown.code == 0, shown.err
        lines = shown.out.splitlines()
        told = [f"{part.kind} {part.confidence:.0%} ({part.region})" for part in parts]
        assert lines[1] == f"seen: {', '.join(told)}"
        assert "rank" in lines[2]

    def test_a_region_is_searched(
        self, stylesearch: Command, ingested: Path, photo: Path, finder: FakeFinder
    ) -> None:
        by_name, by_number = (
            stylesearch("--home", ingested, "query", photo, "--region", region, "-k", 5, "--json").json
            for region in ("legs", "2")
        )
        assert by_name == by_number
        (seen,) = by_name["seen"]
        assert seen.keys() == {"region", "box", "kind", "confidence"}
        assert (seen["region"], seen["box"]) == ("legs", [115, 180, 185, 350])
        with ss.open(ingested) as shop:
            found = shop.query(photo, region="legs", k=5)
        assert [hit["product"] for hit in by_name["hits"]] == [hit.product.id for hit in found]

    def test_hits_are_explained(
        self, stylesearch: Command, ingested: Path, photo: Path, finder: FakeFinder
    ) -> None:
        options = ("query", photo, "--region", "torso", "-k", 2, "--explain")
        told = stylesearch("--home", ingested, *options)
        first, second = told.out.splitlines()[-2:]
        assert re.search(r": torso with the region 115,80,185,210; network -?[0-9.]+, ", first)
        found = stylesearch("--home", ingested, *options, "--json").json["hits"]
        for hit, line in zip(found, (first, second), strict=True):
            assert f"{hit['rank']}  {hit['product']}: torso" in line
            explanation = hit["explanation"]
            assert explanation["square"] == explanation["region"] == [115, 80, 185, 210]
            assert sum(explanation["parts"].values()) == pytest.approx(1 - hit["distance"], abs=1e-4)

    def test_a_photo_without_that_part_fails_no_other(
        self, stylesearch: Command, ingested: Path, photo: Path, finder: FakeFinder, tmp_path: Path
    ) -> None:
        finder.somebody = False
        alone = stylesearch("--home", ingested, "query", photo, "--region", "torso")
        assert alone.code != 0
        assert "nobody is seen in the photo" in alone.err
        assert "region auto or whole" in alone.err
        (tmp_path / "other.jpg").write_bytes(photo.read_bytes())
        both = stylesearch(
            "--home", ingested, "query", photo, tmp_path / "other.jpg", "--region", "torso", "--json"
        )
        answers = [json.loads(line) for line in both.out.splitlines()]
        assert [answer["hits"] for answer in answers] == [[], []]
        assert all("nobody is seen" in answer["error"] for answer in answers)

    def test_spots_are_listed_with_the_numbers_that_a_search_takes(
        self, stylesearch: Command, ingested: Path, photo: Path, finder: FakeFinder
    ) -> None:
        with ss.open(ingested) as shop:
            wanted = shop.detect(photo)
        told = stylesearch("--home", ingested, "detect", photo)
        assert told.code == 0, told.err
        title, heading, *rows = (line.split() for line in told.out.splitlines())
        assert title == [f"{photo}:", str(WIDTH), "x", str(HEIGHT), "pixels"]
        assert heading == ["number", "region", "person", "kind", "confidence", "box"]
        for row, spot in zip(rows, wanted, strict=True):
            person = [str(spot.person)] if spot.person else []
            kind = str(spot.kind).split()
            assert row == [
                str(spot.number),
                spot.region,
                *person,
                *kind,
                f"{spot.confidence:.0%}",
                str(spot.box),
            ]
        answer = stylesearch("--home", ingested, "detect", photo, "--json").json
        assert (answer["photo"], answer["width"], answer["height"]) == (str(photo), WIDTH, HEIGHT)
        for found, spot in zip(answer["spots"], wanted, strict=True):
            assert (found["number"], found["person"], found["region"]) == (
                spot.number,
                spot.person,
                spot.region,
            )
            assert found["box"] == [spot.box.x0, spot.box.y0, spot.box.x1, spot.box.y1]
            searched = stylesearch(
                "--home", ingested, "query", photo, "--region", found["number"], "-k", 1, "--json"
            ).json
            assert [one["box"] for one in searched["seen"]] == [found["box"]]

    def test_a_bad_photo_fails_no_other_detection(
        self, stylesearch: Command, ingested: Path, photo: Path, finder: FakeFinder, tmp_path: Path
    ) -> None:
        bad = tmp_path / "bad.jpg"
        bad.write_bytes(b"no picture")
        both = stylesearch("--home", ingested, "detect", bad, photo, "--json")
        assert both.code == 3
        first, second = (json.loads(line) for line in both.out.splitlines())
        assert (first["photo"], first["spots"]) == (str(bad), [])
        assert first["error"] in both.err
        assert len(second["spots"]) == 4
        alone = stylesearch("--home", ingested, "detect", bad)
        assert (alone.code, alone.out) == (1, "")
        assert stylesearch("--home", ingested, "detect").code == 2

    @pytest.mark.parametrize(
        "wrong",
        [("--region", "head"), ("--region", "0"), ("--region", "torso", "--box", "0,0,9,9")],
    )
    def test_wrong_usage(
        self, stylesearch: Command, ingested: Path, photo: Path, wrong: tuple[str, ...]
    ) -> None:
        refused = stylesearch("--home", ingested, "query", photo, *wrong)
        assert refused.code == 2
        assert "region" in refused.err


@pytest.mark.slow
@pytest.mark.usefixtures("person_files")
class TestRealFinder:
    def test_spots_of_a_drawn_person(self, shop: ss.Workspace, drawn_shop: Path) -> None:
        n_found = n_same = 0
        for path in sorted((drawn_shop / "street").glob("*.jpg"))[:6]:
            found = shop.detect(path)
            planned = shop.query(path, regions="person", k=1)
            n_found += len(found) > 1
            by_region = {spot.region: spot for spot in found if spot.person <= 1}
            n_same += all(by_region[one.region].box == one.box for one in planned.seen)
        assert n_found >= 4
        assert n_same == 6

    def test_a_turned_photo_is_seen_upright(
        self, shop: ss.Workspace, drawn_shop: Path, tmp_path: Path
    ) -> None:
        """As a phone writes it: lying, with a note of how it was held."""
        path = next(
            path for path in sorted((drawn_shop / "street").glob("*.jpg")) if len(shop.detect(path)) > 1
        )
        exif = Image.Exif()
        exif[0x0112] = 6
        turned, straight = tmp_path / "turned.jpg", tmp_path / "straight.png"
        with Image.open(path) as street:
            street.save(straight)
            street.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif, quality=97)
        wanted, found = shop.detect(straight), shop.detect(turned)
        assert (found.width, found.height) == (wanted.width, wanted.height)
        assert [spot.region for spot in found] == [spot.region for spot in wanted]
        for one, other in zip(found, wanted, strict=True):
            corners = ([box.x0, box.y0, box.x1, box.y1] for box in (one.box, other.box))
            assert next(corners) == pytest.approx(next(corners), abs=12)
        result = shop.query(turned, regions="person", k=5)
        assert [one.box for one in result.seen] == [spot.box for spot in found if spot.person == 1]
        whole = shop.query(turned, region="whole", k=5)
        assert whole.regions == (Box(0, 0, wanted.width, wanted.height),)
