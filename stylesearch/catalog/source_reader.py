"""Reads which sources a catalog has, and what each of them says of products."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, func, select

from stylesearch.catalog.queries import in_batches, source_from_row
from stylesearch.catalog.records import Source, SourceListing
from stylesearch.catalog.tables import image_listings, listings, products, sources
from stylesearch.errors import NotInCatalog
from stylesearch.images.source import is_remote
from stylesearch.registry import unknown_name

__all__ = ["API", "SourceReader", "SourceStatus"]

API: Final = "api"
"""Name of the source of products that were put over the API."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source and how much it lists.

    Attributes:
        source: the source.
        products, images: how many products and images it lists.
        is_gone: whether nothing is at its path any more.
    """

    source: Source
    products: int
    images: int
    is_gone: bool


class SourceReader:
    """Reads sources; ``Catalog.sources`` is one.

    Args:
        engine: engine of the catalog's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def all(self) -> list[Source]:
        """Lists the sources in the order of their names."""
        with self._engine.connect() as connection:
            return [
                source_from_row(row) for row in connection.execute(select(sources).order_by(sources.c.name))
            ]

    def get(self, name: str) -> Source:
        """Finds a source by its name.

        Raises:
            UnknownName: there is none.
        """
        known = {one.name: one for one in self.all()}
        if name not in known:
            raise unknown_name("source", name, dict.fromkeys(known))
        return known[name]

    def of_path(self, path: str) -> Source | None:
        """Finds the source that was ingested from a path last; None if there is none.

        A source of that name counts first, then one that lay there last. A path through a link is the same
        as the one that it leads to: so older versions named sources.
        """
        real = os.path.realpath(path)
        known = self.all()
        for wanted in (path, real):
            for one in known:
                if one.name == wanted:
                    return one
        return next((one for one in known if one.path in (path, real) and one.path), None)

    def status(self) -> list[SourceStatus]:
        """Counts what each source lists."""
        with self._engine.connect() as connection:
            of_products = select(listings.c.source_pk, func.count()).group_by(listings.c.source_pk)
            of_images = select(image_listings.c.source_pk, func.count()).group_by(image_listings.c.source_pk)
            n_products = dict(connection.execute(of_products).all())
            n_images = dict(connection.execute(of_images).all())
        return [
            SourceStatus(
                one,
                n_products.get(one.pk, 0),
                n_images.get(one.pk, 0),
                is_gone=_is_gone(one),
            )
            for one in self.all()
        ]

    def gone(self) -> list[Source]:
        """Lists the sources at whose path nothing is any more, in the order of their names."""
        return [one for one in self.all() if _is_gone(one)]

    def ids_of_places(self, name: str, places: Iterable[str]) -> dict[str, str]:
        """Finds the products that lie at places of a source: their ids by place."""
        statement = _OF_SOURCE.where(sources.c.name == name)
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            for batch in in_batches(sorted(set(places))):
                rows = connection.execute(statement.where(listings.c.place.in_(batch)))
                found.update({row.place: row.id for row in rows})
        return found

    def places_of_ids(self, name: str, product_ids: Iterable[str]) -> dict[str, str]:
        """Finds where products lie in a source that lists them: places by id."""
        statement = _OF_SOURCE.where(sources.c.name == name)
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            for batch in in_batches(sorted(set(product_ids))):
                rows = connection.execute(statement.where(products.c.id.in_(batch)))
                found.update({row.id: row.place for row in rows})
        return found

    def ids_at(self, name: str, place: str) -> list[str]:
        """Finds the products that lie at one place of a source: their ids, in order."""
        statement = _OF_SOURCE.where(sources.c.name == name, listings.c.place == place)
        with self._engine.connect() as connection:
            return sorted(row.id for row in connection.execute(statement))

    def options_of(self, name: str) -> Mapping[str, Any]:
        """The options that are kept with a source; none where it is not known."""
        with self._engine.connect() as connection:
            statement = select(sources.c.options).where(sources.c.name == name)
            return connection.execute(statement).scalar_one_or_none() or {}

    def said_of(self, product_id: str) -> list[SourceListing]:
        """Reads what each source says of a product, the one that was ingested last first.

        Raises:
            NotInCatalog: there is no such product.
        """
        statement = (
            select(sources.c.name, listings.c.place, listings.c.said, listings.c.guesses)
            .join_from(listings, sources, sources.c.pk == listings.c.source_pk)
            .join(products, products.c.pk == listings.c.product_pk)
            .where(products.c.id == product_id)
            .order_by(sources.c.run.desc())
        )
        with self._engine.connect() as connection:
            found = [SourceListing(*row) for row in connection.execute(statement)]
            exists = select(products.c.pk).where(products.c.id == product_id)
            if not found and connection.execute(exists).one_or_none() is None:
                raise NotInCatalog(
                    f"the catalog has no product {product_id!r}", hint="`stylesearch products list` shows all"
                )
        return found


def _is_gone(source: Source) -> bool:
    if not source.path or is_remote(source.path):
        return False
    return not os.path.lexists(source.path)


_OF_SOURCE: Final = (
    select(listings.c.place, products.c.id)
    .join_from(listings, sources, sources.c.pk == listings.c.source_pk)
    .join(products, products.c.pk == listings.c.product_pk)
)
