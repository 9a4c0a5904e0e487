"""Explanations of hits: what the parts of the vectors made of a distance sums to it, in every space."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stylesearch.distance import METRICS, distances
from stylesearch.search.explain import explain_hits
from stylesearch.search.gallery import GalleryHit
from stylesearch.spaces import fit_transform
from stylesearch.spaces.base import Transform, join_squares, scale_for_category
from stylesearch.testing import fake_transform
from stylesearch.types import Domain, ImageRecord, Product
from tests.unit.spaces.test_mixed import PARTS, features

CATEGORIES = ["dress", "coat", "hat"]
WEIGHTS = {"": 0.5, "coat": 0.8, "hat": 0.1}
GALLERY = features(60, seed=1)


def make(space: str, metric: str) -> Transform:
    def fit(name: str) -> Any:
        return fit_transform(name, iter([GALLERY]), dim_in=GALLERY.shape[1], n_rows=60, parts=PARTS)

    if space != "learned":
        return fit(space)
    return fake_transform(fit("mixed"), base=fit("raw"), metric=metric, weights=WEIGHTS)


def hit_of(transform: Transform, vectors: np.ndarray, row: int, image: int, metric: str) -> GalleryHit:
    category = CATEGORIES[image % len(CATEGORIES)]
    found = distances(
        scale_for_category(transform, vectors[[row]], category),
        scale_for_category(transform, transform.apply(GALLERY[[image]]), category),
        metric,
    )
    record = ImageRecord(f"{image}.jpg", "0" * 64, Domain.SHOP, 9, 9)
    return GalleryHit(Product(str(image), "", category), record, float(found[0, 0]), row, 100 + image)


def location_of(ids: list[int]) -> Any:
    """A catalog that has only these features, and lists them in an order of its own."""

    def vectors(feature_set: object, wanted: list[int]) -> tuple[np.ndarray, np.ndarray]:
        kept = [one for one in reversed(ids) if one in wanted]
        return np.array(kept), GALLERY[[one - 100 for one in kept]]

    return SimpleNamespace(catalog=SimpleNamespace(vectors=vectors), feature_set=None)


@pytest.mark.parametrize("n_squares", [0, 2, 4])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("space", ["raw", "whitened", "mixed", "learned"])
def test_the_parts_sum_to_the_distance(space: str, metric: str, n_squares: int) -> None:
    transform = make(space, metric)
    photo = transform.apply_to_photo(features(4, seed=2), n_squares)
    vectors = join_squares(photo, n_squares, metric)
    assert len(vectors) == 4
    hits = [hit_of(transform, vectors, row, image, metric) for row, image in ((0, 7), (3, 8), (1, 9))]
    found = explain_hits(location_of([one.feature_id for one in hits]), transform, vectors, metric, hits)
    for hit, parts in zip(hits, found, strict=True):
        whole = {"cosine": 1 - hit.distance, "l1": hit.distance, "l2": hit.distance**2}[metric]
        assert sum(parts.values()) == pytest.approx(whole, rel=1e-4, abs=1e-5)
    names = {
        "mixed": ["raw", "whitened", "texture", "colors", "kind"],
        "learned": ["learned", "raw", "whitened", "texture", "colors", "kind"],
    }
    assert all(list(parts) == names.get(space, ["network", "colors"]) for parts in found)


def test_an_image_that_was_removed_meanwhile_has_no_parts() -> None:
    transform = make("mixed", "cosine")
    vectors = transform.apply_to_photo(features(1, seed=2))
    hits = [hit_of(transform, vectors, 0, image, "cosine") for image in (3, 4)]
    gone, there = explain_hits(location_of([104]), transform, vectors, "cosine", hits)
    assert gone == {}
    assert sum(there.values()) == pytest.approx(1 - hits[1].distance, abs=1e-5)
