"""A vector store in the PostgreSQL database of the catalog: pgvector proposes, exact distances decide."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg
import sqlalchemy as sa

from stylesearch.array_types import Floats, Ids
from stylesearch.distance import METRICS, nearest_to_any
from stylesearch.errors import CatalogError, ConfigError, IndexDamaged
from stylesearch.search.fitted_space import Stamp, version_stamp
from stylesearch.search.gallery_vectors import GalleryVectors, only
from stylesearch.search.pgvector.building import INDEX_FROM, TableBuilder, drop_other_fits
from stylesearch.search.pgvector.calibration import Calibrator, n_compared, width_for
from stylesearch.search.pgvector.halfvec import to_half
from stylesearch.search.pgvector.table import TableRecord, VectorTable, table_name, tables_of
from stylesearch.search.store import (
    Candidates,
    CategoryStatus,
    StoreReplaced,
    check_names,
    merge_candidates,
    nearest_in_blocks,
)
from stylesearch.types import Domain, Failure

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from stylesearch.catalog.selection import FeatureSelection
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.spaces.base import Transform
    from stylesearch.types import ReportProgress

__all__ = ["PgVectorStore", "PgVectorStores"]

LEAST_RECALL: Final = 0.95
"""Below this share of the nearest, an index counts as damaged: it was 0.99 or more when it was built."""

_TOLERANCE: Final = 2.0**-9
"""By so much a stored number may differ from the same one computed on another machine."""


class PgVectorStore:
    """One fit of a space and its table: a ``VectorStore`` in PostgreSQL.

    The table is for finding ids; the vectors that decide are computed from the catalog's features. Without a
    table, and for images newer than it, the catalog is searched exactly.

    Args:
        location: location of the space, in a catalog on PostgreSQL.
        metric: ``l1``, ``l2`` or ``cosine``.
        transform: the fit.
        stamp: stamp of the record that named the fit, from before it was read.
        warn: called with the reason when the table cannot be used.
        index_from: rows from which on the table gets an index.
        by_index: whether the index is asked, or the table scanned; by default what is quicker.

    Raises:
        ConfigError: the transform was made for another metric.
    """

    def __init__(
        self,
        location: SpaceLocation,
        metric: str,
        transform: Transform,
        stamp: Stamp = (0, 0),
        *,
        warn: Callable[[str], None] = lambda reason: None,
        index_from: int = INDEX_FROM,
        by_index: bool | None = None,
    ) -> None:
        if transform.metric not in (None, metric):
            raise ConfigError(
                f"the space {location.space} is searched with the metric {transform.metric}. "
                f"Received: {metric}"
            )
        self.location = location
        self.metric = metric
        self.transform = transform
        self.vectors = GalleryVectors(location, transform)
        self.table = VectorTable(location.key, transform.version, metric, transform.dim)
        self.damaged: dict[str, str] = {}  # category -> the build that could not be used
        self._engine = location.catalog.engine
        self._builder = TableBuilder(self._engine, self.table, self.vectors, index_from=index_from)
        self._by_index = by_index
        self._stamp = stamp
        self._warn = warn
        self._checked_up_to = 0
        self._sizes: tuple[str, Mapping[str, int]] = ("", {})
        self._unsound: set[str] = set()
        self._removed: Ids = np.empty(0, np.int64)
        self._changing = threading.Lock()

    @property
    def is_current(self) -> bool:
        """Whether this is still the current fit."""
        return version_stamp(self.location) == self._stamp

    def categories(self) -> list[str]:
        """Names of the categories that have images, sorted."""
        return list(self.vectors.contents().categories)

    def search(
        self,
        vectors: Floats,
        categories: Sequence[str] | None,
        n: int,
        *,
        allowed: FeatureSelection | None = None,
    ) -> Candidates:
        """Finds candidates of some categories, or of all: by the table, and exactly among newer images."""
        check_names(categories)
        if allowed is not None and not len(allowed):
            return Candidates.empty()
        lists = []
        from_table, after_id = self._search_table(vectors, categories, n, allowed)
        if from_table is not None:
            lists.append(from_table)
        contents = self.vectors.contents()
        names = [None] if categories is None else categories
        for name in names if after_id < contents.last_feature_id else ():
            last = contents.last_feature_id if name is None else self.vectors.last_id(name, contents)
            if after_id < last:
                pending = self.vectors.blocks(name, after_id)
                if allowed is not None:
                    pending = only(allowed, pending)
                lists.append(nearest_in_blocks(vectors, pending, self.metric, n))
        candidates = merge_candidates(lists)
        return candidates.without(self._removed) if len(self._removed) else candidates

    def add(self, ids: Ids) -> None:
        """Reads the catalog again: features that the table does not have are read from there."""
        with self._changing:
            self.vectors.forget_contents()
            self._removed = np.setdiff1d(self._removed, ids)

    def remove(self, ids: Ids) -> None:
        """Leaves features out of every answer; the catalog removes their rows with them."""
        with self._changing:
            self._removed = np.union1d(self._removed, ids)
            self.vectors.forget_contents()

    def build(self, categories: Iterable[str] | None = None, progress: ReportProgress | None = None) -> None:
        """Builds the table anew; for some categories, adds what it lacks if what it has of them is sound."""
        if categories is None:
            self._builder.build(progress)
            return
        names = set(categories)
        if not names:
            return
        rows = [row for row in self.status() if row.category in names]
        sound = all(row.state == "ready" and row.n_gone == 0 for row in rows)
        if sound and not names & self._unsound:
            self._builder.append(progress)
        else:
            self._builder.build(progress)

    def status(self) -> list[CategoryStatus]:
        """The state of every category, those of vanished categories included; builds nothing."""
        counts = self.location.counts()
        try:
            record, sizes, n_bytes = self._read_table()
        except IndexDamaged:
            return [CategoryStatus(name, "damaged", n_pending=n) for name, n in counts.items()]
        if record is None:
            return [CategoryStatus(name, "missing", n_pending=n) for name, n in counts.items()]
        n_rows = max(1, sum(sizes.values()))
        return [
            self._status_of(name, record, counts.get(name, 0), sizes.get(name, 0), n_bytes / n_rows)
            for name in sorted({*counts, *sizes})
        ]

    def verify(self, categories: Iterable[str] | None = None) -> list[Failure]:
        """Compares every row, or those of some categories, with the catalog; tries the index out."""
        names = list(self.location.counts()) if categories is None else list(categories)
        try:
            record, sizes, _ = self._read_table()
        except IndexDamaged as error:
            return [Failure(name, str(error)) for name in names]
        if record is None:
            return [Failure(name, "there is no table of its vectors") for name in names]
        problems = []
        if record.ef_search:
            with self._engine.begin() as connection:
                calibrator = Calibrator(connection, self.table, self.vectors, record.scale)
                recall = calibrator.recall(record.ef_search)
            if recall < LEAST_RECALL:
                reason = f"the index of {self.table.name} finds only {recall:.0%} of the nearest"
                problems = [Failure(name, reason) for name in names]
        for name in names:
            if fault := self._fault_of(name, record, sizes.get(name, 0)):
                problems.append(Failure(name, fault))
        self._unsound = {one.item for one in problems}
        return problems

    def _search_table(
        self, vectors: Floats, categories: Sequence[str] | None, n: int, allowed: FeatureSelection | None
    ) -> tuple[Candidates | None, int]:
        """Searches the table; returns candidates and its largest feature id, None and 0 if it is unusable."""
        if self.metric == "cosine" and not vectors.any(axis=1).all():
            return None, 0  # pgvector has no distance to zeros
        try:
            found = self._propose(vectors, categories, n, allowed)
        except (CatalogError, IndexDamaged) as error:
            if isinstance(error, CatalogError) and not isinstance(error.__cause__, psycopg.ProgrammingError):
                raise  # the server is gone, not the table
            if not self.is_current:
                raise StoreReplaced from error
            self._tell_damage(categories, "damaged", f"cannot be used: {error}")
            return None, 0
        if found is None:
            if not self.is_current:
                raise StoreReplaced
            self._tell_damage(categories, "", "is not built yet")
            return None, 0
        record, ids, is_all = found
        # Vectors of one category may be scaled for it. What was added to the table since its record was read
        # is also searched beside it.
        (category,) = categories if categories is not None and len(categories) == 1 else [None]
        ids, proposed = self.vectors.of(ids[ids <= record.last_feature_id], category)
        if not len(ids):
            return dataclasses.replace(Candidates.empty(), complete=is_all), record.last_feature_id
        slots, distances, rows = nearest_to_any(vectors, proposed, self.metric, n)
        complete = is_all and len(slots) == len(ids)
        return Candidates(ids[slots], distances, rows, complete), record.last_feature_id

    def _propose(
        self, vectors: Floats, categories: Sequence[str] | None, n: int, allowed: FeatureSelection | None
    ) -> tuple[TableRecord, Ids, bool] | None:
        """Asks the table for ids that hold the ``n`` nearest to any of the vectors.

        Returns:
            the record of the table, the ids, and whether there are no others; None without a table.
        """
        table = self.table
        where = [] if categories is None else [table.rows.c.category.in_(categories)]
        # ``allowed.statement`` reads the catalog when it is first used: before a connection is held here.
        passes = [] if allowed is None else [_is_among(table, allowed)]
        listed = [] if allowed is None else [table.rows.c.id.in_(allowed.statement)]
        with self._engine.connect() as connection:
            record = self._open(connection)
            if record is None:
                return None
            n_rows, n_matching = self._count(connection, record, categories, allowed)
            if n_matching == 0:
                return record, np.empty(0, np.int64), True
            parameters = table.parameters(connection, vectors, record.scale)
            if width := self._width(record, n_rows, n_matching, n, len(vectors)):
                table.use_index(connection, width)
                statement = table.by_index(len(vectors), n, n_compared(n), [*where, *passes])
                found = connection.execute(statement, parameters).all()
                if found and found[0][2] >= n * len(vectors):
                    return record, _ids(found), False
                connection.rollback()  # with the settings for the index, which has found too few
                record = self._open(connection)
                if record is None:
                    return None
            statement = table.by_scan(len(vectors), n_compared(n), [*where, *listed])
            found = connection.execute(statement, parameters).all()
            return record, _ids(found), len(found) < n_compared(n)

    def _width(self, record: TableRecord, n_rows: int, n_matching: int, n: int, n_vectors: int) -> int:
        """How wide the index looks; 0 for a scan."""
        if self._by_index is None or n >= n_matching:
            return width_for(n_rows, n_matching, n, n_vectors, record.ef_search, self.table.dim)
        return round(max(record.ef_search, n) * n_rows / n_matching) if self._by_index else 0

    def _open(self, connection: Connection) -> TableRecord | None:
        """Begins a search in the table; None if there is none.

        Raises:
            IndexDamaged: it has no record, or features that the catalog never had.
        """
        try:
            record = self.table.begin_search(connection)
        except ValueError as error:
            raise IndexDamaged(str(error)) from error
        if record is not None and record.last_feature_id > self._checked_up_to:
            highest = self.location.catalog.highest_feature_id()
            if record.last_feature_id > highest:
                raise IndexDamaged(f"the table {self.table.name} was built of a later state of the catalog")
            self._checked_up_to = highest
        return record

    def _count(
        self,
        connection: Connection,
        record: TableRecord,
        categories: Sequence[str] | None,
        allowed: FeatureSelection | None,
    ) -> tuple[int, int]:
        """About how many rows the table has, and how many of them can be found at most."""
        if self._sizes[0] != record.build:
            self._sizes = (record.build, self._read_sizes(connection))
        sizes = self._sizes[1]
        n_rows = sum(sizes.values())
        n_matching = n_rows if categories is None else sum(sizes.get(name, 0) for name in categories)
        return n_rows, n_matching if allowed is None else min(n_matching, len(allowed))

    def _read_sizes(self, connection: Connection) -> dict[str, int]:
        """Number of rows by category."""
        rows = self.table.rows
        counted = sa.select(rows.c.category, sa.func.count()).group_by(rows.c.category)
        return dict(connection.execute(counted).all())

    def _read_table(self) -> tuple[TableRecord | None, dict[str, int], int]:
        """Reads the record, the number of rows by category, and the size in bytes; None without a table.

        Raises:
            IndexDamaged: as ``_open``.
        """
        with self._engine.connect() as connection:
            record = self._open(connection)
            if record is None:
                return None, {}, 0
            size = sa.text("SELECT pg_total_relation_size(to_regclass(:name))").bindparams(
                name=self.table.name
            )
            return record, self._read_sizes(connection), connection.execute(size).scalar_one()

    def _status_of(
        self, category: str, record: TableRecord, n_images: int, n_rows: int, row_bytes: float
    ) -> CategoryStatus:
        n_pending = self.location.catalog.count_features(
            self.location.feature_set, category=category, after_id=record.last_feature_id, domain=Domain.SHOP
        )
        return CategoryStatus(
            category,
            "ready",
            "hnsw" if record.ef_search else "scan",
            n_indexed=n_rows,
            n_pending=n_pending,
            n_gone=n_rows - (n_images - n_pending),
            n_bytes=round(n_rows * row_bytes),
        )

    def _fault_of(self, category: str, record: TableRecord, n_rows: int) -> str:
        """What is wrong with the rows of a category; "" if nothing is."""
        n_seen = 0
        for ids, vectors in self.vectors.blocks(category):
            known = int(np.searchsorted(ids, record.last_feature_id, side="right"))
            ids, vectors = ids[:known], vectors[:known]
            stored_ids, stored = self._read_vectors(ids, category)
            if len(stored_ids) < len(ids):
                lost = np.setdiff1d(ids, stored_ids)
                return f"{self.table.name} lacks {len(lost)} vectors, the first of feature {lost[0]}"
            wanted = to_half(vectors, self.metric, record.scale).astype(np.float16).astype(np.float32)
            far = np.abs(stored - wanted) > _TOLERANCE * (np.abs(wanted) + _TOLERANCE)
            if far.any():
                first = ids[int(np.flatnonzero(far.any(axis=1))[0])]
                return f"{self.table.name} has another vector of feature {first} than the catalog"
            n_seen += known
        if n_seen < n_rows:
            return f"{self.table.name} has {n_rows - n_seen} rows that the catalog does not have"
        return ""

    def _read_vectors(self, ids: Ids, category: str) -> tuple[Ids, Floats]:
        """Ids and vectors of the rows with these ids, in their order."""
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            with driver.cursor(binary=True) as cursor:  # as text it takes ten times longer
                cursor.execute(
                    f"SELECT id, vector FROM {self.table.name} "
                    "WHERE id = ANY(%s) AND category = %s ORDER BY id",
                    (ids.tolist(), category),
                )
                rows = cursor.fetchall()
        halves = b"".join(bytes(row[1])[4:] for row in rows)
        stored = np.frombuffer(halves, ">f2").astype(np.float32).reshape(len(rows), self.table.dim)
        return _ids(rows), stored

    def _tell_damage(self, categories: Sequence[str] | None, build: str, reason: str) -> None:
        """Notes that a table was not used, and says it once."""
        names = self.categories() if categories is None else categories
        if all(self.damaged.get(name) == build for name in names):
            return
        self._warn(f"the table of vectors {self.table.name} {reason}")
        self.damaged.update(dict.fromkeys(names, build))


class PgVectorStores:
    """Stores in the database of the catalog; ``VectorStores``."""

    def at_fit(
        self,
        location: SpaceLocation,
        metric: str,
        transform: Transform,
        *,
        stamp: Stamp = (0, 0),
        warn: Callable[[str], None] = lambda reason: None,
        is_built: bool = True,
    ) -> PgVectorStore:
        """The store of a fit."""
        store = PgVectorStore(location, metric, transform, stamp, warn=warn)
        if not is_built:
            store.damaged = dict.fromkeys(store.categories(), "")
        return store

    def metrics(self, location: SpaceLocation, version: str) -> set[str]:
        """Metrics that have a table."""
        with location.catalog.engine.connect() as connection:
            names = tables_of(connection, location.key)
        return {metric for metric in METRICS if table_name(location.key, version, metric) in names}

    def leftovers(self, location: SpaceLocation, version: str) -> list[str]:
        """Lists the tables of other fits; a build that was killed leaves none."""
        with location.catalog.engine.connect() as connection:
            names = tables_of(connection, location.key)
        return [f"table {name}" for name in names if name not in _tables_of_fit(location, version)]

    def remove_other_fits(self, location: SpaceLocation, version: str) -> None:
        """Drops the tables of other fits, when the searches that read them are done."""
        drop_other_fits(location.catalog.engine, location.key, _tables_of_fit(location, version))


def _tables_of_fit(location: SpaceLocation, version: str) -> list[str]:
    return [table_name(location.key, version, metric) for metric in METRICS]


def _is_among(table: VectorTable, allowed: FeatureSelection) -> ColumnElement[bool]:
    """A condition that is looked up for each row that the index finds, in one set of ids: not a join."""
    return sa.type_coerce(table.rows.c.id.in_(allowed.statement), sa.Boolean).is_(sa.true())


def _ids(rows: Sequence[Any]) -> Ids:
    return np.array([row[0] for row in rows], np.int64)
