"""The rows that belong to each product, whatever their order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["ProductRows"]

Ids = npt.NDArray[np.int64]


class ProductRows:
    """Rows by product.

    Args:
        product_of: number of the product of each row, int64 (rows,), in any order.
        n_products: how many products there are.

    Attributes:
        product_of: as given.
        counts: rows of each product, int64 (products,).

    Example:
        >>> rows = ProductRows(np.array([2, 0, 2]), 3)
        >>> rows.of(np.array([0, 2])).tolist()
        [1, 0, 2]
    """

    def __init__(self, product_of: Ids, n_products: int) -> None:
        self.product_of = product_of
        self.counts: Ids = np.bincount(product_of, minlength=n_products).astype(np.int64)
        self._sorted = np.argsort(product_of, kind="stable")
        self._starts = np.cumsum(self.counts) - self.counts

    def __len__(self) -> int:
        return len(self.product_of)

    def of(self, products: Ids) -> Ids:
        """All rows of these products, product by product, int64."""
        counts = self.counts[products]
        ends = np.cumsum(counts)
        within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        found: Ids = self._sorted[np.repeat(self._starts[products], counts) + within]
        return found

    def drawn(self, products: Ids, rng: np.random.Generator) -> Ids:
        """A row of each of these products, each of which has some, int64 (len(products),)."""
        drawn: Ids = self._sorted[self._starts[products] + rng.integers(0, self.counts[products])]
        return drawn
