"""Whatever a shop writes into a table with the csv module comes out again."""

from __future__ import annotations

import csv
import io
import re
import tempfile
import unicodedata
import warnings
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions, Note
from stylesearch.importers.tables.importer import TableImporter
from stylesearch.listing import Listing, Record, Unpictured
from stylesearch.types import Box, Domain, Failure

FILES = ("a.jpg", "b.jpg", "c.jpg")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0="), max_size=12)
# An id is one line; those that are not are tested as failures.
ids = text.filter(lambda text: (normal(text) or "'")[0] != "'" and not CONTROL.search(normal(text) or ""))
categories = text.filter(lambda text: not set(text) & set(">»"))


def normal(text: str) -> str | None:
    return unicodedata.normalize("NFC", text.strip().strip("\ufeff").strip()) or None


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x0, y0 = draw(st.integers(0, 5000)), draw(st.integers(0, 5000))
    return Box(x0, y0, x0 + draw(st.integers(1, 5000)), y0 + draw(st.integers(1, 5000)))


rows = st.tuples(
    ids,
    text,
    categories,
    st.sampled_from(FILES),
    text,
    text,
    st.sampled_from(["", *Domain]),
    st.none() | boxes(),
    text,
)


@given(
    table=st.lists(rows, min_size=1, max_size=8, unique_by=lambda row: normal(row[0])),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    # Before Python 3.13 the csv module does not quote a lone "\r" where lines end in "\n".
    style=st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)]),
)
def test_a_table_comes_back(
    table: list[tuple[str, str, str, str, str, str, str, Box | None, str]],
    delimiter: str,
    encoding: str,
    style: tuple[str, int],
) -> None:
    out = io.StringIO()
    line_end, quoting = style
    writer = csv.writer(out, delimiter=delimiter, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["id", "title", "category", "image", "price", "url", "domain", "box", "Note"])
    writer.writerows([*row[:7], "" if row[7] is None else str(row[7]), row[8]] for row in table)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in FILES:
            (folder / file).touch()
        path = folder / "products.csv"
        path.write_bytes(out.getvalue().encode(encoding))
        listed = TableImporter().records(path, ImportOptions())
        found = [one for one in listed if not isinstance(one, Note)]
        expected = [
            Record(
                Listing(
                    normal(product_id) or "",
                    {
                        "title": normal(title),
                        "category": normal(category),
                        "url": normal(url),
                        "price": normal(price),
                        "attributes.Note": normal(note),
                    },
                    {"title": normal(product_id)},
                ),
                str(folder / image),
                Domain(domain or "shop"),
                box,
            )
            for product_id, title, category, image, price, url, domain, box, note in table
        ]
        assert found == expected


@settings(deadline=None)  # the first workbook imports the library that reads it
@given(st.binary(max_size=300))
def test_no_bytes_make_it_crash(content: bytes) -> None:
    check_any(b"id,image\n" + content)
    check_any(content)


def check_any(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(name) / "products.csv"
        path.write_bytes(content)
        TableImporter().sniff(path)
        try:
            items = list(TableImporter().records(path, ImportOptions()))
        except DatasetError as error:
            assert str(path) in str(error)
        else:
            assert all(isinstance(item, Failure | Unpictured | Note) for item in items)
