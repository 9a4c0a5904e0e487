"""Counts and describes products that meet a filter."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Engine, exists, func, select

from stylesearch.catalog.categories import Categories
from stylesearch.catalog.filtering import EVERY_PRODUCT, meets, page_of
from stylesearch.catalog.queries import IS_USABLE, image_from_row, in_batches, product_from_row
from stylesearch.catalog.records import ProductDetails
from stylesearch.catalog.tables import category_map, image_columns, images, product_values, products
from stylesearch.images.source import is_lost
from stylesearch.option_names import plain_name
from stylesearch.types import ImageRecord, ProductFilter

__all__ = ["ProductReader"]

FILES_AT_ONCE: Final = 10_000
"""Images that are read from the catalog at a time, to look at their files."""


class ProductReader:
    """Reads products with what belongs to them; ``Catalog.selection`` is one.

    Args:
        engine: engine of the catalog's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def details(
        self, where: ProductFilter = EVERY_PRODUCT, *, after: str | None = None, limit: int = 100
    ) -> list[ProductDetails]:
        """Reads a page of products as ``Catalog.products`` does, with their sources' category and images."""
        with self._engine.connect() as connection:
            rows = connection.execute(page_of(connection, where, after, limit)).all()
            found: dict[int, list[ImageRecord]] = {row[0]: [] for row in rows}
            for batch in in_batches(list(found)):
                statement = (
                    select(images.c.product_pk, *image_columns)
                    .where(images.c.product_pk.in_(batch), IS_USABLE)
                    .order_by(images.c.position, images.c.path)
                )
                for row in connection.execute(statement):
                    found[row[0]].append(image_from_row(*row[1:]))
        return [ProductDetails(product_from_row(*row[2:]), row[1], tuple(found[row[0]])) for row in rows]

    def count(self, where: ProductFilter = EVERY_PRODUCT) -> int:
        """Counts the products that meet a filter."""
        with self._engine.connect() as connection:
            statement = select(func.count()).select_from(products).where(*meets(connection, where))
            return connection.execute(statement).scalar_one()

    def has_attribute(self, name: str) -> bool:
        """Whether any product has an attribute of this name, or a variant with such an option."""
        with self._engine.connect() as connection:
            has_name = exists().where(product_values.c.name == plain_name(name))
            return bool(connection.execute(select(has_name)).scalar())

    def attributes(self) -> list[str]:
        """Names of all attributes and options, in their plain form, in order: one look-up for each."""
        one = product_values.c
        names = select(func.min(one.name).label("name")).cte("names", recursive=True)
        following = select(func.min(one.name)).where(one.name > names.c.name)
        names = names.union_all(select(following.scalar_subquery()).where(names.c.name.is_not(None)))
        with self._engine.connect() as connection:
            found = connection.execute(select(names.c.name)).scalars()
            return [name for name in found if name is not None]

    def values_of(self, name: str, limit: int) -> list[str]:
        """Values of an attribute, and of such an option of variants, as the shop writes them, in order.

        Args:
            name: name of the attribute, as a filter takes it.
            limit: the largest number of values.
        """
        one = product_values.c
        statement = select(func.min(one.label)).where(one.name == plain_name(name), one.value != "")
        with self._engine.connect() as connection:
            found = connection.execute(statement.group_by(one.value).order_by(one.value).limit(limit))
            return sorted(found.scalars())

    def categories(self) -> dict[str, int]:
        """Number of products, with or without images, by category in the order of the names."""
        counted = (
            select(products.c.category, func.count())
            .group_by(products.c.category)
            .order_by(products.c.category)
        )
        with self._engine.connect() as connection:
            return dict(connection.execute(counted).all())

    def category_map(self) -> Categories:
        """Reads which categories products are searched in, by the sources' own."""
        with self._engine.connect() as connection:
            return Categories(dict(connection.execute(select(category_map)).all()))

    def shop_categories(self) -> dict[tuple[str, str], int]:
        """Number of products by the category that their sources say and the one that they are searched in."""
        counted = (
            select(products.c.shop_category, products.c.category, func.count())
            .group_by(products.c.shop_category, products.c.category)
            .order_by(products.c.shop_category, products.c.category)
        )
        with self._engine.connect() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(counted)}

    def lost_files(self, *, n_examples: int = 5) -> tuple[int, list[str]]:
        """Counts the usable images whose file is gone, and names the first of them.

        Of an image behind a URL that is the file that it was fetched to. Every file is looked at, none read.
        """
        n_lost = 0
        examples: list[str] = []
        page = select(images.c.pk, images.c.path, images.c.file).where(IS_USABLE).order_by(images.c.pk)
        page = page.limit(FILES_AT_ONCE)
        last = 0
        while True:
            # No transaction is open while the files are looked at, which may take long on a network drive.
            with self._engine.connect() as connection:
                rows = connection.execute(page.where(images.c.pk > last)).all()
            lost = [path for _, path, file in rows if is_lost(file or path)]
            n_lost += len(lost)
            examples += lost[: n_examples - len(examples)]
            if len(rows) < FILES_AT_ONCE:
                return n_lost, examples
            last = rows[-1][0]
