"""Tables as they are read by default: what each row and column says."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ColumnsNote, ImportOptions, Listed, Note
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.importers.tables.text import MAX_RECORD, TableEncodingWarning
from stylesearch.listing import Listing, Record, Unpictured
from stylesearch.types import Box, Domain, Failure, Variant


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
        if isinstance(item, Failure | Unpictured) and item.reason
    }


def pictured(items: list[Listed]) -> list[str]:
    """Ids of the products with pictures, one for each picture."""
    return [item.product.id for item in items if isinstance(item, Record)]


def test_every_column(shop: Path) -> None:
    (record,) = read(
        shop,
        "id,title,category,image,price,url,domain,box,Color,size\n"
        'r1,"Red, long",dress,a.jpg,19.90 EUR,https://s.example/r1,Consumer,"10, 20,30,40",red,\n',
    )
    assert record == Record(
        Listing(
            "r1",
            {
                "title": "Red, long",
                "category": "dress",
                "price": "19.90 EUR",
                "url": "https://s.example/r1",
                "attributes.Color": "red",
                "attributes.size": None,
            },
            guesses={"title": "r1"},
        ),
        str(shop / "a.jpg"),
        Domain.CONSUMER,
        Box(10, 20, 30, 40),
    )


def test_a_column_that_is_missing_says_nothing_and_an_empty_cell_says_empty(shop: Path) -> None:
    (record,) = records(read(shop, "id,image,price,Note\n1,a.jpg,,\n"))
    assert record.product.said == {"price": None, "attributes.Note": None}


def test_several_rows_are_several_images_of_a_product(shop: Path) -> None:
    first, second, third = records(
        read(shop, "id,image,category,title,color\nx,a.jpg,dress,X,red\ny,img/c.jpg,top,Y,\nx,b.jpg,,,\n")
    )
    assert first.product is second.product
    assert first.product.said == {"title": "X", "category": "dress", "attributes.color": "red"}
    assert [Path(r.path).name for r in (first, second, third)] == ["a.jpg", "b.jpg", "c.jpg"]


def test_only_an_image_is_needed(shop: Path) -> None:
    found = records(read(shop, "image\na.jpg\nimg/c.jpg\n./img/../img/straße 1.jpg\n"))
    assert [r.product for r in found] == [
        Listing("a.jpg", guesses={"title": "A"}),
        Listing("img/c.jpg", guesses={"title": "C"}),
        Listing("img/straße 1.jpg", guesses={"title": "Straße 1"}),
    ]


def test_without_a_title_the_id_is_a_guess_of_it(shop: Path) -> None:
    (record,) = records(read(shop, "id,image,title\nMH-01_x,a.jpg,\n"))
    assert record.product == Listing("MH-01_x", {"title": None}, {"title": "MH-01_x"})


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_delimiters_line_ends_and_encodings(shop: Path, delimiter: str, line_end: str, encoding: str) -> None:
    lines = [
        ["SKU", "Name", "Category", "Image Path"],
        ["1", "Größe, S; rot\tneu|x", "Röcke", "img/straße 1.jpg"],
    ]
    text = line_end.join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    (record,) = records(read(shop, text.encode(encoding)))
    assert record.path == str(shop / "img/straße 1.jpg")
    assert record.product.id == "1"
    assert record.product.said == {"title": "Größe, S; rot\tneu|x", "category": "Röcke"}


def test_windows_1252_is_read_with_a_warning(shop: Path) -> None:
    text = "id;title;image\n1;Kleid für 20 €;a.jpg\n".encode("cp1252")
    with pytest.warns(TableEncodingWarning, match="not UTF-8; reading it as Windows-1252"):
        (record,) = records(read(shop, text))
    assert record.product.said["title"] == "Kleid für 20 €"


def test_bytes_that_are_no_text_fail_their_row_only(shop: Path) -> None:
    text = b"id,title,image\n1,caf\xe9 \x81,a.jpg\n2,ok,b.jpg\n"
    with pytest.warns(TableEncodingWarning):
        items = read(shop, text)
    assert reasons(items) == {2: "characters that cannot be read: save the table as UTF-8"}
    assert pictured(items) == ["2"]


@pytest.mark.parametrize(
    "start", [b"\xef\xbb\xbfid,title,image\n", "id,title,image\n9,größer,a.jpg\n".encode()]
)
def test_a_damaged_row_of_a_table_in_utf8_fails_without_another_encoding(shop: Path, start: bytes) -> None:
    items = read(shop, start + "1,caf\udce9,a.jpg\n2,für,b.jpg\n".encode("utf-8", "surrogateescape"))
    assert list(reasons(items).values()) == ["characters that cannot be read: save the table as UTF-8"]
    assert pictured(items)[-1] == "2"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_replacement_character_that_is_really_there_is_fine(shop: Path, encoding: str) -> None:
    text = "id,title,image\n1,caf\N{REPLACEMENT CHARACTER},a.jpg\n"
    (record,) = records(read(shop, text.encode(encoding)))
    assert record.product.said["title"] == "caf\N{REPLACEMENT CHARACTER}"


def test_the_exact_name_of_a_column_comes_before_its_synonyms(shop: Path) -> None:
    (record,) = records(read(shop, "sku,id,path,image\ns1,i1,nowhere.jpg,a.jpg\n"))
    assert record.product == Listing(
        "i1", {"attributes.sku": "s1", "attributes.path": "nowhere.jpg"}, {"title": "i1"}
    )


def test_columns_without_a_name_are_ignored(shop: Path) -> None:
    (record,) = records(read(shop, "id,image,,\n1,a.jpg,x,\n"))
    assert record.product.said == {}


def test_lines_are_counted_as_an_editor_does(shop: Path) -> None:
    items = read(
        shop,
        "\n\nid,image,note\n"  # lines 1 to 3
        '1,a.jpg,"two\nlines"\n'  # 4 and 5
        "\n"  # 6
        ",,\n"  # 7
        "2,missing.jpg,\n"  # 8
        '3,gone.jpg,"three\n\nlines"\n'  # 9 to 11
        ",b.jpg,\n",  # 12
    )
    assert set(reasons(items)) == {8, 9, 12}
    assert items[0] == Failure(f"{shop}/products.csv:12", "no id given")
    assert items[2] == Unpictured(
        Listing("2", {"attributes.note": None}, {"title": "2"}),
        f"{shop}/products.csv:8",
        f"no such picture: {shop}/missing.jpg",
    )
    assert isinstance(items[1], Record)
    assert items[1].product.said == {"attributes.note": "two\nlines"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",a.jpg,dress,,,,extra", "no id given"),
        (",a.jpg,dress,,,", "no id given"),
        ("1,a.jpg,dre\0ss,,,", "a NUL character in it"),
        ('"1\n2",a.jpg,dress,,,', "a control character, '\\n', in the id '1\\n2'"),
        ("1\x1b[2J,a.jpg,dress,,,", "a control character, '\\x1b', in the id '1\\x1b[2J'"),
        ("1\x852,a.jpg,dress,,,", "a control character, '\\x85', in the id '1\\x852'"),
        ('1,"a.jpg"x,dress,,,', "is a quote not closed?"),
    ],
)
def test_a_bad_row_is_a_failure_and_the_next_one_is_read(shop: Path, row: str, reason: str) -> None:
    failure, record = read(shop, f"id,image,category,domain,box,note\n{row}\n2,b.jpg,top,,,\n")
    assert isinstance(failure, Failure)
    assert failure.item == f"{shop}/products.csv:2"
    assert reason in failure.reason
    assert isinstance(record, Record)
    assert record.product.id == "2"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,data:image/png;base64,dress,,,", "a picture in the table itself cannot be read"),
        ("1,missing.jpg,dress,,,", "no such picture: "),
        ("1,img,dress,,,", "not a file: "),
        ("1,a.jpg/b.jpg,dress,,,", "cannot look at the picture "),
        (f"1,{'x' * 300}.jpg,dress,,,", "File name too long"),
        ("1,a.jpg,dress,customer,,", "a domain is shop or consumer. Received: 'customer'"),
        ("1,a.jpg,dress,,1 2 3,", "a box is four numbers x0,y0,x1,y1 in pixels. Received: '1,2,3'"),
        ("1,a.jpg,dress,,5 5 5 9,", "with x0 < x1"),
        ("1,a.jpg,dress,,1 2 nan 4,", "a box is four numbers"),
    ],
)
def test_a_row_without_a_usable_picture_still_lists_its_product(shop: Path, row: str, reason: str) -> None:
    unpictured, record = read(shop, f"id,image,category,domain,box,note\n{row}\n2,b.jpg,top,,,\n")
    assert isinstance(unpictured, Unpictured)
    assert unpictured.product == Listing("1", {"category": "dress", "attributes.note": None}, {"title": "1"})
    assert unpictured.item == f"{shop}/products.csv:2"
    assert reason in str(unpictured.reason)
    assert isinstance(record, Record)


def test_a_product_without_any_picture_is_listed_and_no_failure(shop: Path) -> None:
    items = read(shop, "id,image,category\n1,,dress\n1,,\n2,,top\n2,a.jpg,\n")
    assert items[0] == Unpictured(
        Listing("1", {"category": "dress"}, {"title": "1"}), f"{shop}/products.csv:2", None
    )
    assert pictured(items) == ["2"]
    assert len(items) == 2


@pytest.mark.parametrize("row", ["1,a.jpg", "1,a.jpg,", "1,a.jpg,,,,", "1,a.jpg,,,  ,"])
def test_a_row_may_be_short_or_long_by_empty_cells(shop: Path, row: str) -> None:
    (record,) = records(read(shop, f"id,image,category,note\n{row}\n"))
    assert record.product.said == {"category": None, "attributes.note": None}


@pytest.mark.parametrize("box", ["1,2,3,4", "1 2 3 4", "1;2;3;4", " 1 , 2; 3  4 ", "1.2,2.4,2.6,4"])
def test_boxes(shop: Path, box: str) -> None:
    (record,) = records(read(shop, f'image\tbox\na.jpg\t"{box}"\n'))
    assert record.box == Box(1, 2, 3, 4)


def test_a_quote_that_is_never_closed_costs_its_row_alone(shop: Path) -> None:
    filler = "".join(f"{i},b.jpg,dress,ordinary\n" for i in range(3, 20_000))
    items = read(shop, f'id,image,category,note\n1,a.jpg,dress,ok\n2,b.jpg,dress,"never closed\n{filler}')
    assert list(reasons(items)) == [3]
    assert "is a quote not closed?" in reasons(items)[3]
    assert pictured(items) == ["1", *map(str, range(3, 20_000))]


def test_of_quotes_that_are_never_closed_each_costs_its_row_alone(shop: Path) -> None:
    rows = [f'{i},b.jpg,"never closed' if i % 5 == 3 else f'{i},b.jpg,"fine, ""x"""' for i in range(1, 30)]
    items = read(shop, "id,image,note\n" + "\n".join(rows))
    assert list(reasons(items)) == [i + 1 for i in range(1, 30) if i % 5 == 3]
    assert pictured(items) == [str(i) for i in range(1, 30) if i % 5 != 3]


def test_the_text_behind_a_quote_that_is_not_closed_is_no_row(shop: Path) -> None:
    items = read(shop, 'id,image,note\n1,a.jpg,ok\n2,b.jpg,"never\nclosed\nanywhere, really\n3,b.jpg,ok\n')
    assert "lines 3 to 6: unexpected end of data" in reasons(items)[3]
    assert list(reasons(items)) == [3]
    assert pictured(items) == ["1", "3"]


def test_a_huge_cell_is_read(shop: Path) -> None:
    limit = csv.field_size_limit()
    huge = "x" * (2 * limit)
    found = records(read(shop, f'id,image,note\n1,a.jpg,{huge}\n2,b.jpg,"{huge},\n""y"""\n3,a.jpg,ok\n'))
    assert [len(r.product.said["attributes.note"]) for r in found] == [2 * limit, 2 * limit + 5, 2]
    assert csv.field_size_limit() == limit, "a setting of the whole process"


def test_a_row_without_end_is_a_failure(shop: Path) -> None:
    items = read(shop, "id,image\n1,a.jpg\n" + "x" * (2 * MAX_RECORD) + "\n2,b.jpg\n")
    assert reasons(items) == {3: "not a row of a table, line 3: more than 4,000,000 characters"}
    assert pictured(items) == ["1", "2"]


@pytest.mark.parametrize("header", ["a1,Red dress,dress", "title,category", "\x01\x02", "{}", "one"])
def test_a_table_needs_a_column_for_the_picture_or_the_id(shop: Path, header: str) -> None:
    with pytest.raises(DatasetError, match=r"products\.csv:1: no column for the picture or the id") as caught:
        read(shop, header)
    assert "at least `image` or `id`" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"), [("", "nothing in it"), ("\n\n", "nothing in it"), ('"id,image', "no header")]
)
def test_without_a_header_there_is_no_table(shop: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read(shop, text)


def test_a_table_without_pictures_and_titles_only_changes_known_products_and_says_so(shop: Path) -> None:
    note, first, second = read(shop, "sku,price,stock,Fotodatei\n1,19.90,3,a.jpg\n2,5,0,b.jpg\n")
    assert isinstance(note, Note)
    assert "no column for pictures is in the header (sku, price, stock, Fotodatei)" in note.text
    assert "only products that are known are changed" in note.text
    assert first == Unpictured(
        Listing(
            "1",
            {"price": "19.90", "in_stock": True, "attributes.Fotodatei": "a.jpg"},
            guesses={"title": "1"},
        ),
        f"{shop}/products.csv:2",
        only_known=True,
        says_images=False,
    )
    assert isinstance(second, Unpictured)
    assert second.product.said["in_stock"] is False


def test_a_table_with_titles_and_without_pictures_lists_products(shop: Path) -> None:
    note, product = read(shop, "sku,title\n1,Red dress\n")
    assert isinstance(note, Note)
    assert "only products that are known" not in note.text
    assert isinstance(product, Unpictured)
    assert (product.only_known, product.says_images) == (False, False)


def test_the_variants_of_a_table_of_facts_stay_apart_by_their_ids(shop: Path) -> None:
    _, product = read(shop, "sku,parent,stock\nW1-S,W1,0\n")
    assert isinstance(product, Unpictured)
    assert product.product.said["variants"] == (Variant("W1-S", in_stock=False),)


def test_a_row_that_is_too_long_only_lists_its_product(shop: Path) -> None:
    unpictured, record = read(shop, "id,image,category\n1,a.jpg,dress,extra\n2,b.jpg,top\n")
    reason = "4 cells, where the header has 3"
    assert unpictured == Unpictured(Listing("1"), f"{shop}/products.csv:2", reason, only_known=True)
    assert isinstance(record, Record)


def test_of_two_columns_of_one_name_both_values_are_kept(shop: Path) -> None:
    first, second, third = records(
        read(shop, "id,Image Path,image-path,Tag,tag\n1,a.jpg,b.jpg,new,sale\n2,,b.jpg,,x\n")
    )
    assert [Path(r.path).name for r in (first, second, third)] == ["a.jpg", "b.jpg", "b.jpg"]
    assert first.product.said == {"attributes.Tag": "new, sale"}
    assert third.product.said == {"attributes.Tag": "x"}


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
            "x,a.jpg,First,dress,\n"
            "y,a.jpg,Other,top,2\n"
            "x,b.jpg,Second,dress,3\n",
        )
    )
    assert [r.product.id for r in items] == ["x", "x", "y"]
    assert items[0].product.said == {"title": "First", "category": "dress", "price": "3"}


def test_a_first_row_describes_its_product_even_if_its_image_is_missing(shop: Path) -> None:
    unpictured, record = read(shop, "id,image,title,category\nx,missing.jpg,First,dress\nx,a.jpg,,\n")
    assert isinstance(unpictured, Unpictured)
    assert isinstance(record, Record)
    assert record.product == Listing("x", {"title": "First", "category": "dress"}, {"title": "x"})


def test_a_row_that_moves_its_product_to_another_category_is_refused(shop: Path) -> None:
    items = read(
        shop, "id,image,category\nx,a.jpg,dress\ny,a.jpg,top\nx,b.jpg,skirt\nz,b.jpg,\nz,a.jpg,hat\n"
    )
    assert reasons(items) == {4: "the product 'x' is in the category 'dress' (line 2), here in 'skirt'"}
    assert pictured(items) == ["x", "y", "z", "z"]


def test_an_image_listed_twice_counts_once(shop: Path) -> None:
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
    read(shop, "id,image\n1,a.jpg\n2,missing.jpg\n")
    monkeypatch.chdir(shop)
    _, record, unpictured = TableImporter().records(Path("products.csv"), ImportOptions())
    assert isinstance(record, Record)
    assert record.path == str(shop / "a.jpg")
    assert isinstance(unpictured, Unpictured)
    assert unpictured.item == "products.csv:3"


@pytest.mark.parametrize(
    ("text", "rows"), [("image\n", 0), ("image\na\nb\n", 2), ("image\na\nb", 2), ("image\ra\rb", 2), ("", 0)]
)
def test_count(shop: Path, text: str, rows: int) -> None:
    (shop / "products.csv").write_text(text, encoding="utf-8", newline="")
    assert TableImporter().count(shop / "products.csv") == rows


def test_a_table_from_the_csv_module_needs_nothing_special(shop: Path) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["id", "image", "note"], ['say "hi"', "a.jpg", 'a "b",\r\nc']])
    (record,) = records(read(shop, out.getvalue()))
    assert record.product.id == 'say "hi"'
    assert record.product.said == {"attributes.note": 'a "b",\r\nc'}


def test_prices_and_stock_texts_that_cannot_be_read_are_counted(shop: Path) -> None:
    items = read(
        shop,
        "id,image,price,stock\n1,a.jpg,19.90,3\n2,b.jpg,auf Anfrage,siehe Filiale\n"
        "3,b.jpg,12.5O,2\n4,b.jpg,,\n",
    )
    assert [item.text for item in items if isinstance(item, Note)] == [
        "2 prices could not be read, first: 'auf Anfrage' (line 3)",
        "1 stock text could not be read, first: 'siehe Filiale' (line 3)",
    ]
    assert [item.product.said["price"] for item in items if isinstance(item, Record)] == [
        "19.90",
        "auf Anfrage",
        "12.5O",
        None,
    ]
