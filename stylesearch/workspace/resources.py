"""The open resources of a workspace: catalog, extractors and searchers, each made when first used."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.artifacts.base import FIT, MODEL, ArtifactStore, Stamp
from stylesearch.artifacts.home import HomeArtifacts
from stylesearch.errors import ConfigError, MissingDependency, UnknownName
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.models.card import ModelCard, check_features, index_folder, is_trained, name_of
from stylesearch.settings import Settings
from stylesearch.types import ReportProgress, SpaceChoice
from stylesearch.workspace.own_space import OwnSpace

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.extractors.base import Extractor
    from stylesearch.features.cluster import ClusterExecutor
    from stylesearch.features.context import StudyContext
    from stylesearch.features.stream import ExtractionOptions
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.search.searcher import Searcher
    from stylesearch.search.store import VectorStores

__all__ = ["OWN_SPACE", "Resources", "locate_space", "open_artifacts"]

OWN_SPACE = SpaceChoice()
"""Nothing named: the workspace's own extractor, space and metric."""


class Resources:
    """Catalog, extractors and searchers of one workspace. Thread-safe: each is made once.

    Args:
        settings: settings of the workspace.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._catalog: Catalog | None = None
        self._extractors: dict[tuple[str, bool], Extractor] = {}
        self._searchers: dict[tuple[SpaceChoice, bool], Searcher] = {}
        self._cards: dict[str, tuple[Stamp, ModelCard]] = {}
        self._artifacts: ArtifactStore | None = None
        self._cluster: ClusterExecutor | None = None
        self.own_space = OwnSpace(self)
        # Two networks in memory, or two pools of connections, are one too many.
        self._lock = threading.RLock()

    def catalog(self, *, create: bool = False) -> Catalog:
        """Opens the catalog, and upgrades it first if needed; read-only where it cannot be written.

        Raises:
            CatalogError: there is none, and ``create`` is false.
        """
        with self._lock:
            if self._catalog is None:
                from stylesearch.catalog import Catalog

                backend = self.settings.backend()
                self._catalog = Catalog.open(backend, create=create, readonly=backend.is_readonly())
            return self._catalog

    @property
    def artifacts(self) -> ArtifactStore:
        """The store of fits and trained models; where there is no catalog yet, of models of the folder."""
        with self._lock:
            if self._artifacts is None:
                # Without need the catalog is not opened: models of the folder are there without one.
                catalog = self.existing_catalog() if self.settings.shares_artifacts else self._catalog
                if catalog is None:
                    return HomeArtifacts(self.settings.home)
                self._artifacts = open_artifacts(self.settings, catalog)
            return self._artifacts

    def bring_models(self) -> dict[str, str]:
        """Makes the models in the workspace folder those in force.

        Returns:
            of those that cannot be brought, by name, the reason.
        """
        return self.artifacts.get_all(MODEL) if self.settings.shares_artifacts else {}

    def extractor(self, spec: str = "", *, throughput: bool = False, keep: bool = True) -> Extractor:
        """Returns an extractor by name, the workspace's for an empty one. Its network is not loaded yet.

        Weights, engine and precision of the settings apply to networks, not to white-box features.

        Args:
            spec: spec of the extractor.
            throughput: whether many images will be extracted.
            keep: whether it is kept for the next call; else its network is freed when the caller drops it.
        """
        key = (spec or self.settings.extractor, throughput)
        with self._lock:
            if key not in self._extractors:
                loaded = self._load_extractor(*key)
                if not keep:
                    return loaded
                self._extractors[key] = loaded
            return self._extractors[key]

    def _load_extractor(self, spec: str, throughput: bool) -> Extractor:
        from stylesearch.extractors import load_extractor

        if self.settings.shares_artifacts:
            from stylesearch.models.networks import owner_of

            if owner := owner_of(self.settings.home, spec):
                self.artifacts.get(MODEL, owner)
        parsed = ExtractorSpec.parse(spec).with_network_settings(self.settings.network_options)
        return load_extractor(parsed, throughput=throughput)

    def model_card(self, space: str) -> ModelCard:
        """Reads the current card of the trained model that a space is of.

        Raises:
            UnknownName: there is no such model.
            SpaceError: it is damaged.
        """
        from stylesearch.models import store

        folder = store.folder_of(self.settings.home, name_of(space))
        with self._lock:
            # Before the card is read: a change in between is read next time.
            stamp = self.artifacts.stamp(MODEL, folder.name)
            cached = self._cards.get(space)
            if cached is None or cached[0] != stamp:
                # Trained anew, perhaps on other features: searchers of the older model cannot be used.
                for key in [key for key in self._searchers if key[0].space == space]:
                    del self._searchers[key]
                self.artifacts.get(MODEL, folder.name)
                cached = self._cards[space] = (stamp, store.read_card(folder))
            return cached[1]

    @property
    def is_open(self) -> bool:
        """Whether the catalog has been opened."""
        return self._catalog is not None

    def likely_extractor(self, choice: SpaceChoice) -> str:
        """The extractor that a choice will be searched with, guessed without opening the catalog.

        Args:
            choice: the space; empty names are the workspace's own.

        Raises:
            UnknownName: there is no such model.
            ConfigError: the model has another metric.
        """
        if is_trained(choice.space or self.settings.space):
            return self.resolve(choice).extractor
        return choice.extractor or self.own_space.likely_extractor()

    def resolve(self, choice: SpaceChoice = OWN_SPACE) -> SpaceChoice:
        """Fills in a choice: empty names become the workspace's own.

        A trained model has its own extractor and metric: the workspace's are for the other spaces.

        Raises:
            UnknownName: there is no such model.
            ConfigError: the model has another metric.
        """
        own = self.settings
        space = choice.space or own.space
        if not is_trained(space):
            extractor = choice.extractor or self.own_space.extractor()
            space = choice.space or self.own_space.space(extractor)
            return SpaceChoice(extractor, space, choice.metric or own.metric)
        try:
            card = self.model_card(space)
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

    def searcher(self, choice: SpaceChoice = OWN_SPACE, *, throughput: bool = False) -> Searcher:
        """Returns the searcher of a space: the same object for each call, until its model is trained anew.

        Args:
            choice: the space; empty names are the workspace's own.
            throughput: whether many photos will be searched with.

        Raises:
            UnknownName: no such extractor, space or trained model.
            ConfigError: no such metric, or a trained model wants another one or another extractor.
            NotInCatalog: nothing was ingested with that extractor.
        """
        choice = self.resolve(choice)
        key = (choice, throughput)
        with self._lock:
            if key not in self._searchers:
                _check_names(choice)
                from stylesearch.search import Gallery
                from stylesearch.search.searcher import Searcher

                extractor = self.extractor(choice.extractor, throughput=throughput)
                gallery = Gallery(self.space_location(extractor, choice.space), choice.metric)
                self._searchers[key] = Searcher(
                    gallery,
                    extractor,
                    regions=self.settings.regions,
                    max_pixels=self.settings.max_pixels,
                )
            return self._searchers[key]

    def open_searchers(self) -> list[Searcher]:
        """Lists the searchers that have been opened so far."""
        with self._lock:
            return list(self._searchers.values())

    def space_location(self, extractor: Extractor, space: str) -> SpaceLocation:
        """Returns the location of a space of an extractor's features.

        Raises:
            NotInCatalog: nothing was ingested with that extractor.
            ConfigError: the trained model takes features of another extractor.
        """
        if is_trained(space):
            check_features(self.model_card(space), extractor.fingerprint)
        catalog = self.catalog()
        feature_set = catalog.find_feature_set(extractor.fingerprint)
        if feature_set is None:
            from stylesearch.workspace.missing_features import missing_features_error

            raise missing_features_error(extractor, catalog)
        return locate_space(self.settings, catalog, self.artifacts, feature_set, space)

    def study_context(self, max_memory: int, progress: ReportProgress | None) -> StudyContext:
        """Makes the context of an evaluation or a training.

        Args:
            max_memory: rough limit of memory for vectors and distances, in MiB.
            progress: called as ``progress(stage, n_done, n_total)``.
        """
        from stylesearch.features.context import StudyContext

        return StudyContext(
            catalog=self.catalog(),
            load=lambda spec: self.extractor(spec, throughput=True, keep=False),
            space_location=self.space_location,
            cache=self.cache,
            extraction=self.extraction_options,
            max_bytes=max_memory * 2**20,
            progress=progress,
            model=self.model_card,
        )

    @property
    def extraction_options(self) -> ExtractionOptions:
        """Makes the options for reading images and extracting features from the settings."""
        from stylesearch.features.stream import ExtractionOptions
        from stylesearch.parallel import usable_cores

        own = self.settings
        cluster = self.cluster() if own.cluster else None
        n_workers = own.workers or usable_cores()
        return ExtractionOptions(own.batch_size, n_workers, own.max_pixels, own.lock_timeout, cluster)

    def cluster(self) -> ClusterExecutor:
        """The cluster that the settings name; it is connected to when it is first given something.

        Raises:
            ConfigError: they name none, or what it is cannot be told.
        """
        with self._lock:
            if self._cluster is None:
                from stylesearch.features.cluster import open_cluster

                self._cluster = open_cluster(self.settings.cluster)
            return self._cluster

    def cluster_notes(self) -> list[str]:
        """What is to be said of the workers that were used."""
        return [] if self._cluster is None else self._cluster.notes()

    def existing_catalog(self) -> Catalog | None:
        """Opens the catalog; None where there is none yet."""
        return self.catalog() if self.is_open or self.settings.has_catalog else None

    def copy_of_older_catalog(self, folder: Path) -> Path | None:
        """Copies a catalog with an older schema into a folder, and upgrades that; None if there is no need.

        For what may not change it: to open it would upgrade it.
        """
        if not self.settings.has_catalog:
            return None
        from stylesearch.catalog.migrate import HEAD, current_revision, upgrade

        backend = self.settings.backend()
        if current_revision(backend) in (None, HEAD):
            return None
        copy = backend.copy_to(folder)
        upgrade(copy)
        return copy

    @property
    def cache(self) -> Path:
        """Folder for vectors of regions, and for arrays that do not fit into memory."""
        return self.settings.home / "cache"

    def close(self) -> None:
        """Closes the catalog and drops everything that was loaded."""
        self._searchers.clear()
        self._extractors.clear()
        self._cards.clear()
        self._artifacts = None
        if self._cluster is not None:
            self._cluster.shutdown()
            self._cluster = None
        if self._catalog is not None:
            self._catalog.close()
            self._catalog = None


def open_artifacts(settings: Settings, catalog: Catalog) -> ArtifactStore:
    """Opens the store of fits and trained models that the settings name."""
    if settings.shares_artifacts:
        from stylesearch.artifacts.shared import CatalogArtifacts

        return CatalogArtifacts(settings.home, catalog)
    return HomeArtifacts(settings.home, catalog.id)


def locate_space(
    settings: Settings, catalog: Catalog, artifacts: ArtifactStore, feature_set: FeatureSet, space: str
) -> SpaceLocation:
    """Returns the location of a space of a feature set of the catalog.

    Raises:
        ConfigError: candidates are to come from pgvector, and the catalog is not on PostgreSQL.
        MissingDependency: they are, and pgvector's library is not installed.
    """
    from stylesearch.search.fitted_space import SpaceLocation

    stores = _vector_stores(settings, catalog)
    folder = artifacts.folder(FIT, f"{feature_set.fingerprint[:16]}/{index_folder(space)}")
    if not is_trained(space):
        return SpaceLocation(catalog, feature_set, space, folder, stores, artifacts)
    from stylesearch.models.store import folder_of

    model = folder_of(settings.home, name_of(space))
    return SpaceLocation(catalog, feature_set, space, folder, stores, artifacts, model)


def _vector_stores(settings: Settings, catalog: Catalog) -> VectorStores:
    """The kind of vector store that the settings name."""
    if settings.candidates == "local":
        from stylesearch.search.local_store import LocalVectorStores

        return LocalVectorStores()
    if settings.candidates == "faiss":
        from stylesearch.search.faiss_store import FaissVectorStores

        return FaissVectorStores()
    if catalog.engine.dialect.name != "postgresql":
        raise ConfigError(
            "candidates = pgvector wants a catalog on PostgreSQL. "
            f"Received: a catalog on {catalog.engine.dialect.name}",
            hint="name a database, db = postgresql+psycopg://..., or set candidates = local",
        )
    if not settings.shares_artifacts:
        raise ConfigError(
            "candidates = pgvector wants the same fits on all machines. Received: artifacts = home",
            hint="set artifacts = catalog, or candidates = local",
        )
    try:
        from stylesearch.search.pgvector.store import PgVectorStores
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("pgvector", "psycopg"):
            raise
        raise MissingDependency(
            f"candidates = pgvector wants the library {error.name}, which is not installed",
            hint="pip install 'stylesearch[postgres]'",
        ) from error
    return PgVectorStores()


def _check_names(choice: SpaceChoice) -> None:
    """Checks that there are such a space and such a metric."""
    from stylesearch.distance import check_metric
    from stylesearch.spaces import check_space

    if not is_trained(choice.space):
        check_space(choice.space)
    try:
        check_metric(choice.metric)
    except ValueError as error:
        raise ConfigError(str(error)) from None
