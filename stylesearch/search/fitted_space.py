"""Fits the transform of a space on the gallery, stores it, and loads it.

In the folder of a space ``space.json`` names the current fit, ``transform-<version>.npz`` holds it. Indexes
lie in a folder of their fit's version: vectors of two fits never meet. All metrics share one fit.

In the space of a trained model nothing is fitted: the model is the fit, and what names the current one is
its card. So a model that is trained anew leaves the indexes of the older one without a reader at once.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.artifacts.base import FIT, MODEL, NO_STAMP, RECORDS, ArtifactStore, Stamp
from stylesearch.data_files import check_fields, read_json
from stylesearch.errors import NotInCatalog, SpaceError
from stylesearch.models.card import check_features
from stylesearch.spaces import fit_transform, load_transform
from stylesearch.spaces.parts import FeatureParts
from stylesearch.types import Domain

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.search.store import VectorStores
    from stylesearch.spaces.base import Transform


__all__ = [
    "FitRecord",
    "SpaceLocation",
    "Stamp",
    "activate",
    "fit",
    "fit_in_memory",
    "load",
    "read_record",
    "share_fits",
    "version_stamp",
]

log = logging.getLogger(__name__)

RECORD = RECORDS[FIT]


@dataclass(frozen=True, slots=True)
class SpaceLocation:
    """A space of a feature set, and the folder of its fits and indexes.

    Attributes:
        catalog: holds products and features.
        feature_set: the features that the space transforms.
        space: name of the transform, ``raw``, ``whitened`` or ``siamese:NAME``.
        folder: folder of this space; made when something is built.
        stores: the kind of vector store that keeps the space's vectors.
        artifacts: the store that says which fit or model is in force.
        model: folder of the trained model that the space is of; None where the space is fitted.
    """

    catalog: Catalog
    feature_set: FeatureSet
    space: str
    folder: Path
    stores: VectorStores
    artifacts: ArtifactStore
    model: Path | None = None

    @property
    def key(self) -> str:
        """Name of the space in a manifest."""
        return f"{self.catalog.id}-{self.feature_set.fingerprint[:16]}-{self.space}"

    @property
    def artifact(self) -> tuple[str, str]:
        """Kind and name of what maps features to the space: of its fit, or of its trained model."""
        if self.model is not None:
            return MODEL, self.model.name
        return FIT, f"{self.feature_set.fingerprint[:16]}/{self.folder.name}"

    def counts(self) -> dict[str, int]:
        """Number of images by category of the gallery."""
        return self.catalog.categories(self.feature_set, domain=Domain.SHOP)

    @property
    def parts(self) -> FeatureParts:
        """The parts of the features."""
        one = self.feature_set
        return FeatureParts.of(one.extractor, one.parameters, one.weights_digest)

    def empty_error(self) -> NotInCatalog:
        """Makes the error of a search where there is nothing to search in."""
        return NotInCatalog(
            f"there are no shop pictures with {self.feature_set.extractor} features to search in",
            hint="stylesearch ingest FOLDER",
        )


@dataclass(frozen=True, slots=True)
class FitRecord:
    """The record of the current fit.

    Attributes:
        version: version of the transform.
        n_fitted: number of images in the gallery when it was fitted.
        last_feature_id: the largest feature id when it was fitted.
    """

    version: str
    n_fitted: int
    last_feature_id: int


def fit_in_memory(location: SpaceLocation) -> Transform:
    """Fits a space on the shop images of the catalog without storing it; loads that of a trained model."""
    if location.model is not None:
        return _load_learned(location, location.model)
    from stylesearch.spaces.unsupervised import MAX_ROWS

    drawn = location.catalog.sample_features(location.feature_set, MAX_ROWS, domain=Domain.SHOP)
    return fit_transform(
        location.space,
        (features for _, features in drawn),
        dim_in=location.feature_set.dim,
        n_rows=min(MAX_ROWS, sum(location.counts().values())),
        parts=location.parts,
    )


def fit(location: SpaceLocation) -> tuple[Transform, FitRecord]:
    """Fits the space on the shop images of the catalog, and stores it in the space's folder.

    Searches use the old fit until ``activate``. The fit of a trained model is its own, and always current.
    """
    n_images = sum(location.counts().values())
    last_feature_id = location.catalog.highest_feature_id()
    transform = fit_in_memory(location)
    if location.model is None:
        transform.save(transform_file(location.folder, transform.version))
    return transform, FitRecord(transform.version, n_images, last_feature_id)


def activate(location: SpaceLocation, record: FitRecord, replacing: Stamp | None = None) -> bool:
    """Makes a fit the current one, which searches load from now on; that of a trained model is already.

    Args:
        location: the space.
        record: record of the fit, from ``fit``.
        replacing: ``version_stamp`` that has to be the current one until then; by default any.

    Returns:
        whether it is the current one: not where another machine has put its fit in force first.
    """
    if location.model is not None:
        return True
    files = [transform_file(location.folder, record.version).name]
    return location.artifacts.put(*location.artifact, asdict(record), files, replacing=replacing)


def version_stamp(location: SpaceLocation) -> Stamp:
    """A stamp that changes with the current fit; zeros when there is none."""
    return location.artifacts.stamp(*location.artifact)


def read_record(location: SpaceLocation) -> FitRecord | None:
    """Reads the record of the current fit; None when there is none, or it cannot be read.

    Raises:
        UnknownName: the trained model has been removed.
        SpaceError: the trained model is damaged.
    """
    if location.model is not None:
        from stylesearch.models import store

        location.artifacts.get(*location.artifact)
        return FitRecord(store.read_card(location.model).transform_version, 0, 0)
    path = location.folder / RECORD
    try:
        return _read_stored(path) if location.artifacts.get(*location.artifact) else None
    except (OSError, SpaceError) as error:
        _log_unread(path, error)
        return None


def share_fits(own: ArtifactStore, shared: ArtifactStore) -> None:
    """Puts the fits of a store in force in another one that has none of the name.

    Args:
        own: fits in the workspace folder; those that cannot be read are left out.
        shared: store of a catalog with the same id, whose copies lie in the same folder.
    """
    for name in own.names(FIT):
        folder = own.folder(FIT, name)
        record = _read_stored(folder / RECORD) if shared.stamp(FIT, name) == NO_STAMP else None
        if record is not None and (file := transform_file(folder, record.version)).exists():
            shared.put(FIT, name, asdict(record), [file.name])


def _read_stored(path: Path) -> FitRecord | None:
    try:
        stored = read_json(path)
        check_fields(FitRecord, stored)
        return FitRecord(**stored)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:  # SpaceError is a ValueError
        _log_unread(path, error)
        return None


def _log_unread(path: Path, error: Exception) -> None:
    log.warning("%s cannot be read (%s): the space is fitted anew", path, error)


def load(location: SpaceLocation) -> Transform | None:
    """Loads the transform of the current fit; None when there is none, or its file is damaged.

    Raises:
        UnknownName: the trained model has been removed.
        SpaceError: the trained model is damaged.
        ConfigError: it has been trained anew, on other features.
    """
    if location.model is not None:
        return _load_learned(location, location.model)
    record = read_record(location)
    if record is None:
        return None
    try:
        transform = load_transform(location.space, transform_file(location.folder, record.version))
    except SpaceError as error:
        log.warning("the fit of the space %s cannot be read (%s): it is fitted anew", location.space, error)
        return None
    if transform.version != record.version or transform.dim_in != location.feature_set.dim:
        log.warning("the fit of the space %s is not what %s says: it is fitted anew", location.space, RECORD)
        return None
    return transform


def transform_file(folder: Path, version: str) -> Path:
    """Path of the fit of a version."""
    return folder / f"transform-{version[:16]}.npz"


def _load_learned(location: SpaceLocation, model: Path) -> Transform:
    from stylesearch.models import store

    location.artifacts.get(*location.artifact)
    card, transform = store.load_model(model)
    check_features(card, location.feature_set.fingerprint)
    return transform
