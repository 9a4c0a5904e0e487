"""How much the learned distance counts in each category, chosen on validation products.

First one weight for all: the best of the grid where its gain over the untrained distance is more than noise,
or 0. The largest gain of ten weights is above 0 nearly always, so it is compared with the largest of ten that
are noise, at a level of 5 %. Then a category gets a weight of its own where its queries say so by more than
noise. Less of the learned distance asks for less evidence (one standard error) than more of it (two): what is
already there is not to become worse. Last, if a category is still below its untrained score by more than
noise, which happens where distances of categories with different weights do not compare, the weight for all
is lowered until none is.

Noise is that of the sign-flip test on differences paired by product: photos of one product say much the same,
and count as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.evaluation.bootstrap import flipped_p_values, p_value_of_largest
from stylesearch.training.blends import GRID, BlendTable

__all__ = ["DEFAULT", "MIN_PRODUCTS_OF_CATEGORY", "Weights", "categories_to_weigh", "choose_weights"]

DEFAULT: Final = ""
"""Stands for all categories without a weight of their own."""

MIN_PRODUCTS_OF_CATEGORY: Final = 6
"""With fewer validation products no result is rarer than one in twenty: they cannot say anything."""

MOST_CATEGORIES: Final = 64
"""Categories that may have their own weight: the largest ones. It bounds memory."""

ONE_ERROR: Final = 0.32
TWO_ERRORS: Final = 0.05
"""Two-sided p-values beyond one and two standard errors: of a category."""

OF_LARGEST: Final = 0.05
"""P-value of the largest gain of the grid: of the weight for all."""

N_DRAWS: Final = 4000
N_SWEEPS: Final = 2

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """The choice, and what it rests on.

    Attributes:
        of_category: weight of the learned distance, from 0 to 1, by category; ``""`` for all others.
        by_global_weight: mean score of the validation queries with each weight of the grid for all.
    """

    of_category: Mapping[str, float]
    by_global_weight: Mapping[float, float]


def categories_to_weigh(categories: Sequence[str], products: Sequence[str]) -> list[str]:
    """Names of categories whose validation products are enough to choose by, sorted.

    Args:
        categories: of each query.
        products: of each query.
    """
    counts = Counter(category for category, _ in set(zip(categories, products, strict=True)))
    enough = [name for name, n_products in counts.most_common() if n_products >= MIN_PRODUCTS_OF_CATEGORY]
    return sorted(enough[:MOST_CATEGORIES])


def choose_weights(
    table: BlendTable,
    names: Sequence[str],
    products: Sequence[str],
    *,
    grid: Sequence[float] = GRID,
    seed: int = 0,
) -> Weights:
    """Chooses a weight for each class of a table.

    Args:
        table: of validation queries; its class 0 is all categories without a weight of their own.
        names: of the other classes, in order.
        products: of each query.
        grid: the table's; its first weight is 0.
        seed: of the sign-flips.
    """
    chooser = _Chooser(table, products, seed)
    n_classes = len(names) + 1
    alike = [np.full(n_classes, place) for place in range(len(grid))]
    scores = np.array([table.scores(one) for one in alike])
    untrained = scores[0]
    means = scores.mean(axis=1).tolist()
    best = int(np.argmax(means))
    if best and not chooser.largest_is_more_than_noise(scores[1:] - untrained):
        best = 0
    chosen = alike[best].copy()
    for _ in range(N_SWEEPS):
        before = chosen.copy()
        for number in range(1, n_classes):
            chosen = chooser.improved(chosen, number, len(grid))
        if (chosen == before).all():
            break
    if table.scores(chosen).mean() < table.scores(alike[best]).mean():
        chosen = alike[best]
    if chooser.has_losers(chosen, untrained):
        fair = [place for place in range(best + 1) if not chooser.has_losers(alike[place], untrained)]
        chosen = alike[max(fair, key=lambda place: (means[place], -place))]
    of_category = {DEFAULT: float(grid[chosen[0]])}
    of_category |= {
        name: float(grid[place])
        for name, place in zip(names, chosen[1:].tolist(), strict=True)
        if place != chosen[0]
    }
    return Weights(of_category, dict(zip(map(float, grid), means, strict=True)))


class _Chooser:
    """Compares choices of weights on the same queries."""

    def __init__(self, table: BlendTable, products: Sequence[str], seed: int) -> None:
        self._table = table
        self._seed = seed
        _, self._product = np.unique(np.asarray(products), return_inverse=True)

    def is_more_than_noise(self, gained: Doubles, level: float, queries: Doubles | None = None) -> bool:
        """Whether a mean gain is above 0, and rarer than ``level`` under random signs of products.

        Args:
            gained: difference of each query.
            level: two-sided p-value.
            queries: bool, which of them count; all by default.
        """
        gained = gained if queries is None else np.where(queries, gained, 0.0)
        if gained.sum() <= 0:
            return False
        of_products = np.bincount(self._product, gained).astype(np.float64)
        counted = np.ones(len(of_products))
        p = flipped_p_values(of_products[:, None], counted, n_resamples=N_DRAWS, seed=self._seed)
        return bool(p[0] < level)

    def largest_is_more_than_noise(self, gained: Doubles) -> bool:
        """Whether the largest of several mean gains is rarer than that of as many gains that are noise.

        Args:
            gained: difference of each query with each weight, float64 (weights, q).
        """
        of_products = np.array([np.bincount(self._product, one) for one in gained], np.float64).T
        return p_value_of_largest(of_products, n_resamples=N_DRAWS, seed=self._seed) < OF_LARGEST

    def improved(self, chosen: npt.NDArray[np.int64], number: int, n_weights: int) -> npt.NDArray[np.int64]:
        """The same choice, or with another weight of one class that its queries clearly prefer."""
        table = self._table
        own = table.class_of_query == number
        now = table.scores(chosen)
        others = np.tile(chosen, (n_weights, 1))
        others[:, number] = np.arange(n_weights)
        gains = np.array([table.scores(one) - now for one in others])
        best = int(np.argmax(gains[:, own].sum(axis=1)))
        level = ONE_ERROR if best < chosen[number] else TWO_ERRORS
        pays = gains[best].sum() >= 0 and self.is_more_than_noise(gains[best], level, own)
        return others[best] if pays else chosen

    def has_losers(self, chosen: npt.NDArray[np.int64], untrained: Doubles) -> bool:
        """Whether the queries of a class are below their untrained scores by more than noise."""
        lost = untrained - self._table.scores(chosen)
        return any(
            self.is_more_than_noise(lost, TWO_ERRORS, self._table.class_of_query == number)
            for number in np.unique(self._table.class_of_query).tolist()
        )
