"""All or nothing, whatever ends a transaction: an exception, a kill, a full disk."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stylesearch.catalog import Catalog, FeatureSet, Writer
from stylesearch.catalog.backends import sqlite, sqlite_errors
from stylesearch.catalog.pruning import Pruner
from stylesearch.errors import CatalogError, CatalogLocked
from stylesearch.types import Product
from tests.catalog_faults import faults_of

Shop = dict[str, int]


def dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_an_exception_inside_leaves_nothing(
    catalog: Catalog,
    catalog_file: Path,
    writer: Writer,
    feature_set: FeatureSet,
    shop: Shop,
    entry: Any,
    vectors_for: Any,
) -> None:
    before = dump(catalog_file)
    with pytest.raises(KeyboardInterrupt), writer.transaction():
        writer.upsert_products(
            [Product("red", "Red dress", "skirt"), Product("new", "New", "dress")], source="shop"
        )
        images = writer.upsert_images(
            [entry("new", "/new.jpg"), entry("blue", "/shop/blue.jpg", "x")], source="s"
        )
        writer.add_features(feature_set, [pk for pk, _ in images.values()], vectors_for(2))
        Pruner(writer, "shop").mark([1])
        Pruner(writer, "shop").remove()
        writer.remove_products(["pleated"])
        raise KeyboardInterrupt
    assert dump(catalog_file) == before


def test_one_bad_vector_leaves_nothing_of_its_transaction(
    catalog: Catalog,
    catalog_file: Path,
    writer: Writer,
    feature_set: FeatureSet,
    shop: Shop,
    vectors_for: Any,
) -> None:
    before = dump(catalog_file)
    vectors = vectors_for(2)
    vectors[1, 3] = np.nan
    with pytest.raises(CatalogError, match="not finite"), writer.transaction():
        writer.upsert_products([Product("new", "New", "dress")], source="shop")
        writer.add_features(feature_set, [1, 2], vectors)
    assert dump(catalog_file) == before


def test_a_transaction_after_a_failed_one_works(catalog: Catalog, writer: Writer) -> None:
    with pytest.raises(KeyError), writer.transaction():
        writer.upsert_products([Product("a", "A", "dress")], source="shop")
        raise KeyError
    with writer.transaction():
        writer.upsert_products([Product("b", "B", "dress")], source="shop")
    assert [product.id for product in catalog.products()] == ["b"]


def test_everything_needs_a_transaction_and_they_do_not_nest(writer: Writer) -> None:
    with pytest.raises(RuntimeError, match=r"inside `with writer\.transaction"):
        writer.upsert_products([], source="shop")
    with writer.transaction(), pytest.raises(RuntimeError, match="do not nest"), writer.transaction():
        raise AssertionError("a second transaction began")


def test_readers_see_a_transaction_when_it_has_ended(
    catalog: Catalog, catalog_file: Path, writer: Writer
) -> None:
    with Catalog.open(catalog_file, readonly=True) as reader:
        with writer.transaction():
            writer.upsert_products([Product("a", "A", "dress")], source="shop")
            assert catalog.products() == reader.products() == []
        assert [product.id for product in catalog.products()] == ["a"]
        assert [product.id for product in reader.products()] == ["a"]


def test_a_killed_writer_leaves_what_it_had_committed_and_frees_the_lock(
    catalog_file: Path, start_process: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start_process(
        """
        import sys
        from stylesearch.catalog import Catalog
        from stylesearch.types import Product

        with Catalog.open(sys.argv[1]) as catalog, catalog.writing() as writer:
            with writer.transaction():
                writer.upsert_products([Product("committed", "C", "dress")], source="shop")
            with writer.transaction():
                writer.upsert_products([Product(f"p{i}", "P", "dress") for i in range(5000)], source="shop")
                print("in the middle", flush=True)
                sys.stdin.read()
        """,
        catalog_file,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    process.kill()
    process.wait()
    with Catalog.open(catalog_file) as catalog:
        assert [product.id for product in catalog.products()] == ["committed"]
        with catalog.writing(timeout=5) as writer, writer.transaction():
            writer.upsert_products([Product("after", "A", "dress")], source="shop")
    assert faults_of(catalog_file) == []


def test_a_full_disk_says_so_and_leaves_what_was_committed(
    catalog_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, "PRAGMA max_page_count = 40"))
    products = [Product(f"p{i}", "P" * 1000, "dress") for i in range(1000)]
    with Catalog.open(catalog_file) as catalog, catalog.writing() as writer:
        with writer.transaction():
            writer.upsert_products(products[:5], source="shop")
        with pytest.raises(CatalogError, match="no space left") as caught, writer.transaction():
            writer.upsert_products(products, source="shop")
        assert "free some space" in caught.value.hint
        assert len(catalog.products(limit=2000)) == 5
        with writer.transaction():
            writer.remove_products(["p0"])
        assert len(catalog.products()) == 4
    assert faults_of(catalog_file) == []


def test_a_full_folder_for_temporary_files_is_named(
    catalog_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    free = {temporary: 0, catalog_file.parent: 1 << 40}
    monkeypatch.delenv("SQLITE_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(
        sqlite_errors.shutil, "disk_usage", lambda path: SimpleNamespace(free=free[Path(path)])
    )
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, "PRAGMA max_page_count = 40"))
    products = [Product(f"p{i}", "P" * 1000, "dress") for i in range(1000)]
    with Catalog.open(catalog_file) as catalog, catalog.writing() as writer:
        named = f"temporary files in {temporary}"
        with pytest.raises(CatalogError, match=named) as caught, writer.transaction():
            writer.upsert_products(products, source="shop")
        assert "TMPDIR" in caught.value.hint


def test_a_program_that_ignores_the_lock_is_waited_for_then_named_as_the_reason(
    catalog_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_PRAGMAS", (*sqlite._PRAGMAS, "PRAGMA busy_timeout = 20"))
    with (
        contextlib.closing(sqlite3.connect(catalog_file, isolation_level=None)) as stranger,
        Catalog.open(catalog_file) as catalog,
        catalog.writing() as writer,
    ):
        stranger.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogLocked, match="another program has been writing"), writer.transaction():
            raise AssertionError("two writers at once")
        assert catalog.products() == []
        stranger.execute("ROLLBACK")
        with writer.transaction():
            writer.upsert_products([Product("a", "A", "dress")], source="shop")
