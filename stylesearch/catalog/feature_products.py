"""Keeps in memory of which product each feature is, which takes most of the time of a new filter."""

from __future__ import annotations

from threading import Lock

import numpy as np
from sqlalchemy import Engine, select

from stylesearch.array_types import Ids
from stylesearch.catalog.queries import is_of_set, read_numbers
from stylesearch.catalog.records import FeatureSet
from stylesearch.catalog.tables import features, images

__all__ = ["FeatureProducts"]


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
        self._ids: Ids = np.empty(0, np.int64)
        self._product_pks: Ids = np.empty(0, np.int64)
        self._state: int | None = None
        self._reading = Lock()

    def features_of(self, product_pks: Ids, state: int | None) -> Ids:
        """Ids of the features of some products, int64, rising.

        Args:
            product_pks: keys of products, int64, in any order.
            state: ``Catalog.state``, read before the keys were; None where it is not known.
        """
        with self._reading:
            if state is None or state != self._state:
                self._read_newer()
                self._state = state
            ids, of_products = self._ids, self._product_pks
        return ids[np.isin(of_products, product_pks)]

    def _read_newer(self) -> None:
        """Reads the features with larger ids than the known ones."""
        statement = select(features.c.id, images.c.product_pk).where(self._is_of_set)
        statement = statement.join_from(images, features, features.c.image_pk == images.c.pk)
        if len(self._ids):
            statement = statement.where(features.c.id > int(self._ids[-1]))
        with self._engine.connect() as connection:
            newer = read_numbers(connection, statement)
        both = np.concatenate([np.stack([self._ids, self._product_pks]), newer], axis=1)
        self._ids, self._product_pks = both[:, np.argsort(both[0], kind="stable")]
