"""Counts the products of a gallery by category, color, price and so on, as a filter leaves them.

Each count is the number of products that would be left if the value were asked for: all conditions hold but
those on the same name, in whose place the value stands. So a shop's page can offer the other colors too.
"""

from __future__ import annotations

import itertools
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Engine, Select, and_, case, func, select

from stylesearch.catalog.categories import is_in
from stylesearch.catalog.filtering import meets_at, plain_numbers
from stylesearch.catalog.queries import is_of_gallery
from stylesearch.catalog.records import FeatureSet
from stylesearch.catalog.tables import features, images, listings, product_values, products, sources
from stylesearch.conditions import FIELDS, Condition, write_condition
from stylesearch.types import FacetValue, ProductFilter

__all__ = ["MOST_VALUES", "FacetCounts"]

MOST_VALUES: Final = 20
"""Values of a facet: those that most products have. Prices have fewer ranges."""

KEPT: Final = 64
"""Counts that are kept: each is of one filter."""
QUICK: Final = 0.05
"""Counts that took longer, in seconds, are used for a while after the catalog has changed."""
AGE: Final = 100
"""For how long, as a multiple of the time that counting took."""
LONGEST: Final = 60.0

STEPS: Final = (1.0, 2.5, 5.0)
"""Where ranges of prices end, times a power of ten."""


class FacetCounts:
    """Counts products by their values, and keeps the last counts. Thread-safe.

    Counts that took up to ``QUICK`` seconds are always those of the present catalog. Slower ones, of some ten
    thousand products and more, would make searches wait after every change: they are used until they are
    ``AGE`` times as old as they took, up to ``LONGEST`` seconds, so that for one filter counting costs a
    hundredth of the time.

    Args:
        engine: engine of the catalog's database.
        state: reads ``Catalog.state``.
    """

    def __init__(self, engine: Engine, state: Callable[[], int | None]) -> None:
        self._engine = engine
        self._state = state
        self._kept: OrderedDict[object, _Kept] = OrderedDict()
        self._lock = Lock()
        self._counting: dict[object, Lock] = {}

    def count(
        self, feature_set: FeatureSet, where: ProductFilter, names: Sequence[str]
    ) -> Mapping[str, tuple[FacetValue, ...]]:
        """Counts products that have features of shop images, and meet a filter.

        Args:
            feature_set: feature set of the gallery.
            where: the filter.
            names: ``category``, ``price``, ``in_stock``, ``source``, or names of attributes and options; each
                is counted without the conditions on it.

        Returns:
            by name as it is asked for the values, those of most products first; ranges of prices rise.
        """
        key = (feature_set.pk, where.conditions, tuple(names))
        kept = self._find(key)
        if kept is not None and kept.is_usable(self._state()):
            return kept.counts
        with self._lock:
            counting = self._counting.setdefault(key, Lock())
        # Of many searches with one filter one counts: the others take older counts, or wait.
        if not counting.acquire(blocking=kept is None or kept.seconds <= QUICK):
            assert kept is not None
            return kept.counts
        try:
            state, kept = self._state(), self._find(key)
            if kept is None or not kept.is_usable(state):
                with self._engine.connect() as connection:
                    began = time.monotonic()
                    counts = _count_facets(connection, feature_set, where, names)
                    ended = time.monotonic()
                kept = _Kept(counts, state, ended - began, ended)
                self._keep(key, kept)
            return kept.counts
        finally:
            with self._lock:
                self._counting.pop(key, None)
            counting.release()

    def _keep(self, key: object, kept: _Kept) -> None:
        with self._lock:
            self._kept[key] = kept
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def _find(self, key: object) -> _Kept | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Counts as of a state of the catalog; None where that is not known."""

    counts: Mapping[str, tuple[FacetValue, ...]]
    state: int | None
    seconds: float
    counted_at: float

    def is_usable(self, state: int | None) -> bool:
        age = time.monotonic() - self.counted_at
        is_recent = self.seconds > QUICK and age < min(AGE * self.seconds, LONGEST)
        return is_recent or (state is not None and state == self.state)


def _count_facets(
    connection: Connection, feature_set: FeatureSet, where: ProductFilter, names: Sequence[str]
) -> dict[str, tuple[FacetValue, ...]]:
    found = {}
    for name in names:
        condition = Condition(name)
        others = [one for one in where.conditions if _about(one) != _about(condition)]
        without = ProductFilter(where=others)
        pks = (
            select(images.c.product_pk)
            .join_from(images, features, features.c.image_pk == images.c.pk)
            .where(*meets_at(connection, without, images.c.product_pk))
            .where(*is_of_gallery(feature_set))
        )
        count = _COUNTS.get(condition.name)
        found[name] = count(connection, pks) if count else _by_value(connection, pks, condition)
    return found


def _about(condition: Condition) -> tuple[bool, str]:
    return condition.name in FIELDS, condition.attribute


def _by_value(connection: Connection, pks: Select[int], name: Condition) -> tuple[FacetValue, ...]:
    one = product_values.c
    n = func.count()
    counted = (
        select(one.value, n)
        .where(one.name == name.attribute, one.value != "", one.product_pk.in_(pks))
        .group_by(one.value)
        .order_by(n.desc(), one.value)
        .limit(MOST_VALUES)
    )
    counts = dict(connection.execute(counted).all())
    # A number is met by every way to write it: the first way stands for all.
    numbers = {value: number for value in counts for number in plain_numbers([value])}
    firsts = {number: value for value, number in reversed(numbers.items())}
    if len(firsts) < len(numbers) or _is_written_otherwise(connection, name, numbers):
        with_number = (
            select(one.number, func.count(one.product_pk.distinct()))
            # The sum keeps SQLite from looking up each number of each product.
            .where(one.name == name.attribute, one.number.in_(firsts), (one.product_pk + 0).in_(pks))
            .group_by(one.number)
        )
        of_numbers: dict[Any, int] = dict(connection.execute(with_number).all())
        counts |= {firsts[number]: count for number, count in of_numbers.items()}
    found = []
    for value, count in counts.items():
        if value in numbers and firsts[numbers[value]] != value:
            continue
        is_value = and_(one.name == name.attribute, one.value == value)
        first_label = select(one.label).where(is_value).order_by(one.product_pk).limit(1)
        label = connection.execute(first_label).scalar_one()
        found.append(FacetValue(label, count, write_condition(name.name, value)))
    return tuple(sorted(found, key=lambda each: -each.count))


def _is_written_otherwise(connection: Connection, name: Condition, numbers: Mapping[str, float]) -> bool:
    """Whether there is another way to write one of some numbers, by value."""
    one = product_values.c
    if not numbers:
        return False
    is_other = and_(one.number.in_(set(numbers.values())), one.value.not_in(numbers))
    other = select(one.value).where(one.name == name.attribute, is_other).limit(1)
    return connection.execute(other).one_or_none() is not None


def _by_category(connection: Connection, pks: Select[int]) -> tuple[FacetValue, ...]:
    counted = select(products.c.category, func.count()).where(products.c.pk.in_(pks))
    counts = dict(connection.execute(counted.group_by(products.c.category)).all())
    below = {name: sum(n for one, n in counts.items() if is_in(one, name)) for name in counts}
    return _most(below, "category")


def _by_stock(connection: Connection, pks: Select[int]) -> tuple[FacetValue, ...]:
    counted = select(products.c.in_stock, func.count()).where(products.c.pk.in_(pks))
    counts = connection.execute(counted.group_by(products.c.in_stock)).all()
    return _most({str(known).lower(): n for known, n in counts if known is not None}, "in_stock")


def _by_source(connection: Connection, pks: Select[int]) -> tuple[FacetValue, ...]:
    counted = (
        select(sources.c.name, func.count())
        .join_from(listings, sources, sources.c.pk == listings.c.source_pk)
        .where(listings.c.product_pk.in_(pks))
        .group_by(sources.c.name)
    )
    return _most(dict(connection.execute(counted).all()), "source")


def _by_price(connection: Connection, pks: Select[int]) -> tuple[FacetValue, ...]:
    lowest, highest = products.c.amount, func.coalesce(products.c.amount_max, products.c.amount)
    of_gallery = products.c.pk.in_(pks)
    first, last = connection.execute(select(func.min(lowest), func.max(highest)).where(of_gallery)).one()
    if first is None or last is None:
        return ()
    ranges = list(itertools.pairwise(_edges(first, last)))
    within = [case((and_(lowest < end, highest >= start), 1), else_=0) for start, end in ranges]
    counts = connection.execute(select(*map(func.sum, within)).where(of_gallery)).one()
    return tuple(
        FacetValue(f"{start} to {end}", int(n), f"price>={start} and price<{end}")
        for (start, end), n in zip(map(_write_numbers, ranges), counts, strict=True)
        if n
    )


def _write_numbers(numbers: tuple[float, float]) -> tuple[str, str]:
    """Writes numbers without an exponent, which no filter has."""
    start, end = (np.format_float_positional(one, trim="-") for one in numbers)
    return start, end


def _edges(first: float, last: float) -> list[float]:
    """Ends of ranges that hold all prices from ``first`` to ``last``: 0, 10, 25, 50, 100 and so on.

    Example:
        >>> _edges(12, 130)
        [10.0, 25.0, 50.0, 100.0, 250.0]
    """
    lowest = math.floor(math.log10(max(first, last / 1000, 0.01)))
    highest = math.floor(math.log10(max(last, 0.01)))
    edges = [0.0, *(step * 10.0**power for power in range(lowest, highest + 2) for step in STEPS)]
    start = max(place for place, edge in enumerate(edges) if edge <= max(first, 0))
    stop = next(place for place, edge in enumerate(edges) if edge > last)
    return edges[start : stop + 1]


def _most(counts: dict[str, int], name: str) -> tuple[FacetValue, ...]:
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MOST_VALUES]
    return tuple(FacetValue(label, n, write_condition(name, label)) for label, n in ordered)


_COUNTS: Final[dict[str, Callable[[Connection, Any], tuple[FacetValue, ...]]]] = {
    "category": _by_category,
    "in_stock": _by_stock,
    "price": _by_price,
    "source": _by_source,
}
