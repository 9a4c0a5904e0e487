"""Routes of the shop's images and their thumbnails."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.requests import Request
from starlette.responses import Response

from stylesearch.serving.api.openapi import IMAGE_RESPONSES, problems
from stylesearch.serving.page_files import has_entity
from stylesearch.serving.products.images import (
    LONGER_SIDE,
    THUMBNAIL_MEDIA_TYPE,
    THUMBNAIL_VERSION,
    ImageResponse,
    LostImage,
    OpenImage,
    open_image,
    require_listed,
)
from stylesearch.serving.service import Service, service_of

__all__ = ["router"]

FOREVER = "public, max-age=31536000, immutable"

router = APIRouter(tags=["images"])
UsedService = Annotated[Service, Depends(service_of)]
Hash = Annotated[
    str,
    Path(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64, description="sha256 of a picture's bytes"),
]


@router.get(
    "/v1/images/{hash}",
    operation_id="image",
    summary="An image of the shop, unchanged",
    response_class=Response,
    responses={**IMAGE_RESPONSES, **problems(404, 422, 503)},
)
async def image(request: Request, hash: Hash, service: UsedService) -> Response:
    """The bytes of a picture that the catalog lists; they never change, so they may be kept for ever."""
    etag = f'"{hash}"'
    if has_entity(request, etag):
        await service.access.run(_require, service, hash)
        return _not_modified(etag)
    opened = await service.access.run(_open, service, hash)
    return ImageResponse(opened, _kept_for_ever(etag))


@router.get(
    "/v1/images/{hash}/thumbnail",
    operation_id="thumbnail",
    summary="Thumbnail of an image",
    response_class=Response,
    responses={**IMAGE_RESPONSES, **problems(404, 422, 503)},
)
async def thumbnail(request: Request, hash: Hash, service: UsedService) -> Response:
    """A JPEG, upright, its longer side at most 400 pixels."""
    etag = f'"{hash}-{LONGER_SIDE}-{THUMBNAIL_VERSION}"'
    if has_entity(request, etag):
        await service.access.run(_require, service, hash)
        return _not_modified(etag)
    data = await service.thumbnails.get(hash)
    return Response(data, headers=_kept_for_ever(etag), media_type=THUMBNAIL_MEDIA_TYPE)


# The catalog, too, is used in a thread: opening it, or loading a network, holds a lock meanwhile.
def _require(service: Service, sha256: str) -> None:
    require_listed(service.access.catalog, sha256)


def _open(service: Service, sha256: str) -> OpenImage:
    try:
        return open_image(service.access.catalog, sha256, service.access.uploads)
    except LostImage:
        service.lost_images.note(sha256)
        raise


def _not_modified(etag: str) -> Response:
    return Response(status_code=304, headers=_kept_for_ever(etag))


def _kept_for_ever(etag: str) -> dict[str, str]:
    """Makes headers that let clients keep the response for ever, and pages of other origins show it."""
    return {"ETag": etag, "Cache-Control": FOREVER, "Cross-Origin-Resource-Policy": "cross-origin"}
