"""A query in a learned space against one in the untrained space, in turn; the bar: at most 1.2 times as long.

A model is trained on a small drawn shop and joined with the untrained space half and half, which makes the
longest vectors; then a gallery of 10,000 products is searched with street photos through the default regions.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import print_table
from benchmarks.shops import drawn_shop, fill_catalog, region_features

if TYPE_CHECKING:
    from stylesearch.workspace.workspace import Workspace

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "10000"))
N_LEARNED = 200
N_PHOTOS = 60


def main() -> None:
    """Prints medians of whole queries and of the search alone, and the medians of ratios by photo."""
    import stylesearch
    from stylesearch.extractors import load_extractor
    from stylesearch.settings import Settings

    extractor = load_extractor(Settings().extractor, throughput=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn_shop(folder / "drawn", N_LEARNED)
        shown = sorted((folder / "drawn" / "catalog").rglob("*.jpg"))
        photos = sorted((folder / "drawn" / "street").glob("*.jpg"))[:N_PHOTOS]
        home = folder / "home"
        originals = region_features(extractor, shown[:100])
        fill_catalog(home / "catalog.db", extractor, N_PRODUCTS, 1, shown, originals)
        space = _train(folder / "drawn", folder / "small", home)
        with stylesearch.open(home) as shop:
            for one in (shop.settings.space, space):
                shop.indexes.build(space=one)
            _measure(shop, space, photos)


def _train(drawn: Path, small: Path, home: Path) -> str:
    """Trains on the drawn shop, and puts the model, half and half, into the large workspace."""
    import stylesearch
    from stylesearch.models.store import folder_of, load_model, save_model

    with stylesearch.open(small) as shop:
        for part in ("products", "street"):
            shop.ingest(drawn / f"{part}.csv")
        report = shop.train("half", epochs=5)
    card, transform = load_model(folder_of(small, "half"))
    halved = dataclasses.replace(transform, weights={"": 0.5})
    card = dataclasses.replace(card, weights={"": 0.5}, transform_version=halved.version)
    save_model(home, card, halved)
    return report.card.space


def _measure(shop: Workspace, space: str, photos: list[Path]) -> None:
    times: dict[str, list[tuple[float, float]]] = {"whole query": [], "search alone": []}
    for number, photo in enumerate([*photos[:5], *photos]):
        both = []
        for one in (shop.settings.space, space):
            began = time.perf_counter()
            found = shop.query(photo, space=one)
            both.append((time.perf_counter() - began, found.seconds["search"]))
        if number >= 5:  # the first few load networks and indexes
            times["whole query"].append((both[0][0], both[1][0]))
            times["search alone"].append((both[0][1], both[1][1]))
    rows = []
    for what, pairs in times.items():
        medians = [1000 * statistics.median(pair[i] for pair in pairs) for i in (0, 1)]
        ratio = statistics.median(learned / untrained for untrained, learned in pairs)
        rows.append([what, *(f"{median:.1f}" for median in medians), f"{ratio:.2f}"])
    width = shop.gallery(space=space).transform.dim
    of_untrained = shop.gallery().transform.dim
    print_table(
        [
            f"{N_PRODUCTS:,} products",
            f"{shop.settings.space} ({of_untrained}), ms",
            f"learned ({width}), ms",
            "ratio",
        ],
        rows,
    )
