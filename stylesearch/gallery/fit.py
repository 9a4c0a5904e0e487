"""The transform of a gallery's space: loaded, or fitted on the gallery and kept.

``space.json`` beside the indexes names the fit in force, ``transform-<version>.npz`` holds it. Indexes lie
in a folder of their fit's version, so vectors of two fits never meet.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylesearch.errors import SpaceError
from stylesearch.spaces import fit_transform, load_transform
from stylesearch.storage import write_json
from stylesearch.types import Domain

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog, FeatureSet
    from stylesearch.spaces.base import Transform

__all__ = ["FitRecord", "Stamp", "fit", "fitted", "load", "put_in_force", "read_record", "stamp"]

log = logging.getLogger(__name__)

RECORD = "space.json"


@dataclass(frozen=True, slots=True)
class FitRecord:
    """Which fit is in force, and what it was made of.

    Attributes:
        version: of the transform.
        n_fitted: images that the gallery had then.
    """

    version: str
    n_fitted: int


def fitted(catalog: Catalog, feature_set: FeatureSet, space: str) -> Transform:
    """The transform of a space fitted on the shop images of the catalog; nothing is kept."""
    n_images = sum(catalog.categories(feature_set, domain=Domain.SHOP).values())
    blocks = (features for _, features in catalog.features(feature_set, domain=Domain.SHOP))
    return fit_transform(space, blocks, dim_in=feature_set.dim, n_rows=n_images)


def fit(catalog: Catalog, feature_set: FeatureSet, space: str, folder: Path) -> tuple[Transform, FitRecord]:
    """Fits the space on the shop images of the catalog, and keeps it in ``folder``.

    It is not in force before :func:`put_in_force`: until then searches go on in the old one.
    """
    n_images = sum(catalog.categories(feature_set, domain=Domain.SHOP).values())
    transform = fitted(catalog, feature_set, space)
    transform.save(_file(folder, transform.version))
    return transform, FitRecord(transform.version, n_images)


def put_in_force(folder: Path, record: FitRecord) -> None:
    """Makes a fit the one that searches load from now on."""
    write_json(folder / RECORD, asdict(record))


Stamp = tuple[int, int]
"""What tells one version of the record from another without reading it."""


def stamp(folder: Path) -> Stamp:
    """The stamp of what is in force in ``folder``; zeros when nothing is."""
    try:
        status = (folder / RECORD).stat()
    except OSError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_ino)


def read_record(folder: Path) -> FitRecord | None:
    """What is in force in ``folder``; None when nothing is, or what is there cannot be read."""
    try:
        return FitRecord(**json.loads((folder / RECORD).read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        log.warning("%s cannot be read (%s): the space is fitted anew", folder / RECORD, error)
        return None


def load(folder: Path, space: str, dim_in: int) -> Transform | None:
    """The transform in force; None when there is none, or its file is damaged."""
    record = read_record(folder)
    if record is None:
        return None
    try:
        transform = load_transform(space, _file(folder, record.version))
    except (OSError, SpaceError) as error:
        log.warning("the fit of the space %s cannot be read (%s): it is fitted anew", space, error)
        return None
    if transform.version != record.version or transform.dim_in != dim_in:
        log.warning("the fit of the space %s is not what %s says: it is fitted anew", space, RECORD)
        return None
    return transform


def _file(folder: Path, version: str) -> Path:
    return folder / f"transform-{version[:16]}.npz"
