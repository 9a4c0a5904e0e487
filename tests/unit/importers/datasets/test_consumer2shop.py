from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions
from stylesearch.importers.datasets.deepfashion import CONSUMER_TO_SHOP_GROUPS, ConsumerToShop, DatasetWarning
from stylesearch.types import Box, Domain
from tests.unit.importers.datasets.conftest import Read
from tests.unit.importers.datasets.layouts import (
    C2S_PAIRS,
    DRESS,
    JEANS,
    LACE,
    attributes_of,
    consumer_to_shop,
    draw,
    write_annotations,
)

PARTITION = "Eval/list_eval_partition.txt"
BOXES = "Anno/list_bbox_consumer2shop.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return consumer_to_shop(tmp_path / "c2s")


def test_every_image_of_the_pairs_once_with_product_domain_and_box(read: Read, root: Path) -> None:
    found = read(ConsumerToShop(), root)
    assert found.names == [
        "deepfashion-c2s:id_00000001 id_00000001/comsumer_01.jpg consumer",
        "deepfashion-c2s:id_00000001 id_00000001/shop_01.jpg shop",
        "deepfashion-c2s:id_00000001 id_00000001/comsumer_02.jpg consumer",
        "deepfashion-c2s:id_00000218 id_00000218/comsumer_01.jpg consumer",
        "deepfashion-c2s:id_00000218 id_00000218/shop_01.jpg shop",
        "deepfashion-c2s:id_00000218 id_00000218/shop_02.jpg shop",
        "deepfashion-c2s:id_00000007 id_00000007/consumer_01.jpg consumer",
        "deepfashion-c2s:id_00000007 id_00000007/shop_01.jpg shop",
        "deepfashion-c2s:id_00000300 id_00000300/comsumer_01.jpg consumer",
        "deepfashion-c2s:id_00000300 id_00000300/shop_01.jpg shop",
    ]
    assert (found.failures, found.missing) == ([], [])
    assert [record.box for record in found.records[:3]] == [Box(10, 20, 90, 110), Box(5, 6, 95, 115), None]
    assert all(Path(record.path).is_file() for record in found.records)


def test_a_product_has_what_an_evaluation_needs(read: Read, root: Path) -> None:
    product = read(ConsumerToShop(), root).of("deepfashion-c2s:id_00000007")[0].product
    assert product.said["title"] == "Lace Dress id_00000007"
    assert product.said["category"] == "DRESSES/Lace_Dress"
    assert attributes_of(product) == {
        "dataset": "deepfashion-c2s",
        "dataset_id": "id_00000007",
        "split": "test",
        "dataset_category": "DRESSES/Lace_Dress",
        "seed_group": "Dress",
    }


def test_the_study_s_groups_can_be_the_categories(read: Read, root: Path) -> None:
    found = read(ConsumerToShop(), root, categories="study2018")
    assert {
        (r.product.said["attributes.dataset_category"], r.product.said["category"]) for r in found.records
    } == {
        ("DRESSES/Dress", "Dress"),
        ("DRESSES/Lace_Dress", "Dress"),
        ("TOPS/T_Shirt", "upper"),
        ("CLOTHING/Jeans", "lower"),
    }


def test_all_23_categories_and_the_synonym_have_a_group() -> None:
    tops = [name.partition("/")[0] for name in CONSUMER_TO_SHOP_GROUPS if name != "CLOTHING/Summer_Suit"]
    assert {top: tops.count(top) for top in tops} == {"CLOTHING": 8, "DRESSES": 5, "TOPS": 7, "TROUSERS": 3}
    assert set(CONSUMER_TO_SHOP_GROUPS.values()) == {"Dress", "Skirt", "upper", "lower"}


@pytest.mark.parametrize(
    ("options", "consumers", "shops"),
    [
        ({}, {"train", "val", "test"}, {"train", "val", "test"}),
        ({"splits": ("test",)}, {"test"}, {"test"}),
        ({"splits": ("train", "val")}, {"train", "val"}, {"train", "val"}),
        ({"splits": ("test",), "gallery": ("val", "test")}, {"test"}, {"val", "test"}),
        ({"splits": ("test",), "gallery": ("all",)}, {"test"}, {"train", "val", "test"}),
        ({"splits": ("val", "test"), "gallery": ("test",)}, {"val", "test"}, {"test"}),
    ],
)
def test_splits_and_the_gallery_can_be_chosen(
    read: Read, root: Path, options: dict[str, tuple[str, ...]], consumers: set[str], shops: set[str]
) -> None:
    found = read(ConsumerToShop(), root, **options)
    for domain, splits in ((Domain.CONSUMER, consumers), (Domain.SHOP, shops)):
        assert {r.product.said["attributes.split"] for r in found.records if r.domain is domain} == splits
    assert ConsumerToShop().count(root, ImportOptions(**options)) == len(found.records)


@pytest.mark.parametrize(
    "form", [{"newline": "\r\n"}, {"start": b"\xef\xbb\xbf"}, {"count": "999999"}, {"count": None}]
)
def test_other_ways_to_write_the_same_text(
    read: Read, root: Path, tmp_path: Path, form: dict[str, object]
) -> None:
    other = consumer_to_shop(tmp_path / "other", **form)
    plain, found = read(ConsumerToShop(), root), read(ConsumerToShop(), other)
    assert found.names == plain.names
    assert [r.box for r in found.records] == [r.box for r in plain.records]
    assert found.failures == []


BROKEN = [
    ("img/DRESSES/Dress/id_00000001/comsumer_01.jpg id_00000001 train", "3 columns, where there should be 4"),
    ((*C2S_PAIRS[0], "more"), "5 columns"),
    ((*C2S_PAIRS[0][:3], "Test"), "evaluation_status is one of train, val, test. Received: 'Test'"),
    ((*C2S_PAIRS[0][:3], "test"), r"id_00000001 is in the split test here, and in train in .*txt:3"),
    ((*C2S_PAIRS[0][:2], "id_00000002", "train"), "not in the folder of the item 'id_00000002'"),
    ((f"{DRESS}/model_01.jpg", *C2S_PAIRS[0][1:]), "called comsumer_NN or shop_NN"),
    (
        ("img/Dress/id_00000001/comsumer_01.jpg", *C2S_PAIRS[0][1:]),
        "a picture's path is img/TOP/SUB/item/name",
    ),
    (("img/../../id_00000001/comsumer_01.jpg", *C2S_PAIRS[0][1:]), "a picture's path is"),
    (("/etc/x/y/id_00000001/comsumer_01.jpg", *C2S_PAIRS[0][1:]), "a picture's path is"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF \x01 a b", "not a line of text"),
    (b"img/DRESSES/Dress/id_00000001/shop_\xe9.jpg a id_00000001 train", "not valid UTF-8"),
]


@pytest.mark.parametrize(("row", "reason"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_row_is_told_with_file_and_line_and_the_rest_is_read(
    read: Read, root: Path, tmp_path: Path, row: object, reason: str
) -> None:
    after = (f"{JEANS}/comsumer_02.jpg", f"{JEANS}/shop_01.jpg", "id_00000300", "test")
    other = consumer_to_shop(tmp_path / "other", extra=[row, after])  # type: ignore[list-item]
    draw(other / "img/CLOTHING/Jeans/id_00000300/comsumer_02.jpg")
    found = read(ConsumerToShop(), other)
    assert [failure.item for failure in found.failures] == [f"{other}/{PARTITION}:{len(C2S_PAIRS) + 3}"]
    with pytest.raises(ValueError, match=reason):
        raise ValueError(found.failures[0].reason)
    assert found.names[:-1] == read(ConsumerToShop(), root).names
    assert found.names[-1].endswith("comsumer_02.jpg consumer")


BROKEN_BOXES = [
    (f"{JEANS}/comsumer_01.jpg 3 2 050 041 183", "6 columns, where there should be 7"),
    (f"{JEANS}/comsumer_01.jpg 3 2 050 041 wide 285", "not a whole number of pixels: 'wide'"),
    (f"{JEANS}/comsumer_01.jpg 3 2 050 041 nan 285", "not a whole number of pixels: 'nan'"),
    (f"{JEANS}/comsumer_01.jpg 3 2 050 041 99999999999999999999 285", "not a whole number"),
    (f"{JEANS}/comsumer_01.jpg 4 2 050 041 183 285", "clothes_type is 1 to 3 and source_type 1 to 2"),
    (f"{JEANS}/comsumer_01.jpg 3 0 050 041 183 285", "Received: 3 0"),
    (f"{JEANS}/comsumer_01.jpg 3 2 183 041 050 285", "a box with nothing in it. Received: 183,41,50,285"),
    (f"{JEANS}/comsumer_01.jpg 3 2 -20 041 -10 285", "a box with nothing in it"),
    (b"\x00\x01\x02", "not a line of text"),
]


@pytest.mark.parametrize(("row", "reason"), BROKEN_BOXES, ids=range(len(BROKEN_BOXES)))
def test_a_broken_box_is_told_and_its_image_is_taken_whole(
    read: Read, tmp_path: Path, row: str | bytes, reason: str
) -> None:
    root = consumer_to_shop(tmp_path / "c2s", extra_boxes=[row])
    found = read(ConsumerToShop(), root)
    assert [(f.item, reason in f.reason) for f in found.failures] == [(f"{root}/{BOXES}:7", True)]
    assert len(found.records) == 10
    assert found.records[8].box is None
    assert found.records[9].box == Box(12, 22, 92, 112)


def test_a_box_that_begins_left_of_the_image_is_cut(read: Read, tmp_path: Path) -> None:
    row = f"{JEANS}/comsumer_01.jpg 2 2 -05 -1 50 60"
    found = read(ConsumerToShop(), consumer_to_shop(tmp_path / "c2s", extra_boxes=[row]))
    assert found.records[8].box == Box(0, 0, 50, 60)


def test_missing_images_are_counted_with_the_line_that_lists_them(read: Read, root: Path) -> None:
    gone = root / "img/DRESSES/Dress/id_00000001/shop_01.jpg"
    gone.unlink()
    found = read(ConsumerToShop(), root)
    assert found.failures == []
    assert [(m.path, m.listed_in) for m in found.missing] == [(str(gone), f"{root}/{PARTITION}:3")]
    assert len(found.records) == 9


def test_not_one_image_is_an_error_that_says_where_it_looked(read: Read, root: Path) -> None:
    shutil.rmtree(root / "img")
    with pytest.raises(DatasetError, match="neither img/ nor img_highres/"):
        read(ConsumerToShop(), root)
    (root / "img").mkdir()
    with pytest.raises(
        DatasetError,
        match=r"not one of the 10 pictures.*img/DRESSES/Dress/id_00000001/comsumer_01\.jpg \(.*txt:3\)",
    ):
        read(ConsumerToShop(), root)


@pytest.mark.parametrize("images", ["img", "Img/img", "Img"])
def test_images_in_several_places(read: Read, tmp_path: Path, images: str) -> None:
    found = read(ConsumerToShop(), consumer_to_shop(tmp_path / "c2s", images=images))
    assert (len(found.records), found.missing) == (10, [])
    assert found.records[0].box == Box(10, 20, 90, 110)


@pytest.mark.parametrize("images", ["img_highres", "Img/img_highres"])
def test_boxes_are_scaled_for_images_in_high_resolution(read: Read, tmp_path: Path, images: str) -> None:
    root = consumer_to_shop(tmp_path / "c2s", images=images, size=(500, 600))
    found = read(ConsumerToShop(), root)
    assert [r.box for r in found.records[:2]] == [Box(20, 40, 180, 220), Box(10, 12, 190, 230)]
    broken = root / images / "DRESSES/Dress/id_00000001/comsumer_01.jpg"
    broken.write_bytes(b"no picture")
    assert read(ConsumerToShop(), root).records[0].box is None


def test_the_folder_that_has_two_names(read: Read, tmp_path: Path) -> None:
    name = "img/CLOTHING/Summer_Wear/id_00000500"
    row = (f"{name}/comsumer_01.jpg", f"{name}/shop_01.jpg", "id_00000500", "test")
    root = consumer_to_shop(tmp_path / "c2s", extra=[row], images="img_highres")
    for file in ("comsumer_01.jpg", "shop_01.jpg"):
        draw(root / "img_highres/CLOTHING/Summer_Suit/id_00000500" / file)
    found = read(ConsumerToShop(), root)
    assert found.missing == []
    assert "Summer_Suit" in found.records[-1].path
    assert found.records[-1].product.said["attributes.dataset_category"] == "CLOTHING/Summer_Wear"


def test_without_boxes_it_warns_and_goes_on(read: Read, root: Path) -> None:
    (root / BOXES).unlink()
    with pytest.warns(DatasetWarning, match="without boxes"):
        found = read(ConsumerToShop(), root)
    assert {r.box for r in found.records} == {None}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "nothing in it but 0 bytes"),
        (b"4\n", "nothing in it but 2 bytes"),
        (b"4\nimg/a img/b id train\n", r"txt:2: not the names of the columns"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "not the names of the columns"),
        (b"x" * 100_000, r"txt:1: a line of more than 65,536 bytes"),
    ],
)
def test_a_partition_that_is_none(read: Read, root: Path, content: bytes, reason: str) -> None:
    (root / PARTITION).write_bytes(content)
    with pytest.raises(DatasetError, match=reason):
        read(ConsumerToShop(), root)
    assert ConsumerToShop().sniff(root) == 0


def test_a_file_of_boxes_that_is_none_is_an_error(read: Read, root: Path) -> None:
    (root / BOXES).write_bytes(b"")
    with pytest.raises(DatasetError, match=r"list_bbox_consumer2shop\.txt: nothing in it"):
        read(ConsumerToShop(), root)


def test_a_header_alone_and_a_split_that_is_empty(read: Read, root: Path) -> None:
    names = "image_pair_name_1 image_pair_name_2 item_id evaluation_status"
    write_annotations(root / PARTITION, names, C2S_PAIRS[:2])
    with pytest.raises(DatasetError, match="list no picture of what was asked for"):
        read(ConsumerToShop(), root, splits=("test",))
    write_annotations(root / PARTITION, names, [])
    with pytest.raises(DatasetError, match="list no picture"):
        read(ConsumerToShop(), root)


def test_a_thousand_broken_rows_and_no_good_one_is_another_format(read: Read, root: Path) -> None:
    names = "image_pair_name_1 image_pair_name_2 item_id evaluation_status"
    write_annotations(root / PARTITION, names, ["a b c d"] * 1000)
    with pytest.raises(DatasetError, match=r"the first 1,000 entries cannot be read.*txt:1002"):
        read(ConsumerToShop(), root)


def test_no_partition(read: Read, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no Eval/list_eval_partition"):
        read(ConsumerToShop(), tmp_path)


def test_of_two_boxes_for_a_image_the_first_counts(read: Read, tmp_path: Path) -> None:
    row = f"{LACE}/consumer_01.jpg 3 2 001 002 003 004"
    found = read(ConsumerToShop(), consumer_to_shop(tmp_path / "c2s", extra_boxes=[row]))
    assert found.of("deepfashion-c2s:id_00000007")[0].box == Box(11, 21, 91, 111)
