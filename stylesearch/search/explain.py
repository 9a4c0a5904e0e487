"""Explains hits: what of a photo was near to an image, and how much each part of the vectors made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.spaces.base import scale_for_category
from stylesearch.vectors import normalize_rows

if TYPE_CHECKING:
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.search.gallery import GalleryHit
    from stylesearch.spaces.base import Transform

__all__ = ["explain_hits"]


def explain_hits(
    location: SpaceLocation,
    transform: Transform,
    vectors: Floats,
    metric: str,
    hits: Sequence[GalleryHit],
) -> list[Mapping[str, float]]:
    """Divides the likeness, or the distance, of hits among the parts of the vectors.

    Args:
        location: location of the space.
        transform: transform of the space, in the fit that found the hits.
        vectors: vectors of the query that found them, float32 (q, dim), not scaled for a category.
        metric: ``l1``, ``l2`` or ``cosine``.
        hits: the hits.

    Returns:
        for each hit, a number for each part. For cosine they sum to 1 - distance, for l1 to the distance, for
        l2 to its square. A hit whose image was removed meanwhile has none.
    """
    ids, features = location.catalog.vectors(location.feature_set, [hit.feature_id for hit in hits])
    places = {feature_id: place for place, feature_id in enumerate(ids.tolist())}
    images = transform.apply(features)
    found: list[Mapping[str, float]] = []
    for hit in hits:
        place = places.get(hit.feature_id)
        if place is None:
            found.append({})
            continue
        both = np.stack([vectors[hit.row], images[place]])
        of_hit = scale_for_category(transform, both, hit.product.category)
        terms = _terms(of_hit, metric)
        parts = {name: float(terms[at].sum()) for name, at in transform.slices.items() if at.stop > at.start}
        found.append(parts)
    return found


def _terms(both: Floats, metric: str) -> Floats:
    """What each axis adds to the likeness, or to the distance, of two vectors, (dim,)."""
    if metric == "cosine":
        both = normalize_rows(both)
        products: Floats = both[0] * both[1]
        return products
    apart: Floats = np.abs(both[0] - both[1])
    return apart if metric == "l1" else np.square(apart)
