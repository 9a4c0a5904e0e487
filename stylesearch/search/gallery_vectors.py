"""Vectors of a gallery in one fit of a space, read from the catalog: what a store is built of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.array_types import Floats, Ids
from stylesearch.spaces.base import scale_for_category
from stylesearch.types import Domain

if TYPE_CHECKING:
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.spaces.base import Transform

__all__ = ["GalleryContents", "GalleryVectors"]


@dataclass(frozen=True, slots=True)
class GalleryContents:
    """Categories of the gallery and the largest feature id, as of one state of the catalog."""

    state: int
    categories: list[str]
    last_feature_id: int


class GalleryVectors:
    """Reads the vectors of a gallery in one fit, scaled for their category. Thread-safe.

    Args:
        location: location of the space.
        transform: the fit.
    """

    def __init__(self, location: SpaceLocation, transform: Transform) -> None:
        self.location = location
        self.transform = transform
        self._contents: GalleryContents | None = None

    def blocks(self, category: str | None = None, after_id: int = 0) -> Iterator[tuple[Ids, Floats]]:
        """Yields ids and vectors of the gallery, as they are compared, block by block.

        Args:
            category: of this category only, if given.
            after_id: only features with a larger id.
        """
        catalog, feature_set = self.location.catalog, self.location.feature_set
        if category is None and self.transform.scales is not None:
            for name in catalog.category_names(feature_set, domain=Domain.SHOP):
                yield from self.blocks(name, after_id)
            return
        for ids, features in catalog.features(
            feature_set, category=category, after_id=after_id, domain=Domain.SHOP
        ):
            yield ids, self._in_space(features, category)

    def blocks_among(self, ids: Ids, category: str | None, after_id: int = 0) -> Iterator[tuple[Ids, Floats]]:
        """Yields ids and vectors of those of some images that are of the category, or of any."""
        wanted = np.unique(ids)
        first = max(after_id, int(wanted[0]) - 1) if len(wanted) else after_id
        for block_ids, vectors in self.blocks(category, first):
            kept = np.isin(block_ids, wanted)
            yield block_ids[kept], np.ascontiguousarray(vectors[kept])

    def of(self, ids: Ids, category: str | None) -> tuple[Ids, Floats]:
        """Vectors of some images of one category, or of any; ids that are gone are left out."""
        catalog, feature_set = self.location.catalog, self.location.feature_set
        found, features = catalog.vectors(feature_set, ids.tolist())
        return found, self._in_space(features, category)

    def contents(self) -> GalleryContents:
        """Reads what every search needs of the catalog, again only when the catalog has changed."""
        catalog, feature_set = self.location.catalog, self.location.feature_set
        state = catalog.state()  # before the rest is read: a change in between is then read next time
        contents = self._contents
        if contents is None or contents.state != state:
            names = catalog.category_names(feature_set, domain=Domain.SHOP)
            contents = GalleryContents(state, names, catalog.last_feature_id(feature_set))
            self._contents = contents
        return contents

    def forget_contents(self) -> None:
        """Reads the contents again next time, whatever the catalog says of changes."""
        self._contents = None

    def _in_space(self, features: Floats, category: str | None) -> Floats:
        vectors = self.transform.apply(features)
        return vectors if category is None else scale_for_category(self.transform, vectors, category)
