from __future__ import annotations

from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions
from stylesearch.importers.datasets.deepfashion import DatasetWarning, InShop
from stylesearch.types import Box, Domain
from tests.unit.importers.datasets.conftest import Read
from tests.unit.importers.datasets.layouts import GOWN, INSHOP_ROWS, attributes_of, in_shop

PARTITION = "Eval/list_eval_partition.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return in_shop(tmp_path / "inshop")


def test_images_products_and_query_images_as_those_of_consumers(read: Read, root: Path) -> None:
    found = read(InShop(), root)
    assert found.names == [
        "deepfashion-inshop:id_00000002 id_00000002/02_1_front.jpg shop",
        "deepfashion-inshop:id_00000002 id_00000002/02_2_side.jpg shop",
        "deepfashion-inshop:id_00000080 id_00000080/01_1_front.jpg consumer",
        "deepfashion-inshop:id_00000080 id_00000080/01_3_back.jpg shop",
        "deepfashion-inshop:id_00000090 id_00000090/01_1_front.jpg shop",
    ]
    assert [r.box for r in found.records[:4]] == [Box(64, 0, 192, 256), None, None, Box(70, 100, 180, 250)]
    assert attributes_of(found.records[2].product) == {
        "dataset": "deepfashion-inshop",
        "dataset_id": "id_00000080",
        "split": "test",
        "dataset_category": "MEN/Denim",
        "seed_group": "lower",
    }
    assert (found.failures, found.missing) == ([], [])


def test_the_study_s_groups_and_what_is_in_none(read: Read, root: Path) -> None:
    found = read(InShop(), root, categories="study2018")
    assert [r.product.said["category"] for r in found.records] == [
        "Dress",
        "Dress",
        "lower",
        "lower",
        "other",
    ]


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({"splits": ("train",)}, [0, 1]),
        ({"splits": ("test",)}, [2, 3, 4]),
        ({"splits": ("query", "gallery")}, [2, 3, 4]),
        ({"splits": ("query",)}, [2]),
        ({"splits": ("gallery",)}, [3, 4]),
        ({"splits": ("test",), "gallery": ("all",)}, [0, 1, 2, 3, 4]),
    ],
)
def test_splits(read: Read, root: Path, options: dict[str, tuple[str, ...]], files: list[int]) -> None:
    found = read(InShop(), root, **options)
    assert [r.path for r in found.records] == [f"{root}/Img/{INSHOP_ROWS[number][0]}" for number in files]
    assert InShop().count(root, ImportOptions(**options)) == len(files)


def test_boxes_in_high_resolution_lose_the_margin_of_the_square(read: Read, tmp_path: Path) -> None:
    root = in_shop(tmp_path / "inshop", images="img_highres", size=(750, 1101))
    found = read(InShop(), root)
    # The square of 256 shows 1101 pixels: a margin of 175.5 on either side.
    scale = 1101 / 256
    assert found.records[0].box == Box(round(64 * scale - 175.5), 0, round(192 * scale - 175.5), 1101)
    assert found.records[3].box == Box(
        round(70 * scale - 175.5), round(100 * scale), round(180 * scale - 175.5), round(250 * scale)
    )


BROKEN = [
    (f"{GOWN}/02_1_front.jpg id_00000002", "2 columns, where there should be 3"),
    (f"{GOWN}/03_1_front.jpg id_00000002 val", "evaluation_status is one of train, query, gallery"),
    (f"{GOWN}/03_1_front.jpg id_00000002 query", "id_00000002 is in the split test here, and in train in"),
    (f"{GOWN}/03_1_front.jpg id_00000003 train", "not in the folder of the item 'id_00000003'"),
    (f"{GOWN}/02_1_front.jpg id_00000002 train", "txt:3 lists this picture already"),
    ("img/WOMEN/id_00000002/02_1_front.jpg id_00000002 train", "a picture's path is img/MEN or WOMEN"),
    (b"\x89PNG \x00 \x01", "not a line of text"),
]


@pytest.mark.parametrize(("row", "reason"), BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_broken_row_is_told_with_file_and_line(
    read: Read, tmp_path: Path, row: str | bytes, reason: str, newline: str
) -> None:
    root = in_shop(tmp_path / "inshop", extra=[row], newline=newline)
    found = read(InShop(), root)
    assert [(f.item, reason in f.reason) for f in found.failures] == [(f"{root}/{PARTITION}:8", True)]
    assert len(found.records) == 5


def test_a_broken_box(read: Read, tmp_path: Path) -> None:
    root = in_shop(
        tmp_path / "inshop", extra_boxes=["img/a 3 7 1 2 3 4", f"{GOWN}/02_2_side.jpg 3 6 1 2 3 4"]
    )
    found = read(InShop(), root)
    assert [f.item for f in found.failures] == [f"{root}/Anno/list_bbox_inshop.txt:5"]
    assert "pose_type 1 to 6" in found.failures[0].reason
    assert found.records[1].box == Box(1, 2, 3, 4)


def test_a_missing_image_and_missing_boxes(read: Read, root: Path) -> None:
    (root / "Img" / INSHOP_ROWS[1][0]).unlink()
    (root / "Anno/list_bbox_inshop.txt").unlink()
    with pytest.warns(DatasetWarning, match="without boxes"):
        found = read(InShop(), root)
    assert [m.listed_in for m in found.missing] == [f"{root}/{PARTITION}:4"]
    assert len(found.records) == 4


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"5\n\n\n", b"\x00" * 70_000, b"1\na b c d\n"])
def test_a_partition_that_is_none(read: Read, root: Path, content: bytes) -> None:
    (root / PARTITION).write_bytes(content)
    with pytest.raises(DatasetError, match=r"list_eval_partition\.txt"):
        read(InShop(), root)


def test_with_a_byte_order_mark(read: Read, tmp_path: Path) -> None:
    found = read(InShop(), in_shop(tmp_path / "inshop", start=b"\xef\xbb\xbf", newline="\r\n"))
    assert (len(found.records), found.failures) == (5, [])
    assert [r.domain for r in found.records].count(Domain.CONSUMER) == 1
