"""What somebody who looks through a shop reads: its pages, its categories, a picture by its digest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, select

from stylesearch.catalog.models import ImageState, images, product_columns, products
from stylesearch.catalog.reading import CatalogReader
from stylesearch.catalog.rows import image_record, in_batches
from stylesearch.catalog.statements import image_columns, is_usable
from stylesearch.types import Domain, ImageRecord, Product

__all__ = ["CatalogBrowser"]

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
