"""Contract tests of indexes, as a class to inherit from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from stylesearch.array_types import Floats
from stylesearch.distance import METRICS
from stylesearch.index.base import ExactIndex, VectorIndex

__all__ = ["IndexContract", "feature_like"]


def feature_like(n_vectors: int, dim: int, *, seed: int) -> Floats:
    """Draws vectors like a CNN's features: ReLU of clusters in few dimensions; float32, (n_vectors, dim)."""
    fixed = np.random.default_rng(20)
    n_latent = min(24, dim)
    mix = fixed.standard_normal((n_latent, dim)) / np.sqrt(n_latent)
    centres = 1.5 * fixed.standard_normal((40, n_latent))
    random = np.random.default_rng(seed)
    latent = centres[random.integers(0, len(centres), n_vectors)]
    latent = latent + random.standard_normal((n_vectors, n_latent))
    noise = 0.1 * random.standard_normal((n_vectors, dim))
    vectors: Floats = np.maximum(latent @ mix + noise - 0.2, 0).astype(np.float32)
    return vectors


class IndexContract:
    """Tests of one kind of index: inherit, and give it the fixture ``make``.

    ```python
    class TestMyIndex(IndexContract):
        @pytest.fixture
        def make(self):
            return lambda vectors, metric: MyIndex(vectors, metric)
    ```

    Attributes:
        recall_floor: smallest share of the exact 20 nearest that the index must find.
        n_vectors, dim: size of the gallery of the tests.
    """

    recall_floor = 0.99
    n_vectors = 3000
    dim = 48

    @pytest.fixture(scope="class")
    @classmethod
    def gallery(cls) -> Floats:
        """Stored vectors, with duplicates and a zero vector."""
        vectors = feature_like(cls.n_vectors, cls.dim, seed=1)
        vectors[100] = vectors[200] = vectors[7]
        vectors[11] = 0
        return vectors

    @pytest.fixture(scope="class")
    @classmethod
    def queries(cls) -> Floats:
        """Query vectors that are not in the gallery."""
        return feature_like(16, cls.dim, seed=2)

    @pytest.fixture(params=METRICS)
    def metric(self, request: pytest.FixtureRequest) -> str:
        """Each metric in turn."""
        return str(request.param)

    @pytest.fixture
    def index(self, make: Any, gallery: Floats, metric: str) -> VectorIndex:
        """The index under test, of the gallery."""
        index: VectorIndex = make(gallery, metric)
        return index

    @pytest.fixture
    def oracle(self, gallery: Floats, metric: str) -> ExactIndex:
        """Exact search, which the index has to agree with."""
        return ExactIndex(gallery, metric)

    def test_is_an_index(self, index: VectorIndex, metric: str) -> None:
        assert isinstance(index, VectorIndex)
        assert (index.metric, index.dim, index.count) == (metric, self.dim, self.n_vectors)

    def test_shapes_and_types(self, index: VectorIndex, queries: Floats) -> None:
        slots, distances = index.query(queries, 5)
        assert slots.shape == distances.shape == (16, 5)
        assert slots.dtype == np.int64
        assert distances.dtype == np.float32
        slots, distances, rows = index.search_any(queries, 5)
        assert slots.shape == distances.shape == rows.shape == (5,)
        assert slots.dtype == rows.dtype == np.int64
        assert distances.dtype == np.float32

    def test_sorted_and_distinct(self, index: VectorIndex, queries: Floats) -> None:
        slots, distances = index.query(queries, 30)
        for row in range(len(queries)):
            _assert_ordered(slots[row], distances[row])
        slots, distances, _ = index.search_any(queries, 30)
        _assert_ordered(slots, distances)

    def test_k_is_clipped(self, index: VectorIndex, oracle: ExactIndex, queries: Floats) -> None:
        slots, _ = index.query(queries[:2], self.n_vectors + 5)
        assert (np.sort(slots, axis=1) == np.arange(self.n_vectors)).all()
        given, right = index.search_any(queries, self.n_vectors + 5), oracle.search_any(queries, 10**6)
        assert np.array_equal(given[0], right[0])
        assert np.array_equal(given[1], right[1])
        assert np.array_equal(given[2], right[2])

    def test_fewer_is_the_beginning_of_more(self, index: VectorIndex, queries: Floats) -> None:
        assert np.array_equal(index.query(queries, 1)[0], index.query(queries, 10)[0][:, :1])
        assert np.array_equal(index.search_any(queries, 1)[0], index.search_any(queries, 10)[0][:1])

    def test_distances_are_exact(self, index: VectorIndex, oracle: ExactIndex, queries: Floats) -> None:
        all_slots, all_distances = oracle.query(queries, self.n_vectors)
        slots, distances = index.query(queries, 20)
        for row in range(len(queries)):
            place = np.argsort(all_slots[row])[slots[row]]
            assert np.array_equal(distances[row], all_distances[row][place])

    def test_recall(self, index: VectorIndex, oracle: ExactIndex, queries: Floats) -> None:
        found, right = index.query(queries, 20)[0], oracle.query(queries, 20)[0]
        shares = [np.isin(right[row], found[row]).mean() for row in range(len(queries))]
        assert np.mean(shares) >= self.recall_floor
        found, right = index.search_any(queries, 20)[0], oracle.search_any(queries, 20)[0]
        assert np.isin(right, found).mean() >= self.recall_floor

    def test_several_queries_take_the_smallest(self, index: VectorIndex, queries: Floats) -> None:
        slots, distances, rows = index.search_any(queries, 20)
        alone, _ = index.query(queries, 20)
        assert len(np.unique(rows)) > 1, "the queries are chosen so that several of them are near something"
        for slot, distance, row in zip(slots, distances, rows, strict=True):
            assert slot in alone[row]
            for other in range(len(queries)):
                same = np.flatnonzero(alone[other] == slot)
                assert not len(same) or index.query(queries[other : other + 1], 20)[1][0, same[0]] >= distance

    def test_finds_itself_and_its_duplicates(self, index: VectorIndex, gallery: Floats) -> None:
        slots, distances = index.query(gallery[7:8], 3)
        assert slots.tolist() == [[7, 100, 200]]
        assert distances.tolist() == [[0.0, 0.0, 0.0]]

    def test_no_queries(self, index: VectorIndex) -> None:
        nothing = np.empty((0, self.dim), np.float32)
        assert index.query(nothing, 3)[0].shape == (0, 3)
        assert [len(part) for part in index.search_any(nothing, 3)] == [0, 0, 0]

    def test_arguments_are_not_changed(self, index: VectorIndex, gallery: Floats, queries: Floats) -> None:
        before = gallery.copy(), queries.copy()
        index.query(queries, 3)
        index.search_any(queries, 3)
        assert np.array_equal(before[0], gallery)
        assert np.array_equal(before[1], queries)

    def test_other_number_types_are_taken(self, index: VectorIndex, queries: Floats) -> None:
        wide: npt.NDArray[np.float64] = queries.astype(np.float64)
        assert np.array_equal(index.query(wide, 3)[0], index.query(queries, 3)[0])

    @pytest.mark.parametrize("shape", [(2, 47), (48,), (1, 2, 48)])
    def test_other_shapes_are_refused(self, index: VectorIndex, shape: tuple[int, ...]) -> None:
        for ask in (index.query, index.search_any):
            with pytest.raises(ValueError, match="shape"):
                ask(np.zeros(shape, np.float32), 3)

    def test_what_makes_no_sense_is_refused(self, index: VectorIndex, queries: Floats) -> None:
        broken = queries.copy()
        broken[3, 3] = np.nan
        for ask in (index.query, index.search_any):
            with pytest.raises(ValueError, match="finite"):
                ask(broken, 3)
            with pytest.raises(ValueError, match="k has to be"):
                ask(queries, 0)


def _assert_ordered(slots: npt.NDArray[np.int64], distances: Floats) -> None:
    assert np.array_equal(np.lexsort((slots, distances)), np.arange(len(slots)))
    assert len(np.unique(slots)) == len(slots)
    assert (distances >= 0).all()
