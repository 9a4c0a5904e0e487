"""Ranks on galleries that can be checked by eye, in any block, and on TensorFlow."""

from __future__ import annotations

import numpy as np
import pytest

from stylesearch.evaluation.ranking import RankedGallery, make_rough, rank
from stylesearch.evaluation.vectors import Vectors
from stylesearch.metrics import METRICS
from stylesearch.metrics_kernels import Rough

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
    with Vectors(tmp_path, 1000) as room:
        mapped = room.array(300, 40)
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
    from stylesearch.evaluation.gpu import GpuRough

    rng = np.random.default_rng(6)
    gallery = RankedGallery(rng.random((120, 33), dtype=np.float32), np.arange(120) // 2)
    queries, right = rng.random((17, 2, 33), dtype=np.float32), rng.integers(0, 60, 17)
    ours = rank(queries, right, gallery, metric)
    theirs = rank(queries, right, gallery, metric, rough=GpuRough)
    for name in COLUMNS:
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name


def test_without_a_gpu_tensorflow_is_not_asked(monkeypatch):
    monkeypatch.setenv("STYLESEARCH_DEVICE", "cpu")
    assert make_rough() is Rough


def test_shapes_that_do_not_fit_are_refused():
    gallery = RankedGallery(line(0, 1), np.array([0, 1]))
    with pytest.raises(ValueError, match="Received"):
        rank(np.zeros((1, 1, 2), np.float32), np.array([0]), gallery, "l1")
    with pytest.raises(ValueError, match="metric"):
        rank(np.zeros((1, 1, 1), np.float32), np.array([0]), gallery, "manhattan")
