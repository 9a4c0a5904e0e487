"""What a query costs besides the network, in one category of 10,000 and of 100,000 products.

Index, exact re-rank and the products' rows, with the default space; for the default regions of a photo and
for a single vector. The bars: 15 ms at the median for 100,000, and at most 3 times that of 10,000.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import print_table, seconds_of
from benchmarks.shops import drawn_shop, fill_catalog

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",")]
N_QUERIES = 40


def main() -> None:
    """Prints medians in milliseconds, and the ratios between the sizes."""
    import stylesearch
    from stylesearch.config import Settings
    from stylesearch.extractors import load_extractor
    from stylesearch.images.decode import decode
    from stylesearch.images.regions import crops, plan_boxes

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn_shop(folder / "drawn", 24)
        extractor = load_extractor(Settings().extractor, throughput=True)
        photos = []
        for path in sorted((folder / "drawn" / "street").glob("*.jpg")):
            picture = decode(path)
            boxes = plan_boxes(Settings().regions, picture.width, picture.height)
            photos.append(extractor.extract(crops(picture, boxes, extractor.input_size)))
        galleries = []
        for size in SIZES:
            home = folder / f"home-{size}"
            fill_catalog(home / "catalog.db", extractor, size, 1, folder / "drawn" / "catalog")
            shop = stylesearch.open(home)
            shop.build_indexes()
            galleries.append(shop.gallery())
        rows = []
        for what, queries in (
            (f"{len(photos[0])} regions", photos),
            ("1 vector", [photo[:1] for photo in photos]),
        ):
            times: list[list[float]] = [[] for _ in galleries]
            for number in range(N_QUERIES + 5):
                features = queries[number % len(queries)] * np.float32(1 + 0.001 * number)
                for gallery, measured in zip(galleries, times, strict=True):
                    measured.append(1000 * seconds_of(lambda g=gallery, f=features: g.search(f, 20)))
            medians = [statistics.median(measured[5:]) for measured in times]
            rows.append([what, *(f"{median:.1f}" for median in medians), f"{medians[-1] / medians[0]:.1f}"])
    print_table(["query", *(f"{size:,} products, ms" for size in SIZES), "ratio"], rows)
