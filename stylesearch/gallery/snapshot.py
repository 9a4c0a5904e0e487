"""One fit of a space and the indexes that were built of it: what a search stays with to its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stylesearch.errors import ConfigError, IndexDamaged
from stylesearch.gallery import fit
from stylesearch.gallery.fit import SpaceHome, Stamp
from stylesearch.index.by_category import CategoryIndexes
from stylesearch.spaces.base import scaled
from stylesearch.types import Domain

if TYPE_CHECKING:
    from stylesearch.index.by_category import OpenIndex
    from stylesearch.spaces.base import Transform

__all__ = ["Snapshot"]


class Snapshot:
    """A transform, a metric, and indexes of exactly these. Safe to use from several threads.

    Args:
        home: the space.
        metric: ``l1``, ``l2`` or ``cosine``.
        transform: the fit.
        stamp: of the record that named the fit, from before it was read.

    Raises:
        ConfigError: the transform was made for another metric.
    """

    def __init__(self, home: SpaceHome, metric: str, transform: Transform, stamp: Stamp = (0, 0)) -> None:
        if transform.metric not in (None, metric):
            raise ConfigError(
                f"the space {home.space} is searched with the metric {transform.metric}. Received: {metric}"
            )
        self.home = home
        self.metric = metric
        self.transform = transform
        self.stamp = stamp
        self.indexes = CategoryIndexes(
            home.folder / transform.version[:16] / metric,
            space_key=f"{home.key}-{metric}",
            metric=metric,
            dim=transform.dim,
        )
        self._opened: dict[str, tuple[str, OpenIndex]] = {}

    @classmethod
    def in_force(cls, home: SpaceHome, metric: str) -> Snapshot | None:
        """What is in force now; None when nothing is, or it cannot be read."""
        stamp = fit.stamp(home)
        transform = fit.load(home)
        return None if transform is None else cls(home, metric, transform, stamp)

    @property
    def replaced(self) -> bool:
        """Whether another fit has come into force since."""
        return fit.stamp(self.home) != self.stamp

    def blocks(
        self, category: str | None = None, after_id: int = 0
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """Ids and vectors of the gallery in this fit, as they are compared, block by block."""
        catalog, feature_set = self.home.catalog, self.home.feature_set
        if category is None and self.transform.scales is not None:
            for name in catalog.category_names(feature_set, domain=Domain.SHOP):
                yield from self.blocks(name, after_id)
            return
        for ids, features in catalog.features(
            feature_set, category=category, after_id=after_id, domain=Domain.SHOP
        ):
            vectors = self.transform.apply(features)
            yield ids, vectors if category is None else scaled(self.transform, vectors, category)

    def open(self, category: str) -> OpenIndex:
        """The category's index, opened once a generation.

        Raises:
            IndexDamaged: there is none, it is damaged, or it knows what the catalog never had: then the
                catalog is an older copy.
        """
        name = self.indexes.in_force(category)
        known = self._opened.get(category)
        if known is not None and known[0] == name:
            return known[1]
        opened = self.indexes.open(category)
        if opened.last_feature_id > self.home.catalog.highest_feature_id():
            raise IndexDamaged(f"the index of {category!r} was built of a later state of the catalog")
        # One that is replaced is not closed: another thread may be searching in it.
        self._opened[category] = (name, opened)
        return opened
