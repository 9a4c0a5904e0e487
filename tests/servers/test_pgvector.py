"""The store in PostgreSQL keeps the contract, by its index and by scans, and does what only it has to do."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from stylesearch.array_types import Floats, Ids
from stylesearch.catalog import Catalog
from stylesearch.catalog.selection import FeatureSelection
from stylesearch.conditions import parse_where
from stylesearch.distance import nearest_to_any
from stylesearch.errors import CatalogError, ConfigError
from stylesearch.search import fitted_space, maintenance
from stylesearch.search.gallery import Gallery
from stylesearch.search.local_store import LocalVectorStores
from stylesearch.search.pgvector import building, extension
from stylesearch.search.pgvector.store import PgVectorStore, PgVectorStores
from stylesearch.spaces.base import scale_for_category
from stylesearch.spaces.unsupervised import RawTransform
from stylesearch.testing import VectorStoreContract
from stylesearch.testing.fake_model import fake_transform
from stylesearch.testing.index_contract import feature_like
from stylesearch.types import SearchRequest
from tests.contracts.vector_shop import DIM, Shop
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

CATEGORIES = (("dress", 600), ("skirt", 130))


@pytest.fixture(scope="session")
def filled(
    postgres_server: PostgresServer, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    """A database with a shop of two categories, and a folder with its fit, to copy."""
    name = postgres_server.create_database(template=postgres_template)
    postgres_server.execute("CREATE EXTENSION vector", database=name)
    folder = tmp_path_factory.mktemp("filled")
    with Catalog.open(postgres_server.url(name)) as catalog:
        shop = Shop(catalog, folder, PgVectorStores())
        for category, n_images in CATEGORIES:
            shop.add(category, feature_like(n_images, DIM, seed=n_images))
        fitted_space.activate(shop.location, fitted_space.fit(shop.location)[1])
    return name, folder


@pytest.fixture
def shop(postgres_server: PostgresServer, filled: tuple[str, Path], tmp_path: Path) -> Iterator[Shop]:
    template, fit = filled
    name = postgres_server.create_database(template=template)
    folder = Path(shutil.copytree(fit, tmp_path / "indexes"))
    with Catalog.open(postgres_server.url(name)) as catalog:
        yield Shop(catalog, folder, PgVectorStores())
    postgres_server.drop_database(name)


def open_store(shop: Shop, metric: str = "cosine", **options: Any) -> PgVectorStore:
    stamp, transform = fitted_space.version_stamp(shop.location), fitted_space.load(shop.location)
    assert transform is not None
    return PgVectorStore(shop.location, metric, transform, stamp, **options)


def everything(store: PgVectorStore, category: str | None = None) -> tuple[Ids, Floats]:
    """Ids and vectors of a category, or of the whole gallery."""
    ids, vectors = zip(*store.vectors.blocks(category), strict=True)
    return np.concatenate(ids), np.concatenate(vectors)


def run(shop: Shop, statement: str) -> list[Any]:
    with shop.catalog.engine.begin() as connection:
        result = connection.execute(text(statement))
        return list(result) if result.returns_rows else []


class TestByIndex(VectorStoreContract):
    @pytest.fixture(
        params=["cosine", *(pytest.param(one, marks=pytest.mark.nightly) for one in ("l1", "l2"))]
    )
    def metric(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def make(self, shop: Shop) -> Callable[[str], PgVectorStore]:
        return lambda metric: open_store(shop, metric, index_from=100, by_index=True)


class TestByScan(VectorStoreContract):
    recall_floor = 1.0

    @pytest.fixture
    def metric(self) -> str:
        return "cosine"  # the other metrics differ in an operator, which the index has, too

    @pytest.fixture
    def make(self, shop: Shop) -> Callable[[str], PgVectorStore]:
        return lambda metric: open_store(shop, metric)


@pytest.mark.parametrize("by_index", [True, False])
@pytest.mark.parametrize("metric", ["l1", "l2"])
def test_each_metric_has_its_own_operator(shop: Shop, metric: str, by_index: bool) -> None:
    store = open_store(shop, metric, index_from=100, by_index=by_index)
    store.build()
    ids, vectors = everything(store)
    asked = vectors[[3, 640]] * np.float32(1.1)
    found = store.search(asked, None, 20).first(20)
    slots, distances, _ = nearest_to_any(asked, vectors, metric, 20)
    assert found.ids.tolist() == ids[slots].tolist()
    assert np.allclose(found.distances, distances, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("by_index", [True, False])
def test_a_trained_space_is_compared_in_the_scale_of_each_category(shop: Shop, by_index: bool) -> None:
    untrained = fitted_space.load(shop.location)
    assert untrained is not None
    transform = fake_transform(untrained, metric="l2", weights={"": 0.5, "skirt": 0.9})
    assert transform.scales is not None
    store = PgVectorStore(shop.location, "l2", transform, index_from=100, by_index=by_index)
    store.build()
    photo = transform.apply(feature_like(2, transform.dim_in, seed=8))
    for category in ("dress", "skirt"):
        asked = scale_for_category(transform, photo, category)
        ids, vectors = everything(store, category)
        found = store.search(asked, [category], 20).first(20)
        slots, distances, _ = nearest_to_any(asked, vectors, "l2", 20)
        assert len(np.intersect1d(found.ids, ids[slots])) >= 19
        assert np.allclose(found.distances[:10], distances[:10], rtol=1e-4, atol=1e-5)
    assert store.verify() == []


def test_vectors_too_wide_for_an_index_are_scanned_and_wider_ones_refused(
    postgres_server: PostgresServer, postgres_catalog: str, tmp_path: Path
) -> None:
    postgres_server.execute("CREATE EXTENSION vector", database=postgres_catalog.rpartition("/")[2])
    with Catalog.open(postgres_catalog) as catalog:
        shop = Shop(catalog, tmp_path, PgVectorStores(), space="raw", dim=4_200)
        shop.add("dress", feature_like(40, 4_200, seed=1))
        fitted_space.activate(shop.location, fitted_space.fit(shop.location)[1])
        store = open_store(shop, index_from=10, by_index=True)
        store.build()
        assert [(row.kind, row.n_indexed) for row in store.status()] == [("scan", 40)]
        ids, vectors = everything(store)
        found = store.search(vectors[[7]], None, 10)
        slots, distances, _ = nearest_to_any(vectors[[7]], vectors, "cosine", 10)
        assert found.ids.tolist() == ids[slots].tolist()
        assert np.allclose(found.distances, distances, rtol=1e-4, atol=1e-5)
        assert store.verify() == []
        wider = RawTransform(16_001)
        with pytest.raises(ConfigError, match=r"up to 16,000 numbers. Received: 16,001"):
            PgVectorStore(shop.location, "cosine", wider).build()


def test_an_older_pgvector_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "LEAST_VERSION", (99, 1))
    with pytest.raises(ConfigError, match=r"has pgvector 0\.\d.*; 99\.1 or newer") as caught:
        open_store(shop).build()
    assert "ALTER EXTENSION vector UPDATE" in caught.value.hint
    assert run(shop, "SELECT relname FROM pg_class WHERE relname LIKE 'vectors%' AND relkind = 'r'") == []


@pytest.mark.parametrize("by_index", [True, False])
def test_filters_that_pass_all_to_none_find_what_brute_force_finds(shop: Shop, by_index: bool) -> None:
    store = open_store(shop, index_from=100, by_index=by_index)
    store.build()
    ids, vectors = everything(store)
    rng = np.random.default_rng(1)
    queries = vectors[rng.integers(0, len(vectors), 4)] + rng.normal(0, 0.02, (4, DIM)).astype(np.float32)
    for n_allowed in (len(ids), len(ids) // 2, 40, 7, 3, 0):
        allowed = np.sort(rng.choice(ids, n_allowed, replace=False))
        found = store.search(queries, None, 20, allowed=FeatureSelection.of(allowed))
        if not n_allowed:
            assert (len(found.ids), found.complete) == (0, True)
            continue
        among = vectors[np.searchsorted(ids, allowed)]
        slots, distances, _ = nearest_to_any(queries, among, "cosine", 20)
        assert len(np.intersect1d(found.ids, allowed[slots])) >= 0.95 * len(slots)
        assert np.allclose(found.distances, distances, rtol=1e-4, atol=1e-5)
        assert found.complete == (n_allowed <= 20)


def test_candidates_end_when_there_are_no_more(shop: Shop) -> None:
    """The gallery asks for more and more until enough products are found, or there are no others."""
    store = open_store(shop, index_from=100, by_index=True)
    store.build()
    _, vectors = everything(store)
    gallery = Gallery(shop.location, "cosine")
    hits = gallery.search(
        shop.catalog.product_features("p5", shop.location.feature_set)[1], SearchRequest(k=800)
    )
    assert len(hits) == sum(n for _, n in CATEGORIES)
    assert not store.search(vectors[:2], None, 100).complete
    assert store.search(vectors[:2], None, 729).complete is False
    assert store.search(vectors[:2], None, 730).complete


def test_it_calibrates_how_wide_the_index_looks(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(shop, index_from=100)
    store.build()
    record, _, _ = store._read_table()
    assert record is not None
    assert record.ef_search in (40, 80, 160, 320, 640)
    assert 0.99 <= record.recall <= 1
    # An index that never finds enough is dropped, and the table scanned.
    monkeypatch.setattr("stylesearch.search.pgvector.calibration.RECALL", 1.1)
    store.build()
    record, _, _ = store._read_table()
    assert record is not None
    assert record.ef_search == 0
    assert {row.kind for row in store.status()} == {"scan"}
    assert run(shop, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%hnsw%'") == [(0,)]


def test_removed_products_leave_the_table_with_their_rows(shop: Shop) -> None:
    store = open_store(shop)
    store.build()
    ids, _ = everything(store)
    shop.remove(ids[:10])
    assert run(shop, f"SELECT count(*) FROM {store.table.name}") == [(len(ids) - 10,)]
    assert {row.n_gone for row in store.status()} == {0}
    assert store.verify() == []


def test_lost_and_changed_rows_are_noticed_and_built_again(shop: Shop) -> None:
    store = open_store(shop)
    store.build()
    ids, _ = everything(store)
    run(shop, f"DELETE FROM {store.table.name} WHERE id = {ids[3]}")
    assert [one.item for one in store.verify()] == ["dress"]
    assert {row.category: row.n_gone for row in store.status()} == {"dress": -1, "skirt": 0}
    maintenance.refresh(shop.location, ["cosine"])
    assert store.verify() == []
    run(
        shop,
        f"UPDATE {store.table.name} SET vector = (SELECT vector FROM {store.table.name} WHERE id = {ids[5]})"
        f" WHERE id = {ids[4]}",
    )
    (problem,) = store.verify()
    assert str(ids[4]) in problem.reason
    store.build(["dress"])
    assert store.verify() == []


def test_new_images_are_added_to_the_table_not_built_anew(shop: Shop) -> None:
    store = open_store(shop)
    store.build()
    oid = run(shop, f"SELECT '{store.table.name}'::regclass::oid")
    added = shop.add("coat", feature_like(20, DIM, seed=9))
    store.add(added)
    assert {row.category: row.n_pending for row in store.status()} == {"coat": 20, "dress": 0, "skirt": 0}
    store.build(["coat"])
    assert {row.category: row.n_indexed for row in store.status()}["coat"] == 20
    assert run(shop, f"SELECT '{store.table.name}'::regclass::oid") == oid
    assert store.verify() == []
    # As many again: then the index would have been made for another size.
    shop.add("coat", feature_like(760, DIM, seed=10))
    store.build(["coat"])
    assert run(shop, f"SELECT '{store.table.name}'::regclass::oid") != oid


def test_a_table_without_a_record_is_searched_without(shop: Shop) -> None:
    store = open_store(shop)
    store.build()
    _, vectors = everything(store)
    right = store.search(vectors[:2], ["dress"], 10)
    run(shop, f"COMMENT ON TABLE {store.table.name} IS 'mine'")
    told: list[str] = []
    other = open_store(shop, warn=told.append)
    assert other.search(vectors[:2], ["dress"], 10).ids.tolist() == right.ids.tolist()
    assert {row.state for row in other.status()} == {"damaged"}
    other.search(vectors[:2], ["dress"], 10)
    assert len(told) == 1
    assert store.table.name in told[0]
    other.build(["dress"])
    assert {row.state for row in other.status()} == {"ready"}


def test_another_fit_drops_the_tables_of_the_older_one(shop: Shop) -> None:
    maintenance.rebuild(shop.location, ["cosine", "l2"])
    stores, record = shop.location.stores, fitted_space.read_record(shop.location)
    assert record is not None
    assert stores.metrics(shop.location, record.version) == {"cosine", "l2"}
    shop.add("dress", feature_like(50, DIM, seed=4))
    store = open_store(shop)
    maintenance.rebuild(shop.location, ["cosine"])
    assert not store.is_current
    anew = fitted_space.read_record(shop.location)
    assert anew is not None
    assert stores.metrics(shop.location, anew.version) == {"cosine", "l2"}
    assert stores.leftovers(shop.location, anew.version) == []
    assert len(run(shop, "SELECT relname FROM pg_class WHERE relname LIKE 'vectors%' AND relkind = 'r'")) == 2
    leftovers = stores.leftovers(shop.location, "f" * 64)
    assert len(leftovers) == 2


def test_vectors_of_zeros_are_searched_without_the_table(shop: Shop) -> None:
    store = open_store(shop, index_from=100, by_index=True)
    store.build()
    found = store.search(np.zeros((1, DIM), np.float32), ["skirt"], 5)
    assert found.distances.tolist() == [1.0] * 5


def _build(url: str, folder: Path, ready: Any) -> None:
    with Catalog.open(url) as catalog:
        store = open_store(Shop(catalog, folder, PgVectorStores()))
        ready.set()
        while True:
            store.build()


def test_a_build_that_is_killed_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    url = shop.catalog.engine.url.render_as_string(hide_password=False)
    process = context.Process(target=_build, args=(url, tmp_path / "indexes", ready))
    process.start()
    assert ready.wait(60)
    time.sleep(0.3)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    store = open_store(shop)
    store.build()
    assert store.verify() == []
    names = run(shop, "SELECT relname FROM pg_class WHERE relname LIKE 'vectors%' AND relkind = 'r'")
    assert names == [(store.table.name,)]


def test_of_two_that_build_at_once_one_waits_and_need_not_build(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = open_store(shop), open_store(shop)
    n_built = 0
    is_building, may_go_on = threading.Event(), threading.Event()
    fill = building.TableBuilder._fill

    def slowly(*arguments: Any) -> int:
        nonlocal n_built
        n_built += 1
        is_building.set()
        assert may_go_on.wait(30)
        return fill(*arguments)

    monkeypatch.setattr(building.TableBuilder, "_fill", slowly)
    threads = [threading.Thread(target=store.build) for store in (one, other)]
    threads[0].start()
    assert is_building.wait(30)
    threads[1].start()
    until = time.monotonic() + 30
    waits = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory_xact_lock%'"
    while run(shop, waits)[0][0] < 1 and time.monotonic() < until:
        time.sleep(0.05)
    may_go_on.set()
    for thread in threads:
        thread.join()
    assert n_built == 1
    assert other.verify() == []


def test_a_role_that_may_not_make_the_extension_is_told_the_command(
    postgres_server: PostgresServer, postgres_catalog: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = postgres_catalog.rpartition("/")[2]
    with Catalog.open(postgres_catalog) as catalog:
        shop = Shop(catalog, tmp_path, PgVectorStores(), space="raw")
        shop.add("dress", feature_like(30, DIM, seed=1))
        fitted_space.activate(shop.location, fitted_space.fit(shop.location)[1])
        postgres_server.execute(f'ALTER DATABASE "{name}" OWNER TO postgres')
        store = open_store(shop)
        with pytest.raises(CatalogError, match="may not make the extension vector") as caught:
            store.build()
        assert f"psql -d {name} -c 'CREATE EXTENSION vector'" in caught.value.hint
        assert len(store.search(np.ones((1, DIM), np.float32), ["dress"], 5).ids) == 5


def test_three_thousand_products_through_either_store_are_the_same(
    postgres_server: PostgresServer, filled: tuple[str, Path], tmp_path: Path
) -> None:
    name = postgres_server.create_database(template=filled[0])
    with Catalog.open(postgres_server.url(name)) as catalog:
        galleries = []
        for kind, stores in (("local", LocalVectorStores()), ("pgvector", PgVectorStores())):
            shop = Shop(catalog, tmp_path / kind, stores)
            if kind == "local":
                shop.add("coat", feature_like(2270, DIM, seed=6))
            maintenance.rebuild(shop.location, ["cosine"])
            galleries.append(Gallery(shop.location, "cosine"))
        assert sum(galleries[0].counts().values()) == 3000
        rng = np.random.default_rng(7)
        requests = [
            SearchRequest(),
            SearchRequest(category="coat"),
            SearchRequest(category="dress"),
            SearchRequest(where=parse_where("category in (coat, skirt)")),
            SearchRequest(category="dress", where=parse_where("category=coat")),
        ]
        for request in requests:
            for n_vectors in (1, 16):
                photo = feature_like(n_vectors, DIM, seed=int(rng.integers(1000)))
                local, other = (one.search(photo, request) for one in galleries)
                assert bool(local) == (request != requests[-1])
                assert [hit.product.id for hit in other] == [hit.product.id for hit in local]
                assert [hit.row for hit in other] == [hit.row for hit in local]
                distances = [[hit.distance for hit in hits] for hits in (local, other)]
                assert np.allclose(*distances, rtol=1e-4, atol=1e-5)
    postgres_server.drop_database(name)
