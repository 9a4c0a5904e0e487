from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesearch.drawn_shop import draw_photos, draw_product, write_demo
from stylesearch.drawn_shop.wardrobe import ATTRIBUTES
from stylesearch.errors import ConfigError, StyleSearchError
from stylesearch.types import Box, Domain

_SMALL = {"shop_size": 80, "street_size": 96}


def _digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_same_arguments_write_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_demo(tmp_path / name, n_products=4, seed=9, shop_photos_per_product=2, **_SMALL)
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")
    write_demo(tmp_path / "c", n_products=4, seed=10, shop_photos_per_product=2, **_SMALL)
    assert _digests(tmp_path / "c") != _digests(tmp_path / "a")


def test_several_processes_write_the_same_bytes(tmp_path: Path) -> None:
    for name, processes in (("one", 1), ("two", 2)):
        write_demo(tmp_path / name, n_products=6, seed=1, processes=processes, **_SMALL)
    assert _digests(tmp_path / "one") == _digests(tmp_path / "two")


def test_hard_changes_street_photos_only(tmp_path: Path) -> None:
    for name, hard in (("easy", False), ("hard", True)):
        write_demo(tmp_path / name, n_products=3, seed=1, hard=hard, **_SMALL)
    easy, hard_ = (_digests(tmp_path / name) for name in ("easy", "hard"))
    changed = {name for name in easy if easy[name] != hard_[name]}
    assert changed == {"demo.json", *(name for name in easy if name.startswith("street/"))}


def test_a_larger_shop_contains_the_smaller_one(tmp_path: Path) -> None:
    small = write_demo(tmp_path / "small", n_products=3, seed=2, **_SMALL)
    large = write_demo(tmp_path / "large", n_products=7, seed=2, **_SMALL)
    images = {name: digest for name, digest in _digests(small.folder).items() if name.endswith(".jpg")}
    assert len(images) == 6
    assert images.items() <= _digests(large.folder).items()
    assert _rows(small.products_csv) == _rows(large.products_csv)[:3]
    assert _rows(small.street_csv) == _rows(large.street_csv)[:3]


def test_the_tables_say_what_is_there(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    report = write_demo(
        tmp_path / "shop",
        n_products=5,
        seed=3,
        shop_photos_per_product=2,
        street_photos_per_product=2,
        progress=lambda done, total: calls.append((done, total)),
        **_SMALL,
    )
    assert (report.products, report.shop_photos, report.street_photos) == (5, 10, 10)
    assert calls == [(done, 5) for done in range(1, 6)]
    shop, street = _rows(report.products_csv), _rows(report.street_csv)
    header = [
        "id",
        "title",
        "category",
        "image",
        "price",
        "url",
        "domain",
        "box",
        *ATTRIBUTES,
        "family",
        "differs_in",
    ]
    assert list(shop[0]) == header
    assert list(street[0]) == ["id", "title", "category", "image", "domain", "box"]
    for index, row in enumerate(shop):
        product = draw_product(index // 2, 3)
        assert (row["id"], row["title"], row["category"]) == (
            product.id,
            product.title,
            product.spec.category,
        )
        assert (row["price"], row["url"], row["domain"], row["box"]) == (
            product.price,
            product.url,
            "shop",
            "",
        )
        assert {name: row[name] for name in product.attributes} == product.attributes
        assert row["image"] == f"catalog/{row['category']}/{row['id']}/shop_{index % 2 + 1}.jpg"
    for row in street:
        assert row["domain"] == "consumer"
        box = Box.parse(row["box"])
        with Image.open(report.folder / row["image"]) as image:
            assert image.format == "JPEG"
            assert box.x1 <= image.width
            assert box.y1 <= image.height
    listed = {row["image"] for row in (*shop, *street)}
    written = {str(path.relative_to(report.folder)) for path in report.folder.rglob("*.jpg")}
    assert listed == written
    assert {row["id"] for row in shop} == {row["id"] for row in street}


def test_no_street_photos_leave_an_empty_table(tmp_path: Path) -> None:
    report = write_demo(tmp_path / "shop", n_products=2, street_photos_per_product=0, **_SMALL)
    assert report.street_photos == 0
    assert report.street_csv.read_text() == "id,title,category,image,domain,box\n"


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_products": 0},
        {"n_products": -3},
        {"n_products": 1, "shop_photos_per_product": 0},
        {"n_products": 1, "street_photos_per_product": -1},
        {"n_products": 1, "processes": 0},
        {"n_products": 1, "shop_size": 10},
    ],
)
def test_numbers_that_make_no_sense_are_refused_before_anything_is_made(
    tmp_path: Path, wrong: dict[str, int]
) -> None:
    with pytest.raises(ConfigError, match="Received"):
        write_demo(tmp_path / "shop", **wrong)
    assert not (tmp_path / "shop").exists()


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "mine.jpg").write_bytes(b"mine")
    for overwrite in (False, True):  # not even when told: nothing says that it was drawn here
        with pytest.raises(StyleSearchError, match="not empty") as caught:
            write_demo(tmp_path, n_products=1, overwrite=overwrite, **_SMALL)
        assert caught.value.hint
    assert _digests(tmp_path).keys() == {"catalog/mine.jpg"}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file")
    with pytest.raises(ConfigError, match="is a file"):
        write_demo(tmp_path / "shop", n_products=1, **_SMALL)


def test_an_earlier_shop_is_replaced_only_when_told(tmp_path: Path) -> None:
    write_demo(tmp_path / "shop", n_products=3, seed=1, **_SMALL)
    (tmp_path / "shop" / "notes.txt").write_text("mine")
    before = _digests(tmp_path / "shop")
    with pytest.raises(ConfigError, match="not empty"):
        write_demo(tmp_path / "shop", n_products=2, seed=1, **_SMALL)
    assert _digests(tmp_path / "shop") == before
    write_demo(tmp_path / "shop", n_products=2, seed=1, overwrite=True, **_SMALL)
    after = _digests(tmp_path / "shop")
    assert sum(name.endswith(".jpg") for name in after) == 4
    assert after["notes.txt"] == before["notes.txt"]


def test_photos_without_files_are_those_of_the_files(tmp_path: Path) -> None:
    report = write_demo(tmp_path / "shop", n_products=3, seed=5, **_SMALL)
    drawn = list(draw_photos(3, seed=5, **_SMALL))
    assert len(drawn) == 6
    boxes = {row["image"]: Box.parse(row["box"]) for row in _rows(report.street_csv)}
    for pixels, record in drawn:
        with Image.open(report.folder / record.path) as image:
            np.testing.assert_array_equal(pixels, np.asarray(image))
        assert record.box == boxes.get(record.path)
        assert record.domain is (Domain.CONSUMER if record.path in boxes else Domain.SHOP)
    later = [record.product.id for _, record in draw_photos(1, seed=5, first=2, **_SMALL)]
    assert later == [draw_product(2, 5).id] * 2


def test_the_package_is_light_until_it_draws() -> None:
    heavy = "{'PIL', 'numpy', 'multiprocessing'}"
    code = f"import sys, stylesearch.drawn_shop; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_an_attribute_error() -> None:
    import stylesearch.drawn_shop as synth

    with pytest.raises(AttributeError, match="paint"):
        synth.paint  # noqa: B018
