"""Keeps up how many products a shop's pages show by category: a count would read every product and image."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, insert, select, update

from stylesearch.catalog.queries import HAS_SHOWN_IMAGE, in_batches
from stylesearch.catalog.tables import products, shown_counts

__all__ = ["COUNTED", "ShownCounts"]

COUNTED: Final[Select[str, int]] = (
    select(products.c.category, func.count())
    .where(HAS_SHOWN_IMAGE, products.c.category.is_not(None))
    .group_by(products.c.category)
)
"""Categories, and how many products with an image that is shown they have."""

_ADD: Final = (
    update(shown_counts)
    .where(shown_counts.c.category == bindparam("of_category"))
    .values(n_products=shown_counts.c.n_products + bindparam("difference"))
)


class ShownCounts:
    """Changes the table ``shown_counts`` in the transactions that change products or images.

    Whatever changes the category of a product, or removes it, or adds, changes or removes an image, tells it
    here: see docs/adr/0029.

    Args:
        connection: connection of a writer.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextlib.contextmanager
    def following(self, product_pks: Sequence[int]) -> Iterator[None]:
        """Counts these products before and after what is done inside, and adds the difference."""
        before = self._count(product_pks)
        yield
        after = self._count(product_pks)
        after.subtract(before)
        self.add(after)

    def removing(self, condition: ColumnElement[bool]) -> None:
        """Takes away the products that meet a condition; called before they are removed."""
        self.add({name: -n for name, n in self._counted_among(condition).items()})

    def add(self, differences: Mapping[str, int]) -> None:
        """Adds numbers, which may be negative, by category."""
        changed = {name: n for name, n in sorted(differences.items()) if n}
        stored: set[str] = set()
        for batch in in_batches(list(changed)):
            found = select(shown_counts.c.category).where(shown_counts.c.category.in_(batch))
            stored.update(self._connection.execute(found).scalars())
        if stored:
            self._connection.execute(
                _ADD,
                [{"of_category": name, "difference": n} for name, n in changed.items() if name in stored],
            )
        if new := [{"category": name, "n_products": n} for name, n in changed.items() if name not in stored]:
            self._connection.execute(insert(shown_counts), new)
        if any(n < 0 for n in changed.values()):
            self._connection.execute(delete(shown_counts).where(shown_counts.c.n_products <= 0))

    def count_anew(self) -> None:
        """Counts all products: seconds in a catalog of a million."""
        self._connection.execute(delete(shown_counts))
        self._connection.execute(insert(shown_counts).from_select(["category", "n_products"], COUNTED))

    def _count(self, product_pks: Sequence[int]) -> Counter[str]:
        counted: Counter[str] = Counter()
        for batch in in_batches(product_pks):
            counted += self._counted_among(products.c.pk.in_(batch))
        return counted

    def _counted_among(self, condition: ColumnElement[bool]) -> Counter[str]:
        # Not grouped by the database, which would read all products in the order of their categories.
        found = select(products.c.category).where(condition, HAS_SHOWN_IMAGE)
        names = self._connection.execute(found).scalars()
        return Counter(name for name in names if name is not None)
