"""Ranks of a study's queries, extractor by extractor, space by space, metric by metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from stylesearch.catalog import FeatureSet
from stylesearch.evaluation.indexed import rank_by_index, refresh
from stylesearch.evaluation.measured import MakeRough, RankedGallery, make_rough
from stylesearch.evaluation.methods import MethodSpec
from stylesearch.evaluation.protocol import BOX, Protocol, split_queries
from stylesearch.evaluation.ranking import rank
from stylesearch.evaluation.region_cache import RegionCache
from stylesearch.evaluation.results import Columns, Method, StudySettings
from stylesearch.evaluation.surroundings import Surroundings, timed
from stylesearch.evaluation.vectors import Floats, Vectors, gallery_features, query_features, scales_of
from stylesearch.spaces.joined import n_colors_of

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor

__all__ = ["MethodRanking"]


class MethodRanking:
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
            with timed(self._seconds, f"features of {specs[0].extractor}"):
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
        trained = around.model(spec.space).metric if spec.is_trained else None
        metrics = self._settings.metrics if trained is None else (trained,)
        with_home = self._settings.index or spec.is_trained
        home = around.space_home(extractor, spec.space) if with_home else None
        if home is not None and self._settings.index:
            with timed(self._seconds, f"indexes of {spec.label}"):
                refresh(home, metrics)  # before anything is made with the fit in force
        with timed(self._seconds, f"vectors of {spec.label}"):
            n_colors = n_colors_of(extractor.parameters)
            transform = room.fitted(spec.space, gallery, home, n_colors=n_colors)
            vectors = room.transformed(transform, gallery)
            room.level_equal(vectors, [(one.image.sha256, one.image.box) for one in protocol.gallery])
            scale_of, scales = scales_of(transform, [one.product.category for one in protocol.gallery])
            room.scale(vectors, scale_of, scales)
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
        for metric in metrics:
            stage = f"ranks of {spec.label}, {metric}"
            with timed(self._seconds, stage):
                found = rank(
                    searched,
                    self._right,
                    RankedGallery(vectors, self._product_of, scale_of, scales),
                    metric,
                    own=self._own,
                    n_hits=self._settings.n_hits,
                    max_bytes=max(1, around.max_bytes // 2),
                    rough=self._rough,
                    progress=around.count(stage, len(protocol.queries)),
                )
                if home is not None and self._settings.index:
                    found = rank_by_index(
                        home, metric, queries, protocol, found, self._settings, around.tell(stage)
                    )
            self.columns[spec.label, metric] = found
