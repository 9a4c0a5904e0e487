"""A catalog of the oldest schema becomes the same on PostgreSQL as on SQLite."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import alembic.command
import pytest
from sqlalchemy import Engine, MetaData, Table, insert, select

from stylesearch.catalog import Catalog
from stylesearch.catalog.backends import backend_of
from stylesearch.catalog.migrate import make_config, upgrade
from stylesearch.catalog.row_values import plain_table
from stylesearch.catalog.tables import exported_tables
from tests.catalog_faults import faults_of

pytestmark = [pytest.mark.servers, pytest.mark.slow]

OLDEST = Path(__file__).parents[1] / "migrations" / "dumps" / "0001.sql"


def rows_of(place: Path | str) -> dict[str, list[dict[str, Any]]]:
    """All rows of a catalog, by table, in the order of their keys."""
    engine = backend_of(place).engine(readonly=True)
    with engine.connect() as connection:
        found = {}
        for table in exported_tables():
            plain = plain_table(table)
            keys = [plain.c[one.name] for one in table.primary_key.columns]
            statement = select(*plain.c).order_by(*keys)
            found[table.name] = [row._asdict() for row in connection.execute(statement)]
    engine.dispose()
    return found


def test_the_oldest_catalog_is_upgraded_alike(tmp_path: Path, postgres: str) -> None:
    file = tmp_path / "catalog.db"
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.executescript(OLDEST.read_text("utf-8"))
    with backend_of(postgres).upgrading(1.0) as upgrading, upgrading.transaction() as connection:
        alembic.command.upgrade(make_config(connection), "0001")
    of_file, of_server = backend_of(file).engine(), backend_of(postgres).engine()
    with of_file.connect() as source, of_server.begin() as target:
        tables = MetaData()
        tables.reflect(target)
        for table in tables.sorted_tables:
            if table.name == "alembic_version":
                continue
            target.execute(table.delete())
            rows = [row._asdict() for row in source.execute(select(_reflected(of_file, table.name)))]
            if rows:
                target.execute(insert(table), rows)
    of_file.dispose()
    of_server.dispose()
    assert upgrade(postgres).before == "0001"
    upgrade(file)
    assert faults_of(postgres) == []
    here, there = rows_of(file), rows_of(postgres)
    assert here["features"] and here["listings"]
    assert there == here
    with Catalog.open(postgres) as catalog:
        assert catalog.highest_feature_id() == max(row["id"] for row in here["features"])


def _reflected(engine: Engine, name: str) -> Table:
    tables = MetaData()
    tables.reflect(engine, only=[name])
    return tables.tables[name]
