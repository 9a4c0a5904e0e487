"""The study itself: features, vectors, ranks, scores, in that order, for every method and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from stylesearch.catalog import FeatureSet
from stylesearch.errors import ConfigError
from stylesearch.evaluation import descriptions
from stylesearch.evaluation.features import compute_missing, compute_regions
from stylesearch.evaluation.indexed import check_indexed
from stylesearch.evaluation.method_ranking import MethodRanking
from stylesearch.evaluation.methods import MethodSpec, parse_methods
from stylesearch.evaluation.protocol import (
    BOX,
    Protocol,
    choose,
    count_catalog,
    list_images,
    split_queries,
    with_gallery_split,
)
from stylesearch.evaluation.region_cache import RegionCache
from stylesearch.evaluation.results import Study, StudySettings
from stylesearch.evaluation.scoring import differences_of, runs_of
from stylesearch.evaluation.surroundings import Surroundings, timed
from stylesearch.images.regions import REGION_PLANS
from stylesearch.metrics import check_metric
from stylesearch.model_cards import check_features
from stylesearch.registry import unknown_name

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["evaluate"]

NO_FEATURES = "the picture could not be used"


def evaluate(around: Surroundings, settings: StudySettings) -> Study:
    """Finds every query in the gallery with every method and metric, and scores that.

    It may be stopped at any point and run again: features that were computed are kept.

    Args:
        around: where.
        settings: what; ``methods`` as ``extractor[@size][/space]`` or ``siamese:NAME``. A trained model is
            looked at in its own metric alone.

    Raises:
        ConfigError: settings that make no sense.
        UnknownName: no such extractor, space or plan.
        NotInCatalog: no queries, or no gallery.
        CatalogLocked: features are missing and another process is writing.
    """
    seconds: dict[str, float] = {}
    with timed(seconds, "total"):
        specs = parse_methods(list(settings.methods), lambda space: around.model(space).extractor)
        settings = _checked(replace(settings, methods=tuple(spec.label for spec in specs)))
        with timed(seconds, "catalog"):
            images = list_images(around.catalog)
            protocol = choose(images, settings)
        with timed(seconds, "extractors"):
            # Before anything is computed: a name may be wrong. Nothing is extracted with these.
            extractors = {name: around.load(name) for name in dict.fromkeys(spec.extractor for spec in specs)}
        _check_models(around, settings, specs, extractors)
        feature_sets = {}
        failed: dict[int, str] = {}
        for name in extractors:
            with timed(seconds, f"features of {name}"):
                feature_sets[name], failures = _complete(around, name, protocol, settings)
                failed = {**failures, **failed}  # the first reason counts
        protocol = protocol.without({pk: f"{NO_FEATURES}: {why}" for pk, why in failed.items()})
        if settings.index:
            check_indexed(protocol, images)
        ranker = MethodRanking(around, settings, protocol, seconds)
        for name, extractor in extractors.items():
            ranker.rank_all(extractor, feature_sets[name], [spec for spec in specs if spec.extractor == name])
        with timed(seconds, "bootstrap"):
            order = [(label, metric) for label in settings.methods for metric in settings.metrics]
            columns = {key: ranker.columns[key] for key in order if key in ranker.columns}
            categories = [one.product.category for one in protocol.queries]
            runs, resampled = runs_of(columns, categories, settings)
            differences = differences_of(runs, resampled, settings)
        facts = count_catalog(images, around.catalog)
    return Study(
        settings=settings,
        catalog=facts,
        gallery=descriptions.gallery_facts(protocol, settings),
        queries=descriptions.query_facts(protocol, settings),
        methods=tuple(ranker.methods[label] for label in settings.methods),
        runs=runs,
        differences=differences,
        seconds=seconds,
    )


def _checked(settings: StudySettings) -> StudySettings:
    if not settings.metrics or not settings.ks:
        raise ConfigError("a study needs a metric and a k")
    for metric in settings.metrics:
        try:
            check_metric(metric)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    if min(settings.ks) < 1 or settings.n_hits < 1:
        raise ConfigError(f"every k has to be 1 or more. Received: {min(*settings.ks, settings.n_hits)}")
    if settings.regions != BOX and settings.regions not in REGION_PLANS:
        raise unknown_name("region plan", settings.regions, {BOX: None, **REGION_PLANS})
    if settings.n_resamples < 1 or not 0 < settings.confidence < 1 or settings.seed < 0:
        raise ConfigError("a bootstrap needs resamples, a confidence between 0 and 1, and a seed from 0 up")
    return with_gallery_split(
        replace(
            settings,
            ks=tuple(sorted(set(settings.ks))),
            metrics=tuple(dict.fromkeys(settings.metrics)),
        )
    )


def _check_models(
    around: Surroundings,
    settings: StudySettings,
    specs: Sequence[MethodSpec],
    extractors: Mapping[str, Extractor],
) -> None:
    """Refuses trained models that could not be searched, before anything is computed."""
    for spec in specs:
        if not spec.is_trained:
            continue
        card = around.model(spec.space)
        check_features(card, extractors[spec.extractor].fingerprint)
        if card.metric not in settings.metrics:
            raise ConfigError(
                f"{card.space} is searched with the metric {card.metric}, and the study is about "
                f"{', '.join(settings.metrics)}",
                hint=f"add it: --metrics {','.join((*settings.metrics, card.metric))}",
            )


def _complete(
    around: Surroundings, name: str, protocol: Protocol, settings: StudySettings
) -> tuple[FeatureSet, dict[int, str]]:
    """Computes what is missing of an extractor; says which pictures have no vectors, and why."""
    extractor = around.load(name)  # its network goes with it, when this is done
    through_catalog, through_cache = split_queries(protocol.queries, settings.regions)
    wanted = list({one.pk: one for one in (*protocol.gallery, *through_catalog)}.values())
    feature_set, failures = compute_missing(
        around.catalog, extractor, wanted, around.work, around.tell(f"features of {name}")
    )
    if through_cache:
        cache = RegionCache(around.cache, extractor.fingerprint, extractor.dim, settings.regions)
        failures |= compute_regions(
            cache, extractor, through_cache, around.work, around.tell(f"regions of {name}")
        )
    return feature_set, failures
