"""The transform of a space: loaded, or fitted on the gallery and kept.

In the folder of a space ``space.json`` names the fit in force, ``transform-<version>.npz`` holds it. Indexes
lie in a folder of their fit's version: vectors of two fits never meet. All metrics share one fit.

In the space of a trained model nothing is fitted: the model is the fit, and what names the one in force is
its card. So a model that is trained anew leaves the indexes of the older one without a reader at once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stylesearch.errors import ConfigError, IndexDamaged, SpaceError
from stylesearch.files import write_json
from stylesearch.index.category_indexes import CategoryIndexes
from stylesearch.models.card import check_features
from stylesearch.spaces import fit_transform, load_transform
from stylesearch.spaces.base import scaled
from stylesearch.spaces.joined import n_colors_of
from stylesearch.types import Domain

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.index.category_indexes import OpenIndex
    from stylesearch.spaces.base import Transform


__all__ = [
    "FitRecord",
    "Snapshot",
    "SpaceHome",
    "Stamp",
    "fit",
    "fitted",
    "load",
    "put_in_force",
    "read_record",
    "version_stamp",
]

log = logging.getLogger(__name__)

RECORD = "space.json"

Stamp = tuple[int, int]
"""What tells one version of the record from another without reading it."""


@dataclass(frozen=True, slots=True)
class SpaceHome:
    """A space of a feature set, and where what is derived for it is kept.

    Attributes:
        catalog: where products and features are.
        feature_set: whose features.
        space: name of the transform, ``raw``, ``whitened`` or ``siamese:NAME``.
        folder: of this space; made when something is built.
        model: folder of the trained model that the space is of; None where the space is fitted.
    """

    catalog: Catalog
    feature_set: FeatureSet
    space: str
    folder: Path
    model: Path | None = None

    @property
    def key(self) -> str:
        """Names the space in a manifest."""
        return f"{self.catalog.id}-{self.feature_set.fingerprint[:16]}-{self.space}"

    def counts(self) -> dict[str, int]:
        """How many images each category of the gallery has."""
        return self.catalog.categories(self.feature_set, domain=Domain.SHOP)


@dataclass(frozen=True, slots=True)
class FitRecord:
    """Which fit is in force, and what it was made of.

    Attributes:
        version: of the transform.
        n_fitted: images that the gallery had then.
        last_feature_id: the largest feature id there was then.
    """

    version: str
    n_fitted: int
    last_feature_id: int


def fitted(home: SpaceHome) -> Transform:
    """The transform of a space fitted on the shop images of the catalog; nothing is kept.

    That of a trained model is the model's.
    """
    if home.model is not None:
        return _learned(home, home.model)
    blocks = (features for _, features in home.catalog.features(home.feature_set, domain=Domain.SHOP))
    n_rows = sum(home.counts().values())
    return fit_transform(
        home.space,
        blocks,
        dim_in=home.feature_set.dim,
        n_rows=n_rows,
        n_colors=n_colors_of(home.feature_set.parameters),
    )


def fit(home: SpaceHome) -> tuple[Transform, FitRecord]:
    """Fits the space on the shop images of the catalog, and keeps it in the space's folder.

    It is not in force before :func:`put_in_force`: until then searches go on in the old one. A trained model
    keeps itself, and is in force.
    """
    n_images = sum(home.counts().values())
    last_feature_id = home.catalog.highest_feature_id()
    transform = fitted(home)
    if home.model is None:
        transform.save(transform_file(home.folder, transform.version))
    return transform, FitRecord(transform.version, n_images, last_feature_id)


def put_in_force(home: SpaceHome, record: FitRecord) -> None:
    """Makes a fit the one that searches load from now on; a trained model is in force since it was saved."""
    if home.model is None:
        write_json(home.folder / RECORD, asdict(record))


def version_stamp(home: SpaceHome) -> Stamp:
    """The stamp of what is in force; zeros when nothing is."""
    if home.model is not None:
        from stylesearch.models import store

        return store.stamp(home.model)
    try:
        status = (home.folder / RECORD).stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_ino)


def read_record(home: SpaceHome) -> FitRecord | None:
    """What is in force; None when nothing is, or what is there cannot be read.

    Raises:
        UnknownName: the trained model has been removed.
        SpaceError: the trained model is damaged.
    """
    if home.model is not None:
        from stylesearch.models import store

        return FitRecord(store.read_card(home.model).transform_version, 0, 0)
    path = home.folder / RECORD
    try:
        return FitRecord(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s cannot be read (%s): the space is fitted anew", path, error)
        return None


def load(home: SpaceHome) -> Transform | None:
    """The transform in force; None when there is none, or its file is damaged: it can be fitted anew.

    Raises:
        UnknownName: the trained model has been removed.
        SpaceError: the trained model is damaged.
        ConfigError: it has been trained anew, on other features.
    """
    if home.model is not None:
        return _learned(home, home.model)
    record = read_record(home)
    if record is None:
        return None
    try:
        transform = load_transform(home.space, transform_file(home.folder, record.version))
    except SpaceError as error:
        log.warning("the fit of the space %s cannot be read (%s): it is fitted anew", home.space, error)
        return None
    if transform.version != record.version or transform.dim_in != home.feature_set.dim:
        log.warning("the fit of the space %s is not what %s says: it is fitted anew", home.space, RECORD)
        return None
    return transform


def transform_file(folder: Path, version: str) -> Path:
    """Where the fit of a version is kept."""
    return folder / f"transform-{version[:16]}.npz"


def _learned(home: SpaceHome, model: Path) -> Transform:
    from stylesearch.models import store

    card, transform = store.load_model(model)
    check_features(card, home.feature_set.fingerprint)
    return transform


# One fit of a space and the indexes that were built of it: what a search stays with to its end.


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
        stamp = version_stamp(home)
        transform = load(home)
        return None if transform is None else cls(home, metric, transform, stamp)

    @property
    def replaced(self) -> bool:
        """Whether another fit has come into force since."""
        return version_stamp(self.home) != self.stamp

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
