"""Catalogs made by hand, with pictures of which only the content's name matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.types import Domain, Product

Row = tuple[str, str, str, str]
MakeCatalog = Callable[..., Catalog]


@pytest.fixture
def make_catalog(tmp_path: Path) -> Iterator[MakeCatalog]:
    """Makes a catalog of rows ``(product, file name, domain, sha256)`` in the order they are listed."""
    opened = []

    def make(rows: list[Row], splits: dict[str, str] | None = None) -> Catalog:
        catalog = Catalog.open(tmp_path / f"catalog{len(opened)}.db")
        opened.append(catalog)
        splits = splits or {}
        with catalog.writing() as writer, writer.transaction():
            writer.upsert_products(
                (
                    Product(
                        name,
                        f"The {name}",
                        "dress" if name < "m" else "skirt",
                        attributes=_split(splits, name),
                    )
                    for name in dict.fromkeys(row[0] for row in rows)
                ),
                source="shop",
            )
            for product, file, domain, sha256 in rows:  # one by one: their keys rise as they are listed
                entry = ImageEntry(product, f"/shop/{file}", Domain(domain), sha256=sha256, width=9, height=9)
                writer.upsert_images([entry], source="test")
        return catalog

    yield make
    for catalog in opened:
        catalog.close()


def _split(splits: dict[str, str], name: str) -> dict[str, str]:
    return {"split": splits[name]} if name in splits else {}
