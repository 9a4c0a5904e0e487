"""What a search and a listing read from the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import ColumnElement, Connection, Engine, and_, func, select, tuple_

from stylesearch.catalog import feature_rows
from stylesearch.catalog.models import (
    ImageState,
    feature_sets,
    features,
    images,
    product_columns,
    products,
)
from stylesearch.catalog.rows import (
    CatalogStatus,
    FeatureSet,
    feature_set_from_row,
    image_record,
    in_batches,
)
from stylesearch.catalog.statements import CATEGORY_NAMES, HITS, image_columns, is_usable
from stylesearch.catalog.vectors import decode_vectors
from stylesearch.errors import NotInCatalog
from stylesearch.types import Domain, Failure, ImageRecord, Product

__all__ = ["BLOCK", "CatalogReader", "FeatureBlock"]

BLOCK: Final = 512
"""Vectors read at once: 2.6 MB as float32 when they are 1280 wide, and whoever reads them copies that."""

FeatureBlock = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


class CatalogReader:
    """The reading half of a catalog. Every call is one short transaction of its own, from any thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _connect(self) -> Connection:
        return self._engine.connect()

    def feature_sets(self) -> list[FeatureSet]:
        """All feature sets, oldest first."""
        with self._connect() as connection:
            rows = connection.execute(select(feature_sets).order_by(feature_sets.c.pk)).all()
        return [feature_set_from_row(row) for row in rows]

    def find_feature_set(self, fingerprint: str) -> FeatureSet | None:
        """The feature set with this fingerprint, if the catalog has one."""
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
        """Vectors in the order of their ids, a block at a time.

        Each block is read in a transaction of its own, so a long reading never holds up a writer's
        checkpoint. Rows added meanwhile come at the end, removed ones are left out.

        Args:
            feature_set: whose vectors.
            category: only of products of this category.
            domain: only of pictures of this domain.
            after_id: only those with a larger id: what was added since an index was built.
            block: how many at once.

        Yields:
            ids, int64, shape (n,), rising; vectors, float32, shape (n, dim); n >= 1.
        """
        filed = select(features.c.id, features.c.vector).where(_filed(feature_set, category, domain))
        statement = filed.order_by(features.c.id).limit(block)
        while True:
            with self._connect() as connection:
                rows = connection.execute(statement.where(features.c.id > int(after_id))).all()
            if rows:
                yield _feature_block(rows, feature_set.dim)
            if len(rows) < block:
                return
            after_id = rows[-1][0]

    def vectors(self, feature_set: FeatureSet, feature_ids: Iterable[int]) -> FeatureBlock:
        """The vectors with these ids, in the order of the ids; ids that are gone are left out.

        Returns:
            ids, int64, shape (n,); vectors, float32, shape (n, dim).
        """
        rows: list[Any] = []
        with self._connect() as connection:
            for batch in in_batches(sorted({int(feature_id) for feature_id in feature_ids})):
                statement = select(features.c.id, features.c.vector).where(
                    features.c.id.in_(batch), features.c.feature_set_pk == feature_set.pk
                )
                rows += connection.execute(statement.order_by(features.c.id)).all()
        return _feature_block(rows, feature_set.dim)

    def last_feature_id(
        self, feature_set: FeatureSet, *, category: str | None = None, domain: Domain = Domain.SHOP
    ) -> int:
        """The largest id of these features, or 0: an index that has seen it has nothing pending."""
        statement = select(func.max(features.c.id)).where(_filed(feature_set, category, domain))
        with self._connect() as connection:
            return connection.execute(statement).scalar() or 0

    def highest_feature_id(self) -> int:
        """The largest id ever given out, of features gone since too (on SQLite, else of those left), or 0."""
        with self._connect() as connection:
            return feature_rows.highest_id(connection)

    def count_features(
        self,
        feature_set: FeatureSet,
        *,
        category: str | None = None,
        domain: Domain = Domain.SHOP,
        after_id: int = 0,
    ) -> int:
        """How many vectors :meth:`features` would read, without reading any."""
        statement = select(func.count()).where(
            _filed(feature_set, category, domain), features.c.id > int(after_id)
        )
        with self._connect() as connection:
            return connection.execute(statement).scalar_one()

    def categories(self, feature_set: FeatureSet, *, domain: Domain = Domain.SHOP) -> dict[str, int]:
        """How many vectors each category has, by name in sorted order."""
        statement = (
            select(features.c.category, func.count())
            .where(features.c.feature_set_pk == feature_set.pk, features.c.domain == domain.value)
            .group_by(features.c.category)
            .order_by(features.c.category)
        )
        with self._connect() as connection:
            return dict(connection.execute(statement).all())

    def category_names(self, feature_set: FeatureSet, *, domain: Domain = Domain.SHOP) -> list[str]:
        """Categories that have vectors, sorted: one look into an index for each, however many it has."""
        of_set = {"feature_set_pk": feature_set.pk, "domain": domain.value}
        with self._connect() as connection:
            found = connection.execute(CATEGORY_NAMES, of_set).scalars().all()
        return [name for name in found if name is not None]

    def hits_for(self, feature_ids: Iterable[int]) -> dict[int, tuple[Product, ImageRecord]]:
        """What the features show: product and image by feature id; ids that are gone are left out."""
        found: dict[int, tuple[Product, ImageRecord]] = {}
        with self._connect() as connection:
            for batch in in_batches(sorted({int(feature_id) for feature_id in feature_ids})):
                for row in connection.execute(HITS, {"ids": batch}).all():
                    found[row[0]] = (Product(*row[1:7]), image_record(*row[7:]))
        return found

    def product(self, product_id: str) -> Product:
        """One product.

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
        return Product(*row)

    def products(
        self, *, category: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Product]:
        """A page of products in the order of their ids: those after the id ``after``, at most ``limit``."""
        statement = select(*product_columns).order_by(products.c.id).limit(limit)
        if category is not None:
            statement = statement.where(products.c.category == category)
        if after is not None:
            statement = statement.where(products.c.id > after)
        with self._connect() as connection:
            return [Product(*row) for row in connection.execute(statement)]

    def images_of(self, product_id: str) -> list[ImageRecord]:
        """The usable pictures of a product, in the order of their paths.

        Raises:
            NotInCatalog: there is no such product.
        """
        statement = (
            select(*image_columns)
            .join_from(images, products, products.c.pk == images.c.product_pk)
            .where(products.c.id == product_id, is_usable)
            .order_by(images.c.path)
        )
        with self._connect() as connection:
            found = [image_record(*row) for row in connection.execute(statement)]
        if not found:
            self.product(product_id)
        return found

    def usable_images(
        self, *, after: tuple[str, str] = ("", ""), limit: int = BLOCK
    ) -> list[tuple[int, Product, ImageRecord]]:
        """A page of all usable pictures, by product id, then path.

        Args:
            after: product id and path of the last picture of the page before.
            limit: how many at most.

        Returns:
            key, product and picture of each.
        """
        statement = (
            select(images.c.pk, *product_columns, *image_columns)
            .join_from(products, images, products.c.pk == images.c.product_pk)
            .where(is_usable, tuple_(products.c.id, images.c.path) > tuple_(*after))
            .order_by(products.c.id, images.c.path)
            .limit(limit)
        )
        n_of_product = 1 + len(product_columns)
        with self._connect() as connection:
            return [
                (row[0], Product(*row[1:n_of_product]), image_record(*row[n_of_product:]))
                for row in connection.execute(statement)
            ]

    def product_features(self, product_id: str, feature_set: FeatureSet) -> FeatureBlock:
        """The vectors of one product's pictures, whichever domain, in the order of their ids.

        Raises:
            NotInCatalog: no such product, or none of its pictures has a vector in this feature set.
        """
        statement = (
            select(features.c.id, features.c.vector)
            .select_from(
                products.join(images, images.c.product_pk == products.c.pk).join(
                    features, features.c.image_pk == images.c.pk
                )
            )
            .where(products.c.id == product_id, features.c.feature_set_pk == feature_set.pk)
            .order_by(features.c.id)
        )
        with self._connect() as connection:
            rows = connection.execute(statement).all()
        if not rows:
            self.product(product_id)
            raise NotInCatalog(
                f"the product {product_id!r} has no vector of {feature_set.extractor}",
                hint=f"run `stylesearch ingest` with -e {feature_set.extractor}",
            )
        return _feature_block(rows, feature_set.dim)

    def failures(self, *, limit: int = 1000) -> list[Failure]:
        """Pictures that could not be used, with the reason, in the order they came."""
        statement = (
            select(images.c.path, images.c.error)
            .where(images.c.state == ImageState.FAILED.value)
            .order_by(images.c.pk)
            .limit(limit)
        )
        with self._connect() as connection:
            return [Failure(path, error or "") for path, error in connection.execute(statement)]

    def status(self) -> CatalogStatus:
        """How much is in the catalog."""
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
                    for row in connection.execute(select(feature_sets).order_by(feature_sets.c.pk))
                ),
            )


def _filed(feature_set: FeatureSet, category: str | None, domain: Domain) -> ColumnElement[bool]:
    of_set = and_(features.c.feature_set_pk == feature_set.pk, features.c.domain == domain.value)
    return of_set if category is None else and_(of_set, features.c.category == category)


def _feature_block(rows: Any, dim: int) -> FeatureBlock:
    ids = np.fromiter((row[0] for row in rows), np.int64, len(rows))
    return ids, decode_vectors([row[1] for row in rows], dim)
