"""Mends what a check has found in the catalog, as far as it follows from other rows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, delete, exists, select, update

from stylesearch.catalog.backends import backend_behind
from stylesearch.catalog.check.database import DROP_ROW, REINDEX
from stylesearch.catalog.check.derived import (
    COUNT_ANEW,
    DROP_MARK,
    READ_PRICES,
    REFILE,
    VALUES,
    read_listings,
)
from stylesearch.catalog.check.findings import Finding
from stylesearch.catalog.check.rows import DROP_VECTOR, MERGE
from stylesearch.catalog.merging import product_values as row_of_product
from stylesearch.catalog.merging import restore_fields, values_of
from stylesearch.catalog.queries import in_batches, product_from_row
from stylesearch.catalog.tables import about, features, images, product_columns, product_values, products
from stylesearch.catalog.writer import Writer
from stylesearch.errors import CatalogDamaged

__all__ = ["repair_catalog"]


def repair_catalog(writer: Writer, findings: Iterable[Finding]) -> None:
    """Mends what can be mended, each kind in a transaction of its own; the next check says what is left.

    Args:
        writer: writer of the catalog, outside a transaction.
        findings: what the check has found; only problems that are kept are mended.
    """
    found = list(findings)
    for repair, mend in _REPAIRS.items():
        keys = list(dict.fromkeys(one.key for finding in found for one in finding.repairable(repair)))
        if keys:
            with writer.transaction():
                mend(writer, keys)


def _reindex(writer: Writer, names: Sequence[Any]) -> None:
    for name in names:
        backend_behind(writer.connection()).rebuild_index(writer.connection(), name)


def _drop_rows(writer: Writer, keys: Sequence[Any]) -> None:
    for key in keys:
        table, _, row = key.partition(":")
        if table == product_values.name:  # it has no row numbers
            is_there = exists().where(products.c.pk == product_values.c.product_pk)
            writer.connection().execute(delete(product_values).where(~is_there))
            continue
        writer.connection().exec_driver_sql(f"DELETE FROM {table} WHERE rowid = ?", (int(row),))
    writer.shown_counts.count_anew()


def _drop_vectors(writer: Writer, ids: Sequence[Any]) -> None:
    """Removes vectors; the marks of their sets go too, so that the next ingest looks for what lacks."""
    connection = writer.connection()
    for batch in in_batches(ids):
        connection.execute(delete(features).where(features.c.id.in_(batch)))
    connection.execute(delete(about).where(about.c.name.startswith("complete:")))


def _drop_marks(writer: Writer, names: Sequence[Any]) -> None:
    for name in names:
        writer.connection().execute(delete(about).where(about.c.name == name))


def _merge(writer: Writer, pks: Sequence[Any]) -> None:
    for pk in pks:
        with contextlib.suppress(CatalogDamaged):  # a listing that cannot be read either: it stays
            said = read_listings(writer.connection(), [pk]).get(pk, [])
            if not said or any(not one.said and not one.guesses for one in said):
                continue
            product_id, values = _values_of(writer.connection(), pk)
            _store(writer, pk, product_id, restore_fields(product_id, values, said))
    writer.shown_counts.count_anew()


def _values_of(connection: Connection, pk: int) -> tuple[str, dict[str, Any]]:
    """Id and values of a product; of one that cannot be read whole, no values.

    Raises:
        CatalogDamaged: not even its id can be read.
    """
    try:
        return _readable_values(connection, pk)
    except CatalogDamaged:
        return connection.execute(select(products.c.id).where(products.c.pk == pk)).scalar_one(), {}


def _readable_values(connection: Connection, pk: int) -> tuple[str, dict[str, Any]]:
    statement = select(products.c.shop_category, *product_columns).where(products.c.pk == pk)
    shop_category, *columns = connection.execute(statement).one()
    product = product_from_row(*columns)
    return product.id, values_of(product, shop_category)


def _read_prices(writer: Writer, pks: Sequence[Any]) -> None:
    for pk in pks:
        _store(writer, pk, *_readable_values(writer.connection(), pk))
    writer.shown_counts.count_anew()


def _store(writer: Writer, pk: int, product_id: str, values: dict[str, Any]) -> None:
    row = row_of_product(product_id, values, writer.categories())
    writer.connection().execute(update(products).where(products.c.pk == pk).values(**row))
    writer.store_values({pk: row})
    writer.refile_products([pk])


def _make_values(writer: Writer, pks: Sequence[Any]) -> None:
    for batch in in_batches(pks):
        statement = select(products.c.pk, products.c.attributes, products.c.variants)
        rows = writer.connection().execute(statement.where(products.c.pk.in_(batch)))
        writer.store_values({row.pk: {"attributes": row[1], "variants": row[2]} for row in rows})


def _refile(writer: Writer, image_pks: Sequence[Any]) -> None:
    pks: list[int] = []
    for batch in in_batches(image_pks):
        found = select(images.c.product_pk).where(images.c.pk.in_(batch)).distinct()
        pks += writer.connection().execute(found).scalars()
    writer.refile_products(sorted(set(pks)))


def _count_anew(writer: Writer, names: Sequence[Any]) -> None:
    writer.shown_counts.count_anew()


_REPAIRS: Final[dict[str, Callable[[Writer, Sequence[Any]], None]]] = {
    REINDEX: _reindex,
    DROP_ROW: _drop_rows,
    DROP_VECTOR: _drop_vectors,
    DROP_MARK: _drop_marks,
    MERGE: _merge,
    READ_PRICES: _read_prices,
    VALUES: _make_values,
    REFILE: _refile,
    COUNT_ANEW: _count_anew,
}
"""In this order: what is read through a wrong index, or filed by a damaged row, comes after it."""
