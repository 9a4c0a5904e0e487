from pathlib import Path

import numpy as np
import pytest

from stylesearch.index.annoy_forest import annoy_works
from stylesearch.index.category_indexes import CategoryIndexes

N, DIM = 4000, 256


def vectors_of(n_directions: int) -> np.ndarray:
    """Vectors that vary in few directions, as features of photos do, or in all of them."""
    rng = np.random.default_rng(n_directions)
    mixing = np.eye(DIM) if n_directions == DIM else rng.standard_normal((n_directions, DIM))
    return (rng.standard_normal((N, n_directions)) @ mixing).astype(np.float32)


@pytest.mark.skipif(not annoy_works(), reason="without Annoy everything is exact")
@pytest.mark.parametrize(("n_directions", "many"), [(20, False), (DIM, True)])
def test_vectors_that_few_axes_do_not_show_get_more_candidates(
    tmp_path: Path, n_directions: int, many: bool
) -> None:
    vectors = vectors_of(n_directions)
    indexes = CategoryIndexes(tmp_path, "space", "cosine", DIM)
    blocks = iter([(np.arange(N), vectors)])
    manifest = indexes.build("all", blocks, transform_version="v", last_feature_id=N)
    assert (manifest.n_candidates > 60) == many
    opened = indexes.open("all")
    queries = vectors[:40] + vectors[40:80]
    found, _ = opened.query(queries, 20)
    normed = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    true = np.argsort(-(queries @ normed.T), axis=1)[:, :20]
    recall = np.mean([np.isin(t, f).mean() for t, f in zip(true, found, strict=True)])
    assert recall >= 0.99
