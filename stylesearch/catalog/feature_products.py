"""Keeps the product of each feature in memory: looking it up takes most of the time of a new filter."""

from __future__ import annotations

from threading import Lock
from typing import Final

import numpy as np
from sqlalchemy import Engine, select

from stylesearch.array_types import Ids
from stylesearch.catalog.queries import is_of_set, read_numbers
from stylesearch.catalog.records import FeatureSet
from stylesearch.catalog.tables import features, images

__all__ = ["FeatureProducts"]

GROWN: Final = 2
GROWN_BY: Final = 10_000
"""All are read anew once more than ``GROWN`` times those of the last time, plus ``GROWN_BY``, are kept: many
of them are gone by then."""


class FeatureProducts:
    """The product of each feature of a set, 16 bytes a feature. Thread-safe.

    Rows of features are added and removed, never changed, and an image stays with its product: so after a
    change of the catalog only newer features are read. Removed ones stay among those that are found: a search
    drops a hit whose row is gone.

    Args:
        engine: engine of the catalog's database.
        feature_set: the feature set.
    """

    def __init__(self, engine: Engine, feature_set: FeatureSet) -> None:
        self._engine = engine
        self._is_of_set = is_of_set(feature_set)
        self._known: tuple[Ids, Ids] = (np.empty(0, np.int64), np.empty(0, np.int64))  # ids and products
        self._most = 0
        self._state: int | None = None
        self._reading = Lock()

    def __len__(self) -> int:
        return len(self._known[0])

    def follow(self, state: int) -> bool:
        """Reads what the catalog has at a state of it; returns False while another thread does.

        Args:
            state: ``Catalog.state``.
        """
        if not self._reading.acquire(blocking=False):
            return False
        try:
            if state != self._state:
                self._read_newer()
                self._state = state
        finally:
            self._reading.release()
        return True

    def features_of(self, product_pks: Ids) -> Ids:
        """Ids of the features of some products, int64, rising.

        Args:
            product_pks: keys of products, int64, in any order.
        """
        ids, of_products = self._known
        found: Ids = ids[np.isin(of_products, product_pks)]
        return found

    def _read_newer(self) -> None:
        """Reads the features with larger ids than the known ones, or all if there are many."""
        ids, product_pks = self._known
        newer = self._read_after(int(ids[-1]) if len(ids) else 0)
        if len(ids) and len(ids) + newer.shape[1] > self._most:
            ids = product_pks = np.empty(0, np.int64)
            newer = self._read_after(0)
        if not len(ids):
            self._most = GROWN * newer.shape[1] + GROWN_BY
        newer_ids, newer_pks = newer[:, np.argsort(newer[0])]
        if len(newer_ids) or not len(ids):
            self._known = np.concatenate([ids, newer_ids]), np.concatenate([product_pks, newer_pks])

    def _read_after(self, feature_id: int) -> Ids:
        """Reads ids and products of the features with larger ids, int64, shape (2, n), in any order."""
        statement = select(features.c.id, images.c.product_pk).where(self._is_of_set)
        statement = statement.join_from(images, features, features.c.image_pk == images.c.pk)
        if feature_id:
            statement = statement.where(features.c.id > feature_id)
        with self._engine.connect() as connection:
            return read_numbers(connection, statement)
