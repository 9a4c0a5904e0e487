"""What a workspace searches with where nothing is chosen, also while its products are ingested anew.

Settings name an extractor and a space. A workspace that an older version filled has neither features with
texture nor the space *mixed*: it is searched as before until both are there for all of its products.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import CatalogError, StyleSearchError
from stylesearch.extractors.spec import ExtractorSpec

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.workspace.resources import Resources

__all__ = ["OwnSpace"]

log = logging.getLogger(__name__)

OLDER_SPACE = "whitened"
"""The default space of older versions."""


class OwnSpace:
    """The extractor and the space of a workspace, as far as its catalog and its indexes are ready for them.

    Args:
        resources: resources of the workspace.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._wanted = resources.settings.extractor
        self._older = _without_texture(self._wanted)
        self._is_filled = not self._older
        self._fitted: set[str] = set()

    def likely_extractor(self) -> str:
        """The extractor that searches will use, guessed without the catalog, to load its network early."""
        if not self._is_filled and not self._has_indexes(self._wanted) and self._has_indexes(self._older):
            return self._older
        return self._wanted

    def extractor(self) -> str:
        """The extractor of the settings; without texture while more shop images have features of that one."""
        catalog = None if self._is_filled else self._existing_catalog()
        if catalog is None:
            return self._wanted
        n_missing = self._count_missing(catalog)
        if n_missing <= 0:
            self._is_filled = True
            return self._wanted
        _say_once(
            f"the catalog has no features of {self._wanted} for some of its products: searches use those of "
            f"{self._older}, as before. Ingest the same products again to find more by texture"
        )
        return self._older

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
        if self._has_fit(extractor, own):
            self._fitted.add(extractor)
        elif self._has_fit(extractor, OLDER_SPACE):
            _say_once(
                f"there is no index of the space {own} yet: searches use {OLDER_SPACE}. "
                "`stylesearch index build` builds it"
            )
            return OLDER_SPACE
        return own

    def _existing_catalog(self) -> Catalog | None:
        """The catalog; None where there is none yet, or it cannot be read: whoever searches is told."""
        settings = self._resources.settings
        if not settings.db and not Path(settings.database).exists():
            return None
        try:
            return self._resources.catalog()
        except CatalogError:
            return None

    def _count_missing(self, catalog: Catalog) -> int:
        """How many more shop images have the older features than the wanted ones."""
        try:
            wanted, older = (
                catalog.find_feature_set(self._resources.extractor(spec).fingerprint)
                for spec in (self._wanted, self._older)
            )
            if older is None:
                return 0
            n_wanted = sum(catalog.categories(wanted).values()) if wanted else 0
            return sum(catalog.categories(older).values()) - n_wanted
        except StyleSearchError:  # whoever searches is told
            return 0

    def _has_fit(self, extractor: str, space: str) -> bool:
        from stylesearch.search.fitted_space import version_stamp

        try:
            loaded = self._resources.extractor(extractor)
            return version_stamp(self._resources.space_location(loaded, space)) != (0, 0)
        except StyleSearchError:  # whoever searches in it is told
            return False

    def _has_indexes(self, extractor: str) -> bool:
        try:
            fingerprint = self._resources.extractor(extractor).fingerprint
        except StyleSearchError:
            return False
        return any((self._resources.settings.home / "indexes").glob(f"*-{fingerprint[:16]}"))


def _without_texture(text: str) -> str:
    """The same extractor without texture; empty where it has none."""
    spec = ExtractorSpec.parse(text)
    return str(dataclasses.replace(spec, with_texture=False)) if spec.with_texture else ""


@functools.cache
def _say_once(message: str) -> None:
    log.warning("%s", message)
