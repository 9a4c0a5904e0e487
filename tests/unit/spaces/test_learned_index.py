"""Vectors of a learned space go through Annoy's trees as those of any other space do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylesearch.index.annoy_forest import annoy_works
from stylesearch.index.base import ExactIndex
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.index.reranked import Strategy
from stylesearch.spaces import fit_transform
from stylesearch.spaces.base import scale_for_category
from stylesearch.spaces.unsupervised import RawTransform
from stylesearch.testing import fake_transform

DIM, N_OF_GROUP, N_QUERIES, K = 40, 20, 50, 20


@pytest.mark.skipif(not annoy_works(), reason="without Annoy everything is exact")
@pytest.mark.parametrize(
    ("metric", "n_groups", "strategy"),
    [
        ("cosine", 600, Strategy.ANNOY),
        ("l1", 200, Strategy.ANNOY),
        # By l1 a head of random numbers is too hard for the trees here (0.975): a build measures that, and
        # searches go another way unless they are forced through them.
        ("l1", 600, None),
    ],
)
def test_annoy_finds_the_nearest_of_a_learned_space(
    tmp_path: Path, metric: str, n_groups: int, strategy: Strategy | None
) -> None:
    rng = np.random.default_rng(3)
    centres = np.repeat(rng.normal(size=(n_groups, DIM)), N_OF_GROUP, axis=0)
    features = np.maximum(centres + 0.4 * rng.normal(size=centres.shape) + 0.3, 0).astype(np.float32)
    whitened = fit_transform("whitened", iter([features]), dim_in=DIM, n_rows=len(features))
    base = RawTransform(DIM) if metric == "l1" else None
    transform = fake_transform(whitened, base=base, metric=metric, weights={"": 0.5, "dress": 0.8})
    vectors = scale_for_category(transform, transform.apply(features), "dress")
    seen = features[:: len(features) // N_QUERIES] + 0.1 * rng.random((N_QUERIES, DIM), np.float32)
    queries = scale_for_category(transform, transform.apply(seen), "dress")

    indexes = CategoryIndexes(tmp_path, "learned", metric, transform.dim, strategy=strategy)
    ids = np.arange(len(vectors))
    indexes.build("dress", [(ids, vectors)], transform_version=transform.version, last_feature_id=len(ids))
    opened = indexes.open("dress", transform_version=transform.version)
    assert opened.kind == "annoy"
    assert opened.count == len(features)
    found, _ = opened.query(queries, K)
    opened.close()
    nearest, _ = ExactIndex(vectors, metric).query(queries, K)
    shared = [len(set(one) & set(other)) for one, other in zip(found.tolist(), nearest.tolist(), strict=True)]
    assert sum(shared) / (K * N_QUERIES) >= 0.99
