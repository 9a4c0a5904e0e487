"""Changes of single products in the catalog, with their files and features in one transaction.

No index is rebuilt for it. Rows that no index holds yet are searched exactly beside the indexes, and rows
that are gone are dropped from an index's candidates, so the next search, in any process, is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from stylesearch.catalog import Change, ImageEntry, Patch
from stylesearch.catalog.pruning import Pruner
from stylesearch.catalog.source_reader import API
from stylesearch.errors import ConfigError, NotInCatalog, StyleSearchError
from stylesearch.features.compute import feature_set_of
from stylesearch.features.stream import Sample, extract_stream
from stylesearch.files import sha256_bytes
from stylesearch.images.inputs import make_inputs
from stylesearch.listing import Listing
from stylesearch.serving.uploads import remove_if_unused, upload_journal
from stylesearch.types import Domain, ImageRecord, Product

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.writer import Writer
    from stylesearch.extractors.base import Extractor
    from stylesearch.serving.uploads import UploadFolder

__all__ = [
    "MAX_IMAGES",
    "ImageRefused",
    "PutResult",
    "UploadedImage",
    "delete_product",
    "extract_images",
    "files_of",
    "patch_product",
    "put_product",
    "remove_unused",
    "uploaded_images",
]

MAX_IMAGES: Final = 20
"""Of one product in one request."""


class ImageRefused(Exception):
    """One of several images cannot be used; the cause has the reason.

    Attributes:
        number: number of the image, from 1.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(eq=False, slots=True)
class UploadedImage(Sample):
    """A usable image of a request, with its features.

    Attributes:
        data: bytes of the file.
        sha256: hexadecimal digest of the bytes.
        width, height: size of the upright image in pixels.
    """

    data: bytes
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PutResult:
    """The result of putting a product.

    Attributes:
        change: whether the product is new, changed or unchanged.
        product: the product, as the catalog has it.
        images: the shop's images of it.
        removed_digests: digests of images that the catalog no longer has.
    """

    change: Change
    product: Product
    images: list[ImageRecord]
    removed_digests: tuple[str, ...]


def extract_images(
    catalog: Catalog, files: Sequence[bytes], extractors: Sequence[Extractor], max_pixels: int
) -> list[UploadedImage]:
    """Decodes the images of a request, each once, and extracts their features.

    Features that the catalog has for the same bytes are read from there, the others are extracted.

    Args:
        catalog: the catalog with known features.
        files: bytes of image files.
        extractors: extractors of the features.
        max_pixels: larger images are refused before they are decoded.

    Raises:
        ImageRefused: one of them cannot be used.
    """
    feature_sets = {one.fingerprint: catalog.find_feature_set(one.fingerprint) for one in extractors}
    stored = {name: one for name, one in feature_sets.items() if one is not None}

    def find_known(batch: list[UploadedImage]) -> None:
        known = catalog.known_contents([(image.sha256, None) for image in batch], list(stored.values()))
        for image in batch:
            if (content := known.get((image.sha256, None))) is not None:
                for fingerprint, feature_set in stored.items():
                    if feature_set.pk in content.vectors:
                        image.vectors[fingerprint] = content.vectors[feature_set.pk][None]

    numbered = {sha256_bytes(data): (number, data) for number, data in reversed([*enumerate(files, 1)])}
    prepare = partial(_prepare, sizes=[one.input_size for one in extractors], max_pixels=max_pixels)
    # One thread decodes, to leave the other cores to searches.
    samples = extract_stream(
        sorted(numbered.values()), prepare, extractors, n_workers=1, find_known=find_known
    )
    with closing(samples):
        return list(samples)


def _prepare(numbered: tuple[int, bytes], *, sizes: Sequence[int], max_pixels: int) -> UploadedImage:
    number, data = numbered
    try:
        inputs = make_inputs(data, sizes, max_pixels=max_pixels)
    except StyleSearchError as error:
        raise ImageRefused(number) from error
    return UploadedImage(data, sha256_bytes(data), inputs.width, inputs.height, inputs=inputs.pixels)


def put_product(
    catalog: Catalog,
    uploads: UploadFolder,
    product: Product,
    images: Sequence[UploadedImage],
    extractors: Sequence[Extractor],
    *,
    lock_timeout: float,
) -> PutResult:
    """Puts a product into the catalog, replacing what was put under its id before.

    Images that the product has from other sources, such as a table, stay.

    Args:
        catalog: the catalog to write to.
        uploads: folder for the files.
        product: data of the product.
        images: images with features of each extractor.
        extractors: extractors of the features.
        lock_timeout: seconds to wait for another process that writes.

    Raises:
        CatalogLocked: another process is still writing.
    """
    with catalog.writing(timeout=lock_timeout) as writer:
        before = uploaded_images(catalog, uploads, product.id)
        with upload_journal(catalog, uploads, lambda: [*_new_files(uploads, images), *files_of(before)]):
            # Under the lock: otherwise a process that removes a product with the same image could remove
            # the file before the catalog lists it.
            for image in images:
                uploads.store(image.data)
            sets = [feature_set_of(writer, extractor) for extractor in extractors]
            with writer.transaction():
                writer.sources.count_run(API)
                listing = replace(Listing.of(product), is_whole=True)
                pk, change = writer.upsert_products([listing], source=API)[product.id]
                pks = _put_images(writer, uploads, product, images)
                for extractor, feature_set in zip(extractors, sets, strict=True):
                    vectors = np.concatenate([image.vectors[extractor.fingerprint] for image in images])
                    writer.add_features(feature_set, pks, vectors)
                Pruner(writer, API).keep_images(pk, pks)
            # Still under the lock, so no process can have deleted it.
            records = catalog.shown.images([product.id])[product.id]
            removed = remove_unused(catalog, uploads, before)
            return PutResult(change.change, catalog.product(product.id), records, removed)


def patch_product(
    catalog: Catalog, product_id: str, patch: Patch, *, lock_timeout: float
) -> tuple[Product, list[ImageRecord]]:
    """Changes some fields of a product; returns it with the shop's images of it.

    Raises:
        ConfigError: the price does not count beside those of the variants.
        NotInCatalog: there is no such product.
        CatalogLocked: another process is writing.
    """
    catalog.product(product_id)
    with catalog.writing(timeout=lock_timeout) as writer:
        with writer.transaction():
            changes = writer.patch_products({product_id: patch}, source=API)
        if product_id not in changes:
            raise NotInCatalog(f"the catalog has no product {product_id!r} any more")
        if changes[product_id].refused:
            raise ConfigError(changes[product_id].refused)
        return catalog.product(product_id), catalog.shown.images([product_id])[product_id]


def delete_product(
    catalog: Catalog, uploads: UploadFolder, product_id: str, *, lock_timeout: float
) -> tuple[str, ...]:
    """Deletes a product, and the files that were put for it unless another product has them.

    Returns:
        digests of images that the catalog no longer has.

    Raises:
        NotInCatalog: there is no such product.
        CatalogLocked: another process is writing.
    """
    catalog.product(product_id)
    with catalog.writing(timeout=lock_timeout) as writer:
        before = uploaded_images(catalog, uploads, product_id)
        with upload_journal(catalog, uploads, lambda: files_of(before)):
            with writer.transaction():
                removed = writer.remove_products([product_id])
            if not removed:
                raise NotInCatalog(f"the catalog has no product {product_id!r} any more")
            return remove_unused(catalog, uploads, before)


def _put_images(
    writer: Writer, uploads: UploadFolder, product: Product, images: Sequence[UploadedImage]
) -> list[int]:
    """Lists the images in the catalog; returns their keys."""
    entries = [
        ImageEntry(
            product.id,
            str(uploads.path_of(image.data)),
            Domain.SHOP,
            sha256=image.sha256,
            width=image.width,
            height=image.height,
        )
        for image in images
    ]
    rows = writer.upsert_images(entries, source=API)
    return [rows[entry.product_id, entry.path][0] for entry in entries]


def uploaded_images(catalog: Catalog, uploads: UploadFolder, product_id: str) -> list[ImageRecord]:
    """Reads the images of a product that were put over the API; none of a product that is not there."""
    try:
        images = catalog.images_of(product_id)
    except NotInCatalog:
        return []
    return [image for image in images if uploads.find(image.path, image.sha256)]


def _new_files(uploads: UploadFolder, images: Iterable[UploadedImage]) -> list[tuple[str, str]]:
    """Yields path and digest of the images whose files are not stored yet."""
    files = ((uploads.path_of(image.data), image.sha256) for image in images)
    return [(str(path), sha256) for path, sha256 in files if not path.exists()]


def files_of(images: Iterable[ImageRecord]) -> list[tuple[str, str]]:
    """Path and digest of images, for ``stylesearch.serving.uploads.upload_journal``."""
    return [(image.path, image.sha256) for image in images]


def remove_unused(catalog: Catalog, uploads: UploadFolder, images: Iterable[ImageRecord]) -> tuple[str, ...]:
    """Removes files that no product has any more; returns digests that the catalog no longer has."""
    removed = []
    for image in images:
        remove_if_unused(catalog, uploads, image.path, image.sha256)
        if not catalog.images_with_digest(image.sha256, domain=None):
            removed.append(image.sha256)
    return tuple(removed)
