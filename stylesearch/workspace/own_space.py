"""What a workspace searches with where nothing is chosen, also while its products are ingested anew.

Settings name an extractor and a space. A workspace that an older version filled has neither features with
texture nor the space *mixed*: it is searched with the features and the space of before until all of its
products have features with texture, and these have an index.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from stylesearch.errors import CatalogLocked, NotInCatalog, StyleSearchError
from stylesearch.extractors.spec import ExtractorSpec
from stylesearch.models.card import is_trained

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.extractors.base import Extractor
    from stylesearch.types import Failure, ReportProgress
    from stylesearch.workspace.resources import Resources

__all__ = ["OwnSpace"]

log = logging.getLogger(__name__)

OLDER_SPACE = "whitened"
"""The default space of older versions."""


class OwnSpace:
    """The extractor and the space of a workspace, as far as its catalog and its indexes are ready for them.

    Where the catalog cannot be read for a moment, the answers are those of before.

    Args:
        resources: resources of the workspace.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._wanted = resources.settings.extractor
        self._older = _without_texture(self._wanted)
        self._has_moved = not self._older
        self._counted: tuple[int, bool] | None = None
        self._extractor = ""
        self._spaces: dict[str, str] = {}
        self._fitted: set[str] = set()
        self._said: set[str] = set()

    def likely_extractor(self) -> str:
        """The extractor that searches will use, guessed without the catalog, to load its network early."""
        if not self._has_moved and not self._has_indexes(self._wanted) and self._has_indexes(self._older):
            return self._older
        return self._wanted

    def extractor(self) -> str:
        """The extractor of the settings; without texture until all shop images and an index have texture."""
        catalog = None if self._has_moved else self._existing_catalog()
        if catalog is None:
            return self._wanted
        try:
            self._extractor = self._choose_extractor(catalog)
        except StyleSearchError as error:
            log.info("the extractor of searches stays, since the catalog cannot be read: %s", error)
            return self._extractor or (self._older if self._has_indexes(self._older) else self._wanted)
        return self._extractor

    def extractor_to_index(self) -> str:
        """The extractor that searches will use once its features have an index."""
        catalog = None if self._has_moved else self._existing_catalog()
        return self._wanted if catalog is None or self._is_complete(catalog) else self.extractor()

    def extractors_to_fill(self) -> list[str]:
        """Extractors whose features new images get: that of the settings, and the one of searches."""
        return list(dict.fromkeys([self._wanted, self.extractor()]))

    def space(self, extractor: str) -> str:
        """The space of the settings; *whitened* where that has a fit and the settings' one has none.

        Args:
            extractor: the extractor that is searched with.
        """
        own = self._resources.settings.space
        if own == OLDER_SPACE or extractor in self._fitted or self._existing_catalog() is None:
            return own
        try:
            if self._has_fit(extractor, own):
                self._fitted.add(extractor)
                return own
            is_older = self._has_fit(extractor, OLDER_SPACE)
        except StyleSearchError as error:  # whoever searches in it is told
            log.info("the space of searches stays, since the catalog cannot be read: %s", error)
            return self._spaces.get(extractor, OLDER_SPACE if extractor == self._older else own)
        if is_older:
            self._warn_once(
                f"there is no index of the space {own} yet: searches use {OLDER_SPACE}. "
                "`stylesearch index build` builds it"
            )
        self._spaces[extractor] = OLDER_SPACE if is_older else own
        return self._spaces[extractor]

    def space_to_index(self, extractor: Extractor) -> str:
        """The space whose index an ingest keeps up with the features of an extractor.

        That of the settings. For the older extractor the one of searches: an index in another space would be
        built once, and left behind.
        """
        own = self._resources.settings.space
        if self._has_moved or is_trained(own):
            return own
        older = self._resources.extractor(self._older)
        return self.space(self._older) if extractor.fingerprint == older.fingerprint else own

    def fill(self, progress: ReportProgress | None = None) -> tuple[int, list[Failure]]:
        """Computes the settings' features for shop images that lack them, while more have the older ones.

        Images of all sources get them: some were put over the API, or their source is gone, and nobody
        ingests them again. Once none is missing, the catalog says so.

        Args:
            progress: called as ``progress("pictures without texture", n_done, n_total)``.

        Returns:
            how many images got them, and the images that could not be used, with the reason.

        Raises:
            CatalogLocked: another process is writing.
        """
        if self._has_moved:
            return 0, []
        catalog = self._resources.catalog()
        n_before = self._count_missing(catalog)
        failures = self._compute_missing(catalog, progress) if n_before > 0 else []
        n_missing = self._count_missing(catalog) if n_before > 0 else n_before
        if n_missing <= 0:
            self._mark_complete(catalog)
        return max(n_before, 0) - max(n_missing, 0), failures

    def _compute_missing(self, catalog: Catalog, progress: ReportProgress | None) -> list[Failure]:
        from stylesearch.features.compute import compute_missing
        from stylesearch.features.images import list_images
        from stylesearch.types import Domain, Failure

        extraction = self._resources.extraction_options
        name_stage = extraction.name_stage
        images = [one for one in list_images(catalog) if one.image.domain == Domain.SHOP]
        _, reasons = compute_missing(
            catalog,
            self._resources.extractor(self._wanted, throughput=True),
            images,
            extraction,
            progress
            and (lambda n_done, n_total: progress(name_stage("pictures without texture"), n_done, n_total)),
        )
        return [Failure(one.image.path, reasons[one.pk]) for one in images if one.pk in reasons]

    def _mark_complete(self, catalog: Catalog) -> None:
        wanted, older = self._feature_sets(catalog)
        if wanted is None or older is None or catalog.is_complete(wanted):
            return
        try:
            with catalog.writing(timeout=self._resources.settings.lock_timeout) as writer:
                if self._count_missing(catalog) <= 0:
                    with writer.transaction():
                        writer.mark_complete(wanted)
        except CatalogLocked as error:  # the next ingest does it
            log.info("the catalog does not say yet that its features are complete: %s", error)

    def _choose_extractor(self, catalog: Catalog) -> str:
        from stylesearch.spaces import SPACES

        if not self._is_complete(catalog):
            self._warn_once(
                f"the catalog has no features of {self._wanted} for some of its products: searches use those "
                f"of {self._older}, with the features and the space of before. The next ingest of anything "
                "computes what is missing, to find more by texture; "
                "`stylesearch ingest --complete` does only that"
            )
            return self._older
        own = self._resources.settings.space
        if self._feature_sets(catalog)[1] is None or self._has_any_fit(
            self._wanted, SPACES if is_trained(own) else [own]
        ):
            self._has_moved = True
        elif self._has_any_fit(self._older, SPACES):
            self._warn_once(
                f"all products have features of {self._wanted}, and no index has them yet: searches use "
                f"those of {self._older}. `stylesearch index build` builds it"
            )
            return self._older
        return self._wanted

    def _is_complete(self, catalog: Catalog) -> bool:
        """Whether all shop images have the features of the settings; counted again when something changed."""
        state = catalog.state()  # before the count: a change in between is counted next time
        if state is not None and self._counted is not None and self._counted[0] == state:
            return self._counted[1]
        is_complete = self._count_missing(catalog) <= 0
        self._counted = None if state is None else (state, is_complete)
        return is_complete

    def _count_missing(self, catalog: Catalog) -> int:
        """How many more shop images have the older features than the wanted ones."""
        wanted, older = self._feature_sets(catalog)
        if older is None or (wanted is not None and catalog.is_complete(wanted)):
            return 0
        n_wanted = sum(catalog.categories(wanted).values()) if wanted else 0
        return sum(catalog.categories(older).values()) - n_wanted

    def _feature_sets(self, catalog: Catalog) -> tuple[FeatureSet | None, FeatureSet | None]:
        """The feature sets of the wanted extractor and of the older one."""
        wanted, older = (self._resources.extractor(spec) for spec in (self._wanted, self._older))
        return catalog.find_feature_set(wanted.fingerprint), catalog.find_feature_set(older.fingerprint)

    def _existing_catalog(self) -> Catalog | None:
        """The catalog; None where there is none yet, or it cannot be opened: whoever searches is told."""
        try:
            return self._resources.existing_catalog()
        except StyleSearchError:
            return None

    def _has_fit(self, extractor: str, space: str) -> bool:
        from stylesearch.search.fitted_space import version_stamp

        loaded = self._resources.extractor(extractor)
        try:
            return version_stamp(self._resources.space_location(loaded, space)) != (0, 0)
        except NotInCatalog:
            return False

    def _has_any_fit(self, extractor: str, spaces: Iterable[str]) -> bool:
        return any(self._has_fit(extractor, space) for space in spaces)

    def _has_indexes(self, extractor: str) -> bool:
        try:
            fingerprint = self._resources.extractor(extractor).fingerprint
        except StyleSearchError:
            return False
        return any((self._resources.settings.home / "indexes").glob(f"*-{fingerprint[:16]}"))

    def _warn_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            log.warning("%s", message)


def _without_texture(text: str) -> str:
    """The same extractor without texture; empty where it has none."""
    spec = ExtractorSpec.parse(text)
    return str(dataclasses.replace(spec, with_texture=False)) if spec.with_texture else ""
