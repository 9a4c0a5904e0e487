"""Candidates are compared until the further half of them brings none of the nearest."""

import numpy as np
import pytest

from stylesearch.index.reranked import candidate_search, min_candidates

COUNT = 40_000
FEWEST = min_candidates("cosine", 20)


class Compared:
    """True distances behind misleading scores, and what was looked at of them."""

    def __init__(self, distances):
        self.distances = distances
        self.n = 0

    def __call__(self, slots, n):
        assert np.all(np.diff(slots) > 0)
        self.n += len(slots)
        order = np.lexsort((slots, self.distances[slots]))[:n]
        return slots[order], self.distances[slots[order]], np.zeros(len(order), np.int64)


@pytest.fixture
def distances():
    return np.random.default_rng(3).permutation(COUNT).astype(np.float32)


def test_scores_that_are_right_need_the_fewest(distances):
    compared = Compared(distances)
    slots, found, _ = candidate_search(distances, 20, "cosine", compared, most=COUNT)
    assert found.tolist() == list(range(20))
    assert np.array_equal(distances[slots], found)
    assert compared.n < 1.2 * FEWEST


def test_scores_that_mislead_are_followed_further(distances):
    noise = np.random.default_rng(4).normal(0, 1500, COUNT).astype(np.float32)
    compared = Compared(distances)
    _, found, _ = candidate_search(distances + noise, 20, "cosine", compared, most=COUNT)
    assert found.tolist() == list(range(20))
    assert 3 * FEWEST < compared.n < COUNT / 2


def test_it_gives_up_where_too_many_would_be_needed(distances):
    scores = np.random.default_rng(4).random(COUNT).astype(np.float32)  # tell nothing
    assert candidate_search(scores, 20, "cosine", Compared(distances), most=COUNT // 4) is None
    compared = Compared(distances)
    found = candidate_search(scores, 20, "cosine", compared, most=2 * COUNT)
    assert found is not None
    assert found[1].tolist() == list(range(20)), "all were compared"
    assert compared.n == COUNT


def test_equal_scores_are_all_compared():
    distances = np.arange(3000, dtype=np.float32)[::-1].copy()
    found = candidate_search(np.zeros(3000, np.float32), 5, "l2", Compared(distances), most=6000)
    assert found is not None
    assert found[0].tolist() == [2999, 2998, 2997, 2996, 2995]


def test_a_plateau_of_scores_is_no_certainty():
    """The nearest lie just behind thousands that look alike: nothing can be further than those, or nearer."""
    distances = np.arange(COUNT, dtype=np.float32)
    scores = distances.copy()
    scores[50:] += 10_000
    scores[1000:6000] = 40.0
    distances[1000:6000] += 100_000
    found = candidate_search(scores, 60, "cosine", Compared(distances), most=COUNT)
    assert found is not None
    assert found[0].tolist() == list(range(60))


def test_more_are_compared_where_more_are_asked_for_and_for_l1(distances):
    few, many, l1 = (Compared(distances) for _ in range(3))
    candidate_search(distances, 20, "cosine", few, most=COUNT)
    candidate_search(distances, 1000, "cosine", many, most=COUNT)
    candidate_search(distances, 20, "l1", l1, most=COUNT)
    assert few.n < l1.n < many.n
