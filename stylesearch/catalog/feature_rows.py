"""Rows of the table ``features``: adds, removes and files them anew; a row itself is never changed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from stylesearch.catalog.backends import backend_behind
from stylesearch.catalog.queries import in_batches
from stylesearch.catalog.tables import ImageState, features, images, products
from stylesearch.errors import CatalogDamaged, CatalogError

__all__ = ["FeatureRows", "microseconds_since_1970"]

_FILED: Final = (
    select(images.c.pk, images.c.domain, products.c.category)
    .join_from(images, products, products.c.pk == images.c.product_pk)
    .where(images.c.pk.in_(bindparam("pks", expanding=True)), images.c.state == ImageState.OK.value)
)
"""What images and their products say at this moment: vectors are filed under it, so that copies agree."""


class FeatureRows:
    """Writes vectors, inside a transaction of the writer's.

    Args:
        connection: connection of the writer.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def refile(self, image_pks: Sequence[int]) -> None:
        """Replaces all vectors of these images by copies with new ids, in the current domain and category.

        The checksums are copied too: one that does not fit is noticed afterwards as before.
        """
        for batch in in_batches(image_pks):
            statement = (
                select(features.c.feature_set_pk, features.c.image_pk, features.c.vector, features.c.checksum)
                .where(features.c.image_pk.in_(batch))
                .order_by(features.c.id)
            )
            rows = [(row[0], row[1], row[2], row[3]) for row in self._connection.execute(statement)]
            self.remove(batch)
            try:
                self.insert(rows)
            except CatalogError as error:
                among = f"{min(batch)} to {max(batch)} of images"
                raise CatalogDamaged(f"features has vectors of unusable images, among {among}") from error

    def remove(self, image_pks: Sequence[int]) -> None:
        """Removes all vectors of these images."""
        for batch in in_batches(image_pks):
            self._connection.execute(delete(features).where(features.c.image_pk.in_(batch)))

    def insert(self, rows: Sequence[tuple[int, int, bytes, int]]) -> None:
        """Inserts rows of feature set, image, stored vector and its checksum."""
        if not rows:
            return
        _raise_ids_to_the_clock(self._connection)
        for batch in in_batches(rows):
            found = self._connection.execute(_FILED, {"pks": sorted({row[1] for row in batch})})
            filed = {pk: {"domain": domain, "category": category} for pk, domain, category in found}
            if not all(row[1] in filed for row in batch):
                raise CatalogError(
                    "a vector was given of a picture that is not in the catalog, or not usable",
                    hint="put the picture in, without an error, before its vectors",
                )
            self._connection.execute(
                insert(features),
                [
                    {
                        "feature_set_pk": feature_set_pk,
                        "image_pk": image_pk,
                        "vector": vector,
                        "checksum": crc,
                        **filed[image_pk],
                    }
                    for feature_set_pk, image_pk, vector, crc in batch
                ],
            )


def _raise_ids_to_the_clock(connection: Connection) -> None:
    """Makes the next ids larger than any that a deleted or newer copy of this catalog can have used.

    A database guarantees only that ids rise within itself. A catalog that is deleted and made anew, or
    restored from a backup, would use ids again that an index on disk still holds for other images. Ids that
    begin at the microseconds since 1970 are always new: rows are not written at a million a second.
    """
    backend_behind(connection).raise_feature_ids(connection, microseconds_since_1970())


def microseconds_since_1970() -> int:
    """The time in microseconds, from which feature ids begin."""
    return time.time_ns() // 1000
