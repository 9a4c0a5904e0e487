"""What the service answers, as OpenAPI shows it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from stylesearch.serving.examples import (
    BATCH_EXAMPLE,
    CATEGORIES_EXAMPLE,
    HASH_EXAMPLE,
    IMAGE_EXAMPLE,
    PRODUCT_EXAMPLE,
    PRODUCT_PAGE_EXAMPLE,
    PRODUCT_WITH_IMAGES_EXAMPLE,
    SEARCH_EXAMPLE,
)
from stylesearch.serving.problems import Reason

__all__ = [
    "Alive",
    "BatchItem",
    "BatchResult",
    "CatalogCheck",
    "Categories",
    "Category",
    "Checks",
    "HitModel",
    "ImageLinks",
    "ImageModel",
    "PageInfo",
    "ProblemModel",
    "ProductLinks",
    "ProductModel",
    "ProductPage",
    "ProductWithImages",
    "Readiness",
    "SearchResult",
    "Seconds",
]

PixelBox = Annotated[
    list[int],
    Field(
        min_length=4,
        max_length=4,
        description="x0, y0, x1, y1 in pixels of the upright photo, origin at the top left",
    ),
]


class _Answer(BaseModel):
    """Base of all: what is not described is not answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemModel(_Answer):
    """An error (RFC 9457)."""

    type: str = Field("about:blank", examples=["about:blank"])
    title: str = Field(description="what the status says", examples=["Not Found"])
    status: int = Field(description="the status of HTTP", examples=[404])
    detail: str = Field(description="what happened", examples=["the catalog has no product 'dress-1'"])
    hint: str | None = Field(None, description="what to do about it")
    reason: Reason | None = Field(
        None,
        description="of a 503, and of no other status. `busy`: too much is asked of the server. `locked`: "
        "the catalog is being written to. `stopping`: the server is. `unusable`: catalog, indexes or model "
        "cannot be used as they are, and before somebody mends that it is of no use to try again",
    )
    request_id: str = Field(description="under which the server's log has it", examples=["f3a1c09b7d"])


class ImageLinks(_Answer):
    """Where the picture's bytes are."""

    original: str
    thumbnail: str


class ImageModel(_Answer):
    """A picture of a product."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": IMAGE_EXAMPLE})

    hash: str = Field(description="sha256 of its bytes, hexadecimal", examples=[HASH_EXAMPLE])
    width: int = Field(description="in pixels, upright")
    height: int = Field(description="in pixels, upright")
    links: ImageLinks


class ProductLinks(_Answer):
    """Where to go on from a product."""

    self: str
    similar: str


class ProductModel(_Answer):
    """A thing for sale."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": PRODUCT_EXAMPLE})

    id: str = Field(description="the shop's own")
    title: str
    category: str
    price: str | None = Field(description="as the shop writes it")
    url: str | None = Field(description="where it is sold; http and https only")
    attributes: dict[str, Any] = Field(description="anything else that the shop said")
    links: ProductLinks


class ProductWithImages(ProductModel):
    """A thing for sale, with its pictures."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"example": PRODUCT_WITH_IMAGES_EXAMPLE}
    )

    images: list[ImageModel] = Field(description="the shop's; those of customers are not shown")


class ProductPage(_Answer):
    """A page of products, in the order of their ids."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"example": PRODUCT_PAGE_EXAMPLE}
    )

    products: list[ProductWithImages]
    next_cursor: str | None = Field(description="give it as `cursor` for the next page; null on the last one")


class HitModel(_Answer):
    """A product that was found."""

    rank: int = Field(description="1 for the nearest")
    product: ProductModel
    distance: float = Field(description="in the space and metric of the search; smaller is nearer")
    similarity: float = Field(
        ge=0,
        le=1,
        description="never rises with the distance d. `cosine`: 1 - d, or 0 where d is above 1. `l1` and "
        "`l2`: 1 / (1 + d). It orders hits and fills a bar; it is no probability, and those of two spaces "
        "or metrics cannot be compared.",
    )
    image: ImageModel = Field(description="the product's picture that was nearest")
    region: PixelBox | None = Field(description="the part of the photo that was nearest")


class Seconds(_Answer):
    """Wall time of each step."""

    decode: float = Field(0.0, ge=0, description="from bytes to pixels")
    wait: float = Field(0.0, ge=0, description="for the network, and for photos to go with")
    extract: float = Field(0.0, ge=0, description="in the network")
    search: float = Field(0.0, ge=0, description="in the indexes and the catalog")
    total: float = Field(ge=0, description="from the request's last byte to the answer's first")


class SearchResult(_Answer):
    """What was found for a photo or a product."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": SEARCH_EXAMPLE})

    hits: list[HitModel] = Field(description="nearest first")
    width: int | None = Field(description="of the upright photo; null where a product was searched with")
    height: int | None
    regions: list[PixelBox] = Field(description="the parts of the photo that were looked at")
    space: str
    metric: str
    extractor: str
    seconds: Seconds


class BatchItem(_Answer):
    """What became of one photo of a batch: one of the two is there."""

    result: SearchResult | None = None
    problem: ProblemModel | None = None


class BatchResult(_Answer):
    """What was found for each photo."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": BATCH_EXAMPLE})

    results: list[BatchItem] = Field(description="in the order of the photos")


class Category(_Answer):
    """A category that can be searched in."""

    name: str
    products: int


class Categories(_Answer):
    """Categories with products that have a picture."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"example": CATEGORIES_EXAMPLE})

    categories: list[Category]
    products: int = Field(description="in all of them")


class Alive(_Answer):
    """The process answers."""

    status: Literal["alive"] = "alive"


class CatalogCheck(_Answer):
    """How much is in the catalog."""

    products: int


class Checks(_Answer):
    """What was looked at."""

    model: str = Field(description="`loaded`, or what it is waiting for")
    schema_: str = Field(alias="schema", description="the revision of the catalog, or why it cannot be read")
    index: str = Field(description="`ready`, `behind` or `none`: searches are right in any case, and slower")
    catalog: CatalogCheck


class Readiness(_Answer):
    """Whether searches are answered; of an empty shop, with 404."""

    ready: bool
    checks: Checks


class PageInfo(_Answer):
    """What the page has to know."""

    max_bytes: int
    max_k: int
    spaces: list[str] = Field(description="the first is the default")
    title: str
    keeps_uploads: bool = Field(description="whether photos that are searched with are kept")
