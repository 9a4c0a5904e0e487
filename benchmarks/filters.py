"""What a filter costs a search: nothing asked for against all, half, 10 %, 1 %, 3 and no products.

One category of 100,000 products (BENCH_SIZES), 620 numbers a vector, with 1 and with 16 vectors of a photo.
All are searched in turn in one run. *kept*: the filter was asked for before and the catalog has not changed;
*new*: its products are read from the catalog too. The bar: at most 2 times the unfiltered search. Recall is
that of the 20 nearest, against comparing with every vector that meets the filter.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measuring import print_table, seconds_of
from stylesearch.array_types import Floats
from stylesearch.artifacts.base import FIT
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.distance import nearest_to_any
from stylesearch.search import fitted_space
from stylesearch.search.fitted_space import SpaceLocation
from stylesearch.search.gallery import Gallery
from stylesearch.search.local_store import LocalVectorStores
from stylesearch.testing.index_contract import feature_like
from stylesearch.types import Product, SearchRequest

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "100000").split(",")]
DIM = 620
ROUNDS = 25
CHUNK = 5000
STEPS = {"all": 1, "half": 2, "10 %": 10, "1 %": 100}


def main() -> None:
    """Prints medians in milliseconds, their ratios to the unfiltered search, and recall."""
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name:
            _measure(Path(name), size)


def _measure(folder: Path, size: int) -> None:
    vectors = feature_like(size, DIM, seed=5)
    filters = {what: (f"step{step}=0", np.arange(0, size, step)) for what, step in STEPS.items() if step > 1}
    filters = {"all": ("number>=0", np.arange(size)), **filters}
    three = np.array([1, size // 2, size - 2])
    filters["3 products"] = (f"number in ({', '.join(map(str, three))})", three)
    filters["none"] = ("number<0", np.empty(0, np.int64))
    rows = []
    with Catalog.open(folder / "catalog.db") as catalog:
        _fill(catalog, vectors)
        artifacts = HomeArtifacts(folder, catalog.id)
        place = artifacts.folder(FIT, f"{'f' * 16}/raw")
        feature_set = catalog.feature_sets()[0]
        location = SpaceLocation(catalog, feature_set, "raw", place, LocalVectorStores(), artifacts)
        transform, record = fitted_space.fit(location)
        fitted_space.activate(location, record)
        LocalVectorStores().at_fit(location, "cosine", transform).build()
        gallery = Gallery(location, "cosine")
        stored = transform.apply(vectors)
        rng = np.random.default_rng(3)
        for n_vectors in (16, 1):
            asked = {
                "unfiltered": SearchRequest(),
                **{k: SearchRequest(where=w) for k, (w, _) in filters.items()},
            }
            kept: dict[str, list[float]] = {what: [] for what in asked}
            new: dict[str, list[float]] = {what: [] for what in filters}
            found = dict.fromkeys(filters, 0.0)
            for turn in range(ROUNDS + 3):
                near = vectors[rng.choice(size, 2)].mean(axis=0)
                photo: Floats = near + 0.05 * np.abs(near).mean() * rng.standard_normal((n_vectors, DIM))
                photo = photo.astype(np.float32)
                for what, request in asked.items():
                    if what in filters:
                        catalog._selections._kept.clear()
                        new[what].append(1000 * seconds_of(partial(gallery.search, photo, request)))
                    kept[what].append(1000 * seconds_of(partial(gallery.search, photo, request)))
                if turn < 5:
                    for what, (_, numbers) in filters.items():
                        hits = {hit.product.id for hit in gallery.search(photo, asked[what])}
                        true = nearest_to_any(transform.apply(photo), stored, "cosine", 20, rows=numbers)[0]
                        found[what] += len(hits & {f"p{n}" for n in true}) / max(1, len(true)) / 5
            base = statistics.median(kept["unfiltered"][3:])
            for what in asked:
                median = statistics.median(kept[what][3:])
                row = [f"{n_vectors} vectors", what, f"{median:.1f}", f"{median / base:.2f}"]
                if what in filters:
                    cold = statistics.median(new[what][3:])
                    recall = "" if what == "none" else f"{found[what]:.3f}"
                    row += [f"{cold:.1f}", f"{cold / base:.2f}", recall]
                else:
                    row += ["", "", ""]
                rows.append(row)
    headings = [f"{size:,} products", "filter", "kept, ms", "ratio", "new, ms", "ratio", "recall@20"]
    print_table(headings, rows)


def _fill(catalog: Catalog, vectors: Floats) -> None:
    steps = [step for step in STEPS.values() if step > 1]
    for start in range(0, len(vectors), CHUNK):
        numbers = range(start, min(start + CHUNK, len(vectors)))
        with catalog.writing() as writer, writer.transaction():
            feature_set = writer.feature_set(
                extractor="fake", parameters={}, weights_digest="w", fingerprint="f" * 64, dim=DIM
            )
            products = [
                Product(
                    f"p{n}",
                    f"Product {n}",
                    "dress",
                    price=f"{n % 200}.90 EUR",
                    attributes={
                        "number": n,
                        "brand": f"brand {n % 37}",
                        **{f"step{s}": n % s for s in steps},
                    },
                )
                for n in numbers
            ]
            writer.upsert_products(products, source="mine")
            entries = [
                ImageEntry(f"p{n}", f"/shop/{n}.jpg", sha256=f"{n:064d}", width=9, height=9) for n in numbers
            ]
            rows = writer.upsert_images(entries, source="mine")
            pks = [rows[one.product_id, one.path][0] for one in entries]
            writer.add_features(feature_set, pks, vectors[numbers.start : numbers.stop])
