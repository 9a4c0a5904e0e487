"""Reads which sources a catalog has, and what each of them says of products."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Engine, func, or_, select

from stylesearch.catalog.queries import in_batches, not_by_index, source_from_row
from stylesearch.catalog.records import Source, SourceListing
from stylesearch.catalog.tables import image_listings, listings, products, sources
from stylesearch.errors import ConfigError, NotInCatalog
from stylesearch.images.source import is_lost
from stylesearch.registry import unknown_name

__all__ = ["API", "SourceReader", "SourceStatus", "check_name"]

FOLDER: Final = "folder"
"""Format of the sources whose places are folders and files."""

API: Final = "api"
"""Name of the source of products that were put over the API; no other source has it."""


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

        Of several, one that lay there last counts before one that is only called so, then the one that was
        ingested last. A path through a link is the same as the one that it leads to: so older versions
        named sources.
        """
        known = self.all()
        for wanted in dict.fromkeys((path, os.path.realpath(path))):
            found = [one for one in known if wanted in (one.path, one.name)]
            if found:
                return max(found, key=lambda one: (one.path == wanted, one.run))
        return None

    def status(self) -> list[SourceStatus]:
        """Counts what each source lists."""
        with self._engine.connect() as connection:
            of_products = (
                select(listings.c.source_pk, func.count())
                .where(listings.c.lists)
                .group_by(listings.c.source_pk)
            )
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
        pk = select(sources.c.pk).where(sources.c.name == name).scalar_subquery()
        statement = (
            select(listings.c.place, products.c.id)
            .join_from(products, listings, products.c.pk == listings.c.product_pk)
            .where(not_by_index(listings.c.source_pk) == pk)
        )
        found: dict[str, str] = {}
        with self._engine.connect() as connection:
            for batch in in_batches(sorted(set(product_ids))):
                rows = connection.execute(statement.where(products.c.id.in_(batch)))
                found.update({row.id: row.place for row in rows})
        return found

    def has_products_below(self, name: str, folder: str) -> bool:
        """Whether a source lists products at a path in it, or below it."""
        is_below = listings.c.place.startswith(f"{folder}/", autoescape=True)
        statement = _OF_SOURCE.where(sources.c.name == name, or_(listings.c.place == folder, is_below))
        with self._engine.connect() as connection:
            return connection.execute(statement.limit(1)).first() is not None

    def places_elsewhere(self, name: str, product_ids: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
        """Finds where products lie in other sources: by id, the path of each source and the place in it.

        Args:
            name: name of the source that does not count.
            product_ids: the products; those that no other source has a place for are left out.
        """
        statement = (
            select(products.c.id, sources.c.path, listings.c.place)
            .join_from(products, listings, products.c.pk == listings.c.product_pk)
            .join(sources, sources.c.pk == listings.c.source_pk)
            .where(sources.c.name != name, sources.c.format == FOLDER, listings.c.place != "")
            .order_by(sources.c.pk)
        )
        found: dict[str, list[tuple[str, str]]] = {}
        with self._engine.connect() as connection:
            for batch in in_batches(sorted(set(product_ids))):
                for product_id, path, place in connection.execute(statement.where(products.c.id.in_(batch))):
                    found.setdefault(product_id, []).append((path, place))
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
            select(sources.c.name, listings.c.place, listings.c.said, listings.c.guesses, listings.c.lists)
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


def check_name(name: str) -> None:
    """Checks that a name is one that a user's source may have.

    Raises:
        ConfigError: it is empty, or that of the source of the API.
    """
    if not name.strip():
        raise ConfigError("a source has a name. Received: an empty one")
    if name == API:
        raise ConfigError(
            f"the source {API!r} is that of the products that are put over the API",
            hint="give another name; `stylesearch products remove --source api` removes these products",
        )


def _is_gone(source: Source) -> bool:
    return bool(source.path) and is_lost(source.path)


_OF_SOURCE: Final = (
    select(listings.c.place, products.c.id)
    .join_from(listings, sources, sources.c.pk == listings.c.source_pk)
    .join(products, products.c.pk == listings.c.product_pk)
)
