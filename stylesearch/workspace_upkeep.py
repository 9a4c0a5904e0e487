"""The part of a workspace that looks after what is derived: indexes and trained models."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.config import Settings, load_settings
from stylesearch.parts import Parts
from stylesearch.types import Failure

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor
    from stylesearch.gallery import CategoryStatus, Gallery
    from stylesearch.model_cards import ModelCard
    from stylesearch.search import Searcher

    ReportProgress = Callable[[str, int, int | None], None]

__all__ = ["WorkspaceUpkeep"]


class WorkspaceUpkeep:
    """Base of :class:`stylesearch.workspace.Workspace`.

    Args:
        settings: where things are and what is done unless a call says otherwise.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._parts = Parts(settings)

    def gallery(self, *, extractor: str = "", space: str = "", metric: str = "") -> Gallery:
        """What is searched: the shop's images with features of that extractor, in that space.

        Raises:
            NotInCatalog: nothing was ingested with that extractor.
        """
        return self._parts.searcher(extractor, space, metric).gallery

    def extractor(self, *, space: str = "", throughput: bool = False) -> Extractor:
        """What makes the features that a space is of: the workspace's own space if none is given.

        Args:
            space: a trained model brings its own extractor.
            throughput: whether many pictures will be extracted, by several threads at once.

        Raises:
            UnknownName: no such extractor or model.
        """
        return self._parts.extractor(self._parts.chosen("", space, "")[0], throughput=throughput)

    def searcher(
        self, *, extractor: str = "", space: str = "", metric: str = "", throughput: bool = False
    ) -> Searcher:
        """What :meth:`~stylesearch.workspace.Workspace.query` searches with, for those who take it apart.

        Ask again for each photo: it costs nothing, and a model that was trained anew brings another one.

        Args:
            extractor, space, metric: the workspace's own where they are not given, as in :meth:`gallery`.
            throughput: whether many photos will be searched with, by several threads at once.

        Raises:
            UnknownName: no such extractor, space or model.
            ConfigError: the model takes another extractor or metric than this.
            NotInCatalog: nothing was ingested with that extractor.
        """
        return self._parts.searcher(extractor, space, metric, throughput=throughput)

    def build_indexes(
        self,
        *,
        extractor: str = "",
        space: str = "",
        metric: str = "",
        progress: ReportProgress | None = None,
    ) -> dict[str, int]:
        """Fits the space and builds the index of every category anew: images in each, by category.

        What is not given is the workspace's own, as in :meth:`gallery`.
        """
        from stylesearch.gallery import upkeep

        gallery = self.gallery(extractor=extractor, space=space, metric=metric)
        with self._parts.catalog().writing(timeout=self.settings.lock_timeout):
            built = upkeep.rebuild(gallery.home, [gallery.metric], progress)
        gallery.forget()
        return built

    def index_status(self, *, extractor: str = "", space: str = "", metric: str = "") -> list[CategoryStatus]:
        """What is built for each category, how much is pending and how much is gone."""
        from stylesearch.gallery import upkeep

        return upkeep.status(self.gallery(extractor=extractor, space=space, metric=metric))

    def verify_indexes(self, *, extractor: str = "", space: str = "", metric: str = "") -> list[Failure]:
        """Reads every index whole; lists the damaged ones."""
        from stylesearch.gallery import upkeep

        return upkeep.verify(self.gallery(extractor=extractor, space=space, metric=metric))

    def models(self) -> list[ModelCard]:
        """The trained models, by name; each is the space ``siamese:NAME``."""
        from stylesearch import trained

        return trained.models(self.settings.home)

    def model(self, name: str) -> ModelCard:
        """The trained model of that name: what it was trained on, and how well it does.

        Raises:
            UnknownName: there is none.
            SpaceError: it is damaged.
        """
        from stylesearch import trained

        return trained.model(self.settings.home, name)

    def remove_model(self, name: str) -> dict[str, str | None]:
        """Removes a trained model, its indexes, and an unfinished training of that name.

        Where ``config.toml`` names it as the workspace's space, or a network in its folder as the extractor,
        these lines go with it, and the network that was fine-tuned takes its place.

        Returns:
            what was changed in ``config.toml``: the new value by the setting's name, None for one taken out.

        Raises:
            UnknownName: there is none.
            ConfigError: another model takes features of its network, or it is being trained.
            CatalogLocked: another process is writing.
        """
        from stylesearch import trained
        from stylesearch.errors import SpaceError, UnknownName
        from stylesearch.own_networks import fingerprints_of, forget_features, networks_of
        from stylesearch.settings_file import change_settings

        settings, writer = self.settings, None
        with contextlib.ExitStack() as held:
            if trained.folder_of(settings.home, name).is_dir():
                held.enter_context(trained.training_lock(settings.home, name, settings.lock_timeout))
            if settings.db or Path(settings.database).exists():
                # So that nobody builds indexes of it meanwhile.
                writer = held.enter_context(self._parts.catalog().writing(timeout=settings.lock_timeout))
            trained.require_removable(settings.home, name)
            networks = fingerprints_of(networks_of(settings.home, name))
            original = None
            with contextlib.suppress(UnknownName, SpaceError):  # an unfinished or a damaged one goes as well
                original = self.model(name).options.get("finetuned_from")
            in_file = load_settings({"home": settings.home}, {})
            changes: dict[str, str | None] = {}
            if in_file.space == trained.space_of(name):
                changes["space"] = None
            if trained.is_network_of(settings.home, name, in_file.extractor):
                is_gone = original is None or trained.is_network_of(settings.home, name, str(original))
                changes["extractor"] = None if is_gone or original == Settings().extractor else str(original)
            # In this order an interruption leaves settings that work, and a model that can be removed again.
            if changes:
                change_settings(settings.home, changes)
            trained.withdraw_model(settings.home, name)
            if writer is not None:
                forget_features(writer, settings.home, networks)
            trained.remove_model(settings.home, name)
        return changes

    def repair(self) -> None:
        """Builds again the indexes that a query could not use; :meth:`close` does this too.

        What cannot be built now (another process writes, no room) is left for later: answers are right
        without it.
        """
        self._parts.repair_indexes()
