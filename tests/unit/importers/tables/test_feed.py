from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers.tables.feed import open_feed
from stylesearch.importers.tables.google import GoogleMerchant
from stylesearch.importers.tables.items import Table, TableRow
from stylesearch.types import Failure
from tests.unit.importers.tables.reading import items_of

G = 'xmlns:g="http://base.google.com/ns/1.0"'

RSS = f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" {G}><channel>
<title>A shop</title><link>https://s.example</link>
<item><g:id>a</g:id><title>Ä dress</title><link>https://s.example/a</link>
  <g:image_link>https://i.example/a.jpg</g:image_link>
  <g:additional_image_link>https://i.example/a2.jpg</g:additional_image_link>
  <g:additional_image_link>https://i.example/a3.jpg</g:additional_image_link>
  <g:shipping><g:country>DE</g:country><g:price>4.90 EUR</g:price></g:shipping>
  <g:price>19.90 EUR</g:price></item>
<item><g:id>b</g:id><title><![CDATA[Cap & scarf]]></title><g:image_link>b.jpg</g:image_link></item>
</channel></rss>"""

ATOM = f"""<feed xmlns="http://www.w3.org/2005/Atom" {G}>
<title>A shop</title><link rel="self" href="https://s.example"/>
<entry><id>tag:s.example,2026:a</id><title>Ä dress</title><link href="https://s.example/a"/>
<g:id>a</g:id><g:image_link>https://i.example/a.jpg</g:image_link><g:price>19.90 EUR</g:price></entry>
</feed>"""


def read(path: Path, text: str | bytes) -> tuple[Table, list[TableRow | Failure]]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with open_feed(path) as (table, rows):
        return table, list(rows)


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    return tmp_path / "feed.xml"


def test_an_item_of_rss_is_a_row(feed: Path) -> None:
    table, rows = read(feed, RSS)
    assert table.is_feed
    assert table.columns == {
        "id": "id",
        "title": "title",
        "link": "link",
        "image link": "image_link",
        "additional image link": "additional_image_link",
        "price": "price",
    }
    assert rows == [
        TableRow(
            1,
            {
                "id": ("a",),
                "title": ("Ä dress",),
                "link": ("https://s.example/a",),
                "image link": ("https://i.example/a.jpg",),
                "additional image link": ("https://i.example/a2.jpg", "https://i.example/a3.jpg"),
                "price": ("19.90 EUR",),
            },
        ),
        TableRow(2, {"id": ("b",), "title": ("Cap & scarf",), "image link": ("b.jpg",)}),
    ]


def test_an_entry_of_atom_is_a_row_and_its_own_id_comes_last(feed: Path) -> None:
    table, rows = read(feed, ATOM)
    assert rows == [
        TableRow(
            1,
            {
                "id": ("a", "tag:s.example,2026:a"),
                "title": ("Ä dress",),
                "link": ("https://s.example/a",),
                "image link": ("https://i.example/a.jpg",),
                "price": ("19.90 EUR",),
            },
        )
    ]
    (item,), bad = items_of(GoogleMerchant(), table, [row for row in rows if isinstance(row, TableRow)])
    assert (item.key, item.said["url"], bad) == ("a", "https://s.example/a", {})


def test_elements_without_a_namespace_are_the_same_columns(feed: Path) -> None:
    assert read(feed, RSS.replace("g:", "").replace(G.replace("g:", ""), ""))[1] == read(feed, RSS)[1]


def test_a_list_of_products_with_attributes_is_read(feed: Path) -> None:
    _, rows = read(feed, '<shop><product sku="7"><name>Cap</name></product><product sku="8"/></shop>')
    assert rows == [TableRow(1, {"name": ("Cap",), "sku": ("7",)}), TableRow(2, {"sku": ("8",)})]


@pytest.mark.parametrize("before", [b"\n  ", b"\xef\xbb\xbf", b"\xef\xbb\xbf\xef\xbb\xbf\r\n"])
def test_blanks_and_marks_before_the_declaration_are_skipped(feed: Path, before: bytes) -> None:
    assert read(feed, before + RSS.encode()) == read(feed, RSS)


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "windows-1252"])
def test_other_encodings(feed: Path, encoding: str) -> None:
    text = RSS.replace("UTF-8", encoding)
    assert read(feed, text.encode(encoding))[1] == read(feed, RSS)[1]


def test_names_are_composed(feed: Path) -> None:
    _, rows = read(feed, RSS.replace("Ä", "A\u0308"))
    assert isinstance(rows[0], TableRow)
    assert rows[0].text("title") == "Ä dress"


def test_a_feed_that_is_cut_off_says_what_came_before_and_where_it_ends(feed: Path) -> None:
    cut = RSS[: RSS.index("<title><![CDATA")]
    *rows, failure = read(feed, cut)[1]
    assert [row.text("id") for row in rows if isinstance(row, TableRow)] == ["a"]
    assert isinstance(failure, Failure)
    assert failure.item == f"{feed}:10"
    assert "the XML ends or breaks here" in failure.reason
    assert "the 1 products before it were read" in failure.reason


def test_a_feed_that_breaks_in_its_first_item_is_an_error_with_the_line(feed: Path) -> None:
    with pytest.raises(DatasetError, match=r"feed\.xml:5: the XML ends or breaks here"):
        read(feed, RSS.replace("<title>Ä dress</title>\n", "").replace("  <g:image", " & <g:image", 1))


@pytest.mark.parametrize("text", ["<rss><channel><title>none</title></channel></rss>", "<item/>"])
def test_a_file_without_products_is_an_error(feed: Path, text: str) -> None:
    with pytest.raises(DatasetError, match="no product is in"):
        read(feed, text)


def test_entities_are_refused(feed: Path) -> None:
    bomb = '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
    with pytest.raises(DatasetError, match="defines entities") as caught:
        read(feed, f"{bomb}<r><item><id>&b;</id></item></r>")
    assert "<!ENTITY" in caught.value.hint


def test_other_files_are_not_read(feed: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    outside = f'<!DOCTYPE r [<!ENTITY a SYSTEM "{secret.as_uri()}">]>'
    with pytest.raises(DatasetError, match="defines entities"):
        read(feed, f"{outside}<r><item><id>&a;</id></item></r>")


def test_a_document_type_alone_is_allowed_and_not_loaded(feed: Path) -> None:
    _, rows = read(feed, '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/r.dtd"><r><item><id>a</id></item></r>')
    assert rows == [TableRow(1, {"id": ("a",)})]


def test_an_item_of_too_many_elements_is_a_failure(feed: Path) -> None:
    _, rows = read(feed, "<r><item><id>a</id></item><item>" + "<b/>" * 10_001 + "</item></r>")
    said = "an element 'item' has more than 10,000 elements and attributes in it"
    assert rows[1:] == [Failure(str(feed), said)]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (
            "<item " + " ".join(f'a{n}="1"' for n in range(10_001)) + "/>",
            "10,000 elements and attributes in it",
        ),
        ("<item>" + "<b>" * 1_000, "more than 1,000 elements inside one another"),
        (f"<item><title>{'a' * 4_100_000}</title></item>", "4,000,000 bytes without the end of a tag"),
        (f"<{'a' * 4_100_000}/>", "4,000,000 bytes without the end of a tag"),
    ],
    ids=["attributes", "depth", "text", "name"],
)
def test_what_no_product_has_is_a_failure_before_it_fills_the_memory(
    feed: Path, second: str, said: str
) -> None:
    _, rows = read(feed, f"<r><item><id>a</id></item>{second}")
    assert rows[0] == TableRow(1, {"id": ("a",)})
    assert isinstance(rows[1], Failure)
    assert said in rows[1].reason


def test_a_long_text_and_as_many_attributes_as_may_be_are_read(feed: Path) -> None:
    attributes = " ".join(f'a{n}="1"' for n in range(9_990))
    _, rows = read(feed, f"<r><item {attributes}><id>a</id><title>{'b' * 3_900_000}</title></item></r>")
    (row,) = rows
    assert isinstance(row, TableRow)
    assert len(row.text("title")) == 3_900_000
    assert row.text("a9989") == "1"


def test_one_item_at_a_time_is_in_memory(feed: Path) -> None:
    item = f"<item><id>a</id><title>{'x' * 1000}</title></item>\n<note>between</note>\n"
    feed.write_text(f"<r>{item * 20_000}</r>")
    tracemalloc.start()
    try:
        with open_feed(feed) as (_, rows):
            assert sum(1 for _ in rows) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
