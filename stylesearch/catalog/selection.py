"""Selects the features of a gallery whose products meet a filter, for vector stores to search among."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any, Final, TypeVar

import numpy as np
from sqlalchemy import Engine, Select, select

from stylesearch.array_types import Ids
from stylesearch.catalog.facets import count_facets
from stylesearch.catalog.filtering import meets_at
from stylesearch.catalog.queries import is_of_gallery
from stylesearch.catalog.records import FeatureSet
from stylesearch.catalog.tables import features, images
from stylesearch.types import FacetValue, ProductFilter

__all__ = ["FeatureSelection", "FeatureSelections"]

T = TypeVar("T")

KEPT: Final = 16
"""Selections that are kept while the catalog does not change: 8 MB each where half of a million are met."""


class FeatureSelection:
    """The features that meet a filter, as of one moment. Thread-safe.

    Args:
        statement: selects their ids.
        read: runs the statement: ids, int64, in any order; called once, when ``ids`` is first asked for.

    Attributes:
        statement: a SELECT of one column, the ids: for a store that can look them up in the database.

    Example:
        >>> import numpy as np
        >>> selection = FeatureSelection.of(np.array([7, 3]))
        >>> selection.ids.tolist(), len(selection)
        ([3, 7], 2)
    """

    def __init__(self, statement: Select[int], read: Callable[[Select[int]], Ids]) -> None:
        self.statement = statement
        self._read = read
        self._ids: Ids | None = None
        self._reading = Lock()

    @classmethod
    def of(cls, ids: Ids) -> FeatureSelection:
        """The selection of a few features by their ids."""
        statement = select(features.c.id).where(features.c.id.in_([int(one) for one in ids]))
        return cls(statement, lambda _: ids)

    @property
    def ids(self) -> Ids:
        """The feature ids, int64, rising."""
        with self._reading:
            if self._ids is None:
                self._ids = np.unique(np.asarray(self._read(self.statement), np.int64))
                self._ids.flags.writeable = False
            return self._ids

    def __len__(self) -> int:
        return len(self.ids)


class FeatureSelections:
    """Selects features by filters, and keeps the last selections until the catalog changes.

    Args:
        engine: engine of the catalog's database.
        state: reads ``Catalog.state``.
    """

    def __init__(self, engine: Engine, state: Callable[[], int | None]) -> None:
        self._engine = engine
        self._state = state
        self._kept: OrderedDict[object, tuple[int, Any]] = OrderedDict()
        self._keeping = Lock()

    def find(self, feature_set: FeatureSet, where: ProductFilter) -> FeatureSelection:
        """Selects the features of shop images whose products meet a filter."""
        key = (feature_set.pk, where.conditions, where.without_picture)
        return self._keep(key, lambda: self._select(feature_set, where))

    def count_facets(
        self, feature_set: FeatureSet, where: ProductFilter, names: Sequence[str]
    ) -> Mapping[str, tuple[FacetValue, ...]]:
        """Counts the products that meet a filter by their values: see ``stylesearch.catalog.facets``."""

        def count() -> Mapping[str, tuple[FacetValue, ...]]:
            with self._engine.connect() as connection:
                return count_facets(connection, feature_set, where, names)

        return self._keep((feature_set.pk, where.conditions, tuple(names)), count)

    def _keep(self, key: object, make: Callable[[], T]) -> T:
        """Makes a value, or returns the one that was made since the catalog changed last."""
        state = self._state()  # before anything is read: a change in between is then seen next time
        with self._keeping:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == state:
                self._kept.move_to_end(key)
                found: T = kept[1]
                return found
        made = make()
        if state is not None:
            with self._keeping:
                self._kept[key] = (state, made)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
        return made

    def _select(self, feature_set: FeatureSet, where: ProductFilter) -> FeatureSelection:
        with self._engine.connect() as connection:
            conditions = meets_at(connection, where, images.c.product_pk)
        statement = (
            select(features.c.id)
            .join_from(images, features, features.c.image_pk == images.c.pk)
            .where(*conditions, *is_of_gallery(feature_set))
        )
        return FeatureSelection(statement, self._read)

    def _read(self, statement: Select[int]) -> Ids:
        with self._engine.connect() as connection:
            return np.fromiter(connection.execute(statement).scalars(), np.int64)
