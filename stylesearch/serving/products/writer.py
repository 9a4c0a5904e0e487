"""Puts products into the catalog, and deletes them, with their files and features in one transaction.

No index is rebuilt for it. Rows that no index holds yet are searched exactly beside the indexes, and rows
that are gone are dropped from an index's candidates, so the next search, in any process, is right. One change
is made at a time, a few wait, and others are refused with a time to try again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread
import numpy as np

from stylesearch.catalog import Change, ImageEntry, Patch
from stylesearch.catalog.pruning import Pruner
from stylesearch.catalog.source_reader import API
from stylesearch.errors import NotInCatalog, StyleSearchError
from stylesearch.features.compute import feature_set_of
from stylesearch.features.stream import Sample, extract_stream
from stylesearch.files import sha256_bytes
from stylesearch.images.inputs import make_inputs
from stylesearch.listing import Listing
from stylesearch.serving.problems import Problem, problem_of
from stylesearch.serving.search.default_space import as_server_fault
from stylesearch.serving.uploads import remove_if_unused, upload_journal
from stylesearch.types import Domain, ImageRecord, Product, SpaceChoice

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.writer import Writer
    from stylesearch.extractors.base import Extractor
    from stylesearch.serving.products.images import Thumbnails
    from stylesearch.serving.search.workspace_reader import WorkspaceAccess
    from stylesearch.serving.uploads import UploadFolder

__all__ = [
    "MAX_IMAGES",
    "ImageRefused",
    "ProductWriter",
    "PutResult",
    "UploadedImage",
    "delete_product",
    "extract_images",
    "patch_product",
    "put_product",
]

log = logging.getLogger(__name__)

MAX_IMAGES: Final = 20
"""Of one product in one request."""
LOCK_SECONDS: Final = 3.0
"""To wait for another process that writes: a change takes a tenth of a second, an ingest minutes."""
MAX_WAITING: Final = 8
"""Changes that wait for their turn in one worker, each with its images in memory."""

Result = TypeVar("Result")


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
        before = _uploaded_images(catalog, uploads, product.id)
        with upload_journal(catalog, uploads, lambda: [*_new_files(uploads, images), *_files(before)]):
            # Under the lock: otherwise a process that removes a product with the same image could remove
            # the file before the catalog lists it.
            for image in images:
                uploads.store(image.data)
            sets = [feature_set_of(writer, extractor) for extractor in extractors]
            with writer.transaction():
                listing = replace(Listing.of(product), is_whole=True)
                _, change = writer.upsert_products([listing], source=API)[product.id]
                pks = _put_images(writer, uploads, product, images)
                for extractor, feature_set in zip(extractors, sets, strict=True):
                    vectors = np.concatenate([image.vectors[extractor.fingerprint] for image in images])
                    writer.add_features(feature_set, pks, vectors)
                pruner = Pruner(writer, API)
                pruner.mark(pks)
                pruner.remove(whole_products=False)
            # Still under the lock, so no process can have deleted it.
            records = catalog.shop_images([product.id])[product.id]
            removed = _remove_unused(catalog, uploads, before)
            return PutResult(change.change, catalog.product(product.id), records, removed)


def patch_product(
    catalog: Catalog, product_id: str, patch: Patch, *, lock_timeout: float
) -> tuple[Product, list[ImageRecord]]:
    """Changes some fields of a product; returns it with the shop's images of it.

    Raises:
        NotInCatalog: there is no such product.
        CatalogLocked: another process is writing.
    """
    catalog.product(product_id)
    with catalog.writing(timeout=lock_timeout) as writer:
        with writer.transaction():
            changes = writer.patch_products({product_id: patch}, source=API)
        if product_id not in changes:
            raise NotInCatalog(f"the catalog has no product {product_id!r} any more")
        return catalog.product(product_id), catalog.shop_images([product_id])[product_id]


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
        before = _uploaded_images(catalog, uploads, product_id)
        with upload_journal(catalog, uploads, lambda: _files(before)):
            with writer.transaction():
                removed = writer.remove_products([product_id])
            if not removed:
                raise NotInCatalog(f"the catalog has no product {product_id!r} any more")
            return _remove_unused(catalog, uploads, before)


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


def _uploaded_images(catalog: Catalog, uploads: UploadFolder, product_id: str) -> list[ImageRecord]:
    try:
        images = catalog.images_of(product_id)
    except NotInCatalog:
        return []
    return [image for image in images if uploads.find(image.path, image.sha256)]


def _new_files(uploads: UploadFolder, images: Iterable[UploadedImage]) -> list[tuple[str, str]]:
    """Yields path and digest of the images whose files are not stored yet."""
    files = ((uploads.path_of(image.data), image.sha256) for image in images)
    return [(str(path), sha256) for path, sha256 in files if not path.exists()]


def _files(images: Iterable[ImageRecord]) -> list[tuple[str, str]]:
    return [(image.path, image.sha256) for image in images]


def _remove_unused(catalog: Catalog, uploads: UploadFolder, images: Iterable[ImageRecord]) -> tuple[str, ...]:
    """Removes files that no product has any more; returns digests that the catalog no longer has."""
    removed = []
    for image in images:
        remove_if_unused(catalog, uploads, image.path, image.sha256)
        if not catalog.images_with_digest(image.sha256, domain=None):
            removed.append(image.sha256)
    return tuple(removed)


@contextlib.contextmanager
def _hint_for_clients() -> Iterator[None]:
    """Raises ``NotInCatalog`` with a hint for clients in place of that for the command line."""
    try:
        yield
    except NotInCatalog as error:
        raise NotInCatalog(error.message, hint="GET /v1/products lists all") from error


class ProductWriter:
    """Puts and deletes products for the API, one change at a time.

    Args:
        access: reads the workspace.
        thumbnails: thumbnails, of which those of removed images are removed.
        max_pixels: larger images are refused before they are decoded.
    """

    def __init__(self, access: WorkspaceAccess, thumbnails: Thumbnails, max_pixels: int) -> None:
        self._access = access
        self._thumbnails = thumbnails
        self._max_pixels = max_pixels
        self._uploads = access.uploads
        self._turn = anyio.CapacityLimiter(1)
        self._n_waiting = 0

    async def put(self, product: Product, files: Sequence[bytes]) -> PutResult:
        """Puts a product, in place of what was put under its id before.

        Args:
            product: data of the product.
            files: bytes of its image files.

        Raises:
            Problem: an image cannot be used, or too many changes are waiting.
            OwnSpaceUnusable: the settings name a model that is missing.
            CatalogLocked: another process is writing.
        """
        return await self._in_turn(partial(self._put, product, files))

    async def patch(self, product_id: str, patch: Patch) -> tuple[Product, list[ImageRecord]]:
        """Changes some fields of a product; returns it with the shop's images of it.

        Raises:
            NotInCatalog: there is no such product.
            Problem: too many changes are waiting.
            CatalogLocked: another process is writing.
        """
        return await self._in_turn(partial(self._patch, product_id, patch))

    async def delete(self, product_id: str) -> None:
        """Deletes a product.

        Raises:
            NotInCatalog: there is no such product.
            Problem: too many changes are waiting.
            CatalogLocked: another process is writing.
        """
        await self._in_turn(partial(self._delete, product_id))

    async def _in_turn(self, change: partial[Result]) -> Result:
        if self._n_waiting >= MAX_WAITING:
            raise Problem(
                503,
                "too many changes are waiting",
                hint="send the next one when the one before is answered",
                headers={"Retry-After": "2"},
                reason="writes",
            )
        self._n_waiting += 1
        try:
            return await anyio.to_thread.run_sync(change, limiter=self._turn)
        finally:
            self._n_waiting -= 1

    def _put(self, product: Product, files: Sequence[bytes]) -> PutResult:
        with self._access.catalog.writing(timeout=LOCK_SECONDS):
            pass  # while another process writes, the work below would be wasted
        extractors = self._extractors()
        try:
            images = extract_images(self._access.catalog, files, extractors, self._max_pixels)
        except ImageRefused as error:
            assert isinstance(error.__cause__, Exception)
            problem = problem_of(error.__cause__, self._access.private)
            problem.detail = f"picture {error.number}: {problem.detail}"
            raise problem from error
        catalog = self._access.catalog
        result = put_product(catalog, self._uploads, product, images, extractors, lock_timeout=LOCK_SECONDS)
        self._forget_thumbnails(result.removed_digests)
        log.info("product put", extra={"fields": {"product": product.id, "change": str(result.change)}})
        return result

    def _patch(self, product_id: str, patch: Patch) -> tuple[Product, list[ImageRecord]]:
        with _hint_for_clients():
            changed = patch_product(self._access.catalog, product_id, patch, lock_timeout=LOCK_SECONDS)
        log.info("product changed", extra={"fields": {"product": product_id}})
        return changed

    def _delete(self, product_id: str) -> None:
        with _hint_for_clients():
            removed = delete_product(
                self._access.catalog, self._uploads, product_id, lock_timeout=LOCK_SECONDS
            )
        self._forget_thumbnails(removed)
        log.info("product deleted", extra={"fields": {"product": product_id}})

    def _forget_thumbnails(self, digests: Sequence[str]) -> None:
        for digest in digests:
            self._thumbnails.forget(digest)

    def _extractors(self) -> list[Extractor]:
        """Loads the extractors of all features that searches use, in any space, and of those to fill.

        A feature set without vectors in the catalog is not used by searches, so it is not filled here.
        """
        workspace = self._access.workspace
        found: dict[str, Extractor] = {}
        for space in ["", *self._access.spaces()]:
            try:
                with as_server_fault(SpaceChoice(space=space)):
                    names = [""] if space else workspace.extractors_to_fill()
                    extractors = [  # loaded as for searches
                        workspace.extractor(space=space, name=name, throughput=True) for name in names
                    ]
            except StyleSearchError as error:
                if not space:
                    raise
                log.warning("a product is put in without features for %s: %s", space, error)
                continue
            for extractor in extractors:
                if not space or self._access.catalog.find_feature_set(extractor.fingerprint) is not None:
                    found.setdefault(extractor.fingerprint, extractor)
        return list(found.values())
