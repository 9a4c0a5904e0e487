"""Starts a new migration script: ``python -m stylesearch.migrations "what it does"``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import alembic.command

from stylesearch.catalog.backends.sqlite import SqliteBackend
from stylesearch.catalog.migrate import make_config, upgrade
from stylesearch.catalog.schema_version import REVISIONS


def main(message: str) -> None:
    """Writes ``versions/NNNN_message.py`` with what the models have and the newest schema has not."""
    with tempfile.TemporaryDirectory() as folder:
        backend = SqliteBackend(Path(folder) / "catalog.db")
        upgrade(backend)
        engine = backend.engine()
        with engine.connect() as connection:
            alembic.command.revision(
                make_config(connection), message, autogenerate=True, rev_id=f"{len(REVISIONS) + 1:04}"
            )
        engine.dispose()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit('usage: python -m stylesearch.migrations "what it does"')
    main(sys.argv[1])
