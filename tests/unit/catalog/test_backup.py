"""Copies of a database, made and put in place while others are there."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from stylesearch.catalog import Catalog
from stylesearch.catalog.backends.sqlite import hold_alone
from stylesearch.catalog.backup import (
    bytes_of_database,
    check_copy,
    check_room,
    give_new_id,
    put_in_place,
    read_contents,
    vacuum,
    write_copy,
)
from stylesearch.errors import CatalogError, CatalogLocked, CatalogTooNew, ConfigError
from stylesearch.types import Product

Start = Callable[..., "subprocess.Popen[str]"]


def add_products(path: Path, names: str) -> None:
    with Catalog.open(path) as catalog, catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product(name, name, "dress") for name in names], source="shop")


def ids_in(path: Path) -> str:
    with Catalog.open(path) as catalog:
        return "".join(product.id for product in catalog.products())


def test_a_copy_is_of_one_moment_and_whole(catalog_file: Path, tmp_path: Path) -> None:
    add_products(catalog_file, "ab")
    with Catalog.open(catalog_file) as catalog, catalog.writing() as writer:
        with writer.transaction():
            writer.upsert_products([Product("c", "c", "dress")], source="shop")
            contents = write_copy(catalog_file, tmp_path / "copy")
        with writer.transaction():
            writer.upsert_products([Product("d", "d", "dress")], source="shop")
    assert contents.products == 2
    assert check_copy(tmp_path / "copy", tmp_path / "copy") == contents
    assert ids_in(tmp_path / "copy") == "ab"
    assert ids_in(catalog_file) == "abcd"


def test_a_copy_has_what_is_only_in_the_log(catalog_file: Path, tmp_path: Path) -> None:
    with Catalog.open(catalog_file) as held:
        held.totals()  # keeps the log from being moved into the file
        add_products(catalog_file, "ab")
        assert catalog_file.with_name("catalog.db-wal").stat().st_size > 0
        assert write_copy(catalog_file, tmp_path / "copy").products == 2


def test_progress_is_told_up_to_the_end(catalog_file: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    write_copy(catalog_file, tmp_path / "copy", lambda *one: told.append(one))
    assert told[-1][:1] == ("copying the catalog",)
    assert told[-1][1] == told[-1][2]


@pytest.mark.parametrize("reads", [False, True])
def test_nobody_may_have_it_open(catalog_file: Path, start_process: Start, reads: bool) -> None:
    process = start_process(
        f"""
        import sys
        from stylesearch.catalog import Catalog
        with Catalog.open(sys.argv[1], readonly={reads}) as catalog:
            print("open", flush=True)
            sys.stdin.readline()
        """,
        catalog_file,
    )
    assert process.stdout and process.stdin
    assert process.stdout.readline() == "open\n"
    with pytest.raises(CatalogLocked, match="another process has the catalog"), hold_alone(catalog_file):
        pass
    process.communicate("\n")
    with hold_alone(catalog_file) as held:
        assert held is not None


def test_nobody_can_open_it_while_it_is_held(catalog_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stylesearch.catalog.backends import sqlite

    pragmas = ("PRAGMA busy_timeout = 0", *sqlite._PRAGMAS[1:])
    monkeypatch.setattr(sqlite, "_PRAGMAS", pragmas)
    with hold_alone(catalog_file), pytest.raises(CatalogLocked):
        Catalog.open(catalog_file)
    Catalog.open(catalog_file).close()


def test_a_copy_takes_the_place_of_a_catalog_with_its_log(catalog_file: Path, tmp_path: Path) -> None:
    add_products(catalog_file, "ab")
    write_copy(catalog_file, tmp_path / "copy")
    with Catalog.open(catalog_file) as held:
        held.totals()
        add_products(catalog_file, "cdef")
        for suffix in ("", "-wal", "-shm"):  # as a process leaves them that is killed
            shutil.copy(f"{catalog_file}{suffix}", f"{tmp_path}/killed.db{suffix}")
    target = tmp_path / "killed.db"
    with hold_alone(target) as alone:
        put_in_place(alone, tmp_path / "copy", target)
    assert bytes_of_database(target) == target.stat().st_size
    assert ids_in(target) == "ab"
    with contextlib.closing(sqlite3.connect(target)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 4000])
def test_a_file_that_is_no_database_is_replaced(catalog_file: Path, tmp_path: Path, content: bytes) -> None:
    add_products(catalog_file, "ab")
    write_copy(catalog_file, tmp_path / "copy")
    target = tmp_path / "broken.db"
    target.write_bytes(content)
    target.with_name("broken.db-wal").write_bytes(b"of something else" * 1000)
    with hold_alone(target) as alone:
        put_in_place(alone, tmp_path / "copy", target)
    assert ids_in(target) == "ab"


def test_a_database_that_was_cut_short_is_replaced(catalog_file: Path, tmp_path: Path) -> None:
    add_products(catalog_file, "ab")
    write_copy(catalog_file, tmp_path / "copy")
    catalog_file.write_bytes(catalog_file.read_bytes()[:40_000])
    with hold_alone(catalog_file) as alone:
        put_in_place(alone, tmp_path / "copy", catalog_file)
    assert ids_in(catalog_file) == "ab"


def test_pages_of_another_size_are_written_anew(catalog_file: Path, tmp_path: Path) -> None:
    add_products(catalog_file, "ab")
    write_copy(catalog_file, tmp_path / "copy")
    with contextlib.closing(sqlite3.connect(tmp_path / "copy", isolation_level=None)) as connection:
        for statement in ("journal_mode = DELETE", "page_size = 4096"):
            connection.execute(f"PRAGMA {statement}")
        connection.execute("VACUUM")
    add_products(catalog_file, "cd")
    with hold_alone(catalog_file) as alone:
        put_in_place(alone, tmp_path / "copy", catalog_file)
    assert ids_in(catalog_file) == "ab"


def test_damage_and_newer_schemas_are_found(catalog_file: Path, tmp_path: Path) -> None:
    add_products(catalog_file, "abcdefgh")
    copy = tmp_path / "copy"
    write_copy(catalog_file, copy)
    with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE listings SET source_pk = 77 WHERE product_pk = 1")
    with pytest.raises(CatalogError, match="points to a row of sources that is missing"):
        check_copy(copy, Path("name.db"))
    with contextlib.closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(CatalogTooNew, match=r"name\.db needs stylesearch"):
        check_copy(copy, Path("name.db"))
    data = bytearray(catalog_file.read_bytes())
    data[16384:] = b"\xff" * (len(data) - 16384)
    copy.write_bytes(data)
    with pytest.raises(CatalogError, match=r"the backup name\.db is damaged"):
        check_copy(copy, Path("name.db"))


def test_an_altered_schema_is_found(catalog_file: Path) -> None:
    with contextlib.closing(sqlite3.connect(catalog_file)) as connection, connection:
        connection.execute("ALTER TABLE products DROP COLUMN url")
    with pytest.raises(CatalogError, match="the schema differs"):
        check_copy(catalog_file, catalog_file)


def test_a_new_id_changes_nothing_else(catalog_file: Path) -> None:
    add_products(catalog_file, "ab")
    before = read_contents(catalog_file)
    new_id = give_new_id(catalog_file)
    after = read_contents(catalog_file)
    assert before and after
    assert after.catalog_id == new_id != before.catalog_id
    assert ids_in(catalog_file) == "ab"


def test_a_disk_without_room_is_noticed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(tmp_path / "not" / "there", 1000, "a copy")
    with pytest.raises(CatalogError, match=r"no room for a copy: 1,000,000,000,000.0 MB are needed"):
        check_room(tmp_path / "not" / "there", 10**18, "a copy")


def test_a_vacuum_gives_room_back(catalog_file: Path) -> None:
    products = [Product(f"p{n:03}", "x" * 2000, "dress") for n in range(400)]
    with Catalog.open(catalog_file) as catalog:
        with catalog.writing() as writer:
            with writer.transaction():
                writer.upsert_products(products, source="shop")
            with writer.transaction():
                writer.remove_products([one.id for one in products[1:]])
            with pytest.raises(CatalogLocked):
                vacuum(catalog_file, timeout=0)
        done = vacuum(catalog_file)
        assert done.after < done.before / 2
        assert done.after == bytes_of_database(catalog_file)
        assert catalog.products() == products[:1]


def test_a_vacuum_without_room_changes_nothing(catalog_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_products(catalog_file, "ab")
    before = catalog_file.read_bytes()
    usage = shutil.disk_usage(catalog_file.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(CatalogError, match="no room for vacuuming"):
        vacuum(catalog_file)
    assert catalog_file.read_bytes() == before


def test_other_databases_have_tools_of_their_own() -> None:
    with pytest.raises(ConfigError, match="in a file of SQLite") as caught:
        vacuum("postgresql://shop:secret@host/catalog")
    assert "pg_dump" in caught.value.hint
    assert "secret" not in caught.value.message
