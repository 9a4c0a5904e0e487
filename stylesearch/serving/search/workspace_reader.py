"""Reads a workspace for the API, in a few threads beside the event loop."""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from stylesearch.catalog.categories import find_below
from stylesearch.errors import CatalogDamaged, CatalogError, NotInCatalog
from stylesearch.serving.search.default_space import no_products_error, searcher_for
from stylesearch.serving.uploads import UploadFolder

if TYPE_CHECKING:
    from stylesearch.catalog import Catalog
    from stylesearch.types import ImageRecord, Product, SearchRequest, SpaceChoice
    from stylesearch.workspace.workspace import Workspace

__all__ = ["WorkspaceAccess"]

log = logging.getLogger(__name__)

READERS: Final = 8
"""Threads that read at once: below what the catalog's pool of connections gives out."""

P = ParamSpec("P")
Result = TypeVar("Result")


class WorkspaceAccess:
    """Reads a workspace for the API. Methods other than coroutines block: call them with ``run``.

    Args:
        workspace: the workspace to read.
        create: whether ``open`` creates a missing catalog, since products will be put into it.
    """

    def __init__(self, workspace: Workspace, *, create: bool = False) -> None:
        self.workspace = workspace
        self.home = workspace.settings.home
        self.uploads = UploadFolder(self.home, workspace.settings.uploads)
        self._create = create
        self._readers = anyio.CapacityLimiter(READERS)
        self._counts: tuple[int | None, dict[str, int]] | None = None

    async def run(self, function: Callable[P, Result], /, *arguments: P.args, **named: P.kwargs) -> Result:
        """Calls a blocking function in a thread."""
        call = functools.partial(function, *arguments, **named)
        return await anyio.to_thread.run_sync(call, limiter=self._readers)

    @property
    def catalog(self) -> Catalog:
        """The catalog.

        Raises:
            NotInCatalog: there is no catalog yet.
            CatalogError: it cannot be opened.
        """
        try:
            return self.workspace.catalog
        except CatalogError as error:
            settings = self.workspace.settings
            if not settings.db and not settings.has_catalog:
                raise no_products_error() from error
            raise

    def open(self) -> None:
        """Opens the catalog before the first request; a missing one is reported by requests."""
        from stylesearch.catalog import Catalog

        if self._create and not self.workspace.settings.has_catalog:
            Catalog.open(self.workspace.settings.backend(), create=True).close()
        try:
            _ = self.workspace.catalog
        except CatalogDamaged as error:  # requests report it too, and /ready
            log.error("%s: %s", error, error.hint)
        except CatalogError:
            if self._create:
                raise

    @property
    def private(self) -> tuple[str, ...]:
        """Paths, and the server of the database, that must not appear in responses."""
        of_database = self.workspace.settings.backend().places
        places = {str(self.home.absolute()), os.path.realpath(self.home), *of_database}
        return tuple(sorted(place for place in places if len(place) > 1))

    def product(self, product_id: str) -> tuple[Product, list[ImageRecord]]:
        """Reads a product and the shop's images of it.

        Raises:
            NotInCatalog: there is none.
        """
        try:
            product = self.catalog.product(product_id)
        except NotInCatalog as error:
            raise NotInCatalog(error.message, hint="GET /v1/products lists all") from None
        return product, self.catalog.shown.images([product_id])[product_id]

    def products(
        self, category: str | None, after: str | None, limit: int
    ) -> tuple[list[tuple[Product, list[ImageRecord]]], str | None]:
        """Reads a page of products with images, and the id to continue after, None on the last page.

        Where there is no catalog yet the page is empty.

        Raises:
            NotInCatalog: there is no such category.
        """
        if category is not None:
            self.check_category(category)
        try:
            catalog = self.catalog
        except NotInCatalog:
            return [], None
        found = catalog.shown.products(category=category, after=after, limit=limit + 1)
        shown = found[:limit]
        images = catalog.shown.images(product.id for product in shown)
        page = [(product, images[product.id]) for product in shown]
        return page, shown[-1].id if len(found) > limit else None

    def categories(self) -> dict[str, int]:
        """Number of products by category; read again only when the catalog has changed.

        Without a catalog there are no categories.
        """
        try:
            catalog = self.catalog
        except NotInCatalog:
            return {}
        state = catalog.state()  # before the counts are read: a change in between is read next time
        cached = self._counts
        if cached is None or state is None or cached[0] != state:
            cached = self._counts = (state, catalog.shown.counts())
        return cached[1]

    def check_search(self, request: SearchRequest, choice: SpaceChoice) -> None:
        """Checks that a category can be searched, in a space and with a metric.

        Raises:
            UnknownName: no such space.
            ConfigError: no such metric, or a trained model has another one.
            OwnSpaceUnusable: the space or the extractor of the settings is wanted, and cannot be used.
            NotInCatalog: no such category, or nothing was ingested that could be searched there.
        """
        searcher_for(self.workspace, choice)
        if request.category is not None:
            self.check_category(request.category)

    def samples(self) -> dict[str, str]:
        """Reads examples: a product's ``id`` and ``category``, an image's ``hash``; empty without any."""
        try:
            page, _ = self.products(None, None, 1)
        except CatalogError:
            return {}
        if not page or not page[0][1]:  # its images may be removed between two readings
            return {}
        product, images = page[0]
        return {"id": product.id, "category": product.category, "hash": images[0].sha256}

    def spaces(self) -> list[str]:
        """Names of the spaces that a search may use, the default first."""
        from stylesearch.models.store import list_models
        from stylesearch.spaces import SPACES

        default = self.workspace.settings.space
        names = [*SPACES, *(card.space for card in list_models(self.home))]
        return sorted(names, key=lambda name: name != default)

    def check_category(self, category: str) -> None:
        """Checks that a category, or one below it, has products.

        Raises:
            NotInCatalog: it has none.
        """
        if not find_below(self.categories(), category):
            raise NotInCatalog(f"there is no category {category!r}", hint="GET /v1/categories lists all")
