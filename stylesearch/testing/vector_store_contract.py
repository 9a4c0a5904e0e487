"""Contract tests of vector stores, as a class to inherit from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stylesearch.array_types import Floats, Ids
from stylesearch.catalog import ImageEntry
from stylesearch.catalog.selection import FeatureSelection
from stylesearch.distance import METRICS, nearest_to_any
from stylesearch.search.store import merge_candidates
from stylesearch.spaces.base import scale_for_category
from stylesearch.types import Domain

if TYPE_CHECKING:
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.search.store import Candidates, VectorStore

__all__ = ["VectorStoreContract"]


class VectorStoreContract:
    """Tests of one kind of store: inherit, and give it the fixtures ``shop`` and ``make``.

    ```python
    class TestMyStore(VectorStoreContract):
        @pytest.fixture
        def shop(self, tmp_path):
            ...  # a location with a catalog; `add(category, features) -> ids` and `remove(ids)` change it

        @pytest.fixture
        def make(self, shop):
            return lambda metric: MyStore(shop.location, metric)
    ```

    The shop begins with two categories or more. Its methods ``add`` and ``remove`` change the catalog only:
    the tests call ``VectorStore.add`` and ``VectorStore.remove``.

    Attributes:
        recall_floor: smallest share of the exact 20 nearest that the store must find.
    """

    recall_floor = 0.99

    @pytest.fixture(params=METRICS)
    def metric(self, request: pytest.FixtureRequest) -> str:
        """Each metric in turn."""
        return str(request.param)

    @pytest.fixture
    def store(self, make: Callable[[str], VectorStore], metric: str) -> VectorStore:
        """The store under test, with an index of all products that the shop begins with."""
        store = make(metric)
        store.build()
        return store

    @pytest.fixture
    def category(self, store: VectorStore) -> str:
        """The category that is searched."""
        return store.categories()[0]

    @pytest.fixture
    def queries(self, shop: Any, store: VectorStore, category: str) -> Floats:
        """Three query vectors of one photo, near some images and far from others."""
        _, vectors = _vectors(shop.location, store, category)
        noise = np.random.default_rng(3).standard_normal((3, vectors.shape[1])).astype(np.float32)
        queries: Floats = vectors[[1, 5, 9]] + 0.05 * float(np.abs(vectors).mean()) * noise
        return queries

    def test_it_finds_the_nearest_with_exact_distances(
        self, shop: Any, store: VectorStore, category: str, queries: Floats, metric: str
    ) -> None:
        found = store.search(queries, [category], 20)
        exact, distances = _exact(shop.location, store, category, queries, metric, 20)
        assert len(found.ids) == 20
        assert len(set(found.ids.tolist())) == 20
        assert len(np.intersect1d(found.ids, exact)) >= self.recall_floor * 20
        assert np.allclose(found.distances, distances, rtol=1e-4, atol=1e-5)
        assert np.all(np.diff(found.distances) >= 0)
        assert set(found.rows.tolist()) <= {0, 1, 2}

    def test_it_says_whether_these_are_all(
        self, shop: Any, store: VectorStore, category: str, queries: Floats
    ) -> None:
        ids, _ = _vectors(shop.location, store, category)
        assert not store.search(queries, [category], 5).complete
        everything = store.search(queries, [category], len(ids) + 1)
        assert everything.complete
        assert sorted(everything.ids.tolist()) == sorted(ids.tolist())

    def test_categories_are_searched_apart(
        self, shop: Any, store: VectorStore, category: str, queries: Floats
    ) -> None:
        other = store.categories()[1]
        ids, _ = _vectors(shop.location, store, other)
        assert set(store.search(queries, [other], 10**6).ids.tolist()) == set(ids.tolist())
        nothing = store.search(queries, ["no such category"], 5)
        assert len(nothing.ids) == 0
        assert nothing.complete

    def test_all_categories_are_searched_at_once(
        self, shop: Any, store: VectorStore, category: str, queries: Floats, metric: str
    ) -> None:
        found = store.search(queries, None, 20).first(20)
        exact, distances = _exact(shop.location, store, None, queries, metric, 20)
        assert len(set(found.ids.tolist())) == 20
        assert len(np.intersect1d(found.ids, exact)) >= self.recall_floor * 20
        assert np.allclose(found.distances, distances, rtol=1e-4, atol=1e-5)
        assert not found.complete
        everything = store.search(queries, None, 10**6)
        assert everything.complete
        assert len(everything.ids) == sum(shop.location.counts().values())
        assert np.all(np.diff(everything.distances) >= 0)

    def test_some_categories_are_searched_at_once(
        self, shop: Any, store: VectorStore, category: str, queries: Floats
    ) -> None:
        other = store.categories()[1]
        _, features = next(shop.location.catalog.features(shop.location.feature_set, category=category))
        newer, left_out = shop.add("newer", features[:50] + 0.01), shop.add("left out", features[:50])
        for ids in (newer, left_out):
            store.add(ids)
        names = [category, other, "newer", "no such category"]
        indexed = [_vectors(shop.location, store, name)[0] for name in (category, other)]
        some = np.concatenate([*(ids[::3] for ids in indexed), newer[::2], left_out])
        for allowed in (None, FeatureSelection.of(some)):
            each = [store.search(queries, [name], 20, allowed=allowed) for name in names]
            apart = merge_candidates(each).first(20)
            found = store.search(queries, names, 20, allowed=allowed).first(20)
            assert len(found.ids) == 20
            assert len(np.intersect1d(found.ids, apart.ids)) >= self.recall_floor * 20
            assert np.allclose(found.distances, apart.distances, rtol=1e-4, atol=1e-5)
            _has_none(found, left_out)
        everything = store.search(queries, names, 10**6)
        assert everything.complete
        counts = shop.location.counts()
        assert len(everything.ids) == sum(counts.values()) - counts["left out"]

    def test_one_name_is_not_a_list_of_names(
        self, store: VectorStore, category: str, queries: Floats
    ) -> None:
        with pytest.raises(TypeError, match="list of names"):
            store.search(queries, category, 5)

    def test_what_changes_is_told_to_searches_of_all_categories(
        self, shop: Any, store: VectorStore, category: str, queries: Floats
    ) -> None:
        first = store.search(queries, None, 1).ids[0]
        features = shop.location.catalog.vectors(shop.location.feature_set, [int(first)])[1]
        added = shop.add(category, features)
        store.add(added)
        assert {int(first), *added.tolist()} <= set(store.search(queries, None, 20).ids.tolist())
        shop.remove(np.array([first]))
        store.remove(np.array([first]))
        found = store.search(queries, None, 20)
        _has_none(found, np.array([first]))
        assert added[0] in found.ids

    def test_a_filter_restricts_searches_of_all_categories(
        self, shop: Any, store: VectorStore, queries: Floats, metric: str
    ) -> None:
        ids, vectors = _vectors(shop.location, store, None)
        found = store.search(queries, None, 5, allowed=FeatureSelection.of(ids[::7])).first(5)
        slots, distances, _ = nearest_to_any(queries, np.ascontiguousarray(vectors[::7]), metric, 5)
        assert found.ids.tolist() == ids[::7][slots].tolist()
        assert np.allclose(found.distances, distances, rtol=1e-4, atol=1e-5)

    def test_a_filter_restricts_the_answer(
        self, shop: Any, store: VectorStore, category: str, queries: Floats, metric: str
    ) -> None:
        ids, vectors = _vectors(shop.location, store, category)
        allowed = ids[::3]
        found = store.search(queries, [category], 5, allowed=FeatureSelection.of(allowed[::-1]))
        slots, distances, _ = nearest_to_any(queries, np.ascontiguousarray(vectors[::3]), metric, 5)
        assert found.ids.tolist() == allowed[slots].tolist()
        assert np.allclose(found.distances, distances, rtol=1e-4, atol=1e-5)
        assert not found.complete
        elsewhere, _ = _vectors(shop.location, store, store.categories()[1])
        for outside in (elsewhere[:4], np.empty(0, np.int64)):
            none = store.search(queries, [category], 5, allowed=FeatureSelection.of(outside))
            assert (len(none.ids), none.complete) == (0, True)
        three = store.search(queries, [category], 5, allowed=FeatureSelection.of(ids[[100, 3, 57]]))
        assert sorted(three.ids.tolist()) == ids[[3, 57, 100]].tolist()
        assert three.complete

    def test_photos_of_customers_are_not_found_though_a_filter_allows_them(
        self, shop: Any, store: VectorStore, category: str, queries: Floats
    ) -> None:
        catalog, feature_set = shop.location.catalog, shop.location.feature_set
        first = store.search(queries, [category], 1).ids
        [(product, _)] = catalog.hits_for(first.tolist()).values()
        photo = ImageEntry(product.id, "/photo.jpg", Domain.CONSUMER, sha256="c" * 64, width=9, height=9)
        features = catalog.vectors(feature_set, first.tolist())[1]
        with catalog.writing() as writer, writer.transaction():
            [(image, _)] = writer.upsert_images([photo], source="test").values()
            writer.add_features(feature_set, [image], features)
        added = catalog.highest_feature_id()
        store.add(np.array([added]))
        both, alone = (FeatureSelection.of(np.array(ids)) for ids in ([first[0], added], [added]))
        assert store.search(queries, [category], 5, allowed=both).ids.tolist() == first.tolist()
        assert store.search(queries, [category], 5, allowed=alone).ids.tolist() == []

    def test_a_filter_counts_for_what_is_newer_than_the_index(
        self, shop: Any, store: VectorStore, category: str, queries: Floats
    ) -> None:
        first = store.search(queries, [category], 1).ids
        features = shop.location.catalog.vectors(shop.location.feature_set, first.tolist())[1]
        added = shop.add(category, np.repeat(features, 2, axis=0))
        store.add(added)
        allowed = FeatureSelection.of(np.array([first[0], added[1]]))
        assert sorted(store.search(queries, [category], 5, allowed=allowed).ids.tolist()) == [
            first[0],
            added[1],
        ]

    def test_what_is_added_is_found_before_the_next_build(
        self, shop: Any, store: VectorStore, category: str, queries: Floats
    ) -> None:
        first = store.search(queries, [category], 1).ids[0]
        features = shop.location.catalog.vectors(shop.location.feature_set, [int(first)])[1]
        added = shop.add(category, np.repeat(features, 2, axis=0))
        store.add(added)
        assert set(added.tolist()) <= set(store.search(queries, [category], 20).ids.tolist())
        store.build([category])
        assert set(added.tolist()) <= set(store.search(queries, [category], 20).ids.tolist())

    def test_what_is_removed_is_found_no_more(
        self, shop: Any, store: VectorStore, category: str, queries: Floats
    ) -> None:
        removed = store.search(queries, [category], 3).ids
        shop.remove(removed)
        store.remove(removed)
        _has_none(store.search(queries, [category], 20), removed)
        store.remove(removed)
        store.build([category])
        _has_none(store.search(queries, [category], 10**6), removed)

    def test_its_status_says_what_is_built(self, shop: Any, store: VectorStore, category: str) -> None:
        rows = store.status()
        assert [row.category for row in rows] == store.categories()
        assert {row.state for row in rows} == {"ready"}
        assert {row.category: row.n_indexed for row in rows} == shop.location.counts()
        store.add(shop.add(category, np.ones((2, shop.location.feature_set.dim), np.float32)))
        row = next(row for row in store.status() if row.category == category)
        assert row.n_indexed + row.n_pending == shop.location.counts()[category]

    def test_indexes_that_are_whole_verify(self, store: VectorStore) -> None:
        assert store.verify() == []

    def test_an_index_that_is_not_built_is_no_obstacle(
        self, shop: Any, make: Callable[[str], VectorStore], metric: str
    ) -> None:
        store = make(metric)
        category = store.categories()[0]
        ids, vectors = _vectors(shop.location, store, category)
        found = store.search(np.ascontiguousarray(vectors[:1]), [category], 3)
        assert ids[0] in found.ids
        assert store.is_current


def _vectors(location: SpaceLocation, store: VectorStore, category: str | None) -> tuple[Ids, Floats]:
    """Reads ids and vectors of a category, or of all, from the catalog, in the store's fit."""
    blocks = list(location.catalog.features(location.feature_set, category=category))
    ids = np.concatenate([ids for ids, _ in blocks])
    features = np.concatenate([features for _, features in blocks])
    vectors = store.transform.apply(features)
    return ids, vectors if category is None else scale_for_category(store.transform, vectors, category)


def _exact(
    location: SpaceLocation, store: VectorStore, category: str | None, queries: Floats, metric: str, n: int
) -> tuple[Ids, Floats]:
    ids, vectors = _vectors(location, store, category)
    slots, distances, _ = nearest_to_any(queries, vectors, metric, n)
    return ids[slots], distances


def _has_none(found: Candidates, ids: Ids) -> None:
    assert len(found.ids)
    assert not np.isin(found.ids, ids).any()
