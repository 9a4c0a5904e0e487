"""What a search and a listing read from the catalog."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    and_,
    bindparam,
    exists,
    func,
    select,
    text,
    tuple_,
)

from stylesearch.catalog.records import (
    CatalogStatus,
    Content,
    FeatureSet,
    ImageKey,
    KnownContent,
    KnownImage,
    box_from_text,
    feature_set_from_row,
    image_record,
    in_batches,
)
from stylesearch.catalog.tables import ImageState, feature_sets, features, images, product_columns, products
from stylesearch.catalog.vector_codec import decode_vectors
from stylesearch.errors import NotInCatalog
from stylesearch.types import Domain, Failure, ImageRecord, Product

__all__ = [
    "BLOCK",
    "CATEGORY_NAMES",
    "HITS",
    "CatalogBrowser",
    "CatalogReader",
    "FeatureBlock",
    "highest_id",
    "image_columns",
    "is_usable",
    "known_contents",
    "known_images",
]


def highest_id(connection: Connection) -> int:
    """The largest id ever given out, or 0; see :meth:`CatalogReader.highest_feature_id`."""
    if connection.dialect.name == "sqlite":
        statement = text("SELECT seq FROM sqlite_sequence WHERE name = 'features'")
        return connection.execute(statement).scalar() or 0
    return connection.execute(select(func.max(features.c.id))).scalar() or 0


# What the catalog already knows, asked before anything is decoded or computed.

"""Product id and path: what names an image."""

"""sha256 of the bytes, and the box looked at: what decides a vector."""

_same_content: Final = (
    select(images.c.width, images.c.height, features.c.vector)
    .join_from(images, features, features.c.image_pk == images.c.pk)
    .where(
        images.c.sha256 == bindparam("sha256"),
        images.c.state == ImageState.OK.value,
        images.c.box.is_not_distinct_from(bindparam("box")),
        features.c.feature_set_pk == bindparam("feature_set_pk"),
    )
    .limit(1)
)


def known_images(
    connection: Connection, keys: Collection[ImageKey], feature_sets: Iterable[FeatureSet] = ()
) -> dict[ImageKey, KnownImage]:
    """Those of the images that the catalog has; see :meth:`Catalog.known_images`."""
    wanted = set(keys)
    rows = []
    for batch in in_batches(sorted({product_id for product_id, _ in wanted})):
        statement = (
            select(
                images.c.pk,
                images.c.path,
                images.c.domain,
                images.c.box,
                images.c.sha256,
                images.c.width,
                images.c.height,
                images.c.stat_key,
                images.c.error,
                images.c.source,
                *product_columns,
            )
            .join_from(products, images, images.c.product_pk == products.c.pk)
            .where(products.c.id.in_(batch))
        )
        rows += [row for row in connection.execute(statement) if (row[10], row[1]) in wanted]
    computed = _computed(connection, [row[0] for row in rows], [item.pk for item in feature_sets])
    known: dict[ImageKey, KnownImage] = {}
    for pk, path, domain, box, sha256, width, height, stat_key, error, source, *product in rows:
        known[product[0], path] = KnownImage(
            pk=pk,
            product=Product(*product),
            path=path,
            domain=Domain(domain),
            box=box_from_text(box),
            sha256=sha256,
            width=width,
            height=height,
            stat_key=stat_key,
            error=error,
            source=source,
            feature_sets=frozenset(computed.get(pk, ())),
        )
    return known


def known_contents(
    connection: Connection, contents: Iterable[Content], feature_sets: Iterable[FeatureSet]
) -> dict[Content, KnownContent]:
    """Vectors of any image with the same bytes and box; see :meth:`Catalog.known_contents`."""
    wanted = list(feature_sets)
    known: dict[Content, KnownContent] = {}
    # One indexed look-up for each: a picture that stands for "no picture yet" may be in the catalog
    # a hundred thousand times, and a query over all of them at once would read every one.
    for content in dict.fromkeys(contents):
        sha256, box = content
        size = (0, 0)
        vectors = {}
        for feature_set in wanted:
            row = connection.execute(
                _same_content,
                {
                    "sha256": sha256,
                    "box": None if box is None else str(box),
                    "feature_set_pk": feature_set.pk,
                },
            ).one_or_none()
            if row is not None:
                size = (row[0], row[1])
                vectors[feature_set.pk] = decode_vectors([row[2]], feature_set.dim)[0]
        if vectors:
            known[content] = KnownContent(*size, vectors)
    return known


def _computed(
    connection: Connection, image_pks: list[int], feature_set_pks: list[int]
) -> dict[int, list[int]]:
    """Keys of the feature sets that have a vector of each image, by the image's key."""
    computed: dict[int, list[int]] = {}
    if not feature_set_pks:
        return computed
    for batch in in_batches(image_pks):
        statement = select(features.c.image_pk, features.c.feature_set_pk).where(
            features.c.image_pk.in_(batch), features.c.feature_set_pk.in_(feature_set_pks)
        )
        for image_pk, feature_set_pk in connection.execute(statement):
            computed.setdefault(image_pk, []).append(feature_set_pk)
    return computed


# Statements of every query, made once: building them takes longer than running them.

is_usable: Final[ColumnElement[bool]] = func.coalesce(images.c.state, "") == ImageState.OK.value
"""Pictures that can be used. So written that no index of states finds them: nearly all pictures are such."""

image_columns: Final = (
    images.c.path,
    images.c.sha256,
    images.c.domain,
    images.c.width,
    images.c.height,
    images.c.box,
)


def _category_names() -> Select[str]:
    """Names of categories: one look into an index for each, however many vectors it has."""
    of_set = (
        features.c.feature_set_pk == bindparam("feature_set_pk"),
        features.c.domain == bindparam("domain"),
    )
    names = select(func.min(features.c.category).label("name")).where(*of_set).cte("names", recursive=True)
    following = select(func.min(features.c.category)).where(*of_set, features.c.category > names.c.name)
    names = names.union_all(select(following.scalar_subquery()).where(names.c.name.is_not(None)))
    return select(names.c.name)


CATEGORY_NAMES: Final = _category_names()
HITS: Final = (
    select(features.c.id, *product_columns, *image_columns)
    .select_from(
        features.join(images, images.c.pk == features.c.image_pk).join(
            products, products.c.pk == images.c.product_pk
        )
    )
    .where(features.c.id.in_(bindparam("ids", expanding=True)))
)
"""Feature id, product and image of the features with these ``ids``."""


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
            return highest_id(connection)

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


# What somebody who looks through a shop reads: its pages, its categories, a picture by its digest.

_shown: Final[ColumnElement[bool]] = and_(images.c.domain == Domain.SHOP.value, is_usable)
"""Pictures that are shown: the shop's own, and usable."""

_has_picture: Final = exists().where(images.c.product_pk == products.c.pk, _shown)


class CatalogBrowser(CatalogReader):
    """The part of a catalog's reading half that shows a shop: products with pictures of the shop's own."""

    def shop_products(
        self, *, category: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Product]:
        """A page of products that have a picture, in the order of their ids.

        Args:
            category: only those of this one.
            after: id behind which the page begins; there need be no such product.
            limit: how many at most.
        """
        statement = select(*product_columns).where(_has_picture).order_by(products.c.id).limit(limit)
        if category is not None:
            statement = statement.where(products.c.category == category)
        if after is not None:
            statement = statement.where(products.c.id > after)
        with self._connect() as connection:
            return [Product(*row) for row in connection.execute(statement)]

    def shop_images(self, product_ids: Iterable[str]) -> dict[str, list[ImageRecord]]:
        """The shop's usable pictures of each product, by path; those without any have an empty list."""
        wanted = list(dict.fromkeys(product_ids))
        found: dict[str, list[ImageRecord]] = {product_id: [] for product_id in wanted}
        with self._connect() as connection:
            for batch in in_batches(wanted):
                statement = (
                    select(products.c.id, *image_columns)
                    .join_from(products, images, products.c.pk == images.c.product_pk)
                    .where(products.c.id.in_(batch), _shown)
                    .order_by(images.c.path)
                )
                for row in connection.execute(statement).all():
                    found[row[0]].append(image_record(*row[1:]))
        return found

    def images_with_digest(self, sha256: str, *, domain: Domain | None = Domain.SHOP) -> list[ImageRecord]:
        """Usable pictures with these bytes, of any product, by path.

        Args:
            sha256: hexadecimal.
            domain: of the pictures; None for any.
        """
        statement = (
            select(*image_columns)
            .where(images.c.sha256 == sha256, images.c.state == ImageState.OK.value)
            .order_by(images.c.path)
        )
        if domain is not None:
            statement = statement.where(images.c.domain == domain.value)
        with self._connect() as connection:
            return [image_record(*row) for row in connection.execute(statement)]

    def shown_digests(self, digests: Iterable[str]) -> set[str]:
        """Those of the digests that usable pictures of the shop's own have."""
        found: set[str] = set()
        with self._connect() as connection:
            for batch in in_batches(sorted(set(digests))):
                statement = select(images.c.sha256).where(images.c.sha256.in_(batch), _shown)
                found.update(map(str, connection.execute(statement).scalars()))
        return found

    def product_counts(self) -> dict[str, int]:
        """How many products with a picture each category has, by name in sorted order."""
        statement = (
            select(products.c.category, func.count())
            .where(_has_picture)
            .group_by(products.c.category)
            .order_by(products.c.category)
        )
        with self._connect() as connection:
            return dict(connection.execute(statement).all())

    def totals(self) -> tuple[int, int]:
        """How many products and pictures there are, of whatever domain and state."""
        with self._connect() as connection:
            n_products = connection.execute(select(func.count()).select_from(products)).scalar_one()
            n_images = connection.execute(select(func.count()).select_from(images)).scalar_one()
        return n_products, n_images

    def is_in_use(self, sha256: str, path: str) -> bool:
        """Whether a picture in the catalog, of whatever domain and state, is this file with these bytes."""
        statement = select(exists().where(images.c.sha256 == sha256, images.c.path == path))
        with self._connect() as connection:
            return bool(connection.execute(statement).scalar())
