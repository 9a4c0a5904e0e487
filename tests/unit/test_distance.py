"""Distances by hand, and the corners that a formula hides."""

import numpy as np
import pytest

from stylesearch import parallel
from stylesearch.distance import METRICS, check_metric, distances, nearest, nearest_to_any
from stylesearch.distance_kernels import matrix_product


@pytest.mark.parametrize(("metric", "expected"), [("l1", 7.0), ("l2", 5.0), ("cosine", 1.0)])
def test_by_hand(metric, expected):
    assert distances(np.array([[0.0, 3.0]]), np.array([[4.0, 0.0]]), metric).item() == pytest.approx(expected)


def test_cosine_runs_from_0_to_2():
    x = np.array([[1.0, 2.0, 3.0]])
    assert distances(x, np.array([[2.0, 4.0, 6.0], [-1.0, -2.0, -3.0]]), "cosine").tolist() == [[0.0, 2.0]]


@pytest.mark.parametrize(
    ("metric", "expected"), [("l1", [[0.0, 3.0]]), ("l2", [[0.0, 5**0.5]]), ("cosine", [[1.0, 1.0]])]
)
def test_a_zero_vector_has_no_direction(metric, expected):
    zero, gallery = np.zeros((1, 2)), np.array([[0.0, 0.0], [1.0, 2.0]])
    assert distances(zero, gallery, metric).tolist() == np.float32(expected).tolist()
    slots, found = nearest(zero, gallery, metric, 2)
    assert (slots.tolist(), found.tolist()) == ([[0, 1]], np.float32(expected).tolist())


@pytest.mark.parametrize("metric", METRICS)
def test_nearly_equal_large_vectors_keep_their_difference(metric):
    """|x| ** 2 + |y| ** 2 - 2 x y and 2 max(x, y) - x - y lose it altogether."""
    x = np.full((1, 600), 1000.0, np.float32)
    y = x.copy()
    y[0, 0] += 1
    expected = {"l1": 1.0, "l2": 1.0, "cosine": 1 - _cosine(x[0], y[0])}[metric]
    assert distances(x, y, metric).item() == pytest.approx(expected, rel=1e-3)
    assert nearest(x, y, metric, 1)[1].item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("metric", METRICS)
def test_equal_vectors_are_at_distance_0_wherever_they_lie(metric):
    random = np.random.default_rng(3)
    gallery = random.standard_normal((700, 97)).astype(np.float32)
    assert (np.diag(distances(gallery, gallery, metric)) == 0).all()
    slots, found = nearest(gallery, gallery, metric, 1)
    assert np.array_equal(slots[:, 0], np.arange(700))
    assert (found == 0).all()


@pytest.mark.parametrize("metric", METRICS)
def test_ties_are_in_the_order_of_rows(metric):
    random = np.random.default_rng(4)
    gallery = np.tile(random.standard_normal((3, 40)), (50, 1))
    slots, found = nearest(gallery[:1], gallery, metric, 60)
    assert slots[0, :50].tolist() == list(range(0, 150, 3))
    assert np.array_equal(np.lexsort((slots[0], found[0])), np.arange(60))


@pytest.mark.parametrize("metric", METRICS)
def test_the_nearest_query_wins_and_the_first_of_equals(metric):
    queries = np.array([[9.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    slots, found, rows = nearest_to_any(queries, np.array([[9.0, 1.0], [1.0, 0.0]]), metric, 5)
    assert (slots.tolist(), found.tolist(), rows.tolist()) == ([0, 1], [0.0, 0.0], [0, 1])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_gallery_of_another_type_or_in_a_file_will_do(dtype, tmp_path):
    gallery = np.random.default_rng(5).random((50, 8)).astype(dtype)
    np.save(tmp_path / "gallery.npy", gallery)
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    for metric in METRICS:
        in_memory = nearest(gallery[:3].astype(np.float32), gallery.astype(np.float32), metric, 4)
        for one, other in zip(in_memory, nearest(gallery[:3], mapped, metric, 4), strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_to_compare(metric):
    some, none = np.ones((2, 3)), np.ones((0, 3))
    assert distances(some, none, metric).shape == (2, 0)
    assert distances(none, some, metric).shape == (0, 2)
    assert nearest(some, none, metric, 4)[0].shape == (2, 0)
    assert nearest(none, some, metric, 4)[0].shape == (0, 2)
    assert [len(part) for part in nearest_to_any(some, none, metric, 4)] == [0, 0, 0]


def test_what_cannot_be_compared_is_refused():
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match=r"l1, l2, cosine\. Received: 'l3'"):
        check_metric("l3")
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        distances(x, np.ones((2, 4)), "l1")
    with pytest.raises(ValueError, match="k has to be 1 or more"):
        nearest(x, x, "l1", 0)
    for broken in (np.nan, np.inf, 1e30):
        with pytest.raises(ValueError, match="finite"), np.errstate(over="ignore"):
            nearest(x, np.full((2, 3), broken), "l2", 1)


@pytest.mark.parametrize(
    ("rows", "dim", "queries"), [(1000, 98, 16), (1000, 98, 1), (7, 1280, 16), (300, 64, 500)]
)
def test_products_are_products(rows, dim, queries):
    random = np.random.default_rng(6)
    left, right = (random.random(shape, dtype=np.float32) for shape in ((rows, dim), (dim, queries)))
    assert np.allclose(matrix_product(left, right), left @ right, rtol=1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_threads_change_nothing(metric, monkeypatch):
    random = np.random.default_rng(7)
    queries, gallery = random.random((9, 400)), random.random((900, 400))
    alone = distances(queries, gallery, metric)
    monkeypatch.setattr(parallel, "usable_cores", lambda: 3)
    monkeypatch.setattr(parallel, "_WORTH_A_THREAD", 1000)
    assert np.allclose(distances(queries, gallery, metric), alone, rtol=1e-6)
    one, many = nearest(queries, gallery, metric, 9), nearest(queries, gallery, metric, 9, max_bytes=10**5)
    assert np.array_equal(one[0], many[0])
    assert np.array_equal(one[1], many[1])


def _cosine(x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)
    return x @ y / np.sqrt((x @ x) * (y @ y))
