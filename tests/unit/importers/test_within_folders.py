"""What a folder holds: a table of products, a dataset, or pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylesearch.drawn_shop.writer import write_demo
from stylesearch.errors import DatasetError
from stylesearch.importers import IMPORTERS
from stylesearch.importers.base import ColumnsNote, ImportOptions, LayoutImporter, Note, SplitImporter
from stylesearch.importers.choice import choose_importer
from stylesearch.listing import Record
from tests.unit.importers.datasets import layouts
from tests.unit.importers.folders.trees import plant

TABLE = "id,category,image\n1,dress,dress/1.jpg\n"
OTHER = "size;weight\n1;2\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return plant(tmp_path / "my shop", "dress/1.jpg", "dress/2.jpg")


def read(folder: Path, format: str = "auto") -> tuple[str, list[str], list[str]]:
    """Format, ids and notes."""
    importer = choose_importer(folder, format)
    items = list(importer.records(folder, ImportOptions()))
    ids = [item.product.id for item in items if isinstance(item, Record)]
    notes = [item.text for item in items if isinstance(item, Note) and not isinstance(item, ColumnsNote)]
    return importer.name, ids, notes


@pytest.mark.parametrize("name", ["products.csv", "labels.csv", "Produkte.CSV", "feed.tsv"])
def test_a_table_of_images_is_taken_before_the_pictures(shop: Path, name: str) -> None:
    (shop / name).write_text(TABLE.replace(",", "\t") if name.endswith("tsv") else TABLE)
    note = f"took the table {name} in the folder; for the folder's pictures alone: --format folder"
    assert read(shop) == ("csv", ["1"], [note])
    assert read(shop, "folder") == ("folder", ["1", "2"], [])
    assert choose_importer(shop).count(shop) == 1


def test_the_table_of_products_is_taken_and_the_other_is_told(shop: Path) -> None:
    (shop / "products.csv").write_text(TABLE)
    (shop / "street.csv").write_text(TABLE)
    assert read(shop)[2] == [
        "took the table products.csv in the folder; for the folder's pictures alone: --format folder",
        f"another table lies beside it, which was not read: stylesearch ingest '{shop}/street.csv'",
    ]


def test_tables_of_equal_rank_are_refused_with_their_commands(shop: Path) -> None:
    for name in ("export-2026-11-28.csv", "export-2026-11-29.csv", "street.csv"):
        (shop / name).write_text(TABLE)
    with pytest.raises(DatasetError) as caught:
        choose_importer(shop)
    assert (
        str(caught.value)
        == f"{shop} holds 2 tables of products: export-2026-11-28.csv, export-2026-11-29.csv"
    )
    assert caught.value.hint == (
        f"say which: stylesearch ingest '{shop}/export-2026-11-28.csv', or "
        f"stylesearch ingest '{shop}/export-2026-11-29.csv'; "
        f"or for the pictures alone: stylesearch ingest '{shop}' --format folder"
    )


def test_a_table_without_images_is_not_taken_but_told(shop: Path) -> None:
    (shop / "sizes.csv").write_text(OTHER)
    assert read(shop) == (
        "folder",
        ["1", "2"],
        [
            "took the pictures in the folder, and did not read sizes.csv: no column of images: if it lists "
            f"products, say which column is what: stylesearch ingest '{shop}/sizes.csv' --map image=COLUMN"
        ],
    )
    assert isinstance(choose_importer(shop), LayoutImporter)


def test_what_is_called_products_is_the_table_whatever_its_columns(shop: Path) -> None:
    (shop / "products.csv").write_text(OTHER)
    with pytest.raises(DatasetError, match="no column for the picture or the id"):
        read(shop)


def test_files_that_are_no_tables_are_passed_over(shop: Path) -> None:
    plant(shop, "readme.txt", "a.xml", ".products.csv", "~$products.xlsx", "data.csv.bak")
    assert read(shop) == ("folder", ["1", "2"], [])


def test_a_format_that_is_given_looks_for_its_table(shop: Path) -> None:
    (shop / "Shopify.csv").write_text("Handle,Title,Image Src,Variant Price\na,A,dress/1.jpg,5\n")
    (shop / "dress" / "1.jpg").write_bytes(b"")
    assert choose_importer(shop).name == choose_importer(shop, "shopify").name == "shopify"


def test_the_folder_of_the_demo_is_its_table_of_products(tmp_path: Path) -> None:
    root = tmp_path / "shop"
    drawn = write_demo(root, n_products=2, shop_size=128, street_size=128)
    importer = choose_importer(root)
    items = list(importer.records(root, ImportOptions()))
    alone = list(choose_importer(drawn.products_csv).records(drawn.products_csv, ImportOptions()))
    assert [item for item in items if isinstance(item, Record)] == [
        one for one in alone if isinstance(one, Record)
    ]
    assert [item.text for item in items if isinstance(item, Note)][1] == (
        f"another table lies beside it, which was not read: stylesearch ingest {root}/street.csv"
    )


MAKERS = {
    "deepfashion-c2s": layouts.consumer_to_shop,
    "deepfashion-inshop": layouts.in_shop,
    "deepfashion2": layouts.deepfashion2,
    "street2shop": layouts.street_to_shop,
}


def in_case(root: Path, change: str) -> None:
    """Renames every folder of a dataset, but not those of its images."""
    for name in ("Img/img", "Img", "img", "Eval", "Anno", "meta/json", "meta", "photos"):
        path = root / name
        if path.is_dir():
            path.rename(path.with_name(getattr(path.name, change)()))
    for split in ("train", "validation"):
        for name in ("annos", "image"):
            path = root / split / name
            if path.is_dir():
                path.rename(path.with_name(getattr(name, change)()))
        if (root / split).is_dir():
            (root / split).rename(root / getattr(split, change)())


def listed(root: Path) -> list[tuple[str, str]]:
    items = choose_importer(root).records(root, ImportOptions())
    return [(item.product.id, Path(item.path).name) for item in items if isinstance(item, Record)]


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("change", ["lower", "upper", "title"])
def test_a_dataset_is_known_in_another_case_of_letters(tmp_path: Path, name: str, change: str) -> None:
    root = MAKERS[name](tmp_path / "set")
    expected = listed(root)
    in_case(root, change)
    assert choose_importer(root).name == name
    assert listed(root) == expected
    assert choose_importer(root).count(root) == len(expected)


@pytest.mark.parametrize("name", MAKERS)
def test_a_dataset_is_known_one_level_up(tmp_path: Path, name: str) -> None:
    root = MAKERS[name](tmp_path / "data" / "set")
    expected = listed(root)
    importer = choose_importer(root.parent)
    items = list(importer.records(root.parent, ImportOptions()))
    assert items[0] == Note(
        f"took the dataset {name} in set; for the folder's pictures alone: --format folder"
    )
    assert listed(root.parent) == expected
    assert isinstance(importer, SplitImporter)
    assert importer.splits == IMPORTERS.load(name)().splits
    assert choose_importer(root.parent, name).count(root.parent) == len(expected)


def test_two_datasets_one_level_up_are_refused_with_their_commands(tmp_path: Path) -> None:
    layouts.in_shop(tmp_path / "inshop")
    layouts.consumer_to_shop(tmp_path / "c2s")
    with pytest.raises(DatasetError, match="holds 2 datasets: c2s, inshop") as caught:
        choose_importer(tmp_path)
    assert caught.value.hint == (
        f"say which: stylesearch ingest {tmp_path}/c2s, or stylesearch ingest {tmp_path}/inshop"
    )
    assert choose_importer(tmp_path, "deepfashion-c2s").name == "deepfashion-c2s"


def test_the_list_of_deepfashion_may_lie_among_the_annotations(tmp_path: Path) -> None:
    root = layouts.in_shop(tmp_path / "set")
    expected = listed(root)
    (root / "Eval/list_eval_partition.txt").rename(root / "Anno/list_eval_partition.txt")
    (root / "Eval").rmdir()
    assert listed(root) == expected


def test_a_part_of_a_dataset_is_refused_with_the_command_for_the_whole(tmp_path: Path) -> None:
    root = layouts.consumer_to_shop(tmp_path / "set")
    with pytest.raises(DatasetError, match="is a part of the dataset deepfashion-c2s") as caught:
        choose_importer(root / "img")
    assert caught.value.hint == (
        f"take all of it: stylesearch ingest {root}; "
        f"or the pictures alone: stylesearch ingest {root}/img --format folder"
    )
    assert choose_importer(root / "img", "folder").name == "folder"
    plant(tmp_path / "img", "dress/1.jpg")
    assert choose_importer(tmp_path / "img").name == "folder"
