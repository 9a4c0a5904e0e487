from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stylesearch.catalog import Catalog
from stylesearch.catalog.backends import backend_of, sqlite, sqlite_errors
from stylesearch.catalog.backends.sqlite import PAGE_BYTES, prepare_new_file
from stylesearch.catalog.migrate import upgrade
from stylesearch.errors import CatalogDamaged, CatalogError, CatalogTooNew, ConfigError
from stylesearch.types import Product
from tests.catalog_faults import faults_of


def pragma(catalog: Catalog, name: str) -> Any:
    with catalog._connect() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


@pytest.mark.parametrize(
    "name",
    [
        "plain.db",
        "no extension",
        "100% cotton (50%).db",
        "new/folders/below.db",
        "Größe – 寸法.db",
        "what?mode=memory&cache=shared#x.db",
        "quote'\".db",
    ],
)
def test_a_new_catalog_is_made_at_any_path_and_opened_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with Catalog.open(path) as catalog, catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("a", "A", "dress")], source="shop")
    assert path.is_file()
    for readonly in (False, True):
        with Catalog.open(str(path), readonly=readonly) as catalog:
            assert [product.id for product in catalog.products()] == ["a"]
    assert faults_of(path) == []
    assert sorted(found.name for found in path.parent.iterdir()) == sorted([path.name, f"{path.name}.lock"])


def test_a_kill_while_it_is_made_leaves_nothing_beside_it(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    script = (
        "import os; from pathlib import Path; from stylesearch.catalog.backends import sqlite\n"
        "set_up = sqlite._set_up; sqlite._set_up = lambda path: (set_up(path), os._exit(9))\n"
        f"sqlite.prepare_new_file(Path({str(home / 'catalog.db')!r}))"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    killed = subprocess.run([sys.executable, "-c", script], check=False, env=environment)
    assert killed.returncode == 9
    assert list(home.iterdir()) == []


def test_a_url_and_a_path_lead_to_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "100% cotton.db"
    with Catalog.open(f"sqlite:///{path}") as catalog, catalog.writing() as writer, writer.transaction():
        writer.upsert_products([Product("a", "A", "dress")], source="shop")
    with Catalog.open(path) as catalog:
        assert catalog.product("a").title == "A"


def test_a_relative_path_stays_where_it_was_when_the_program_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Catalog.open("catalog.db") as catalog:
        monkeypatch.chdir("/")
        assert catalog.products() == []
        assert catalog.backend.shown == str((tmp_path / "catalog.db").resolve())


def test_a_link_and_its_target_have_one_lock(catalog_file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(catalog_file)
    with Catalog.open(link) as catalog, catalog.writing():
        pass
    assert catalog_file.with_name("catalog.db.lock").exists()
    assert not link.with_name("link.db.lock").exists()


def test_sqlite_is_set_up_as_promised(catalog: Catalog, catalog_file: Path) -> None:
    assert pragma(catalog, "journal_mode") == "wal"
    assert pragma(catalog, "foreign_keys") == 1
    assert pragma(catalog, "synchronous") == 2
    assert pragma(catalog, "busy_timeout") == 10_000
    assert pragma(catalog, "page_size") == PAGE_BYTES


def test_a_file_that_was_emptied_is_no_new_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.touch()
    for readonly in (False, True):
        with pytest.raises(CatalogDamaged, match=r"catalog\.db is empty"):
            Catalog.open(path, readonly=readonly)
    assert path.read_bytes() == b""


def test_a_catalog_that_lost_its_tables_is_no_new_one(catalog_file: Path) -> None:
    with contextlib.closing(sqlite3.connect(catalog_file)) as raw:
        raw.executescript("PRAGMA writable_schema = ON; DELETE FROM sqlite_master;")
    with pytest.raises(CatalogDamaged, match="has no tables"):
        Catalog.open(catalog_file)


def test_a_new_file_without_tables_yet_becomes_a_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    prepare_new_file(path)
    with Catalog.open(path) as catalog:
        assert catalog.products() == []
    assert list(tmp_path.glob("*.backup*")) == []


def test_a_file_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0 not a database at all" * 100)
    before = path.read_bytes()
    for readonly in (False, True):
        with pytest.raises(CatalogError, match="is no SQLite database"):
            Catalog.open(path, readonly=readonly)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_database_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE alembic_version (version_num TEXT)")
        other.execute("INSERT INTO alembic_version VALUES ('ae10')")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(CatalogError, match="without the tables of a catalog"):
        Catalog.open(path)
    assert path.read_bytes() == before


def test_a_catalog_from_the_future_names_the_version_it_needs(catalog_file: Path) -> None:
    with contextlib.closing(sqlite3.connect(catalog_file)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '0099'")
        raw.execute("UPDATE about SET value = '7.1.0'")
        raw.commit()
    for readonly in (False, True):
        with pytest.raises(
            CatalogTooNew, match=r"needs stylesearch 7\.1\.0 or newer \(schema 0099\)"
        ) as caught:
            Catalog.open(catalog_file, readonly=readonly)
        assert "--upgrade stylesearch" in caught.value.hint


def test_a_catalog_without_a_revision_is_refused(catalog_file: Path) -> None:
    with contextlib.closing(sqlite3.connect(catalog_file)) as raw:
        raw.execute("DELETE FROM alembic_version")
        raw.commit()
    with pytest.raises(CatalogError, match="does not say which schema"):
        Catalog.open(catalog_file)


def test_a_damaged_catalog_is_told_from_a_good_one(catalog_file: Path) -> None:
    content = bytearray(catalog_file.read_bytes())
    content[PAGE_BYTES + 100 :] = b"\xa5" * (len(content) - PAGE_BYTES - 100)
    catalog_file.write_bytes(content)
    with pytest.raises(CatalogError, match="damaged") as caught, Catalog.open(catalog_file) as catalog:
        catalog.status()
    assert "restore a backup" in caught.value.hint


@pytest.mark.parametrize("keyword", [{"readonly": True}, {"create": False}])
def test_a_missing_catalog_is_not_made_unasked(tmp_path: Path, keyword: dict[str, bool]) -> None:
    with pytest.raises(CatalogError, match="there is no catalog at") as caught:
        Catalog.open(tmp_path / "shop" / "catalog.db", **keyword)
    assert "stylesearch ingest" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="cannot open") as caught:
        Catalog.open(tmp_path)
    assert caught.value.hint == "that is a folder: give the path of a file"


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CatalogError, match="cannot make the folder"):
        Catalog.open(tmp_path / "file" / "catalog.db")


def test_a_place_where_nothing_can_be_written_is_an_error_of_ours() -> None:
    with pytest.raises(CatalogError, match="cannot make the lock"):
        upgrade("/proc/catalog.db", timeout=0.1)
    with pytest.raises(CatalogError, match="cannot make the folder"):
        upgrade("/proc/shop/catalog.db")
    with pytest.raises(CatalogError, match=r"cannot lock the catalog /sys/catalog\.db: .*denied"):
        upgrade("/sys/catalog.db", timeout=0.1)


@pytest.mark.parametrize(
    "text", ["sqlite://", "sqlite:///:memory:", ":memory:", "sqlite:///file:x.db?uri=true"]
)
def test_a_catalog_in_memory_is_refused(text: str) -> None:
    with pytest.raises(CatalogError, match="has to be a file"):
        Catalog.open(text)


def test_urls_that_lead_nowhere_say_why() -> None:
    with pytest.raises(ConfigError, match="not a database URL"):
        backend_of("sqlite//:what://ever")
    with pytest.raises(ConfigError, match=r"kept by SQLite or PostgreSQL. Received: mysql://\.\.\.$"):
        backend_of("mysql://user:secret@host/name")
    with pytest.raises(ConfigError, match="through psycopg"):
        backend_of("postgresql+asyncpg://user:secret@host/name")


def test_reading_only_refuses_to_write(catalog_file: Path) -> None:
    with (
        Catalog.open(catalog_file, readonly=True) as catalog,
        pytest.raises(CatalogError, match="for reading only"),
        catalog.writing(),
    ):
        raise AssertionError("a writer of a catalog that is only read")


def test_reading_only_changes_nothing(catalog_file: Path) -> None:
    before = catalog_file.read_bytes()
    with Catalog.open(catalog_file, readonly=True) as catalog:
        catalog.status()
        with pytest.raises(CatalogError, match="may not write"), catalog._connect() as connection:
            connection.exec_driver_sql("DELETE FROM about")
    assert catalog_file.read_bytes() == before


def test_on_readonly_storage_nothing_is_written_at_all(
    catalog_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "is_on_readonly_storage", lambda path: True)
    with Catalog.open(catalog_file, readonly=True) as catalog:
        assert catalog.products() == []
        assert [found.name for found in catalog_file.parent.iterdir()] == ["catalog.db"]
        with pytest.raises(CatalogError, match="lies on read-only storage"), catalog.writing():
            pass


def test_a_full_disk_under_a_reader_is_told_as_such(
    catalog_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full tmpfs has no room for the shared memory of readers, which SQLite calls an error of the disk."""
    failed = sqlite3.OperationalError("disk I/O error")
    failed.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    with pytest.raises(CatalogError, match="the disk failed"):
        sqlite_errors.explain_sqlite(failed, catalog_file)
    full = shutil.disk_usage(catalog_file.parent)._replace(free=0)
    monkeypatch.setattr(sqlite_errors.shutil, "disk_usage", lambda path: full)
    with pytest.raises(CatalogError, match="no space left"):
        sqlite_errors.explain_sqlite(failed, catalog_file)


def test_readonly_storage_is_recognised(tmp_path: Path) -> None:
    assert not sqlite.is_on_readonly_storage(tmp_path)
    readonly = next((line.split()[1] for line in mounts() if "ro" in line.split()[3].split(",")), None)
    if readonly is None:
        pytest.skip("nothing is mounted read-only here")
    assert sqlite.is_on_readonly_storage(Path(readonly))


def mounts() -> list[str]:
    return Path("/proc/mounts").read_text(encoding="utf-8").splitlines()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("readonly", [False, True])
def test_a_folder_that_may_not_be_written_to(catalog_file: Path, readonly: bool) -> None:
    catalog_file.parent.chmod(0o555)
    try:
        with pytest.raises(CatalogError, match="its folder may not be written to") as caught:
            Catalog.open(catalog_file, readonly=readonly)
        assert "even readers write beside it" in caught.value.hint
    finally:
        catalog_file.parent.chmod(0o755)


def test_an_unfinished_write_ahead_log_is_read(catalog_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy" / "catalog.db"
    copy.parent.mkdir()
    with Catalog.open(catalog_file) as catalog, catalog.writing() as writer:
        with writer.transaction():
            writer.upsert_products([Product("a", "A", "dress")], source="shop")
        for suffix in ("", "-wal"):
            shutil.copy(f"{catalog_file}{suffix}", f"{copy}{suffix}")
    with Catalog.open(copy, readonly=True) as opened:
        assert opened.product("a").title == "A"


def test_an_up_to_date_catalog_opens_without_alembic_and_the_orm(
    catalog_file: Path, start_process: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start_process(
        """
        import sys
        import stylesearch.catalog
        import stylesearch.importers.base, stylesearch.importers.folders.importer
        assert "sqlalchemy" not in sys.modules, "the package loads SQLAlchemy"
        with stylesearch.catalog.Catalog.open(sys.argv[1]) as catalog:
            catalog.hits_for([1])
        heavy = {"alembic", "sqlalchemy.orm", "filelock", "sqlalchemy.dialects.postgresql"}
        sys.exit(", ".join(sorted(heavy & set(sys.modules))) or None)
        """,
        catalog_file,
    )
    assert process.wait(timeout=60) == 0


def test_the_package_names_what_it_has() -> None:
    import stylesearch.catalog as package

    assert all(getattr(package, name).__name__ == name for name in package.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = package.nothing


def test_the_state_changes_with_every_commit_of_anybody(tmp_path):
    path = tmp_path / "catalog.db"
    with Catalog.open(path) as reader, Catalog.open(path) as other:
        before = reader.state()
        assert reader.state() == before, "nothing happened"
        states = {before}
        for catalog in (other, reader):
            with catalog.writing() as writer, writer.transaction():
                writer.upsert_products([Product("p", f"of {id(catalog)}", "dress")], source="shop")
            states.add(reader.state())
        assert len(states) == 3
    assert Catalog.open(path, readonly=True).state() is not None


def test_the_state_of_a_catalog_that_was_damaged_meanwhile_is_an_error_of_the_catalog(tmp_path):
    path = tmp_path / "catalog.db"
    with Catalog.open(path) as reader:
        reader.state()
        for file in (path, path.with_name("catalog.db-wal"), path.with_name("catalog.db-shm")):
            if file.exists():
                file.write_bytes(b"nothing that SQLite knows" * 400)
        with pytest.raises(CatalogError, match=r"catalog\.db"):
            reader.state()
