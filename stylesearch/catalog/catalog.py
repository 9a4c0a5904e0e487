"""The catalog: one database with the products of a shop, their pictures and every vector of them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection, Iterable, Iterator
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.pool import PoolProxiedConnection

from stylesearch.catalog import reader
from stylesearch.catalog.connections import WRITE, Location, explained, make_engine
from stylesearch.catalog.reader import CatalogBrowser
from stylesearch.catalog.records import Content, FeatureSet, ImageKey, KnownContent, KnownImage
from stylesearch.catalog.schema_version import CATALOG_ID, HEAD, read_revision
from stylesearch.catalog.writer import Writer
from stylesearch.errors import CatalogError

__all__ = ["Catalog"]


class Catalog(CatalogBrowser):
    """An open catalog. Any number may be open at once, in any number of processes; one of them writes.

    Example:
        >>> import tempfile
        >>> from stylesearch.types import Product
        >>> with tempfile.TemporaryDirectory() as folder, Catalog.open(f"{folder}/catalog.db") as catalog:
        ...     with catalog.writing() as writer, writer.transaction():
        ...         _ = writer.upsert_products([Product("d1", "Red dress", "dress")])
        ...     catalog.product("d1").title
        'Red dress'
    """

    def __init__(self, engine: Engine, location: Location, *, readonly: bool, lock_timeout: float) -> None:
        super().__init__(engine)
        self.location = location
        self.readonly = readonly
        self.lock_timeout = lock_timeout
        self._id: str | None = None
        self._watcher: PoolProxiedConnection | None = None
        self._watching = threading.Lock()

    @classmethod
    def open(
        cls,
        url_or_path: str | os.PathLike[str],
        *,
        readonly: bool = False,
        create: bool = True,
        lock_timeout: float = 10.0,
    ) -> Self:
        """Opens a catalog, making or upgrading it first if need be.

        Args:
            url_or_path: a path, which stands for an SQLite file, or any SQLAlchemy URL.
            readonly: nothing is written and no upgrade made; works on read-only storage.
            create: whether a missing file is made, with its folder.
            lock_timeout: seconds to wait for another writer, for an upgrade and in :meth:`writing`.

        Raises:
            CatalogTooNew: it was written by a newer stylesearch.
            CatalogLocked: it needs an upgrade while another process writes.
            CatalogError: no such file, not a catalog, no permission; with ``readonly``, an older schema.
        """
        location = Location(url_or_path)
        if location.path is not None and not location.path.exists():
            if readonly or not create:
                raise CatalogError(
                    f"there is no catalog at {location}",
                    hint="run `stylesearch ingest` first, or give another path",
                )
            _upgrade(location, lock_timeout)
        engine = make_engine(location, mode=_read_mode(location) if readonly else "rw")
        try:
            with engine.connect() as connection:
                revision = read_revision(connection, str(location))
            if revision != HEAD and readonly:
                raise CatalogError(
                    f"the catalog {location} has the schema {revision or '(none yet)'} and has to be "
                    f"upgraded to {HEAD} before it can be read",
                    hint="run `stylesearch db upgrade` where it can be written",
                )
            if revision != HEAD:
                _upgrade(location, lock_timeout)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, location, readonly=readonly, lock_timeout=lock_timeout)

    @property
    def revision(self) -> str:
        """The revision of the schema as it is now: the newest when a catalog is opened, and asked for again.

        Raises:
            CatalogTooNew: another program has upgraded it since.
            CatalogError: it cannot be read, or is no catalog any more.
        """
        with self._connect() as connection:
            revision = read_revision(connection, str(self.location))
        if revision != HEAD:
            raise CatalogError(
                f"the catalog {self.location} has the schema {revision or '(none)'}, no longer {HEAD}",
                hint="restore a copy, or open it again",
            )
        return revision

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits, drawn when the catalog was made; a copy has those of the original.

        Raises:
            CatalogError: the catalog has none: it was made before there were ids, or altered.
        """
        if self._id is None:
            with self._connect() as connection:
                # Every search asks: SQL as it is, since to compile a statement takes longer than to run it.
                row = connection.exec_driver_sql(f"SELECT value FROM about WHERE name = '{CATALOG_ID}'")
                self._id = row.scalar()
        if self._id is None:
            raise CatalogError(
                f"the catalog {self.location} does not say its id",
                hint="restore a copy, or move it away and ingest again",
            )
        return self._id

    def state(self) -> int | None:
        """A number that is another one after every change by anybody, or None where there is no such thing.

        Quick: what was read can be kept for as long as the state that was asked for before is still the same.

        Raises:
            CatalogError: the database cannot be read any more.
        """
        if self.location.path is None:
            return None
        with self._watching:
            if self._watcher is None:
                # SQLite counts for each connection the commits of all others: one that never writes.
                self._watcher = self._engine.raw_connection()
                self._watcher.detach()
            cursor = self._watcher.cursor()
            with explained(self.location):
                cursor.execute("PRAGMA data_version")
                (version,) = cursor.fetchone() or (0,)
            return int(version)

    def close(self) -> None:
        """Lets go of the database; the catalog cannot be used after that."""
        with self._watching:
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextlib.contextmanager
    def writing(self, *, timeout: float | None = None) -> Iterator[Writer]:
        """The right to write, for one process at a time; readers go on meanwhile.

        Databases other than SQLite have no such lock yet: there, one must not start two writers.

        Args:
            timeout: seconds to wait for another writer; by default the catalog's ``lock_timeout``.

        Raises:
            CatalogLocked: another process is writing; the message names it.
            CatalogError: the catalog was opened for reading only.
        """
        if self.readonly:
            raise CatalogError(
                f"the catalog {self.location} was opened for reading only", hint="open it without readonly"
            )
        with contextlib.ExitStack() as held:
            if self.location.path is not None:
                from stylesearch.catalog.connections import writer_lock

                wait = self.lock_timeout if timeout is None else timeout
                held.enter_context(writer_lock(self.location.path, wait))
            connection = held.enter_context(self._engine.connect())
            connection.detach()  # what it keeps in temporary tables ends with it
            yield Writer(connection.execution_options(**WRITE))

    def known_images(
        self, keys: Collection[ImageKey], feature_sets: Iterable[FeatureSet] = ()
    ) -> dict[ImageKey, KnownImage]:
        """Those of the images that the catalog has, as it has them, with their products.

        Args:
            keys: product id and path of each.
            feature_sets: which vectors to ask for.

        Returns:
            by key; images it does not have are left out.
        """
        with self._connect() as connection:
            return reader.known_images(connection, keys, feature_sets)

    def known_contents(
        self, contents: Iterable[Content], feature_sets: Iterable[FeatureSet]
    ) -> dict[Content, KnownContent]:
        """Vectors that the catalog has of the same bytes and box, of whichever picture.

        Args:
            contents: sha256 and box of each.
            feature_sets: which vectors to look for.

        Returns:
            by content; contents of which none of these vectors is known are left out.
        """
        with self._connect() as connection:
            return reader.known_contents(connection, contents, feature_sets)


def _upgrade(location: Location, timeout: float) -> None:
    from stylesearch.catalog.migrate import upgrade  # Alembic: a catalog that is up to date does without

    upgrade(location, timeout=timeout)


def _read_mode(location: Location) -> str:
    """How to open for reading."""
    # On read-only storage SQLite cannot make the file in which readers and a writer agree, and need not:
    # nobody can write there.
    if location.path is None:
        return "ro"
    wal = location.path.with_name(location.path.name + "-wal")
    left_over = wal.exists() and wal.stat().st_size > 0
    return "immutable" if _on_readonly_storage(location.path) and not left_over else "ro"


def _on_readonly_storage(path: os.PathLike[str]) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
