"""The server is killed in a read, a write and a build; what was committed is there afterwards."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import stylesearch as ss
from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer
from stylesearch.errors import CatalogError
from stylesearch.search.gallery import IndexWarning
from stylesearch.types import Product
from tests.conftest import start_postgres
from tests.integration.tiny_shop import COLORS, draw, ingest_tiny_shop, jpeg
from tests.postgres_server import PostgresServer

pytestmark = [pytest.mark.servers, pytest.mark.slow]

WRITE = """
    import sys
    from stylesearch.catalog import Catalog
    from tests.servers.test_postgres_killed import add, set_of

    with Catalog.open(sys.argv[1]) as catalog:
        for turn in range(12):
            with catalog.writing(timeout=120) as writer:
                add(writer, set_of(writer), [f"{sys.argv[2]}-{turn}-{i}" for i in range(4)])
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with contextlib.closing(start_postgres(durable=True)) as started:
        yield started


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.url(server.create_database())


def set_of(writer: Writer) -> FeatureSet:
    with writer.transaction():
        return writer.feature_set(
            extractor="x", parameters={}, weights_digest="", fingerprint="f" * 64, dim=4
        )


def add(writer: Writer, feature_set: FeatureSet, ids: list[str]) -> None:
    """Adds products with an image and a vector each, in one transaction."""
    with writer.transaction():
        writer.upsert_products([Product(one, one, "dress") for one in ids], source="mine")
        entries = [ImageEntry(one, f"/{one}.jpg", sha256=one, width=9, height=9) for one in ids]
        stored = writer.upsert_images(entries, source="mine")
        vectors = np.ones((len(ids), 4), np.float32)
        writer.add_features(feature_set, [pk for pk, _ in stored.values()], vectors)


def restart(server: PostgresServer, how: str) -> None:
    if how == "kill":
        server.kill()
    else:
        server.stop(how)
    server.start()


@pytest.mark.parametrize("how", ["kill", "immediate"])
def test_a_killed_server_loses_nothing_that_was_committed(server: PostgresServer, url: str, how: str) -> None:
    with Catalog.open(url) as catalog:
        with catalog.writing() as writer:
            feature_set = set_of(writer)
            add(writer, feature_set, ["a", "b", "c"])

        blocks = catalog.features(feature_set, block=1)
        ids = [int(next(blocks)[0][0])]
        restart(server, how)
        with contextlib.suppress(CatalogError):  # a block may fail; one that is read is right
            ids += [int(found[0]) for found, _ in blocks]
        whole = [int(found[0]) for found, _ in catalog.features(feature_set, block=1)]
        assert ids == whole[: len(ids)]
        assert len(whole) == 3

        state = catalog.state()
        with pytest.raises(CatalogError) as caught, catalog.writing() as writer, writer.transaction():
            writer.upsert_products([Product("lost", "Lost", "dress")], source="mine")
            restart(server, how)
            writer.upsert_products([Product("lost too", "Lost", "dress")], source="mine")
        assert server.password not in str(caught.value) + caught.value.hint
        assert [product.id for product in catalog.products()] == ["a", "b", "c"]
        assert catalog.state() == state

        with catalog.writing(timeout=5) as writer:  # the lock ended with its session
            add(writer, feature_set, ["d"])
        assert catalog.last_feature_id(feature_set) > max(whole)
        assert catalog.state() > state


def test_two_writers_never_commit_ids_out_of_their_order(url: str) -> None:
    """Who follows the ids, as an index does, misses none."""
    with Catalog.open(url) as catalog, catalog.writing() as writer:
        feature_set = set_of(writer)
    script = "\n".join(line[4:] for line in WRITE.splitlines())
    writers = [subprocess.Popen([sys.executable, "-c", script, url, name]) for name in ("p", "q")]
    followed: list[int] = []
    with Catalog.open(url, readonly=True) as catalog:
        ended = False
        while not ended:
            ended = all(process.poll() is not None for process in writers)
            last = followed[-1] if followed else 0
            for ids, _ in catalog.features(feature_set, after_id=last):
                followed += ids.tolist()
        assert [process.returncode for process in writers] == [0, 0]
        every = [one for ids, _ in catalog.features(feature_set) for one in ids.tolist()]
    assert followed == every
    assert len(every) == 2 * 12 * 4


def test_an_index_build_goes_on_after_the_server_was_killed(
    server: PostgresServer, url: str, tmp_path: Path
) -> None:
    home = ingest_tiny_shop(tmp_path)
    photo = jpeg(draw(COLORS["dress"]["blue"]))
    with ss.open(home) as shop:
        expected = [(hit.product.id, hit.distance) for hit in shop.query(photo, k=4).hits]
        shop.database.copy(url)

    killed = threading.Event()

    def kill_once(stage: str, done: int, total: int) -> None:
        if not killed.is_set():
            killed.set()
            server.kill()

    other = tmp_path / "other"
    other.mkdir()
    (other / "config.toml").write_text((home / "config.toml").read_text())
    with ss.open(other, db=url) as shop:
        with pytest.raises(CatalogError):
            shop.indexes.build(progress=kill_once)
            shop.catalog.status()
        server.start()
        with pytest.warns(IndexWarning):  # searched exactly until the indexes are there
            assert [hit.product.id for hit in shop.query(photo, k=4).hits] == [one for one, _ in expected]
        shop.indexes.build()
        found = [(hit.product.id, hit.distance) for hit in shop.query(photo, k=4).hits]
    assert found == [(name, pytest.approx(distance, abs=1e-6)) for name, distance in expected]


def test_an_ingest_goes_on_after_the_server_was_killed(
    server: PostgresServer, url: str, drawn_shop: Path, tmp_path: Path
) -> None:
    def kill_once(stage: str, done: int, total: int) -> None:
        if done >= 8 and not killed:
            killed.append(stage)
            server.kill()

    killed: list[str] = []
    make: Callable[[], ss.Workspace] = lambda: ss.open(  # noqa: E731
        tmp_path / "home", db=url, extractor="color-histogram", batch_size=4
    )
    with make() as shop, pytest.raises(CatalogError):
        shop.ingest(drawn_shop / "products.csv", progress=kill_once)
    assert killed
    server.start()
    with make() as shop:
        report = shop.ingest(drawn_shop / "products.csv")
        assert report.failed == []
        assert shop.catalog.status().products == 24
        assert report.added + report.unchanged == 24
