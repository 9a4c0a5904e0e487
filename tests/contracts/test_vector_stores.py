"""The store in files keeps the contract in each way of searching its indexes, and as it chooses alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stylesearch.array_types import Floats
from stylesearch.catalog import Catalog
from stylesearch.index import reranked
from stylesearch.index.annoy_forest import annoy_works
from stylesearch.index.reranked import RerankedIndex, Strategy
from stylesearch.search import fitted_space
from stylesearch.search.faiss_store import FaissVectorStore
from stylesearch.search.local_store import LocalVectorStore, LocalVectorStores
from stylesearch.testing import VectorStoreContract
from stylesearch.testing.index_contract import feature_like
from tests.contracts.vector_shop import DIM, Shop


class LocalStore(VectorStoreContract):
    strategy: Strategy | None = None
    store_class = LocalVectorStore

    @pytest.fixture(scope="session")
    @classmethod
    def filled(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A shop with two categories, to copy: its migrations and its fit take a second."""
        folder = tmp_path_factory.mktemp("filled")
        with Catalog.open(folder / "catalog.db", create=True) as catalog:
            shop = Shop(catalog, folder, LocalVectorStores())
            for category, n_images in (("dress", 600), ("skirt", 130)):
                shop.add(category, feature_like(n_images, DIM, seed=n_images))
            fitted_space.activate(shop.location, fitted_space.fit(shop.location)[1])
        return folder

    @pytest.fixture
    def shop(self, filled: Path, tmp_path: Path) -> Iterator[Shop]:
        folder = Path(shutil.copytree(filled, tmp_path / "shop"))
        with Catalog.open(folder / "catalog.db") as catalog:
            yield Shop(catalog, folder, LocalVectorStores())

    @pytest.fixture
    def make(self, shop: Shop) -> Callable[[str], LocalVectorStore]:
        def make(metric: str) -> LocalVectorStore:
            stamp, transform = fitted_space.version_stamp(shop.location), fitted_space.load(shop.location)
            assert transform is not None
            return self.store_class(shop.location, metric, transform, stamp, strategy=self.strategy)

        return make

    def test_its_indexes_are_searched_in_this_way(
        self, store: LocalVectorStore, category: str, queries: Floats, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ways: list[Strategy] = []
        scan, by_annoy = reranked.scan_min, RerankedIndex._by_annoy

        def count_scan(*arguments: Any) -> Any:
            ways.append(Strategy.SCAN)
            return scan(*arguments)

        def count_annoy(*arguments: Any) -> Any:
            ways.append(Strategy.ANNOY)
            return by_annoy(*arguments)

        monkeypatch.setattr(reranked, "scan_min", count_scan)
        monkeypatch.setattr(RerankedIndex, "_by_annoy", count_annoy)
        assert len(store.search(queries, [category], 20).ids) == 20
        if self.strategy is not None:
            assert (ways or [Strategy.EXACT])[0] is self.strategy

    def test_an_index_that_is_damaged_is_told_and_searched_without(
        self,
        make: Callable[[str], LocalVectorStore],
        store: LocalVectorStore,
        category: str,
        queries: Floats,
    ) -> None:
        before = store.search(queries, [category], 20)
        assert store.verify() == []
        for path in store.indexes.folder.rglob("*"):
            if path.is_file():
                path.write_bytes(path.read_bytes()[:10])
        assert {one.item for one in store.verify()} == set(store.categories())
        anew = make(store.metric)
        found = anew.search(queries, [category], 20)
        assert list(anew.damaged) == [category]
        assert len(np.intersect1d(found.ids, before.ids)) >= self.recall_floor * 20

    def test_another_fit_makes_it_stale(self, shop: Shop, store: LocalVectorStore) -> None:
        assert store.is_current
        fitted_space.activate(shop.location, fitted_space.fit(shop.location)[1])
        assert not store.is_current


class TestQuickest(LocalStore):
    pass


@pytest.mark.slow
class TestFaiss(LocalStore):
    class StoreOfFew(FaissVectorStore):
        lists_from = 300

    store_class = StoreOfFew


@pytest.mark.slow
class TestExact(LocalStore):
    strategy, recall_floor = Strategy.EXACT, 1.0


@pytest.mark.slow
class TestScan(LocalStore):
    strategy = Strategy.SCAN


@pytest.mark.slow
@pytest.mark.skipif(not annoy_works(), reason="Annoy gives wrong answers here")
class TestAnnoy(LocalStore):
    strategy = Strategy.ANNOY
