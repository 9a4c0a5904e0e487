"""Removing what a source no longer lists, in memory that does not grow with the catalog."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    select,
)

from stylesearch.catalog.models import images, products
from stylesearch.catalog.rows import BATCH, Pruned

__all__ = ["count_unseen", "forget_lost_files", "mark_seen", "prune"]

_URL: Final = re.compile("[a-z][a-z0-9+.-]*://", re.IGNORECASE)

# Temporary tables live with the connection, outside the catalog's own file: marking every picture of an
# unchanged shop writes nothing there, and a run that is cut short leaves no marks behind.
_seen: Final = Table(
    "seen_images", MetaData(), Column("image_pk", Integer, nullable=False, index=True), prefixes=["TEMPORARY"]
)
_thinned: Final = Table(
    "thinned_products", MetaData(), Column("product_pk", Integer, primary_key=True), prefixes=["TEMPORARY"]
)


def mark_seen(connection: Connection, image_pks: Iterable[int]) -> None:
    """Remembers images; one twice does no harm."""
    _seen.create(connection, checkfirst=True)
    rows = [{"image_pk": int(pk)} for pk in image_pks]
    if rows:
        connection.execute(insert(_seen), rows)


def prune(connection: Connection, source: str, *, whole_products: bool) -> Pruned:
    """Removes images not seen, and products that lose their last one; see :meth:`Writer.prune`."""
    _seen.create(connection, checkfirst=True)
    _thinned.create(connection)
    unseen = _unseen(source, whole_products=whole_products)
    connection.execute(
        insert(_thinned).from_select(["product_pk"], select(images.c.product_pk).where(unseen).distinct())
    )
    removed_images = connection.execute(delete(images).where(unseen)).rowcount
    removed_products = connection.execute(
        delete(products).where(
            products.c.pk.in_(select(_thinned.c.product_pk)),
            ~exists().where(images.c.product_pk == products.c.pk),
        )
    ).rowcount
    _thinned.drop(connection)
    return Pruned(products=removed_products, images=removed_images)


def count_unseen(connection: Connection, source: str, *, whole_products: bool) -> int:
    """How many images :func:`prune` would remove."""
    _seen.create(connection, checkfirst=True)
    counted = select(func.count()).select_from(images).where(_unseen(source, whole_products=whole_products))
    return connection.execute(counted).scalar_one()


def _unseen(source: str, *, whole_products: bool) -> ColumnElement[bool]:
    seen = select(_seen.c.image_pk)
    unseen = and_(images.c.source == source, images.c.pk.not_in(seen))
    if whole_products:
        return unseen
    sibling = images.alias("sibling")
    listed = select(sibling.c.product_pk).where(sibling.c.pk.in_(seen))
    return and_(unseen, images.c.product_pk.in_(listed))


def forget_lost_files(connection: Connection) -> int:
    """Removes images that were not seen and have lost their file; see :meth:`Writer.forget_lost_files`."""
    _seen.create(connection, checkfirst=True)
    sibling = images.alias("sibling")
    # One pass in the order of the keys, with a look into an index for each image: a list of the products
    # seen would be made anew for every batch.
    candidates = (
        select(images.c.pk, images.c.path)
        .where(
            ~exists().where(_seen.c.image_pk == images.c.pk),
            exists()
            .where(sibling.c.product_pk == images.c.product_pk, _seen.c.image_pk == sibling.c.pk)
            .correlate(images),
        )
        .order_by(images.c.pk)
        .limit(BATCH)
    )
    removed = last = 0
    while rows := connection.execute(candidates.where(images.c.pk > last)).all():
        last = rows[-1][0]
        if lost := [pk for pk, path in rows if _is_lost(path)]:
            removed += connection.execute(delete(images).where(images.c.pk.in_(lost))).rowcount
    return removed


def _is_lost(path: str) -> bool:
    if _URL.match(path):
        return False
    try:
        os.stat(path)  # noqa: PTH116 - Path.exists() says no also where it could not look
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
