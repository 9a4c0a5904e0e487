"""Vectors of a gallery in one fit of a space, read from the catalog: what a store is built of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from stylesearch.array_types import Floats, Ids
from stylesearch.spaces.base import scale_for_category
from stylesearch.types import Domain

if TYPE_CHECKING:
    from stylesearch.catalog.selection import FeatureSelection
    from stylesearch.search.fitted_space import SpaceLocation
    from stylesearch.spaces.base import Transform

__all__ = ["GalleryContents", "GalleryVectors", "only"]


@dataclass(frozen=True, slots=True)
class GalleryContents:
    """What searches need of the catalog, as of one state of it.

    Attributes:
        state: number of the state.
        categories: categories of the gallery.
        last_feature_id: the largest feature id of the gallery.
        last_ids: the largest feature id by category, for those that were asked for.
    """

    state: int
    categories: list[str]
    last_feature_id: int
    last_ids: dict[str, int] = field(default_factory=dict)


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

    def last_id(self, category: str, contents: GalleryContents) -> int:
        """The largest feature id of a category, read once for each state of the catalog."""
        last = contents.last_ids.get(category)
        if last is None:
            location = self.location
            last = location.catalog.last_feature_id(location.feature_set, category=category)
            contents.last_ids[category] = last
        return last

    def forget_contents(self) -> None:
        """Reads the contents again next time, whatever the catalog says of changes."""
        self._contents = None

    def _in_space(self, features: Floats, category: str | None) -> Floats:
        vectors = self.transform.apply(features)
        return vectors if category is None else scale_for_category(self.transform, vectors, category)


def only(allowed: FeatureSelection, blocks: Iterator[tuple[Ids, Floats]]) -> Iterator[tuple[Ids, Floats]]:
    """Ids and vectors of those that are allowed."""
    for ids, vectors in blocks:
        kept = np.isin(ids, allowed.ids, assume_unique=True)
        yield ids[kept], np.ascontiguousarray(vectors[kept])
