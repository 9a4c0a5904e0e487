"""Real photos of single garments: how many of the 10 nearest are of the same category.

All photos of ``clothing/`` are ingested (none may fail), and each is searched among all others.
"""

from __future__ import annotations

import tempfile

import numpy as np

from benchmarks.measuring import print_table
from benchmarks.shops import real_photos
from stylesearch.search.local_store import LocalVectorStore
from stylesearch.workspace.workspace import Workspace

N_NEAREST = 10


def main() -> None:
    """Prints the share per category, for the whole photo: with the default space, and raw."""
    import stylesearch

    photos = real_photos()
    if photos is None:
        print("Real photos are needed: set STYLESEARCH_TEST_DATA.")
        return
    shares = {}
    with tempfile.TemporaryDirectory() as home, stylesearch.open(home) as shop:
        report = shop.ingest(photos / "clothing")
        print(f"{report.added} photos ingested, {len(report.failed)} failed\n")
        for space in ("whitened", "raw"):
            shares[space], counts = _shares(shop, space)
    rows = [
        [category, counts[category], *(f"{shares[s][category]:.0f}" for s in shares)] for category in counts
    ]
    means = [f"{np.mean(list(one.values())):.0f}" for one in shares.values()]
    weighted = [
        f"{np.average(list(one.values()), weights=list(counts.values())):.0f}" for one in shares.values()
    ]
    rows += [["mean of the categories", "", *means], ["mean of the photos", sum(counts.values()), *weighted]]
    print_table(["category", "photos", *(f"{space}, cosine, %" for space in shares)], rows)


def _shares(shop: Workspace, space: str) -> tuple[dict[str, float], dict[str, int]]:
    """Percent of the nearest of each photo that are of its category, and photos, by category."""
    from stylesearch.distance import nearest

    gallery = shop.gallery(space=space, metric="cosine")
    store = LocalVectorStore(gallery.location, gallery.metric, gallery.transform)
    blocks = {
        name: np.concatenate([vectors for _, vectors in store.vectors.blocks(name)])
        for name in gallery.counts()
    }
    counts = {category: len(vectors) for category, vectors in blocks.items()}
    vectors = np.concatenate(list(blocks.values()))
    labels = np.repeat(list(blocks), list(counts.values()))
    found, _ = nearest(vectors, vectors, "cosine", N_NEAREST + 1)
    same = []
    for row, slots in enumerate(found):
        others = slots[slots != row][:N_NEAREST]
        same.append(100 * float((labels[others] == labels[row]).mean()))
    return {category: float(np.mean(np.array(same)[labels == category])) for category in counts}, counts
