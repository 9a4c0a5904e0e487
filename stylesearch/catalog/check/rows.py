"""Checks every value of every row, vectors with their checksums included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from sqlalchemy import Connection, Table, text

from stylesearch.catalog.backends import backend_behind
from stylesearch.catalog.check.findings import Finding, Problem
from stylesearch.catalog.tables import (
    feature_sets,
    features,
    image_listings,
    images,
    listings,
    metadata,
    products,
)
from stylesearch.catalog.vector_codec import vector_fault
from stylesearch.errors import CatalogDamaged, CatalogError
from stylesearch.types import ReportProgress

__all__ = ["DROP_VECTOR", "MERGE", "check_rows"]

DROP_VECTOR: Final = (
    "drops the vector: the next ingest of its source, or PUT of its product, computes it anew"
)

MERGE: Final = "gives the product what its sources say"

FETCHED: Final = 200
"""Rows that are read at once: half a megabyte of vectors."""

REPORTED: Final = 1000
"""Rows after which the progress is told."""

HINT: Final = "restore a backup; or remove these products, and ingest their source again"


# Plain SQL, whose values are not checked again.
_PRODUCT_OF_IMAGE: Final = text("SELECT product_pk FROM images WHERE pk = :pk")
_ID_OF_PRODUCT: Final = text("SELECT id FROM products WHERE pk = :pk")


class _Text(bytes):
    """A text as SQLite has it, which need not be UTF-8, and is told from a blob."""


def check_rows(connection: Connection, progress: ReportProgress | None) -> Iterator[Finding]:
    """Yields what is wrong with the values of each table, and with the vectors.

    Args:
        connection: a connection of its own: it is left with another way to read texts.
        progress: called as ``progress("rows", n_done, None)``.
    """
    backend_behind(connection).read_texts_as(connection, _Text)
    reader = _RowReader(connection, progress)
    values = Finding("texts, numbers and JSON", 0, "rows", hint=HINT)
    vectors = Finding("vectors, with their checksums", 0, "vectors")
    for table in metadata.sorted_tables:
        reader.check(table, vectors if table is features else values)
    yield values
    yield vectors


class _RowReader:
    def __init__(self, connection: Connection, progress: ReportProgress | None) -> None:
        self._connection = connection
        self._progress = progress
        self._done = 0
        self._dims: dict[Any, int] = {}

    def check(self, table: Table, found: Finding) -> None:
        """Reads all rows of a table, and adds what is wrong to a finding."""
        try:
            if table is features:
                self._read_dims()
            for row, fault in self._read(table):
                found.n_checked += 1
                if fault:
                    found.add(self._problem(table, row, fault))
        except CatalogError as error:  # SQLite cannot go on in this table
            what = error.what if isinstance(error, CatalogDamaged) else error.message
            found.add(Problem(f"the rest of {table.name} cannot be read: {what}"))

    def _read(self, table: Table) -> Iterator[tuple[Any, str]]:
        """Yields each row, and what is wrong with it, or ""."""
        names = ", ".join(f'"{column.name}"' for column in table.c)
        readers = [_reader(self._connection, column) for column in table.c]
        result = self._connection.execution_options(yield_per=FETCHED).exec_driver_sql(
            f"SELECT {names} FROM {table.name}"
        )
        for row in result:
            faults = [fault for value, read in zip(row, readers, strict=True) if (fault := read(value))]
            if table is features and not faults:
                faults = [fault for fault in [self._fault_of_vector(row)] if fault]
            self._done += 1
            if self._progress and self._done % REPORTED == 0:
                self._progress("rows", self._done, None)
            yield row, "; ".join(faults)

    def _fault_of_vector(self, row: Any) -> str:
        dim = self._dims.get(row.feature_set_pk)
        return "" if dim is None else vector_fault(row.vector, row.checksum, dim)

    def _read_dims(self) -> None:
        rows = self._connection.exec_driver_sql(f"SELECT pk, dim FROM {feature_sets.name}")
        self._dims = {pk: dim for pk, dim in rows if isinstance(dim, int)}

    def _problem(self, table: Table, row: Any, fault: str) -> Problem:
        key = [getattr(row, column.name) for column in table.primary_key]
        shown = ", ".join(_as_text(one) for one in key)
        what = f"row {shown} of {table.name}: {fault}"
        if table is features:
            return Problem(what, self._product_of_image(row.image_pk), DROP_VECTOR, row.id)
        if table is products:
            return Problem(what, _as_text(row.id), MERGE, row.pk)
        return Problem(what, self._product_of(table, row))

    def _product_of(self, table: Table, row: Any) -> str | None:
        if table in (images, listings):
            return self._product_id(row.product_pk)
        return self._product_of_image(row.image_pk) if table is image_listings else None

    def _product_of_image(self, pk: Any) -> str | None:
        row = self._connection.execute(_PRODUCT_OF_IMAGE, {"pk": pk}).first()
        return None if row is None else self._product_id(row[0])

    def _product_id(self, pk: Any) -> str | None:
        row = self._connection.execute(_ID_OF_PRODUCT, {"pk": pk}).first()
        return None if row is None else _as_text(row[0])


def _reader(connection: Connection, column: Any) -> Callable[[Any], str]:
    """Makes the function that says what is wrong with a value of a column, or ""."""
    read = column.type.result_processor(connection.dialect, None)

    def fault(value: Any) -> str:
        if value is None:
            return "" if column.nullable else f"{column.table.name}.{column.name} is missing"
        try:
            read(value.decode() if isinstance(value, _Text) else value)
        except UnicodeDecodeError:
            return f"{column.table.name}.{column.name} is no UTF-8. Found: {bytes(value[:60])!r}"
        except CatalogDamaged as error:
            return error.what
        return ""

    return fault


def _as_text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
