"""Ranks, top-k accuracy and its confidence interval, and features of photos seen through regions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesearch.distance import distances
from stylesearch.extractors.base import Extractor
from stylesearch.images.decode import decode
from stylesearch.images.regions import crops, letterbox, plan_boxes, reduction

__all__ = ["FIXED_PLAN", "difference", "gallery_features", "photo_features", "ranks_of", "top_k"]

N_RESAMPLES = 2000

FIXED_PLAN = "street"
"""Of benchmarks that want as many regions of every photo: those of the default depend on the photo."""


def gallery_features(extractor: Extractor, paths: Sequence[Path]) -> npt.NDArray[np.float32]:
    """Features of whole pictures, (n, dim), as ingest computes them."""
    size = extractor.input_size
    return np.concatenate(
        [
            extractor.extract(
                np.stack(
                    [
                        letterbox(decode(path, reduce_to=reduction(size)).pixels, size)
                        for path in paths[i : i + 32]
                    ]
                )
            )
            for i in range(0, len(paths), 32)
        ]
    )


def photo_features(extractor: Extractor, paths: Sequence[Path], plan: str) -> npt.NDArray[np.float32]:
    """Features of every region of photos, (n, regions, dim), as a query computes them."""
    size = extractor.input_size
    features = []
    for path in paths:
        image = decode(path, reduce_to=reduction(size, plan))
        boxes = plan_boxes(plan, image.width, image.height)
        features.append(extractor.extract(crops(image, boxes, size)))
    return np.stack(features)


def ranks_of(
    queries: npt.NDArray[np.float32],
    query_products: Sequence[str],
    gallery: npt.NDArray[np.float32],
    gallery_products: Sequence[str],
    metric: str,
) -> npt.NDArray[np.float64]:
    """How many other products are nearer than the right one, for each query; ties count half.

    Args:
        queries: vectors of each query's regions, (n, regions, dim); the nearest region counts.
        query_products: the right product of each query, in the gallery.
        gallery: vectors, (m, dim); the nearest image of a product counts.
        gallery_products: the product of each.
        metric: of the distance.
    """
    names, product_of = np.unique(np.asarray(gallery_products), return_inverse=True)
    ranks = np.empty(len(queries))
    for number, (regions, right) in enumerate(zip(queries, query_products, strict=True)):
        to_images = distances(regions, gallery, metric).min(axis=0)
        to_products = np.full(len(names), np.inf)
        np.minimum.at(to_products, product_of, to_images)
        to_right = to_products[np.searchsorted(names, right)]
        ranks[number] = (to_products < to_right).sum() + ((to_products == to_right).sum() - 1) / 2
    return ranks


def top_k(ranks: npt.NDArray[np.float64], k: int) -> tuple[float, float, float]:
    """Top-k accuracy in percent, with its 95 % bootstrap interval over queries."""
    found = (ranks < k).astype(float)
    resampled = found[np.random.default_rng(0).integers(0, len(found), (N_RESAMPLES, len(found)))].mean(
        axis=1
    )
    low, high = np.percentile(resampled, [2.5, 97.5])
    return 100 * float(found.mean()), 100 * float(low), 100 * float(high)


def difference(
    ranks: npt.NDArray[np.float64], baseline: npt.NDArray[np.float64], k: int
) -> tuple[float, float, float]:
    """Points of top-k accuracy gained over a baseline on the same queries, with the paired 95 % interval."""
    gained = (ranks < k).astype(float) - (baseline < k).astype(float)
    resampled = gained[np.random.default_rng(0).integers(0, len(gained), (N_RESAMPLES, len(gained)))].mean(
        axis=1
    )
    low, high = np.percentile(resampled, [2.5, 97.5])
    return 100 * float(gained.mean()), 100 * float(low), 100 * float(high)
