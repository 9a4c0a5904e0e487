"""What a catalog counts: products that are shown by category, vectors by category, and its status.

Counts of shown products are kept up by those who write; here they are read, and counted as well. The bar:
a read that does not grow with the catalog. One image and one vector a product, in 40 categories.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.measuring import median_of, print_table
from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.catalog.shown_counts import COUNTED
from stylesearch.types import Product

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",")]
N_CATEGORIES = 40
DIM = 64
AT_ONCE = 1000


def main() -> None:
    """Prints milliseconds of each count, and what a put of a product costs."""
    rows = []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder, Catalog.open(Path(folder) / "catalog.db") as catalog:
            put = _fill(catalog, size)
            (feature_set,) = catalog.feature_sets()
            with catalog.writing() as writer, writer.transaction():
                connection = writer.connection()
                counted = _milliseconds(lambda: connection.execute(COUNTED).all())  # noqa: B023
            kept = _milliseconds(catalog.shown.counts)
            by_category = _milliseconds(lambda: catalog.categories(feature_set))  # noqa: B023
            totals, status = _milliseconds(catalog.totals), _milliseconds(catalog.status)
            figures = (f"{one:.2f}" for one in (kept, counted, by_category, totals, status))
            rows.append([f"{size:,}", *figures, f"{put * 1e6 / size:.0f}"])
    print_table(
        [
            "products",
            "shown.counts(), ms",
            "the same, counted, ms",
            "categories(feature_set), ms",
            "totals(), ms",
            "status(), ms",
            "processor time of a put, µs a product",
        ],
        rows,
    )


def _fill(catalog: Catalog, size: int) -> float:
    """Puts products with an image and a vector; returns processor seconds."""
    vectors = np.random.default_rng(0).random((AT_ONCE, DIM), dtype=np.float32)
    began = time.process_time()
    with catalog.writing() as writer:
        with writer.transaction():
            feature_set = writer.feature_set(
                extractor="benchmark", parameters={}, weights_digest="", fingerprint="b" * 64, dim=DIM
            )
        for start in range(0, size, AT_ONCE):
            numbers = range(start, min(size, start + AT_ONCE))
            with writer.transaction():
                listed = [
                    Product(f"p{one:07}", "Dress", f"category {one % N_CATEGORIES}", price="19.90 EUR")
                    for one in numbers
                ]
                writer.upsert_products(listed, source="/shop.csv")
                entries = [
                    ImageEntry(one.id, f"/shop/{one.id}.jpg", sha256=f"{start:064x}", width=9, height=9)
                    for one in listed
                ]
                stored = writer.upsert_images(entries, source="/shop.csv")
                writer.add_features(feature_set, [pk for pk, _ in stored.values()], vectors[: len(stored)])
    return time.process_time() - began


def _milliseconds(count: Callable[[], object]) -> float:
    """Processor time, the median of five."""

    def once() -> float:
        began = time.process_time()
        count()
        return 1000 * (time.process_time() - began)

    return median_of(once)
