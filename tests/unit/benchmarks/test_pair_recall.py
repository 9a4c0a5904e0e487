"""How recall of products is counted, and that the ways to search are compared on the same queries."""

import numpy as np
import pytest

from benchmarks.pair_recall import N_IMAGES, N_PRODUCTS, first_products
from benchmarks.recall import WAYS, search_in_turn, share_found
from stylesearch.index.category_indexes import CategoryIndexes


def test_the_first_products_are_those_of_the_nearest_images():
    assert first_products(np.array([7, 2, 6, 3, 0])).tolist() == [3, 1, 0]
    assert first_products(np.arange(N_IMAGES)[::-1]).tolist() == list(range(39, 39 - N_PRODUCTS, -1))


def test_recall_is_a_share_of_the_true_products():
    true, found = np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), np.array([[4, 3, 2, 1], [5, 6, 70, 80]])
    assert share_found(list(true), list(found)) == 0.75


def test_every_way_has_a_cell_for_every_kind_of_query(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((3000, 40)).astype(np.float32)
    indexes = CategoryIndexes(tmp_path, "bench", "cosine", 40)
    indexes.build("all", iter([(np.arange(3000), vectors)]), transform_version="v", last_feature_id=3000)
    near = vectors[rng.choice(3000, (3, 8))] + np.float32(0.1)
    cells = search_in_turn(indexes, {"pairs": list(near), "regions": list(near[:, :2])}, 80, first_products)
    assert list(cells) == ["pairs", "regions"]
    for exact, *others in cells.values():
        assert exact.endswith(" ms")
        assert len(others) == len(WAYS) - 1
        assert [float(cell.split(",")[0]) for cell in others] == pytest.approx([1, 1, 1], abs=0.05)
