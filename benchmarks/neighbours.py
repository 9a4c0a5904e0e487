"""Nearest neighbours in one index of all images: the own index against hnswlib, usearch and faiss.

Vectors are made up: clusters, as a shop has many products that are alike, whose axes matter less and less, as
those of features do. A query is one vector, or 16 that lie near each other, as regions of a photo do; the
answer are the 20 images nearest to any of them. The breadth of each library's search is chosen on the first
half of the queries, as the smallest with a recall of 0.99, and what is printed is of the other half. Every
library builds and searches in a process of its own, on all cores.

BENCH_SIZES=10000,100000 are the sizes, BENCH_WAYS=hnswlib,... the ways that are tried (the library's own
always are, the others want the extra ``bench``), BENCH_FOLDER a folder where the vectors and the indexes of
the others are kept, with what their builds took.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import print_table, run_measured
from stylesearch.distance import nearest_to_any

__all__ = ["main"]

SIZES: Final = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",")]
DIM: Final = 620
"""Width of a vector of the default space."""

N_QUERIES: Final = int(os.environ.get("BENCH_QUERIES", "60"))
N_REGIONS: Final = 16
N_NEAREST: Final = 20
WANTED_RECALL: Final = 0.99
OWN: Final = "stylesearch"
BLOCK: Final = 10_000

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Search = Callable[[Floats], Ids]
"""Finds the images nearest to any of the vectors, (q, DIM)."""


@dataclass(frozen=True)
class Way:
    """An index of a library, in a file, and how to build and search it.

    Attributes:
        build: builds it of vectors, into a file.
        open: opens the file; what searches with a breadth. It may look at the vectors.
        breadths: from the quickest to the most thorough.
    """

    build: Callable[[Floats, Path], None]
    open: Callable[[Floats, Path], Callable[[int], Search]]
    breadths: Sequence[int]


def main() -> None:
    """Prints build time, sizes, recall and milliseconds of every way, for each size."""
    names = [OWN, *os.environ.get("BENCH_WAYS", ",".join(LIBRARIES)).split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(os.environ.get("BENCH_FOLDER", temporary))
        rows = []
        for size in SIZES:
            folder = root / str(size)
            if not (folder / "truth.npy").exists():
                _make(folder, size)
            for name in filter(None, names):
                command = [sys.executable, "-m", "benchmarks.neighbours", name, str(folder)]
                os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # on a busy machine threads of OpenMP would spin
                took = run_measured(command)
                rows += [[f"{size:,}", *row] for row in json.loads(took.out.splitlines()[-1])]
                print(f"  {size:,} {name} done", file=sys.stderr, flush=True)
    headings = ["images", "way", "build, s (CPU s)", "peak of build, MB", "on disk, MB", "breadth"]
    headings += ["1 vector: recall, ms (CPU)", f"{N_REGIONS} vectors: recall, ms (CPU)"]
    print_table(headings, rows)


def _make(folder: Path, size: int) -> None:
    """Writes vectors, queries and the true answers."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(size)
    scales = (1 + np.arange(DIM, dtype=np.float32)) ** np.float32(-0.4)
    centres = rng.standard_normal((max(20, round(5 * size**0.5)), DIM), dtype=np.float32)
    vectors = np.lib.format.open_memmap(folder / "vectors.npy", "w+", np.float32, (size, DIM))
    for start in range(0, size, BLOCK):
        n = min(BLOCK, size - start)
        vectors[start : start + n] = _some(rng, centres, scales, n)
    vectors.flush()
    photos = _some(rng, centres, scales, N_QUERIES, spread=0.9)
    noise = 0.5 * scales * rng.standard_normal((N_QUERIES, N_REGIONS, DIM), dtype=np.float32)
    queries = _unit(photos[:, None] + noise / np.linalg.norm(scales))
    np.save(folder / "queries.npy", queries)
    truth = np.empty((2, N_QUERIES, N_NEAREST), np.int64)
    for row, photo in enumerate(queries):
        for kind, asked in enumerate((photo[:1], photo)):
            truth[kind, row] = nearest_to_any(asked, vectors, "cosine", N_NEAREST)[0]
    np.save(folder / "truth.npy", truth)


def _some(
    rng: np.random.Generator, centres: Floats, scales: Floats, n: int, *, spread: float = 0.7
) -> Floats:
    """Draws vectors of length one about centres that are drawn too."""
    chosen = centres[rng.integers(len(centres), size=n)]
    noise = np.float32(spread) * rng.standard_normal((n, DIM), dtype=np.float32)
    return _unit((chosen + noise) * scales)


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit


def _blocks(vectors: Floats) -> Iterator[tuple[Ids, Floats]]:
    for start in range(0, len(vectors), BLOCK):
        block = np.array(vectors[start : start + BLOCK])
        yield np.arange(start, start + len(block), dtype=np.int64), block


def _nearest_of(ids: Ids, distances: Floats) -> Ids:
    """The images nearest to any vector, of lists of several vectors: (q, n) each; ids below 0 are none."""
    flat, far = ids.reshape(-1), distances.reshape(-1)
    flat, far = flat[flat >= 0], far[flat >= 0]
    order = np.argsort(far, kind="stable")
    _, first = np.unique(flat[order], return_index=True)
    return flat[order][np.sort(first)][:N_NEAREST].astype(np.int64)


def _build_hnswlib(vectors: Floats, path: Path) -> None:
    import hnswlib

    index = hnswlib.Index("cosine", DIM)
    index.init_index(len(vectors), M=16, ef_construction=100, random_seed=1)
    for ids, block in _blocks(vectors):
        index.add_items(block, ids)
    index.save_index(str(path))


def _open_hnswlib(vectors: Floats, path: Path) -> Callable[[int], Search]:
    import hnswlib

    index = hnswlib.Index("cosine", DIM)
    index.load_index(str(path))

    def search(breadth: int) -> Search:
        def one(asked: Floats) -> Ids:
            index.set_ef(breadth)
            return _nearest_of(*index.knn_query(asked, N_NEAREST))

        return one

    return search


def _build_usearch(vectors: Floats, path: Path) -> None:
    from usearch.index import Index

    made: Any = Index(ndim=DIM, metric="cos", dtype="f16", connectivity=16, expansion_add=100)
    for ids, block in _blocks(vectors):
        made.add(ids, block)
    made.save(str(path))


def _open_usearch(vectors: Floats, path: Path) -> Callable[[int], Search]:
    from usearch.index import Index

    index: Any = Index.restore(str(path), view=True)
    assert index is not None

    def search(breadth: int) -> Search:
        def one(asked: Floats) -> Ids:
            index.expansion_search = breadth
            found = index.search(asked, N_NEAREST)
            keys = np.asarray(found.keys).astype(np.int64)
            return _nearest_of(keys, np.asarray(found.distances))

        return one

    return search


def _build_faiss_hnsw(vectors: Floats, path: Path) -> None:
    import faiss

    index = faiss.IndexHNSWFlat(DIM, 16)
    index.hnsw.efConstruction = 100
    for _, block in _blocks(vectors):
        index.add(block)
    faiss.write_index(index, str(path))


def _open_faiss_hnsw(vectors: Floats, path: Path) -> Callable[[int], Search]:
    import faiss

    index: Any = faiss.read_index(str(path))

    def search(breadth: int) -> Search:
        def one(asked: Floats) -> Ids:
            index.hnsw.efSearch = breadth
            distances, ids = index.search(asked, N_NEAREST)
            return _nearest_of(ids, distances)

        return one

    return search


def _build_faiss_ivfpq(vectors: Floats, path: Path) -> None:
    """Lists of products' codes."""
    import faiss

    n_lists = round(4 * len(vectors) ** 0.5)
    # The vectors have length one, so that the order of Euclidean distances is that of cosine.
    index: Any = faiss.index_factory(DIM, f"IVF{n_lists},PQ62")
    index.cp.niter = index.pq.cp.niter = 10
    rng = np.random.default_rng(1)
    n_trained = min(len(vectors), max(40 * n_lists, 20_000))
    index.train(np.array(vectors[np.sort(rng.choice(len(vectors), n_trained, replace=False))]))
    for _, block in _blocks(vectors):
        index.add(block)
    faiss.write_index(index, str(path))


def _open_faiss_ivfpq(vectors: Floats, path: Path) -> Callable[[int], Search]:
    """Ten times as many candidates as are wanted are compared exactly."""
    import faiss

    index: Any = faiss.read_index(str(path))

    def search(breadth: int) -> Search:
        def one(asked: Floats) -> Ids:
            index.nprobe = breadth
            _, ids = index.search(asked, 10 * N_NEAREST)
            candidates = np.unique(ids[ids >= 0])
            near, _, _ = nearest_to_any(asked, np.array(vectors[candidates]), "cosine", N_NEAREST)
            return candidates[near]

        return one

    return search


BREADTHS: Final = (20, 40, 80, 160, 320, 640, 1280)
"""Nodes of a graph that are kept in mind."""

LIBRARIES: Final = {
    "hnswlib": Way(_build_hnswlib, _open_hnswlib, BREADTHS),
    "usearch": Way(_build_usearch, _open_usearch, BREADTHS),
    "faiss_hnsw": Way(_build_faiss_hnsw, _open_faiss_hnsw, BREADTHS),
    "faiss_ivfpq": Way(_build_faiss_ivfpq, _open_faiss_ivfpq, (1, 2, 4, 8, 16, 32, 64, 128, 256)),
}


def _measure_library(name: str, folder: Path) -> list[list[str]]:
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    way, path, told = LIBRARIES[name], folder / f"{name}.bin", folder / f"{name}.json"
    if not told.exists():
        built, _ = _timed_build(lambda: way.build(vectors, path))
        told.write_text(json.dumps(built))
    built, search = json.loads(told.read_text()), way.open(vectors, path)
    half = N_QUERIES // 2
    breadths = []
    for kind in (0, 1):
        for breadth in way.breadths:
            if _answers(folder, kind, search(breadth), slice(0, half))[0] >= WANTED_RECALL:
                break
        breadths.append(breadth)
    cells = [
        _measure_queries(folder, kind, search(breadth), slice(half, None))
        for kind, breadth in enumerate(breadths)
    ]
    size = f"{path.stat().st_size / 1e6:,.0f}"
    return [[name, *built, size, " and ".join(map(str, breadths)), *cells]]


def _measure_own(folder: Path) -> list[list[str]]:
    from stylesearch.index.category_indexes import CategoryIndexes
    from stylesearch.index.reranked import Strategy

    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    indexes = CategoryIndexes(folder / OWN, "bench", "cosine", DIM)
    built, _ = _timed_build(
        lambda: indexes.build(
            "all", _blocks(vectors), transform_version="1", last_feature_id=len(vectors), n_rows=len(vectors)
        )
    )
    rows = []
    ways = {"exact": Strategy.EXACT, "scan": Strategy.SCAN, "Annoy": Strategy.ANNOY, "chosen": None}
    for name, strategy in ways.items():
        indexes.strategy = strategy
        opened = indexes.open("all")

        def search(asked: Floats, opened: Any = opened) -> Ids:
            ids: Ids = opened.search_any(asked, N_NEAREST).ids
            return ids

        cells = [_measure_queries(folder, kind, search, slice(N_QUERIES // 2, None)) for kind in (0, 1)]
        rows.append([f"{OWN}: {name}", *built, f"{opened.n_bytes / 1e6:,.0f}", "", *cells])
        opened.close()
    return rows


def _timed_build(build: Callable[[], Any]) -> tuple[list[str], Any]:
    """Builds; cells with seconds and peak memory, and what was built."""
    began, cpu = time.perf_counter(), time.process_time()
    made = build()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return [f"{seconds:,.0f} ({cpu_seconds:,.0f})", f"{int(peak) / 1024:,.0f}"], made


def _answers(folder: Path, kind: int, search: Search, which: slice) -> tuple[float, list[float], float]:
    """Recall, the seconds of each query, and CPU seconds of all."""
    queries = np.load(folder / "queries.npy")[which]
    truth = np.load(folder / "truth.npy")[kind, which]
    asked = [photo[:1] if kind == 0 else photo for photo in queries]
    for one in asked:
        search(one)  # pages of the files are in memory afterwards
    cpu = time.process_time()
    times, shares = [], []
    for one, true in zip(asked, truth, strict=True):
        began = time.perf_counter()
        found = search(one)
        times.append(time.perf_counter() - began)
        shares.append(np.isin(true, found).mean())
    return float(np.mean(shares)), times, (time.process_time() - cpu) / len(asked)


def _measure_queries(folder: Path, kind: int, search: Search, which: slice) -> str:
    recall, times, cpu = _answers(folder, kind, search, which)
    return f"{recall:.3f}, {1000 * statistics.median(times):.1f} ({1000 * cpu:.1f})"


if __name__ == "__main__":
    which, place = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(_measure_own(place) if which == OWN else _measure_library(which, place)))
