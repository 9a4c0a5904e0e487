from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions
from stylesearch.importers.datasets.deepfashion2 import CATEGORIES, GROUPS, DeepFashion2
from stylesearch.types import Box
from tests.unit.importers.datasets.conftest import Read
from tests.unit.importers.datasets.layouts import attributes_of, deepfashion2, garment, write_json


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return deepfashion2(tmp_path / "df2")


def test_garments_are_products_and_a_image_may_show_several(read: Read, root: Path) -> None:
    found = read(DeepFashion2(), root)
    assert found.names == [
        "deepfashion2:train/1/1/1 image/000001.jpg consumer",
        "deepfashion2:train/1/2/9 image/000001.jpg consumer",
        "deepfashion2:train/1/1/1 image/000002.jpg shop",
        "deepfashion2:train/1/2/9 image/000003.jpg shop",
        "deepfashion2:train/1/0/8/000003-item2 image/000003.jpg shop",
        "deepfashion2:validation/1/1/1 image/000001.jpg consumer",
        "deepfashion2:validation/1/1/1 image/000002.jpg shop",
    ]
    assert (found.failures, found.missing) == ([], [])
    assert [r.box for r in found.records[:3]] == [Box(10, 20, 60, 90), Box(5, 60, 95, 118), Box(8, 8, 90, 99)]
    assert all(Path(record.path).is_file() for record in found.records)


def test_what_a_product_says(read: Read, root: Path) -> None:
    product = read(DeepFashion2(), root).records[1].product
    assert (product.said["title"], product.said["category"]) == ("Skirt train/1/2/9", "skirt")
    assert attributes_of(product) == {
        "dataset": "deepfashion2",
        "dataset_id": "train/1/2/9",
        "split": "train",
        "dataset_category": "skirt",
        "seed_group": "Skirt",
    }
    grouped = read(DeepFashion2(), root, categories="study2018").records
    assert [r.product.said["category"] for r in grouped[:5]] == ["upper", "Skirt", "upper", "Skirt", "lower"]


def test_every_category_has_a_group() -> None:
    assert set(GROUPS) == set(CATEGORIES)
    assert len(CATEGORIES) == 13


@pytest.mark.parametrize(
    ("options", "n_records"),
    [
        ({"splits": ("validation",)}, 2),
        ({"splits": ("train",)}, 5),
        ({"splits": ("validation",), "gallery": ("train", "validation")}, 5),
    ],
)
def test_splits(read: Read, root: Path, options: dict[str, tuple[str, ...]], n_records: int) -> None:
    assert len(read(DeepFashion2(), root, **options).records) == n_records
    assert DeepFashion2().count(root, ImportOptions(**options)) == n_records


def test_of_two_boxes_for_one_product_the_larger_counts(read: Read, root: Path) -> None:
    content = {
        "item1": garment(box=(0, 0, 10, 10)),
        "item2": garment(box=(5, 5, 50, 50)),
        "item3": garment(box=(1, 1, 3, 3)),
        "source": "shop",
        "pair_id": 9,
    }
    write_json(root / "train/annos/000002.json", content)
    assert [r.box for r in read(DeepFashion2(), root).of("deepfashion2:train/9/1/1")] == [Box(5, 5, 50, 50)]


def test_a_missing_image_and_another_extension(read: Read, root: Path) -> None:
    (root / "train/image/000001.jpg").unlink()
    shutil.move(root / "train/image/000002.jpg", root / "train/image/000002.jpeg")
    found = read(DeepFashion2(), root)
    assert [m.listed_in for m in found.missing] == [f"{root}/train/annos/000001.json:1"] * 2
    assert found.records[0].path == f"{root}/train/image/000002.jpeg"


ITEM: dict[str, Any] = garment()
BROKEN_ITEMS = [
    ("text", "an item is an object. Received: 'text'"),
    (ITEM | {"style": "one"}, "style is a whole number. Received: 'one'"),
    (ITEM | {"style": None}, "style is a whole number"),
    (ITEM | {"category_id": 14}, "category_id is 1 to 13. Received: 14"),
    (ITEM | {"category_id": 0}, "category_id is 1 to 13"),
    (ITEM | {"bounding_box": [1, 2, 3]}, "bounding_box is [x1, y1, x2, y2]"),
    (ITEM | {"bounding_box": [1, 2, "3", 4]}, "a corner is a number. Received: '3'"),
    (ITEM | {"bounding_box": [9, 2, 3, 4]}, "a box with nothing in it"),
    (ITEM | {"bounding_box": None}, "bounding_box is"),
]


@pytest.mark.parametrize(("item", "reason"), BROKEN_ITEMS, ids=range(len(BROKEN_ITEMS)))
def test_a_broken_garment_is_told_and_the_others_are_read(
    read: Read, root: Path, item: object, reason: str
) -> None:
    path = root / "train/annos/000002.json"
    content = {"source": "shop", "pair_id": 1, "item1": garment(), "item2": item}
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    line = (
        path.read_text()
        .splitlines()
        .index(next(text for text in path.read_text().splitlines() if '"item2"' in text))
    )
    found = read(DeepFashion2(), root)
    assert [f.item for f in found.failures] == [f"{path}:{line + 1}"]
    assert found.failures[0].reason.startswith("'item2': ")
    assert reason in found.failures[0].reason
    assert len(found.records) == 7


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        (b"", 1, "not JSON: Expecting value"),
        (b'{\n"source": "shop",\n', 3, "not JSON"),
        (b"[]", 1, "not an object"),
        (b"\n\n\xff\xfe", 3, "not valid UTF-8"),
        (b"\x89PNG\r\n\x1a\n\x00", 1, "not valid UTF-8"),
        (b"[" * 100_000, 1, "not JSON that can be read"),
        (b'{"source": "street", "pair_id": 1}', 1, "source is user or shop. Received: 'street'"),
        (b'{"source": ["shop"], "pair_id": 1}', 1, "source is user or shop"),
        (b'{"source": "shop", "pair_id": "x"}', 1, "pair_id is a whole number"),
    ],
)
def test_a_broken_file_is_told_with_its_line(
    read: Read, root: Path, content: bytes, line: int, reason: str
) -> None:
    path = write_json(root / "train/annos/000002.json", content)
    found = read(DeepFashion2(), root)
    assert [(f.item, reason in f.reason) for f in found.failures] == [(f"{path}:{line}", True)]
    assert len(found.records) == 6


def test_a_byte_order_mark_crlf_and_junk(read: Read, root: Path) -> None:
    text = json.dumps({"source": "shop", "pair_id": "1", "item1": garment()}, indent=1)
    path = root / "train/annos/000002.json"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    (root / "train/annos/._000002.json").write_bytes(b"\x00\x05\x16\x07")
    found = read(DeepFashion2(), root)
    assert (found.failures, len(found.records)) == ([], 7)


def test_no_annotations_and_no_images(read: Read, root: Path) -> None:
    shutil.rmtree(root / "train/image")
    shutil.rmtree(root / "validation/image")
    with pytest.raises(DatasetError, match="not one of the 7 pictures"):
        read(DeepFashion2(), root)
    for split in ("train", "validation"):
        shutil.rmtree(root / split)
    with pytest.raises(DatasetError, match="no train/annos/"):
        read(DeepFashion2(), root)
