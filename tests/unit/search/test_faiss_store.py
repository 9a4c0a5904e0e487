"""Inverted lists propose the nearest, follow the indexes, and are left out where they cannot be trusted."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from stylesearch.array_types import Floats, Ids
from stylesearch.catalog import Catalog
from stylesearch.catalog.selection import FeatureSelection
from stylesearch.index import inverted_lists
from stylesearch.search import fitted_space
from stylesearch.search.faiss_store import FaissVectorStore, FaissVectorStores
from stylesearch.search.gallery import Gallery
from stylesearch.search.local_store import LocalVectorStore, LocalVectorStores
from stylesearch.testing.index_contract import feature_like
from stylesearch.types import SearchRequest
from tests.contracts.vector_shop import DIM, Shop

pytestmark = pytest.mark.slow  # the training


class StoreOfFew(FaissVectorStore):
    lists_from = 300


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled")
    with Catalog.open(folder / "catalog.db", create=True) as catalog:
        shop = Shop(catalog, folder, FaissVectorStores())
        for category, n_images in (("dress", 2000), ("skirt", 700)):
            shop.add(category, feature_like(n_images, DIM, seed=n_images))
        fitted_space.activate(shop.location, fitted_space.fit(shop.location)[1])
        open_store(shop).build()
    return folder


@pytest.fixture
def shop(filled: Path, tmp_path: Path) -> Iterator[Shop]:
    folder = Path(shutil.copytree(filled, tmp_path / "shop"))
    with Catalog.open(folder / "catalog.db") as catalog:
        yield Shop(catalog, folder, FaissVectorStores())


def open_store(
    shop: Shop, metric: str = "cosine", kind: type[LocalVectorStore] = StoreOfFew
) -> LocalVectorStore:
    stamp, transform = fitted_space.version_stamp(shop.location), fitted_space.load(shop.location)
    assert transform is not None
    return kind(shop.location, metric, transform, stamp)


@pytest.fixture
def proposed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images were proposed, at each search."""
    numbers: list[int] = []
    propose = inverted_lists.InvertedLists.propose

    def count(self: inverted_lists.InvertedLists, vectors: Floats, n: int) -> Ids:
        ids = propose(self, vectors, n)
        numbers.append(len(ids))
        return ids

    monkeypatch.setattr(inverted_lists.InvertedLists, "propose", count)
    return numbers


def photos(shop: Shop, seed: int = 9) -> Iterator[Floats]:
    transform = fitted_space.load(shop.location)
    assert transform is not None
    for number in range(20):
        features = feature_like(2000, DIM, seed=2000)[number * 7 : number * 7 + 4]
        yield transform.apply(features + 0.02 * np.random.default_rng(seed).standard_normal((4, DIM)))


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_what_it_finds_is_what_is_nearest(shop: Shop, metric: str, proposed: list[int]) -> None:
    store = open_store(shop, metric)
    store.build()
    exact = open_store(shop, metric, LocalVectorStore)
    proposed.clear()
    recall = []
    for vectors in photos(shop):
        found, true = store.search(vectors, None, 20), exact.search(vectors, None, 20)
        recall.append(np.isin(true.ids, found.ids).mean())
        assert not found.complete
        same = np.intersect1d(found.ids, true.ids)
        np.testing.assert_array_equal(
            found.distances[np.isin(found.ids, same)], true.distances[np.isin(true.ids, same)]
        )
    assert np.mean(recall) >= 0.99
    assert len(proposed) == 20
    assert max(proposed) < 2700


def test_one_category_a_filter_and_many_images_are_searched_without_lists(
    shop: Shop, proposed: list[int]
) -> None:
    store, (vectors, *_) = open_store(shop), photos(shop)
    nearest = store.search(vectors, None, 40).ids
    proposed.clear()
    assert len(store.search(vectors, ["skirt"], 20).ids) == 20
    opened = store._opened_lists
    shop.add("belt", feature_like(5, DIM, seed=8))
    assert len(store.search(vectors, ["skirt", "belt"], 20).ids) == 20
    assert store._opened_lists is opened, "they would be read again for the next search of all"
    allowed = FeatureSelection.of(nearest[::2])
    np.testing.assert_array_equal(store.search(vectors, None, 20, allowed=allowed).ids, nearest[::2])
    assert proposed == []
    assert store.search(vectors, None, 2700).complete
    assert len(store.search(vectors, None, 81).ids) == 81
    assert proposed == []


def test_lists_follow_the_indexes_without_training(
    shop: Shop, proposed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("trained")

    store = open_store(shop)
    gone = store.search(next(photos(shop)), None, 5).ids
    shop.remove(gone)
    new = shop.add("dress", feature_like(60, DIM, seed=3))
    other = open_store(shop)
    proposed.clear()
    other.search(next(photos(shop)), None, 5)
    assert len(proposed) == 1, "what is new is searched beside the lists"
    monkeypatch.setattr(inverted_lists.InvertedLists, "train", never)
    other.build()
    proposed.clear()
    transform = fitted_space.load(shop.location)
    assert transform is not None
    for feature_id, vector in zip(new[:5], transform.apply(feature_like(60, DIM, seed=3))[:5], strict=True):
        assert other.search(vector[None], None, 5).ids[0] == feature_id
    assert len(proposed) == 5
    assert not np.isin(gone, other.search(next(photos(shop)), None, 200).ids).any()


def test_another_category_that_is_built_alone_takes_the_lists_along(shop: Shop, proposed: list[int]) -> None:
    store = open_store(shop)
    store.build(["skirt"])
    proposed.clear()
    store.search(next(photos(shop)), None, 5)
    assert len(proposed) == 1


def test_a_category_that_comes_while_indexes_are_built_ends_no_build(shop: Shop, proposed: list[int]) -> None:
    def add(stage: str, n_done: int, n_total: int) -> None:
        if "belt" not in shop.location.counts():
            shop.add("belt", feature_like(5, DIM, seed=8))

    transform = fitted_space.load(shop.location)
    assert transform is not None
    store = StoreOfFew(shop.location, "l2", transform)  # without a stamp, as maintenance opens it
    store.build(progress=add)
    opened = open_store(shop, "l2")
    proposed.clear()
    assert len(opened.search(next(photos(shop)), None, 5).ids) == 5
    assert len(proposed) == 1
    assert "belt" in opened.categories()


def test_lists_of_the_same_indexes_are_not_made_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(shop)
    monkeypatch.setattr(FaissVectorStore, "_build_lists", lambda *_: pytest.fail("built"))
    store.build([])


def test_a_failure_of_faiss_leaves_the_indexes(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no more memory")

    monkeypatch.setattr(inverted_lists.InvertedLists, "add", fail)
    store = open_store(shop, "l2")
    store.build()
    assert "inverted lists cannot be built: no more memory" in caplog.text
    assert {one.state for one in store.status()} == {"ready"}
    assert list(shop.location.folder.glob("*/lists-l2")) == []


def test_a_store_without_lists_removes_them(shop: Shop) -> None:
    stores = LocalVectorStores()
    transform = fitted_space.load(shop.location)
    assert transform is not None
    (lists,) = shop.location.folder.glob("*/lists-cosine")
    assert str(lists) in stores.leftovers(shop.location, transform.version)
    assert str(lists) not in FaissVectorStores().leftovers(shop.location, transform.version)
    stores.at_fit(shop.location, "cosine", transform).build(["skirt"])
    assert not lists.exists()


def test_a_wide_filter_finds_what_the_scan_finds(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaissVectorStore, "lists_from", 300)
    request = SearchRequest(k=20, where="category=dress")
    features = feature_like(2000, DIM, seed=2000)[:4]
    by_lists = Gallery(shop.location, "cosine").search(features, request)
    plain = dataclasses.replace(shop.location, stores=LocalVectorStores())
    assert by_lists == Gallery(plain, "cosine").search(features, request)


@pytest.mark.parametrize("damage", ["lists.json", ".faiss", "bit"])
def test_damaged_lists_are_told_and_not_used(
    shop: Shop, proposed: list[int], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = open_store(shop, kind=LocalVectorStore).search(next(photos(shop)), None, 20)
    (folder,) = shop.location.folder.glob("*/lists-cosine")
    (path,) = folder.glob("*.faiss" if damage == "bit" else f"*{damage}")
    data = bytearray(path.read_bytes())
    if damage == "bit":
        data[len(data) // 2] ^= 1
    path.write_bytes(data if damage == "bit" else data[:10])
    store = open_store(shop)
    proposed.clear()
    for _ in range(2):
        found = store.search(next(photos(shop)), None, 20)
        np.testing.assert_array_equal(found.ids, before.ids)
    assert proposed == []
    assert caplog.text.count("all images are scanned until") == 1
    assert [one.item for one in store.verify()] == ["all categories"]
    store.build()
    assert store.verify() == []
    proposed.clear()
    store.search(next(photos(shop)), None, 20)
    assert len(proposed) == 1


def test_lists_that_find_too_few_are_not_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FaissVectorStore, "_calibrate", lambda *_: 0.5)
    store = open_store(shop)
    store.build()
    assert list(shop.location.folder.glob("*/lists-*")) == []
    assert store.verify() == []


@pytest.mark.parametrize(("metric", "kind"), [("l1", StoreOfFew), ("cosine", FaissVectorStore)])
def test_none_are_built_for_l1_and_for_few_images(
    shop: Shop, metric: str, kind: Callable[..., LocalVectorStore]
) -> None:
    store = open_store(shop, metric, kind)  # type: ignore[arg-type]
    store.build()
    assert list(shop.location.folder.glob(f"*/lists-{metric}")) == []
    assert len(store.search(next(photos(shop)), None, 20).ids) == 20
