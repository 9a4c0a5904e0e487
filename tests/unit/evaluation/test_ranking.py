"""Ranks on galleries that can be checked by eye, in any block, and on TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from stylesearch.distance import METRICS, distances
from stylesearch.evaluation.fast_distances import FaissDistances
from stylesearch.evaluation.ranking import RankedGallery, choose_fast_distances, rank
from stylesearch.features.arrays import ArrayPool

COLUMNS = ("n_nearer", "n_tied", "average_precision", "right_image", "right_distance", "hit_images")


def line(*positions: float) -> np.ndarray:
    return np.array(positions, np.float32)[:, None]


def test_a_line_by_hand():
    """Query at 0; products at 1 and 9, at 2, at 2 as well, at 5."""
    gallery = RankedGallery(line(9, 1, 2, 2, 5), np.array([0, 0, 1, 2, 3]))
    queries = np.zeros((4, 1, 1), np.float32)
    found = rank(queries, np.arange(4), gallery, "l1", n_hits=3)
    assert found.n_nearer.tolist() == [0, 1, 1, 3]
    assert found.n_tied.tolist() == [1, 2, 2, 1]
    assert found.ranks.tolist() == [1, 2.5, 2.5, 4]
    assert found.average_precision == pytest.approx([(1 + 2 / 5) / 2, 5 / 12, 5 / 12, 1 / 4])
    assert found.right_image.tolist() == [1, 2, 3, 4]
    assert found.hit_images[0].tolist() == [1, 2, 3]
    assert found.hit_distances[0].tolist() == [1, 2, 2]


def test_the_nearest_region_counts_and_is_named():
    gallery = RankedGallery(line(0, 10), np.array([0, 1]))
    queries = np.array([[[6.0], [9.0]]], np.float32)
    found = rank(queries, np.array([0]), gallery, "l2")
    assert found.hit_images.tolist() == [[1, 0]]
    assert found.hit_distances.tolist() == [[1, 6]]
    assert found.hit_regions.tolist() == [[1, 0]]


def test_a_query_never_finds_itself():
    gallery = RankedGallery(line(0, 4, 1), np.array([0, 0, 1]))
    found = rank(np.zeros((1, 1, 1), np.float32), np.array([0]), gallery, "l1", own=np.array([0]))
    assert found.n_nearer.tolist() == [1]
    assert found.hit_images.tolist() == [[2, 1]]
    with pytest.raises(ValueError, match="no picture in the gallery but itself"):
        rank(np.zeros((1, 1, 1), np.float32), np.array([1]), gallery, "l1", own=np.array([2]))


@pytest.mark.parametrize("metric", METRICS)
def test_neither_blocks_nor_a_mapped_gallery_change_anything(metric, tmp_path):
    rng = np.random.default_rng(4)
    product_of = np.repeat(np.arange(150), 2)
    vectors = rng.random((300, 40), dtype=np.float32)
    vectors[100] = vectors[7]  # a tie across blocks
    queries, right = rng.random((30, 3, 40), dtype=np.float32), rng.integers(0, 150, 30)
    queries[3, 1] = vectors[7]
    whole = rank(queries, right, RankedGallery(vectors, product_of), metric)
    with ArrayPool(tmp_path, 1000) as pool:
        mapped = pool.array(300, 40)
        assert isinstance(mapped, np.memmap)
        mapped[:] = vectors
        small = rank(queries, right, RankedGallery(mapped, product_of), metric, max_bytes=20_000)
    for name in (*COLUMNS, "hit_regions"):
        assert np.array_equal(getattr(whole, name), getattr(small, name)), name
    assert list(tmp_path.iterdir()) == []


def test_memory_holds_blocks_only():
    """The whole matrix would take 16 MB; an option of 1 MB keeps what is allocated near that."""
    import tracemalloc

    rng = np.random.default_rng(5)
    gallery = RankedGallery(rng.random((2000, 8), dtype=np.float32), np.arange(2000))
    queries, right = rng.random((2000, 1, 8), dtype=np.float32), rng.integers(0, 2000, 2000)
    tracemalloc.start()
    rank(queries, right, gallery, "l1", max_bytes=2**20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * 2**20


@pytest.mark.parametrize("metric", METRICS)
def test_tensorflow_gives_the_same_ranks(metric):
    """On a GPU it computes the fast distances; here, on the processor, the same code does."""
    pytest.importorskip("tensorflow")
    from stylesearch.evaluation.fast_distances import GpuDistances

    rng = np.random.default_rng(6)
    gallery = RankedGallery(rng.random((120, 33), dtype=np.float32), np.arange(120) // 2)
    queries, right = rng.random((17, 2, 33), dtype=np.float32), rng.integers(0, 60, 17)
    ours = rank(queries, right, gallery, metric)
    theirs = rank(queries, right, gallery, metric, fast_distances=GpuDistances)
    for name in COLUMNS:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name


def test_without_a_gpu_tensorflow_is_not_asked(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "cpu")
    assert choose_fast_distances() is FaissDistances


@pytest.mark.parametrize("dim", [7, 1280])
def test_faiss_is_within_the_bound_of_the_exact_distances(dim):
    """Several calls a block, at the width of a feature; values of either sign and very different sizes."""
    rng = np.random.default_rng(8)
    rows = (rng.standard_normal((500, dim)) * 10 ** rng.uniform(-3, 3, (500, 1))).astype(np.float32)
    queries = rng.standard_normal((9, dim)).astype(np.float32)
    fast = FaissDistances(queries, "l1")
    out = np.empty((9, 500), np.float32)
    sizes = fast.fill(rows, out)
    wanted = np.abs(queries[:, None].astype(np.float64) - rows[None]).sum(axis=2)
    assert (np.abs(out - wanted) <= fast.scale(sizes) * fast.tolerance).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("max_bytes", [20_000, 10**8])
def test_rows_of_several_scales_are_ranked_as_if_the_queries_were_scaled_for_each(metric, max_bytes):
    """Against the definition: every distance by itself, from the query as that row's scale makes it."""
    rng = np.random.default_rng(9)
    product_of = np.arange(120) // 2
    scale_of = (product_of * 7 % 3).astype(np.int64)
    scales = rng.random((3, 10), dtype=np.float32)
    scales[1, :5] = 0  # a part of the axes may count for nothing
    vectors = rng.random((120, 10), dtype=np.float32) * scales[scale_of]
    queries, right = rng.random((20, 2, 10), dtype=np.float32), rng.integers(0, 60, 20)
    found = rank(
        queries, right, RankedGallery(vectors, product_of, scale_of, scales), metric, max_bytes=max_bytes
    )
    table = np.empty((20, 120))
    for query in range(20):
        for row in range(120):
            scaled = queries[query] * scales[scale_of[row]]
            table[query, row] = distances(scaled, vectors[row : row + 1], metric).min()
    products = table.reshape(20, 60, 2).min(axis=2)
    to_right = products[np.arange(20), right]
    assert found.n_nearer.tolist() == (products < to_right[:, None]).sum(axis=1).tolist()
    assert found.right_distance == pytest.approx(to_right, rel=1e-5)
    assert (found.hit_images[:, 0] == table.argmin(axis=1)).all()


def test_shapes_that_do_not_fit_are_refused():
    gallery = RankedGallery(line(0, 1), np.array([0, 1]))
    with pytest.raises(ValueError, match="Received"):
        rank(np.zeros((1, 1, 2), np.float32), np.array([0]), gallery, "l1")
    with pytest.raises(ValueError, match="metric"):
        rank(np.zeros((1, 1, 1), np.float32), np.array([0]), gallery, "manhattan")
