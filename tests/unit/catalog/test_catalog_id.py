from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from stylesearch.catalog import Catalog
from stylesearch.errors import CatalogError


def id_of(path: Path, *, readonly: bool = False) -> str:
    with Catalog.open(path, readonly=readonly) as catalog:
        return catalog.id


def test_every_catalog_has_an_id_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    first, second = id_of(tmp_path / "first.db"), id_of(tmp_path / "second.db")
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert first != second
    assert id_of(tmp_path / "first.db") == id_of(tmp_path / "first.db", readonly=True) == first


def test_a_catalog_made_anew_has_another_id_and_a_copy_the_same(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    before = id_of(path)
    copy = Path(shutil.copy(path, tmp_path / "copy.db"))
    path.unlink()
    assert id_of(path) != before
    assert id_of(copy) == before


def test_the_id_is_read_once(catalog: Catalog, catalog_file: Path) -> None:
    known = catalog.id
    with contextlib.closing(sqlite3.connect(catalog_file)) as raw, raw:
        raw.execute("DELETE FROM about WHERE name = 'catalog_id'")
    assert catalog.id == known


def test_a_catalog_without_an_id_says_so(catalog: Catalog, catalog_file: Path) -> None:
    with contextlib.closing(sqlite3.connect(catalog_file)) as raw, raw:
        raw.execute("DELETE FROM about WHERE name = 'catalog_id'")
    with pytest.raises(CatalogError, match="about has no catalog_id"):
        _ = catalog.id
