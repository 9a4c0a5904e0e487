"""Real photos, as they were published: a folder of categories, and two tables."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from stylesearch.importers.base import ColumnsNote, ImportOptions
from stylesearch.importers.choice import choose_importer
from stylesearch.listing import Record

pytestmark = pytest.mark.data


@pytest.fixture
def photos() -> Path:
    folder = os.environ.get("STYLESEARCH_TEST_DATA")
    if not folder:
        pytest.skip("STYLESEARCH_TEST_DATA is not set")
    return Path(folder)


def read(source: Path, format: str = "auto") -> list[Record]:
    listed = choose_importer(source, format).records(source, ImportOptions())
    items = [item for item in listed if not isinstance(item, ColumnsNote)]
    found = [item for item in items if isinstance(item, Record)]
    assert len(found) == len(items)
    return found


def test_the_folder_and_the_table_of_clothing_say_the_same(photos: Path) -> None:
    folder, table = read(photos / "clothing", "folder"), read(photos / "clothing" / "labels.csv")
    assert len(folder) == len(table) == 1589
    assert {(r.path, r.product.said["category"]) for r in folder} == {
        (r.path, r.product.said["category"]) for r in table
    }
    assert len({r.product.id for r in folder}) == 1589
    assert len(Counter(r.product.said["category"] for r in folder)) == 10


def test_the_table_of_luma(photos: Path) -> None:
    records = read(photos / "luma" / "images.csv")
    assert len(records) == 662
    assert records[0].product.said.keys() == {
        "category",
        "attributes.style",
        "attributes.colour",
        "attributes.view",
    }
