"""Changes products for the API, one change at a time; a few wait, and others are told when to try again."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from stylesearch.catalog import Patch
from stylesearch.errors import NotInCatalog, StyleSearchError
from stylesearch.serving.problems import Problem, problem_of
from stylesearch.serving.products.bulk import BulkChange, BulkOutcome, apply_changes
from stylesearch.serving.products.changes import (
    ImageRefused,
    PutResult,
    delete_product,
    extract_images,
    patch_product,
    put_product,
)
from stylesearch.serving.search.default_space import as_server_fault
from stylesearch.types import ImageRecord, Product, SpaceChoice

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor
    from stylesearch.serving.products.images import Thumbnails
    from stylesearch.serving.search.workspace_reader import WorkspaceAccess

__all__ = ["ProductWriter"]

log = logging.getLogger(__name__)

LOCK_SECONDS: Final = 3.0
"""To wait for another process that writes: a change takes a tenth of a second, an ingest minutes."""
MAX_BULKS: Final = 2
"""Requests with many changes that one worker reads at once."""
MAX_WAITING: Final = 8
"""Changes that wait for their turn in one worker, each with its images in memory."""

Result = TypeVar("Result")


@contextlib.contextmanager
def _hint_for_clients() -> Iterator[None]:
    """Raises ``NotInCatalog`` with a hint for clients in place of that for the command line."""
    try:
        yield
    except NotInCatalog as error:
        raise NotInCatalog(error.message, hint="GET /v1/products lists all") from error


def _too_many_changes() -> Problem:
    return Problem(
        503,
        "too many changes are waiting",
        hint="send the next one when the one before is answered",
        headers={"Retry-After": "2"},
        reason="writes",
    )


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
        self._n_bulks = 0

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

    @contextlib.contextmanager
    def bulk(self) -> Iterator[None]:
        """Counts a request with many changes while it lasts.

        Raises:
            Problem: too many of them are on their way.
        """
        if self._n_bulks >= MAX_BULKS:
            raise _too_many_changes()
        self._n_bulks += 1
        try:
            yield
        finally:
            self._n_bulks -= 1

    async def check_lock(self) -> None:
        """Raises at once what a change would raise while another process writes.

        Raises:
            CatalogLocked: another process is writing.
        """
        await anyio.to_thread.run_sync(self._check_lock, limiter=self._turn)

    async def change_many(self, changes: Sequence[BulkChange], *, waits: bool) -> list[BulkOutcome]:
        """Does some of the changes of a bulk, in one transaction, when it is their turn.

        Args:
            changes: the changes.
            waits: whether another process that writes is waited for.

        Raises:
            CatalogLocked: another process is writing.
        """
        change = partial(self._change_many, changes, LOCK_SECONDS if waits else 0.0)
        return await anyio.to_thread.run_sync(change, limiter=self._turn)

    async def _in_turn(self, change: partial[Result]) -> Result:
        if self._n_waiting >= MAX_WAITING:
            raise _too_many_changes()
        self._n_waiting += 1
        try:
            return await anyio.to_thread.run_sync(change, limiter=self._turn)
        finally:
            self._n_waiting -= 1

    def _check_lock(self) -> None:
        with self._access.catalog.writing(timeout=LOCK_SECONDS):
            pass

    def _change_many(self, changes: Sequence[BulkChange], lock_timeout: float) -> list[BulkOutcome]:
        outcomes, removed = apply_changes(
            self._access.catalog, self._uploads, changes, lock_timeout=lock_timeout
        )
        self._forget_thumbnails(removed)
        log.info("products changed", extra={"fields": {"changes": len(changes)}})
        return outcomes

    def _put(self, product: Product, files: Sequence[bytes]) -> PutResult:
        self._check_lock()  # while another process writes, the work below would be wasted
        extractors = self.extractors()
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

    def extractors(self) -> list[Extractor]:
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
