"""Looking products up: what no index serves keeps nobody waiting; what waits is counted, and holds little."""

from __future__ import annotations

import asyncio
import gc
import shutil
import threading
import time
import weakref
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import stylesearch as ss
from stylesearch.search import Gallery, IndexWarning, fitted_space
from stylesearch.search.searcher import Searcher
from stylesearch.serving.problems import QueueFull
from stylesearch.serving.search.photo_search import PhotoSearch
from stylesearch.serving.search.queue import SearchPools
from stylesearch.testing import save_fake_model
from stylesearch.types import SearchRequest, SpaceChoice
from stylesearch.workspace.workspace import Workspace

SETTINGS: dict[str, Any] = {"extractor": "color-histogram", "regions": "few"}
L1 = SpaceChoice(metric="l1")

pytestmark = pytest.mark.filterwarnings("ignore:.*searched exactly:stylesearch.search.IndexWarning")


@pytest.fixture(scope="module")
def filled(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filled")
    with ss.open(home, **SETTINGS) as shop:
        shop.ingest(drawn_shop / "products.csv")
    return home


@pytest.fixture
def shop(filled: Path, tmp_path: Path) -> Iterator[Workspace]:
    shutil.copytree(filled, tmp_path / "home")
    with ss.open(tmp_path / "home", **SETTINGS) as opened:
        yield opened


@pytest.fixture
def photos(drawn_shop: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((drawn_shop / "street").glob("*.jpg"))]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Searches in other metrics than cosine go on once this is set."""
    go_on = threading.Event()
    search = Gallery.search

    def slowly(self: Gallery, *arguments: Any, **options: Any) -> Any:
        assert self.metric == "cosine" or go_on.wait(20)
        return search(self, *arguments, **options)

    monkeypatch.setattr(Gallery, "search", slowly)
    yield go_on
    go_on.set()


def searching(shop: Workspace, **changes: Any) -> PhotoSearch:
    options = {"queue_size": 32, "batch_size": 4, "batch_wait": 0.004, "timeout": 20.0, "max_pixels": 10**8}
    return PhotoSearch(shop, **{**options, **changes})


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def test_the_workspaces_own_searches_have_threads_of_their_own(shop: Workspace) -> None:
    pools = SearchPools(shop, 2, 32)

    def is_default(**options: str) -> bool:
        return pools.pool_for(shop.searcher(throughput=True, **options)) is pools.default

    assert is_default()
    assert is_default(space="mixed", metric="cosine")
    assert not is_default(metric="l1")
    assert not is_default(space="raw")
    pools.shutdown()


def test_a_trained_models_space_is_own_once_it_has_indexes(shop: Workspace) -> None:
    save_fake_model(shop.settings, "new")
    with ss.open(shop.settings.home, extractor=SETTINGS["extractor"], space="siamese:new") as trained:
        pools = SearchPools(trained, 2, 32)
        assert pools.pool_for(trained.searcher(throughput=True)) is pools.other
        trained.indexes.build()
        assert pools.pool_for(trained.searcher(throughput=True)) is pools.default
        assert pools.pool_for(trained.searcher(space="raw", throughput=True)) is pools.other
        other = trained.searcher(space="raw", throughput=True)
        trained.models.remove("new")
        assert pools.pool_for(other) is pools.other
        pools.shutdown()


def test_searches_that_no_index_serves_keep_nobody_else_waiting(
    shop: Workspace, photos: list[bytes], held: threading.Event
) -> None:
    product = next(shop.products()).id

    async def scenario() -> None:
        search = searching(shop)
        others = [asyncio.create_task(search.search(photo, SearchRequest(3), L1)) for photo in photos[:3]]
        others += [
            asyncio.create_task(search.similar(product, SearchRequest(3), SpaceChoice(metric="l2")))
            for _ in range(3)
        ]
        await until(lambda: search._pools.other.n_searches == 6)
        answer = await search.search(photos[0], SearchRequest(3))
        assert len(answer.result) == 3
        assert len((await search.similar(product, SearchRequest(3))).result) == 3
        assert not any(task.done() for task in others)
        held.set()
        assert all(len(found.result) == 3 for found in await asyncio.gather(*others))
        await search.stop()

    run(scenario())


def test_they_take_a_part_of_the_queue_and_no_more(
    shop: Workspace, photos: list[bytes], held: threading.Event
) -> None:
    async def scenario() -> None:
        search = searching(shop, queue_size=8)
        request = SearchRequest(3)
        others = [asyncio.create_task(search.search(photos[0], request, L1)) for _ in range(2)]
        await until(lambda: search._pools.other.n_searches == 2)
        with pytest.raises(QueueFull, match="space or metric") as caught:
            await search.search(photos[0], request, L1)
        assert caught.value.retry_after >= 1
        assert len((await search.search(photos[0], request)).result) == 3
        held.set()
        await asyncio.gather(*others)
        assert len((await search.search(photos[0], request, L1)).result) == 3
        await search.stop()

    run(scenario())


def all_gone(references: list[Any]) -> bool:
    """Whether nothing holds them any more; what only a ring of objects held is collected first."""
    gc.collect()
    return all(reference() is None for reference in references)


def test_what_waits_to_be_looked_up_is_counted_and_holds_no_images(
    shop: Workspace, photos: list[bytes], held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    images: list[Any] = []
    look = Searcher.look

    def watched(self: Searcher, *arguments: Any, **options: Any) -> Any:
        view = look(self, *arguments, **options)
        images.append(weakref.ref(view.images))
        return view

    monkeypatch.setattr(Searcher, "look", watched)

    async def scenario() -> None:
        counts: list[float] = []
        search = searching(
            shop, observe=lambda what, value: counts.append(value) if what == "queue" else None
        )

        def begin(photo: bytes) -> asyncio.Task[Any]:
            return asyncio.create_task(search.search(photo, SearchRequest(3), L1))

        tasks = [begin(photos[0])]
        await until(lambda: search._pools.other.n_searches == 1 and search.queue_length == 0)
        # It is being looked up, so it waits no more; the two others will.
        tasks += [begin(photo) for photo in photos[1:3]]
        await until(lambda: search._pools.other.n_searches == 3)
        await until(lambda: len(images) == 3 and all_gone(images))
        await until(lambda: search.queue_length == 2)
        assert counts[-1] == 2
        tasks[-1].cancel()
        await until(lambda: search.queue_length == 1)
        held.set()
        await asyncio.gather(*tasks[:2])
        assert (search.queue_length, counts[-1]) == (0, 0)
        await search.stop()

    run(scenario())


def test_threads_that_search_an_unfitted_space_fit_it_once(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_fits = []
    fitted = fitted_space.fit_in_memory

    def slow(home: Any) -> Any:
        n_fits.append(1)
        time.sleep(0.1)
        return fitted(home)

    monkeypatch.setattr(fitted_space, "fit_in_memory", slow)
    for record in (shop.settings.home / "indexes").rglob("space.json"):
        record.unlink()
    gallery = shop.searcher(throughput=True).gallery
    together = threading.Barrier(4)

    def get(_: int) -> Any:
        together.wait(10)
        return gallery.transform

    with pytest.warns(IndexWarning, match="not fitted"), ThreadPoolExecutor(4) as threads:
        assert len(set(map(id, threads.map(get, range(4))))) == 1
    assert len(n_fits) == 1
