"""Each white-box feature alone and all together; what was tried for corners and scaling; who weighs what.

Chosen on one half of the products, reported on the other; see ``benchmarks.whitebox_sets``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import print_table
from benchmarks.whitebox_sets import (
    METRICS,
    Features,
    Images,
    PhotoSet,
    photo_sets,
    print_comparison,
    print_sets,
)
from stylesearch.extractors.classical.combined import WHITE_BOX
from stylesearch.extractors.classical.feature import WHITE_BOXES, Feature
from stylesearch.extractors.classical.harris import harris_response
from stylesearch.extractors.classical.hog import Hog
from stylesearch.extractors.classical.luma import luma

SIZE = 64
_CHOSEN = "whitebox"
# A local maximum is a corner from this share of the strongest one on.
_CORNER_FROM = 0.01


def main() -> None:
    """Prints accuracy of each feature and of what was tried instead, then each part's share of distances."""
    sets = photo_sets(SIZE)
    features: dict[str, Callable[[Images], Features]] = {
        name: WHITE_BOXES.load(name).from_arrays for name in WHITE_BOXES
    }
    features["hog with blocks of 3 x 3 cells"] = Hog(block=3).from_arrays
    features["harris: corners counted instead, square root"] = _corner_counts
    features["whitebox, parts of equal norm"] = partial(_scale, 0.0)
    features["whitebox, parts * d ** -1/2"] = partial(_scale, 0.5)
    print_comparison(sets, features, _CHOSEN)
    print()
    print_sets(sets)
    print("\nMean distance from queries to pictures of the gallery, by part of whitebox:\n")
    _print_shares(sets)


def _scale(exponent: float, images: Images) -> Features:
    """The extractor whitebox with each part of d numbers multiplied by another power of d."""
    features = WHITE_BOX.from_arrays(images)
    change = np.concatenate(
        [np.full(part.dim(SIZE), part.dim(SIZE) ** (0.25 - exponent)) for part in WHITE_BOX.parts]
    )
    scaled: Features = (features * change).astype(np.float32)
    return scaled


def _corner_counts(images: Images) -> Features:
    """Square roots of the number of corners in 8 x 8 fields, of norm 1."""
    response = harris_response(luma(images))
    padded = np.pad(response, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    around = [padded[:, y : y + SIZE, x : x + SIZE] for y in range(3) for x in range(3)]
    strongest = response.max(axis=(1, 2), keepdims=True)
    corners = (response == np.max(around, axis=0)) & (response > _CORNER_FROM * np.maximum(strongest, 1e-9))
    counts = np.sqrt(corners.reshape(len(images), 8, SIZE // 8, 8, SIZE // 8).sum(axis=(2, 4)))
    flat = counts.reshape(len(images), -1).astype(np.float32)
    unit: Features = flat / np.maximum(1e-9, np.linalg.norm(flat, axis=1, keepdims=True))
    return unit


def _print_shares(sets: list[PhotoSet]) -> None:
    from stylesearch.distance import distances

    rows = []
    for one in sets:
        if one.half != "report":
            continue
        gallery, queries = one.map(WHITE_BOX.from_arrays)
        flat = queries.reshape(-1, queries.shape[-1])
        flat = flat[np.random.default_rng(0).permutation(len(flat))[:300]]
        for metric in METRICS[:2]:
            means = {}
            for part, (begin, end) in _places(WHITE_BOX.parts).items():
                means[part] = float(distances(flat[:, begin:end], gallery[:, begin:end], metric).mean())
            rows.append([f"{one.name}, {metric}", *(f"{mean:.2f}" for mean in means.values())])
    print_table(["", *_places(WHITE_BOX.parts)], rows)


def _places(parts: tuple[Feature, ...]) -> dict[str, tuple[int, int]]:
    """Where each part begins and ends in the vector."""
    ends: npt.NDArray[np.intp] = np.cumsum([part.dim(SIZE) for part in parts])
    return {part.name: (int(end) - part.dim(SIZE), int(end)) for part, end in zip(parts, ends, strict=True)}
