"""Every index keeps the contract: exact, as it chooses for itself, and each way of finding candidates."""

import numpy as np
import pytest

from stylesearch.index.base import ExactIndex
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.index.reranked import RerankedIndex, Strategy
from stylesearch.testing.index_contract import IndexContract

pytestmark = pytest.mark.slow


class TestExact(IndexContract):
    recall_floor = 1.0

    @pytest.fixture
    def make(self):
        return ExactIndex


class OnDisk(IndexContract):
    """Built, saved and opened again; slots are the ids."""

    strategy: Strategy | None = None
    expected: type | tuple[type, ...] = (ExactIndex, RerankedIndex)

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls, tmp_path_factory):
        return tmp_path_factory.mktemp("indexes")

    @pytest.fixture
    def make(self, folder):
        def make(vectors, metric):
            indexes = CategoryIndexes(folder / metric, "space", metric, self.dim, strategy=self.strategy)
            if "dress" not in indexes.categories():
                ids = np.arange(len(vectors))
                indexes.build("dress", [(ids, vectors)], transform_version="1", last_feature_id=len(ids))
            opened = indexes.open("dress")
            assert isinstance(opened.slots, self.expected)
            assert np.array_equal(opened.ids, np.arange(len(vectors)))
            return opened.slots

        return make


class TestChosen(OnDisk):
    pass


class TestChosenOfMany(OnDisk):
    """Enough vectors for candidates to be the quicker way."""

    n_vectors, dim, expected = 12_000, 192, RerankedIndex


class TestScan(OnDisk):
    strategy, expected = Strategy.SCAN, RerankedIndex


class TestAnnoy(OnDisk):
    strategy, expected = Strategy.ANNOY, RerankedIndex
