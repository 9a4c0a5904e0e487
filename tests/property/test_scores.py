"""Ranks and scores against scikit-learn, a naive loop over all orders of the tied, and definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score, top_k_accuracy_score

from stylesearch.distance import METRICS, distances
from stylesearch.distance_kernels import FastDistances
from stylesearch.evaluation.fast_distances import FaissDistances
from stylesearch.evaluation.ranking import RankedGallery, rank
from stylesearch.evaluation.scores import (
    expected_average_precision,
    expected_reciprocal_rank,
    score_columns,
    top_k_share,
)

FEW_VALUES = st.sampled_from([0.0, 1.0, -1.0, 0.5, 3.0])  # so that ties are the rule
KS = (1, 2, 3, 5)


@st.composite
def searches(draw, elements=FEW_VALUES):
    """Queries with regions, a gallery whose rows lie together by product, and right products."""
    dim, n_regions = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=7))
    product_of = np.repeat(np.arange(len(sizes)), sizes)
    gallery = draw(arrays(np.float32, (len(product_of), dim), elements=elements))
    n_queries = draw(st.integers(1, 4))
    queries = draw(arrays(np.float32, (n_queries, n_regions, dim), elements=elements))
    right = np.array(draw(st.lists(st.integers(0, len(sizes) - 1), min_size=n_queries, max_size=n_queries)))
    own = np.full(n_queries, -1)
    for query, product in enumerate(right):
        if sizes[product] > 1 and draw(st.booleans()):
            own[query] = np.flatnonzero(product_of == product)[0]
    return queries, right, RankedGallery(gallery, product_of), own


def to_images(search, metric):
    """Distances (q, n), the query's own picture infinitely far; from float64 definitions via `nearest`."""
    from stylesearch.distance_kernels import exact_pairs

    queries, _, gallery, own = search
    n_queries, n_regions, dim = queries.shape
    flat = queries.reshape(-1, dim)
    left, right = np.indices((len(flat), len(gallery.vectors))).reshape(2, -1)
    table = exact_pairs(flat, left, gallery.vectors, right, metric, 10**6)
    table = table.reshape(n_queries, n_regions, -1).min(axis=1).astype(np.float64)
    for query, row in enumerate(own):
        if row >= 0:
            table[query, row] = np.inf
    return table


def orders_of(values):
    """Every order that sorts ``values``: all permutations of the tied."""
    groups = [np.flatnonzero(values == value) for value in np.unique(values)]
    for parts in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield [row for part in parts for row in part]


@settings(deadline=None)
@given(
    searches(),
    st.sampled_from(METRICS),
    st.sampled_from([200, 10**4, 10**8]),
    st.sampled_from([FastDistances, FaissDistances]),
)
def test_ranks_count_products_that_are_nearer_or_as_far(search, metric, max_bytes, fast_distances):
    queries, right, gallery, own = search
    columns = rank(
        queries, right, gallery, metric, own=own, n_hits=4, max_bytes=max_bytes, fast_distances=fast_distances
    )
    table = to_images(search, metric)
    for query, row in enumerate(table):
        of_products = np.array([row[gallery.product_of == p].min() for p in range(len(gallery.starts))])
        to_right = of_products[right[query]]
        assert columns.n_nearer[query] == (of_products < to_right).sum()
        assert columns.n_tied[query] == (of_products == to_right).sum()
        assert columns.right_distance[query] == to_right
        assert row[columns.right_image[query]] == to_right
        wanted = sorted((of_products[p], p) for p in range(len(of_products)) if of_products[p] < np.inf)[:4]
        found = columns.hit_images[query]
        found = found[found >= 0]
        assert [row[image] for image in found] == [distance for distance, _ in wanted]
        assert len(set(gallery.product_of[found])) == len(found) == len(wanted)
        assert np.array_equal(columns.hit_distances[query, : len(found)], row[found])


@settings(deadline=None)
@given(searches(), st.sampled_from(METRICS))
def test_average_precision_is_the_mean_over_all_orders_of_the_tied(search, metric):
    queries, right, gallery, own = search
    columns = rank(queries, right, gallery, metric, own=own)
    for query, row in enumerate(to_images(search, metric)):
        searched = np.flatnonzero(row < np.inf)
        values, is_right = row[searched], gallery.product_of[searched] == right[query]
        n_orders = math.prod(math.factorial(n) for n in np.unique(values, return_counts=True)[1])
        if n_orders > 150:
            continue
        naive = []
        for order in orders_of(values):
            hits = np.cumsum(is_right[order])
            places = np.arange(1, len(order) + 1)
            naive.append((hits / places)[is_right[order]].mean())
        assert columns.average_precision[query] == pytest.approx(np.mean(naive), abs=1e-12)


@settings(deadline=None)
@given(searches(elements=st.floats(-50, 50, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)))
def test_average_precision_is_scikit_learns_where_nothing_is_tied(search):
    queries, right, gallery, own = search
    columns = rank(queries, right, gallery, "l2", own=own)
    for query, row in enumerate(to_images(search, "l2")):
        searched = row < np.inf
        if len(np.unique(row[searched])) < searched.sum():
            continue
        wanted = average_precision_score(gallery.product_of[searched] == right[query], -row[searched])
        assert columns.average_precision[query] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_are_scikit_learns_on_random_vectors(metric):
    rng = np.random.default_rng(2)
    product_of = np.repeat(np.arange(40), rng.integers(1, 5, 40))
    gallery = rng.standard_normal((len(product_of), 24)).astype(np.float32)
    right = rng.integers(0, 40, 60)
    first_rows = np.flatnonzero(np.diff(product_of, prepend=-1))
    queries = gallery[first_rows[right]][:, None] + rng.standard_normal((60, 1, 24)).astype(np.float32)
    columns = rank(queries, right, RankedGallery(gallery, product_of), metric)
    table = distances(queries[:, 0], gallery, metric)
    similarity = -np.minimum.reduceat(table, first_rows, axis=1)
    for k in KS:
        wanted = top_k_accuracy_score(right, similarity, k=k, labels=np.arange(40))
        assert top_k_share(columns.n_nearer, columns.n_tied, k).mean() == pytest.approx(wanted)
    wanted = [average_precision_score(product_of == p, -row) for p, row in zip(right, table, strict=True)]
    assert np.allclose(columns.average_precision, wanted, atol=1e-9)
    places = (similarity >= np.take_along_axis(similarity, right[:, None], axis=1)).sum(axis=1)
    assert np.array_equal(columns.ranks, places)
    assert np.allclose(expected_reciprocal_rank(columns.n_nearer, columns.n_tied), 1 / places)
    scores = score_columns(columns, ["top-5", "mAP", "MRR"])
    assert np.allclose(scores[:, 1:], np.stack([wanted, 1 / places], axis=1), atol=1e-9)


@given(st.integers(0, 6), st.integers(1, 6), st.integers(1, 12))
def test_expectations_are_means_over_the_places_of_a_tie(n_nearer, n_tied, k):
    places = np.arange(n_nearer + 1, n_nearer + n_tied + 1)
    nearer, tied = np.array([n_nearer]), np.array([n_tied])
    assert top_k_share(nearer, tied, k)[0] == pytest.approx((places <= k).mean())
    assert expected_reciprocal_rank(nearer, tied)[0] == pytest.approx((1 / places).mean())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=4))
def test_average_precision_of_one_group_a_image_is_the_textbooks(groups):
    """Groups of one picture each: rank r_i of the i-th right picture gives the mean of i / r_i."""
    ranks = np.cumsum([1 + gap for gap, _, _ in groups])
    wanted = np.mean(np.arange(1, len(ranks) + 1) / ranks)
    ones = np.ones(len(ranks), np.int64)
    assert expected_average_precision(ranks - 1, ones, ones) == pytest.approx(wanted)
