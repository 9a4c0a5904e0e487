import numpy as np
import pytest

from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.testing.index_contract import feature_like

DIM = 24
COUNT = 2000


@pytest.fixture(scope="session")
def vectors():
    return feature_like(COUNT, DIM, seed=1)


@pytest.fixture(scope="session")
def photo():
    return feature_like(4, DIM, seed=2)


@pytest.fixture
def indexes(tmp_path):
    return CategoryIndexes(tmp_path / "indexes", "space", "l2", DIM)


@pytest.fixture
def build(indexes, vectors):
    def build(category="dress", n=COUNT, *, into=indexes, last_feature_id=10**6, version="fit"):
        blocks = [
            (np.arange(start, min(start + 700, n)) * 3 + 1, vectors[start : min(start + 700, n)])
            for start in range(0, n, 700)
        ]
        return into.build(
            category, blocks, transform_version=version, last_feature_id=last_feature_id, n_rows=n
        )

    return build
