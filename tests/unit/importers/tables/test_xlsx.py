"""Workbooks of Excel: their cells are texts as one would type them."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions, Note
from stylesearch.importers.choice import choose_importer
from stylesearch.importers.tables import xlsx
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.importers.tables.items import TableRow
from stylesearch.importers.tables.text import MAX_COLUMNS
from stylesearch.importers.tables.xlsx import count_xlsx_rows, open_xlsx
from stylesearch.listing import Record, Unpictured
from stylesearch.types import Failure


def write(folder: Path, *rows: list[Any], formats: dict[str, str] | None = None, before: str = "") -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    if before:
        sheet.title = before
        sheet = book.create_sheet("products")
    for row in rows:
        sheet.append(row)
    for cell, number_format in (formats or {}).items():
        sheet[cell].number_format = number_format
    path = folder / "products.xlsx"
    book.save(path)
    return path


def read(path: Path) -> list[TableRow | Failure]:
    with open_xlsx(path) as (_, rows):
        return list(rows)


def first_text(folder: Path, value: Any, number_format: str = "") -> str:
    path = write(folder, ["id", "x"], ["1", value], formats={"B2": number_format} if number_format else {})
    (row,) = read(path)
    assert isinstance(row, TableRow)
    return row.text("x")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (10021, "10021"),
        (10021.0, "10021"),
        (4006381333931.0, "4006381333931"),
        (19.9, "19.9"),
        (0.1 + 0.2, "0.3"),
        (0.00001, "0.00001"),
        (True, "TRUE"),
        (datetime.date(2026, 11, 29), "2026-11-29"),
        (datetime.datetime(2026, 11, 29, 8, 30), "2026-11-29 08:30:00"),
        (datetime.time(8, 30), "08:30:00"),
        ("  gro\u0308\u00dfer ", "größer"),
        ("#N/A", ""),
        (None, ""),
    ],
)
def test_a_cell_is_the_text_that_one_would_type(tmp_path: Path, value: Any, text: str) -> None:
    assert first_text(tmp_path, value) == text


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (42, "00000", "00042"),
        (19.9, '0.00 "€"', "19.90 €"),
        (19.9, "#,##0.00 [$€-407]", "19.90 €"),
        (1299, "[$EUR] #,##0.00", "1299.00 EUR"),
        (5, "$#,##0", "5 $"),
        (5, "0.00", "5.00"),
    ],
)
def test_zeros_and_currencies_that_only_the_format_shows(
    tmp_path: Path, value: float, number_format: str, text: str
) -> None:
    assert first_text(tmp_path, value, number_format) == text


def test_the_first_sheet_with_a_header_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, ["id", "image"], [1, "a.jpg"], before="empty")
    (row,) = read(path)
    assert isinstance(row, TableRow)
    assert dict(row.cells) == {"id": ("1",), "image": ("a.jpg",)}


def test_a_title_above_the_header_and_empty_rows_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, ["Export of today"], [], ["id", "Image\nURL"], [None], [1, "a.jpg"], [2])
    with open_xlsx(path) as (table, rows):
        assert dict(table.columns) == {"id": "id", "image url": "Image URL"}
        assert table.line == 3
        assert [(row.line, row.text("id")) for row in rows if isinstance(row, TableRow)] == [
            (5, "1"),
            (6, "2"),
        ]


def test_a_row_that_is_too_long_says_so(tmp_path: Path) -> None:
    long, row = read(write(tmp_path, ["id", "image"], [1, "a.jpg", None, "x"], [2, "b.jpg", ""]))
    assert isinstance(long, TableRow)
    assert (long.text("id"), long.problem) == ("1", "4 cells, where the header has 2")
    assert isinstance(row, TableRow)


@pytest.mark.parametrize("n_more", [0, 1])
def test_a_sheet_may_have_10_000_columns(tmp_path: Path, n_more: int) -> None:
    path = write(tmp_path, ["id", *[f"c{i}" for i in range(MAX_COLUMNS - 1 + n_more)]], [1])
    if n_more:
        with pytest.raises(DatasetError, match="more than 10,000 columns"), open_xlsx(path):
            pass
    else:
        with open_xlsx(path) as (table, _):
            assert len(table.columns) == MAX_COLUMNS


SHEET = "xl/worksheets/sheet1.xml"


def rewritten(folder: Path, more: str, member: str = SHEET, before: str = "</sheetData>") -> Path:
    """A workbook in one of whose files this text stands before another."""
    path = write(folder, ["id", "image"], ["a", "a.jpg"])
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files[member] = files.get(member, before.encode()).replace(
        before.encode(), more.encode() + before.encode(), 1
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_a_row_that_says_it_is_the_trillionth_is_refused(tmp_path: Path) -> None:
    """Those before it would be made up, one by one, for hours."""
    path = rewritten(tmp_path, '<row r="1000000000000"><c><v>1</v></c></row>')
    with pytest.raises(DatasetError, match="a row beyond 1,048,576"):
        read(path)


@pytest.mark.parametrize(
    ("member", "more", "words"),
    [
        (SHEET, '<row r="9">' + "<c/>" * 400 + "</row>", "sheet1.xml has more than 300 tags in one row"),
        (SHEET, "<x/>" * 400, "sheet1.xml has more than 300 tags in one row"),
        ("xl/sharedStrings.xml", "<si><t>x</t></si>" * 12, "more than 10 texts"),
        (
            "xl/sharedStrings.xml",
            "<si>" + "<r><t>x</t></r>" * 80 + "</si>",
            "Strings.xml has more than 300 tags",
        ),
    ],
)
def test_a_workbook_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str, more: str, words: str
) -> None:
    """A tag of four bytes takes a hundred times that; a file of 4 MB may unpack to 250 million of them."""
    monkeypatch.setattr(xlsx, "MAX_TAGS", 300)
    monkeypatch.setattr(xlsx, "MAX_STRINGS", 10)
    path = rewritten(tmp_path, more, member, "</sst>" if "shared" in member else "</sheetData>")
    with pytest.raises(DatasetError, match=words), open_xlsx(path):
        pass


@pytest.mark.parametrize("tag", ["<c ", "<c r='A9'><f", "<c><f>"])
def test_formulas_that_never_end_take_no_longer(tmp_path: Path, tag: str) -> None:
    """Looking for their ends took time with the square of their number: hours for this."""
    path = rewritten(tmp_path, f'<row r="9">{tag * 100_000}<f')
    with pytest.raises(DatasetError, match="no workbook that can be read"):
        read(path)


def test_a_workbook_is_found_by_its_content_and_read_as_a_table(shop: Path) -> None:
    path = write(shop, ["SKU", "Bild", "Preis"], [7, "a.jpg", 19.9]).rename(shop / "export.bin")
    importer = choose_importer(path)
    assert (importer.name, importer.count(path), count_xlsx_rows(path)) == ("csv", 1, 1)
    _, record = importer.records(path, ImportOptions())
    assert isinstance(record, Record)
    assert (record.product.id, record.product.said) == ("7", {"price": "19.9"})


@pytest.mark.parametrize("content", [b"PK\x03\x04 cut off", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_what_is_no_workbook_that_can_be_read_is_a_dataset_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "products.xlsx"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"products\.xlsx") as caught:
        list(TableImporter().records(path, ImportOptions()))
    assert "CSV" in caught.value.hint


def test_another_zip_is_no_workbook(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "products.xlsx", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with (
        pytest.raises(DatasetError, match="no workbook that can be read"),
        open_xlsx(tmp_path / "products.xlsx"),
    ):
        pass


def test_a_workbook_that_would_unpack_to_far_more_than_it_is_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ["id", "image"], [1, "a.jpg"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet9.xml", b" " * (64 << 20))
    with pytest.raises(DatasetError, match="would unpack to 64 MiB"), open_xlsx(path):
        pass


def test_a_workbook_without_any_cell_has_no_header(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no sheet has a header"), open_xlsx(write(tmp_path)):
        pass


def write_sheets(folder: Path, **sheets: list[list[Any]]) -> Path:
    book = Workbook()
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.remove(book.worksheets[0])
    path = folder / "products.xlsx"
    book.save(path)
    return path


COVER = [["Export of", "2026-11-30"], ["by", "Warehouse"]]
DRESSES = [["sku", "title", "price"], ["d1", "Red dress", 5]]
HATS = [["title", "sku", "price"], ["Hat", "h1", 7]]
STOCK = [["sku", "stock"], ["d1", 0]]


def list_items(path: Path, **options: str) -> tuple[list[str], list[str]]:
    """Ids of the products, and what is said of the sheets."""
    items = list(TableImporter().records(path, ImportOptions(**options)))  # type: ignore[arg-type]
    return (
        [item.product.id for item in items if isinstance(item, Unpictured)],
        [item.text for item in items if isinstance(item, Note) and "sheet" in item.text],
    )


def test_a_cover_sheet_is_no_table(tmp_path: Path) -> None:
    path = write_sheets(tmp_path, Cover=COVER, Dresses=DRESSES)
    assert list_items(path) == (
        ["d1"],
        ["the sheet 'Cover' was not read, only 'Dresses': --sheet NAME reads another"],
    )


def test_all_sheets_with_the_columns_of_the_first_are_read_and_the_others_named(tmp_path: Path) -> None:
    path = write_sheets(tmp_path, Cover=COVER, Dresses=DRESSES, Hats=HATS, Stock=STOCK, Empty=[])
    assert list_items(path) == (
        ["d1", "h1"],
        [
            "read the sheets 'Dresses', 'Hats', which have the same columns",
            "the sheets 'Cover', 'Stock' were not read, only 'Dresses', 'Hats': --sheet NAME reads another",
        ],
    )


def test_the_user_chooses_a_sheet(tmp_path: Path) -> None:
    path = write_sheets(tmp_path, Dresses=DRESSES, Hats=HATS)
    assert list_items(path, sheet="hats") == (["h1"], [])
    with pytest.raises(DatasetError, match="has no sheet 'Coats'") as caught:
        list_items(path, sheet="Coats")
    assert caught.value.hint == "its sheets are Dresses, Hats"
    (tmp_path / "a.csv").write_text("id,title\n1,x\n")
    with pytest.raises(DatasetError, match="is no workbook, and has no sheets"):
        list_items(tmp_path / "a.csv", sheet="Hats")


@pytest.mark.parametrize(
    ("value", "number_format", "text"),
    [
        (49.9, '#,##0.00 "€"', "49.90 €"),
        (49, "#,##0.00 [$€-407]", "49.00 €"),
        (1299, '#,##0.00\\ "EUR";-#,##0.00\\ "EUR"', "1299.00 EUR"),
        (49.955, "0.00", "49.955"),
        (0.5, "0.00%", "0.5"),
        (4006381333931, "0.00E+00", "4006381333931"),
        (5, "0", "5"),
    ],
)
def test_numbers_have_the_decimals_that_they_are_shown_with(
    tmp_path: Path, value: float, number_format: str, text: str
) -> None:
    assert first_text(tmp_path, value, number_format) == text


def test_formulas_without_a_saved_value_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, ["sku", "title", "price"], [1, "x", "=1+1"], [2, "y", "=A2*2"], [3, "z", 5])
    notes = [item.text for item in TableImporter().records(path, ImportOptions()) if isinstance(item, Note)]
    assert any(note.startswith("2 cells have a formula without a saved value") for note in notes)


def test_formulas_with_a_saved_value_are_not_counted(tmp_path: Path) -> None:
    plain = write(tmp_path, ["sku", "title"], ["a", "b"])
    path = tmp_path / "saved.xlsx"
    cells = (
        b'<c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>""</f><v></v></c></row>'
        b'<row r="3"><c r="A3"><f t="shared" si="0"/><v>4</v></c><c r="B3" s="1"><f t="shared" si="0"/></c>'
    )
    with zipfile.ZipFile(plain) as before, zipfile.ZipFile(path, "w") as after:
        for name in before.namelist():
            content = before.read(name)
            if name.startswith("xl/worksheets/"):
                start, _, end = content.partition(b'<row r="2"')
                content = start + b'<row r="2">' + cells + end[end.index(b"</row>") :]
            after.writestr(name, content)
    with open_xlsx(path) as (table, rows):
        assert [row.text("sku") for row in rows if isinstance(row, TableRow)] == ["2", "4"]
        assert [note.partition(":")[0] for note in table.notes] == [
            "1 cell has a formula without a saved value, and nothing in it"
        ]
