"""A product into the catalog, or out of it: with its files and its features, in one transaction.

Nothing is rebuilt for it. Rows that no index holds yet are searched exactly beside the indexes, and rows that
have gone are dropped from what an index proposes, so the very next search, in any process, has it right.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread
import numpy as np
import numpy.typing as npt

from stylesearch.catalog import Change, ImageEntry
from stylesearch.errors import NotInCatalog, StyleSearchError
from stylesearch.features.compute import feature_set_of
from stylesearch.files import sha256_bytes
from stylesearch.images.decode import decode
from stylesearch.images.regions import letterbox, reduction
from stylesearch.serving.problems import Problem, problem_of
from stylesearch.serving.search.default_space import blaming_the_settings
from stylesearch.serving.uploads import change_noted, remove_if_unused
from stylesearch.types import Domain, ImageRecord, Product, SpaceChoice

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.catalog.writer import Writer
    from stylesearch.extractors.base import Extractor
    from stylesearch.serving.products.images import Thumbnails
    from stylesearch.serving.search.workspace_reader import WorkspaceAccess
    from stylesearch.serving.uploads import UploadFolder
    from stylesearch.types import Product


__all__ = [
    "MOST_PICTURES",
    "SOURCE",
    "Decoded",
    "PictureRefused",
    "ProductsWriting",
    "Put",
    "Removed",
    "computed",
    "decoded",
    "put_product",
    "take_product",
]

SOURCE: Final = "api"
"""The import that pictures from here are listed by: no ingest of a folder or a table touches them."""

Vectors = npt.NDArray[np.float32]


class PictureRefused(Exception):
    """One of several pictures cannot be used; the cause says why.

    Attributes:
        number: which one, from 1.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@dataclass(eq=False, slots=True)
class Decoded:
    """A picture that can be used.

    Attributes:
        data: its bytes.
        sha256: hexadecimal digest of these.
        width, height: of the upright picture.
        inputs: what each extractor sees of it, uint8 (size, size, 3), by the size.
        vectors: its features, shape (dim,), by the extractor's fingerprint.
    """

    data: bytes
    sha256: str
    width: int
    height: int
    inputs: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict)
    vectors: dict[str, Vectors] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Put:
    """What a product that was put in has become.

    Attributes:
        change: what was done.
        product: as the catalog has it.
        images: the shop's pictures of it.
    """

    change: Change
    product: Product
    images: list[ImageRecord]


@dataclass(frozen=True, slots=True)
class Removed:
    """What went with a change.

    Attributes:
        digests: of pictures that the catalog has no longer.
    """

    digests: tuple[str, ...] = ()


def decoded(pictures: Sequence[bytes], sizes: Iterable[int], max_pixels: int) -> list[Decoded]:
    """The pictures, each once, as the extractors want them.

    Args:
        pictures: bytes of files.
        sizes: of the extractors' inputs.
        max_pixels: larger ones are refused before they are decoded.

    Raises:
        PictureRefused: one of them cannot be used.
    """
    wanted = sorted(set(sizes))
    found: dict[str, Decoded] = {}
    for number, data in enumerate(pictures, 1):
        digest = sha256_bytes(data)
        if digest in found:
            continue
        try:
            picture = decode(data, reduce_to=reduction(wanted[-1]), max_pixels=max_pixels)
        except StyleSearchError as error:
            raise PictureRefused(number) from error
        inputs = {size: letterbox(picture.pixels, size) for size in wanted}
        found[digest] = Decoded(data, digest, picture.width, picture.height, inputs)
    return list(found.values())


def computed(catalog: Catalog, pictures: Sequence[Decoded], extractors: Sequence[Extractor]) -> None:
    """Gives the pictures their features: those that the catalog knows of the same bytes, else new ones."""
    for extractor in extractors:
        feature_set = catalog.find_feature_set(extractor.fingerprint)
        if feature_set is not None:
            known = catalog.known_contents([(one.sha256, None) for one in pictures], [feature_set])
            for one in pictures:
                if (content := known.get((one.sha256, None))) is not None:
                    one.vectors[extractor.fingerprint] = content.vectors[feature_set.pk]
        new = [one for one in pictures if extractor.fingerprint not in one.vectors]
        if new:
            features = extractor.extract(np.stack([one.inputs[extractor.input_size] for one in new]))
            for one, vector in zip(new, features, strict=True):
                one.vectors[extractor.fingerprint] = vector
    for one in pictures:
        one.inputs.clear()


def put_product(
    catalog: Catalog,
    uploads: UploadFolder,
    product: Product,
    pictures: Sequence[Decoded],
    extractors: Sequence[Extractor],
    *,
    patience: float,
) -> tuple[Put, Removed]:
    """Puts a product in, in place of what was put under its id before.

    Pictures that the product has from elsewhere, as from a table, stay.

    Args:
        catalog: is written to.
        uploads: gets the files.
        product: its data.
        pictures: with features of each extractor.
        extractors: what made them.
        patience: seconds to wait for another process that writes.

    Raises:
        CatalogLocked: it writes still.
    """
    with catalog.writing(timeout=patience) as writer:
        before = _uploaded(catalog, uploads, product.id)
        with change_noted(catalog, uploads, lambda: [*_new(uploads, pictures), *_files(before)]):
            # Under the lock: or a process that removes a product with the same picture would take the file
            # away again before the catalog says that it is wanted.
            for one in pictures:
                uploads.store(one.data)
            sets = [feature_set_of(writer, extractor) for extractor in extractors]
            with writer.transaction():
                change = writer.upsert_products([product])[product.id]
                pks = _put_images(writer, uploads, product, pictures)
                for extractor, feature_set in zip(extractors, sets, strict=True):
                    vectors = np.stack([one.vectors[extractor.fingerprint] for one in pictures])
                    writer.add_features(feature_set, pks, vectors)
                writer.prune(SOURCE, whole_products=False)
            # Still under the lock: nobody can have taken it out again.
            images = catalog.shop_images([product.id])[product.id]
            put = Put(change, catalog.product(product.id), images)
            return put, _remove_unused(catalog, uploads, before)


def take_product(catalog: Catalog, uploads: UploadFolder, product_id: str, *, patience: float) -> Removed:
    """Takes a product out, with the files that were put in for it and that no other product has.

    Raises:
        NotInCatalog: there is no such product.
        CatalogLocked: another process is writing.
    """
    catalog.product(product_id)
    with catalog.writing(timeout=patience) as writer:
        before = _uploaded(catalog, uploads, product_id)
        with change_noted(catalog, uploads, lambda: _files(before)):
            with writer.transaction():
                removed = writer.remove_products([product_id])
            if not removed:
                raise NotInCatalog(f"the catalog has no product {product_id!r} any more")
            return _remove_unused(catalog, uploads, before)


def _put_images(
    writer: Writer, uploads: UploadFolder, product: Product, pictures: Sequence[Decoded]
) -> list[int]:
    """Keys of the pictures, in their order; those of the product's that are not among them are not seen."""
    entries = [
        ImageEntry(
            product.id,
            str(uploads.path_of(one.data)),
            Domain.SHOP,
            sha256=one.sha256,
            width=one.width,
            height=one.height,
        )
        for one in pictures
    ]
    rows = writer.upsert_images(entries, source=SOURCE)
    pks = [rows[entry.product_id, entry.path][0] for entry in entries]
    writer.mark_seen(pks)
    return pks


def _uploaded(catalog: Catalog, uploads: UploadFolder, product_id: str) -> list[ImageRecord]:
    try:
        images = catalog.images_of(product_id)
    except NotInCatalog:
        return []
    return [image for image in images if uploads.place_of(image.path, image.sha256)]


def _new(uploads: UploadFolder, pictures: Iterable[Decoded]) -> list[tuple[str, str]]:
    """Path and digest of those whose files are not there yet."""
    places = ((uploads.path_of(one.data), one.sha256) for one in pictures)
    return [(str(path), sha256) for path, sha256 in places if not path.exists()]


def _files(images: Iterable[ImageRecord]) -> list[tuple[str, str]]:
    return [(image.path, image.sha256) for image in images]


def _remove_unused(catalog: Catalog, uploads: UploadFolder, images: Iterable[ImageRecord]) -> Removed:
    gone = []
    for image in images:
        remove_if_unused(catalog, uploads, image.path, image.sha256)
        if not catalog.images_with_digest(image.sha256, domain=None):
            gone.append(image.sha256)
    return Removed(tuple(gone))


# Changing products over the API: one change at a time, a few waiting, the others told to come back.

log = logging.getLogger(__name__)

Result = TypeVar("Result")

MOST_PICTURES: Final = 20

PATIENCE: Final = 3.0
"""Seconds to wait for another process: another worker's change takes a tenth of one, an ingest minutes."""

MOST_WAITING: Final = 8
"""Changes that wait for their turn in one worker, each with its pictures in memory."""


class ProductsWriting:
    """Puts products in, and takes them out.

    Args:
        access: to the workspace.
        thumbnails: those of removed pictures go as well.
        max_pixels: larger pictures are refused before they are decoded.
    """

    def __init__(self, access: WorkspaceAccess, thumbnails: Thumbnails, max_pixels: int) -> None:
        self._access = access
        self._thumbnails = thumbnails
        self._max_pixels = max_pixels
        self._uploads = access.uploads
        self._turn = anyio.CapacityLimiter(1)
        self._n_waiting = 0

    async def put(self, product: Product, pictures: Sequence[bytes]) -> Put:
        """Puts a product in; what it has become.

        Raises:
            Problem: a picture cannot be used, or too many changes are waiting.
            OwnSpaceUnusable: the settings name a model that is not there.
            CatalogLocked: another process is writing.
        """
        return await self._in_turn(partial(self._put, product, pictures))

    async def delete(self, product_id: str) -> None:
        """Takes a product out.

        Raises:
            NotInCatalog: there is none.
            Problem: too many changes are waiting.
            CatalogLocked: another process is writing.
        """
        await self._in_turn(partial(self._delete, product_id))

    async def _in_turn(self, change: partial[Result]) -> Result:
        if self._n_waiting >= MOST_WAITING:
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

    def _put(self, product: Product, pictures: Sequence[bytes]) -> Put:
        with self._access.catalog.writing(timeout=PATIENCE):
            pass  # or all that comes now would be for nothing
        extractors = self._extractors()
        try:
            usable = decoded(pictures, [one.input_size for one in extractors], self._max_pixels)
        except PictureRefused as error:
            assert isinstance(error.__cause__, Exception)
            problem = problem_of(error.__cause__, self._access.private)
            problem.detail = f"picture {error.number}: {problem.detail}"
            raise problem from error
        catalog = self._access.catalog
        computed(catalog, usable, extractors)
        put, removed = put_product(catalog, self._uploads, product, usable, extractors, patience=PATIENCE)
        self._forget(removed.digests)
        log.info("product put", extra={"fields": {"product": product.id, "change": str(put.change)}})
        return put

    def _delete(self, product_id: str) -> None:
        try:
            removed = take_product(self._access.catalog, self._uploads, product_id, patience=PATIENCE)
        except NotInCatalog as error:
            raise NotInCatalog(error.message, hint="GET /v1/products lists all") from error
        self._forget(removed.digests)
        log.info("product deleted", extra={"fields": {"product": product_id}})

    def _forget(self, digests: Sequence[str]) -> None:
        for digest in digests:
            self._thumbnails.forget(digest)

    def _extractors(self) -> list[Extractor]:
        """What makes the features that searches use, in whatever space.

        A feature set that nothing in the catalog has is no search's, so it is not begun here.
        """
        workspace = self._access.workspace
        found: dict[str, Extractor] = {}
        for space in ["", *self._access.spaces()]:
            try:
                with blaming_the_settings(SpaceChoice(space=space)):
                    extractor = workspace.extractor(space=space, throughput=True)  # that searches have loaded
            except StyleSearchError as error:
                if not space:
                    raise
                log.warning("a product is put in without features for %s: %s", space, error)
                continue
            known = self._access.catalog.find_feature_set(extractor.fingerprint) is not None
            if known or not space:
                found.setdefault(extractor.fingerprint, extractor)
        return list(found.values())
