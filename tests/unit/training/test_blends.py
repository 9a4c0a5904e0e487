"""Looking up ranks of mixed distances gives what ranking the mixed vectors gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stylesearch.evaluation.ranking import RankedGallery, rank
from stylesearch.evaluation.scores import top_k_share
from stylesearch.features.arrays import category_scales
from stylesearch.spaces.learned import Layer, LearnedTransform
from stylesearch.spaces.unsupervised import RawTransform
from stylesearch.training.category_weights import GRID, KS, BlendInput, BlendTable, blend_table

CATEGORIES = ("coat", "dress", "dress", "skirt", "coat", "skirt", "dress", "coat")
NAMES = ["coat", "dress", "skirt"]


def blended(metric: str, n_queries: int = 40) -> tuple[BlendInput, LearnedTransform, Any, Any]:
    rng = np.random.default_rng(3)
    n_products = 4 * len(CATEGORIES)
    product_of = np.sort(np.concatenate([np.arange(n_products), rng.integers(0, n_products, 20)]))
    gallery = rng.normal(size=(len(product_of), 6)).astype(np.float32)
    right = rng.integers(0, n_products, n_queries)
    first = np.searchsorted(product_of, right)
    queries = gallery[first][:, None] + rng.normal(scale=0.9, size=(n_queries, 3, 6)).astype(np.float32)
    queries = queries.astype(np.float32)
    raw = RawTransform(6)
    layer = Layer(rng.normal(size=(6, 4)).astype(np.float32), None)
    transform = LearnedTransform("siamese:x", raw, raw, (layer,), metric, {"": 0.5}, 1.0)
    vectors = transform.apply(gallery)
    seen = transform.apply(queries.reshape(-1, 6)).reshape(n_queries, 3, -1)
    own = np.full(n_queries, -1)
    several = np.bincount(product_of)[right] > 1
    own[several] = first[several]
    class_of = np.array([NAMES.index(CATEGORIES[number % 8]) for number in range(n_products)])
    return (
        BlendInput(
            (seen[..., :4], seen[..., 4:]),
            (vectors[:, :4], vectors[:, 4:]),
            metric,
            right,
            own,
            product_of,
            class_of,
            len(NAMES),
        ),
        transform,
        vectors,
        seen,
    )


@pytest.mark.parametrize("metric", ["cosine", "l1"])
@pytest.mark.parametrize("weights", [(0, 0, 0), (10, 10, 10), (0, 5, 10), (7, 3, 1)])
def test_scores_are_those_of_ranking_the_scaled_vectors(metric: str, weights: tuple[int, ...]) -> None:
    from dataclasses import replace

    mixed, transform, vectors, seen = blended(metric)
    found = blend_table(mixed).scores(weights)
    by_name = {name: GRID[place] for name, place in zip(NAMES, weights, strict=True)}
    transform = replace(transform, weights={"": 0.5, **by_name})
    categories = [NAMES[mixed.class_of[number]] for number in mixed.product_of]
    scale_of, scales = category_scales(transform, categories)
    assert scale_of is not None
    assert scales is not None
    gallery = RankedGallery(vectors * scales[scale_of], mixed.product_of, scale_of, scales)
    exact = rank(seen, mixed.right, gallery, metric, own=mixed.own)
    wanted = np.mean([top_k_share(exact.n_nearer, exact.n_tied, k) for k in KS], axis=0)
    assert 0.1 < wanted.mean() < 0.95
    np.testing.assert_allclose(found, wanted)


def test_blocks_do_not_change_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    mixed = blended("cosine")[0]
    whole = blend_table(mixed)
    monkeypatch.setattr("stylesearch.training.category_weights._BYTES", 1)
    parts = blend_table(mixed)
    np.testing.assert_array_equal(whole.n_nearer, parts.n_nearer)
    np.testing.assert_array_equal(whole.n_tied, parts.n_tied)


def test_a_class_without_products_counts_nothing() -> None:
    from dataclasses import replace

    mixed = blended("cosine")[0]
    more = replace(mixed, class_of=mixed.class_of + 1, n_classes=5)
    table = blend_table(more)
    assert not table.n_nearer[:, [0, 4]].any()
    assert not table.n_tied[:, [0, 4]].any()
    np.testing.assert_array_equal(table.n_nearer[:, 1:4], blend_table(mixed).n_nearer)


def test_a_table_looks_up_each_class_by_its_own_weight() -> None:
    nearer = np.zeros((1, 2, 2, 2), np.int32)
    nearer[0, 0, 1, 1] = 30  # class 0 at its second weight, for a right product at its second weight
    tied = np.zeros_like(nearer)
    tied[0, 0] = 1
    table = BlendTable(nearer, tied, np.array([0]))
    assert table.scores([0, 0]).tolist() == [1.0]
    assert table.scores([0, 1]).tolist() == [1.0]
    assert table.scores([1, 0]).tolist() == [0.0]
