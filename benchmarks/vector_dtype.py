"""Float16 or float32 in the catalog: size, speed, and whether the nearest 20 stay the same.

The features are those of the photos below $STYLESEARCH_TEST_DATA; where that is not set, random numbers in
clusters, cut off at zero, stand in for them. The figures of docs/adr/0001 are from here.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import print_table
from stylesearch.catalog import Catalog, ImageEntry
from stylesearch.catalog.vector_codec import DTYPES, decode_vectors, encode_vectors
from stylesearch.distance import METRICS, nearest
from stylesearch.types import Product

N_NEAREST = 20
N_QUERIES = 500
N_ROWS = int(os.environ.get("BENCH_ROWS", "20000"))
EXTRACTOR = os.environ.get("BENCH_EXTRACTOR", "efficientnet-lite0@224")

Matrix = npt.NDArray[np.float32]


def main() -> None:
    """Prints three tables."""
    photos = os.environ.get("STYLESEARCH_TEST_DATA")
    features = _features_of(Path(photos)) if photos else _stand_in()
    dim = features.shape[1]
    rows = encode_vectors(features)
    stored = decode_vectors(rows, dim)
    lost = np.linalg.norm(stored - features, axis=1) / np.linalg.norm(features, axis=1)
    print_table(
        ["features", "of", "from", "to", "stored as float16", "lost, median", "lost, most"],
        [
            [
                f"{len(features):,}",
                EXTRACTOR if photos else "random numbers",
                f"{features.min():.3g}",
                f"{features.max():.3g}",
                f"{np.mean([len(row) == 2 * dim for row in rows]):.2%}",
                f"{np.median(lost):.3%}",
                f"{lost.max():.3%}",
            ]
        ],
    )
    print()
    spaces = {
        "raw": (features, stored),
        "whitened": (_whiten(features, features), _whiten(stored, features)),
    }
    print_table(
        ["space", "metric", f"same of the nearest {N_NEAREST}", "nearest other picture the same"],
        [
            [space, metric, *(f"{share:.4f}" for share in _agreement(exact, kept, metric))]
            for space, (exact, kept) in spaces.items()
            for metric in METRICS
        ],
    )
    print()
    print_table(
        ["stored as", "bytes a row in the file", "rows written a second", "rows read a second"],
        [[dtype, *(f"{figure:,.0f}" for figure in _size_and_speed(features, dtype))] for dtype in DTYPES],
    )


def _features_of(photos: Path) -> Matrix:
    from stylesearch.extractors import load_extractor
    from stylesearch.images.decode import decode
    from stylesearch.images.regions import letterbox

    extractor = load_extractor(EXTRACTOR)
    size = extractor.input_size
    paths = sorted(photos.rglob("*.jpg"))
    batches = [
        np.stack([letterbox(decode(path, reduce_to=size).pixels, size) for path in paths[start : start + 32]])
        for start in range(0, len(paths), 32)
    ]
    return np.concatenate([extractor.extract(batch) for batch in batches])


def _stand_in(n: int = 3000, dim: int = 1280) -> Matrix:
    random = np.random.default_rng(0)
    centres = random.standard_normal((n // 30, dim), dtype=np.float32)
    rows = centres[np.arange(n) % len(centres)] + random.standard_normal((n, dim), dtype=np.float32)
    return np.asarray(np.maximum(rows, 0), dtype=np.float32)


def _whiten(features: Matrix, fitted_on: Matrix) -> Matrix:
    """Signed square root, principal axes, each divided by the square root of its deviation."""
    mean = np.sqrt(fitted_on).mean(0)
    _, singular, axes = np.linalg.svd(np.sqrt(fitted_on) - mean, full_matrices=False)
    width = min(128, len(singular))
    deviation = singular[:width] / np.sqrt(len(fitted_on) - 1)
    whitened: Matrix = ((np.sqrt(features) - mean) @ axes[:width].T / np.sqrt(deviation)).astype(np.float32)
    return whitened


def _agreement(exact: Matrix, stored: Matrix, metric: str) -> tuple[float, float]:
    """Share of the nearest that are the same, and share of queries whose first other picture is."""
    truth, _ = nearest(exact[:N_QUERIES], exact, metric, N_NEAREST)
    found, _ = nearest(exact[:N_QUERIES], stored, metric, N_NEAREST)
    same = [len({*a} & {*b}) / N_NEAREST for a, b in zip(truth.tolist(), found.tolist(), strict=True)]
    return float(np.mean(same)), float(np.mean(truth[:, 1] == found[:, 1]))


def _size_and_speed(features: Matrix, dtype: str) -> tuple[float, float, float]:
    """Bytes of a row in the file, rows written and rows read in a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "catalog.db"
        with Catalog.open(path) as catalog, catalog.writing() as writer:
            with writer.transaction():
                feature_set = writer.feature_set(
                    extractor="benchmark",
                    parameters={},
                    weights_digest="",
                    fingerprint=dtype,
                    dim=features.shape[1],
                    dtype=dtype,
                )
                writer.upsert_products([Product("p", "P", "dress")], source="shop")
                stored = writer.upsert_images(_entries(), source="benchmark")
            pks = [pk for pk, _ in stored.values()]
            began = time.perf_counter()
            for start in range(0, N_ROWS, 256):
                chunk = pks[start : start + 256]
                rows = features[np.arange(start, start + len(chunk)) % len(features)]
                with writer.transaction():
                    writer.add_features(feature_set, chunk, rows)
            written = time.perf_counter() - began
        with Catalog.open(path) as catalog:
            with catalog._connect() as connection:
                size: Any = connection.exec_driver_sql(
                    "SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%features%'"
                ).scalar()
            read = min(_seconds_to_read(catalog, feature_set) for _ in range(5))
    return size / N_ROWS, N_ROWS / written, N_ROWS / read


def _entries() -> Iterator[ImageEntry]:
    return (ImageEntry("p", f"/{i}.jpg", sha256=f"{i}", width=1, height=1) for i in range(N_ROWS))


def _seconds_to_read(catalog: Catalog, feature_set: Any) -> float:
    began = time.perf_counter()
    for _ in catalog.features(feature_set):
        pass
    return time.perf_counter() - began
