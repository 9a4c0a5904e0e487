"""``db check`` of a large catalog, its upgrade to checksums, and what these cost whoever reads vectors.

The bar: memory that does not grow with the catalog. Vectors are 1,200 random numbers, stored as float16.
There are no image files: each of them is looked for.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.measuring import command_line, print_table, run_measured
from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.types import Product

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",")]
DIM = 1200
AT_ONCE = 1000
OLDER = """
ALTER TABLE features DROP COLUMN checksum;
UPDATE alembic_version SET version_num = '0002';
VACUUM;
"""


def main() -> None:
    """Prints seconds and peak memory."""
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            _fill(home / "catalog.db", size)
            check = command_line("--home", home, "-q", "db", "check")
            rows.append([f"{size:,}", "check", *_measure(check)])
            rows.append([f"{size:,}", "all vectors read, checksums compared", "", f"{_read(home):.2f}", ""])
            older = home / "older"
            older.mkdir()
            shutil.copy(home / "catalog.db", older)
            with contextlib.closing(sqlite3.connect(older / "catalog.db", isolation_level=None)) as raw:
                raw.executescript(OLDER)
            upgrade = command_line("--home", older, "-q", "db", "upgrade")
            rows.append([f"{size:,}", "upgrade from schema 0002, with its copy", *_measure(upgrade)])
    print_table(["products", "what", "seconds", "processor seconds", "peak memory, MB"], rows)


def _fill(path: Path, size: int) -> None:
    random = np.random.default_rng(0)
    with Catalog.open(path) as catalog, catalog.writing() as writer:
        with writer.transaction():
            feature_set = writer.feature_set(
                extractor="benchmark",
                parameters={"input_size": 8},
                weights_digest="",
                fingerprint="b" * 64,
                dim=DIM,
            )
        for start in range(0, size, AT_ONCE):
            ids = [f"product-{number:07}" for number in range(start, min(size, start + AT_ONCE))]
            with writer.transaction():
                listed = [
                    Product(one, f"Dress {one}", "dress", price="19.90 EUR", attributes={"color": "red"})
                    for one in ids
                ]
                writer.upsert_products(listed, source="/shop.csv")
                entries = [
                    ImageEntry(one, f"/shop/{one}.jpg", sha256=f"{start:064x}", width=9, height=9)
                    for one in ids
                ]
                stored = writer.upsert_images(entries, source="/shop.csv")
                vectors = random.random((len(ids), DIM), dtype=np.float32)
                writer.add_features(feature_set, [pk for pk, _ in stored.values()], vectors)


def _read(home: Path) -> float:
    with Catalog.open(home / "catalog.db", readonly=True) as catalog:
        (feature_set,) = catalog.feature_sets()
        began = time.process_time()
        for _ in catalog.features(feature_set):
            pass
        return time.process_time() - began


def _measure(command: list[str]) -> tuple[str, str, str]:
    """Seconds, processor seconds and peak memory of a command, which may find that the files are missing."""
    took = run_measured(command, exit_codes=(0, 1))
    return f"{took.seconds:.1f}", f"{took.processor_seconds:.1f}", f"{took.megabytes:.0f}"
