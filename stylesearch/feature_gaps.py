"""Which features a catalog has, by the names that extractors go by, and what to do about those it lacks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from stylesearch.errors import NotInCatalog

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.extractors.base import Extractor

__all__ = ["no_features_of", "warn_of_gaps"]

log = logging.getLogger(__name__)


def warn_of_gaps(catalog: Catalog) -> None:
    """Says when an extractor's features are missing for pictures that came in without it.

    Those of a network to which colours are joined since are what they were joined from, and no gap.
    """
    from stylesearch.extractors.specs import COLORS

    counts = catalog.status().features
    names = {_name_of(feature_set) for feature_set, _ in counts}
    most = max((n_features for _, n_features in counts), default=0)
    for feature_set, n_features in counts:
        name, *others = _name_of(feature_set)
        if n_features < most and (name + COLORS, *others) not in names:
            spec = _spec_of(feature_set)
            log.warning(
                "%d pictures have no %s features: ingest again with -e %s to search them with it",
                most - n_features,
                spec,
                spec,
            )


def no_features_of(extractor: Extractor, catalog: Catalog, database: str) -> NotInCatalog:
    """The error that says that a catalog has none of an extractor's, and which it has.

    Args:
        extractor: whose features are wanted.
        catalog: without them.
        database: where the catalog is, for the message.
    """
    from stylesearch.extractors.joined import JoinedExtractor
    from stylesearch.extractors.specs import spec_of

    known = catalog.feature_sets()
    if not known:
        return NotInCatalog(
            f"nothing has been ingested into {database} yet",
            hint="stylesearch ingest FOLDER, or name the right workspace with --home",
        )
    spec = spec_of(extractor.name, extractor.input_size)
    message = f"the catalog has no features of {spec} with the weights {extractor.weights_digest[:8]}"
    if isinstance(extractor, JoinedExtractor):
        network = extractor.network
        if any(one.fingerprint == network.fingerprint for one in known):
            spec = spec_of(network.name, network.input_size)
            return NotInCatalog(
                message,
                hint=f"it has those of {spec}, without colours: ingest the same products again, which "
                f"adds the colours and computes nothing else; or search without: --extractor {spec}",
            )
    others = ", ".join(sorted(f"{_spec_of(one)} (weights {one.weights_digest[:8]})" for one in known))
    return NotInCatalog(
        message, hint=f"it has those of {others}: choose with --extractor and --weights, or ingest again"
    )


def _name_of(feature_set: FeatureSet) -> tuple[str, str, Any]:
    """What an extractor is called by, with its weights and input size."""
    return feature_set.extractor, feature_set.weights_digest, feature_set.parameters["input_size"]


def _spec_of(feature_set: FeatureSet) -> str:
    from stylesearch.extractors.specs import spec_of

    return spec_of(feature_set.extractor, feature_set.parameters["input_size"])
