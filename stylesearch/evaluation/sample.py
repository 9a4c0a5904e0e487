"""Samples queries and gallery images and reads their features, for the maps of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from stylesearch.array_types import Floats
from stylesearch.catalog import Catalog
from stylesearch.evaluation.results import Study, StudyImage
from stylesearch.features.arrays import ArrayPool, gallery_features, query_features
from stylesearch.features.images import CatalogImage, split_queries
from stylesearch.features.region_cache import RegionCache

__all__ = ["N_SAMPLED", "Features", "read_sample", "sampled_gallery", "sampled_queries"]

N_SAMPLED: Final = 300
"""How many queries, and how many gallery images: more would only cover each other on a map."""

Features = Mapping[str, Floats]
"""By the fingerprint of an extractor: float32 (sampled, dim), those of ``sampled_queries``, then those of
``sampled_gallery``."""


def sampled_queries(study: Study) -> list[int]:
    """Draws queries with the study's seed; returns their places in ``queries.images``, rising."""
    n = study.queries.n_queries
    drawn = np.random.default_rng(study.settings.seed).choice(n, min(n, N_SAMPLED), replace=False)
    return sorted(drawn.tolist())


def sampled_gallery(study: Study) -> list[int]:
    """Draws gallery images that are no sampled query; returns their places in ``gallery.images``, rising."""
    searched = study.gallery.images
    queries = {(one.product, one.path) for one in (study.queries.images[i] for i in sampled_queries(study))}
    others = [place for place, one in enumerate(searched) if (one.product, one.path) not in queries]
    rng = np.random.default_rng((study.settings.seed, 1))
    return sorted(rng.choice(others, min(len(others), N_SAMPLED), replace=False).tolist())


def read_sample(study: Study, catalog: Catalog, cache: Path) -> Features:
    """Reads the features of the sampled images, of every extractor of a study, as they were searched.

    For queries with several regions it reads the features of the first region, the whole photo. An extractor
    is left out where the catalog has no features of it.

    Args:
        study: a study of this catalog.
        catalog: the catalog.
        cache: the workspace's folder for vectors of regions.

    Raises:
        CatalogError: images or their features are gone meanwhile.
    """
    images = _images(catalog, [study.queries.images[place] for place in sampled_queries(study)])
    searched = _images(catalog, [study.gallery.images[place] for place in sampled_gallery(study)])
    regions = study.settings.regions
    through_catalog, through_cache = split_queries(images, regions)
    features = {}
    for method in study.methods:
        feature_set = catalog.find_feature_set(method.fingerprint)
        if feature_set is None or method.fingerprint in features:
            continue
        plan = "whole" if regions == "box" else regions
        vectors = RegionCache(cache, method.fingerprint, method.feature_dim, plan)
        with ArrayPool(cache, 2**40) as pool:  # a few hundred rows fit into any memory
            found, _ = query_features(
                pool, catalog, feature_set, images, through_catalog, through_cache, vectors
            )
            in_gallery = gallery_features(pool, catalog, feature_set, searched)
            features[method.fingerprint] = np.concatenate([found[:, 0], in_gallery])
    return features


def _images(catalog: Catalog, wanted: Sequence[StudyImage]) -> list[CatalogImage]:
    keys = [(one.product, one.path) for one in wanted]
    listed = set(keys)
    images = {
        (product, image.path): image
        for product in dict.fromkeys(product for product, _ in keys)
        for image in catalog.images_of(product)
        if (product, image.path) in listed
    }
    of_catalog = catalog.known_images(images)
    return [CatalogImage(of_catalog[key].pk, of_catalog[key].product, images[key]) for key in keys]
