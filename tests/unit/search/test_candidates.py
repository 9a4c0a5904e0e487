"""Lists of candidates become one: in order, and cut where something nearer may be missing."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stylesearch.distance import nearest_to_any
from stylesearch.search.store import Candidates, merge_candidates, nearest_in_blocks


def candidates(*pairs, complete):
    ids, distances = zip(*pairs, strict=True) if pairs else ((), ())
    return Candidates(
        np.array(ids, np.int64), np.array(distances, np.float32), np.zeros(len(ids), np.int64), complete
    )


def test_merging_cuts_at_the_shortest_horizon():
    far = candidates((1, 0.1), (2, 0.5), complete=False)
    near = candidates((3, 0.2), (4, 0.3), (5, 0.9), complete=True)
    merged = merge_candidates([far, near])
    assert merged.ids.tolist() == [1, 3, 4, 2], "beyond 0.5 the first list may be missing something"
    assert not merged.complete
    assert merged.horizon == np.float32(0.5)


def test_complete_lists_lose_nothing_and_equals_stand_by_id():
    merged = merge_candidates(
        [candidates((9, 0.5), complete=True), candidates((2, 0.5), (3, 0.7), complete=True)]
    )
    assert merged.ids.tolist() == [2, 9, 3]
    assert merged.complete
    assert merged.horizon == np.inf


def test_an_empty_list_that_is_not_complete_vouches_for_nothing():
    merged = merge_candidates([candidates(complete=False), candidates((1, 0.2), complete=True)])
    assert len(merged.ids) == 0
    assert not merged.complete


def test_no_lists_are_a_complete_one():
    assert merge_candidates([]).complete


@given(
    rows=st.integers(1, 40),
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=8),
    wanted=st.integers(1, 12),
    seed=st.integers(0, 5),
)
def test_blocks_give_what_one_table_gives(rows, sizes, wanted, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(0, 4, (rows, 3)).astype(np.float32)  # many equal distances
    queries = rng.integers(0, 4, (2, 3)).astype(np.float32)
    ids = np.arange(rows) * 2 + 5
    edges = np.minimum(np.cumsum([0, *sizes, rows]), rows)
    blocks = [(ids[a:b], vectors[a:b]) for a, b in itertools.pairwise(edges)]
    found = nearest_in_blocks(queries, iter(blocks), "l1", wanted)
    slots, distances, which = nearest_to_any(queries, vectors, "l1", wanted)
    assert found.ids.tolist() == ids[slots].tolist()
    assert np.array_equal(found.distances, distances)
    assert found.rows.tolist() == which.tolist()
    assert found.complete == (rows <= wanted)
