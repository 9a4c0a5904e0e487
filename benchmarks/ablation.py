"""Regions, input size, space and metric: what finds the garment, on the tests of photo_tests.py."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from benchmarks.measuring import print_table
from benchmarks.photo_tests import PhotoTest, photo_tests
from benchmarks.retrieval import gallery_features, photo_features, ranks_of, top_k
from stylesearch.images import regions
from stylesearch.images.regions import REGION_PLANS, WHOLE, centred_boxes

N_DRAWN = int(os.environ.get("BENCH_PRODUCTS", "500"))
SIZES = (224, 320)
PLANS = {
    "whole": REGION_PLANS["whole"],
    "few": REGION_PLANS["few"],
    "narrow": (WHOLE, *centred_boxes(0.8, 0.5, 5), *centred_boxes(0.6, 0.4, 5), *centred_boxes(0.7, 0.35, 5)),
    "street": REGION_PLANS["street"],
}
SPACES = (("raw", "cosine"), ("raw", "l1"), ("whitened", "cosine"), ("whitened", "l2"), ("whitened", "l1"))


def main() -> None:
    """Prints a table a test."""
    regions.REGION_PLANS = PLANS  # plans that are measured and not kept need no place in the library
    with tempfile.TemporaryDirectory() as name:
        for title, test in photo_tests(Path(name), N_DRAWN).items():
            _measure(title, test)


def _measure(title: str, test: PhotoTest) -> None:
    from stylesearch.extractors import load_extractor
    from stylesearch.spaces import fit_transform

    rows = []
    for size in SIZES:
        extractor = load_extractor(f"efficientnet-lite0@{size}", throughput=True)
        gallery = gallery_features(extractor, test.gallery)
        transforms = {
            space: fit_transform(space, iter([gallery]), dim_in=extractor.dim, n_rows=len(gallery))
            for space, _ in SPACES
        }
        for plan in PLANS:
            features = photo_features(extractor, test.photos, plan)
            for space, metric in SPACES:
                transform = transforms[space]
                moved = transform.apply(features.reshape(-1, extractor.dim)).reshape(*features.shape[:2], -1)
                ranks = ranks_of(moved, test.right, transform.apply(gallery), test.products, metric)
                found = ("{:.0f} [{:.0f}, {:.0f}]".format(*top_k(ranks, k)) for k in (1, 5, 20))
                rows.append([size, f"{plan} ({features.shape[1]})", space, metric, *found])
    print(f"**{title}**: {len(test.photos)} photos, gallery of {len(test.gallery)} pictures\n")
    print_table(["input", "regions", "space", "metric", "top 1, %", "top 5, %", "top 20, %"], rows)
    print(flush=True)
