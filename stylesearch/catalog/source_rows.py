"""Rows of sources, of what they say of products, and of which images they list."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, bindparam, func, insert, select, update

from stylesearch.catalog.queries import in_batches, source_from_row
from stylesearch.catalog.records import Source, SourceListing
from stylesearch.catalog.tables import image_listings, listings, sources
from stylesearch.errors import CatalogError, NotInCatalog

__all__ = ["SourceRows"]


class SourceRows:
    """Writes sources and what they list, inside a transaction of the writer's; ``Writer.sources`` gives it.

    Args:
        connection: connection of the writer.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def note_ingest(self, name: str, *, path: str, format: str, options: Mapping[str, Any]) -> Source:
        """Notes that a source is ingested now, and from where; adds it if it is new."""
        connection = self._connection
        pk = self.key_of(name)
        last = connection.execute(select(func.max(sources.c.run))).scalar_one()
        connection.execute(
            update(sources)
            .where(sources.c.pk == pk)
            .values(
                path=path,
                format=format,
                options=dict(options),
                run=last + 1,
                ingested_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )
        return source_from_row(connection.execute(select(sources).where(sources.c.pk == pk)).one())

    def count_run(self, name: str) -> int:
        """Notes that a source that is never ingested as a whole speaks now; returns its key, adds a new one.

        Where sources disagree, the one that came last counts. Nothing is written where it is that already.
        """
        pk = self.key_of(name)
        others = sources.alias("others")
        last = select(func.max(others.c.run)).where(others.c.pk != pk).scalar_subquery()
        statement = update(sources).where(sources.c.pk == pk, sources.c.run <= last).values(run=last + 1)
        self._connection.execute(statement)
        return pk

    def rename(self, name: str, new_name: str) -> None:
        """Gives a source another name.

        Raises:
            NotInCatalog: there is no such source.
            CatalogError: another source has the new name.
        """
        connection = self._connection
        if connection.execute(select(sources.c.pk).where(sources.c.name == new_name)).one_or_none():
            raise CatalogError(
                f"there is a source {new_name!r} already", hint="`stylesearch sources list` shows all"
            )
        renamed = connection.execute(update(sources).where(sources.c.name == name).values(name=new_name))
        if not renamed.rowcount:
            raise NotInCatalog(f"there is no source {name!r}", hint="`stylesearch sources list` shows all")

    def read_listings(
        self, product_pks: Sequence[int], *, of_source: int | None = None, but_not: int | None = None
    ) -> dict[int, list[SourceListing]]:
        """Reads what one source, or all but one, say of products; by product, the last to come first."""
        found: dict[int, list[SourceListing]] = {}
        statement = (
            select(
                listings.c.product_pk,
                sources.c.name,
                listings.c.place,
                listings.c.said,
                listings.c.guesses,
                listings.c.lists,
            )
            .join_from(listings, sources, sources.c.pk == listings.c.source_pk)
            .order_by(sources.c.run.desc())
        )
        if of_source is not None:
            statement = statement.where(listings.c.source_pk == of_source)
        if but_not is not None:
            statement = statement.where(listings.c.source_pk != but_not)
        for batch in in_batches(product_pks):
            for pk, *columns in self._connection.execute(statement.where(listings.c.product_pk.in_(batch))):
                found.setdefault(pk, []).append(SourceListing(*columns))
        return found

    def store_listings(
        self, source_pk: int, said: Mapping[int, SourceListing], stored: Container[int]
    ) -> None:
        """Stores what a source says of products, by key; of those in ``stored`` it said something before."""
        rows = {
            pk: {"place": one.place, "said": one.said, "guesses": one.guesses, "lists": one.lists}
            for pk, one in said.items()
        }
        new = [
            {"product_pk": pk, "source_pk": source_pk, **row} for pk, row in rows.items() if pk not in stored
        ]
        changed = [{"row_pk": pk, **row} for pk, row in rows.items() if pk in stored]
        if new:
            self._connection.execute(insert(listings), new)
        if changed:
            is_row = and_(listings.c.product_pk == bindparam("row_pk"), listings.c.source_pk == source_pk)
            self._connection.execute(update(listings).where(is_row), changed)

    def list_images(self, source_pk: int, image_pks: Sequence[int]) -> None:
        """Notes that a source lists images; writes nothing where that is noted already."""
        for batch in in_batches(image_pks):
            statement = select(image_listings.c.image_pk).where(
                image_listings.c.source_pk == source_pk, image_listings.c.image_pk.in_(batch)
            )
            noted = set(self._connection.execute(statement).scalars())
            if rows := [{"image_pk": pk, "source_pk": source_pk} for pk in batch if pk not in noted]:
                self._connection.execute(insert(image_listings), rows)

    def key_of(self, name: str) -> int:
        """The key of a source; adds it if it is new."""
        connection = self._connection
        found = select(sources.c.pk).where(sources.c.name == name)
        pk = connection.execute(found).scalar_one_or_none()
        if pk is None:
            last = connection.execute(select(func.coalesce(func.max(sources.c.run), 0))).scalar_one()
            row = {"name": name, "path": "", "format": "", "options": {}, "run": last + 1}
            connection.execute(insert(sources).values(row))
            pk = connection.execute(found).scalar_one()
        return pk
