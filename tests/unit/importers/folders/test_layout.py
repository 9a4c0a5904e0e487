"""Layouts that are given, and layouts that are kept for later runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions, Note
from stylesearch.importers.folders.importer import FolderImporter
from stylesearch.importers.folders.layout import parse_layout
from tests.unit.importers.folders.trees import plant, products, read

DEEP = ["a/b/c/1.jpg", "a/b/2.jpg", "a/3.jpg", "4.jpg"]


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (
            "category/product/image",
            {"4.jpg": ("", 1), "a/3.jpg": ("a", 1), "a/b": ("a", 2)},
        ),
        (
            "category/category/product/image",
            {"4.jpg": ("", 1), "a/3.jpg": ("a", 1), "a/b/2.jpg": ("a > b", 1), "a/b/c": ("a > b", 1)},
        ),
        (
            "category/image",
            {"4.jpg": ("", 1), "a/3.jpg": ("a", 1), "a/b/2.jpg": ("a", 1), "a/b/c/1.jpg": ("a", 1)},
        ),
        ("product/image", {"4.jpg": ("", 1), "a": ("", 3)}),
        ("image", {"4.jpg": ("", 1), "a/3.jpg": ("", 1), "a/b/2.jpg": ("", 1), "a/b/c/1.jpg": ("", 1)}),
        (
            " */Category/image/ ",
            {"4.jpg": ("", 1), "a/3.jpg": ("", 1), "a/b/2.jpg": ("b", 1), "a/b/c/1.jpg": ("b", 1)},
        ),
        ("*/*/product/image", {"4.jpg": ("", 1), "a/3.jpg": ("", 1), "a/b/2.jpg": ("", 1), "a/b/c": ("", 1)}),
    ],
)
def test_a_given_layout_decides(tmp_path: Path, layout: str, expected: dict[str, tuple[str, int]]) -> None:
    assert products(plant(tmp_path, *DEEP), layout=layout) == expected


def test_a_given_split_is_an_attribute(tmp_path: Path) -> None:
    plant(tmp_path, "summer/dress/a/1.jpg")
    (item,) = read(tmp_path, layout="split/category/product/image")
    assert item.product.said == {"category": "dress", "attributes.split": "summer"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("category/brand/image", "a layout has no level 'brand'. Received: 'category/brand/image'"),
        ("category//image", "a layout has no level ''. Received: 'category//image'"),
        ("category/product", "a layout ends with image. Received: 'category/product'"),
        ("image/category/image", "a layout ends with image. Received: 'image/category/image'"),
        ("product/product/image", "a layout has one product at most. Received: 'product/product/image'"),
        ("split/split/image", "a layout has one split at most. Received: 'split/split/image'"),
        (
            "product/category/image",
            "all below a product is the product's. Received: 'product/category/image'",
        ),
    ],
)
def test_what_is_no_layout_is_refused(tmp_path: Path, layout: str, message: str) -> None:
    plant(tmp_path, "dress/1.jpg")
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, layout=layout)
    assert str(caught.value) == message
    assert caught.value.hint


def test_the_levels_that_are_known_are_told() -> None:
    with pytest.raises(DatasetError) as caught:
        parse_layout("category/brand/image")
    assert caught.value.hint == (
        "levels are category, product, split and * (says nothing), the last is image: "
        "category/product/image, product/image, category/category/product/image, image"
    )


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (["dress/wrap/1.jpg", "skirt/mini/1.jpg"], "category/product/image"),
        (["dress/1.jpg", "skirt/2.jpg"], "category/product/image"),
        (["MH01/1.jpg", "MH02/1.jpg", "MH02/2.jpg"], "product/image"),
        (["Women/Dresses/d11/1.jpg", "Men/Shirts/s11/1.jpg"], "category/category/product/image"),
        (["catalog/dress/wrap/1.jpg", "catalog/skirt/mini/1.jpg"], "*/category/product/image"),
        (["train/dress/1.jpg", "test/dress/2.jpg"], "split/category/product/image"),
        (["train/1.jpg", "test/2.jpg"], ""),
        (["1.jpg", "2.jpg"], ""),
        (["uploads/2024/05/1.jpg"], ""),
        (["Women/Dresses/d11/1.jpg", "Shoes/s11/1.jpg"], ""),
    ],
)
def test_the_layout_that_was_found_reads_the_same(tmp_path: Path, names: list[str], layout: str) -> None:
    plant(tmp_path, *names)
    assert FolderImporter().find_layout(tmp_path) == layout
    assert read(tmp_path, layout=layout) == read(tmp_path)


def test_a_layout_that_is_kept_reads_as_before_what_alone_would_be_something_else(tmp_path: Path) -> None:
    plant(tmp_path, "a/1.jpg", "b/1.jpg")
    layout = FolderImporter().find_layout(tmp_path)
    before = set(products(tmp_path))
    plant(tmp_path, *(f"{name}/{i}.jpg" for name in "ab" for i in (2, 3)))
    assert before == {"a/1.jpg", "b/1.jpg"}
    assert set(products(tmp_path)) == {"a", "b"}
    assert set(products(tmp_path, layout=layout)) >= before


def test_roles_of_folders_that_are_gone_are_kept_and_empty_folders_have_none(tmp_path: Path) -> None:
    plant(tmp_path, "Women/Dresses/d11/1.jpg", "Shoes/s11/1.jpg")
    (tmp_path / "Bags").mkdir()
    importer = FolderImporter()
    first = importer.find_reading(tmp_path, ImportOptions())
    assert first == {
        "roles": {
            "": {"category": ["Shoes", "Women"]},
            "Shoes": {"product": ["s11"]},
            "Women": {"category": ["Dresses"]},
            "Women/Dresses": {"product": ["d11"]},
        }
    }
    shutil.rmtree(tmp_path / "Shoes")
    assert importer.find_reading(tmp_path, ImportOptions(**first)) == first


def test_of_too_many_folders_only_those_above_products_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "Women/Dresses/d11/1.jpg", "Shoes/s11/1.jpg", "Shoes/s12/1.jpg")
    monkeypatch.setattr("stylesearch.importers.folders.importer.N_ROLES_KEPT", 4)
    assert FolderImporter().find_reading(tmp_path, ImportOptions()) == {
        "roles": {"": {"category": ["Shoes", "Women"]}, "Women": {"category": ["Dresses"]}}
    }


def test_an_assumption_about_a_place_that_is_known_is_not_told_again(tmp_path: Path) -> None:
    plant(tmp_path, "Women/Dresses/d11/1.jpg", "Shoes/s11/1.jpg", "amelia/1.jpg", "berta/1.jpg")
    importer = FolderImporter()
    kept = importer.find_reading(tmp_path, ImportOptions())
    assert "roles" in kept

    def told(**options: Any) -> list[str]:
        return [
            one.text for one in importer.records(tmp_path, ImportOptions(**options)) if isinstance(one, Note)
        ]

    assert ["amelia" in text for text in told()] == [True]
    assert told(**kept) == []
