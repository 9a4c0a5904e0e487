"""The region plan ``person``: squares beside bands of a photo, or the plan ``large`` where nobody is."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from stylesearch.errors import WeightsNotFound
from stylesearch.features.compute import compute_regions
from stylesearch.features.region_cache import RegionCache
from stylesearch.features.stream import ExtractionOptions
from stylesearch.images.decode import DecodedImage, SideWanted, decode_reduced
from stylesearch.images.inputs import make_inputs
from stylesearch.images.regions import plan_boxes
from stylesearch.persons import regions
from stylesearch.persons.finder import Person
from stylesearch.persons.preload import preload_finder
from stylesearch.persons.regions import make_person_inputs
from stylesearch.spaces.base import join_squares
from stylesearch.types import Box
from stylesearch.vectors import normalize_rows
from tests.unit.persons.fake_finder import BODY, HEIGHT, WIDTH, FakeFinder


@pytest.fixture
def photo() -> bytes:
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 200, (HEIGHT // 10, WIDTH // 10, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFinder]:
    fake = FakeFinder()
    monkeypatch.setattr(regions, "_FINDER", fake)
    regions._say_once.cache_clear()
    yield fake
    regions._say_once.cache_clear()


def test_a_person_is_seen_through_bands_the_body_and_squares(photo: bytes, finder: FakeFinder) -> None:
    inputs = make_person_inputs(photo, [64, 96])
    assert inputs.n_squares == 3
    assert list(inputs.boxes[:3]) == plan_boxes("bands", WIDTH, HEIGHT)
    # The trunk is 100 long: 15 beside the joints, 20 above, 10 below.
    parts = (Box(115, 80, 185, 210), Box(115, 180, 185, 350), BODY)
    assert inputs.boxes[3:] == (BODY, *parts)
    assert [one.region for one in inputs.squares] == ["torso", "legs", "body"]
    for size in (64, 96):
        assert inputs.pixels[size].shape == (7, size, size, 3)
        assert inputs.pixels[size].dtype == np.uint8
        fixed = make_inputs(photo, [size], "bands").pixels[size]
        assert np.array_equal(inputs.pixels[size][0], fixed[0])


def test_around_the_person_all_is_white(photo: bytes, finder: FakeFinder) -> None:
    finder.shoulders = 0  # the torso reaches above the mask
    inputs = make_person_inputs(photo, [64])
    torso = inputs.pixels[64][-3]
    box = inputs.boxes[-3]
    assert (box.y0, box.y1) == (0, 110)
    of_mask = round(64 * (BODY.y0 - box.y0) / (box.y1 - box.y0))
    assert (torso[: of_mask - 2] == 255).all()
    assert (torso[of_mask + 2 :, 20:44] < 255).any()


def test_a_torso_outside_the_photo_leaves_the_body(photo: bytes, finder: FakeFinder) -> None:
    finder.shoulders = 900
    finder.knees = 900
    inputs = make_person_inputs(photo, [64])
    assert inputs.n_squares == 1
    assert inputs.boxes[3:] == (BODY, BODY)
    assert len(inputs.pixels[64]) == 5


def test_a_torso_of_which_nothing_is_seen_leaves_the_body(photo: bytes, finder: FakeFinder) -> None:
    finder.shoulders = -95  # the box ends at 15, where the mask has not begun
    finder.knees = 900
    inputs = make_person_inputs(photo, [64])
    assert inputs.n_squares == 1
    assert inputs.boxes[3:] == (BODY, BODY)


def test_a_square_is_made_of_as_many_pixels_as_the_photo_has(finder: FakeFinder) -> None:
    stripes = np.zeros((3000, 2250, 3), np.uint8)
    for column in range(3):
        stripes[:, column::8] = 180
    file = io.BytesIO()
    Image.fromarray(stripes).save(file, "PNG")
    torso = make_person_inputs(file.getvalue(), [320]).pixels[320][-3]
    # The torso is 525 pixels wide there, and 131 in the photo that is reduced for the regions.
    middle = torso[160, 100:220, 0].astype(float)
    assert middle.std() > 45


@pytest.mark.parametrize(("height", "n_decodes"), [(HEIGHT, 1), (1200, 1), (2400, 1), (3000, 2)])
def test_a_photo_is_decoded_again_for_a_small_torso_only(
    finder: FakeFinder, monkeypatch: pytest.MonkeyPatch, height: int, n_decodes: int
) -> None:
    file = io.BytesIO()
    Image.new("RGB", (height * WIDTH // HEIGHT, height), (90, 120, 40)).save(file, "PNG")
    asked = []

    def decode(source: bytes, reductions: list[SideWanted], **options: int) -> list[DecodedImage]:
        asked.append(reductions)
        return decode_reduced(source, reductions, **options)

    monkeypatch.setattr(regions, "decode_reduced", decode)
    make_person_inputs(file.getvalue(), [320])
    assert len(asked) == n_decodes


def test_a_study_wants_the_files(finder: FakeFinder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def prepare() -> None:
        raise WeightsNotFound("no files", hint="stylesearch weights fetch")

    monkeypatch.setattr(finder, "prepare", prepare, raising=False)
    cache = RegionCache(tmp_path, "f" * 64, 3, "person")
    missing = SimpleNamespace(image=SimpleNamespace(sha256="ab" * 32))
    with pytest.raises(WeightsNotFound):
        compute_regions(cache, None, [missing], ExtractionOptions())  # type: ignore[arg-type, list-item]


def test_without_a_person_the_regions_are_those_of_large(photo: bytes, finder: FakeFinder) -> None:
    finder.somebody = False
    found, large = make_person_inputs(photo, [64]), make_inputs(photo, [64], "large")
    assert found.n_squares == 0
    assert found.boxes == large.boxes
    assert np.array_equal(found.pixels[64], large.pixels[64])


def test_without_the_files_too_and_it_is_said_once(
    photo: bytes, finder: FakeFinder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(pixels: np.ndarray, max_persons: int = 4) -> list[Person]:
        raise WeightsNotFound("no files", hint="stylesearch weights fetch")

    monkeypatch.setattr(finder, "find", refuse)
    large = make_inputs(photo, [64], "large")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert np.array_equal(make_person_inputs(photo, [64]).pixels[64], large.pixels[64])
    assert [record.message for record in caplog.records] == [
        "persons are not looked for in photos: no files (stylesearch weights fetch)"
    ]


@pytest.mark.usefixtures("person_files")
def test_a_drawn_person_is_found_by_the_real_finder(drawn_shop: Path) -> None:
    photos = sorted((drawn_shop / "street").glob("*.jpg"))[:6]
    n_squares = [make_person_inputs(path, [64]).n_squares for path in photos]
    assert sum(n >= 2 for n in n_squares) >= 4


class TestPairs:
    vectors = normalize_rows(np.random.default_rng(1).standard_normal((6, 8)).astype(np.float32))
    gallery = normalize_rows(np.random.default_rng(2).standard_normal((20, 8)).astype(np.float32))

    def test_there_is_one_of_each_region_and_square(self) -> None:
        pairs = join_squares(self.vectors, 2, "l1")
        assert pairs.shape == (8, 8)
        for row in range(8):
            region, square = self.vectors[row // 2], self.vectors[4 + row % 2]
            assert np.allclose(pairs[row], (region + square) / 2)

    def test_its_cosine_distance_orders_as_the_sum_of_both(self) -> None:
        pairs = join_squares(self.vectors, 2, "cosine")
        assert np.allclose(np.linalg.norm(pairs, axis=1), 1, atol=1e-6)
        for row in range(8):
            sums = -self.gallery @ (self.vectors[row // 2] + self.vectors[4 + row % 2])
            assert np.array_equal(np.argsort(1 - self.gallery @ pairs[row]), np.argsort(sums))

    def test_without_squares_nothing_changes(self) -> None:
        assert join_squares(self.vectors, 0, "cosine") is self.vectors

    def test_squares_without_regions_are_searched_alone(self) -> None:
        assert join_squares(self.vectors, 6, "cosine") is self.vectors


def test_it_is_loaded_in_the_background_once(finder: FakeFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def prepare() -> None:
        loaded.append(threading.current_thread().name)
        raise WeightsNotFound("no files")  # is not raised here, but said

    monkeypatch.setattr(finder, "prepare", prepare, raising=False)
    preload_finder.cache_clear()
    for _ in range(2):
        preload_finder()
    for thread in threading.enumerate():
        if thread.name == "load persons":
            thread.join()
    assert loaded == ["load persons"]
    preload_finder.cache_clear()
