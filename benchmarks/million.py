"""A million products in 40 categories on one machine: filling, building, and queries.

The features are made up: 620 numbers, in styles of some 50 products, which vary in more directions than
those of photos do. Rows are put straight into the catalog's tables: how it is filled is not the point.
Filling, building and searching are a process each, so that the largest memory of each is known. Queries go
through ``Gallery``, rows of products included; in turn with those of all categories at once, the same is
searched category by category, as it was done before.

``BENCH_SIZES`` are the numbers of products; ``BENCH_CANDIDATES`` is ``local`` or ``faiss``; ``BENCH_HOME`` is
a folder in which catalogs and indexes are kept and found again, since filling a million takes minutes.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import print_table, run_measured
from stylesearch.artifacts.base import FIT
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.catalog import Catalog
from stylesearch.catalog.vector_codec import checksum, encode_vectors
from stylesearch.index.reranked import Strategy
from stylesearch.search.faiss_store import FaissVectorStores
from stylesearch.search.fitted_space import SpaceLocation
from stylesearch.search.gallery import Gallery
from stylesearch.search.local_store import LocalVectorStore, LocalVectorStores
from stylesearch.search.maintenance import rebuild
from stylesearch.search.store import Candidates, merge_candidates
from stylesearch.types import SearchRequest

SIZES: Final = [int(size) for size in os.environ.get("BENCH_SIZES", "100000,1000000").split(",")]
DIM: Final = 620
N_CATEGORIES: Final = 40
N_REGIONS: Final = 16
N_BELOW: Final = 20
"""Categories that are searched as if one were above them."""

N_QUERIES: Final = int(os.environ.get("BENCH_QUERIES", "40"))
K: Final = 20
N_EXACT: Final = 10
CANDIDATES: Final = os.environ.get("BENCH_CANDIDATES", "local")
STORES: Final = {"local": LocalVectorStores, "faiss": FaissVectorStores}
IN_A_STYLE: Final = 50
BLOCK: Final = 2000

Floats = npt.NDArray[np.float32]
T = TypeVar("T")


def main() -> None:
    """Prints what filling and building take, then milliseconds and recall of queries."""
    kept = os.environ.get("BENCH_HOME")
    work, queries = [], []
    with contextlib.ExitStack() as held:
        folder = Path(kept or held.enter_context(tempfile.TemporaryDirectory()))
        for size in SIZES:
            home = folder / f"million-{size}"
            for step, is_done in (("fill", (home / "filled").exists()), ("build", False), ("search", False)):
                if is_done:
                    continue
                command = [sys.executable, "-m", "benchmarks.million", step, str(home), str(size)]
                took = run_measured(command)
                told = json.loads(took.out.splitlines()[-1])
                queries += told["rows"]
                taken = [f"{told['wall']:.0f}", f"{told['cpu']:.0f}", f"{took.megabytes:,.0f}"]
                work.append([f"{size:,}", step, *taken, told["what"]])
    print_table(["products", "step", "s", "CPU s", "peak memory, MB", "remarks"], work)
    print()
    print_table(["products", "searched", "vectors", "wall ms (9th decile)", "CPU ms", f"recall@{K}"], queries)


def category_sizes(n_products: int) -> list[int]:
    """Products of each category by Zipf's law, the largest first; together ``n_products``."""
    shares = 1 / np.arange(1, N_CATEGORIES + 1)
    edges = np.rint(n_products * np.cumsum(shares) / shares.sum()).astype(int)
    sizes: list[int] = np.diff(edges, prepend=0).tolist()
    return sizes


class MadeUp:
    """Makes features of products: a category's middle, a style's, and the product's own difference."""

    def __init__(self, n_products: int) -> None:
        self.sizes = category_sizes(n_products)
        self.spread = (1 + np.arange(DIM, dtype=np.float32)) ** np.float32(-0.35)

    def features(self, category: int, block: int, n: int) -> Floats:
        """Features of a block of products of a category, (n, DIM); the same for the same arguments."""
        rng = np.random.default_rng((category, block))
        middle = np.random.default_rng(category).standard_normal(DIM, dtype=np.float32)
        styles = rng.standard_normal((-(-BLOCK // IN_A_STYLE), DIM), dtype=np.float32)
        own = rng.standard_normal((n, DIM), dtype=np.float32)
        chosen = styles[rng.integers(0, len(styles), n)]
        return middle + self.spread * (chosen + np.float32(0.7) * own)

    def photos(self, n: int, category: int | None = None) -> Floats:
        """Features of the regions of photos, (n, N_REGIONS, DIM): each region shows a product, with noise."""
        rng = np.random.default_rng(77)
        shares = np.array(self.sizes) / sum(self.sizes)
        photos = np.empty((n, N_REGIONS, DIM), np.float32)
        for photo in photos:
            kind = rng.choice(N_CATEGORIES, p=shares) if category is None else category
            block = int(rng.integers(0, -(-self.sizes[kind] // BLOCK)))
            shown = self.features(kind, block, min(BLOCK, self.sizes[kind] - block * BLOCK))
            rows = shown[rng.integers(0, len(shown), 2)]
            noise = rng.standard_normal((N_REGIONS, DIM), dtype=np.float32)
            photo[:] = rows[rng.integers(0, 2, N_REGIONS)] + np.float32(0.7) * self.spread * noise
        return photos


def name_of(category: int) -> str:
    """Name of a category, the largest one first."""
    return f"category-{category:02}"


def fill(home: Path, n_products: int) -> str:
    """Puts products, images and features into a new catalog, categories mixed as a shop adds products."""
    made = MadeUp(n_products)
    blocks = [(c, b) for c, size in enumerate(made.sizes) for b in range(-(-size // BLOCK))]
    home.mkdir(parents=True, exist_ok=True)
    last = 0
    with Catalog.open(home / "catalog.db") as catalog, catalog.writing() as writer:
        with writer.transaction():
            pk = writer.feature_set(
                extractor="made-up", parameters={}, weights_digest="0" * 64, fingerprint="0" * 64, dim=DIM
            ).pk
        for at in np.random.default_rng(1).permutation(len(blocks)):
            category, block = blocks[at]
            features = made.features(category, block, min(BLOCK, made.sizes[category] - block * BLOCK))
            numbers, name = range(last + 1, last + 1 + len(features)), name_of(category)
            encoded = encode_vectors(features, "float16")
            with writer.transaction():
                connection = writer.connection()
                connection.exec_driver_sql(
                    "INSERT INTO products (pk, id, title, category, attributes) VALUES (?, ?, ?, ?, '{}')",
                    [(n, f"p{n:07}", f"Product {n}", name) for n in numbers],
                )
                connection.exec_driver_sql(
                    "INSERT INTO images (pk, product_pk, path, sha256, domain, width, height, state) "
                    "VALUES (?, ?, ?, ?, 'shop', 600, 800, 'ok')",
                    [(n, n, f"/shop/{n}.jpg", f"{n:064x}") for n in numbers],
                )
                connection.exec_driver_sql(
                    "INSERT INTO features (id, feature_set_pk, image_pk, domain, category, vector, checksum) "
                    "VALUES (?, ?, ?, 'shop', ?, ?, ?)",
                    [(n, pk, n, name, one, checksum(one)) for n, one in zip(numbers, encoded, strict=True)],
                )
            last = numbers[-1]
    (home / "filled").touch()
    return f"{(home / 'catalog.db').stat().st_size / 2**20:,.0f} MiB of catalog"


@contextlib.contextmanager
def open_gallery(home: Path) -> Iterator[Gallery]:
    """The gallery of a catalog that was filled."""
    with Catalog.open(home / "catalog.db", readonly=True) as catalog:
        (feature_set,) = catalog.feature_sets()
        artifacts, stores = HomeArtifacts(home, catalog.id), STORES[CANDIDATES]()
        folder = artifacts.folder(FIT, f"{feature_set.fingerprint[:16]}/whitened")
        location = SpaceLocation(catalog, feature_set, "whitened", folder, stores, artifacts)
        yield Gallery(location, "cosine")


def build(home: Path, n_products: int) -> str:
    """Fits the space and builds all indexes."""
    with open_gallery(home) as gallery:
        rebuild(gallery.location, [gallery.metric])
    n_bytes = sum(path.stat().st_size for path in (home / "indexes").rglob("*") if path.is_file())
    return f"{n_bytes / 2**20:,.0f} MiB of indexes"


def search(home: Path, n_products: int) -> tuple[str, list[list[str]]]:
    """Searches for photos, warm; recall is against comparing with everything."""
    made, rows = MadeUp(n_products), []
    middle = int(np.argmin(np.abs(np.array(made.sizes) - 25_000)))
    with open_gallery(home) as gallery:
        transform = gallery.transform
        store = LocalVectorStore(gallery.location, gallery.metric, transform)
        exact = LocalVectorStore(gallery.location, gallery.metric, transform, strategy=Strategy.EXACT)
        below = [name_of(number) for number in range(N_BELOW)]
        for category in dict.fromkeys((None, 0, middle)):
            name = None if category is None else name_of(category)
            photos = made.photos(N_QUERIES, category)
            for n_vectors in (N_REGIONS, 1):
                request, recall = SearchRequest(k=K, category=name), []
                at_once, one_by_one = [], []
                some_at_once, some_one_by_one = [], []
                for number, photo in enumerate([*photos[:3], *photos]):
                    features = photo[:n_vectors]
                    taken, hits = measure(partial(gallery.search, features, request))
                    vectors = transform.apply_to_photo(features)
                    if category is None and number < 3:
                        store.search(vectors, below, 4 * K)  # opens what scans need
                    if number >= 3:
                        at_once.append(taken)
                    if category is None and 3 <= number < 3 + N_EXACT:
                        one_by_one.append(
                            measure(partial(each_category, store, vectors, store.categories()))[0]
                        )
                        some_at_once.append(measure(partial(store.search, vectors, below, 4 * K))[0])
                        some_one_by_one.append(measure(partial(each_category, store, vectors, below))[0])
                    if 3 <= number < 3 + N_EXACT:
                        true = exact.search(vectors, name and [name], K).ids[:K]
                        recall.append(np.isin(true, [hit.feature_id for hit in hits]).mean())
                where = "all categories" if name is None else f"a category of {made.sizes[category or 0]:,}"
                start = [f"{n_products:,}", where, str(n_vectors)]
                rows.append([*start, *cells(at_once), f"{np.mean(recall):.4f}"])
                if one_by_one:
                    start[1] = "all, category by category"
                    rows.append([*start, *cells(one_by_one), ""])
                    start[1] = f"{len(below)} categories with {sum(made.sizes[: len(below)]):,}"
                    rows.append([*start, *cells(some_at_once), ""])
                    start[1] = "the same, category by category"
                    rows.append([*start, *cells(some_one_by_one), ""])
    pages = Path("/proc/self/statm").read_text().split()
    own = (int(pages[1]) - int(pages[2])) * resource.getpagesize()
    return f"{own / 2**20:,.0f} MiB of it own, the rest are mapped files", rows


def each_category(store: LocalVectorStore, vectors: Floats, names: Sequence[str]) -> Candidates:
    """Searches each of some categories by itself, and merges."""
    return merge_candidates([store.search(vectors, [name], 4 * K) for name in names])


def measure(act: Callable[[], T]) -> tuple[tuple[float, float], T]:
    """Wall and CPU milliseconds of a call, and its result."""
    began, began_cpu = time.perf_counter(), time.process_time()
    result = act()
    return (1000 * (time.perf_counter() - began), 1000 * (time.process_time() - began_cpu)), result


def cells(taken: list[tuple[float, float]]) -> list[str]:
    """The median and ninth decile of wall milliseconds, and the median of CPU milliseconds."""
    wall, cpu = zip(*taken, strict=True)
    ninth = statistics.quantiles(wall, n=10)[-1]
    return [f"{statistics.median(wall):.1f} ({ninth:.1f})", f"{statistics.median(cpu):.1f}"]


def run_step(step: str, home: Path, n_products: int) -> None:
    """Runs a step in this process; prints what it took as JSON."""
    began, began_cpu = time.perf_counter(), time.process_time()
    told: dict[str, Any] = {"rows": []}
    if step == "search":
        told["what"], told["rows"] = search(home, n_products)
    else:
        told["what"] = {"fill": fill, "build": build}[step](home, n_products)
    told |= {"wall": time.perf_counter() - began, "cpu": time.process_time() - began_cpu}
    print(json.dumps(told))


if __name__ == "__main__":
    run_step(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
