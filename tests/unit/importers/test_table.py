from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.base import UNCATEGORIZED, ImportOptions
from stylesearch.importers.table import TableImporter
from stylesearch.importers.table_reader import MAX_LINE, TableEncodingWarning
from stylesearch.listing import Record
from stylesearch.types import Box, Domain, Failure, Product


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


def test_every_column(shop: Path) -> None:
    (record,) = read(
        shop,
        "id,title,category,image,price,url,domain,box,Color,size\n"
        'r1,"Red, long",dress,a.jpg,19.90 EUR,https://s.example/r1,Consumer,"10, 20,30,40",red,\n',
    )
    assert record == Record(
        Product(
            "r1",
            "Red, long",
            "dress",
            url="https://s.example/r1",
            price="19.90 EUR",
            attributes={"Color": "red"},
        ),
        str(shop / "a.jpg"),
        Domain.CONSUMER,
        Box(10, 20, 30, 40),
    )


def test_several_rows_are_several_images_of_a_product(shop: Path) -> None:
    first, second, third = records(
        read(shop, "id,image,category,title,color\nx,a.jpg,dress,X,red\ny,img/c.jpg,top,Y,\nx,b.jpg,,,\n")
    )
    assert first.product == third.product == Product("x", "X", "dress", attributes={"color": "red"})
    assert [Path(r.path).name for r in (first, second, third)] == ["a.jpg", "c.jpg", "b.jpg"]


def test_only_a_image_is_needed(shop: Path) -> None:
    found = records(read(shop, "image\na.jpg\nimg/c.jpg\n./img/../img/straße 1.jpg\n"))
    assert [r.product for r in found] == [
        Product("a.jpg", "A", UNCATEGORIZED),
        Product("img/c.jpg", "C", UNCATEGORIZED),
        Product("img/straße 1.jpg", "Straße 1", UNCATEGORIZED),
    ]


def test_without_a_title_the_id_is_the_title(shop: Path) -> None:
    (record,) = records(read(shop, "id,image,title\nMH-01_x,a.jpg,\n"))
    assert record.product == Product("MH-01_x", "MH-01_x", UNCATEGORIZED)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiters_line_ends_and_encodings(shop: Path, delimiter: str, line_end: str, encoding: str) -> None:
    lines = [
        ["SKU", "Name", "Category", "Image Path"],
        ["1", "Größe, S; rot\tneu", "Röcke", "img/straße 1.jpg"],
    ]
    text = line_end.join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    (record,) = records(read(shop, text.encode(encoding)))
    assert record == Record(Product("1", "Größe, S; rot\tneu", "Röcke"), str(shop / "img/straße 1.jpg"))


def test_windows_1252_is_read_with_a_warning(shop: Path) -> None:
    text = "id;title;image\n1;Kleid für 20 €;a.jpg\n".encode("cp1252")
    with pytest.warns(TableEncodingWarning, match="not UTF-8; reading it as Windows-1252"):
        (record,) = records(read(shop, text))
    assert record.product.title == "Kleid für 20 €"


def test_bytes_that_are_no_text_fail_their_row_only(shop: Path) -> None:
    text = b"id,title,image\n1,caf\xe9 \x81,a.jpg\n2,ok,b.jpg\n"
    with pytest.warns(TableEncodingWarning):
        items = read(shop, text)
    assert reasons(items) == {2: "characters that cannot be read: save the table as UTF-8"}
    assert len(items) == 2


def test_bytes_that_are_no_text_behind_a_mark_fail_their_row_without_another_encoding(shop: Path) -> None:
    items = read(shop, b"\xef\xbb\xbfid,title,image\n1,caf\xe9,a.jpg\n2,ok,b.jpg\n")
    assert reasons(items) == {2: "characters that cannot be read: save the table as UTF-8"}
    assert isinstance(items[1], Record)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_replacement_character_that_is_really_there_is_fine(shop: Path, encoding: str) -> None:
    text = "id,title,image\n1,caf\N{REPLACEMENT CHARACTER},a.jpg\n"
    (record,) = records(read(shop, text.encode(encoding)))
    assert record.product.title == "caf\N{REPLACEMENT CHARACTER}"


def test_the_exact_name_of_a_column_comes_before_its_synonyms(shop: Path) -> None:
    (record,) = records(read(shop, "sku,id,path,image\ns1,i1,nowhere.jpg,a.jpg\n"))
    assert record.product == Product(
        "i1", "i1", UNCATEGORIZED, attributes={"sku": "s1", "path": "nowhere.jpg"}
    )


def test_columns_without_a_name_are_ignored(shop: Path) -> None:
    (record,) = records(read(shop, "id,image,,\n1,a.jpg,x,\n"))
    assert record.product.attributes == {}


def test_lines_are_counted_as_an_editor_does(shop: Path) -> None:
    items = read(
        shop,
        "\n\nid,image,note\n"  # lines 1 to 3
        '1,a.jpg,"two\nlines"\n'  # 4 and 5
        "\n"  # 6
        ",,\n"  # 7
        "2,missing.jpg,\n"  # 8
        '3,gone.jpg,"three\n\nlines"\n'  # 9 to 11
        "4,,\n",  # 12
    )
    assert set(reasons(items)) == {8, 9, 12}
    assert items[1] == Failure(f"{shop}/products.csv:8", f"no such picture: {shop}/missing.jpg")
    assert isinstance(items[0], Record)
    assert items[0].product.attributes == {"note": "two\nlines"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,a.jpg,dress,,", "5 cells, where the header has 6"),
        ("1,a.jpg,dress,,,,extra", "7 cells, where the header has 6"),
        ("1,,dress,,,", "no picture given"),
        (",a.jpg,dress,,,", "no id given"),
        (
            "1,https://s.example/a.jpg,dress,,,",
            "pictures must be local files in this version. Received: https://",
        ),
        ("1,//s.example/a.jpg,dress,,,", "pictures must be local files"),
        ("1,data:image/png;base64,dress,,,", "pictures must be local files"),
        ("1,S3://bucket/a.jpg,dress,,,", "pictures must be local files"),
        ("1,missing.jpg,dress,,,", "no such picture: "),
        ("1,img,dress,,,", "not a file: "),
        ("1,a.jpg/b.jpg,dress,,,", "cannot look at the picture "),
        (f"1,{'x' * 300}.jpg,dress,,,", "File name too long"),
        ("1,a.jpg,dress,customer,,", "a domain is shop or consumer. Received: 'customer'"),
        ("1,a.jpg,dress,,1 2 3,", "a box is four numbers x0,y0,x1,y1 in pixels. Received: '1,2,3'"),
        ("1,a.jpg,dress,,5 5 5 9,", "0 <= x0 < x1"),
        ("1,a.jpg,dress,,1 2 nan 4,", "a box is four numbers"),
        ("1,a.jpg,dre\0ss,,,", "a NUL character in it"),
        ('1,"a.jpg"x,dress,,,', "is a quote not closed?"),
    ],
)
def test_a_bad_row_is_a_failure_and_the_next_one_is_read(shop: Path, row: str, reason: str) -> None:
    items = read(shop, f"id,image,category,domain,box,note\n{row}\n2,b.jpg,top,,,\n")
    assert reason in reasons(items)[2]
    assert isinstance(items[1], Record)
    assert items[1].product.id == "2"


@pytest.mark.parametrize("box", ["1,2,3,4", "1 2 3 4", "1;2;3;4", " 1 , 2; 3  4 ", "1.2,2.4,2.6,4"])
def test_boxes(shop: Path, box: str) -> None:
    (record,) = records(read(shop, f'image\tbox\na.jpg\t"{box}"\n'))
    assert record.box == Box(1, 2, 3, 4)


def test_a_quote_that_is_never_closed_costs_a_failure_and_not_the_table(shop: Path) -> None:
    filler = "".join(f"{i},b.jpg,dress,ordinary\n" for i in range(3, 20_000))
    items = read(shop, f'id,image,category,note\n1,a.jpg,dress,ok\n2,b.jpg,dress,"never closed\n{filler}')
    assert isinstance(items[0], Record)
    failed = reasons(items)
    assert "lines 3 to" in failed[3]
    assert "is a quote not closed?" in failed[3]
    assert len(items) > 1000, "the rows behind it are read again"


def test_a_quote_open_at_the_end_is_a_failure(shop: Path) -> None:
    items = read(shop, 'id,image,note\n1,a.jpg,ok\n2,b.jpg,"never closed\n3,b.jpg,swallowed\n')
    assert isinstance(items[0], Record)
    assert "lines 3 to 4: unexpected end of data" in reasons(items)[3]


def test_a_huge_field_is_a_failure(shop: Path) -> None:
    huge = "x" * (csv.field_size_limit() + 1)
    items = read(shop, f"id,image,note\n1,a.jpg,{huge}\n2,b.jpg,ok\n")
    assert "field larger than field limit" in reasons(items)[2]
    assert isinstance(items[1], Record)


def test_a_line_without_end_is_no_table(shop: Path) -> None:
    with pytest.raises(DatasetError, match=r"products\.csv:2: a line of more than 1,000,000 characters"):
        read(shop, "id,image\n" + "x" * (MAX_LINE + 1))


@pytest.mark.parametrize(
    "header",
    ["", "\n\n", "a1,Red dress,dress", "id,title,category", '"id,image', "\x00\x01\x02", "{}", "id|image"],
)
def test_without_a_usable_header_there_is_no_table(shop: Path, header: str) -> None:
    with pytest.raises(DatasetError, match=r"products\.csv:\d: no column for the picture") as caught:
        read(shop, header)
    assert "at least `image`" in caught.value.hint


def test_two_columns_of_one_name_are_refused(shop: Path) -> None:
    with pytest.raises(DatasetError, match=r"products\.csv:1: two columns are called 'image_path'"):
        read(shop, "Image Path,image-path,image\n")


def test_a_header_alone_is_no_table(shop: Path) -> None:
    with pytest.raises(DatasetError, match="a header, but no rows"):
        read(shop, "id,image\n\n , \n")


def test_what_cannot_be_opened_is_a_dataset_error(shop: Path) -> None:
    for path in (shop, shop / "missing.csv"):
        with pytest.raises(DatasetError, match="not a file"):
            list(TableImporter().records(path, ImportOptions()))


def test_the_first_row_of_a_product_describes_it_wherever_the_others_are(shop: Path) -> None:
    items = records(
        read(
            shop,
            "id,image,title,category,price\n"
            "x,a.jpg,First,dress,1\n"
            "y,a.jpg,Other,top,2\n"
            "x,b.jpg,Second,dress,3\n",
        )
    )
    assert items[2].product == items[0].product == Product("x", "First", "dress", price="1")


def test_a_first_row_describes_its_product_even_if_its_image_is_missing(shop: Path) -> None:
    failure, record = read(shop, "id,image,title,category\nx,missing.jpg,First,dress\nx,a.jpg,,\n")
    assert isinstance(failure, Failure)
    assert isinstance(record, Record)
    assert record.product == Product("x", "First", "dress")


def test_a_row_that_moves_its_product_to_another_category_is_refused(shop: Path) -> None:
    items = read(
        shop, "id,image,category\nx,a.jpg,dress\ny,a.jpg,top\nx,b.jpg,skirt\nz,b.jpg,\nz,a.jpg,hat\n"
    )
    assert reasons(items) == {
        4: "the product 'x' is in the category 'dress' (line 2), here in 'skirt'",
        6: "the product 'z' is in the category 'uncategorized' (line 5), here in 'hat'",
    }


def test_a_image_listed_twice_counts_once(shop: Path) -> None:
    items = read(
        shop,
        "id,image,box\nx,a.jpg,1 2 3 4\nx,./a.jpg,1 2 3 4\nx,a.jpg,5 6 7 8\ny,a.jpg,5 6 7 8\n",
    )
    assert reasons(items) == {4: "line 2 has this picture with another box or domain"}
    assert [(i.product.id, i.box) for i in items if isinstance(i, Record)] == [
        ("x", Box(1, 2, 3, 4)),
        ("y", Box(5, 6, 7, 8)),
    ]


def test_the_domain_of_the_user_is_for_rows_that_have_none(shop: Path) -> None:
    found = records(read(shop, "image,domain\na.jpg,\nb.jpg,shop\n", domain=Domain.CONSUMER))
    assert [r.domain for r in found] == [Domain.CONSUMER, Domain.SHOP]


def test_a_table_reached_by_a_relative_path(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read(shop, "image\na.jpg\nmissing.jpg\n")
    monkeypatch.chdir(shop)
    record, failure = TableImporter().records(Path("products.csv"), ImportOptions())
    assert isinstance(record, Record)
    assert record.path == str(shop / "a.jpg")
    assert isinstance(failure, Failure)
    assert failure.item == "products.csv:3"


def test_rows_are_read_as_they_are_asked_for(shop: Path) -> None:
    table = shop / "products.csv"
    table.write_text("id,image\n1,a.jpg\n" + "x" * (MAX_LINE + 1), encoding="utf-8")
    rows = iter(TableImporter().records(table, ImportOptions()))
    assert isinstance(next(rows), Record)
    with pytest.raises(DatasetError):
        next(rows)


@pytest.mark.parametrize(
    ("text", "rows"), [("image\n", 0), ("image\na\nb\n", 2), ("image\na\nb", 2), ("", 0)]
)
def test_count(shop: Path, text: str, rows: int) -> None:
    (shop / "products.csv").write_text(text, encoding="utf-8")
    assert TableImporter().count(shop / "products.csv") == rows


def test_a_table_from_the_csv_module_needs_nothing_special(shop: Path) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["id", "image", "note"], ['say "hi"', "a.jpg", 'a "b",\r\nc']])
    (record,) = records(read(shop, out.getvalue()))
    assert record.product.id == 'say "hi"'
    assert record.product.attributes == {"note": 'a "b",\r\nc'}
