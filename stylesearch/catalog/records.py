"""Values that are stored in the catalog and read from it; all are frozen."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesearch.types import Box, Domain, ImageRecord, Product

__all__ = [
    "CatalogStatus",
    "Change",
    "Content",
    "FeatureSet",
    "ImageEntry",
    "ImageKey",
    "KnownContent",
    "KnownImage",
    "Patch",
    "ProductChange",
    "ProductDetails",
    "Pruned",
    "Source",
    "SourceListing",
]

ImageKey = tuple[str, str]
"""Product id and path: what names an image."""

Content = tuple[str, Box | None]
"""sha256 of an image's bytes, and the box in it: what decides its vectors."""


class Change(enum.StrEnum):
    """Whether something that was put into the catalog is new, changed or unchanged."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """A set of vectors of one extractor with one choice of parameters and weights.

    Attributes:
        pk: key in this catalog.
        fingerprint: hexadecimal digest of all that decides the vectors.
        extractor: the extractor's name.
        parameters: the extractor's parameters, JSON values.
        weights_digest: digest of the extractor's weights.
        dim: width of a vector.
        dtype: number type of stored vectors, see ``stylesearch.catalog.vector_codec``; always read as
            float32.
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
    """An image to be put into the catalog.

    Attributes:
        product_id: id of a product that the catalog has by then.
        path: the image's file, absolute, or its URL.
        domain: who took it.
        box: box around the garment, if known.
        sha256: hexadecimal digest of its bytes; None if it could not be read.
        width, height: pixels of the upright image; 0 if it could not be decoded.
        stat_key: see ``stylesearch.files.stat_key``.
        error: the reason why the image cannot be used; None if it can.
        file: the file that an image behind a URL was fetched to; None for others.
        options: of a product with variants, those that the image shows.
        position: its place among the images of the product, from 0.
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
    file: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    position: int = 0

    def __post_init__(self) -> None:
        if self.error is None and not (self.sha256 and self.width > 0 and self.height > 0):
            raise ValueError(f"a usable picture has a sha256, a width and a height. Received: {self}")


@dataclass(frozen=True, slots=True)
class KnownImage:
    """An image as the catalog has it.

    Attributes:
        pk: key in this catalog.
        product: the product that it shows.
        path, domain, box, sha256, width, height, stat_key, error, file: as in ``ImageEntry``.
        feature_sets: keys of the feature sets, among those asked for, that have a vector of it.
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
    file: str | None
    feature_sets: frozenset[int]


@dataclass(frozen=True, slots=True)
class KnownContent:
    """Size and vectors of an image's content, whatever image the catalog has them for.

    Attributes:
        width, height: pixels of the upright image.
        vectors: float32, shape (dim,), by key of the feature set.
    """

    width: int
    height: int
    vectors: Mapping[int, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Patch:
    """A change of some fields of a product that the catalog has.

    Attributes:
        said: new values by field, as in ``stylesearch.listing.Listing.said``; empty ones clear.
        cleared: names of fields that are emptied, whatever source said them.
        clears_attributes: whether all attributes are emptied but those in ``said``.
    """

    said: Mapping[str, Any] = field(default_factory=dict)
    cleared: frozenset[str] = frozenset()
    clears_attributes: bool = False


@dataclass(frozen=True, slots=True)
class ProductChange:
    """What a listing changed in a product.

    Attributes:
        change: whether the product is new, changed or unchanged.
        fields: values before and after by field; empty for a new product.
        overruled: by field, the name of another source that says what the product had before.
        refused: why nothing of the product was changed; "" where it was not refused.
    """

    change: Change
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    overruled: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""


@dataclass(frozen=True, slots=True)
class ProductDetails:
    """A product with all that an export writes of it.

    Attributes:
        product: the product.
        shop_category: its category as its sources say it, which ``product.category`` may rename.
        images: its usable images, of both domains, in the order of their paths.
    """

    product: Product
    shop_category: str
    images: tuple[ImageRecord, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A source of products.

    Attributes:
        pk: key in this catalog.
        name: its name, by default the path that it was first ingested from.
        path: where it lay last; "" for the API.
        format: name of its format.
        options: options that it is read with, JSON values by name.
        run: number of its last ingest, among those of all sources.
        ingested_at: when that began, in ISO 8601; None for an ingest by an older version.
    """

    pk: int
    name: str
    path: str
    format: str
    options: Mapping[str, Any]
    run: int
    ingested_at: str | None


@dataclass(frozen=True, slots=True)
class SourceListing:
    """What a source says of a product: see ``stylesearch.listing.Listing``.

    Attributes:
        source: name of the source.
        place: where the product lies in it, or "".
        said: values by field, as JSON.
        guesses: a title and a category made from names.
        lists: whether the source lists the product, and did not only change some of its fields.
    """

    source: str
    place: str
    said: Mapping[str, Any]
    guesses: Mapping[str, str]
    lists: bool = True


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many rows a prune removed, or would remove."""

    products: int
    images: int


@dataclass(frozen=True, slots=True)
class CatalogStatus:
    """Number of products, images and vectors in a catalog.

    Attributes:
        products: number of products.
        images: number of images, failed ones included.
        failed_images: number of images that could not be used.
        features: number of vectors by feature set.
    """

    products: int
    images: int
    failed_images: int
    features: tuple[tuple[FeatureSet, int], ...]
