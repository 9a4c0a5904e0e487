"""Pictures to choose white-box features by, and others to report them on: no product is in both halves."""

from __future__ import annotations

import csv
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import print_table
from benchmarks.retrieval import N_RESAMPLES, ranks_of
from benchmarks.shops import drawn_shop, real_photos

__all__ = [
    "HALVES",
    "METRICS",
    "PhotoSet",
    "found_by",
    "mean_gain",
    "mean_score",
    "photo_sets",
    "print_comparison",
    "print_sets",
]

HALVES = ("tuning", "report")
METRICS = ("l1", "l2", "cosine")
TOP = (5, 20)
N_PRODUCTS = int(os.environ.get("BENCH_PRODUCTS", "600"))

Images = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PhotoSet:
    """Queries and the gallery they are searched in.

    Attributes:
        name: ``"luma"`` or ``"drawn"``.
        half: one of ``HALVES``.
        gallery: uint8 (m, s, s, 3). gallery_products: the product of each.
        queries: uint8 (n, regions, s, s, 3). query_products: the right product of each.
    """

    name: str
    half: str
    gallery: Images
    gallery_products: list[str]
    queries: Images
    query_products: list[str]

    def map(self, feature: Callable[[Images], Features]) -> tuple[Features, Features]:
        """Features of the gallery, (m, dim), and of the queries, (n, regions, dim)."""
        flat = self.queries.reshape(-1, *self.queries.shape[2:])
        gallery, queries = (
            np.concatenate([feature(part[i : i + 64]) for i in range(0, len(part), 64)])
            for part in (self.gallery, flat)
        )
        return gallery, queries.reshape(*self.queries.shape[:2], -1)


def half_of(product: str) -> str:
    """In which half a product is: by its digest, so that no product is in both."""
    return HALVES[hashlib.sha256(product.encode()).digest()[-1] % 2]


def photo_sets(size: int) -> list[PhotoSet]:
    """Both halves of the drawn street photos and, where there are real photos, of a real shop's views."""
    found = [_draw_set(size)]
    photos = real_photos()
    if photos is not None:
        found.append(_luma(photos / "luma", size))
    return [half for one in found for half in _halves(one)]


def found_by(photo_set: PhotoSet, feature: Callable[[Images], Features]) -> npt.NDArray[np.float64]:
    """Whether each query finds its product: 0 or 1, (queries, metrics, top 5 and top 20)."""
    gallery, queries = photo_set.map(feature)
    ranks = [
        ranks_of(queries, photo_set.query_products, gallery, photo_set.gallery_products, metric)
        for metric in METRICS
    ]
    return np.stack([np.stack([one < k for k in TOP], axis=1) for one in ranks], axis=1).astype(float)


def mean_score(found: Sequence[npt.NDArray[np.float64]]) -> float:
    """What is chosen by, in percent: the mean over metrics, top 5 and top 20, then over the sets."""
    return 100 * float(np.mean([one.mean() for one in found]))


def mean_gain(
    found: Sequence[npt.NDArray[np.float64]], baseline: Sequence[npt.NDArray[np.float64]]
) -> tuple[float, float, float]:
    """How many points ``mean_score`` is higher, with the paired 95 % bootstrap interval over queries."""
    rng = np.random.default_rng(0)
    resampled = np.zeros(N_RESAMPLES)
    for one, other in zip(found, baseline, strict=True):
        gained = 100 * (one - other).mean(axis=(1, 2))
        chosen = rng.integers(0, len(gained), (N_RESAMPLES, len(gained)))
        resampled += gained[chosen].mean(axis=1) / len(found)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return mean_score(found) - mean_score(baseline), float(low), float(high)


def print_comparison(
    sets: Sequence[PhotoSet], features: Mapping[str, Callable[[Images], Features]], baseline: str
) -> None:
    """Prints a row for each feature: the mean of both halves, the gain over ``baseline``, and details."""
    names = sorted({one.name for one in sets})
    found = {
        what: {(one.half, one.name): found_by(one, feature) for one in sets}
        for what, feature in features.items()
    }

    def of_half(what: str, half: str) -> list[npt.NDArray[np.float64]]:
        return [found[what][half, name] for name in names]

    rows = []
    for what, feature in features.items():
        cells: list[object] = [what, feature(sets[0].gallery[:1]).shape[1]]
        for half in HALVES:
            gain = mean_gain(of_half(what, half), of_half(baseline, half))
            cells += [
                f"{mean_score(of_half(what, half)):.1f}",
                "" if what == baseline else "{:+.1f} [{:+.1f}, {:+.1f}]".format(*gain),
            ]
        for name in names:
            for number in (0, 2):
                top5, top20 = 100 * found[what]["report", name].mean(axis=0)[number]
                cells.append(f"{top5:.0f} / {top20:.0f}")
        rows.append(cells)
    details = [f"{name}, {METRICS[number]}" for name in names for number in (0, 2)]
    print_table(
        ["", "numbers", "tuning", "against the chosen", "report", "against the chosen", *details], rows
    )


def print_sets(sets: Sequence[PhotoSet]) -> None:
    """Says what was searched in what."""
    print(
        "Tuning, report: percent found on that half, mean over the sets, l1, l2, cosine, top 5 and top 20. "
        "Last columns: top 5 / top 20 on the report half.\n"
    )
    for one in sets:
        n_products = len(set(one.gallery_products))
        print(
            f"- {one.name}, {one.half} half: {len(one.query_products)} queries of {one.queries.shape[1]} "
            f"region(s); gallery of {len(one.gallery_products)} pictures of {n_products} products"
        )


def _halves(whole: PhotoSet) -> Iterator[PhotoSet]:
    for half in HALVES:
        in_gallery = [half_of(product) == half for product in whole.gallery_products]
        in_queries = [half_of(product) == half for product in whole.query_products]
        yield replace(
            whole,
            half=half,
            gallery=whole.gallery[in_gallery],
            gallery_products=[p for p in whole.gallery_products if half_of(p) == half],
            queries=whole.queries[in_queries],
            query_products=[p for p in whole.query_products if half_of(p) == half],
        )


def _draw_set(size: int) -> PhotoSet:
    """Shop pictures of drawn products, and a street photo of each seen through the regions of a query."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        drawn_shop(folder, N_PRODUCTS, seed=23)
        shop, street = (
            list(csv.DictReader((folder / f"{part}.csv").open())) for part in ("products", "street")
        )
        return PhotoSet(
            "drawn",
            "",
            _images([folder / row["image"] for row in shop], size, "whole")[:, 0],
            [row["id"] for row in shop],
            _images([folder / row["image"] for row in street], size, "street"),
            [row["id"] for row in street],
        )


def _luma(folder: Path, size: int) -> PhotoSet:
    """A real shop: its products' main views, and the other views of them as queries."""
    rows = list(csv.DictReader((folder / "images.csv").open()))
    main = [row for row in rows if row["view"] == "main"]
    others = [row for row in rows if row["view"] != "main"]
    return PhotoSet(
        "luma",
        "",
        _images([folder / row["image"] for row in main], size, "whole")[:, 0],
        [row["style"] for row in main],
        _images([folder / row["image"] for row in others], size, "whole"),
        [row["style"] for row in others],
    )


def _images(paths: list[Path], size: int, plan: str) -> Images:
    """The regions of photos as squares, (n, regions, size, size, 3)."""
    from stylesearch.images.decode import decode
    from stylesearch.images.regions import crops, plan_boxes, reduction

    found = []
    for path in paths:
        image = decode(path, reduce_to=reduction(size, plan))
        found.append(crops(image, plan_boxes(plan, image.width, image.height), size))
    return np.stack(found)
