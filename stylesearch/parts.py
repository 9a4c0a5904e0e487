"""What a workspace is made of: catalog, extractors and searchers, each made when first asked for."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.config import Settings
from stylesearch.errors import CatalogLocked, ConfigError, NotInCatalog, StyleSearchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.extractors.base import Extractor
    from stylesearch.gallery.fit import SpaceHome
    from stylesearch.search import Searcher

    ReportProgress = Callable[[str, int, int | None], None]

__all__ = ["Parts", "home_of"]

log = logging.getLogger(__name__)


class Parts:
    """The parts of one workspace.

    Args:
        settings: where things are and what is done unless a call says otherwise.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._catalog: Catalog | None = None
        self._extractors: dict[tuple[str, bool], Extractor] = {}
        self._searchers: dict[tuple[str, str, str, str], Searcher] = {}

    def catalog(self, *, create: bool = False) -> Catalog:
        """The catalog, upgraded if need be; for reading only where it cannot be written.

        Raises:
            CatalogError: there is none, and it is not to be made.
        """
        if self._catalog is None:
            from stylesearch.catalog import Catalog

            database = self.settings.database
            readonly = Path(database).exists() and not os.access(database, os.W_OK)
            self._catalog = Catalog.open(database, create=create, readonly=readonly)
        return self._catalog

    def extractor(self, spec: str = "", *, throughput: bool = False, keep: bool = True) -> Extractor:
        """An extractor by name; the workspace's for none. Its network is not loaded yet.

        Weights, engine and precision of the settings are for networks: white-box features do without.

        Args:
            spec: its name.
            throughput: whether many pictures will be extracted.
            keep: whether it is kept for the next call; else its network goes when the caller lets go of it.
        """
        key = (spec or self.settings.extractor, throughput)
        if key in self._extractors:
            return self._extractors[key]
        from stylesearch.extractors import load_extractor
        from stylesearch.extractors.whitebox.table import WHITE_BOXES

        network = {} if key[0].partition("@")[0] in WHITE_BOXES else self.settings.of_network
        loaded = load_extractor(key[0], **network, throughput=throughput)
        if keep:
            self._extractors[key] = loaded
        return loaded

    def searcher(self, extractor: str = "", space: str = "", metric: str = "", regions: str = "") -> Searcher:
        """What searches with these; the workspace's own for those not given.

        Raises:
            UnknownName: no such extractor or space.
            ConfigError: no such metric.
            NotInCatalog: nothing was ingested with that extractor.
        """
        settings = self.settings
        space, metric = space or settings.space, metric or settings.metric
        key = (extractor or settings.extractor, space, metric, regions or settings.regions)
        if key not in self._searchers:
            _check(space, metric)
            from stylesearch.gallery import Gallery
            from stylesearch.search import Searcher

            loaded = self.extractor(extractor)
            gallery = Gallery(self.space_home(loaded, space), metric)
            self._searchers[key] = Searcher(gallery, loaded, regions=key[3], max_pixels=settings.max_pixels)
        return self._searchers[key]

    def space_home(self, extractor: Extractor, space: str) -> SpaceHome:
        """Where what is derived for a space of an extractor's features is kept.

        Raises:
            NotInCatalog: nothing was ingested with that extractor.
        """
        catalog = self.catalog()
        feature_set = catalog.find_feature_set(extractor.fingerprint)
        if feature_set is None:
            raise self._no_features_of(extractor)
        return home_of(self.settings, catalog, feature_set, space)

    def refresh_indexes(self, extractors: Sequence[Extractor], progress: ReportProgress | None) -> None:
        """Fits and builds what pays, for every space and metric in use, the defaults among them.

        Where that cannot be done, a warning says so: the products are in, and searched exactly.
        """
        from stylesearch.gallery import IndexWarning, upkeep
        from stylesearch.spaces import SPACES

        try:
            with self.catalog().writing(timeout=self.settings.lock_timeout):
                for extractor in extractors:
                    for space in SPACES:
                        home = self.space_home(extractor, space)
                        default = [self.settings.metric] if space == self.settings.space else []
                        if default or upkeep.metrics_in_use(home):
                            upkeep.refresh(home, default, progress)
        except (OSError, StyleSearchError) as error:
            warnings.warn(
                f"the products are in, but the indexes could not be built: {error}; searches are exact until "
                "`stylesearch index build`",
                IndexWarning,
                stacklevel=3,
            )

    def warn_of_gaps(self) -> None:
        """Says when an extractor's features are missing for pictures that came in without it."""
        counts = self.catalog().status().features
        most = max((n_features for _, n_features in counts), default=0)
        for feature_set, n_features in counts:
            if n_features < most:
                spec = _spec_of(feature_set)
                log.warning(
                    "%d pictures have no %s features: ingest again with -e %s to search them with it",
                    most - n_features,
                    spec,
                    spec,
                )

    def repair_indexes(self) -> None:
        """Builds again the indexes that a search could not use, unless another process is writing."""
        damaged = [searcher.gallery for searcher in self._searchers.values() if searcher.gallery.damaged]
        if not damaged:
            return
        from stylesearch.gallery import IndexWarning, upkeep

        try:
            with self.catalog().writing(timeout=0):
                for gallery in damaged:
                    upkeep.repair(gallery)
        except CatalogLocked:
            log.info("the indexes are left to the process that is writing")
        except (OSError, StyleSearchError) as error:
            warnings.warn(f"the indexes could not be built: {error}", IndexWarning, stacklevel=3)

    def let_go(self) -> None:
        """Closes the catalog and forgets everything."""
        self._searchers.clear()
        self._extractors.clear()
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None

    def _no_features_of(self, extractor: Extractor) -> NotInCatalog:
        known = self.catalog().feature_sets()
        if not known:
            return NotInCatalog(
                f"nothing has been ingested into {self.settings.database} yet",
                hint="stylesearch ingest FOLDER, or name the right workspace with --home",
            )
        others = ", ".join(sorted(f"{_spec_of(one)} (weights {one.weights_digest[:8]})" for one in known))
        return NotInCatalog(
            f"the catalog has no features of {extractor.name}@{extractor.input_size} with the weights "
            f"{extractor.weights_digest[:8]}",
            hint=f"it has those of {others}: choose with --extractor and --weights, or ingest again",
        )


def home_of(settings: Settings, catalog: Catalog, feature_set: FeatureSet, space: str) -> SpaceHome:
    """Where what is derived for a space of a feature set of the catalog is kept."""
    from stylesearch.gallery.fit import SpaceHome

    folder = settings.home / "indexes" / f"{catalog.id}-{feature_set.fingerprint[:16]}" / space
    return SpaceHome(catalog, feature_set, space, folder)


def _spec_of(feature_set: FeatureSet) -> str:
    return f"{feature_set.extractor}@{feature_set.parameters['input_size']}"


def _check(space: str, metric: str) -> None:
    from stylesearch.metrics import check_metric
    from stylesearch.spaces import SPACES

    _ = SPACES[space]
    try:
        check_metric(metric)
    except ValueError as error:
        raise ConfigError(str(error)) from None
