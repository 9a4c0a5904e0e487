"""ANN recall@20 of the indexes against exact search: all spaces and metrics, 10,000 and 100,000 images.

Recall is counted on what a query asks for: the 20 images nearest to any of a photo's regions, and the 20
nearest to a single vector. Both ways that do not compare with everything are forced in turn.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measuring import print_table, seconds_of
from benchmarks.shops import likely_features, sources

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",")]
N_NEAREST = 20


def main() -> None:
    """Prints recall and milliseconds of every way to search."""
    from stylesearch.extractors import load_extractor
    from stylesearch.index.category_indexes import CategoryIndexes
    from stylesearch.index.reranked import Strategy
    from stylesearch.settings import Settings
    from stylesearch.spaces import fit_transform
    from stylesearch.spaces.parts import FeatureParts

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
                    ("raw", "l2"),
                    ("raw", "l1"),
                ):
                    transform = fit_transform(
                        space,
                        iter([features]),
                        dim_in=extractor.dim,
                        n_rows=size,
                        parts=FeatureParts.of_extractor(extractor),
                    )
                    vectors = transform.apply(features)
                    indexes = CategoryIndexes(
                        folder / f"{source.name}-{size}-{space}-{metric}", "bench", metric, transform.dim
                    )
                    indexes.build(
                        "all",
                        iter([(np.arange(size), vectors)]),
                        transform_version=transform.version,
                        last_feature_id=size,
                    )
                    for what, queries in (("regions", source.photos), ("1 vector", source.photos[:, :1])):
                        asked = [transform.apply(photo) for photo in queries]
                        answers = {}
                        for strategy in (Strategy.EXACT, Strategy.SCAN, Strategy.ANNOY, None):
                            indexes.strategy = strategy
                            opened = indexes.open("all")
                            times = [seconds_of(partial(opened.search_any, v, N_NEAREST)) for v in asked]
                            answers[strategy] = (
                                [opened.search_any(v, N_NEAREST).ids for v in asked],
                                statistics.median(times),
                            )
                        true = answers[Strategy.EXACT][0]
                        row = [source.name, f"{size:,}", space, metric, what]
                        for strategy, (found, seconds) in answers.items():
                            recall = np.mean([np.isin(t, f).mean() for t, f in zip(true, found, strict=True)])
                            text = f"{1000 * seconds:.1f} ms"
                            row.append(text if strategy is Strategy.EXACT else f"{recall:.3f}, {text}")
                        rows.append(row)
    print_table(
        ["features", "images", "space", "metric", "query", "exact", "scan", "annoy", "chosen by default"],
        rows,
    )
