"""The levers: each a name, and for each of its values how well a test's photos find their products."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from benchmarks.lever_cases import DEFAULT, Case, Pair
from benchmarks.lever_colors import HISTOGRAMS
from benchmarks.lever_features import MORE, STREET, Boxes, Floats
from benchmarks.lever_vectors import region_distances, signed_root, unit
from benchmarks.reranking import Neighbours, jaccard_distances
from stylesearch.images.regions import REGION_PLANS

__all__ = ["LEVERS", "Lever", "Measure"]

Doubles = npt.NDArray[np.float64]
Measure = Callable[[Case], Doubles]
"""Ranks of the right products of a test's photos, (n,), 0 for the first."""

LITE0_224, LITE0_384 = "efficientnet-lite0@224", "efficientnet-lite0@384"
LITE2_260, LITE2_352 = "efficientnet-lite2@260", "efficientnet-lite2@352"
N_RERANKED = 100
JOINED = HISTOGRAMS[1].fingerprint
"""The histogram that joins other levers."""


@dataclass(frozen=True)
class Lever:
    """Something that may help.

    Attributes:
        name: of it.
        values: what it may be set to, each measured.
        chosen: whether only a value chosen on other products is reported, all others in a second table.
        of_colors: whether it is measured on photos in other light too.
    """

    name: str
    values: Mapping[str, Measure]
    chosen: bool = False
    of_colors: bool = False


def _whiten(name: str, case: Case) -> Doubles:
    return case.ranks(case.whiten(case.features(name)).distances())


def _joined_features(names: tuple[str, str], case: Case) -> Doubles:
    """One space fitted to the features of two networks side by side."""
    one, other = (case.features(name) for name in names)
    side_by_side = Pair(
        np.concatenate([one.photos, other.photos], axis=2),
        np.concatenate([one.gallery, other.gallery], axis=1),
    )
    return case.ranks(case.whiten(side_by_side).distances())


def _joined_distances(names: tuple[str, str], case: Case) -> Doubles:
    """Each network in its own space, the mean of both distances."""
    one, other = (case.whiten(case.features(name)).distances() for name in names)
    return case.ranks(one + other)


def _regions(boxes: Boxes, case: Case) -> Doubles:
    return case.ranks(case.default_distances(boxes))


def _head_start(start: float, case: Case) -> Doubles:
    """The whole photo, which is the first region, counts as nearer than it is."""
    distances = case.default_distances()
    distances[:, 0] -= start
    return case.ranks(distances)


def _metric(metric: str, root: bool, case: Case) -> Doubles:
    pair = case.features()
    if root:
        pair = Pair(signed_root(pair.photos), signed_root(pair.gallery))
    return case.ranks(pair.distances(metric))


def _whitened_metric(metric: str, case: Case) -> Doubles:
    return case.ranks(case.default.distances(metric))


def _whitening(fitted_to: str, width: int | None, strength: float, case: Case) -> Doubles:
    pair = case.features()
    if width is None:
        width = min(512, max(32, len(pair.gallery) // 4))  # as the library chooses it

    def ranks(axes_of: str) -> Doubles:
        axes = case.axes(axes_of)
        photos, gallery = (axes.apply(one, width, strength) for one in (pair.photos, pair.gallery))
        return case.ranks(region_distances(photos, gallery))

    return _of_halves(fitted_to, ranks, case)


def _colors(histogram: str, weight: float, case: Case) -> Doubles:
    colors = case.features(histogram).distances()
    return case.ranks((1 - weight) * case.default_distances() + weight * colors)


def _colors_in_wide_space(fitted_to: str, weight: float, case: Case) -> Doubles:
    """Colors beside 512 axes, each divided by its deviation to the power 0.25."""
    pair, colors = case.features(), case.features(JOINED).distances()

    def ranks(axes_of: str) -> Doubles:
        axes = case.axes(axes_of)
        photos, gallery = (axes.apply(one, 512, 0.25) for one in (pair.photos, pair.gallery))
        return case.ranks((1 - weight) * region_distances(photos, gallery) + weight * colors)

    return _of_halves(fitted_to, ranks, case)


def _of_halves(fitted_to: str, ranks: Callable[[str], Doubles], case: Case) -> Doubles:
    """Ranks in a space of that fit; photos it is fitted to are of other products than the one looked for."""
    if fitted_to != "gallery, photos":
        return ranks(fitted_to)
    return np.where(case.half == 0, ranks("photos 1"), ranks("photos 0"))


def _colors_in_raw(weight: float, case: Case) -> Doubles:
    colors = case.features(JOINED).distances()
    return case.ranks((1 - weight) * case.features().distances() + weight * colors)


def _colors_of_two_networks(weight: float, case: Case) -> Doubles:
    colors = case.features(JOINED).distances()
    both = (case.default_distances() + case.whiten(case.features(LITE2_352)).distances()) / 2
    return case.ranks((1 - weight) * both + weight * colors)


def _mirror(of_photos: bool, of_gallery: bool, case: Case) -> Doubles:
    plain = case.features()
    if of_gallery:
        mirror = case.features(mirrored=(False, True))
        plain = Pair(plain.photos, _mean(plain.gallery, mirror.gallery))
    if of_photos:
        mirror = case.features(mirrored=(True, False))
        plain = Pair(_mean(plain.photos, mirror.photos), plain.gallery)
    return case.ranks(case.whiten(plain).distances())


def _mean(one: Floats, other: Floats) -> Floats:
    return (one + other) / np.float32(2)


def _nearest_of_both(case: Case) -> Doubles:
    plain, mirror = case.features(), case.features(mirrored=(True, False))
    both = Pair(np.concatenate([plain.photos, mirror.photos], axis=1), plain.gallery)
    return case.ranks(case.whiten(both).distances())


def _centroids(share: float, case: Case) -> Doubles:
    """``share`` of the distance to the mean of a product's pictures, the rest to the nearest of them."""
    gallery = unit(case.default.gallery)
    _, product_of = np.unique(np.asarray(case.test.products), return_inverse=True)
    sums = np.zeros((product_of.max() + 1, gallery.shape[1]), np.float32)
    np.add.at(sums, product_of, gallery)
    to_centroids = region_distances(case.default.photos, sums).min(axis=1)[:, product_of]
    return case.ranks_of_images(share * to_centroids + (1 - share) * case.default_distances().min(axis=1))


def _rerank(k1: int, k2: int, kept: float, case: Case) -> Doubles:
    """The nearest pictures ordered anew; the others stay behind them in their order."""
    to_images = case.default_distances().min(axis=1)
    moved = to_images.astype(float) + 10
    gallery = unit(case.default.gallery)
    for photo, row in enumerate(to_images):
        near = np.argsort(row, kind="stable")[:N_RERANKED]
        moved[photo, near] = rerank(row[near], gallery[near], k1, k2, kept)
    return case.ranks_of_images(moved)


def rerank(to_photo: Floats, vectors: Floats, k1: int, k2: int, kept: float) -> Doubles:
    """Distances of a photo's candidates after re-ranking, (k,).

    Args:
        to_photo: before. vectors: of the candidates, of length one.
        k1, k2: see ``jaccard_distances``.
        kept: share of the distance before.
    """
    jaccard = jaccard_distances(Neighbours(to_photo, 1 - vectors @ vectors.T), k1, k2)
    return (1 - kept) * jaccard + kept * to_photo


def _grid_of_whitening(fitted_to: str) -> dict[str, Measure]:
    return {
        f"{width} axes, power {strength}": partial(_whitening, fitted_to, width, strength)
        for width, strength in itertools.product((64, 128, 256, 512), (0.25, 0.5, 0.75, 1.0))
    }


_FITS = ("gallery", "gallery, other shops", "gallery, photos")

LEVERS: tuple[Lever, ...] = (
    Lever(
        "input size",
        {
            "224": partial(_whiten, LITE0_224),
            "384": partial(_whiten, LITE0_384),
            "224 and 320, mean of distances": partial(_joined_distances, (LITE0_224, DEFAULT)),
        },
    ),
    Lever(
        "network",
        {
            "Lite2 at 260": partial(_whiten, LITE2_260),
            "Lite2 at 352": partial(_whiten, LITE2_352),
            "Lite0 at 320 and Lite2 at 352, features joined": partial(_joined_features, (DEFAULT, LITE2_352)),
            "Lite0 at 320 and Lite2 at 352, mean of distances": partial(
                _joined_distances, (DEFAULT, LITE2_352)
            ),
            f"the same and {JOINED}, weight 0.15": partial(_colors_of_two_networks, 0.15),
            "Lite0 at 320 and Lite2 at 260, mean of distances": partial(
                _joined_distances, (DEFAULT, LITE2_260)
            ),
        },
    ),
    Lever(
        "regions",
        {
            "whole": partial(_regions, REGION_PLANS["whole"]),
            "few": partial(_regions, REGION_PLANS["few"]),
            "street without the flattest": partial(_regions, STREET[:12]),
            "street and off centre": partial(_regions, MORE[: len(STREET) + 6]),
            "street and small": partial(_regions, (*STREET, *MORE[len(STREET) + 6 :])),
            "all of these": partial(_regions, MORE),
        },
    ),
    Lever(
        "head start of the whole photo",
        {f"{start}": partial(_head_start, start) for start in (0.02, 0.05, 0.08, 0.12, 0.16, 0.2)},
        chosen=True,
    ),
    Lever(
        "metric",
        {
            f"{'square roots' if root else 'raw'}, {metric}": partial(_metric, metric, root)
            for root in (False, True)
            for metric in ("l1", "l2", "cosine")
        }
        | {f"whitened, {metric}": partial(_whitened_metric, metric) for metric in ("l1", "l2")},
    ),
    Lever("fit of the space", {fit: partial(_whitening, fit, None, 0.5) for fit in _FITS[1:]}),
    *(Lever(f"whitening, fitted to {fit}", _grid_of_whitening(fit), chosen=True) for fit in _FITS),
    Lever(
        "colors",
        {
            f"{one.fingerprint}, weight {weight}": partial(_colors, one.fingerprint, weight)
            for one in HISTOGRAMS
            for weight in (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
        },
        chosen=True,
        of_colors=True,
    ),
    Lever(
        f"{JOINED} joined to other levers",
        {
            "weight 0.15": partial(_colors, JOINED, 0.15),
            "weight 0.15, 512 axes of power 0.25": partial(_colors_in_wide_space, "gallery", 0.15),
            "weight 0.15, the same fitted to gallery, photos": partial(
                _colors_in_wide_space, "gallery, photos", 0.15
            ),
            "weight 0.15, raw": partial(_colors_in_raw, 0.15),
        },
        of_colors=True,
    ),
    Lever(
        "mirror",
        {
            "gallery, mean": partial(_mirror, False, True),
            "photo, mean": partial(_mirror, True, False),
            "both, mean": partial(_mirror, True, True),
            "photo, nearest of both": _nearest_of_both,
        },
    ),
    Lever("centroid of a product", {"alone": partial(_centroids, 1.0), "half": partial(_centroids, 0.5)}),
    Lever(
        "k-reciprocal re-ranking of 100",
        {
            f"k1 {k1}, k2 {k2}, {kept} kept": partial(_rerank, k1, k2, kept)
            for k1, k2, kept in itertools.product((5, 10, 20), (1, 3, 6), (0.3, 0.6, 0.8))
        },
        chosen=True,
    ),
)
