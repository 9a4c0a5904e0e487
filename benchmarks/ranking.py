"""Exact ranks of an evaluation against SciPy's ``cdist`` and an argsort of the whole matrix; the bar is 4.

Both find the rank of the right product of every query, on all cores that they can use, in one run and in
turn. SciPy is given float32 and computes in float64 on one core; the sort of its matrix counts, as it is how
a straightforward evaluation finds ranks.
"""

from __future__ import annotations

import os
import statistics
import time
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist

from benchmarks.measuring import alternate, print_table
from stylesearch.evaluation.ranking import RankedGallery, choose_fast_distances, rank

N_QUERIES = int(os.environ.get("BENCH_QUERIES", "400"))
N_IMAGES = 10_000
IMAGES_A_PRODUCT = 2
WIDTHS = (1280, 4096)
SCIPY_NAMES = {"l1": "cityblock", "l2": "euclidean", "cosine": "cosine"}
N_ROUNDS = 2


def main() -> None:
    """Prints a table: seconds of both, and their ratio, for each width and metric."""
    rows = []
    for dim in WIDTHS:
        queries, right, gallery = _search(dim)
        for metric in SCIPY_NAMES:
            ours, theirs = alternate(
                partial(_seconds_of_ours, queries, right, gallery, metric),
                partial(_seconds_of_scipy, queries, right, gallery, metric),
                n_rounds=1 if metric != "l1" else N_ROUNDS,
            )
            ratios = [theirs_s / ours_s for ours_s, theirs_s in zip(ours, theirs, strict=True)]
            rows.append(
                [
                    dim,
                    metric,
                    f"{statistics.median(ours):.2f}",
                    f"{statistics.median(theirs):.2f}",
                    f"{statistics.median(ratios):.1f}",
                ]
            )
    n_products = N_IMAGES // IMAGES_A_PRODUCT
    print(f"{N_QUERIES:,} queries, {N_IMAGES:,} pictures of {n_products:,} products.\n")
    print_table(["width", "metric", "ranks here, s", "cdist + argsort, s", "times faster"], rows)


def _search(dim: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], RankedGallery]:
    """Vectors like pooled features: not negative, many of them small; queries are noisy pictures."""
    rng = np.random.default_rng(dim)
    product_of = np.arange(N_IMAGES) // IMAGES_A_PRODUCT
    gallery = rng.exponential(0.4, (N_IMAGES, dim)).astype(np.float32)
    right = rng.integers(0, product_of[-1] + 1, N_QUERIES)
    noise = rng.exponential(0.4, (N_QUERIES, dim)).astype(np.float32)
    queries = 0.1 * gallery[right * IMAGES_A_PRODUCT] + 0.9 * noise
    return queries, right, RankedGallery(gallery, product_of)


def _seconds_of_ours(
    queries: npt.NDArray[np.float32], right: npt.NDArray[np.int64], gallery: RankedGallery, metric: str
) -> float:
    began = time.perf_counter()
    rank(queries[:, None], right, gallery, metric, fast_distances=choose_fast_distances())
    return time.perf_counter() - began


def _seconds_of_scipy(
    queries: npt.NDArray[np.float32], right: npt.NDArray[np.int64], gallery: RankedGallery, metric: str
) -> float:
    began = time.perf_counter()
    order = np.argsort(cdist(queries, gallery.vectors, SCIPY_NAMES[metric]), axis=1)
    (gallery.product_of[order] == right[:, None]).argmax(axis=1)
    return time.perf_counter() - began
