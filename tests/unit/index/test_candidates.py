"""What candidates are found with: reduced vectors, scanning them, and the choice between the ways."""

import numpy as np
import pytest

from stylesearch.distance import METRICS
from stylesearch.index.annoy_forest import annoy_works
from stylesearch.index.base import ExactIndex
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.index.reduction import PANEL, Reduction, Scan, fit_reduction, scan_min, scan_panels
from stylesearch.index.reranked import TRUSTED_RECALL, Strategy, plan, possible_strategies
from stylesearch.testing.index_contract import feature_like


@pytest.mark.parametrize("metric", METRICS)
def test_all_axes_lose_nothing(metric):
    vectors, queries = feature_like(200, 12, seed=1), feature_like(3, 12, seed=2)
    reduction = fit_reduction(vectors, metric, 12, seed=0)
    asked, offsets = reduction.reduce_queries(queries)
    stored = reduction.reduce(vectors)
    squared = ((asked[:, None] - stored[None]) ** 2).sum(axis=2) + offsets[:, None]
    if metric == "cosine":
        vectors, queries = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (vectors, queries))
    elif metric == "l1":
        vectors, queries = np.sqrt(vectors), np.sqrt(queries)
    assert np.allclose(squared, ((queries[:, None] - vectors[None]) ** 2).sum(axis=2), rtol=1e-3, atol=1e-3)


def test_what_the_axes_hide_counts_half():
    """Points on one axis, and one far from it: half of its squared distance from the axis is kept."""
    vectors = np.array([[float(i), 0.0] for i in range(-5, 6)] + [[0.0, 2.0]], np.float32)
    reduction = Reduction(
        np.zeros(2, np.float32), np.array([[1.0], [0.0]], np.float32), unit=False, root=False
    )
    asked, offsets = reduction.reduce_queries(vectors[5:6])
    squared = ((reduction.reduce(vectors) - asked) ** 2).sum(axis=1) + offsets[0]
    assert squared[5] == 0
    assert squared[-1] == pytest.approx(0.5 * 2.0**2)
    assert squared[0] == 25


def test_a_reduction_is_saved_and_is_the_same_for_the_same_sample(tmp_path):
    vectors = feature_like(300, 40, seed=1)
    one, two = (fit_reduction(vectors, "cosine", 8, seed=3) for _ in range(2))
    assert np.array_equal(one.axes, two.axes)
    assert np.allclose(one.axes.T @ one.axes, np.eye(8), atol=1e-5)
    one.save(tmp_path / "reduction.npz")
    loaded = Reduction.load(tmp_path / "reduction.npz")
    assert np.array_equal(loaded.reduce(vectors), one.reduce(vectors))
    assert (loaded.unit, loaded.root) == (True, False)


def test_roots_are_taken_only_of_what_is_never_negative():
    vectors = feature_like(50, 10, seed=1)
    assert fit_reduction(vectors, "l1", 4, seed=0).root
    assert not fit_reduction(vectors - 0.1, "l1", 4, seed=0).root
    assert not fit_reduction(vectors, "l2", 4, seed=0).root


@pytest.mark.parametrize("count", [1, PANEL, 5000])
def test_scanning_gives_squared_distances(count):
    reduced, queries = feature_like(count, 30, seed=1), feature_like(5, 30, seed=2)
    offsets = np.arange(5, dtype=np.float32)
    squared = ((queries[:, None] - reduced[None]) ** 2).sum(axis=2)
    panels = scan_panels(reduced)
    assert np.array_equal(panels.transpose(0, 2, 1).reshape(-1, 31)[:count, :30], reduced)
    scores = scan_min([Scan(panels, count, queries, offsets)])
    assert scores.shape == (count,)
    assert np.allclose(scores, (squared + offsets[:, None]).min(axis=0), atol=1e-2)
    assert np.allclose(scan_min([Scan(panels, count, queries[:1])]), squared[0], atol=1e-2)


def test_each_way_is_the_quickest_somewhere():
    chosen = [plan("cosine", n, 1280, 97, 1, 20).strategy for n in (1000, 30_000, 10**6)]
    assert chosen == [Strategy.EXACT, Strategy.SCAN, Strategy.ANNOY]
    assert possible_strategies("cosine", 1000, 1280, 97) == {Strategy.EXACT}
    assert possible_strategies("cosine", 10**6, 1280, 97) >= {Strategy.ANNOY}
    assert plan("cosine", 10**6, 1280, 97, 1, 20, with_annoy=False).strategy is Strategy.SCAN


def test_more_is_searched_where_more_is_asked_for():
    few, many = (plan("l2", 10**6, 1280, 97, 4, k) for k in (20, 1000))
    assert many.n_candidates > few.n_candidates
    assert many.search_k >= 2 * many.n_candidates
    assert plan("l2", 10**4, 1280, 97, 4, 2000).strategy is Strategy.EXACT, "nearly all are asked for"


def test_the_plan_for_a_few_is_that_for_one():
    for metric in METRICS:
        assert plan(metric, 10**5, 1280, 97, 16, 1) == plan(metric, 10**5, 1280, 97, 16, 80)


@pytest.mark.skipif(not annoy_works(), reason="there are no trees without Annoy")
def test_the_scan_goes_on_where_the_trees_do_not_convince(tmp_path, monkeypatch):
    """Vectors that vary in all directions: what few axes and few looks into trees propose is not enough."""
    vectors = np.random.default_rng(0).standard_normal((20_000, 96), dtype=np.float32)
    queries = np.random.default_rng(1).standard_normal((6, 96), dtype=np.float32)
    monkeypatch.setattr("stylesearch.index.index_files.N_AXES_SIGNED", 24)
    indexes = CategoryIndexes(tmp_path, "space", "cosine", 96, strategy=Strategy.ANNOY)
    indexes.build("all", [(np.arange(20_000), vectors)], transform_version="v", last_feature_id=1)
    opened = indexes.open("all")
    scans = []
    monkeypatch.setattr(
        "stylesearch.index.reranked.scan_min", lambda *args: scans.append(1) or scan_min(*args)
    )
    found, _ = opened.query(queries, 20)
    assert scans
    true, _ = ExactIndex(vectors, "cosine").query(queries, 20)
    assert np.mean([np.isin(t, f).mean() for t, f in zip(true, found, strict=True)]) >= 0.99


@pytest.mark.skipif(not annoy_works(), reason="there are no trees without Annoy")
def test_trees_over_vectors_like_features_are_trusted(tmp_path):
    indexes = CategoryIndexes(tmp_path, "space", "cosine", 96)
    blocks = [(np.arange(9000), feature_like(9000, 96, seed=1))]
    manifest = indexes.build("all", blocks, transform_version="v", last_feature_id=1)
    assert manifest.annoy_recall >= TRUSTED_RECALL
