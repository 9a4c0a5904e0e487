"""What a workspace is made of: catalog, extractors and searchers, each made when first asked for."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.config import Settings
from stylesearch.errors import (
    CatalogLocked,
    ConfigError,
    SpaceError,
    StyleSearchError,
    UnknownName,
)
from stylesearch.feature_gaps import no_features_of
from stylesearch.model_cards import ModelCard, check_features, index_folder, is_trained, name_of
from stylesearch.model_paths import file_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.extractors.base import Extractor
    from stylesearch.gallery.fit import SpaceHome
    from stylesearch.search import Searcher
    from stylesearch.trained import Stamp

    ReportProgress = Callable[[str, int, int | None], None]

__all__ = ["Parts", "home_of"]

log = logging.getLogger(__name__)


class Parts:
    """The parts of one workspace. Safe to ask from several threads: each part is made once.

    Args:
        settings: where things are and what is done unless a call says otherwise.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._catalog: Catalog | None = None
        self._extractors: dict[tuple[str, bool], Extractor] = {}
        self._searchers: dict[tuple[str, str, str, str, bool], Searcher] = {}
        self._cards: dict[str, tuple[Stamp, ModelCard]] = {}
        self._making = (
            threading.RLock()
        )  # two networks in memory, or two pools of connections, are one too many

    def catalog(self, *, create: bool = False) -> Catalog:
        """The catalog, upgraded if need be; for reading only where it cannot be written.

        Raises:
            CatalogError: there is none, and it is not to be made.
        """
        with self._making:
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
        with self._making:
            if key not in self._extractors:
                loaded = self._load_extractor(*key)
                if not keep:
                    return loaded
                self._extractors[key] = loaded
            return self._extractors[key]

    def _load_extractor(self, spec: str, throughput: bool) -> Extractor:
        from stylesearch.extractors import load_extractor
        from stylesearch.extractors.whitebox.table import WHITE_BOXES

        network = {} if spec.partition("@")[0] in WHITE_BOXES else dict(self.settings.of_network)
        if file_of(spec).endswith(".keras"):
            network.pop("weights", None)  # it brings its own
        return load_extractor(spec, **network, throughput=throughput)

    def model(self, space: str) -> ModelCard:
        """The card of the trained model that a space is of, as it is now.

        Raises:
            UnknownName: there is no such model.
            SpaceError: it is damaged.
        """
        from stylesearch import trained

        folder = trained.folder_of(self.settings.home, name_of(space))
        with self._making:
            stamp = trained.stamp(folder)  # before the card is read: what comes in between is read next time
            known = self._cards.get(space)
            if known is None or known[0] != stamp:
                # Trained anew, perhaps on other features: what searched with the older one is of no use.
                for key in [key for key in self._searchers if key[1] == space]:
                    del self._searchers[key]
                known = self._cards[space] = (stamp, trained.read_card(folder))
            return known[1]

    def chosen(self, extractor: str = "", space: str = "", metric: str = "") -> tuple[str, str, str]:
        """Extractor, space and metric; the workspace's own for those not given.

        A trained model brings its extractor and its metric: the workspace's own are for the other spaces.

        Raises:
            UnknownName: there is no such model.
            ConfigError: the model is searched with another metric.
        """
        own = self.settings
        if not is_trained(space or own.space):
            return extractor or own.extractor, space or own.space, metric or own.metric
        try:
            card = self.model(space or own.space)
        except UnknownName as error:
            if not space:
                error.hint += f"; {own.space} is the space of this workspace's settings"
            raise
        if metric not in ("", card.metric):
            raise ConfigError(
                f"{card.space} was trained for the metric {card.metric}. Received: {metric}",
                hint="leave the metric out: the model brings its own",
            )
        return extractor or card.extractor, card.space, card.metric

    def searcher(
        self,
        extractor: str = "",
        space: str = "",
        metric: str = "",
        regions: str = "",
        *,
        throughput: bool = False,
    ) -> Searcher:
        """What searches with these; the workspace's own for those not given.

        Args:
            extractor, space, metric: by name.
            regions: the plan of parts through which a photo is looked at.
            throughput: whether many photos will be searched with.

        Raises:
            UnknownName: no such extractor, space or trained model.
            ConfigError: no such metric, or a trained model wants another one or another extractor.
            NotInCatalog: nothing was ingested with that extractor.
        """
        settings = self.settings
        extractor, space, metric = self.chosen(extractor, space, metric)
        key = (extractor, space, metric, regions or settings.regions, throughput)
        with self._making:
            if key not in self._searchers:
                _check(space, metric)
                from stylesearch.gallery import Gallery
                from stylesearch.search import Searcher

                loaded = self.extractor(extractor, throughput=throughput)
                gallery = Gallery(self.space_home(loaded, space), metric)
                self._searchers[key] = Searcher(
                    gallery, loaded, regions=key[3], max_pixels=settings.max_pixels
                )
            return self._searchers[key]

    def space_home(self, extractor: Extractor, space: str) -> SpaceHome:
        """Where what is derived for a space of an extractor's features is kept.

        Raises:
            NotInCatalog: nothing was ingested with that extractor.
            ConfigError: a trained model takes features of another.
        """
        if is_trained(space):
            check_features(self.model(space), extractor.fingerprint)
        catalog = self.catalog()
        feature_set = catalog.find_feature_set(extractor.fingerprint)
        if feature_set is None:
            raise no_features_of(extractor, catalog, self.settings.database)
        return home_of(self.settings, catalog, feature_set, space)

    def refresh_indexes(
        self,
        extractors: Sequence[Extractor],
        progress: ReportProgress | None,
        command: str = "stylesearch index build",
    ) -> None:
        """Fits and builds what pays, for every space and metric in use, the defaults among them.

        Indexes of trained models are always kept up: new products get their vectors here.

        Where that cannot be done, a warning says so, and the command to do it with later.
        """
        from stylesearch.gallery import IndexWarning, upkeep
        from stylesearch.spaces import SPACES
        from stylesearch.trained import models

        try:
            with self.catalog().writing(timeout=self.settings.lock_timeout):
                for extractor in extractors:
                    for space in SPACES:
                        home = self.space_home(extractor, space)
                        default = [self.settings.metric] if space == self.settings.space else []
                        if default or upkeep.metrics_in_use(home):
                            upkeep.refresh(home, default, progress)
                    for card in models(self.settings.home):
                        if card.feature_set == extractor.fingerprint:
                            self._refresh_model(extractor, card, progress)
        except (OSError, StyleSearchError) as error:
            warnings.warn(
                f"the indexes could not be built: {error}; searches are exact until `{command}`",
                IndexWarning,
                stacklevel=3,
            )

    def _refresh_model(self, extractor: Extractor, card: ModelCard, progress: ReportProgress | None) -> None:
        """As :meth:`refresh_indexes`, of one model; what keeps it from its indexes does not keep the others.

        It may be damaged, removed, or trained anew on other features meanwhile.
        """
        from stylesearch.gallery import IndexWarning, upkeep

        try:
            upkeep.refresh(self.space_home(extractor, card.space), [card.metric], progress)
        except (ConfigError, SpaceError, UnknownName) as error:
            warnings.warn(f"{card.space} has no indexes: {error}", IndexWarning, stacklevel=4)

    def repair_indexes(self) -> None:
        """Builds again the indexes that a search could not use, unless another process is writing."""
        with self._making:
            searchers = list(self._searchers.values())
        damaged = [searcher.gallery for searcher in searchers if searcher.gallery.damaged]
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
        self._cards.clear()
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None


def home_of(settings: Settings, catalog: Catalog, feature_set: FeatureSet, space: str) -> SpaceHome:
    """Where what is derived for a space of a feature set of the catalog is kept."""
    from stylesearch.gallery.fit import SpaceHome

    folder = settings.home / "indexes" / f"{catalog.id}-{feature_set.fingerprint[:16]}" / index_folder(space)
    if not is_trained(space):
        return SpaceHome(catalog, feature_set, space, folder)
    from stylesearch.trained import folder_of

    return SpaceHome(catalog, feature_set, space, folder, folder_of(settings.home, name_of(space)))


def _check(space: str, metric: str) -> None:
    from stylesearch.metrics import check_metric
    from stylesearch.spaces import SPACES

    if not is_trained(space):
        _ = SPACES[space]
    try:
        check_metric(metric)
    except ValueError as error:
        raise ConfigError(str(error)) from None
