"""The scripts, the models and the constants that stand for them in the code agree."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import alembic.command
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer, MetaData

from stylesearch.catalog.backends.sqlite import SqliteBackend, prepare_new_file
from stylesearch.catalog.migrate import current_revision, make_config, schema_drift, upgrade
from stylesearch.catalog.schema_version import HEAD, REVISIONS
from stylesearch.catalog.tables import metadata
from tests.catalog_faults import faults_of

DUMPS = Path(__file__).parent / "dumps"


def schema_of(path: Path) -> list[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        return [(name, " ".join(sql.split())) for name, sql in rows]


def upgrade_to(path: Path, revision: str) -> None:
    prepare_new_file(path)
    backend = SqliteBackend(path)
    with backend.upgrading(1.0) as upgrading, upgrading.transaction() as connection:
        alembic.command.upgrade(make_config(connection), revision)


@pytest.fixture
def new_catalog(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.db"
    upgrade(path)
    return path


def test_the_constants_are_the_scripts(new_catalog: Path) -> None:
    engine = SqliteBackend(new_catalog).engine()
    with engine.connect() as connection:
        scripts = ScriptDirectory.from_config(make_config(connection))
        assert scripts.get_heads() == [HEAD]
        assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == REVISIONS
        assert current_revision(new_catalog) == HEAD
    engine.dispose()


def test_the_models_are_what_the_scripts_make(new_catalog: Path) -> None:
    engine = SqliteBackend(new_catalog).engine()
    with engine.connect() as connection:
        assert schema_drift(connection) == []
    engine.dispose()
    assert faults_of(new_catalog) == []


def test_drift_is_noticed(new_catalog: Path) -> None:
    altered = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        table.to_metadata(altered)
    altered.tables["products"].append_column(Column("stock", Integer))
    engine = SqliteBackend(new_catalog).engine()
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), altered)
    engine.dispose()
    assert [(what, column.name) for what, _, _, column in found] == [("add_column", "stock")]
    with contextlib.closing(sqlite3.connect(new_catalog)) as raw:
        raw.execute("DROP INDEX ix_images_state")
        raw.execute("ALTER TABLE products ADD COLUMN stock INTEGER")
    problems = faults_of(new_catalog)
    assert len(problems) == 2
    assert all(problem.startswith("the schema differs from the models") for problem in problems)


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_revision_has_a_dump_with_the_schema_that_its_scripts_make(
    tmp_path: Path, revision: str
) -> None:
    upgrade_to(tmp_path / "made.db", revision)
    with contextlib.closing(sqlite3.connect(tmp_path / "dumped.db")) as connection:
        connection.executescript((DUMPS / f"{revision}.sql").read_text(encoding="utf-8"))
    assert schema_of(tmp_path / "made.db") == schema_of(tmp_path / "dumped.db")
    assert {path.stem for path in DUMPS.glob("*.sql")} == set(REVISIONS)


def test_loose_ends_are_noticed(new_catalog: Path, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(new_catalog)) as raw:
        raw.execute(
            "INSERT INTO images (product_pk, path, domain, width, height, state)"
            " VALUES (77, '/a', 'shop', 1, 1, 'ok')"
        )
        raw.commit()
    assert faults_of(new_catalog) == ["row 1 of images points to a row of products that is missing"]
    assert current_revision(tmp_path / "nothing.db") is None
