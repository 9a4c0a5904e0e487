"""Many searches at once in one workspace: right answers, bounded waiting, nothing computed for nobody."""

from __future__ import annotations

import asyncio
import io
import shutil
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import stylesearch as ss
from stylesearch.errors import ImageTooLarge, NoSuchSpot, NotAnImage, NotInCatalog, UnknownName
from stylesearch.persons import regions
from stylesearch.search import IndexWarning
from stylesearch.serving.problems import QueueFull, SearchTimeout, ServiceStopping
from stylesearch.serving.search import photo_search
from stylesearch.serving.search.background import IndexMaintenance
from stylesearch.serving.search.photo_search import PhotoSearch, SearchAnswer
from stylesearch.testing import save_fake_model
from stylesearch.types import Box, SearchRequest, SpaceChoice
from stylesearch.workspace.workspace import Workspace
from tests.unit.persons.fake_finder import FakeFinder

SETTINGS: dict[str, Any] = {"extractor": "color-histogram", "regions": "few", "space": "whitened"}
SPEC = "color-histogram@64"


@pytest.fixture(scope="module")
def filled(drawn_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that needs no network; not to be written to."""
    home = tmp_path_factory.mktemp("filled")
    with ss.open(home, **SETTINGS) as shop:
        assert shop.ingest(drawn_shop / "products.csv").added == 24
    return home


@pytest.fixture
def shop(filled: Path, tmp_path: Path) -> Iterator[Workspace]:
    """The same as a copy, open."""
    home = tmp_path / "home"
    shutil.copytree(filled, home)
    with ss.open(home, **SETTINGS) as opened:
        yield opened


@pytest.fixture
def photos(drawn_shop: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((drawn_shop / "street").glob("*.jpg"))]


def searching(shop: Workspace, **changes: Any) -> PhotoSearch:
    options = {"queue_size": 32, "batch_size": 4, "batch_wait": 0.004, "timeout": 20.0, "max_pixels": 10**8}
    return PhotoSearch(shop, **{**options, **changes})


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 60))


async def until(condition: Any) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def ask(search: PhotoSearch, photo: bytes, **changes: Any) -> asyncio.Task[Any]:
    names = {"space": changes.pop("space", ""), "metric": changes.pop("metric", "")}
    request = SearchRequest(**{"k": 5, **changes})
    return asyncio.create_task(search.search(photo, request, SpaceChoice(**names)))


class Gate:
    """Holds up the extractor of a workspace, and counts what goes through it."""

    def __init__(self, shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.n_begun = 0
        self.n_images = 0
        extractor = shop.searcher(throughput=True).extractor
        inner = extractor.extract

        def extract(images: Any) -> Any:
            self.n_begun += 1
            self.n_images += len(images)
            assert self.open.wait(20)
            return inner(images)

        monkeypatch.setattr(extractor, "extract", extract)


@pytest.fixture
def gate(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    held = Gate(shop, monkeypatch)
    yield held
    held.open.set()


def same(one: Any, other: Any) -> bool:
    """Whether two results are of the same products, but for rounding."""
    hits, others = ([(hit.product.id, hit.region) for hit in result] for result in (one, other))
    distances, others_distances = ([hit.distance for hit in result] for result in (one, other))
    return hits == others and distances == pytest.approx(others_distances, abs=1e-4)


def test_every_client_gets_the_answer_to_its_own_photo(shop: Workspace, photos: list[bytes]) -> None:
    expected = [shop.query(photo, k=5) for photo in photos[:8]]

    async def scenario() -> None:
        steps: list[str] = []
        search = searching(shop, observe=lambda step, value: steps.append(step))
        await search.start()
        assert search.ready
        for _ in range(3):
            answers = await asyncio.gather(*(ask(search, photo) for photo in photos[:8]))
            assert all(same(one.result, other) for one, other in zip(answers, expected, strict=True))
        assert set(steps) == {"decode", "wait", "extract", "search", "batch", "queue"}
        first = answers[0]
        assert set(first.result.seconds) == {"decode", "extract", "search"}
        assert (first.extractor, first.space, first.metric) == (SPEC, "whitened", "cosine")
        assert first.wait >= 0
        assert first.width and first.height
        assert first.result.regions[0] == Box(0, 0, first.width, first.height)
        assert search.queue_length == 0
        await search.stop()
        assert not search.ready

    run(scenario())


def test_spots_are_found_beside_searches(
    shop: Workspace, photos: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    class FinderOfSome(FakeFinder):
        """Finds two persons in photos of one width, and nobody in others."""

        def find(self, pixels: Any, max_persons: int = 4) -> Any:
            return super().find(pixels, max_persons) if pixels.shape[1] == widths[0] else []

    monkeypatch.setattr(regions, "_FINDER", FinderOfSome(n_persons=2))
    widths = [Image.open(io.BytesIO(photo)).width for photo in photos]
    other = next(photo for photo, width in zip(photos, widths, strict=True) if width != widths[0])
    expected, alone = shop.detect(photos[0]), shop.detect(other)
    assert (len(expected), len(alone)) == (7, 1)
    torso = shop.query(photos[0], k=5, region="torso")

    async def scenario() -> None:
        steps: list[str] = []
        search = searching(shop, observe=lambda step, value: steps.append(step))
        for _ in range(2):
            first, second, found = await asyncio.gather(
                search.detect(photos[0]), search.detect(other), ask(search, photos[0], region="torso")
            )
            assert (first.result.spots, second.result.spots) == (expected.spots, alone.spots)
            assert same(found.result, torso)
        assert (first.result.width, first.extractor) == (widths[0], SPEC)
        assert first.wait >= 0
        assert {"decode", "wait", "extract", "batch", "queue"} <= set(steps)
        with pytest.raises(NotAnImage):
            await search.detect(b"no picture")
        with pytest.raises(NoSuchSpot):
            await ask(search, other, region="torso")
        assert search.queue_length == 0
        await search.stop()
        with pytest.raises(ServiceStopping):
            await search.detect(photos[0])

    run(scenario())


def test_a_search_takes_what_a_query_takes(shop: Workspace, photos: list[bytes]) -> None:
    async def scenario() -> None:
        search = searching(shop)
        box = Box(20, 20, 200, 220)
        shop.indexes.build(space="raw", metric="l1")
        options: dict[str, Any] = {"category": shop.gallery().counts().popitem()[0], "box": box}
        answer = await ask(search, photos[0], space="raw", metric="l1", **options)
        expected = shop.query(photos[0], k=5, space="raw", metric="l1", **options)
        assert same(answer.result, expected)
        assert answer.result.regions == (box,)
        assert (answer.space, answer.metric) == ("raw", "l1")
        product = answer.result[0].product.id
        alike = await search.similar(product, SearchRequest(3))
        assert same(alike.result, shop.similar(product, k=3))
        assert alike.width is None
        await search.stop()

    run(scenario())


def test_what_cannot_be_searched_with_is_said_and_the_others_go_on(
    shop: Workspace, photos: list[bytes]
) -> None:
    async def scenario() -> None:
        search = searching(shop)
        answers = await asyncio.gather(
            ask(search, b"no picture"),
            ask(search, photos[0]),
            ask(search, photos[0], space="nowhere"),
            ask(search, photos[0], space="siamese:nobody"),
            ask(search, photos[0], category="nothing"),
            search.similar("nobody", SearchRequest(3)),
            return_exceptions=True,
        )
        kinds = [type(one) for one in answers]
        assert kinds[0] is NotAnImage
        assert kinds[2:] == [UnknownName, UnknownName, NotInCatalog, NotInCatalog]
        assert len(answers[1].result) == 5
        assert search.queue_length == 0
        small = searching(shop, max_pixels=1000)
        with pytest.raises(ImageTooLarge):
            await ask(small, photos[0])
        await small.stop()
        await search.stop()

    run(scenario())


def test_the_loop_goes_on_while_the_network_computes(
    shop: Workspace, photos: list[bytes], gate: Gate
) -> None:
    async def scenario() -> None:
        search = searching(shop)
        search.ready = True
        task = ask(search, photos[0])
        await until(lambda: gate.n_begun)
        began = time.perf_counter()
        for _ in range(20):
            await asyncio.sleep(0)
        assert time.perf_counter() - began < 1
        assert not task.done()
        gate.open.set()
        assert len((await task).result) == 5
        await search.stop()

    run(scenario())


def test_a_full_queue_refuses_and_has_room_again(shop: Workspace, photos: list[bytes], gate: Gate) -> None:
    async def scenario() -> None:
        search = searching(shop, queue_size=3, batch_size=1)
        search.ready = True
        taken = []
        while search.queue_length < 3:  # those whose turn has come do not wait
            taken.append(ask(search, photos[0]))
            await asyncio.sleep(0.02)
        with pytest.raises(QueueFull) as caught:
            await ask(search, photos[1])
        assert caught.value.retry_after >= 1
        gate.open.set()
        assert all(len(answer.result) == 5 for answer in await asyncio.gather(*taken))
        assert len((await ask(search, photos[1])).result) == 5
        await search.stop()

    run(scenario())


def test_a_photo_whose_client_has_gone_is_not_computed(
    shop: Workspace, photos: list[bytes], gate: Gate
) -> None:
    async def scenario() -> None:
        search = searching(shop, batch_size=1)
        search.ready = True
        begun = [ask(search, photo) for photo in photos[:2]]
        await until(lambda: gate.n_begun == 2 and search.queue_length == 0)
        waiting = [ask(search, photo) for photo in photos[2:8]]
        await until(lambda: search.queue_length == 6)
        for task in waiting:
            task.cancel()
        await until(lambda: search.queue_length == 0)
        gate.open.set()
        assert all(isinstance(one, SearchAnswer) for one in await asyncio.gather(*begun))
        assert gate.n_begun == 2
        assert len((await ask(search, photos[0])).result) == 5
        await search.stop()

    run(scenario())


def test_a_photo_whose_time_is_over_is_not_computed(shop: Workspace, photos: list[bytes], gate: Gate) -> None:
    async def scenario() -> None:
        search = searching(shop, batch_size=1, timeout=2.0)
        search.ready = True
        answers = await asyncio.gather(*(ask(search, photo) for photo in photos[:8]), return_exceptions=True)
        assert {type(one) for one in answers} == {SearchTimeout}
        assert search.queue_length == 0
        assert gate.n_begun == 2
        gate.open.set()
        await asyncio.sleep(0.1)
        assert gate.n_begun == 2
        assert len((await ask(search, photos[0])).result) == 5
        await search.stop()

    run(scenario())


def test_few_photos_are_decoded_ahead_of_the_network(
    shop: Workspace, photos: list[bytes], gate: Gate
) -> None:
    async def scenario() -> None:
        decoded: list[float] = []
        search = searching(
            shop,
            batch_size=1,
            observe=lambda step, value: decoded.append(value) if step == "decode" else None,
        )
        search.ready = True
        tasks = [ask(search, photo) for photo in photos]
        await until(lambda: gate.n_begun)
        await asyncio.sleep(0.3)
        assert len(decoded) <= gate.n_begun + 2
        gate.open.set()
        await asyncio.gather(*tasks)
        assert len(decoded) == len(photos)
        await search.stop()

    run(scenario())


def test_stopping_finishes_what_was_begun(shop: Workspace, photos: list[bytes], gate: Gate) -> None:
    async def scenario() -> None:
        search = searching(shop)
        search.ready = True
        tasks = [ask(search, photo) for photo in photos[:6]]
        await until(lambda: gate.n_begun)
        stopping = asyncio.create_task(search.stop())
        await asyncio.sleep(0.01)
        with pytest.raises(ServiceStopping):
            await ask(search, photos[0])
        assert not stopping.done()
        gate.open.set()
        answers = await asyncio.gather(*tasks)
        assert all(len(answer.result) == 5 for answer in answers)
        await stopping

    run(scenario())


def test_starting_twice_warms_up_once(shop: Workspace, gate: Gate) -> None:
    async def scenario() -> None:
        gate.open.set()
        search = searching(shop)
        await asyncio.gather(search.start(), search.start())
        await search.start()
        assert gate.n_begun == 1
        await search.stop()

    run(scenario())


def test_an_empty_workspace_can_be_served_and_is_searched_once_it_is_filled(
    tmp_path: Path, drawn_shop: Path, photos: list[bytes]
) -> None:
    async def scenario() -> None:
        with ss.open(tmp_path / "home", **SETTINGS) as shop:
            search = searching(shop)
            await search.start()
            assert search.ready
            with pytest.raises(ss.StyleSearchError):
                await ask(search, photos[0])
            with ss.open(tmp_path / "home", **SETTINGS) as other:
                other.ingest(drawn_shop / "products.csv")
            assert len((await ask(search, photos[0])).result) == 5
            await search.stop()

    run(scenario())


def test_what_others_do_to_the_workspace_shows_up_in_the_next_search(
    shop: Workspace, drawn_shop: Path, photos: list[bytes], tmp_path: Path
) -> None:
    async def scenario() -> None:
        search = searching(shop)
        before = await ask(search, photos[0], k=100)
        with ss.open(shop.settings.home, **SETTINGS) as other:
            gone = before.result[0].product.id
            other.remove([gone])
            assert gone not in {hit.product.id for hit in (await ask(search, photos[0], k=100)).result}
            other.ingest(drawn_shop / "products.csv")
            assert same((await ask(search, photos[0], k=100)).result, before.result)
            other.indexes.build()
            assert same((await ask(search, photos[0], k=100)).result, before.result)
            with pytest.raises(UnknownName):
                await ask(search, photos[0], space="siamese:new")
            save_fake_model(other.settings, "new")
            first = await ask(search, photos[0], space="siamese:new", k=100)
            save_fake_model(other.settings, "new", seed=1)  # trained anew
            second = await ask(search, photos[0], space="siamese:new", k=100)
            assert not same(first.result, second.result)
            assert same(second.result, shop.query(photos[0], space="siamese:new", k=100))
            other.models.remove("new")
            with pytest.raises(UnknownName):
                await ask(search, photos[0], space="siamese:new")
        await search.stop()

    with pytest.warns(IndexWarning, match="has no index yet"):  # for the model
        run(scenario())


def test_damaged_indexes_are_built_again_meanwhile(
    shop: Workspace, photos: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_once, is_searched = IndexMaintenance.run, threading.Event()
    monkeypatch.setattr(photo_search, "MAINTENANCE_SECONDS", 0.02)
    monkeypatch.setattr(IndexMaintenance, "run", lambda self: is_searched.is_set() and run_once(self))

    async def scenario() -> None:
        search = searching(shop)
        expected = (await ask(search, photos[0])).result
        for pointer in (shop.settings.home / "indexes").rglob("CURRENT"):
            pointer.unlink()
        assert any(one.state != "ready" for one in shop.indexes.status())
        assert same((await ask(search, photos[0])).result, expected)
        is_searched.set()  # not before: what is built at once is not missed by anybody
        await until(lambda: all(one.state == "ready" for one in shop.indexes.status()))
        await search.stop()

    with pytest.warns(IndexWarning, match="searched exactly"):
        run(scenario())


def test_threads_that_ask_at_once_get_one_of_each_part(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stylesearch import extractors
    from stylesearch.catalog import Catalog

    n_loaded = []
    load, open_catalog = extractors.load_extractor, Catalog.open

    def slow_load(*arguments: Any, **options: Any) -> Any:
        n_loaded.append("extractor")
        time.sleep(0.05)
        return load(*arguments, **options)

    def slow_open(*arguments: Any, **options: Any) -> Any:
        n_loaded.append("catalog")
        time.sleep(0.05)
        return open_catalog(*arguments, **options)

    monkeypatch.setattr(extractors, "load_extractor", slow_load, raising=False)
    monkeypatch.setattr(Catalog, "open", slow_open)
    together = threading.Barrier(6)
    with ss.open(filled, **SETTINGS) as shop, ThreadPoolExecutor(6) as threads:

        def get(_: int) -> Any:
            together.wait(10)
            return shop.searcher(throughput=True)

        searchers = set(threads.map(get, range(6)))
        assert len(searchers) == 1
    assert sorted(n_loaded) == ["catalog", "extractor"]


@pytest.mark.filterwarnings("ignore:.*searched exactly:stylesearch.search.IndexWarning")
def test_threads_search_rightly_while_products_come_and_go_and_the_fit_is_replaced(
    shop: Workspace, drawn_shop: Path
) -> None:
    """What stays in the shop is found at distance 0 whatever another process does to the rest.

    A category that comes back has no index for a moment, and is searched exactly: that is said, and no error.
    """
    kept = sorted(product.id for product in shop.products())[:6]
    others = sorted(product.id for product in shop.products())[6:]
    photos = {product: Path(shop.images(product)[0].path).read_bytes() for product in kept}
    stop = threading.Event()
    problems: list[BaseException] = []

    def search(number: int) -> int:
        n_done = 0
        try:
            while not stop.is_set():
                product = kept[(number + n_done) % len(kept)]
                hits = shop.query(photos[product], k=3, regions="whole")
                assert any(h.product.id == product and h.distance < 1e-3 for h in hits), hits
                distances = [hit.distance for hit in hits]
                assert distances == sorted(distances)
                assert len({hit.product.id for hit in hits}) == 3
                n_done += 1
        except BaseException as error:
            problems.append(error)
        return n_done

    with ThreadPoolExecutor(4) as threads, ss.open(shop.settings.home, **SETTINGS) as writer:
        running = [threads.submit(search, number) for number in range(4)]
        try:
            source = drawn_shop / "products.csv"
            for _ in range(2):
                writer.remove(others[:12])
                writer.indexes.build()
                writer.ingest(source)
                writer.indexes.build()
        finally:
            stop.set()
        counts = [one.result() for one in running]
    assert not problems, problems
    assert all(counts), counts
    assert np.sum(counts) > 20


def test_a_searcher_that_another_thread_adds_does_not_disturb_a_look_through_all(filled: Path) -> None:
    """When a model was trained anew, what searched with the older one is looked for and dropped."""
    from stylesearch.workspace.resources import Resources

    with ss.open(filled, **SETTINGS) as shop, ThreadPoolExecutor(1) as threads:
        resources = Resources(shop.settings)
        adding: list[Any] = []

        class Disturbed(dict[Any, Any]):
            """While somebody looks through it, another thread asks for one more searcher."""

            def __iter__(self) -> Iterator[Any]:
                for key in super().__iter__():
                    more = SpaceChoice(space="raw", metric=("l1", "l2")[len(adding)])
                    adding.append(threads.submit(resources.searcher, more, throughput=True))
                    wait(adding[-1:], timeout=0.2)
                    yield key

        resources._searchers = Disturbed()
        for metric in ("l1", "l2"):
            resources.searcher(SpaceChoice(space="raw", metric=metric))
        with pytest.raises(UnknownName):
            resources.model_card("siamese:nobody")
        assert len(adding) == 2
        wait(adding, timeout=10)
        resources.close()
