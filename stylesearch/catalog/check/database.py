"""Checks the database of a catalog: its own check, references between tables, and the schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection

from stylesearch.catalog.backends import Backend, backend_behind
from stylesearch.catalog.backends.base import LooseEnd
from stylesearch.catalog.check.findings import Finding, Problem
from stylesearch.catalog.migrate import schema_drift
from stylesearch.catalog.tables import metadata

__all__ = ["DROP_ROW", "REINDEX", "check_database"]

REINDEX: Final = "makes the index of the table anew"
DROP_ROW: Final = "drops the row: the next ingest makes it anew"

LINES: Final = 1000
"""Faults of the database's own check that are asked for."""

RESTORE: Final = "restore a backup"


def check_database(connection: Connection) -> Iterator[Finding]:
    """Yields what is wrong with the database itself, with references between tables, and with the schema."""
    backend = backend_behind(connection)
    yield _integrity(backend, connection)
    loose = backend.loose_ends(connection)
    if loose is not None:
        yield _references(loose)
    drift = [Problem(f"the schema differs from the models: {one}") for one in schema_drift(connection)]
    yield Finding.of("schema", 1, "schema", drift, RESTORE)


def _integrity(backend: Backend, connection: Connection) -> Finding:
    checked = backend.damage(connection, LINES)
    found = Finding(checked.check, checked.n_checked, checked.counted, hint=RESTORE)
    for fault, index in checked.faults:
        found.add(Problem(fault, repair=REINDEX if index else "", key=index))
    return found


def _references(loose: list[LooseEnd]) -> Finding:
    found = Finding("references between tables", len(metadata.tables), "tables", hint=RESTORE)
    for one in loose:
        without_rows = one.table == "product_values"
        derived = without_rows or (one.table in ("features", "image_listings") and one.row is not None)
        found.add(
            Problem(
                str(one),
                repair=DROP_ROW if derived else "",
                key=f"{one.table}:{one.row or ''}" if derived else None,
            )
        )
    return found
