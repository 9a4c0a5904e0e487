"""What spreadsheets and shop systems write into text: each is the same table."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.tables.items import Table, TableRow
from stylesearch.importers.tables.text import MAX_COLUMNS, count_text_rows, open_text, sniff_text
from stylesearch.types import Failure

ROWS = [{"id": ("1",), "size": ("M, L",)}, {"id": ("2",), "size": ("größer",)}]


def read(folder: Path, text: str | bytes) -> tuple[Table, list[TableRow | Failure]]:
    path = folder / "table"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with open_text(path) as (table, rows):
        return table, list(rows)


def cells(rows: list[TableRow | Failure]) -> list[dict[str, tuple[str, ...]]]:
    assert all(isinstance(row, TableRow) for row in rows), rows
    return [dict(row.cells) for row in rows if isinstance(row, TableRow)]


@pytest.mark.parametrize(
    "text",
    [
        'id,size\n1,"M, L"\n2,größer\n',
        'id,size\r\n1,"M, L"\r\n2,größer',
        '\ufeffid,size\n1,"M, L"\n2,größer\n',
        '\ufeff\ufeffid,size\n1,"M, L"\n2,größer\n',
        '\ufeff\ufeff"id","size"\n1,"M, L"\n2,größer\n',
        "sep=;\nid;size\n1;M, L\n2;größer\n",
        '"sep=;"\r\nid;size\r\n1;M, L\r\n2;größer\r\n',
        "\ufeffSEP=;\n\nid;size\n1;M, L\n2;größer\n",
        "sep=\t\nid\tsize\n1\tM, L\n2\tgrößer\n",
        "id;size\n1;M, L\n2;größer\n",
        "id|size\n1|M, L\n2|größer\n",
        'id, size\n1, "M, L"\n2, größer\n',
        'id ; size\n "1" ; "M, L"\n 2 ; größer \n',
        'id,"size\n"\n1,"M, L"\n2,größer\n',
        'ID,SIZE,\n1,"M, L",\n2,größer,,,\n',
        '\n\nid,size\n\n1,"M, L"\n,\n2,größer\n\n',
        'id,size\n1,"M, L"\n2,gro\u0308\u00dfer\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_what_spreadsheets_write_is_one_table(tmp_path: Path, text: str, encoding: str) -> None:
    table, rows = read(tmp_path, text.encode(encoding))
    assert list(table.columns) == ["id", "size"]
    assert cells(rows) == ROWS
    sniffed = sniff_text(tmp_path / "table")
    assert sniffed is not None
    assert sniffed == table


def test_a_header_may_have_line_breaks_within_quotes(tmp_path: Path) -> None:
    table, (row,) = read(tmp_path, '"Image\nURL",id,"Price\r\n(EUR)"\na.jpg,1,2\n')
    assert dict(table.columns) == {"image url": "Image URL", "id": "id", "price (eur)": "Price (EUR)"}
    assert isinstance(row, TableRow)
    assert (row.line, row.text("image url")) == (4, "a.jpg")


def test_columns_of_one_name_have_several_values(tmp_path: Path) -> None:
    table, rows = read(tmp_path, "Id,Image Src,IMAGE_SRC,image-src\n1,a,,c\n2\n")
    assert dict(table.columns) == {"id": "Id", "image src": "Image Src"}
    assert cells(rows) == [
        {"id": ("1",), "image src": ("a", "", "c")},
        {"id": ("2",), "image src": ("", "", "")},
    ]


def test_names_of_columns_that_differ_in_unicode_form_are_equal(tmp_path: Path) -> None:
    table, rows = read(tmp_path, "größe,gro\u0308\u00dfe\n1,2\n")
    assert list(table.columns) == ["grösse"]
    assert cells(rows) == [{"grösse": ("1", "2")}]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('1, "Summer" dress', '"Summer" dress'),
        ('1,5" heel', '5" heel'),
        ('1,"say ""hi"""', 'say "hi"'),
        ('1, "a, b"', "a, b"),
        ('1,="00123"', "00123"),
        ('1,"=""00123"""', "00123"),
        ('1,="a"&"b"', '="a"&"b"'),
    ],
)
def test_quotes_within_cells(tmp_path: Path, line: str, expected: str) -> None:
    _, rows = read(tmp_path, f"id,title\n{line}\n2,x\n")
    assert cells(rows)[0]["title"] == (expected,)
    assert cells(rows)[1] == {"id": ("2",), "title": ("x",)}


def test_lines_are_numbered_where_rows_have_several(tmp_path: Path) -> None:
    _, rows = read(tmp_path, 'id,note\n1,"a\nb"\n\n2,"c\r\n\r\nd"\n3,e\n')
    assert [row.line for row in rows if isinstance(row, TableRow)] == [2, 5, 8]


def test_decimal_commas_do_not_make_a_comma_the_delimiter(tmp_path: Path) -> None:
    table, rows = read(tmp_path, "id;preis;text\n" + "1;19,90;eins, zwei, drei, vier\n" * 3)
    assert list(table.columns) == ["id", "preis", "text"]
    assert cells(rows)[0]["preis"] == ("19,90",)


def test_long_cells_are_read_in_several_threads_at_once(tmp_path: Path) -> None:
    long = "x" * 300_000
    lengths: list[int] = []

    def read_one(name: str) -> None:
        (tmp_path / name).mkdir()
        _, rows = read(tmp_path / name, "id,note\n" + f"1,{long}\n" * 5)
        lengths.extend(len(row.text("note")) for row in rows if isinstance(row, TableRow))

    threads = [threading.Thread(target=read_one, args=(str(i),)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lengths == [len(long)] * 20


@pytest.mark.parametrize("content", [b"\xff\xd8\xff\xe0\x00\x10JFIF", b"", b"\n \n", b"\x00\x01"])
def test_what_is_no_text_has_no_columns(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table").write_bytes(content)
    table = sniff_text(tmp_path / "table")
    assert table is None or not table.columns


def test_a_file_that_cannot_be_opened_is_a_dataset_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot read the table"), open_text(tmp_path / "missing.csv"):
        pass


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_count(tmp_path: Path, end: str) -> None:
    (tmp_path / "table").write_bytes(end.join(["id", "1", "2", "3"]).encode())
    assert count_text_rows(tmp_path / "table") == 3


@pytest.mark.parametrize(
    ("above", "line"),
    [
        ("Export vom 30.11.2026;;\n", 2),
        ("Export vom 30.11.2026\n\nLager Nord;alle\n", 4),
        ("sep=;\nBestandsliste\n", 3),
        ('"Liste, vom\nLager"\n', 3),
        ("Artikel\n", 2),
    ],
)
def test_lines_above_the_header_are_passed_over(tmp_path: Path, above: str, line: int) -> None:
    table, rows = read(tmp_path, f"{above}Artikelnr;Titel;Preis\n1;Rot, lang;5,00\n")
    assert list(table.columns.values()) == ["Artikelnr", "Titel", "Preis"]
    assert table.line == line
    (row,) = rows
    assert isinstance(row, TableRow)
    assert row.line == line + 1
    assert row.text("titel") == "Rot, lang"
    assert sniff_text(tmp_path / "table") == table


@pytest.mark.parametrize(
    "text",
    [
        "Nimi;Kuva;Hinta\nTitel;Preis;x\n",
        "sku;Stoff\ntitle;price;image\n",
        "image\ntitle price\n",
        "a;b\nc;d\n",
    ],
)
def test_a_header_in_another_language_is_not_passed_over(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text)[0].line == 1


def test_a_table_may_have_10_000_columns(tmp_path: Path) -> None:
    table, _ = read(tmp_path, ",".join(f"c{i}" for i in range(MAX_COLUMNS)) + "\n1\n")
    assert len(table.columns) == MAX_COLUMNS
    with pytest.raises(DatasetError, match="more than 10,000 columns"):
        read(tmp_path, "id," + ",".join("c" for _ in range(MAX_COLUMNS)) + "\n1\n")


def test_columns_of_one_name_take_time_with_their_number(tmp_path: Path) -> None:
    """Not with its square: a row of 10,000 such cells took as much as 500 of other names."""
    n = MAX_COLUMNS - 1
    text = "id," + ",".join(["c"] * n) + "\n" + (",".join(map(str, range(n + 1))) + "\n") * 100
    began = time.process_time()
    _, rows = read(tmp_path, text)
    assert time.process_time() - began < 20  # a second; 100 were measured
    assert len(rows) == 100
    first = rows[0]
    assert isinstance(first, TableRow)
    assert first.cells["c"] == tuple(map(str, range(1, n + 1)))
