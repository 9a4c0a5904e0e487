"""Rows of the table ``features``: added, removed and filed anew, never changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, bindparam, delete, func, insert, select, text

from stylesearch.catalog.models import ImageState, features, images, products
from stylesearch.catalog.rows import FeatureSet, in_batches
from stylesearch.catalog.vectors import encode_vectors
from stylesearch.errors import CatalogError

__all__ = ["add", "highest_id", "images_of_products", "refile", "remove"]

_insert_filed: Final = insert(features).from_select(
    ["feature_set_pk", "image_pk", "domain", "category", "vector"],
    select(
        bindparam("row_feature_set_pk", type_=features.c.feature_set_pk.type),
        images.c.pk,
        images.c.domain,
        products.c.category,
        bindparam("row_vector", type_=features.c.vector.type),
    )
    .join_from(images, products, products.c.pk == images.c.product_pk)
    .where(images.c.pk == bindparam("row_image_pk"), images.c.state == ImageState.OK.value),
)
"""Files a vector under what its image and product say at this moment, so the copies cannot disagree."""


def add(
    connection: Connection,
    feature_set: FeatureSet,
    image_pks: Sequence[int],
    vectors: npt.NDArray[np.floating[Any]],
) -> None:
    """Stores vectors; see :meth:`stylesearch.catalog.writer.Writer.add_features`."""
    if vectors.shape != (len(image_pks), feature_set.dim):
        raise ValueError(
            f"{len(image_pks)} pictures need vectors of the shape ({len(image_pks)}, {feature_set.dim}). "
            f"Received: {vectors.shape}"
        )
    encoded = encode_vectors(vectors, feature_set.dtype)
    pks = [int(pk) for pk in image_pks]
    for batch in in_batches(pks):
        connection.execute(
            delete(features).where(
                features.c.image_pk.in_(batch), features.c.feature_set_pk == feature_set.pk
            )
        )
    _insert(connection, [(feature_set.pk, pk, vector) for pk, vector in zip(pks, encoded, strict=True)])


def highest_id(connection: Connection) -> int:
    """The largest id ever given out, or 0; see :meth:`CatalogReader.highest_feature_id`."""
    if connection.dialect.name == "sqlite":
        statement = text("SELECT seq FROM sqlite_sequence WHERE name = 'features'")
        return connection.execute(statement).scalar() or 0
    return connection.execute(select(func.max(features.c.id))).scalar() or 0


def images_of_products(connection: Connection, product_pks: Sequence[int]) -> list[int]:
    """Keys of all images of these products."""
    found: list[int] = []
    for batch in in_batches(product_pks):
        statement = select(images.c.pk).where(images.c.product_pk.in_(batch)).order_by(images.c.pk)
        found += connection.execute(statement).scalars()
    return found


def refile(connection: Connection, image_pks: Sequence[int]) -> None:
    """Replaces all vectors of these images by copies under new ids, in the domain and category of now."""
    for batch in in_batches(image_pks):
        statement = (
            select(features.c.feature_set_pk, features.c.image_pk, features.c.vector)
            .where(features.c.image_pk.in_(batch))
            .order_by(features.c.id)
        )
        rows = [(row[0], row[1], row[2]) for row in connection.execute(statement)]
        remove(connection, batch)
        _insert(connection, rows)


def remove(connection: Connection, image_pks: Sequence[int]) -> None:
    """Removes all vectors of these images."""
    for batch in in_batches(image_pks):
        connection.execute(delete(features).where(features.c.image_pk.in_(batch)))


def _insert(connection: Connection, rows: Sequence[tuple[int, int, bytes]]) -> None:
    if not rows:
        return
    _raise_ids_to_the_clock(connection)
    parameters = [
        {"row_feature_set_pk": feature_set_pk, "row_image_pk": image_pk, "row_vector": vector}
        for feature_set_pk, image_pk, vector in rows
    ]
    counted = {"preserve_rowcount": True}  # else some databases do not count what an INSERT does
    if connection.execute(_insert_filed, parameters, execution_options=counted).rowcount != len(rows):
        raise CatalogError(
            "a vector was given of a picture that is not in the catalog, or not usable",
            hint="put the picture in, without an error, before its vectors",
        )


def _raise_ids_to_the_clock(connection: Connection) -> None:
    """Makes the next ids larger than any that another life of this catalog can have given out.

    SQLite alone promises only that ids rise within one file. A catalog that is deleted and made anew, or
    restored from a backup, would start again below ids that an index on disk still holds for other pictures.
    Ids that begin at the microseconds since 1970 cannot: rows are not written at a million a second.
    """
    if connection.dialect.name != "sqlite":
        return
    now = {"now": microseconds_since_1970()}
    raised = connection.execute(_raise_sequence, now)
    if not raised.rowcount:
        connection.execute(_begin_sequence, now)


def microseconds_since_1970() -> int:
    """The clock that feature ids rise with."""
    return time.time_ns() // 1000


_raise_sequence: Final = text("UPDATE sqlite_sequence SET seq = max(seq, :now) WHERE name = 'features'")
_begin_sequence: Final = text("INSERT INTO sqlite_sequence (name, seq) VALUES ('features', :now)")
