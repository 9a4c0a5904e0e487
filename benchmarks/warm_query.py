"""What a query costs besides the network, in one category of 10,000 and of 100,000 products.

Index, exact re-rank and the products' rows, with the default space; for the default regions of a photo and
for a single vector. The bars: 15 ms at the median for 100,000, and at most 3 times that of 10,000.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measuring import print_table, seconds_of
from benchmarks.shops import fill_catalog, sources

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",")]


def main() -> None:
    """Prints medians (and ninth deciles) in milliseconds, and the ratios between the sizes."""
    import stylesearch
    from stylesearch.extractors import load_extractor
    from stylesearch.settings import Settings

    extractor = load_extractor(Settings().extractor, throughput=True)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for source in sources(Path(name) / "drawn", extractor):
            galleries = []
            for size in SIZES:
                home = Path(name) / f"home-{source.name}-{size}"
                fill_catalog(home / "catalog.db", extractor, size, 1, source.images, source.originals)
                shop = stylesearch.open(home)
                shop.indexes.build()
                galleries.append(shop.gallery())
            for n_regions in (source.photos.shape[1], 1):
                times: list[list[float]] = [[] for _ in galleries]
                for photo in [*source.photos[:5], *source.photos]:
                    for gallery, measured in zip(galleries, times, strict=True):
                        features = photo[:n_regions]
                        measured.append(1000 * seconds_of(partial(gallery.search, features)))
                medians = [statistics.median(measured[5:]) for measured in times]
                ninth = [statistics.quantiles(measured[5:], n=10)[-1] for measured in times]
                what = f"{n_regions} regions" if n_regions > 1 else "1 vector"
                shown = (f"{m:.1f} ({n:.1f})" for m, n in zip(medians, ninth, strict=True))
                rows.append([source.name, what, *shown, f"{medians[-1] / medians[0]:.1f}"])
    print_table(["features", "query", *(f"{size:,} products, ms" for size in SIZES), "ratio"], rows)
