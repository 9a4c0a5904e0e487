"""``stylesearch products duplicates``: images that several products have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import stylesearch as ss
from tests.integration.conftest import Command


def dress(seed: int) -> Image.Image:
    """A garment of its own cut and print on white ground."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (300, 400), "white")
    draw = ImageDraw.Draw(image)
    hem = int(random.integers(60, 140))
    draw.polygon([(90, 30), (210, 30), (150 + hem, 370), (150 - hem, 370)], fill=(150, 40, 60))
    for x, y, size in random.integers((110, 60, 8), (190, 340, 30), (14, 3)).tolist():
        draw.ellipse([x, y, x + size, y + size], fill=(75, 20, 30))
    return image


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three products of one image, one of them saved smaller, and two products of their own."""
    folder = tmp_path_factory.mktemp("duplicates")
    source = folder / "source"
    source.mkdir()
    dress(1).save(source / "a.jpg", quality=95)
    (source / "same.jpg").write_bytes((source / "a.jpg").read_bytes())
    dress(1).resize((150, 200)).save(source / "small.jpg", quality=80)
    dress(2).save(source / "b.jpg")
    dress(3).save(source / "c.jpg")
    rows = ["id,image", "p1,a.jpg", "p2,same.jpg", "p3,small.jpg", "p4,b.jpg", "p5,c.jpg"]
    (source / "products.csv").write_text("\n".join([*rows, "p1,same.jpg", "p5,c.jpg"]))
    home = folder / "home"
    with ss.open(home, extractor="color-histogram") as shop:
        shop.ingest(source / "products.csv")
    return home


def groups(listed: list[dict[str, object]]) -> list[tuple[bool, list[tuple[str, str]]]]:
    return [
        (group["equal"], [(one["product"], Path(one["path"]).name) for one in group["images"]])  # type: ignore
        for group in listed
    ]


def test_equal_and_near_images_are_grouped(stylesearch: Command, home: Path) -> None:
    found = stylesearch("--home", home, "products", "duplicates", "--json").json
    images = [("p1", "a.jpg"), ("p1", "same.jpg"), ("p2", "same.jpg"), ("p3", "small.jpg")]
    assert groups(found) == [(False, images)]
    printed = stylesearch("--home", home, "products", "duplicates", "-q").out.splitlines()
    assert [line.split()[:3] for line in printed[1:]] == [["1", "near", name] for name, _ in images]


def test_with_a_threshold_of_none_only_equal_files_are_grouped(
    stylesearch: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylesearch.training.near_duplicates.decode", None)
    found = stylesearch("--home", home, "products", "duplicates", "--threshold", 0, "--json").json
    assert groups(found) == [(True, [("p1", "a.jpg"), ("p1", "same.jpg"), ("p2", "same.jpg")])]


def test_a_threshold_is_a_number_of_bits(stylesearch: Command, home: Path) -> None:
    assert stylesearch("--home", home, "products", "duplicates", "--threshold", 65).code == 2


def test_a_shop_without_duplicates_has_an_empty_list(stylesearch: Command, tmp_path: Path) -> None:
    dress(1).save(tmp_path / "a.jpg")
    (tmp_path / "products.csv").write_text("id,image\np1,a.jpg\n")
    with ss.open(tmp_path / "home", extractor="color-histogram") as shop:
        shop.ingest(tmp_path / "products.csv")
    assert stylesearch("--home", tmp_path / "home", "products", "duplicates", "--json").json == []
