"""The indexes of a workspace: ``shop.indexes`` builds, inspects, verifies and repairs them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import (
    ConfigError,
    IndexesLocked,
    IndexingError,
    SpaceError,
    StyleSearchError,
    UnknownName,
)
from stylesearch.models.card import is_trained
from stylesearch.types import Failure, ReportProgress, SpaceChoice

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor
    from stylesearch.models.card import ModelCard
    from stylesearch.search import CategoryStatus
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.workspace.resources import Resources

__all__ = ["Indexes"]

log = logging.getLogger(__name__)


class Indexes:
    """The indexes of a workspace's spaces.

    Where a method takes ``extractor``, ``space`` and ``metric``, an empty one is the workspace's own.

    Args:
        resources: resources of the workspace.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def build(
        self,
        *,
        extractor: str = "",
        space: str = "",
        metric: str = "",
        progress: ReportProgress | None = None,
    ) -> dict[str, int]:
        """Fits the space and builds the index of every category anew.

        Args:
            extractor, space, metric: space and metric of the indexes. Without an extractor it is the one that
                searches will use once this is built; without a space that of the settings.
            progress: called as ``progress("indexes", n_done, n_total)``.

        Returns:
            the number of images by category.

        Raises:
            NotInCatalog: nothing was ingested with that extractor.
            IndexesLocked: another process is building.
        """
        from stylesearch.search.maintenance import rebuild

        own = self._resources.settings
        if not space and not is_trained(own.space):
            space = own.space
        if not extractor and not is_trained(space or own.space):
            extractor = self._resources.own_space.extractor_to_index()
        gallery = self._resources.searcher(SpaceChoice(extractor, space, metric)).gallery
        with self._building(own.lock_timeout):
            counts = rebuild(gallery.location, [gallery.metric], progress)
        gallery.reload()
        return counts

    def status(self, *, extractor: str = "", space: str = "", metric: str = "") -> list[CategoryStatus]:
        """The state of each category's index, with the numbers of images that are pending and gone."""
        from stylesearch.search.maintenance import status

        return status(self._resources.searcher(SpaceChoice(extractor, space, metric)).gallery)

    def verify(self, *, extractor: str = "", space: str = "", metric: str = "") -> list[Failure]:
        """Reads every index whole; lists damaged and missing ones, by category.

        Where no space is named, all fits and indexes of the workspace are read. One of another space is
        listed by ``extractor/space/metric/category``. What a build that was killed has left is listed by its
        path, unless a process is building just now.
        """
        from stylesearch.search.maintenance import leftovers, verify, verify_space

        gallery = self._resources.searcher(SpaceChoice(extractor, space, metric)).gallery
        problems = verify(gallery)
        if not (extractor or space or metric):
            locations = list(self._locations())
            for location in locations:
                problems += verify_space(location, without=gallery)
            if self._folder.is_dir():
                try:
                    with self._building(0):
                        for location in locations:
                            problems += leftovers(location)
                except IndexingError as error:  # another process builds, or nobody may
                    log.info("nothing was looked for that is left over: %s", error)
        return problems

    def _locations(self) -> Iterator[SpaceLocation]:
        """Yields the location of every space of every extractor's features, trained models included."""
        from stylesearch.models.store import list_models
        from stylesearch.spaces import SPACES
        from stylesearch.workspace.resources import locate_space

        settings, catalog = self._resources.settings, self._resources.catalog()
        self._resources.bring_models()
        cards = list_models(settings.home)
        for feature_set in catalog.feature_sets():
            trained = [card.space for card in cards if card.feature_set == feature_set.fingerprint]
            for space in (*SPACES, *trained):
                yield locate_space(settings, catalog, self._resources.artifacts, feature_set, space)

    def repair(self) -> None:
        """Builds the indexes again that a search could not use; closing the workspace does this too.

        An index that cannot be built now (another process builds, no room) is left for later: answers are
        right without it.
        """
        galleries = [searcher.gallery for searcher in self._resources.open_searchers()]
        damaged = [gallery for gallery in galleries if gallery.damaged]
        if not damaged:
            return
        from stylesearch.search import IndexWarning
        from stylesearch.search.maintenance import repair

        try:
            with self._building(0):
                for gallery in damaged:
                    try:
                        repair(gallery)
                    except UnknownName as error:
                        log.info("indexes are left as they are: %s", error.message)
        except IndexesLocked:
            log.info("the indexes are left to the process that is building")
        except (OSError, StyleSearchError) as error:
            warnings.warn(f"the indexes could not be built: {error}", IndexWarning, stacklevel=2)

    def refresh(
        self,
        extractors: Sequence[Extractor],
        progress: ReportProgress | None,
        command: str = "stylesearch index build",
    ) -> None:
        """Fits and builds what is worth rebuilding, for every space and metric in use, with the defaults.

        Indexes of trained models are always updated, since new products get their vectors here. What cannot
        be done is reported by a warning. Where nothing is worth it, another process that builds is not waited
        for.

        Args:
            extractors: extractors with new features.
            progress: called as ``progress("indexes", n_done, n_total)``.
            command: command that the warning names for building later.
        """
        from stylesearch.search import IndexWarning
        from stylesearch.search.maintenance import is_outdated, refresh

        try:
            self._resources.bring_models()
            # As far as one reads that without the lock; once it is held, it is looked at again.
            outdated = [one for one in self._in_use(extractors) if is_outdated(*one)]
            if not outdated:
                return
            with self._building(self._resources.settings.lock_timeout):
                for location, metrics in outdated:
                    refresh(location, metrics, progress)
        except (OSError, StyleSearchError) as error:
            warnings.warn(
                f"the indexes could not be built: {error}; searches are exact until `{command}`",
                IndexWarning,
                stacklevel=3,
            )

    def _in_use(self, extractors: Sequence[Extractor]) -> Iterator[tuple[SpaceLocation, list[str]]]:
        """Yields the spaces to keep indexes of, with metrics to have besides those that are there."""
        from stylesearch.models.store import list_models
        from stylesearch.search.maintenance import metrics_in_use
        from stylesearch.spaces import SPACES

        own = self._resources.settings
        for extractor in extractors:
            own_space = self._resources.own_space.space_to_index(extractor)
            for space in SPACES:
                location = self._resources.space_location(extractor, space)
                default = [own.metric] if space == own_space else []
                if default or metrics_in_use(location):
                    yield location, default
            for card in list_models(own.home):
                if card.feature_set == extractor.fingerprint:
                    of_model = self._locate_model(extractor, card)
                    if of_model is not None:
                        yield of_model, [card.metric]

    def _locate_model(self, extractor: Extractor, card: ModelCard) -> SpaceLocation | None:
        """The space of a trained model; None, with a warning, where it cannot have indexes.

        It may be damaged, removed, or trained anew on other features meanwhile; indexes of the other models
        are built.
        """
        from stylesearch.search import IndexWarning
        from stylesearch.search.fitted_space import load

        try:
            location = self._resources.space_location(extractor, card.space)
            load(location)
        except (ConfigError, SpaceError, UnknownName) as error:
            warnings.warn(f"{card.space} has no indexes: {error}", IndexWarning, stacklevel=5)
            return None
        return location

    @property
    def _folder(self) -> Path:
        """The folder of all indexes of the home."""
        return self._resources.settings.home / "indexes"

    def _building(self, timeout: float) -> AbstractContextManager[None]:
        """Holds the right to build in this home."""
        from stylesearch.index.build_lock import building

        return building(self._folder, timeout)
