"""Says what is wrong with the database of a catalog, for tests that expect nothing."""

from __future__ import annotations

import os

from stylesearch.catalog.backends import Backend, backend_of
from stylesearch.catalog.check.database import check_database
from stylesearch.catalog.migrate import HEAD, current_revision


def faults_of(place: Backend | str | os.PathLike[str]) -> list[str]:
    """Lists what ``db check`` finds wrong with the database itself, its references and its schema."""
    revision = current_revision(place)
    if revision != HEAD:
        return [f"the schema is {revision}"]
    engine = backend_of(place).engine()
    try:
        with engine.connect() as connection:
            return [one.what for finding in check_database(connection) for one in finding.problems]
    finally:
        engine.dispose()
