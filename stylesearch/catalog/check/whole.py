"""Makes all checks of a catalog, one after the other; its memory does not grow with the catalog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy import Connection

from stylesearch.catalog.backends import Backend
from stylesearch.catalog.check.database import check_database
from stylesearch.catalog.check.derived import check_derived
from stylesearch.catalog.check.findings import Finding, Problem
from stylesearch.catalog.check.rows import check_rows
from stylesearch.errors import CatalogDamaged
from stylesearch.types import ReportProgress

__all__ = ["check_catalog"]


def check_catalog(
    backend: Backend, *, readonly: bool = False, progress: ReportProgress | None = None
) -> Iterator[Finding]:
    """Checks the file, the schema, every value and vector, and what the catalog makes of its own rows.

    Args:
        backend: a catalog with the newest schema.
        readonly: whether it cannot be written to.
        progress: called as ``progress("rows", n_done, None)``.

    Yields:
        a finding for each check, in which there may be nothing wrong. A catalog that cannot be read on ends
        with a finding that says so.
    """
    parts: tuple[Callable[[Connection], Iterator[Finding]], ...] = (
        check_database,
        partial(check_rows, progress=progress),
        check_derived,
    )
    for check in parts:
        engine = backend.engine(readonly=readonly)
        try:
            with engine.connect() as connection:
                yield from check(connection)
        except CatalogDamaged as error:
            hint = "restore a backup"
            yield Finding.of("what could not be checked", 0, "things", [Problem(error.what)], hint)
        finally:
            engine.dispose()
