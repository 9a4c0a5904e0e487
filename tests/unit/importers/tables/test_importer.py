"""Which tables are read, by what, and how they are opened."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from stylesearch.errors import DatasetError
from stylesearch.importers import IMPORTERS
from stylesearch.importers.base import ImportOptions
from stylesearch.importers.choice import choose_importer
from stylesearch.importers.tables import TABLE_FORMATS
from stylesearch.importers.tables.importer import TableImporter, open_table
from stylesearch.listing import Record

FEED = """<?xml version="1.0" encoding="{encoding}"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel>
<item><g:id>1</g:id><title>Größe</title><link>https://s.example/1</link>
<g:image_link>https://s.example/1.jpg</g:image_link><g:availability>in stock</g:availability>
<g:condition>new</g:condition></item>
</channel></rss>
"""


@pytest.mark.parametrize("name", TABLE_FORMATS)
def test_every_format_is_an_importer(name: str) -> None:
    importer = IMPORTERS.load(name)()
    assert isinstance(importer, TableImporter)
    assert importer.name == TABLE_FORMATS.load(name)().name == name
    assert IMPORTERS[name].reads_file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_feed_is_found_by_its_content(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "export.txt"
    path.write_bytes(FEED.format(encoding=encoding.removesuffix("-sig")).encode(encoding))
    importer = choose_importer(path)
    assert importer.name == "google"
    (record,) = importer.records(path, ImportOptions())
    assert isinstance(record, Record)
    assert record.path == "https://s.example/1.jpg"
    assert record.product.said["title"] == "Größe"
    assert record.product.is_whole, "a feed leaves out what is empty"


def test_the_items_of_a_feed_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(FEED.format(encoding="utf-8"), encoding="utf-8")
    assert TableImporter("google").count(path) == 1


def test_a_page_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<!DOCTYPE html><html><body><p>Dresses</p></body></html>", encoding="utf-8")
    with pytest.raises(DatasetError, match="cannot tell what kind"):
        choose_importer(path)


def test_the_file_is_looked_at_again_after_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_text("nothing\n", encoding="utf-8")
    assert TableImporter().sniff(path) == 0
    path.write_text("id,image\n1,a.jpg\n", encoding="utf-8")
    assert TableImporter().sniff(path) == 2


def test_a_format_that_is_named_needs_its_columns(shop: Path) -> None:
    path = shop / "products.csv"
    path.write_text("id,image\n1,a.jpg\n", encoding="utf-8")
    with pytest.raises(
        DatasetError, match=r":1: not the columns of the format 'shopify'. Received: id, image"
    ):
        list(TableImporter("shopify").records(path, ImportOptions()))


def test_the_columns_of_a_known_format_cannot_be_chosen(shop: Path) -> None:
    path = shop / "products.csv"
    path.write_text("Handle,Variant Price,Image Src\n1,2,a.jpg\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="the columns of the format 'shopify' are known") as caught:
        list(TableImporter("shopify").records(path, ImportOptions(columns={"title": "Handle"})))
    assert "--format csv" in caught.value.hint


def test_a_table_behind_a_link_has_its_pictures_beside_the_link(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "export-2026-11-29.csv").write_text("id,image\n1,a.jpg\n", encoding="utf-8")
    (shop / "latest.csv").symlink_to(tmp_path / "export-2026-11-29.csv")
    _, record = TableImporter().records(shop / "latest.csv", ImportOptions())
    assert isinstance(record, Record)
    assert record.path == str(shop / "a.jpg")


def test_memory_does_not_grow_with_the_table(tmp_path: Path) -> None:
    def peak(n_rows: int) -> int:
        path = tmp_path / "products.csv"
        with path.open("w", encoding="utf-8") as file:
            file.write("id,title,category,image,price\n")
            for i in range(n_rows):
                file.write(
                    f"{i % (n_rows // 2)},Summer dress {i},dress,https://s.example/{i}.jpg,19.90 EUR\n"
                )
        tracemalloc.start()
        try:
            n_records = sum(
                isinstance(item, Record) for item in TableImporter().records(path, ImportOptions())
            )
            assert n_records == n_rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(500)
    assert peak(10_000) < peak(2_000) + (1 << 20)


def test_a_plain_table_loads_no_library_for_workbooks_and_feeds(shop: Path) -> None:
    (shop / "products.csv").write_text("id,image,price\n1,a.jpg,19.90\n", encoding="utf-8")
    code = (
        "import sys; from pathlib import Path\n"
        "from stylesearch.importers.base import ImportOptions\n"
        "from stylesearch.importers.choice import choose_importer\n"
        "path = Path('products.csv'); list(choose_importer(path).records(path, ImportOptions()))\n"
        "print([name for name in ('openpyxl', 'defusedxml', 'sqlalchemy', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=shop,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


@pytest.mark.parametrize("content", [b"<rss><channel></channel></rss>", b"<", b"\xd0\xcf\x11\xe0"])
def test_what_cannot_be_opened_is_a_dataset_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "products"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="products"), open_table(path):
        pass
    assert TableImporter().sniff(path) == 0
