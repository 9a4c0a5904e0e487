"""Drawn street photos: how often the product is among the first, against what most programs do.

500 drawn products, a street photo of each. The baseline is the whole photo and cosine on raw features of the
network alone.
"""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

from benchmarks.measuring import print_table
from benchmarks.retrieval import FIXED_PLAN, difference, gallery_features, photo_features, ranks_of, top_k
from benchmarks.shops import drawn_shop

N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "500"))


def main() -> None:
    """Prints top-k accuracy with intervals, and the gain over the baseline."""
    import numpy as np

    from stylesearch.extractors import load_extractor
    from stylesearch.settings import Settings
    from stylesearch.spaces import fit_transform
    from stylesearch.spaces.parts import FeatureParts

    settings = Settings()
    extractor = load_extractor(settings.extractor, throughput=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn_shop(folder, N_PRODUCTS)
        shop, street = (
            list(csv.DictReader((folder / f"{part}.csv").open())) for part in ("products", "street")
        )
        gallery = gallery_features(extractor, [folder / row["image"] for row in shop])
        photos = photo_features(extractor, [folder / row["image"] for row in street], FIXED_PLAN)
    products, right = [row["id"] for row in shop], [row["id"] for row in street]
    parts = FeatureParts.of_extractor(extractor)
    transform = fit_transform(
        settings.space, iter([gallery]), dim_in=extractor.dim, n_rows=len(gallery), parts=parts
    )
    moved = np.stack([transform.apply_to_photo(regions) for regions in photos])
    n_of_network = parts.n_network(extractor.dim)
    baseline = ranks_of(photos[:, :1, :n_of_network], right, gallery[:, :n_of_network], products, "cosine")
    ours = ranks_of(moved, right, transform.apply(gallery), products, settings.metric)
    rows = []
    for what, ranks in (
        ("whole photo, raw, cosine", baseline),
        (f"{FIXED_PLAN}, {settings.space}, {settings.metric}", ours),
    ):
        rows.append([what, *("{:.0f} [{:.0f}, {:.0f}]".format(*top_k(ranks, k)) for k in (1, 5, 20))])
    rows.append(
        [
            "gain, points",
            *("{:+.0f} [{:+.0f}, {:+.0f}]".format(*difference(ours, baseline, k)) for k in (1, 5, 20)),
        ]
    )
    print_table(
        [f"{len(right)} photos, gallery of {len(set(products))}", "top 1, %", "top 5, %", "top 20, %"], rows
    )
