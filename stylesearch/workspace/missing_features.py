"""Messages about features that a catalog lacks: after an ingest, and for a search that needs them."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from stylesearch.errors import NotInCatalog
from stylesearch.extractors.spec import ExtractorSpec

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.extractors.base import Extractor

__all__ = ["is_replaced", "missing_features_error", "warn_about_missing_features"]

log = logging.getLogger(__name__)


def warn_about_missing_features(catalog: Catalog) -> None:
    """Logs a warning for each extractor whose features some shop images lack: they were ingested without it.

    Consumer photos are not counted: no search looks for them. It does not warn of a network that is now used
    with colors or with texture, since only its features with them are used.
    """
    counts = [(one, sum(catalog.categories(one).values())) for one in catalog.feature_sets()]
    feature_sets = [feature_set for feature_set, _ in counts]
    most = max((n_features for _, n_features in counts), default=0)
    for feature_set, n_features in counts:
        if n_features < most and not is_replaced(feature_set, feature_sets):
            spec = _spec_of(feature_set)
            log.warning(
                "%d shop images have no %s features: ingest again with -e %s to search them with it",
                most - n_features,
                spec,
                spec,
            )


def is_replaced(feature_set: FeatureSet, feature_sets: Iterable[FeatureSet]) -> bool:
    """Whether one of these is of the same network, with all that this one has and colors or texture more."""
    own = _spec_of(feature_set)
    with_more = {
        dataclasses.replace(own, with_texture=with_texture, with_colors=with_colors)
        for with_texture in {own.with_texture, True}
        for with_colors in {own.with_colors, True}
    } - {own}
    weights = feature_set.weights_digest
    return any(one.weights_digest == weights and _spec_of(one) in with_more for one in feature_sets)


def missing_features_error(extractor: Extractor, catalog: Catalog) -> NotInCatalog:
    """Makes the error for a catalog without features of an extractor; its hint names those that it has.

    Args:
        extractor: extractor of the missing features.
        catalog: the catalog without them.
    """
    from stylesearch.extractors.with_colors import ExtractorWithColors

    feature_sets = catalog.feature_sets()
    if not feature_sets:
        return NotInCatalog(
            f"nothing has been ingested into {catalog.backend} yet",
            hint="stylesearch ingest FOLDER, or name the right workspace with --home",
        )
    spec = str(ExtractorSpec.from_name(extractor.name, extractor.input_size))
    message = f"the catalog has no features of {spec} with the weights {extractor.weights_digest[:8]}"
    if isinstance(extractor, ExtractorWithColors):
        network = extractor.network
        if any(one.fingerprint == network.fingerprint for one in feature_sets):
            spec = str(ExtractorSpec.from_name(network.name, network.input_size))
            return NotInCatalog(
                message,
                hint=f"it has those of {spec}, without colors: ingest the same products again, which "
                f"adds the colors and computes nothing else; or search without: --extractor {spec}",
            )
    others = ", ".join(sorted(f"{_spec_of(one)} (weights {one.weights_digest[:8]})" for one in feature_sets))
    return NotInCatalog(
        message, hint=f"it has those of {others}: choose with --extractor and --weights, or ingest again"
    )


def _spec_of(feature_set: FeatureSet) -> ExtractorSpec:
    return ExtractorSpec.from_name(feature_set.extractor, feature_set.parameters["input_size"])
