"""The parts of one worker's service, shared by its routes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request

from stylesearch.serving.metrics import ServiceMetrics
from stylesearch.serving.page_files import PageFiles
from stylesearch.serving.products.images import Thumbnails
from stylesearch.serving.products.lost_images import LostImages
from stylesearch.serving.search.readiness import Readiness
from stylesearch.serving.search.workspace_reader import WorkspaceAccess
from stylesearch.serving.settings import ServiceSettings

if TYPE_CHECKING:
    from stylesearch.serving.products.shopify_sync import ShopifySync
    from stylesearch.serving.products.writer import ProductWriter
    from stylesearch.serving.search.photo_search import PhotoSearch

__all__ = ["Service", "service_of"]


@dataclass(frozen=True, slots=True)
class Service:
    """One worker's service.

    Attributes:
        settings: settings of the service.
        access: reads the workspace.
        photo_search: searches.
        thumbnails: makes thumbnails of the shop's images.
        lost_images: counts the shop's images whose file is gone.
        writing: puts and deletes products.
        shopify: does what webhooks of Shopify say; None where these are off.
        page: serves the page's files.
        metrics: metrics of the worker.
        readiness: checks whether searches can be answered.
    """

    settings: ServiceSettings
    access: WorkspaceAccess
    photo_search: PhotoSearch
    thumbnails: Thumbnails
    lost_images: LostImages
    writing: ProductWriter
    shopify: ShopifySync | None
    page: PageFiles
    metrics: ServiceMetrics
    readiness: Readiness

    @property
    def shop_images(self) -> bool:
        """Whether pages show the shop's own addresses of images, where there are any."""
        return self.settings.images == "shop"


async def service_of(request: Request) -> Service:
    """FastAPI dependency: the service that answers a request."""
    service: Service = request.app.state.service
    return service
