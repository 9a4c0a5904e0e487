"""ANN recall@20 of the indexes against exact search: all spaces and metrics, 10,000 and 100,000 images.

Recall is counted on what a query asks for: the 20 images nearest to any of a photo's regions, and the 20
nearest to a single vector. Both ways that do not compare with everything are forced in turn.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import print_table, seconds_of
from benchmarks.shops import likely_features, sources
from stylesearch.extractors import load_extractor
from stylesearch.extractors.base import Extractor
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.index.reranked import Strategy
from stylesearch.settings import Settings
from stylesearch.spaces import fit_transform
from stylesearch.spaces.base import Transform
from stylesearch.spaces.parts import FeatureParts

__all__ = ["WAYS", "build_index", "main", "search_in_turn", "share_found"]

SIZES: Final = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",")]
N_NEAREST: Final = 20
WAYS: Final = {
    "exact": Strategy.EXACT,
    "scan": Strategy.SCAN,
    "annoy": Strategy.ANNOY,
    "chosen by default": None,
}
"""Ways to search, by what tables call them; the first tells the truth."""

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


def main() -> None:
    """Prints recall and milliseconds of every way to search."""
    extractor = load_extractor(Settings().extractor, throughput=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for source in sources(folder / "drawn", extractor, n_photos=40):
            for size in SIZES:
                features = np.concatenate(list(likely_features(size, extractor.dim, source.originals)))
                for space, metric in (
                    ("whitened", "cosine"),
                    ("whitened", "l1"),
                    ("raw", "cosine"),
                    ("mixed", "cosine"),
                    ("raw", "l2"),
                    ("raw", "l1"),
                ):
                    home = folder / f"{source.name}-{size}-{space}-{metric}"
                    transform, indexes = build_index(home, extractor, features, space, metric)
                    asked = [transform.apply_to_photo(photo) for photo in source.photos]
                    queries = {"regions": asked, "1 vector": [vectors[:1] for vectors in asked]}
                    for what, cells in search_in_turn(indexes, queries, N_NEAREST).items():
                        rows.append([source.name, f"{size:,}", space, metric, what, *cells])
    print_table(["features", "images", "space", "metric", "query", *WAYS], rows)


def build_index(
    folder: Path, extractor: Extractor, features: Floats, space: str, metric: str
) -> tuple[Transform, CategoryIndexes]:
    """Fits a space to features, and builds the index of one category, ``all``, of their vectors.

    Args:
        folder: folder of the index.
        extractor: what the features are of.
        features: float32 (n, extractor.dim); the id of an image is its row.
        space, metric: of the index.
    """
    transform = fit_transform(
        space,
        iter([features]),
        dim_in=extractor.dim,
        n_rows=len(features),
        parts=FeatureParts.of_extractor(extractor),
    )
    indexes = CategoryIndexes(folder, "bench", metric, transform.dim)
    indexes.build(
        "all",
        iter([(np.arange(len(features)), transform.apply(features))]),
        transform_version=transform.version,
        last_feature_id=len(features),
    )
    return transform, indexes


def search_in_turn(
    indexes: CategoryIndexes,
    queries: Mapping[str, Sequence[Floats]],
    n_images: int,
    answer_of: Callable[[Ids], Ids] = lambda ids: ids,
) -> dict[str, list[str]]:
    """Searches for the images nearest to any vector of each query, in every way; kinds of queries in turn.

    Args:
        indexes: with the category ``all``.
        queries: vectors of each query, (q, dim), by kind; as many queries of each kind.
        n_images: how many images are asked for.
        answer_of: makes of their ids, nearest first, what is compared with the truth.

    Returns:
        for each kind the cells of a row, one for each of ``WAYS``: recall and median milliseconds.
    """
    cells: dict[str, list[str]] = {what: [] for what in queries}
    true: dict[str, list[Ids]] = {}
    for strategy in WAYS.values():
        indexes.strategy = strategy
        opened = indexes.open("all")
        found: dict[str, list[Ids]] = {what: [] for what in queries}
        times: dict[str, list[float]] = {what: [] for what in queries}
        for photo in zip(*queries.values(), strict=True):
            for what, vectors in zip(queries, photo, strict=True):
                found[what].append(answer_of(opened.search_any(vectors, n_images).ids))
                times[what].append(seconds_of(partial(opened.search_any, vectors, n_images)))
        opened.close()
        for what, answers in found.items():
            text = f"{1000 * statistics.median(times[what]):.1f} ms"
            if strategy is Strategy.EXACT:
                true[what] = answers
            else:
                text = f"{share_found(true[what], answers):.4f}, {text}"
            cells[what].append(text)
    return cells


def share_found(true: Sequence[Ids], found: Sequence[Ids]) -> float:
    """Share of each true answer that was found, the mean over queries."""
    return float(np.mean([np.isin(t, f).mean() for t, f in zip(true, found, strict=True)]))
