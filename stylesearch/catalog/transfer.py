"""Moves all rows of a catalog: to an export, from one, or straight to another catalog, of either database.

Rows are lines of JSON, vectors are arrays of NumPy (``.npy``) with the numbers as they are stored: a part of
the table ``features`` is a file of lines and an array with a row for each. Keys and ids stay what they are.
Every table of ``stylesearch.catalog.tables.exported_tables`` is written and read, in either database.
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Insert, Table, delete, exists, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from stylesearch.catalog.artifact_table import copy_artifacts
from stylesearch.catalog.backends import backend_behind
from stylesearch.catalog.export_files import PartReader, PartWriter
from stylesearch.catalog.row_values import RowChecker, parse_row, plain_table
from stylesearch.catalog.schema_version import CATALOG_ID, HEAD, NEEDS_STYLESEARCH, REVISIONS
from stylesearch.catalog.shown_counts import ShownCounts
from stylesearch.catalog.tables import (
    about,
    artifact_parts,
    artifacts,
    exported_tables,
    feature_sets,
    features,
    images,
    products,
)
from stylesearch.catalog.value_rows import fill_values
from stylesearch.catalog.vector_codec import vector_fault
from stylesearch.errors import CatalogDamaged, CatalogError, CatalogTooNew, ConfigError, DatasetError

if TYPE_CHECKING:
    from stylesearch.types import ReportProgress

__all__ = ["copy_tables", "read_tables", "write_tables"]

PART_BYTES: Final = 8_000_000
"""Bytes of lines, or of vectors, after which a part is complete."""

ROWS_AT_ONCE: Final = 500

OWN_FACTS: Final = frozenset({CATALOG_ID, NEEDS_STYLESEARCH})
"""Rows of ``about`` that are of a database itself, not of what is in it: they are written, but not read."""

VECTOR: Final = features.c.vector.name


def write_tables(
    connection: Connection, writer: PartWriter, progress: ReportProgress | None = None
) -> dict[str, int]:
    """Writes all rows of a catalog, as of one moment.

    Args:
        connection: connection to a catalog of this version's schema, whose transaction sees one state of it.
        writer: writes the parts.
        progress: called as ``progress("exporting", n_done, n_total)``, in rows.

    Returns:
        the number of rows by table.

    Raises:
        CatalogDamaged: a value or a vector is damaged.
    """
    facts = dict(connection.execute(select(about.c.name, about.c.value)).all())
    counts = {
        one.name: connection.execute(select(func.count()).select_from(one)).scalar_one()
        for one in exported_tables()
    }
    done = 0
    for one in exported_tables():
        parts = _VectorParts(writer, _dimensions(connection)) if one is features else _Parts(writer, one)
        for row in _stream(connection, one):
            parts.add(row)
            done += 1
            if progress and done % ROWS_AT_ONCE == 0:
                progress("exporting", done, sum(counts.values()))
        parts.finish()
    if progress:
        progress("exporting", done, sum(counts.values()))
    writer.finish(
        {
            "stylesearch": version("stylesearch"),
            "schema": HEAD,
            "catalog_id": facts.get(CATALOG_ID, ""),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "tables": {
                one.name: {"rows": counts[one.name], "columns": [name.name for name in one.columns]}
                for one in exported_tables()
            },
        }
    )
    return counts


def read_tables(
    connection: Connection,
    reader: PartReader,
    *,
    overwrite: bool = False,
    progress: ReportProgress | None = None,
) -> dict[str, int]:
    """Puts all rows of an export into a catalog, in the transaction of the caller.

    The catalog gets a new id: what was derived from it, or from the one that was exported, is not looked at.

    Args:
        connection: connection to a catalog of this version's schema, in a transaction that writes.
        reader: reads the parts.
        overwrite: whether what the catalog has is removed first.
        progress: called as ``progress("importing", n_done, n_total)``, in rows.

    Returns:
        the number of rows by table.

    Raises:
        ConfigError: the catalog is not empty.
        CatalogTooNew: a newer stylesearch made the export.
        DatasetError: it is not what an export is; the message has file and line. The transaction is to be
            rolled back.
    """
    expected = _check_manifest(reader)
    _make_room(connection, overwrite)
    counts = dict.fromkeys(expected, 0)
    total = sum(expected.values())
    for one in exported_tables():
        dimensions = _dimensions(connection) if one is features else {}
        for name in [name for name, part in reader.parts.items() if part.get("table") == one.name]:
            if not name.endswith(".jsonl"):
                continue
            rows = _read_part(reader, name, one, dimensions)
            counts[one.name] += len(rows)
            if one is about:
                rows = [row for row in rows if row[1]["name"] not in OWN_FACTS]
            for start in range(0, len(rows), ROWS_AT_ONCE):
                _insert(
                    connection,
                    one,
                    rows[start : start + ROWS_AT_ONCE],
                    functools.partial(_wrong, reader, name),
                )
            if progress:
                progress("importing", sum(counts.values()), total)
    if counts != expected:
        odd = next(name for name in expected if counts[name] != expected[name])
        raise DatasetError(
            f"{reader.place} has {counts[odd]} rows of {odd}, and its manifest says {expected[odd]}"
        )
    _check_filing(connection, reader)
    _finish(connection, secrets.token_hex(8))
    return counts


def copy_tables(
    source: Connection,
    target: Connection,
    *,
    overwrite: bool = False,
    new_id: bool = False,
    progress: ReportProgress | None = None,
) -> dict[str, int]:
    """Puts all rows of a catalog into another, with their keys and ids, in the transaction of the caller.

    The fits and models that it shares go with them: ids are the same, so that fits hold.

    Args:
        source: connection to a catalog of this version's schema, whose transaction sees one state of it.
        target: connection to another, in a transaction that writes.
        overwrite: whether what the other one has is removed first.
        new_id: whether the copy gets an id of its own; if not, it has that of the original.
        progress: called as ``progress("copying", n_done, n_total)``, in rows.

    Returns:
        the number of rows by table, which were counted in both.

    Raises:
        ConfigError: the other catalog is not empty.
        CatalogDamaged: a value or a vector is damaged. The transaction is to be rolled back.
        CatalogError: the other database does not take a row, or has lost some; likewise.
    """
    _make_room(target, overwrite)
    expected = _count_rows(source)
    done, total = 0, sum(expected.values())
    for one in exported_tables():
        dimensions = _dimensions(source) if one is features else {}
        for rows in _batches(_stream(source, one, own_facts=False)):
            if one is features:
                for row in rows:
                    _check_vector(row, dimensions)
            _insert(target, one, list(enumerate(rows)), functools.partial(_not_taken, one, rows))
            done += len(rows)
            if progress:
                progress("copying", done, total)
    counts = _count_rows(target)
    if counts != expected:
        odd = next(name for name in expected if counts[name] != expected[name])
        raise CatalogError(
            f"{counts[odd]} rows of {odd} have arrived. There were {expected[odd]}", hint="please report this"
        )
    copy_artifacts(source, target)
    given_out = backend_behind(source).highest_feature_id(source)
    backend_behind(target).raise_feature_ids(target, given_out)
    of_source = source.execute(select(about.c.value).where(about.c.name == CATALOG_ID)).scalar_one()
    _finish(target, secrets.token_hex(8) if new_id else of_source)
    return counts


@dataclass
class _Parts:
    """Collects rows of a table as lines, and writes them in parts."""

    writer: PartWriter
    table: Table
    n_parts: int = 0
    lines: list[bytes] = field(default_factory=list)
    n_bytes: int = 0

    def add(self, row: Mapping[str, Any]) -> None:
        line = _line_of(row)
        self.lines.append(line)
        self.n_bytes += len(line)
        if self.n_bytes >= PART_BYTES:
            self.finish()

    def finish(self) -> None:
        if self.lines:
            name = f"{self.table.name}-{self.n_parts:05}.jsonl"
            self.writer.add(name, b"".join(self.lines), table=self.table.name, rows=len(self.lines))
            self.n_parts += 1
        self.lines, self.n_bytes = [], 0


class _VectorParts:
    """Collects rows of ``features``: parts of vectors of one feature set and one type of number.

    Args:
        writer: writes the parts.
        dimensions: number of dimensions by key of the feature set.
    """

    def __init__(self, writer: PartWriter, dimensions: Mapping[int, int]) -> None:
        self._writer = writer
        self._dimensions = dimensions
        self._n_parts = 0
        self._open: dict[tuple[int, int], tuple[list[bytes], list[bytes]]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        _check_vector(row, self._dimensions)
        vector = row[VECTOR]
        key = (row["feature_set_pk"], len(vector))
        lines, vectors = self._open.setdefault(key, ([], []))
        lines.append(_line_of({name: value for name, value in row.items() if name != VECTOR}))
        vectors.append(vector)
        if len(vectors) * len(vector) >= PART_BYTES:
            self._write(key)

    def finish(self) -> None:
        for key in list(self._open):
            self._write(key)

    def _write(self, key: tuple[int, int]) -> None:
        lines, vectors = self._open.pop(key)
        dim, n_bytes = self._dimensions[key[0]], key[1]
        array = np.frombuffer(b"".join(vectors), f"<f{n_bytes // dim}").reshape(len(vectors), dim)
        name = f"{features.name}-{self._n_parts:05}"
        self._n_parts += 1
        encoded = io.BytesIO()
        np.save(encoded, array, allow_pickle=False)
        self._writer.add(f"{name}.jsonl", b"".join(lines), table=features.name, rows=len(lines))
        self._writer.add(f"{name}.npy", encoded.getvalue(), table=features.name, rows=len(lines))


def _make_room(connection: Connection, overwrite: bool) -> None:
    """Removes all rows that are moved, or refuses a catalog that has some."""
    if overwrite:
        backend_behind(connection).drop_derived(connection)
        for one in reversed(exported_tables()):
            kept = [about.c.name.not_in(OWN_FACTS)] if one is about else []
            connection.execute(delete(one).where(*kept))
        for one in (artifact_parts, artifacts):  # fits are of what was there; models stay
            connection.execute(delete(one).where(one.c.kind == "fit"))
    elif occupied := _first_occupied(connection):
        raise ConfigError(
            f"the catalog is not empty: it has {occupied}",
            hint="give a new one, or replace what it has with --overwrite",
        )


def _finish(connection: Connection, catalog_id: str) -> None:
    """Makes what follows from the rows, lets new ones come after them, and gives the catalog its id."""
    fill_values(connection)
    backend_behind(connection).raise_keys(connection)
    ShownCounts(connection).count_anew()
    connection.execute(delete(about).where(about.c.name == CATALOG_ID))
    connection.execute(insert(about), {"name": CATALOG_ID, "value": catalog_id})
    backend_behind(connection).analyze(connection)


def _count_rows(connection: Connection) -> dict[str, int]:
    """Counts the rows by table, without those that are of the database itself."""
    statements = {one.name: select(func.count()).select_from(one) for one in exported_tables()}
    statements[about.name] = statements[about.name].where(about.c.name.not_in(OWN_FACTS))
    return {name: connection.execute(statement).scalar_one() for name, statement in statements.items()}


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(itertools.islice(rows, ROWS_AT_ONCE)):
        yield batch


def _check_vector(row: Mapping[str, Any], dimensions: Mapping[int, int]) -> None:
    """Checks the vector of a row of ``features``, as it was read from a catalog."""
    if fault := vector_fault(row[VECTOR], row["checksum"], dimensions[row["feature_set_pk"]]):
        raise CatalogDamaged(f"{fault} (feature {row['id']})")


def _stream(connection: Connection, one: Table, *, own_facts: bool = True) -> Iterator[dict[str, Any]]:
    """Reads all rows of a table in the order of their keys, as values of JSON.

    Args:
        connection: connection to the catalog.
        one: the table.
        own_facts: whether the rows of ``about`` that are of the database itself are read too.
    """
    plain = plain_table(one)
    keys = [plain.c[key.name] for key in one.primary_key.columns]
    statement = select(*plain.c).order_by(*keys)
    if one is about and not own_facts:
        statement = statement.where(plain.c.name.not_in(OWN_FACTS))
    options = {"stream_results": True, "yield_per": ROWS_AT_ONCE}
    for row in connection.execute(statement, execution_options=options):
        yield row._asdict()


def _line_of(row: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _dimensions(connection: Connection) -> dict[int, int]:
    return dict(connection.execute(select(feature_sets.c.pk, feature_sets.c.dim)).all())


def _check_manifest(reader: PartReader) -> dict[str, int]:
    """Checks the versions and tables of a manifest; returns the number of rows by table."""
    manifest, place = reader.manifest, reader.place
    schema = manifest.get("schema")
    if schema != HEAD:
        if schema in REVISIONS:
            raise DatasetError(
                f"{place} has the schema {schema}. This is {HEAD}",
                hint="export again with this version, which upgrades the catalog first",
            )
        raise CatalogTooNew(
            f"{place} is of stylesearch {manifest.get('stylesearch')} (schema {schema}). This is {HEAD}",
            hint="pip install --upgrade stylesearch",
        )
    try:
        expected = {str(name): int(one["rows"]) for name, one in manifest["tables"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"the tables of {place} cannot be read: {error}") from error
    if expected.keys() != {one.name for one in exported_tables()}:
        odd = sorted(expected.keys() ^ {one.name for one in exported_tables()})[0]
        raise DatasetError(f"{place} has other tables than a catalog: {odd!r}")
    for name, part in reader.parts.items():
        if part.get("table") != name.rpartition("-")[0]:
            raise DatasetError(
                f"{place}: the manifest says that {name} is of the table {part.get('table')!r}"
            )
    return expected


def _first_occupied(connection: Connection) -> str:
    """Name of the first table with rows, other than ``about``; empty if there is none."""
    for one in exported_tables():
        if one is not about and connection.execute(select(exists(select(one)))).scalar():
            return one.name
    return ""


def _read_part(
    reader: PartReader, name: str, one: Table, dimensions: Mapping[int, int]
) -> list[tuple[int, dict[str, Any]]]:
    """Reads and checks a part; returns number of the line and values of each row."""
    checker, rows = RowChecker(one), []
    for number, line in enumerate(reader.read(name).split(b"\n"), start=1):
        if not line:
            continue
        try:
            row = parse_row(line)
            checker.check(row)
        except ValueError as error:
            raise _wrong(reader, name, number, str(error)) from error
        rows.append((number, row))
    if one is not features:
        return rows
    array_name = f"{name.removesuffix('.jsonl')}.npy"
    array = _read_array(reader, array_name)
    if len(array) != len(rows):
        raise DatasetError(f"{reader.place}/{array_name} has {len(array)} rows, {name} has {len(rows)}")
    for (number, row), vector in zip(rows, array, strict=True):
        dim = dimensions.get(row["feature_set_pk"])
        if dim != len(vector):
            reason = f"a vector of {len(vector)} numbers, where its feature set has {dim or 'none'}"
            raise _wrong(reader, name, number, reason)
        row[VECTOR] = vector.tobytes()
        if fault := vector_fault(row[VECTOR], row["checksum"], dim):
            raise _wrong(reader, name, number, fault)
    return rows


def _read_array(reader: PartReader, name: str) -> npt.NDArray[np.floating[Any]]:
    """Reads an array of vectors, float16 or float32; nothing is allocated that the file does not hold."""
    data = reader.read(name)
    file = io.BytesIO(data)
    try:
        major, _ = np.lib.format.read_magic(file)
        if major != 1:
            raise ValueError(f"version {major} of the format")
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype not in (np.dtype("<f2"), np.dtype("<f4")) or is_fortran or len(shape) != 2:
            raise ValueError(
                f"an array of {dtype} with the shape {shape}; rows of float16 or float32 are expected"
            )
        if shape[0] * shape[1] * dtype.itemsize != len(data) - file.tell():
            raise ValueError(f"its shape is {shape}, and it has {len(data) - file.tell()} bytes")
        array = np.frombuffer(data, dtype, offset=file.tell()).reshape(shape)
    except (ValueError, TypeError, SyntaxError, RecursionError, EOFError) as error:
        raise DatasetError(f"{reader.place}/{name} is no array of vectors: {error}") from error
    finite = (
        [_is_finite(array[start : start + 1]) for start in range(len(array))] if not _is_finite(array) else []
    )
    if finite:
        row = finite.index(False)
        raise DatasetError(f"{reader.place}/{name} has a number that is not finite, in row {row} (from 0)")
    return array


def _is_finite(array: npt.NDArray[np.floating[Any]]) -> bool:
    """Whether all numbers are finite; of float16 by their bits, which is ten times faster."""
    if array.dtype.itemsize == 2:
        return not bool(((array.view("<u2") & 0x7C00) == 0x7C00).any())
    return bool(np.isfinite(array).all())


def _insert(
    connection: Connection,
    one: Table,
    rows: Sequence[tuple[int, dict[str, Any]]],
    explain: Callable[[int, str], Exception],
) -> None:
    """Inserts numbered rows; of those that the database refuses, the first is named by ``explain``.

    An error that is not of a row stays what it is: a full disk, a missing right, a connection that was lost.
    """
    if not rows:
        return
    statement = insert(plain_table(one))
    if _try_to_insert(connection, statement, [row for _, row in rows]) is None:
        return
    for number, row in rows:
        error = _try_to_insert(connection, statement, row)
        if isinstance(error, IntegrityError):
            raise explain(number, f"it does not fit the rows before: {error.orig}") from error
        if error is not None:
            raise explain(number, str(error)) from error


def _try_to_insert(
    connection: Connection, statement: Insert, values: dict[str, Any] | list[dict[str, Any]]
) -> IntegrityError | CatalogError | None:
    """Inserts rows; returns the error that one of them can be to blame for: then none of them is inserted.

    Raises:
        CatalogError: no row is to blame. The database may have rolled back all before it, and does not know
            the savepoint any more.
    """
    savepoint = connection.begin_nested()
    try:
        connection.execute(statement, values)
    except (IntegrityError, CatalogError) as error:
        if not isinstance(error, IntegrityError) and not _is_of_a_value(connection, error.__cause__):
            raise
        savepoint.rollback()
        return error
    savepoint.commit()
    return None


def _is_of_a_value(connection: Connection, cause: BaseException | None) -> bool:
    """Whether an error of the database is about a value of a row, such as a key too long for an index."""
    if getattr(cause, "sqlstate", None) == "54000":  # program_limit_exceeded
        return True
    return isinstance(cause, connection.dialect.loaded_dbapi.DataError)


def _check_filing(connection: Connection, reader: PartReader) -> None:
    """Checks that vectors are filed under the domain of their image and the category of its product."""
    statement = (
        select(features.c.id)
        .join_from(features, images, images.c.pk == features.c.image_pk)
        .join(products, products.c.pk == images.c.product_pk)
        .where(or_(features.c.domain != images.c.domain, features.c.category != products.c.category))
        .limit(1)
    )
    found = connection.execute(statement).scalar()
    if found is not None:
        raise DatasetError(
            f"{reader.place}: the feature {found} has another domain or category than its image and product"
        )


def _wrong(reader: PartReader, name: str, number: int, reason: str) -> DatasetError:
    return DatasetError(
        f"{reader.place}/{name}:{number}: {reason}", hint="nothing was imported; export again"
    )


def _not_taken(one: Table, rows: Sequence[Mapping[str, Any]], number: int, reason: str) -> CatalogError:
    """The error where a database does not take a row that another one has; the row is told by its key."""
    key = ", ".join(f"{column.name} {rows[number][column.name]!r}" for column in one.primary_key.columns)
    return CatalogError(f"{one.name} with {key} was not taken: {reason}", hint="nothing was copied")
