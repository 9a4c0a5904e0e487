"""Checks the file of a catalog: SQLite's own check, references between tables, and the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from stylesearch.catalog.check.findings import Finding, Problem
from stylesearch.catalog.migrate import schema_drift

__all__ = ["DROP_ROW", "REINDEX", "check_database"]

REINDEX: Final = "makes the index of the table anew"
DROP_ROW: Final = "drops the row: the next ingest makes it anew"

LINES: Final = 1000
"""Lines of SQLite's check that are asked for."""

_INDEX: Final = re.compile(r"\bindex (\w+)")

RESTORE: Final = "restore a backup"


def check_database(connection: Connection) -> Iterator[Finding]:
    """Yields what is wrong with the file itself; of databases other than SQLite only the schema."""
    if connection.dialect.name == "sqlite":
        yield _integrity(connection)
        yield _references(connection)
    drift = [Problem(f"the schema differs from the models: {one}") for one in schema_drift(connection)]
    yield Finding.of("schema", 1, "schema", drift, RESTORE)


def _integrity(connection: Connection) -> Finding:
    found = Finding("file, as SQLite checks it", 0, "pages", hint=RESTORE)
    found.n_checked = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
    for line in connection.exec_driver_sql(f"PRAGMA integrity_check({LINES})").scalars():
        if line == "ok":
            continue
        index = _INDEX.search(line)
        # One of SQLite's own making, for a UNIQUE constraint, cannot be named, but its table can.
        name = re.sub(r"^sqlite_autoindex_(\w+)_\d+$", r"\1", index[1]) if index else None
        found.add(Problem(line, repair=REINDEX if index else "", key=name))
    return found


def _references(connection: Connection) -> Finding:
    found = Finding("references between tables", 0, "tables", hint=RESTORE)
    found.n_checked = len(connection.exec_driver_sql("PRAGMA table_list").all())
    for table, row, parent, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
        derived = table == "product_values" or (table in ("features", "image_listings") and row is not None)
        found.add(
            Problem(
                f"{f'row {row}' if row else 'a row'} of {table} points to a row of {parent} that is missing",
                repair=DROP_ROW if derived else "",
                key=f"{table}:{row or ''}" if derived else None,
            )
        )
    return found
