"""Reads what a shop's pages show: products with an image of the shop that can be used, and these images."""

from __future__ import annotations

import random
from collections.abc import Iterable

from sqlalchemy import Engine, func, select

from stylesearch.catalog.filtering import meets
from stylesearch.catalog.queries import (
    HAS_SHOWN_IMAGE,
    IS_SHOWN,
    image_from_row,
    in_batches,
    product_from_row,
)
from stylesearch.catalog.tables import image_columns, images, product_columns, products, shown_counts
from stylesearch.types import ImageRecord, Product, ProductFilter

__all__ = ["ShownReader"]


class ShownReader:
    """Reads what is shown; ``Catalog.shown`` is one.

    Args:
        engine: engine of the catalog's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def products(
        self, *, category: str | None = None, after: str | None = None, limit: int = 100
    ) -> list[Product]:
        """Reads a page of products that have an image, in the order of their ids.

        Args:
            category: only products of this category, or of those below it.
            after: id after which the page begins; there need be no such product.
            limit: largest number of products.
        """
        statement = select(*product_columns).where(HAS_SHOWN_IMAGE)
        if after is not None:
            statement = statement.where(products.c.id > after)
        with self._engine.connect() as connection:
            if category is not None:
                statement = statement.where(*meets(connection, ProductFilter(category)))
            rows = connection.execute(statement.order_by(products.c.id).limit(limit))
            return [product_from_row(*row) for row in rows]

    def images(self, product_ids: Iterable[str]) -> dict[str, list[ImageRecord]]:
        """Reads the shop's usable images of each product, the main one first; an empty list for none."""
        wanted = list(dict.fromkeys(product_ids))
        found: dict[str, list[ImageRecord]] = {product_id: [] for product_id in wanted}
        with self._engine.connect() as connection:
            for batch in in_batches(wanted):
                statement = (
                    select(products.c.id, *image_columns)
                    .join_from(products, images, products.c.pk == images.c.product_pk)
                    .where(products.c.id.in_(batch), IS_SHOWN)
                    .order_by(images.c.position, images.c.path)
                )
                for row in connection.execute(statement).all():
                    found[row[0]].append(image_from_row(*row[1:]))
        return found

    def digests(self, digests: Iterable[str]) -> set[str]:
        """Selects the digests that the shop's usable images have."""
        found: set[str] = set()
        with self._engine.connect() as connection:
            for batch in in_batches(sorted(set(digests))):
                statement = select(images.c.sha256).where(images.c.sha256.in_(batch), IS_SHOWN)
                found.update(map(str, connection.execute(statement).scalars()))
        return found

    def counts(self) -> dict[str, int]:
        """Number of products with an image by category, in the order of the names; kept up by writers."""
        statement = select(shown_counts).order_by(shown_counts.c.category)
        with self._engine.connect() as connection:
            return dict(connection.execute(statement).all())

    def sample_images(self, limit: int) -> tuple[list[ImageRecord], int]:
        """Reads some of the shop's usable images, at random, or all of a few.

        Args:
            limit: largest number of images.

        Returns:
            the images, and how many there are in all.
        """
        number = select(func.count()).select_from(images).where(IS_SHOWN)
        statement = select(*image_columns).select_from(images).where(IS_SHOWN).order_by(images.c.pk)
        with self._engine.connect() as connection:
            total = connection.execute(number).scalar_one()
            if total <= limit:
                return [image_from_row(*row) for row in connection.execute(statement)], total
            last = connection.execute(select(func.max(images.c.pk)).where(IS_SHOWN)).scalar_one()
            # One look-up of the next image for each: an order at random would read the whole table.
            found = {}
            for first in random.sample(range(1, last + 1), limit):
                row = connection.execute(statement.where(images.c.pk >= first).limit(1)).first()
                if row is not None:
                    found[row[0], row[1]] = image_from_row(*row)
        return list(found.values()), total
