"""What a workspace is made of: catalog, extractors and searchers, each made when first asked for."""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylesearch.errors import (
    CatalogLocked,
    ConfigError,
    NotInCatalog,
    SpaceError,
    StyleSearchError,
    UnknownName,
)
from stylesearch.extractors.spec import file_of
from stylesearch.models.card import ModelCard, check_features, index_folder, is_trained, name_of
from stylesearch.settings import Settings
from stylesearch.types import ReportProgress, SpaceChoice

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.extractors.base import Extractor
    from stylesearch.models.store import Stamp
    from stylesearch.search.fitted_space import SpaceHome
    from stylesearch.search.searcher import Searcher


__all__ = [
    "Parts",
    "home_of",
    "no_features_of",
    "warn_of_gaps",
]

# Which features a catalog has, by the names that extractors go by, and what to do about those it lacks.

log = logging.getLogger(__name__)


def warn_of_gaps(catalog: Catalog) -> None:
    """Says when an extractor's features are missing for pictures that came in without it.

    Those of a network to which colors are joined since are what they were joined from, and no gap.
    """
    from stylesearch.extractors.spec import COLORS

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
    from stylesearch.extractors.spec import spec_of
    from stylesearch.extractors.with_colors import JoinedExtractor

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
                hint=f"it has those of {spec}, without colors: ingest the same products again, which "
                f"adds the colors and computes nothing else; or search without: --extractor {spec}",
            )
    others = ", ".join(sorted(f"{_spec_of(one)} (weights {one.weights_digest[:8]})" for one in known))
    return NotInCatalog(
        message, hint=f"it has those of {others}: choose with --extractor and --weights, or ingest again"
    )


def _name_of(feature_set: FeatureSet) -> tuple[str, str, Any]:
    """What an extractor is called by, with its weights and input size."""
    return feature_set.extractor, feature_set.weights_digest, feature_set.parameters["input_size"]


def _spec_of(feature_set: FeatureSet) -> str:
    from stylesearch.extractors.spec import spec_of

    return spec_of(feature_set.extractor, feature_set.parameters["input_size"])


class Parts:
    """The parts of one workspace. Safe to ask from several threads: each part is made once.

    Args:
        settings: where things are and what is done unless a call says otherwise.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._catalog: Catalog | None = None
        self._extractors: dict[tuple[str, bool], Extractor] = {}
        self._searchers: dict[tuple[SpaceChoice, bool], Searcher] = {}
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
        from stylesearch.extractors.classical.feature import WHITE_BOXES

        network = {} if spec.partition("@")[0] in WHITE_BOXES else dict(self.settings.network_options)
        if file_of(spec).endswith(".keras"):
            network.pop("weights", None)  # it brings its own
        return load_extractor(spec, **network, throughput=throughput)

    def model(self, space: str) -> ModelCard:
        """The card of the trained model that a space is of, as it is now.

        Raises:
            UnknownName: there is no such model.
            SpaceError: it is damaged.
        """
        from stylesearch.models import store

        folder = store.folder_of(self.settings.home, name_of(space))
        with self._making:
            stamp = store.stamp(folder)  # before the card is read: what comes in between is read next time
            known = self._cards.get(space)
            if known is None or known[0] != stamp:
                # Trained anew, perhaps on other features: what searched with the older one is of no use.
                for key in [key for key in self._searchers if key[0].space == space]:
                    del self._searchers[key]
                known = self._cards[space] = (stamp, store.read_card(folder))
            return known[1]

    def resolve(self, choice: SpaceChoice = SpaceChoice()) -> SpaceChoice:  # noqa: B008 (it is frozen)
        """The choice with the workspace's own names in place of the empty ones.

        A trained model brings its extractor and its metric: the workspace's own are for the other spaces.

        Raises:
            UnknownName: there is no such model.
            ConfigError: the model is searched with another metric.
        """
        own = self.settings
        if not is_trained(choice.space or own.space):
            return SpaceChoice(
                choice.extractor or own.extractor, choice.space or own.space, choice.metric or own.metric
            )
        try:
            card = self.model(choice.space or own.space)
        except UnknownName as error:
            if not choice.space:
                error.hint += f"; {own.space} is the space of this workspace's settings"
            raise
        if choice.metric not in ("", card.metric):
            raise ConfigError(
                f"{card.space} was trained for the metric {card.metric}. Received: {choice.metric}",
                hint="leave the metric out: the model brings its own",
            )
        return SpaceChoice(choice.extractor or card.extractor, card.space, card.metric)

    def searcher(
        self,
        choice: SpaceChoice = SpaceChoice(),  # noqa: B008 (it is frozen)
        *,
        throughput: bool = False,
    ) -> Searcher:
        """The searcher of a space; the same one for each call until its model is trained anew.

        Args:
            choice: of the space; the workspace's own for empty names.
            throughput: whether many photos will be searched with.

        Raises:
            UnknownName: no such extractor, space or trained model.
            ConfigError: no such metric, or a trained model wants another one or another extractor.
            NotInCatalog: nothing was ingested with that extractor.
        """
        settings = self.settings
        choice = self.resolve(choice)
        key = (choice, throughput)
        with self._making:
            if key not in self._searchers:
                _check(choice)
                from stylesearch.search import Gallery
                from stylesearch.search.searcher import Searcher

                loaded = self.extractor(choice.extractor, throughput=throughput)
                gallery = Gallery(self.space_home(loaded, choice.space), choice.metric)
                self._searchers[key] = Searcher(
                    gallery, loaded, regions=settings.regions, max_pixels=settings.max_pixels
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
        from stylesearch.models.store import models
        from stylesearch.search import IndexWarning
        from stylesearch.search.maintenance import metrics_in_use, refresh
        from stylesearch.spaces import SPACES

        try:
            with self.catalog().writing(timeout=self.settings.lock_timeout):
                for extractor in extractors:
                    for space in SPACES:
                        home = self.space_home(extractor, space)
                        default = [self.settings.metric] if space == self.settings.space else []
                        if default or metrics_in_use(home):
                            refresh(home, default, progress)
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
        from stylesearch.search import IndexWarning
        from stylesearch.search.maintenance import refresh

        try:
            refresh(self.space_home(extractor, card.space), [card.metric], progress)
        except (ConfigError, SpaceError, UnknownName) as error:
            warnings.warn(f"{card.space} has no indexes: {error}", IndexWarning, stacklevel=4)

    def repair_indexes(self) -> None:
        """Builds again the indexes that a search could not use, unless another process is writing."""
        with self._making:
            searchers = list(self._searchers.values())
        damaged = [searcher.gallery for searcher in searchers if searcher.gallery.damaged]
        if not damaged:
            return
        from stylesearch.search import IndexWarning
        from stylesearch.search.maintenance import repair

        try:
            with self.catalog().writing(timeout=0):
                for gallery in damaged:
                    repair(gallery)
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
    from stylesearch.search.fitted_space import SpaceHome

    folder = settings.home / "indexes" / f"{catalog.id}-{feature_set.fingerprint[:16]}" / index_folder(space)
    if not is_trained(space):
        return SpaceHome(catalog, feature_set, space, folder)
    from stylesearch.models.store import folder_of

    return SpaceHome(catalog, feature_set, space, folder, folder_of(settings.home, name_of(space)))


def _check(choice: SpaceChoice) -> None:
    """Makes sure that there are such a space and such a metric."""
    from stylesearch.distance import check_metric
    from stylesearch.spaces import SPACES

    if not is_trained(choice.space):
        _ = SPACES[choice.space]
    try:
        check_metric(choice.metric)
    except ValueError as error:
        raise ConfigError(str(error)) from None
