"""What goes into the catalog and what comes out, as frozen values."""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from stylesearch.types import Box, Domain, ImageRecord, Product

__all__ = [
    "BATCH",
    "RACY_SECONDS",
    "CatalogStatus",
    "Change",
    "Content",
    "FeatureSet",
    "ImageEntry",
    "ImageKey",
    "KnownContent",
    "KnownImage",
    "Pruned",
    "box_from_text",
    "feature_set_from_row",
    "image_record",
    "in_batches",
    "stat_key",
]

Content = tuple[str, Box | None]


ImageKey = tuple[str, str]


BATCH: Final = 500
"""Values in one statement: well below what any database allows."""

T = TypeVar("T")


class Change(enum.StrEnum):
    """What putting something into the catalog did to it."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """What made a set of vectors.

    Attributes:
        pk: its key in this catalog.
        fingerprint: hexadecimal digest of all that decides the vectors.
        extractor: the extractor's name.
        parameters: the extractor's parameters, JSON values.
        weights_digest: of the weights.
        dim: numbers in a vector.
        dtype: how vectors are stored, see :mod:`stylesearch.catalog.vector_codec`; always read as float32.
    """

    pk: int
    fingerprint: str
    extractor: str
    parameters: Mapping[str, Any]
    weights_digest: str
    dim: int
    dtype: str


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """A picture to be put into the catalog.

    Attributes:
        product_id: of a product that the catalog has by then.
        path: the picture's file, absolute.
        domain: who took it.
        box: where the garment is, if known.
        sha256: hexadecimal digest of its bytes; None if it could not be read.
        width, height: pixels of the upright picture; 0 if it could not be decoded.
        stat_key: see :func:`stylesearch.catalog.records.stat_key`.
        error: why the picture cannot be used; None if it can.
    """

    product_id: str
    path: str
    domain: Domain = Domain.SHOP
    box: Box | None = None
    sha256: str | None = None
    width: int = 0
    height: int = 0
    stat_key: str | None = None
    error: str | None = None

    def __post_init__(self) -> None:
        if self.error is None and not (self.sha256 and self.width > 0 and self.height > 0):
            raise ValueError(f"a usable picture has a sha256, a width and a height. Received: {self}")


@dataclass(frozen=True, slots=True)
class KnownImage:
    """A picture as the catalog has it.

    Attributes:
        pk: its key in this catalog.
        product: the product it shows.
        path, domain, box, sha256, width, height, stat_key, error: as in :class:`ImageEntry`.
        source: the import that listed it last.
        feature_sets: keys of those of the feature sets asked for that have a vector of it.
    """

    pk: int
    product: Product
    path: str
    domain: Domain
    box: Box | None
    sha256: str | None
    width: int
    height: int
    stat_key: str | None
    error: str | None
    source: str
    feature_sets: frozenset[int]


@dataclass(frozen=True, slots=True)
class KnownContent:
    """What the catalog knows of some bytes, whichever picture has them.

    Attributes:
        width, height: pixels of the upright picture.
        vectors: float32, shape (dim,), by key of the feature set.
    """

    width: int
    height: int
    vectors: Mapping[int, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows a prune removed."""

    products: int
    images: int


@dataclass(frozen=True, slots=True)
class CatalogStatus:
    """How much is in a catalog.

    Attributes:
        products: how many.
        images: how many, failed ones included.
        failed_images: how many pictures could not be used.
        features: how many vectors, by feature set.
    """

    products: int
    images: int
    failed_images: int
    features: tuple[tuple[FeatureSet, int], ...]


def in_batches(values: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Slices of ``values``, in order.

    Example:
        >>> list(in_batches([1, 2, 3], 2))
        [[1, 2], [3]]
    """
    for start in range(0, len(values), size):
        yield values[start : start + size]


def feature_set_from_row(row: Any) -> FeatureSet:
    """A whole row of the table ``feature_sets`` as a value."""
    return FeatureSet(
        pk=row.pk,
        fingerprint=row.fingerprint,
        extractor=row.extractor,
        parameters=row.parameters,
        weights_digest=row.weights_digest,
        dim=row.dim,
        dtype=row.dtype,
    )


def box_from_text(text: str | None) -> Box | None:
    """The inverse of ``str(box)``."""
    return None if text is None else Box(*map(int, text.split(",")))


def image_record(
    path: str, sha256: str | None, domain: str, width: int, height: int, box: str | None
) -> ImageRecord:
    """The columns of ``statements.image_columns`` as a value."""
    return ImageRecord(path, sha256 or "", Domain(domain), width, height, box_from_text(box))


# Telling from a file's metadata that it need not be read again.

RACY_SECONDS: Final = 2.0
"""A file changed this shortly before it was looked at may change again within the same clock tick."""


def stat_key(status: os.stat_result, *, now: float | None = None) -> str | None:
    """What identifies the content of a file without reading it: size, times and inode, as text.

    A program can set the modification time back, but not the change time, so equal keys mean an unchanged
    file. Ask for the status *before* reading the file, and call this when it has been read: a file written
    to in between then has an old key, and will be read again.

    Args:
        status: of the file, from before it was read.
        now: the time in seconds since 1970; the clock's by default.

    Returns:
        The key, or None if the file changed within :data:`RACY_SECONDS` of ``now``, or after it: file
        systems count time in steps of up to two seconds, so such a file could change and keep its key.

    Example:
        >>> import os, tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     stat_key(os.stat(file.name)) is None
        True
    """
    moment = time.time() if now is None else now
    if max(status.st_mtime, status.st_ctime) > moment - RACY_SECONDS:
        return None
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"
