"""The study itself: features, vectors, ranks, scores, in that order, for every method and metric."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.catalog import Catalog, FeatureSet
from stylesearch.errors import ConfigError
from stylesearch.evaluation import descriptions
from stylesearch.evaluation.features import Work, compute_missing, compute_regions
from stylesearch.evaluation.indexed import check_indexed, rank_by_index, refresh
from stylesearch.evaluation.measured import MakeRough, RankedGallery, make_rough
from stylesearch.evaluation.methods import MethodSpec, parse_methods
from stylesearch.evaluation.protocol import (
    CatalogImage,
    Protocol,
    choose,
    count_catalog,
    list_images,
    with_gallery_split,
)
from stylesearch.evaluation.ranking import rank
from stylesearch.evaluation.region_cache import RegionCache
from stylesearch.evaluation.results import Columns, Method, Study, StudySettings
from stylesearch.evaluation.scoring import differences_of, runs_of
from stylesearch.evaluation.vectors import Floats, Vectors, gallery_features, query_features
from stylesearch.images.regions import REGION_PLANS
from stylesearch.metrics import check_metric
from stylesearch.registry import unknown_name

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor
    from stylesearch.gallery.fit import SpaceHome

__all__ = ["Surroundings", "Work", "evaluate"]

NO_FEATURES = "the picture could not be used"
BOX = "box"

ReportProgress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Surroundings:
    """Where a study happens.

    Attributes:
        catalog: what is evaluated; missing features are written to it.
        load: makes an extractor of its name, for many pictures, anew with each call: so one network at a
            time is in memory.
        space_home: where a space's fit and indexes are, for ``index``.
        cache: folder for vectors of regions, and for what does not fit into memory.
        work: how hard the machine works.
        max_bytes: memory for vectors and for distances, a half for each; vectors beyond it lie in files.
            Networks, what a study found and its resamples are not counted.
        progress: called as ``progress(stage, n_done, n_total)``.
    """

    catalog: Catalog
    load: Callable[[str], Extractor]
    space_home: Callable[[Extractor, str], SpaceHome]
    cache: Path
    work: Work = field(default_factory=Work)
    max_bytes: int = 1024 * 2**20
    progress: ReportProgress | None = None

    def tell(self, stage: str) -> Callable[[int, int], None] | None:
        """Progress of one stage."""
        progress = self.progress
        return None if progress is None else lambda done, total: progress(stage, done, total)


def evaluate(around: Surroundings, settings: StudySettings) -> Study:
    """Finds every query in the gallery with every method and metric, and scores that.

    It may be stopped at any point and run again: features that were computed are kept.

    Args:
        around: where.
        settings: what; ``methods`` as ``extractor[@size][/space]``.

    Raises:
        ConfigError: settings that make no sense.
        UnknownName: no such extractor, space or plan.
        NotInCatalog: no queries, or no gallery.
        CatalogLocked: features are missing and another process is writing.
    """
    seconds: dict[str, float] = {}
    with _timed(seconds, "total"):
        specs = parse_methods(list(settings.methods))
        settings = _checked(replace(settings, methods=tuple(spec.label for spec in specs)))
        with _timed(seconds, "catalog"):
            images = list_images(around.catalog)
            protocol = choose(images, settings)
        with _timed(seconds, "extractors"):
            # Before anything is computed: a name may be wrong. Nothing is extracted with these.
            extractors = {name: around.load(name) for name in dict.fromkeys(spec.extractor for spec in specs)}
        feature_sets = {}
        failed: dict[int, str] = {}
        for name in extractors:
            with _timed(seconds, f"features of {name}"):
                feature_sets[name], failures = _complete(around, name, protocol, settings)
                failed = {**failures, **failed}  # the first reason counts
        protocol = protocol.without({pk: f"{NO_FEATURES}: {why}" for pk, why in failed.items()})
        if settings.index:
            check_indexed(protocol, images)
        ranker = _Ranking(around, settings, protocol, seconds)
        for name, extractor in extractors.items():
            ranker.rank_all(extractor, feature_sets[name], [spec for spec in specs if spec.extractor == name])
        with _timed(seconds, "bootstrap"):
            order = [(label, metric) for label in settings.methods for metric in settings.metrics]
            columns = {key: ranker.columns[key] for key in order}
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


def split_queries(
    queries: Sequence[CatalogImage], regions: str
) -> tuple[list[CatalogImage], list[CatalogImage]]:
    """Queries whose vectors are those of the catalog, and those whose regions are looked at anew.

    The catalog holds vectors of a picture's box where it knows one, and of the whole picture elsewhere.
    """
    if regions == BOX:
        return list(queries), []
    if regions == "whole":
        whole = [one for one in queries if one.image.box is None]
        return whole, [one for one in queries if one.image.box is not None]
    return [], list(queries)


class _Ranking:
    """Ranks the queries of one study, extractor by extractor."""

    def __init__(
        self, around: Surroundings, settings: StudySettings, protocol: Protocol, seconds: dict[str, float]
    ) -> None:
        self.columns: dict[tuple[str, str], Columns] = {}
        self.methods: dict[str, Method] = {}
        self._around = around
        self._settings = settings
        self._protocol = protocol
        self._seconds = seconds
        self._rough: MakeRough = make_rough()
        ids = [one.product.id for one in protocol.gallery]
        self._numbers = {product_id: number for number, product_id in enumerate(dict.fromkeys(ids))}
        self._product_of = np.array([self._numbers[product_id] for product_id in ids], np.int64)
        rows = {one.pk: row for row, one in enumerate(protocol.gallery)}
        self._own = np.array([rows.get(one.pk, -1) for one in protocol.queries], np.int64)
        self._right = np.array([self._numbers[one.product.id] for one in protocol.queries], np.int64)

    def rank_all(self, extractor: Extractor, feature_set: FeatureSet, specs: list[MethodSpec]) -> None:
        """Every space and metric of one extractor."""
        around, protocol, regions = self._around, self._protocol, self._settings.regions
        through_catalog, through_cache = split_queries(protocol.queries, regions)
        with Vectors(around.cache, around.max_bytes) as room:
            with _timed(self._seconds, f"features of {specs[0].extractor}"):
                gallery = gallery_features(room, around.catalog, feature_set, protocol.gallery)
                plan = "whole" if regions == BOX else regions
                cache = RegionCache(around.cache, extractor.fingerprint, feature_set.dim, plan)
                queries = query_features(
                    room, around.catalog, feature_set, protocol.queries, through_catalog, through_cache, cache
                )
            for spec in specs:
                self._rank_in(room, extractor, spec, gallery, queries)

    def _rank_in(
        self, room: Vectors, extractor: Extractor, spec: MethodSpec, gallery: Floats, queries: Floats
    ) -> None:
        """Every metric of one space; its vectors go when this is done."""
        around, protocol = self._around, self._protocol
        home = None
        if self._settings.index:
            home = around.space_home(extractor, spec.space)
            with _timed(self._seconds, f"indexes of {spec.label}"):
                refresh(home, self._settings.metrics)  # before anything is made with the fit in force
        with _timed(self._seconds, f"vectors of {spec.label}"):
            transform = room.fitted(spec.space, gallery, home)
            vectors = room.transformed(transform, gallery)
            room.level_equal(vectors, [(one.image.sha256, one.image.box) for one in protocol.gallery])
            searched = room.transformed(transform, queries)
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
        for metric in self._settings.metrics:
            stage = f"ranks of {spec.label}, {metric}"
            with _timed(self._seconds, stage):
                tell = around.tell(stage)
                found = rank(
                    searched,
                    self._right,
                    RankedGallery(vectors, self._product_of),
                    metric,
                    own=self._own,
                    n_hits=self._settings.n_hits,
                    max_bytes=max(1, around.max_bytes // 2),
                    rough=self._rough,
                    progress=None if tell is None else partial(_tell, tell, len(protocol.queries)),
                )
                if home is not None:
                    found = rank_by_index(home, metric, queries, protocol, found, self._settings, tell)
            self.columns[spec.label, metric] = found


def _tell(tell: Callable[[int, int], None], n_total: int, n_done: int) -> None:
    tell(n_done, n_total)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Adds the wall seconds of a block to a stage."""
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - began
