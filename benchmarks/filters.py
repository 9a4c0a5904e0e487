"""What a filter costs a search: nothing asked for against all, half, ... 1 %, 3 and no products.

One category of 100,000 products (BENCH_SIZES), 620 numbers a vector, with 1 and with 16 vectors of a photo.
All are searched in turn in one run. *kept*: the filter was asked for before and the catalog has not changed;
*new*: the first search with it, in a process that has answered other filters before, so that it knows the
product of each feature; *alone*: in a process that does not. Milliseconds are those of the processor, since
other programs share the machine.
The bar: at most 2 times the unfiltered search. Recall is that of the 20 nearest, against comparing with every
vector that meets the filter. Then what counts of facets take, while nothing is kept. The home is made in
BENCH_FOLDER, where it stays for the next run, if given.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.measuring import print_table
from stylesearch.array_types import Floats, Ids
from stylesearch.artifacts.base import FIT
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.distance import nearest_to_any
from stylesearch.search import fitted_space
from stylesearch.search.fitted_space import SpaceLocation
from stylesearch.search.gallery import Gallery
from stylesearch.search.local_store import LocalVectorStores
from stylesearch.testing.index_contract import feature_like
from stylesearch.types import Product, ProductFilter, SearchRequest

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "100000").split(",")]
DIM = 620
ROUNDS = 15
WARMING = 2
COMPARED = 5
"""Photos whose answers are compared with the true ones."""

CHUNK = 5000
FACETS = [("price",), ("category",), ("step10",), ("in_stock", "price", "category", "step10", "step2")]
"""Names that are counted: ``stepN`` is an attribute of N values."""

STEPS = {"half": 2, "25 %": 4, "10 %": 10, "3 %": 33, "2 %": 50, "1 %": 100}


def main() -> None:
    """Prints medians in milliseconds, their ratios to the unfiltered search, and recall."""
    for size in SIZES:
        if kept := os.environ.get("BENCH_FOLDER"):
            (Path(kept) / f"{size}").mkdir(exist_ok=True)
            _measure(Path(kept) / f"{size}", size)
            continue
        with tempfile.TemporaryDirectory() as name:
            _measure(Path(name), size)


def _measure(folder: Path, size: int) -> None:
    vectors = feature_like(size, DIM, seed=5)
    filters = {"all": ("number>=0", np.arange(size))}
    filters |= {what: (f"step{step}=0", np.arange(0, size, step)) for what, step in STEPS.items()}
    filters["10 % by price"] = ("price<20", np.flatnonzero(np.arange(size) % 200 < 20))
    filters["1 % by price"] = ("price<2", np.flatnonzero(np.arange(size) % 200 < 2))
    filters["1 % by three"] = ("step10=0 and step2=0 and step100=0", np.arange(0, size, 100))
    three = np.array([1, size // 2, size - 2])
    filters["3 products in a price range"] = (f"number in ({', '.join(map(str, three))}) and price>=0", three)
    filters["3 products"] = (f"number in ({', '.join(map(str, three))})", three)
    filters["none"] = ("number<0", np.empty(0, np.int64))
    with Catalog.open(folder / "catalog.db") as catalog, Catalog.open(folder / "catalog.db") as lone:
        if not catalog.feature_sets():
            _fill(catalog, vectors)
        (feature_set,), artifacts = catalog.feature_sets(), HomeArtifacts(folder, catalog.id)
        place = artifacts.folder(FIT, f"{feature_set.fingerprint[:16]}/raw")
        location = SpaceLocation(catalog, feature_set, "raw", place, LocalVectorStores(), artifacts)
        transform = fitted_space.load(location)
        if transform is None:
            transform, record = fitted_space.fit(location)
            fitted_space.activate(location, record)
            LocalVectorStores().at_fit(location, "cosine", transform).build()
        gallery, stored = Gallery(location, "cosine"), transform.apply(vectors)
        other = Gallery(replace(location, catalog=lone), "cosine")
        catalog._selections._n_asked[feature_set.pk] = size
        rows = []
        for n_vectors in (16, 1):
            rows += _measure_filters(gallery, other, vectors, stored, filters, n_vectors)
        counts = [_measure_facets(catalog, where, names) for where in ("", "step10=1") for names in FACETS]
    headings = [f"{size:,} products", "filter", "kept, ms", "ratio"]
    headings += ["new, ms", "ratio", "alone, ms", "ratio", "recall@20"]
    print_table(headings, rows)
    print_table([f"{size:,} products", "counts of", "new, ms"], counts)


def _measure_filters(
    gallery: Gallery,
    other: Gallery,
    vectors: Floats,
    stored: Floats,
    filters: dict[str, tuple[str, Ids]],
    n_vectors: int,
) -> list[list[str]]:
    catalog, others = gallery.location.catalog, other.location.catalog._selections
    asked = {"unfiltered": SearchRequest(), **{k: SearchRequest(where=w) for k, (w, _) in filters.items()}}
    kept: dict[str, list[float]] = {what: [] for what in asked}
    new: dict[str, list[float]] = {what: [] for what in filters}
    lone: dict[str, list[float]] = {what: [] for what in filters}
    found = dict.fromkeys(filters, 0.0)
    rng = np.random.default_rng(3)
    for turn in range(ROUNDS + WARMING):
        near = vectors[rng.choice(len(vectors), 2)].mean(axis=0)
        photo: Floats = near + 0.05 * np.abs(near).mean() * rng.standard_normal((n_vectors, DIM))
        photo = photo.astype(np.float32)
        for what, request in asked.items():
            if what in filters:
                catalog._selections._kept.clear()
                new[what].append(_cpu_ms(gallery, photo, request))
                for known in (others._kept, others._products, others._n_asked):
                    known.clear()
                lone[what].append(_cpu_ms(other, photo, request))
            kept[what].append(_cpu_ms(gallery, photo, request))
        if turn >= COMPARED:
            continue
        for what, (_, numbers) in filters.items():
            hits = {hit.product.id for hit in gallery.search(photo, asked[what])}
            true = nearest_to_any(gallery.transform.apply(photo), stored, "cosine", 20, rows=numbers)[0]
            found[what] += len(hits & {f"p{n}" for n in true}) / max(1, len(true)) / COMPARED
    base = statistics.median(kept["unfiltered"][WARMING:])
    rows = []
    for what in asked:
        median = statistics.median(kept[what][WARMING:])
        row = [f"{n_vectors} vector" + "s" * (n_vectors > 1), what, f"{median:.1f}", f"{median / base:.2f}"]
        if what in filters:
            for times in (new, lone):
                median = statistics.median(times[what][WARMING:])
                row += [f"{median:.1f}", f"{median / base:.2f}"]
            row.append("" if what == "none" else f"{found[what]:.3f}")
        else:
            row += [""] * 5
        rows.append(row)
    return rows


def _measure_facets(catalog: Catalog, where: str, names: tuple[str, ...]) -> list[str]:
    (feature_set,), filter_ = catalog.feature_sets(), ProductFilter(where=where or ())
    times = []
    for _ in range(ROUNDS):
        catalog.facets._kept.clear()
        began = time.process_time()
        catalog.facets.count(feature_set, filter_, names)
        times.append(1000 * (time.process_time() - began))
    return [where or "unfiltered", ", ".join(names), f"{statistics.median(times):.0f}"]


def _cpu_ms(gallery: Gallery, photo: Floats, request: SearchRequest) -> float:
    began = time.process_time()
    gallery.search(photo, request)
    return 1000 * (time.process_time() - began)


def _fill(catalog: Catalog, vectors: Floats) -> None:
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
                        **{f"step{step}": n % step for step in STEPS.values()},
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
