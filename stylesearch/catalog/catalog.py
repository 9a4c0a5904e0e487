"""Opens a catalog, reads from it, and gives one process at a time the right to write to it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Final, Self

import numpy as np
from sqlalchemy import Connection, Engine, exists, func, select, tuple_

from stylesearch.catalog import queries
from stylesearch.catalog.artifact_table import ArtifactTable
from stylesearch.catalog.backends import Backend, backend_of
from stylesearch.catalog.facets import FacetCounts
from stylesearch.catalog.filtering import EVERY_PRODUCT, page_of
from stylesearch.catalog.product_reader import ProductReader
from stylesearch.catalog.queries import (
    IS_USABLE,
    FeatureBlock,
    VectorDamaged,
    feature_block,
    feature_set_from_row,
    image_from_row,
    in_batches,
    is_filed_under,
    is_of_set,
    product_from_row,
    read_numbers,
)
from stylesearch.catalog.records import (
    CatalogStatus,
    Content,
    FeatureSet,
    ImageKey,
    KnownContent,
    KnownImage,
)
from stylesearch.catalog.schema_version import CATALOG_ID, HEAD, complete_mark, read_revision
from stylesearch.catalog.selection import FeatureSelection, FeatureSelections
from stylesearch.catalog.shown_reader import ShownReader
from stylesearch.catalog.source_reader import SourceReader
from stylesearch.catalog.tables import (
    ImageState,
    about,
    feature_sets,
    features,
    image_columns,
    images,
    product_columns,
    products,
)
from stylesearch.catalog.writer import Writer
from stylesearch.errors import CatalogDamaged, CatalogError, NotInCatalog
from stylesearch.images.source import without_secrets
from stylesearch.types import Domain, Failure, ImageRecord, Product, ProductFilter

__all__ = ["BLOCK", "Catalog"]

BLOCK: Final = 512
"""Vectors read at once: 2.6 MB as float32 when they are 1280 wide, and whoever reads them copies that."""


_CATALOG_ID: Final = re.compile("[0-9a-f]{16}")

AFTER_PRODUCT: Final = 1 + len(product_columns)
"""Number of columns of a key and a product, after which those of an image stand in a row."""

VECTOR_COLUMNS: Final = (features.c.id, features.c.vector, features.c.checksum)
"""What ``queries.feature_block`` makes arrays of."""


class Catalog:
    """An open catalog. Any number may be open at once, in any number of processes; one of them writes.

    Every call that reads is one short transaction of its own, from any thread.

    Attributes:
        backend: the database that keeps it; ``str`` of it says where that is, without a password.
        readonly: whether it was opened for reading only.
        lock_timeout: seconds that ``writing`` waits for another writer.
        sources: reads the sources of products.
        facets: counts products by their values.
        shown: reads what a shop's pages show.
        selection: counts and describes products that meet a filter.
        artifacts: fits and trained models that machines on this catalog share.

    Example:
        >>> import tempfile
        >>> from stylesearch.types import Product
        >>> with tempfile.TemporaryDirectory() as folder, Catalog.open(f"{folder}/catalog.db") as catalog:
        ...     with catalog.writing() as writer, writer.transaction():
        ...         _ = writer.upsert_products([Product("d1", "Red dress", "dress")], source="mine")
        ...     catalog.product("d1").title
        'Red dress'
    """

    def __init__(self, engine: Engine, backend: Backend, *, readonly: bool, lock_timeout: float) -> None:
        self._engine = engine
        self.backend = backend
        self.readonly = readonly
        self.lock_timeout = lock_timeout
        self._reading = backend.reading(engine)
        self.sources = SourceReader(self._reading)
        self.shown = ShownReader(self._reading)
        self.selection = ProductReader(self._reading)
        self.artifacts = ArtifactTable(engine)
        self._state: int | None = None  # as it was told last
        self._id: tuple[int | None, str] | None = None  # with the state before it was read
        self._changes = backend.changes(engine)
        self.facets = FacetCounts(self._reading, self.state)
        self._selections = FeatureSelections(self._reading, self.state)

    @classmethod
    def open(
        cls,
        place: str | os.PathLike[str] | Backend,
        *,
        readonly: bool = False,
        create: bool = True,
        lock_timeout: float = 10.0,
    ) -> Self:
        """Opens a catalog, and creates or upgrades it first where needed.

        Args:
            place: a path, which stands for an SQLite file, a URL, or a backend.
            readonly: whether nothing is written or upgraded; works on read-only storage.
            create: whether a missing catalog is created: the file with its folder, or the server's tables.
            lock_timeout: seconds to wait for another writer, for an upgrade and in ``writing``.

        Raises:
            CatalogTooNew: it was written by a newer stylesearch.
            CatalogLocked: it needs an upgrade while another process writes.
            CatalogError: no such catalog, no permission, no answer of the server; with ``readonly``, an
                older schema.
        """
        backend = backend_of(place)
        if not backend.exists():
            if readonly or not create:
                raise CatalogError(
                    f"there is no catalog at {backend}",
                    hint="run `stylesearch ingest` first, or give another path",
                )
            _upgrade(backend, lock_timeout)
        engine = backend.engine(readonly=readonly)
        try:
            with engine.connect() as connection:
                revision = read_revision(connection, backend.shown)
            if revision != HEAD and readonly:
                raise CatalogError(
                    f"the catalog {backend} has the schema {revision or '(none yet)'} and has to be "
                    f"upgraded to {HEAD} before it can be read",
                    hint="run `stylesearch db upgrade` where it can be written",
                )
            if revision != HEAD:
                _upgrade(backend, lock_timeout)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine, backend, readonly=readonly, lock_timeout=lock_timeout)

    @property
    def revision(self) -> str:
        """Reads the schema revision: another program may have upgraded it since the catalog was opened.

        Raises:
            CatalogTooNew: another program has upgraded it since.
            CatalogError: it cannot be read, or is no catalog any more.
        """
        with self._connect() as connection:
            revision = read_revision(connection, self.backend.shown)
        if revision != HEAD:
            raise CatalogError(
                f"the catalog {self.backend} has the schema {revision or '(none)'}, no longer {HEAD}",
                hint="restore a copy, or open it again",
            )
        return revision

    @property
    def id(self) -> str:
        """Random id, 16 hexadecimal digits, from the catalog's creation; a copy has that of the original.

        It is read again when ``state`` has told of a change: an import by another process gives it a new one.

        Raises:
            CatalogDamaged: the catalog has none.
        """
        known, state = self._id, self._state
        if known is not None and known[0] == state:
            return known[1]
        with self._connect() as connection:
            # Searches ask for it: plain SQL, since compiling a statement takes longer than running it.
            row = connection.exec_driver_sql(f"SELECT value FROM about WHERE name = '{CATALOG_ID}'")
            found = row.scalar()
        if not isinstance(found, str) or not _CATALOG_ID.fullmatch(found):
            raise CatalogDamaged(f"about has no {CATALOG_ID} of 16 hexadecimal digits. Found: {found!r}")
        self._id = (state, found)
        return found

    @property
    def engine(self) -> Engine:
        """The engine, for what keeps derived tables of its own beside those of the catalog."""
        return self._engine

    def state(self) -> int:
        """A number that changes with every commit by any process.

        Quick. What was read stays valid for as long as the number is the same.

        Raises:
            CatalogError: the database cannot be read any more.
        """
        self._state = state = self._changes.count()
        return state

    def close(self) -> None:
        """Closes the database; the catalog cannot be used after that."""
        self._changes.close()
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @contextlib.contextmanager
    def writing(self, *, timeout: float | None = None) -> Iterator[Writer]:
        """Gives a writer to one process at a time; readers continue meanwhile.

        Args:
            timeout: seconds to wait for another writer; by default the catalog's ``lock_timeout``.

        Raises:
            CatalogLocked: another process is writing; the message names it.
            CatalogError: the catalog was opened for reading only.
        """
        if self.readonly:
            raise self.backend.refusal_to_write()
        wait = self.lock_timeout if timeout is None else timeout
        with self.backend.writing(self._engine, wait) as connection:
            yield Writer(connection)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A connection whose statements all see one state of the catalog, whoever writes meanwhile."""
        with self.backend.snapshot(self._engine) as connection:
            yield connection

    def is_complete(self, feature_set: FeatureSet) -> bool:
        """Whether ``Writer.mark_complete`` was called for a feature set."""
        statement = select(about.c.value).where(about.c.name == complete_mark(feature_set))
        with self._connect() as connection:
            return connection.execute(statement).one_or_none() is not None

    def feature_sets(self) -> list[FeatureSet]:
        """Lists all feature sets, oldest first."""
        with self._connect() as connection:
            rows = connection.execute(queries.FEATURE_SETS).all()
        return [feature_set_from_row(row) for row in rows]

    def find_feature_set(self, fingerprint: str) -> FeatureSet | None:
        """Finds the feature set with this fingerprint; None if there is none."""
        statement = select(feature_sets).where(feature_sets.c.fingerprint == fingerprint)
        with self._connect() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else feature_set_from_row(row)

    def features(
        self,
        feature_set: FeatureSet,
        *,
        category: str | None = None,
        domain: Domain = Domain.SHOP,
        after_id: int = 0,
        block: int = BLOCK,
    ) -> Iterator[FeatureBlock]:
        """Reads vectors in the order of their ids, a block at a time.

        Each block is read in its own transaction, so that a long reading never delays a writer's checkpoint.
        Rows that are added meanwhile come at the end, removed ones are left out.

        Args:
            feature_set: feature set to read.
            category: only vectors of products of this category.
            domain: only vectors of images of this domain.
            after_id: only vectors with a larger id: those that were added since an index was built.
            block: number of vectors in a block.

        Yields:
            ids, int64, shape (n,), rising; vectors, float32, shape (n, dim); n >= 1.
        """
        filed = select(*VECTOR_COLUMNS).where(is_filed_under(feature_set, category, domain))
        statement = filed.order_by(features.c.id).limit(block)
        while True:
            with self._connect() as connection:
                rows = connection.execute(statement.where(features.c.id > int(after_id))).all()
            if rows:
                yield self._feature_block(rows, feature_set)
            if len(rows) < block:
                return
            after_id = rows[-1][0]

    def sample_features(
        self, feature_set: FeatureSet, n: int, *, domain: Domain = Domain.SHOP
    ) -> Iterator[FeatureBlock]:
        """Reads vectors that are drawn by chance, in the order of their ids; the same ones every time.

        Args:
            feature_set: feature set to read.
            n: how many; all of them where there are fewer.
            domain: only vectors of images of this domain.

        Yields:
            as ``features``.
        """
        with self._connect() as connection:
            (ids,) = read_numbers(
                connection, select(features.c.id).where(is_filed_under(feature_set, None, domain))
            )
        ids = np.sort(ids)  # a database may give them in any order
        if len(ids) > n:
            ids = np.sort(np.random.default_rng(0).choice(ids, n, replace=False, shuffle=False))
        for start in range(0, len(ids), BLOCK):
            block = self.vectors(feature_set, ids[start : start + BLOCK].tolist())
            if len(block[0]):
                yield block

    def vectors(self, feature_set: FeatureSet, feature_ids: Iterable[int]) -> FeatureBlock:
        """Reads the vectors with these ids, in the order of the ids; ids that are gone are left out.

        Returns:
            ids, int64, shape (n,); vectors, float32, shape (n, dim).
        """
        rows: list[Any] = []
        with self._connect() as connection:
            for batch in in_batches(sorted({int(feature_id) for feature_id in feature_ids})):
                statement = select(*VECTOR_COLUMNS).where(features.c.id.in_(batch), is_of_set(feature_set))
                rows += connection.execute(statement.order_by(features.c.id)).all()
        return self._feature_block(rows, feature_set)

    def select_features(self, feature_set: FeatureSet, where: ProductFilter) -> FeatureSelection:
        """Selects the features of products that meet a filter, of customers' images too; read when needed.

        Args:
            feature_set: feature set of the features.
            where: the filter.
        """
        return self._selections.find(feature_set, where)

    def last_feature_id(
        self, feature_set: FeatureSet, *, category: str | None = None, domain: Domain = Domain.SHOP
    ) -> int:
        """The largest id of these features, or 0: an index that goes up to it has nothing pending."""
        statement = select(func.max(features.c.id)).where(is_filed_under(feature_set, category, domain))
        with self._connect() as connection:
            return connection.execute(statement).scalar() or 0

    def highest_feature_id(self) -> int:
        """The largest id ever used, of removed features too, or 0."""
        with self._connect() as connection:
            return self.backend.highest_feature_id(connection)

    def count_features(
        self,
        feature_set: FeatureSet,
        *,
        category: str | None = None,
        domain: Domain = Domain.SHOP,
        after_id: int = 0,
    ) -> int:
        """Counts the vectors that ``features`` would read."""
        statement = select(func.count()).where(
            is_filed_under(feature_set, category, domain), features.c.id > int(after_id)
        )
        with self._connect() as connection:
            return connection.execute(statement).scalar_one()

    def categories(self, feature_set: FeatureSet, *, domain: Domain = Domain.SHOP) -> dict[str, int]:
        """Number of vectors by category, in the order of the names."""
        statement = (
            select(features.c.category, func.count())
            .where(features.c.feature_set_pk == feature_set.pk, features.c.domain == domain.value)
            .group_by(features.c.category)
            .order_by(features.c.category)
        )
        with self._connect() as connection:
            return dict(connection.execute(statement).all())

    def category_names(self, feature_set: FeatureSet, *, domain: Domain = Domain.SHOP) -> list[str]:
        """Names of categories that have vectors, sorted; one index look-up for each."""
        of_set = {"feature_set_pk": feature_set.pk, "domain": domain.value}
        with self._connect() as connection:
            found = connection.execute(queries.CATEGORY_NAMES, of_set).scalars().all()
        return [name for name in found if name is not None]

    def hits_for(self, feature_ids: Iterable[int]) -> dict[int, tuple[Product, ImageRecord]]:
        """Reads product and image of each feature, by feature id; ids that are gone are left out."""
        found: dict[int, tuple[Product, ImageRecord]] = {}
        with self._connect() as connection:
            for batch in in_batches(sorted({int(feature_id) for feature_id in feature_ids})):
                for row in connection.execute(queries.HITS, {"ids": batch}).all():
                    found[row[0]] = (
                        product_from_row(*row[1:AFTER_PRODUCT]),
                        image_from_row(*row[AFTER_PRODUCT:]),
                    )
        return found

    def product(self, product_id: str) -> Product:
        """Reads a product.

        Raises:
            NotInCatalog: there is none with this id.
        """
        with self._connect() as connection:
            row = connection.execute(
                select(*product_columns).where(products.c.id == product_id)
            ).one_or_none()
        if row is None:
            raise NotInCatalog(
                f"the catalog has no product {product_id!r}", hint="`stylesearch products list` shows all"
            )
        return product_from_row(*row)

    def products(
        self, where: ProductFilter = EVERY_PRODUCT, *, after: str | None = None, limit: int = 100
    ) -> list[Product]:
        """Reads a page of the products that meet a filter, in the order of their ids.

        Args:
            where: the filter.
            after: id after which the page begins; there need be no such product.
            limit: largest number of products.
        """
        with self._connect() as connection:
            rows = connection.execute(page_of(connection, where, after, limit))
            return [product_from_row(*row[2:]) for row in rows]

    def images_of(self, product_id: str) -> list[ImageRecord]:
        """Reads the usable images of a product, in the order of the shop: the first is the main one.

        Raises:
            NotInCatalog: there is no such product.
        """
        statement = (
            select(*image_columns)
            .join_from(images, products, products.c.pk == images.c.product_pk)
            .where(products.c.id == product_id, IS_USABLE)
            .order_by(images.c.position, images.c.path)
        )
        with self._connect() as connection:
            found = [image_from_row(*row) for row in connection.execute(statement)]
        if not found:
            self.product(product_id)
        return found

    def usable_images(
        self, *, after: tuple[str, str] = ("", ""), limit: int = BLOCK
    ) -> list[tuple[int, Product, ImageRecord]]:
        """Reads a page of all usable images, by product id, then path.

        Args:
            after: product id and locator of the last image of the page before.
            limit: largest number of images.

        Returns:
            key, product and image of each.
        """
        statement = (
            select(images.c.pk, *product_columns, *image_columns)
            .join_from(products, images, products.c.pk == images.c.product_pk)
            # The first condition follows from the other: an index of one table finds where the page begins.
            .where(
                IS_USABLE, products.c.id >= after[0], tuple_(products.c.id, images.c.path) > tuple_(*after)
            )
            .order_by(products.c.id, images.c.path)
            .limit(limit)
        )
        with self._connect() as connection:
            return [
                (row[0], product_from_row(*row[1:AFTER_PRODUCT]), image_from_row(*row[AFTER_PRODUCT:]))
                for row in connection.execute(statement)
            ]

    def product_features(self, product_id: str, feature_set: FeatureSet) -> FeatureBlock:
        """Reads the vectors of one product's shop images, in the order of their ids.

        Those of its consumer photos are read only where no shop image has one: a photo shows a street too.

        Raises:
            NotInCatalog: no such product, or none of its images has a vector in this feature set.
        """
        statement = (
            select(*VECTOR_COLUMNS, features.c.domain)
            .select_from(
                products.join(images, images.c.product_pk == products.c.pk).join(
                    features, features.c.image_pk == images.c.pk
                )
            )
            .where(products.c.id == product_id, features.c.feature_set_pk == feature_set.pk)
            .order_by(features.c.id)
        )
        with self._connect() as connection:
            of_both = connection.execute(statement).all()
        of_shop = [row[:3] for row in of_both if row.domain == Domain.SHOP.value]
        rows = of_shop or [row[:3] for row in of_both]
        if not rows:
            self.product(product_id)
            raise NotInCatalog(
                f"the product {product_id!r} has no vector of {feature_set.extractor}",
                hint=f"run `stylesearch ingest` with -e {feature_set.extractor}",
            )
        return self._feature_block(rows, feature_set)

    def failures(self, *, limit: int = 1000) -> list[Failure]:
        """Lists images that could not be used, with the reason, in the order in which they were added."""
        statement = (
            select(images.c.path, images.c.error)
            .where(images.c.state == ImageState.FAILED.value)
            .order_by(images.c.pk)
            .limit(limit)
        )
        with self._connect() as connection:
            return [
                Failure(without_secrets(path), without_secrets(error or ""))
                for path, error in connection.execute(statement)
            ]

    def status(self) -> CatalogStatus:
        """Counts products, images, failed images, and the vectors of each feature set."""
        with self._connect() as connection:
            counted = select(features.c.feature_set_pk, func.count()).group_by(features.c.feature_set_pk)
            counts = dict(connection.execute(counted).all())
            failed = select(func.count()).where(images.c.state == ImageState.FAILED.value)
            return CatalogStatus(
                products=connection.execute(select(func.count()).select_from(products)).scalar_one(),
                images=connection.execute(select(func.count()).select_from(images)).scalar_one(),
                failed_images=connection.execute(failed).scalar_one(),
                features=tuple(
                    (feature_set_from_row(row), counts.get(row[0], 0))
                    for row in connection.execute(queries.FEATURE_SETS)
                ),
            )

    def images_with_digest(self, sha256: str, *, domain: Domain | None = Domain.SHOP) -> list[ImageRecord]:
        """Finds the usable images with these bytes, of any product, the main images of products first.

        Args:
            sha256: hexadecimal digest of the bytes.
            domain: domain of the images; None for any.
        """
        statement = (
            select(*image_columns)
            .where(images.c.sha256 == sha256, images.c.state == ImageState.OK.value)
            .order_by(images.c.position, images.c.path)
        )
        if domain is not None:
            statement = statement.where(images.c.domain == domain.value)
        with self._connect() as connection:
            return [image_from_row(*row) for row in connection.execute(statement)]

    def totals(self) -> tuple[int, int]:
        """Number of products and of images, of any domain and state."""
        with self._connect() as connection:
            n_products = connection.execute(select(func.count()).select_from(products)).scalar_one()
            n_images = connection.execute(select(func.count()).select_from(images)).scalar_one()
        return n_products, n_images

    def is_in_use(self, sha256: str, path: str) -> bool:
        """Whether an image in the catalog, of any domain and state, is this file with these bytes."""
        statement = select(exists().where(images.c.sha256 == sha256, images.c.path == path))
        with self._connect() as connection:
            return bool(connection.execute(statement).scalar())

    def known_images(
        self, keys: Collection[ImageKey], feature_sets: Iterable[FeatureSet] = ()
    ) -> dict[ImageKey, KnownImage]:
        """Reads the catalog's entries of images, with their products.

        Args:
            keys: product id and path of each image.
            feature_sets: feature sets of which to tell whether an image has a vector.

        Returns:
            the images by key; those that the catalog does not have are left out.
        """
        wanted = set(keys)
        rows: list[Any] = []
        with self._connect() as connection:
            for batch in in_batches(sorted({product_id for product_id, _ in wanted})):
                found = connection.execute(queries.KNOWN_IMAGES, {"ids": batch})
                rows += [row for row in found if (row.id, row.path) in wanted]
            computed = queries.feature_sets_of_images(
                connection, [row.pk for row in rows], [one.pk for one in feature_sets]
            )
        return {
            (row.id, row.path): queries.known_image_from_row(row, computed.get(row.pk, ())) for row in rows
        }

    def known_contents(
        self, contents: Iterable[Content], feature_sets: Iterable[FeatureSet]
    ) -> dict[Content, KnownContent]:
        """Finds vectors of the same bytes and box, of any image.

        Args:
            contents: sha256 and box of each image.
            feature_sets: feature sets to look in.

        Returns:
            the vectors by content; contents without any of these vectors are left out.
        """
        wanted = list(feature_sets)
        known: dict[Content, KnownContent] = {}
        # One indexed look-up for each: an image that stands for "no photo yet" may be in the catalog
        # a hundred thousand times, and a query over all of them at once would read every one.
        with self._connect() as connection:
            for sha256, box in dict.fromkeys(contents):
                size = (0, 0)
                vectors = {}
                for one in wanted:
                    parameters = {
                        "sha256": sha256,
                        "box": None if box is None else str(box),
                        "feature_set_pk": one.pk,
                    }
                    row = connection.execute(queries.SAME_CONTENT, parameters).one_or_none()
                    if row is not None:
                        size = (row.width, row.height)
                        vectors[one.pk] = self._feature_block([row[2:]], one)[1][0]
                if vectors:
                    known[sha256, box] = KnownContent(*size, vectors)
        return known

    def _feature_block(self, rows: Sequence[Any], feature_set: FeatureSet) -> FeatureBlock:
        """Makes arrays of ``VECTOR_COLUMNS``; a damaged vector is told with its product."""
        try:
            return feature_block(rows, feature_set.dim)
        except VectorDamaged as error:
            statement = (
                select(products.c.id)
                .join_from(features, images, images.c.pk == features.c.image_pk)
                .join(products, products.c.pk == images.c.product_pk)
                .where(features.c.id == error.feature_id)
            )
            with self._connect() as connection:
                product_id = connection.execute(statement).scalar()
            raise VectorDamaged(error.feature_id, error.fault, product_id) from None

    def _connect(self) -> Connection:
        return self._reading.connect()


def _upgrade(backend: Backend, timeout: float) -> None:
    from stylesearch.catalog.migrate import upgrade  # imports Alembic: only when needed

    upgrade(backend, timeout=timeout)
