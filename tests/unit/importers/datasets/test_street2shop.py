from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions
from stylesearch.importers.datasets.street2shop import Street2Shop
from stylesearch.types import Box
from tests.unit.importers.datasets.conftest import Read
from tests.unit.importers.datasets.layouts import draw, street_to_shop, write_json


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return street_to_shop(tmp_path / "s2s")


def test_products_are_category_and_number_and_a_photo_may_show_several(read: Read, root: Path) -> None:
    found = read(Street2Shop(), root)
    assert found.names == [
        "street2shop:bags/1 photos/2848.jpeg consumer",
        "street2shop:bags/1 photos/31.jpg shop",
        "street2shop:dresses/47270 photos/000002847.jpg consumer",
        "street2shop:dresses/1 photos/000008288.png consumer",
        "street2shop:dresses/1 photos/2848.jpeg consumer",
        "street2shop:dresses/1 photos/000163478.jpg shop",
        "street2shop:dresses/47270 photos/000000011.JPG shop",
        "street2shop:dresses/5 photos/12.jpg shop",
    ]
    assert (found.failures, found.missing) == ([], [])
    assert all(Path(record.path).is_file() for record in found.records)
    box = Box(10, 20, 70, 100)
    assert [record.box for record in found.records] == [box, None, box, None, box, None, None, None]


def test_splits_and_groups_are_attributes(read: Read, root: Path) -> None:
    found = read(Street2Shop(), root)
    products = {r.product.id: r.product for r in found.records}
    assert {key: product.said["attributes.split"] for key, product in products.items()} == {
        "street2shop:bags/1": "test",
        "street2shop:dresses/47270": "train",
        "street2shop:dresses/1": "test",
        "street2shop:dresses/5": "gallery",
    }
    assert products["street2shop:bags/1"].said["attributes.seed_group"] == "other"
    assert products["street2shop:dresses/5"].said["category"] == "dresses"
    grouped = read(Street2Shop(), root, categories="study2018")
    assert {r.product.said["category"] for r in grouped.records} == {"Dress", "other"}


@pytest.mark.parametrize(
    ("options", "n_consumer", "shop"),
    [
        ({"splits": ("test",)}, 3, {"bags/1", "dresses/1"}),
        ({"splits": ("train",)}, 1, {"dresses/47270"}),
        (
            {"splits": ("test",), "gallery": ("all",)},
            3,
            {"bags/1", "dresses/1", "dresses/47270", "dresses/5"},
        ),
        ({"splits": ("gallery",)}, 0, {"dresses/5"}),
    ],
)
def test_splits_can_be_chosen(
    read: Read, root: Path, options: dict[str, tuple[str, ...]], n_consumer: int, shop: set[str]
) -> None:
    records = read(Street2Shop(), root, **options).records
    assert sum(r.domain == "consumer" for r in records) == n_consumer
    assert {r.product.said["attributes.dataset_id"] for r in records if r.domain == "shop"} == shop
    assert Street2Shop().count(root, ImportOptions(**options)) == len(records)


def test_images_that_are_gone_are_counted(read: Read, root: Path) -> None:
    (root / "photos/000163478.jpg").unlink()
    found = read(Street2Shop(), root)
    assert found.failures == []
    assert [(m.path, m.listed_in) for m in found.missing] == [
        (f"{root}/photos/000163478.jpg", f"{root}/meta/json/retrieval_dresses.json:1")
    ]


def test_images_in_folders_and_beside_junk(read: Read, root: Path) -> None:
    shutil.move(root / "photos/12.jpg", root / "photos/31.txt")
    draw(root / "photos/dresses/0012.webp")
    (root / "photos/._2848.jpg").write_bytes(b"junk")
    (root / "photos/.hidden").mkdir()
    draw(root / "photos/.hidden/12.jpg")
    found = read(Street2Shop(), root)
    assert [r.path for r in found.of("street2shop:dresses/5")] == [f"{root}/photos/dresses/0012.webp"]
    assert [r.path for r in found.of("street2shop:bags/1")][1] == f"{root}/photos/31.jpg"


def test_a_photo_listed_twice_counts_once(read: Read, root: Path) -> None:
    entries = [
        {"photo": 2847, "product": 47270, "bbox": {"width": 5, "top": 1, "left": 2, "height": 6}},
        {"photo": 2847, "product": 47270, "bbox": {"width": 50, "top": 1, "left": 2, "height": 60}},
    ]
    write_json(root / "meta/json/train_pairs_dresses.json", entries)
    write_json(root / "meta/json/retrieval_bags.json", [{"photo": 31, "product": 1}] * 2)
    found = read(Street2Shop(), root)
    assert [r.box for r in found.of("street2shop:dresses/47270")] == [Box(2, 1, 7, 7), None]
    assert len(found.of("street2shop:bags/1")) == 2


GOOD = {"photo": 2847, "product": 47270}
BROKEN_ENTRIES = [
    ([1], "an entry has a photo and a product. Received: [1]"),
    ({"photo": "x", "product": 1}, "photo is a whole number. Received: 'x'"),
    ({"photo": 1.5, "product": 1}, "photo is a whole number"),
    ({"photo": True, "product": 1}, "photo is a whole number"),
    ({"photo": -1, "product": 1}, "photo is a whole number"),
    ({"photo": 1}, "product is a whole number. Received: None"),
    (GOOD | {"bbox": [1, 2, 3, 4]}, "bbox has height, left, top, width"),
    (GOOD | {"bbox": {"width": "9", "top": 1, "left": 1, "height": 9}}, "width is a number. Received: '9'"),
    (GOOD | {"bbox": {"width": 0, "top": 1, "left": 1, "height": 9}}, "a box with nothing in it"),
    (GOOD | {"bbox": {"width": float("nan"), "top": 1, "left": 1, "height": 9}}, "width is a number"),
    (GOOD | {"bbox": {"width": 1e300, "top": 1, "left": 1, "height": 9}}, "larger than any picture"),
]


@pytest.mark.parametrize(("entry", "reason"), BROKEN_ENTRIES, ids=range(len(BROKEN_ENTRIES)))
def test_a_broken_entry_is_told_with_file_and_line(
    read: Read, root: Path, entry: object, reason: str
) -> None:
    path = root / "meta/json/train_pairs_dresses.json"
    path.write_text(f"[\n  {json.dumps(entry)},\n  {json.dumps(GOOD)}\n]\n", encoding="utf-8")
    found = read(Street2Shop(), root)
    assert [(f.item, reason in f.reason) for f in found.failures] == [(f"{path}:2", True)]
    assert len(found.records) == 8


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (b"", 1, "expected '[', found the end of the file"),
        (b"\n\n{}", 3, "expected '['"),
        (b'[{"photo": 11, "product": 47270},\n {"photo": 12', 2, "entry 2 cannot be read"),
        (b'[{"photo": 11, "product": 47270}\n{"photo": 12}]', 2, "after entry 1, expected ','"),
        (b'[{"photo": 11, "product": 47270}', 1, "found the end of the file"),
        (b'[{"photo": 11,\n "product": 47270}\n, nonsense]', 3, "entry 2 cannot be read"),
        (b"[\n\xff\xd8\xff", 2, "not valid UTF-8"),
        (b"[" * 100_000, 1, "entry 1 cannot be read"),
        (b"\x89PNG\r\n\x1a\n\x00", 1, "not valid UTF-8"),
    ],
)
def test_a_file_that_stops_being_json(read: Read, root: Path, text: bytes, line: int, reason: str) -> None:
    path = write_json(root / "meta/json/retrieval_dresses.json", text)
    found = read(Street2Shop(), root)
    assert [(f.item, reason in f.reason) for f in found.failures] == [(f"{path}:{line}", True)]
    assert len(found.of("street2shop:bags/1")) == 2


def test_a_byte_order_mark_and_crlf(read: Read, root: Path) -> None:
    path = root / "meta/json/retrieval_bags.json"
    path.write_bytes(b'\xef\xbb\xbf[\r\n{"photo": 31,\r\n"product": "1"}\r\n]\r\n')
    found = read(Street2Shop(), root)
    assert found.failures == []
    assert len(found.of("street2shop:bags/1")) == 2


def test_a_file_that_is_not_there_is_a_failure(read: Read, root: Path) -> None:
    (root / "meta/json/train_pairs_bags.json").unlink()
    found = read(Street2Shop(), root)
    assert [f.item for f in found.failures] == [f"{root}/meta/json/train_pairs_bags.json"]
    assert len(found.records) == 8


def test_a_image_on_both_sides_of_one_product(read: Read, root: Path) -> None:
    write_json(root / "meta/json/retrieval_bags.json", [{"photo": 2848, "product": 1}])
    found = read(Street2Shop(), root)
    assert [f.reason for f in found.failures] == ["photo 2848 is a street photo of the product 1 too"]


def test_no_photos_and_no_annotations(read: Read, root: Path) -> None:
    shutil.rmtree(root / "photos")
    with pytest.raises(DatasetError, match="no folder of pictures"):
        read(Street2Shop(), root)
    shutil.rmtree(root / "meta")
    with pytest.raises(DatasetError, match="no meta/json/retrieval_CATEGORY"):
        read(Street2Shop(), root)
