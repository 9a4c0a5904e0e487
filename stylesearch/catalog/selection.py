"""Selects the features whose products meet a filter, for vector stores to search among."""

from __future__ import annotations

import functools
from collections import Counter, OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

import numpy as np
from sqlalchemy import Engine, Select, bindparam, select

from stylesearch.array_types import Ids
from stylesearch.catalog.feature_products import FeatureProducts
from stylesearch.catalog.filtering import estimate, keys_that_meet, meets_at, meets_each
from stylesearch.catalog.queries import in_batches, is_of_set, read_numbers
from stylesearch.catalog.records import FeatureSet
from stylesearch.catalog.tables import features, images, products
from stylesearch.conditions import FIELDS
from stylesearch.types import ProductFilter

__all__ = ["FeatureSelection", "FeatureSelections"]

KEPT: Final = 16
"""Selections that are kept while the catalog does not change: 8 MB each where half of a million are met."""

LOOK_UP_COST: Final = 10
"""Time to look one candidate up, divided by the time to read a feature that meets a filter."""

LISTED: Final = 1_000
"""Products whose features are asked for by their keys; of more, the database is asked to find both."""

KNOWN_COST: Final = 0.2
"""Time to read a feature where its product is known, divided by the time to read it from the database."""


class FeatureSelection:
    """The features that meet a filter, as of one moment. Thread-safe.

    Args:
        make_statement: makes ``statement``.
        read: reads the ids, int64, rising, each once.
        check: those of a few ids that meet the filter, in any order; each is looked at by itself.
        n_products: about how many products the catalog has.
        share: about which share of them meets the filter.
        cost: time to read a feature now, divided by the time to read it from the database.

    Example:
        >>> import numpy as np
        >>> selection = FeatureSelection.of(np.array([7, 3]))
        >>> selection.ids.tolist(), len(selection), selection.among(np.array([9, 7])).tolist()
        ([3, 7], 2, [7])
    """

    def __init__(
        self,
        make_statement: Callable[[], Select[int]],
        read: Callable[[], Ids],
        *,
        check: Callable[[Ids], Ids] | None = None,
        n_products: int = 0,
        share: float = 0.0,
        cost: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._make_statement = make_statement
        self.n_products = n_products
        self.share = share
        self._cost = cost
        self._check = check
        self._read = read
        self._ids: Ids | None = None
        self._reading = Lock()

    @classmethod
    def of(cls, ids: Ids) -> FeatureSelection:
        """The selection of a few features by their ids."""
        statement = select(features.c.id).where(features.c.id.in_([int(one) for one in ids]))
        return cls(lambda: statement, lambda: np.unique(ids.astype(np.int64)))

    @functools.cached_property
    def statement(self) -> Select[int]:
        """A SELECT of one column, the ids: for a store that can look them up in the database."""
        return self._make_statement()

    @property
    def is_read(self) -> bool:
        """Whether ``ids`` are known already."""
        return self._ids is not None

    @property
    def read_cost(self) -> float:
        """Time to read one of ``ids`` now, divided by the time to read it from the database."""
        return self._cost()

    @property
    def ids(self) -> Ids:
        """The feature ids, int64, rising; read when first asked for, which takes long where they are many."""
        with self._reading:
            if self._ids is None:
                self._ids = self._read()
                self._ids.flags.writeable = False
            return self._ids

    def __len__(self) -> int:
        return len(self.ids)

    def among(self, ids: Ids) -> Ids:
        """Those of some ids that meet the filter, in any order; the others are not read."""
        if self._ids is None and self._check is not None:
            return self._check(ids)
        return np.intersect1d(ids, self.ids)


class FeatureSelections:
    """Selects features by filters, and keeps the last selections until the catalog changes.

    Once filters have asked the database for as many features as there are products, the product of every
    feature is read and kept: a process that searches once never pays for that, and a service soon does.

    Args:
        engine: engine of the catalog's database.
        state: reads ``Catalog.state``.
    """

    def __init__(self, engine: Engine, state: Callable[[], int]) -> None:
        self._engine = engine
        self._state = state
        self._kept: OrderedDict[object, tuple[int, FeatureSelection]] = OrderedDict()
        self._keeping = Lock()
        self._products: dict[int, FeatureProducts] = {}
        self._n_asked: Counter[int] = Counter()

    def find(self, feature_set: FeatureSet, where: ProductFilter) -> FeatureSelection:
        """Selects the features of a set whose products meet a filter.

        Those of customers' images are among them, which stores leave out: to tell them apart here, SQLite
        would read the row of each image, which takes half of the time.
        """
        key = (feature_set.pk, where.conditions, where.without_picture)
        state = self._state()  # before anything is read: a change in between is then seen next time
        with self._keeping:
            kept = self._kept.get(key)
            if kept is not None and kept[0] == state:
                self._kept.move_to_end(key)
                return kept[1]
        selection = self._select(feature_set, where)
        with self._keeping:
            self._kept[key] = (state, selection)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return selection

    def _select(self, feature_set: FeatureSet, where: ProductFilter) -> FeatureSelection:
        of_set = is_of_set(feature_set)
        with self._engine.connect() as connection:
            n_products, share = estimate(connection, meets_each(connection, where, products.c.pk))
        with self._keeping:
            if self._n_asked[feature_set.pk] >= max(1, n_products):
                self._products.setdefault(feature_set.pk, FeatureProducts(self._engine, feature_set))

        def make_statement() -> Select[int]:
            with self._engine.connect() as connection:
                conditions = meets_at(connection, where, images.c.product_pk)
            statement = select(features.c.id).join_from(images, features, features.c.image_pk == images.c.pk)
            return statement.where(*conditions, of_set)

        def read() -> Ids:
            ids, state = None, self._state()
            known = self._products.get(feature_set.pk)
            is_known = known is not None and known.follow(state)
            with self._engine.connect() as connection:
                pks = keys_that_meet(connection, where)
                if known is not None and is_known:
                    ids = known.features_of(pks)
                elif len(pks) <= LISTED:
                    by_product = select(features.c.id).join_from(images, features).where(of_set)
                    batches = in_batches(np.unique(pks).tolist())
                    found = [
                        read_numbers(connection, by_product.where(images.c.product_pk.in_(batch)))[0]
                        for batch in batches
                    ]
                    ids = np.concatenate([np.empty(0, np.int64), *found])
            if ids is None or self._state() != state:  # products and features may be of different moments
                statement = make_statement()
                with self._engine.connect() as connection:
                    (ids,) = read_numbers(connection, statement)
            if not is_known:
                self._count(feature_set, len(ids))
            return np.sort(ids)

        def check(ids: Ids) -> Ids:
            self._count(feature_set, LOOK_UP_COST * len(ids))
            with self._engine.connect() as connection:
                by_id = select(features.c.id).join_from(features, images, features.c.image_pk == images.c.pk)
                if any(one.name in FIELDS for one in where.conditions):
                    by_id = by_id.join(products, products.c.pk == images.c.product_pk)
                by_id = by_id.where(
                    features.c.id.in_(bindparam("ids", expanding=True)),
                    *meets_each(connection, where, images.c.product_pk),
                    of_set,
                )
                found = [
                    one
                    for batch in in_batches(ids.tolist())
                    for one in connection.execute(by_id, {"ids": batch}).scalars()
                ]
            return np.array(found, np.int64)

        return FeatureSelection(
            make_statement,
            read,
            check=check,
            n_products=n_products,
            share=share,
            cost=lambda: KNOWN_COST if feature_set.pk in self._products else 1.0,
        )

    def _count(self, feature_set: FeatureSet, n_asked: int) -> None:
        with self._keeping:
            self._n_asked[feature_set.pk] += n_asked
