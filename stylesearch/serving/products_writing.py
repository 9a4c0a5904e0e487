"""Changing products over the API: one change at a time, a few waiting, the others told to come back."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
import anyio.to_thread

from stylesearch.errors import NotInCatalog, StyleSearchError
from stylesearch.serving.catalog_changes import (
    PictureRefused,
    Put,
    computed,
    decoded,
    put_product,
    take_product,
)
from stylesearch.serving.own_space import blaming_the_settings
from stylesearch.serving.problems import Problem, problem_of

if TYPE_CHECKING:
    from stylesearch.extractors.base import Extractor
    from stylesearch.serving.thumbnails import Thumbnails
    from stylesearch.serving.workspace_access import WorkspaceAccess
    from stylesearch.types import Product

__all__ = ["MOST_PICTURES", "ProductsWriting"]

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
                with blaming_the_settings(space):
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
