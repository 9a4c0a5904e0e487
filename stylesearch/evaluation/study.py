"""Runs a study: features, vectors, ranks and scores, in that order, for every method and metric.

``evaluate`` runs it; ``MethodRanking`` ranks the queries extractor by extractor;
``gallery_facts`` and ``query_facts`` describe what was searched, for the text beside every table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from stylesearch.array_types import Floats, Ints
from stylesearch.catalog import FeatureSet
from stylesearch.distance import check_metric
from stylesearch.errors import ConfigError
from stylesearch.evaluation.indexed import check_indexed, rank_by_index, refresh_indexes
from stylesearch.evaluation.protocol import (
    ANY_SPLIT,
    MethodSpec,
    Protocol,
    choose,
    count_catalog,
    parse_methods,
    with_gallery_split,
)
from stylesearch.evaluation.ranking import MakeFastDistances, RankedGallery, choose_fast_distances, rank
from stylesearch.evaluation.results import (
    Columns,
    EqualImages,
    GalleryFacts,
    LeftOut,
    Method,
    QueryFacts,
    Study,
    StudyImage,
    StudySettings,
)
from stylesearch.evaluation.scores import differences_of, runs_of
from stylesearch.features.arrays import (
    ArrayPool,
    category_scales,
    count_pairs,
    gallery_features,
    join_query_squares,
    query_features,
)
from stylesearch.features.compute import compute_missing, compute_regions
from stylesearch.features.context import StudyContext, time_stage
from stylesearch.features.images import BOX, CatalogImage, list_images, split_queries
from stylesearch.features.region_cache import RegionCache
from stylesearch.files import digest_of
from stylesearch.images.regions import PERSON_PLAN, REGION_PLANS, count_squares
from stylesearch.models.card import check_features
from stylesearch.registry import unknown_name
from stylesearch.spaces.parts import FeatureParts

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor


__all__ = [
    "MethodRanking",
    "evaluate",
    "gallery_facts",
    "query_facts",
]

_NO_FEATURES: Final = "the picture could not be used"
_MAX_EXAMPLES: Final = 10
"""Paths that are kept of queries that were left out, and of equal images."""


def evaluate(context: StudyContext, settings: StudySettings) -> Study:
    """Searches the gallery for every query with every method and metric, and scores what is found.

    It may be stopped at any point and run again: computed features are stored.

    Args:
        context: the catalog, and how to load extractors and models.
        settings: settings of the study, with ``methods`` as ``extractor[@size][/space]`` or ``siamese:NAME``.
            A trained model is evaluated only with its own metric.

    Raises:
        ConfigError: settings that make no sense.
        UnknownName: no such extractor, space or plan.
        NotInCatalog: no queries, or no gallery.
        CatalogLocked: features are missing and another process is writing.
    """
    seconds: dict[str, float] = {}
    with time_stage(seconds, "total"):
        specs = parse_methods(list(settings.methods), lambda space: context.model(space).extractor)
        settings = _check_settings(replace(settings, methods=tuple(spec.label for spec in specs)))
        with time_stage(seconds, "catalog"):
            images = list_images(context.catalog)
            protocol = choose(images, settings)
        with time_stage(seconds, "extractors"):
            # Loaded before anything is computed, since a name may be wrong. Nothing is extracted with these.
            extractors = {
                name: context.load(name) for name in dict.fromkeys(spec.extractor for spec in specs)
            }
        _check_models(context, settings, specs, extractors)
        feature_sets = {}
        failed: dict[int, str] = {}
        for name in extractors:
            with time_stage(seconds, f"features of {name}"):
                feature_sets[name], failures = _compute_features(context, name, protocol, settings)
                failed = {**failures, **failed}  # the first reason counts
        protocol = protocol.without({pk: f"{_NO_FEATURES}: {why}" for pk, why in failed.items()})
        if settings.index:
            check_indexed(protocol, images)
        ranker = MethodRanking(context, settings, protocol, seconds)
        for name, extractor in extractors.items():
            ranker.rank_all(extractor, feature_sets[name], [spec for spec in specs if spec.extractor == name])
        with time_stage(seconds, "bootstrap"):
            order = [(label, metric) for label in settings.methods for metric in settings.metrics]
            columns = {key: ranker.columns[key] for key in order if key in ranker.columns}
            categories = [one.product.category for one in protocol.queries]
            runs, resampled = runs_of(columns, categories, settings)
            differences = differences_of(runs, resampled, settings)
        facts = count_catalog(images, context.catalog)
    return Study(
        settings=settings,
        catalog=facts,
        gallery=gallery_facts(protocol, settings),
        queries=query_facts(protocol, settings, n_with_person=ranker.n_with_person),
        methods=tuple(ranker.methods[label] for label in settings.methods),
        runs=runs,
        differences=differences,
        seconds=seconds,
    )


def _check_settings(settings: StudySettings) -> StudySettings:
    if not settings.metrics or not settings.ks:
        raise ConfigError("a study needs a metric and a k")
    for metric in settings.metrics:
        try:
            check_metric(metric)
        except ValueError as error:
            raise ConfigError(str(error)) from None
    if min(settings.ks) < 1 or settings.n_hits < 1:
        raise ConfigError(f"every k has to be 1 or more. Received: {min(*settings.ks, settings.n_hits)}")
    plans = {BOX: None, PERSON_PLAN: None, **REGION_PLANS}
    if settings.regions not in plans:
        raise unknown_name("region plan", settings.regions, plans)
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
    context: StudyContext,
    settings: StudySettings,
    specs: Sequence[MethodSpec],
    extractors: Mapping[str, Extractor],
) -> None:
    """Raises ConfigError for a trained model that does not fit the study, before anything is computed."""
    for spec in specs:
        if not spec.is_trained:
            continue
        card = context.model(spec.space)
        check_features(card, extractors[spec.extractor].fingerprint)
        if card.metric not in settings.metrics:
            raise ConfigError(
                f"{card.space} is searched with the metric {card.metric}, and the study is about "
                f"{', '.join(settings.metrics)}",
                hint=f"add it: --metrics {','.join((*settings.metrics, card.metric))}",
            )


def _compute_features(
    context: StudyContext, name: str, protocol: Protocol, settings: StudySettings
) -> tuple[FeatureSet, dict[int, str]]:
    """Computes the missing features of an extractor.

    Returns:
        the feature set, and the reason for each image without features, by key.
    """
    extractor = context.load(name)  # its network is dropped with it at the end
    through_catalog, through_cache = split_queries(protocol.queries, settings.regions)
    wanted = list({one.pk: one for one in (*protocol.gallery, *through_catalog)}.values())
    feature_set, failures = compute_missing(
        context.catalog, extractor, wanted, context.extraction, context.tell_extraction(f"features of {name}")
    )
    if through_cache:
        cache = RegionCache(context.cache, extractor.fingerprint, extractor.dim, settings.regions)
        failures |= compute_regions(
            cache, extractor, through_cache, context.extraction, context.tell_extraction(f"regions of {name}")
        )
    return feature_set, failures


class MethodRanking:
    """Ranks the queries of one study, extractor by extractor.

    Args:
        context: the catalog and the models.
        settings: settings of the study.
        protocol: the queries and the gallery; every image has features.
        seconds: mapping to which the time of every stage is added.

    Attributes:
        columns: results by the method's label and the metric.
        methods: the methods by label.
        n_with_person: number of queries in which a person was found; None with other regions than ``person``.
    """

    def __init__(
        self, context: StudyContext, settings: StudySettings, protocol: Protocol, seconds: dict[str, float]
    ) -> None:
        self.columns: dict[tuple[str, str], Columns] = {}
        self.methods: dict[str, Method] = {}
        self.n_with_person: int | None = None
        self._context = context
        self._settings = settings
        self._protocol = protocol
        self._seconds = seconds
        self._fast_distances: MakeFastDistances = choose_fast_distances()
        ids = [one.product.id for one in protocol.gallery]
        self._numbers = {product_id: number for number, product_id in enumerate(dict.fromkeys(ids))}
        self._product_of = np.array([self._numbers[product_id] for product_id in ids], np.int64)
        rows = {one.pk: row for row, one in enumerate(protocol.gallery)}
        self._own = np.array([rows.get(one.pk, -1) for one in protocol.queries], np.int64)
        self._right = np.array([self._numbers[one.product.id] for one in protocol.queries], np.int64)

    def rank_all(self, extractor: Extractor, feature_set: FeatureSet, specs: list[MethodSpec]) -> None:
        """Ranks the queries in every space of one extractor, with every metric."""
        context, protocol, regions = self._context, self._protocol, self._settings.regions
        through_catalog, through_cache = split_queries(protocol.queries, regions)
        with ArrayPool(context.cache, context.max_bytes) as pool:
            with time_stage(self._seconds, f"features of {specs[0].extractor}"):
                gallery = gallery_features(pool, context.catalog, feature_set, protocol.gallery)
                plan = "whole" if regions == BOX else regions
                cache = RegionCache(context.cache, extractor.fingerprint, feature_set.dim, plan)
                queries, n_regions = query_features(
                    pool,
                    context.catalog,
                    feature_set,
                    protocol.queries,
                    through_catalog,
                    through_cache,
                    cache,
                )
            if regions == PERSON_PLAN:  # the same for all extractors
                self.n_with_person = sum(count_squares(n) > 0 for n in n_regions.tolist())
            for spec in specs:
                self._rank_in(pool, extractor, spec, gallery, queries, n_regions)

    def _rank_in(
        self,
        pool: ArrayPool,
        extractor: Extractor,
        spec: MethodSpec,
        gallery: Floats,
        queries: Floats,
        n_regions: Ints,
    ) -> None:
        """Ranks the queries with every metric of one space, whose vectors are dropped at the end."""
        context, protocol = self._context, self._protocol
        trained = context.model(spec.space).metric if spec.is_trained else None
        metrics = self._settings.metrics if trained is None else (trained,)
        needs_home = self._settings.index or spec.is_trained
        home = context.space_location(extractor, spec.space) if needs_home else None
        if home is not None and self._settings.index:
            with time_stage(self._seconds, f"indexes of {spec.label}"):
                refresh_indexes(home, metrics)  # before anything is computed with the current fit
        with time_stage(self._seconds, f"vectors of {spec.label}"):
            parts = FeatureParts.of_extractor(extractor)
            transform = pool.fit(spec.space, gallery, home, parts=parts)
            vectors = pool.transform(transform, gallery)
            pool.copy_equal(vectors, [(one.image.sha256, one.image.box) for one in protocol.gallery])
            scale_of, scales = category_scales(transform, [one.product.category for one in protocol.gallery])
            pool.scale(vectors, scale_of, scales)
            searched = pool.transform_photos(transform, queries, n_regions, self._settings.regions)
        self.methods[spec.label] = Method(
            label=spec.label,
            extractor=extractor.name,
            input_size=extractor.input_size,
            fingerprint=extractor.fingerprint,
            weights_digest=extractor.weights_digest,
            feature_dim=gallery.shape[1],
            space=spec.space,
            dim=transform.dim,
            transform_version=transform.version,
        )
        joined = None
        if self._settings.regions == PERSON_PLAN:
            joined = pool.array(len(searched), count_pairs(n_regions), searched.shape[2])
        for metric in metrics:
            stage = f"ranks of {spec.label}, {metric}"
            with time_stage(self._seconds, stage):
                found = rank(
                    searched if joined is None else join_query_squares(searched, n_regions, metric, joined),
                    self._right,
                    RankedGallery(vectors, self._product_of, scale_of, scales),
                    metric,
                    own=self._own,
                    n_hits=self._settings.n_hits,
                    max_bytes=max(1, context.max_bytes // 2),
                    fast_distances=self._fast_distances,
                    progress=context.count(stage, len(protocol.queries)),
                )
                if home is not None and self._settings.index:
                    found = rank_by_index(
                        home, metric, queries, n_regions, protocol, found, self._settings, context.tell(stage)
                    )
            self.columns[spec.label, metric] = found


def gallery_facts(protocol: Protocol, settings: StudySettings) -> GalleryFacts:
    """Describes and counts the gallery of a study."""
    n_products = len({one.product.id for one in protocol.gallery})
    n_images = len(protocol.gallery)
    n_cut = sum(one.image.box is not None for one in protocol.gallery)
    cut = f" ({n_cut:,} of them cut to their box)" if n_cut else ""
    return GalleryFacts(
        description=f"{_kind_of_gallery(settings)}: {_count(n_images, 'picture')}{cut} of "
        f"{_count(n_products, 'product')}{_of_split(settings.gallery_split)}",
        n_images=n_images,
        n_products=n_products,
        categories=_by_category(protocol.gallery),
        n_unreadable=len(protocol.unreadable),
        digest=_digest(protocol.gallery),
        images=tuple(map(_study_image, protocol.gallery)),
    )


def query_facts(
    protocol: Protocol, settings: StudySettings, *, n_with_person: int | None = None
) -> QueryFacts:
    """Describes and counts the queries of a study, and those left out.

    Args:
        protocol, settings: of the study.
        n_with_person: number of queries in which a person was found, where one was looked for.
    """
    queries = protocol.queries
    n_left_out = sum(map(len, protocol.left_out.values()))
    n_products = len({one.product.id for one in queries})
    views = "shop picture" if settings.gallery == "others" else "other shop picture"
    kind = "consumer photo" if settings.queries == "consumer" else views
    through = {"whole": "the whole photo", "box": "the box of the garment"}.get(
        settings.regions, f"the regions `{settings.regions}`"
    )
    return QueryFacts(
        description=f"{_count(len(queries), kind)} of {_count(n_products, 'product')}"
        f"{_of_split(settings.split)}, through {through}",
        n_listed=len(queries) + n_left_out,
        n_queries=len(queries),
        n_products=n_products,
        categories=_by_category(queries),
        n_without_box=sum(one.image.box is None for one in queries) if settings.regions == "box" else 0,
        left_out=tuple(
            LeftOut(reason, len(images), tuple(one.image.path for one in images[:_MAX_EXAMPLES]))
            for reason, images in sorted(protocol.left_out.items())
        ),
        equal_images=_equal_images(protocol),
        digest=_digest(queries),
        images=tuple(map(_study_image, queries)),
        n_with_person=n_with_person,
    )


def _kind_of_gallery(settings: StudySettings) -> str:
    views = settings.queries == "views"
    kinds = {
        "all": "the first picture of every product" if views else "all shop pictures",
        "queried": f"{'the first picture' if views else 'all shop pictures'} of every product with a query",
        "others": "all other shop pictures",
    }
    return kinds.get(settings.gallery, f"shop pictures named {settings.gallery}")


def _equal_images(protocol: Protocol) -> EqualImages:
    in_gallery: dict[str, list[CatalogImage]] = {}
    for one in protocol.gallery:
        in_gallery.setdefault(one.image.sha256, []).append(one)
    n_queries, n_same, examples = 0, 0, []
    for query in protocol.queries:
        equal = [one for one in in_gallery.get(query.image.sha256, []) if one.pk != query.pk]
        if equal:
            n_queries += 1
            n_same += any(one.product.id == query.product.id for one in equal)
            examples.append((query.image.path, equal[0].image.path))
    return EqualImages(n_queries, n_same, tuple(examples[:_MAX_EXAMPLES]))


def _study_image(one: CatalogImage) -> StudyImage:
    product, image = one.product, one.image
    return StudyImage(product.id, product.title, product.category, image.path, image.sha256, image.box)


def _by_category(images: Sequence[CatalogImage]) -> dict[str, int]:
    return dict(sorted(Counter(one.product.category for one in images).items()))


def _digest(images: Sequence[CatalogImage]) -> str:
    return digest_of({"pictures": [[one.product.id, one.image.sha256] for one in images]})


def _of_split(split: str) -> str:
    return f" of the split {split}" if split and split != ANY_SPLIT else ""


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
