"""Where the pictures of a table may be: beside it, and nowhere else unless the user allows it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stylesearch.importers.base import ImportOptions
from stylesearch.importers.table import TableImporter
from stylesearch.listing import Record
from stylesearch.types import Failure


def read(shop: Path, text: str | bytes, **options: object) -> list[Record | Failure]:
    table = shop / "products.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(TableImporter().records(table, ImportOptions(**options)))  # type: ignore[arg-type]


def records(items: list[Record | Failure]) -> list[Record]:
    found = [item for item in items if isinstance(item, Record)]
    assert len(found) == len(items), items
    return found


def reasons(items: list[Record | Failure]) -> dict[int, str]:
    """Reasons by line."""
    return {int(item.item.rpartition(":")[2]): item.reason for item in items if isinstance(item, Failure)}


def test_backslashes_of_windows_are_understood_where_nothing_else_fits(shop: Path) -> None:
    (shop / "odd\\name.jpg").write_bytes(b"x")
    found = records(read(shop, "image\nimg\\c.jpg\nodd\\name.jpg\n"))
    assert [r.path for r in found] == [str(shop / "img" / "c.jpg"), str(shop / "odd\\name.jpg")]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "private" / "secret.jpg"
    path.parent.mkdir()
    path.write_bytes(b"x")
    return path


def outside_cells(shop: Path, secret: Path) -> list[str]:
    (shop / "link.jpg").symlink_to(secret)
    (shop / "linked").symlink_to(secret.parent)
    (shop / "up").symlink_to("..")
    (shop / "chain.jpg").symlink_to("up/private/secret.jpg")
    return [
        str(secret),
        "../private/secret.jpg",
        "img/../../private/secret.jpg",
        "..\\private\\secret.jpg",
        "link.jpg",
        "linked/secret.jpg",
        "up/private/secret.jpg",
        "chain.jpg",
        "/etc/hostname",
    ]


def test_a_table_does_not_reach_outside_its_folder(shop: Path, secret: Path) -> None:
    cells = outside_cells(shop, secret)
    items = read(shop, "id,image\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))
    assert list(reasons(items).values()) == [
        f"the picture is outside the folder of the table (--allow-outside lets it in). Received: {cell}"
        for cell in cells
    ]


def test_nor_does_it_learn_what_exists_there(shop: Path) -> None:
    (item,) = read(shop, "id,image\n1,../private/missing.jpg\n")
    assert isinstance(item, Failure)
    assert "outside the folder" in item.reason


def test_a_folder_whose_name_begins_like_the_table_s_is_outside(shop: Path) -> None:
    beside = shop.with_name(shop.name + "-private")
    beside.mkdir()
    (beside / "x.jpg").write_bytes(b"x")
    (item,) = read(shop, f"id,image\n1,../{beside.name}/x.jpg\n")
    assert isinstance(item, Failure)


def test_a_table_may_reach_outside_if_the_user_says_so(shop: Path, secret: Path) -> None:
    cells = [cell for cell in outside_cells(shop, secret) if cell != "/etc/hostname"]
    items = records(
        read(
            shop, "id,image\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)), allow_outside=True
        )
    )
    assert {os.path.realpath(item.path) for item in items} == {str(secret)}


def test_links_and_absolute_paths_inside_the_folder_are_fine(shop: Path) -> None:
    (shop / "pictures").symlink_to("img")
    found = records(read(shop, f"image\n{shop}/a.jpg\npictures/c.jpg\npictures/../a.jpg\n"))
    assert [os.path.realpath(r.path) for r in found] == [str(shop / "a.jpg"), str(shop / "img/c.jpg")]


def test_what_is_no_file_is_not_listed(shop: Path) -> None:
    os.mkfifo(shop / "pipe.jpg")
    (item,) = read(shop, "id,image\n1,pipe.jpg\n")
    assert isinstance(item, Failure)
    assert item.reason.startswith("not a file")
