"""Distances against their definitions in float64, whatever the vectors."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stylesearch.distance import METRICS, distances, nearest, nearest_to_any

NUMBERS = st.one_of(
    st.just(0.0),
    st.sampled_from([1.0, -1.0, 0.5]),
    st.floats(-100, 100, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3),
)


@st.composite
def two_sets(draw):
    dim = draw(st.integers(1, 6))
    queries = draw(arrays(np.float32, (draw(st.integers(1, 4)), dim), elements=NUMBERS))
    gallery = draw(arrays(np.float32, (draw(st.integers(1, 12)), dim), elements=NUMBERS))
    if draw(st.booleans()):  # equal vectors are what ties and zeros are made of
        gallery[draw(st.integers(0, len(gallery) - 1))] = queries[0]
    return queries, gallery


def by_definition(queries, gallery, metric):
    x, y = queries.astype(np.float64)[:, None], gallery.astype(np.float64)[None]
    if metric == "l1":
        return np.abs(x - y).sum(axis=2)
    if metric == "l2":
        return np.sqrt(((x - y) ** 2).sum(axis=2))
    lengths = np.sqrt((x**2).sum(axis=2) * (y**2).sum(axis=2))
    return np.where(lengths > 0, 1 - (x * y).sum(axis=2) / np.where(lengths > 0, lengths, 1), 1)


@given(two_sets(), st.sampled_from(METRICS))
def test_distances_are_what_they_are_called(sets, metric):
    queries, gallery = sets
    found = distances(queries, gallery, metric)
    assert found.dtype == np.float32
    assert (found >= 0).all()
    assert np.allclose(found, by_definition(queries, gallery, metric), rtol=2e-5, atol=2e-6)


@given(two_sets(), st.sampled_from(METRICS), st.integers(1, 15))
def test_the_nearest_are_the_nearest(sets, metric, k):
    queries, gallery = sets
    slots, found = nearest(queries, gallery, metric, k)
    assert slots.shape == found.shape == (len(queries), min(k, len(gallery)))
    right = np.sort(by_definition(queries, gallery, metric), axis=1)[:, :k]
    assert np.allclose(found, right, rtol=2e-5, atol=2e-6)
    for row in range(len(queries)):
        assert np.array_equal(np.lexsort((slots[row], found[row])), np.arange(slots.shape[1]))
        assert len(set(slots[row].tolist())) == slots.shape[1]


@given(two_sets(), st.sampled_from(METRICS), st.integers(1, 15))
def test_the_nearest_to_any_are_the_nearest_of_all(sets, metric, k):
    queries, gallery = sets
    slots, found, rows = nearest_to_any(queries, gallery, metric, k)
    all_slots, all_found = nearest(queries, gallery, metric, len(gallery))
    table = np.empty((len(queries), len(gallery)), np.float32)
    np.put_along_axis(table, all_slots, all_found, axis=1)
    order = np.lexsort((np.arange(len(gallery)), table.min(axis=0)))[:k]
    assert np.array_equal(slots, order)
    assert np.array_equal(found, table.min(axis=0)[order])
    assert np.array_equal(rows, table.argmin(axis=0)[order])


@settings(max_examples=50)
@given(two_sets(), st.sampled_from(METRICS), st.integers(1, 15), st.integers(1, 400))
def test_blocks_change_nothing(sets, metric, k, max_bytes):
    queries, gallery = sets
    for given_, whole in zip(
        nearest(queries, gallery, metric, k, max_bytes=max_bytes),
        nearest(queries, gallery, metric, k),
        strict=True,
    ):
        assert np.array_equal(given_, whole)
    blocks = nearest_to_any(queries, gallery, metric, k, max_bytes=max_bytes)
    for given_, whole in zip(blocks, nearest_to_any(queries, gallery, metric, k), strict=True):
        assert np.array_equal(given_, whole)
    in_blocks = distances(queries, gallery, metric, max_bytes=max_bytes)
    assert np.allclose(in_blocks, distances(queries, gallery, metric), rtol=1e-5, atol=1e-6)


@given(two_sets(), st.sampled_from(METRICS))
def test_arguments_are_not_changed(sets, metric):
    queries, gallery = sets
    before = queries.copy(), gallery.copy()
    distances(queries, gallery, metric)
    nearest(queries, gallery, metric, 3)
    nearest_to_any(queries, gallery, metric, 3)
    assert np.array_equal(before[0], queries)
    assert np.array_equal(before[1], gallery)
