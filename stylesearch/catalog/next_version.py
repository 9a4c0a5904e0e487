"""Finds out whether a new source looks like the next version of one that the catalog has."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, Table, func, select

from stylesearch.catalog.queries import source_from_row
from stylesearch.catalog.tables import image_listings, listings, sources
from stylesearch.images.source import is_remote

if TYPE_CHECKING:
    from stylesearch.catalog.catalog import Catalog
    from stylesearch.catalog.records import Source
    from stylesearch.catalog.writer import Writer

__all__ = ["note_of_next_version"]

SHARE_IN_COMMON: Final = 0.5


def note_of_next_version(catalog: Catalog, writer: Writer, name: str) -> str | None:
    """Says which source a new one is probably the next version of, and how to ingest it as that.

    An export with a date in its name is a source of its own, unless ``--source`` says otherwise: what it no
    longer lists would never be removed. Another source is looked at if it has the same format and lists more
    than half of the products. Its file has gone, or lies in the same folder; then it lists more than half of
    the images too, or its name differs by numbers only. A table of prices beside one of products is none.

    Args:
        catalog: the catalog.
        writer: a writer of it, in a transaction.
        name: name of the new source.

    Returns:
        The note; None where there is no such source.
    """
    connection = writer.connection()  # of a preview, nobody else sees the new source
    known = {one.name: one for one in map(source_from_row, connection.execute(select(sources)))}
    new = known.get(name)
    if new is None or not new.path or is_remote(new.path):
        return None
    gone = {one.name for one in catalog.sources.gone()}
    for other in sorted(known.values(), key=lambda one: one.run, reverse=True):
        if other.name == name or other.format != new.format or not other.path:
            continue
        is_beside = Path(other.path).parent == Path(new.path).parent
        if not (is_beside or other.name in gone) or not _lists_most(connection, listings, new, other):
            continue
        is_alike = other.name in gone or _without_numbers(other.path) == _without_numbers(new.path)
        if is_alike or _lists_most(connection, image_listings, new, other):
            again = f"stylesearch ingest {shlex.quote(new.path)} --source {shlex.quote(other.name)}"
            return (
                f"{new.path} lists the same products as {other.name}: if it is its next version, run "
                f"`{again}`, then `stylesearch sources remove {shlex.quote(name)}`"
            )
    return None


def _lists_most(connection: Connection, table: Table, new: Source, other: Source) -> bool:
    """Whether a source lists most of the products, or images, that another one lists."""
    key = "product_pk" if table is listings else "image_pk"
    mine = select(table.c[key]).where(table.c.source_pk == new.pk)
    both = mine.intersect(select(table.c[key]).where(table.c.source_pk == other.pk))
    n_mine, n_both = (
        connection.execute(select(func.count()).select_from(one.subquery())).scalar_one()
        for one in (mine, both)
    )
    return bool(n_both > SHARE_IN_COMMON * n_mine)


def _without_numbers(path: str) -> str:
    """The name of a file without digits and signs: ``export-2026-11-29.csv`` as ``export``."""
    return re.sub(r"[\W\d_]+", "", Path(path).stem).casefold()
