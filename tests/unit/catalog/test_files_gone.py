"""Images whose file is gone are counted, and nothing is removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stylesearch.catalog import Catalog, ImageEntry, Writer
from stylesearch.types import Product

P = Product("p", "P", "dress")


@pytest.mark.parametrize("at_once", [1, 2, 10_000])
def test_files_that_are_gone_are_counted_and_the_first_named(
    catalog: Catalog,
    writer: Writer,
    entry: Callable[..., ImageEntry],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
) -> None:
    monkeypatch.setattr("stylesearch.catalog.product_reader.FILES_AT_ONCE", at_once)
    (tmp_path / "there.jpg").write_bytes(b"1")
    (tmp_path / "fetched.jpg").write_bytes(b"1")
    entries = [
        entry("p", str(tmp_path / "there.jpg")),
        entry("p", str(tmp_path / "a.jpg")),
        entry("p", str(tmp_path / "b.jpg")),
        entry("p", "https://shop.example/1.jpg", file=str(tmp_path / "fetched.jpg")),
        entry("p", "https://shop.example/2.jpg", file=str(tmp_path / "lost.jpg")),
        ImageEntry("p", str(tmp_path / "never.jpg"), error="no such picture"),
    ]
    with writer.transaction():
        writer.upsert_products([P], source="shop")
        writer.upsert_images(entries, source="shop")
    assert catalog.selection.lost_files() == (
        3,
        [str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg"), "https://shop.example/2.jpg"],
    )
    assert catalog.selection.lost_files(n_examples=1) == (3, [str(tmp_path / "a.jpg")])
    assert len(catalog.images_of("p")) == 5


def test_an_empty_catalog_has_lost_nothing(catalog: Catalog) -> None:
    assert catalog.selection.lost_files() == (0, [])
