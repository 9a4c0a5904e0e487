"""Where the pictures of a table may be, and how its cells name them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from stylesearch.importers.base import ColumnsNote, ImportOptions, Listed
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.importers.tables.items import BadRow
from stylesearch.importers.tables.pictures import PictureFinder, split_pictures
from stylesearch.listing import Record, Unpictured


def read(shop: Path, text: str | bytes, **options: object) -> list[Listed]:
    table = shop / "products.csv"
    table.write_bytes(text if isinstance(text, bytes) else text.encode())
    listed = TableImporter().records(table, ImportOptions(**options))  # type: ignore[arg-type]
    return [item for item in listed if not isinstance(item, ColumnsNote)]


def records(items: list[Listed]) -> list[Record]:
    found = [item for item in items if isinstance(item, Record)]
    assert len(found) == len(items), items
    return found


def reasons(items: list[Listed]) -> dict[int, str]:
    """Reasons by line."""
    return {
        int(item.item.rpartition(":")[2]): item.reason
        for item in items
        if isinstance(item, Unpictured) and item.reason
    }


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
    assert isinstance(item, Unpictured)
    assert "outside the folder" in str(item.reason)


def test_a_folder_whose_name_begins_like_the_table_s_is_outside(shop: Path) -> None:
    beside = shop.with_name(shop.name + "-private")
    beside.mkdir()
    (beside / "x.jpg").write_bytes(b"x")
    (item,) = read(shop, f"id,image\n1,../{beside.name}/x.jpg\n")
    assert isinstance(item, Unpictured)
    assert "outside the folder" in str(item.reason)


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
    assert isinstance(item, Unpictured)
    assert str(item.reason).startswith("not a file")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://s.example/a.jpg", "https://s.example/a.jpg"),
        ("HTTPS://S.example/A b.jpg?x=1 2", "https://S.example/A%20b.jpg?x=1%202"),
        ("//s.example/a.jpg", "https://s.example/a.jpg"),
        ("https://s.example/a\n/b.jpg", "https://s.example/a/b.jpg"),
        ("S3://bucket/a.jpg", "s3://bucket/a.jpg"),
        ("gs://bucket/stra%C3%9Fe.jpg", "gs://bucket/stra%C3%9Fe.jpg"),
    ],
)
def test_urls_are_passed_on(shop: Path, text: str, url: str) -> None:
    assert PictureFinder(shop, ImportOptions()).locate(text) == url


def test_a_url_of_a_file_is_that_file_if_it_is_inside(shop: Path) -> None:
    finder = PictureFinder(shop, ImportOptions())
    assert finder.locate((shop / "img/straße 1.jpg").as_uri()) == str(shop / "img/straße 1.jpg")
    for url, reason in (("file:///etc/hostname", "outside"), ("file://server/a.jpg", "another machine")):
        with pytest.raises(BadRow, match=reason):
            finder.locate(url)


@pytest.mark.parametrize("cell", ["m/b/mb01.jpg", "/m/b/mb01.jpg", "m\\b\\mb01.jpg"])
def test_paths_start_from_the_media_root(shop: Path, tmp_path: Path, cell: str) -> None:
    picture = tmp_path / "media" / "m" / "b" / "mb01.jpg"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(b"x")
    (record,) = records(read(shop, f"image\n{cell}\n", media_root=str(tmp_path / "media")))
    assert record.path == str(picture)
    assert record.product.id == "m/b/mb01.jpg"


def test_the_media_root_does_not_let_in_what_is_beside_it(shop: Path, secret: Path, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    root = str(tmp_path / "media")
    items = read(shop, f"id,image\n1,../private/secret.jpg\n2,{shop}/a.jpg\n", media_root=root)
    assert "outside the folder" in reasons(items)[2]
    assert [item.path for item in items if isinstance(item, Record)] == [str(shop / "a.jpg")]


@pytest.mark.parametrize("root", ["https://s.example/media", "https://s.example/media/"])
def test_the_media_root_may_be_a_url(shop: Path, root: str) -> None:
    found = records(
        read(shop, "image\n/m/b/mb 01.jpg\nstraße.jpg\nhttps://other.example/x.jpg\n", media_root=root)
    )
    assert [(r.path, r.product.id) for r in found] == [
        ("https://s.example/media/m/b/mb%2001.jpg", "m/b/mb 01.jpg"),
        ("https://s.example/media/stra%C3%9Fe.jpg", "straße.jpg"),
        ("https://other.example/x.jpg", "https://other.example/x.jpg"),
    ]
    assert found[0].product.guesses == {"title": "Mb 01"}


HALF = "é" + unicodedata.normalize("NFD", "ü")


@pytest.mark.parametrize("stored", ["NFC", "NFD", ""])
@pytest.mark.parametrize("written", ["NFC", "NFD", ""])
def test_names_that_differ_only_in_unicode_form_are_one_file(shop: Path, stored: str, written: str) -> None:
    def form(text: str, name: str) -> str:
        return unicodedata.normalize(name, text) if name else text  # type: ignore[arg-type]

    folder, name = form(f"röcke {HALF}", stored), form(f"{HALF}.jpg", stored)
    (shop / folder).mkdir()
    (shop / folder / name).write_bytes(b"x")
    (record,) = records(read(shop, f"image,category\n{form(f'röcke {HALF}/{HALF}.jpg', written)},x\n"))
    assert record.path == str(shop / folder / name)
    assert record.product.id == unicodedata.normalize("NFC", f"röcke {HALF}/{HALF}.jpg")


def test_another_unicode_form_leads_to_nothing_outside(shop: Path, secret: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "é")
    (shop / decomposed).symlink_to(secret.parent)
    (item,) = read(shop, "id,image\n1,é/secret.jpg\n")
    assert isinstance(item, Unpictured)
    assert "outside the folder" in str(item.reason)


@pytest.mark.parametrize(
    ("cell", "pictures"),
    [
        ("a.jpg", ["a.jpg"]),
        ("a.jpg,b.PNG", ["a.jpg", "b.PNG"]),
        ("a.jpg, img/b 2.webp,", ["a.jpg", "img/b 2.webp"]),
        ("a.jpg;b.jpg;", ["a.jpg", "b.jpg"]),
        ("a.jpg | b.jpg", ["a.jpg", "b.jpg"]),
        ("a.jpg\nb.jpg\r\nc.jpeg", ["a.jpg", "b.jpg", "c.jpeg"]),
        ('["a.jpg", "b c, d.jpg"]', ["a.jpg", "b c, d.jpg"]),
        ('[{"src": "https://s.example/a"}, {"url": "b.jpg"}, 3]', ["https://s.example/a", "b.jpg"]),
        ("[a].jpg", ["[a].jpg"]),
        ("Dress, red.jpg", ["Dress, red.jpg"]),
        ("img/1;2/a.jpg", ["img/1;2/a.jpg"]),
        ("https://s.example/1,https://s.example/2", ["https://s.example/1", "https://s.example/2"]),
        ("https://s.example/w_3,h_4/a.jpg", ["https://s.example/w_3,h_4/a.jpg"]),
        (
            "https://s.example/w_3,h_4/a.jpg , //s.example/b",
            ["https://s.example/w_3,h_4/a.jpg", "//s.example/b"],
        ),
        ("https://s.example/1 https://s.example/2", ["https://s.example/1", "https://s.example/2"]),
        ("https://s.example/1|https://s.example/2|", ["https://s.example/1", "https://s.example/2"]),
        ("a.jpg,https://s.example/2;b.jpg", ["a.jpg", "https://s.example/2;b.jpg"]),
    ],
)
def test_several_pictures_in_one_cell(cell: str, pictures: list[str]) -> None:
    assert split_pictures(cell) == pictures


@pytest.mark.parametrize("cell", ["-", "n/a", "N/A", "none", "NULL", "keine", " – "])
def test_what_stands_for_no_picture_is_an_empty_cell(shop: Path, cell: str) -> None:
    (item,) = read(shop, f"id;title;image\n1;Dress;{cell}\n")
    assert isinstance(item, Unpictured)
    assert item.reason is None


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ("a, rot.jpg, b, blau.jpg", ["a, rot.jpg", "b, blau.jpg"]),
        ("a; rot.JPG;b.png", ["a; rot.JPG", "b.png"]),
        ("Kleid, rot.jpg", ["Kleid, rot.jpg"]),
        ("a.jpg, readme", ["a.jpg, readme"]),
        ("a.jpg,b.png", ["a.jpg", "b.png"]),
    ],
)
def test_pictures_with_commas_in_their_names(cell: str, names: list[str]) -> None:
    assert split_pictures(cell) == names
