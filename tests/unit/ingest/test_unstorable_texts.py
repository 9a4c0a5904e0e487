"""A text that no database stores makes a failure of its row, and the others are stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylesearch.catalog import Catalog
from stylesearch.errors import DatasetError
from stylesearch.importers.base import Listed
from stylesearch.ingest import IngestOptions, ingest
from stylesearch.listing import Listing, Unpictured, fault_of_texts
from stylesearch.types import Product, Variant


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"title": "Red\0"}, "a NUL character in the title of 'd1'"),
        ({"attributes.care": [{"wash": "no\0"}]}, "a NUL character in the care of 'd1'"),
        ({"attributes.a\0b": "c"}, "a NUL character in the a\0b of 'd1'"),
        ({"variants": (Variant("v", {"size": "\0"}),)}, "a NUL character in the variants of 'd1'"),
        ({"category": "dress\ud800"}, "half of a character (a lone surrogate) in the category of 'd1'"),
        ({"title": "Rød", "in_stock": True, "attributes.a": [1, None, "\ud800"]}, None),
    ],
)
def test_faults_are_named(said: dict[str, Any], fault: str | None) -> None:
    assert fault_of_texts(Listing("d1", said)) == fault


class Lister:
    """Lists two products without pictures, of which one has a NUL in its title."""

    name = "two"
    description = "two products"

    def sniff(self, source: Path) -> bool:
        return True

    def count(self, source: Path, options: Any) -> int | None:
        return None

    def records(self, source: Path, options: Any) -> Iterator[Listed]:
        yield Unpictured(Listing("bad", {"title": "A\0B"}), "shop.csv:2", "no picture given")
        yield Unpictured(Listing("good", {"title": "A B"}), "shop.csv:3", "no picture given")


def test_the_other_rows_are_ingested(tmp_path: Path) -> None:
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        report = ingest(catalog, tmp_path, Lister(), [], IngestOptions())  # type: ignore[arg-type]
        assert [one.id for one in catalog.products()] == ["good"]
        with pytest.raises(DatasetError, match="NUL"), catalog.writing() as writer, writer.transaction():
            writer.upsert_products([Product("bad", "A\0B", "dress")], source="mine")
    reasons = [(one.item, one.reason) for one in report.failed]
    assert ("shop.csv:2", "a NUL character in the title of 'bad'") in reasons
