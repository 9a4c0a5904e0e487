"""Removes what a source no longer lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Integer,
    MetaData,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    true,
)

from stylesearch.catalog.queries import BATCH, in_batches, not_by_index
from stylesearch.catalog.records import Pruned
from stylesearch.catalog.tables import image_listings, images, listings, products, sources
from stylesearch.catalog.writer import Writer
from stylesearch.images.source import is_lost

__all__ = ["Pruner"]

# Temporary tables belong to the connection and lie outside the catalog's file: marking every image of an
# unchanged shop writes nothing to it, and a run that is cut short leaves no marks.
_marks: Final = MetaData()
_seen: Final = Table(
    "seen_images", _marks, Column("image_pk", Integer, nullable=False, index=True), prefixes=["TEMPORARY"]
)
_seen_products: Final = Table(
    "seen_products",
    _marks,
    Column("product_pk", Integer, nullable=False, index=True),
    Column("keeps_images", Boolean, nullable=False),
    prefixes=["TEMPORARY"],
)
_doomed: Final = Table(
    "doomed_images", MetaData(), Column("image_pk", Integer, primary_key=True), prefixes=["TEMPORARY"]
)


class Pruner:
    """Marks what a run over a source lists, and removes what an earlier run listed and this one does not.

    An image or a product that another source lists too stays. The marks last until the writer ends.
    ``remove``, ``count`` and the others are called inside ``with writer.transaction():``.

    Args:
        writer: writer of the catalog.
        source: name of the source.
    """

    def __init__(self, writer: Writer, source: str) -> None:
        self._writer = writer
        self._source = source

    def mark(
        self, image_pks: Iterable[int], product_pks: Iterable[int] = (), *, keeps_images: bool = False
    ) -> None:
        """Marks images as listed, and products.

        Args:
            image_pks: images; their products are listed too.
            product_pks: further products.
            keeps_images: whether no image of these products is removed: the source lists one that cannot be
                used, which may be any of them.
        """
        connection = self._writer.connection()
        _marks.create_all(connection)
        if rows := [{"image_pk": int(pk)} for pk in image_pks]:
            connection.execute(insert(_seen), rows)
        if rows := [{"product_pk": int(pk), "keeps_images": keeps_images} for pk in product_pks]:
            connection.execute(insert(_seen_products), rows)

    def count(self, *, whole_products: bool = True) -> Pruned:
        """Counts the products and images that ``remove`` would no longer list.

        Those that another source lists too are counted, though they would stay.
        """
        connection = self._writer.connection()
        _marks.create_all(connection)
        n_images = connection.execute(
            select(func.count()).select_from(self._unseen_images(whole_products).subquery())
        ).scalar_one()
        n_products = 0
        if whole_products:
            unseen = select(func.count()).select_from(listings).where(self._is_unseen_product())
            n_products = connection.execute(unseen).scalar_one()
        return Pruned(n_products, n_images)

    def n_listed(self) -> int:
        """Number of products that the source lists, with those of earlier runs."""
        is_listed = self._is_of_source(listings.c.source_pk) & listings.c.lists
        statement = select(func.count()).select_from(listings).where(is_listed)
        return self._writer.connection().execute(statement).scalar_one()

    def unseen_ids(self, limit: int) -> list[str]:
        """Ids of the first products that ``remove`` would no longer list."""
        connection = self._writer.connection()
        _marks.create_all(connection)
        statement = (
            select(products.c.id)
            .join_from(listings, products, products.c.pk == listings.c.product_pk)
            .where(self._is_unseen_product())
            .order_by(products.c.id)
            .limit(limit)
        )
        return list(connection.execute(statement).scalars())

    def remove(self, *, whole_products: bool = True) -> Pruned:
        """Removes what the source no longer lists and no other source does.

        What this source said of a product that stays is taken back.

        Args:
            whole_products: whether products of which nothing was seen are removed; if not, only images that
                a seen product no longer lists.

        Returns:
            how many products and images were removed.
        """
        connection = self._writer.connection()
        _marks.create_all(connection)
        _doomed.create(connection)
        connection.execute(insert(_doomed).from_select(["image_pk"], self._unseen_images(whole_products)))
        doomed = select(_doomed.c.image_pk)
        connection.execute(
            delete(image_listings).where(
                self._is_of_source(image_listings.c.source_pk), image_listings.c.image_pk.in_(doomed)
            )
        )
        n_images = self._remove_unlisted(images.c.pk.in_(doomed))
        _doomed.drop(connection)
        n_products = 0
        if whole_products:
            unseen = select(listings.c.product_pk).where(self._is_unseen_product(only_listed=False))
            n_products = self._writer.unlist_products(
                self._source, list(connection.execute(unseen).scalars())
            )
        return Pruned(n_products, n_images)

    def listed_among(self, product_ids: Iterable[str]) -> list[str]:
        """Selects the ids of products that the source lists."""
        connection = self._writer.connection()
        is_of_source = self._is_of_source(not_by_index(listings.c.source_pk))
        found: list[str] = []
        for batch in in_batches(sorted(set(product_ids))):
            statement = (
                select(products.c.id)
                .join_from(products, listings, listings.c.product_pk == products.c.pk)
                .where(products.c.id.in_(batch), is_of_source, listings.c.lists)
            )
            found += connection.execute(statement).scalars()
        return found

    def unlist(self, product_ids: Iterable[str]) -> Pruned:
        """Takes single products from those that the source lists, and its images of them.

        What another source lists too stays, without what only this one said of it.

        Returns:
            how many products and images were removed.
        """
        connection = self._writer.connection()
        is_of_source = self._is_of_source(not_by_index(listings.c.source_pk))
        n_products = n_images = 0
        for batch in in_batches(sorted(set(product_ids))):
            pks = list(
                connection.execute(
                    select(products.c.pk)
                    .join_from(products, listings, listings.c.product_pk == products.c.pk)
                    .where(products.c.id.in_(batch), is_of_source)
                ).scalars()
            )
            n_images += self._unlist_images(select(images.c.pk).where(images.c.product_pk.in_(pks)))
            n_products += self._writer.unlist_products(self._source, pks)
        return Pruned(n_products, n_images)

    def keep_images(self, product_pk: int, image_pks: Iterable[int]) -> int:
        """Takes all images of one product but some from those that the source lists.

        An image that another source lists too stays. What it costs does not grow with the source.

        Args:
            product_pk: the product.
            image_pks: its images that the source lists now.

        Returns:
            how many images were removed.
        """
        of_product = select(images.c.pk).where(
            images.c.product_pk == product_pk, images.c.pk.not_in([int(pk) for pk in image_pks])
        )
        return self._unlist_images(of_product)

    def _unlist_images(self, wanted: Select[int]) -> int:
        """Takes images from those that the source lists; returns how many no other source lists."""
        connection = self._writer.connection()
        listed = select(image_listings.c.image_pk).where(
            self._is_of_source(image_listings.c.source_pk), image_listings.c.image_pk.in_(wanted)
        )
        n_images = 0
        for some in in_batches(list(connection.execute(listed).scalars())):
            connection.execute(
                delete(image_listings).where(
                    self._is_of_source(image_listings.c.source_pk), image_listings.c.image_pk.in_(some)
                )
            )
            n_images += self._remove_unlisted(images.c.pk.in_(some))
        return n_images

    def _remove_unlisted(self, condition: ColumnElement[bool]) -> int:
        """Removes the images that meet a condition and that no source lists; returns how many."""
        connection = self._writer.connection()
        gone = and_(condition, ~exists().where(image_listings.c.image_pk == images.c.pk))
        losing = connection.execute(select(images.c.product_pk).where(gone).distinct()).scalars()
        with self._writer.shown_counts.following(list(losing)):
            return connection.execute(delete(images).where(gone)).rowcount

    def forget_lost_files(self) -> int:
        """Removes images, of any source, that have moved; returns how many.

        Those are images that were not seen and whose file is gone, where an image with the same bytes of the
        same product was seen. Without that, a drive may only be absent for the moment. Paths that are URLs,
        and files that cannot be looked at, are left alone.
        """
        connection = self._writer.connection()
        _marks.create_all(connection)
        sibling = images.alias("sibling")
        # One pass in the order of the keys, with an index look-up for each image: a list of the products
        # that were seen would be computed again for every batch.
        candidates = (
            select(images.c.pk, images.c.path, images.c.product_pk)
            .where(
                ~exists().where(_seen.c.image_pk == images.c.pk),
                exists()
                .where(
                    sibling.c.product_pk == images.c.product_pk,
                    sibling.c.sha256 == images.c.sha256,
                    _seen.c.image_pk == sibling.c.pk,
                )
                .correlate(images),
            )
            .order_by(images.c.pk)
            .limit(BATCH)
        )
        removed = last = 0
        while rows := connection.execute(candidates.where(images.c.pk > last)).all():
            last = rows[-1][0]
            if lost := {pk: product_pk for pk, path, product_pk in rows if is_lost(path)}:
                with self._writer.shown_counts.following(sorted(set(lost.values()))):
                    removed += connection.execute(delete(images).where(images.c.pk.in_(lost))).rowcount
        return removed

    def seen_categories(self) -> dict[str, tuple[int, int]]:
        """Number of products and of their images that were seen, by category in the order of the names."""
        connection = self._writer.connection()
        _marks.create_all(connection)
        of_products = (
            select(products.c.category, func.count())
            .where(products.c.pk.in_(select(_seen_products.c.product_pk)))
            .group_by(products.c.category)
            .order_by(products.c.category)
        )
        of_images = (
            select(products.c.category, func.count())
            .join_from(images, products, products.c.pk == images.c.product_pk)
            .where(images.c.pk.in_(select(_seen.c.image_pk)))
            .group_by(products.c.category)
        )
        n_images = dict(connection.execute(of_images).all())
        return {name: (n, n_images.get(name, 0)) for name, n in connection.execute(of_products)}

    def seen_largest(self) -> tuple[str, int] | None:
        """Id of the product of which the most images were seen, and their number; None if none were."""
        connection = self._writer.connection()
        _marks.create_all(connection)
        n_images = func.count()
        statement = (
            select(products.c.id, n_images)
            .join_from(images, products, products.c.pk == images.c.product_pk)
            .where(images.c.pk.in_(select(_seen.c.image_pk)))
            .group_by(products.c.pk)
            .order_by(n_images.desc(), products.c.id)
            .limit(1)
        )
        row = connection.execute(statement).one_or_none()
        return None if row is None else (row[0], row[1])

    def seen_ids(self, limit: int) -> list[str]:
        """Ids of the first products that were seen."""
        connection = self._writer.connection()
        _marks.create_all(connection)
        seen = products.c.pk.in_(select(_seen_products.c.product_pk))
        statement = select(products.c.id).where(seen).order_by(products.c.pk).limit(limit)
        return list(connection.execute(statement).scalars())

    def _is_of_source(self, column: ColumnElement[int]) -> ColumnElement[bool]:
        return column == select(sources.c.pk).where(sources.c.name == self._source).scalar_subquery()

    def _is_unseen_product(self, *, only_listed: bool = True) -> ColumnElement[bool]:
        """Condition for listings of products that this run has not seen, neither themselves nor an image.

        Args:
            only_listed: whether products do not count of which the source only changes some fields.
        """
        of_product = images.c.product_pk == listings.c.product_pk
        has_seen_image = exists().where(of_product, _seen.c.image_pk == images.c.pk)
        return and_(
            self._is_of_source(listings.c.source_pk),
            listings.c.lists if only_listed else true(),
            ~_is_seen_product(listings.c.product_pk),
            ~has_seen_image,
        )

    def _unseen_images(self, whole_products: bool) -> Select[int]:
        """Keys of the source's images that are not marked, of the products that may lose some."""
        statement = (
            select(images.c.pk)
            .join_from(image_listings, images, images.c.pk == image_listings.c.image_pk)
            .where(
                self._is_of_source(image_listings.c.source_pk),
                ~exists().where(_seen.c.image_pk == images.c.pk),
                ~_is_seen_product(images.c.product_pk, _seen_products.c.keeps_images),
            )
        )
        if whole_products:
            return statement
        sibling = images.alias("sibling")
        has_seen_sibling = exists().where(
            sibling.c.product_pk == images.c.product_pk, _seen.c.image_pk == sibling.c.pk
        )
        return statement.where(or_(has_seen_sibling, _is_seen_product(images.c.product_pk)))


def _is_seen_product(column: ColumnElement[int], *also: ColumnElement[bool]) -> ColumnElement[bool]:
    """Condition for keys of products that are marked.

    EXISTS, not IN: of a negated IN, PostgreSQL keeps all marks in memory, or, where they do not fit there,
    reads all of them again for each row.
    """
    return exists().where(_seen_products.c.product_pk == column, *also)
