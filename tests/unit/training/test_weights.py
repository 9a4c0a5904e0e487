"""Weights by category: more of the learned distance only where it pays, less where it harms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist

import numpy as np
import pytest

from stylesearch.training.category_weights import (
    DEFAULT,
    GRID,
    BlendTable,
    categories_to_weigh,
    choose_weights,
)

FOUND, LOST = 0, 50
"""Products that are nearer than the right one."""


def table(
    counts: Sequence[int], nearer: Callable[[int, int, float], int]
) -> tuple[BlendTable, list[str], list[str]]:
    """A table of classes that do not disturb each other.

    Args:
        counts: queries of each class.
        nearer: products nearer than the right one, of a class, a query and a weight.
    """
    class_of = np.repeat(np.arange(len(counts)), counts)
    shape = (len(class_of), len(counts), len(GRID), len(GRID))
    n_nearer, n_tied = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for query, number in enumerate(class_of.tolist()):
        for place, weight in enumerate(GRID):
            n_nearer[query, number, place, place] = nearer(number, query, weight)
            n_tied[query, number, place, place] = 1
    names = [f"class {number}" for number in range(1, len(counts))]
    return BlendTable(n_nearer, n_tied, class_of), names, [str(query) for query in range(len(class_of))]


def test_the_best_weight_for_all_is_taken() -> None:
    made = table((40, 40), lambda number, query, weight: FOUND if weight == 0.7 else LOST)
    chosen = choose_weights(*made)
    assert chosen.of_category == {DEFAULT: 0.7}
    assert chosen.by_global_weight[0.7] == 1.0
    assert chosen.by_global_weight[0.0] == 0.0


def test_where_training_does_not_help_only_the_untrained_distance_counts() -> None:
    made = table((40, 40), lambda number, query, weight: round(20 * weight))
    assert choose_weights(*made).of_category == {DEFAULT: 0.0}


def test_a_gain_that_is_noise_is_no_gain() -> None:
    def nearer(number: int, query: int, weight: float) -> int:
        gains = query % 2 == 0 or query == 1  # at weight 1 half of the queries win, half lose, one more wins
        return (FOUND if gains else LOST) if weight == 1 else (LOST if gains else FOUND)

    assert choose_weights(*table((40,), nearer)).of_category == {DEFAULT: 0.0}


def drawn_table(
    rng: np.random.Generator, n_queries: int, gain: float
) -> tuple[BlendTable, list[str], list[str]]:
    """One class; the share of queries that are found rises by ``gain`` from the weight 0 to 1.

    A query's luck moves slowly with the weight, as it does where two distances are mixed.
    """
    steps = rng.normal(size=(n_queries, len(GRID)))
    luck = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, len(GRID) + 1))  # of one spread at every weight
    limits = [NormalDist().inv_cdf(0.5 + gain * weight) for weight in GRID]
    found = luck < np.array(limits)
    return table(
        (n_queries,), lambda number, query, weight: FOUND if found[query, round(10 * weight)] else LOST
    )


@pytest.mark.parametrize("n_queries", [15, 60])
def test_the_best_of_many_weights_that_gain_nothing_is_seldom_taken(n_queries: int) -> None:
    rng = np.random.default_rng(7)
    runs = [choose_weights(*drawn_table(rng, n_queries, 0.0)) for _ in range(100)]
    luckier = [run for run in runs if max(run.by_global_weight.values()) > run.by_global_weight[0.0]]
    assert len(luckier) > 70, "nearly always some weight of the grid is luckier than 0"
    assert sum(run.of_category[DEFAULT] > 0 for run in runs) <= 10


def test_a_clear_gain_is_always_taken() -> None:
    rng = np.random.default_rng(8)
    assert all(choose_weights(*drawn_table(rng, 60, 0.45)).of_category[DEFAULT] > 0 for _ in range(30))


def test_a_category_that_training_harms_goes_back_to_the_untrained_distance() -> None:
    def nearer(number: int, query: int, weight: float) -> int:
        helps = number != 2
        return FOUND if (weight == 1) == helps else LOST

    assert choose_weights(*table((30, 30, 12), nearer)).of_category == {DEFAULT: 1.0, "class 2": 0.0}


def test_a_category_alone_may_profit() -> None:
    def nearer(number: int, query: int, weight: float) -> int:
        return FOUND if (weight >= 0.5) == (number == 1) else LOST

    assert choose_weights(*table((60, 12), nearer)).of_category == {DEFAULT: 0.0, "class 1": 0.5}


def test_more_of_the_learned_distance_asks_for_more_evidence_than_less() -> None:
    def prefers(own: float) -> Callable[[int, int, float], int]:
        def nearer(number: int, query: int, weight: float) -> int:
            if number == 0:
                return FOUND if weight == 0.5 else LOST
            votes = query % 10 < 7  # 14 of 20: p = 0.12
            return (FOUND if votes else LOST) if weight == own else (LOST if votes else FOUND)

        return nearer

    more, less = (choose_weights(*table((100, 20), prefers(own))).of_category for own in (0.9, 0.1))
    assert more == {DEFAULT: 0.5}
    assert less == {DEFAULT: 0.5, "class 1": 0.1}


def test_weights_that_do_not_compare_between_categories_are_lowered_together() -> None:
    """The products of class 0 crowd out those of class 1 as soon as they are weighed by more than 0.3."""
    n_nearer = np.zeros((90, 2, len(GRID), len(GRID)), np.int32)
    n_tied = np.zeros_like(n_nearer)
    class_of = np.repeat([0, 1], [60, 30])
    for place, weight in enumerate(GRID):
        n_nearer[:60, 0, place, place] = round(60 * (1 - weight))
        n_nearer[60:, 0, place, :] = LOST if weight > 0.3 else FOUND
    n_tied[np.arange(90), class_of] = 1
    chosen = choose_weights(BlendTable(n_nearer, n_tied, class_of), ["class 1"], [str(n) for n in range(90)])
    assert chosen.of_category[DEFAULT] <= 0.3


def test_photos_of_one_product_count_as_one() -> None:
    def nearer(number: int, query: int, weight: float) -> int:
        return FOUND if (weight == 1) == (query < 28) else LOST

    made, names, products = table((40,), nearer)
    assert choose_weights(made, names, products).of_category == {DEFAULT: 1.0}
    few = [f"product {number % 2 if number < 28 else number}" for number in range(40)]
    assert choose_weights(made, names, few).of_category == {DEFAULT: 0.0}


def test_only_categories_with_enough_products_have_a_weight_of_their_own() -> None:
    categories = ["coat"] * 12 + ["dress"] * 12 + ["skirt"] * 5
    products = [f"c{number // 2}" for number in range(12)] + ["d"] * 12 + list("abcde")
    assert categories_to_weigh(categories, products) == ["coat"]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_choice_repeats(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, 40, (60, len(GRID)))
    made = table((30, 30), lambda number, query, weight: int(drawn[query, round(10 * weight)]))
    assert choose_weights(*made, seed=5) == choose_weights(*made, seed=5)
