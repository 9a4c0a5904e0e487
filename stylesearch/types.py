"""The values that travel between layers: frozen, with no behaviour beyond checking themselves."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict

from stylesearch.errors import ConfigError

__all__ = [
    "Box",
    "Domain",
    "Failure",
    "Hit",
    "ImageRecord",
    "Product",
    "Record",
    "ReportProgress",
    "SearchKeywords",
    "SearchRequest",
    "SpaceChoice",
]

ReportProgress = Callable[[str, int, int | None], None]
"""Called as ``progress(stage, n_done, n_total)``; ``n_total`` is None where it is not known."""


class Domain(enum.StrEnum):
    """Who took the picture: the shop (the gallery), or a consumer (the queries)."""

    SHOP = "shop"
    CONSUMER = "consumer"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright picture, origin at the top left, ``x1`` and ``y1`` exclusive.

    Example:
        >>> Box.parse("10, 20, 110, 220")
        Box(x0=10, y0=20, x1=110, y1=220)

    Raises:
        ValueError: if it is empty or reaches left of or above the picture.
    """

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        if not (0 <= self.x0 < self.x1 and 0 <= self.y0 < self.y1):
            raise ValueError(f"a box is x0,y0,x1,y1 with 0 <= x0 < x1 and 0 <= y0 < y1. Received: {self}")

    @classmethod
    def parse(cls, text: str) -> Box:
        """Reads ``"x0,y0,x1,y1"``; fractions are rounded.

        Raises:
            ValueError: if it is not four numbers or they make no box.
        """
        try:
            x0, y0, x1, y1 = (round(float(part)) for part in text.split(","))
        except (ValueError, OverflowError):
            raise ValueError(f"a box is four numbers x0,y0,x1,y1 in pixels. Received: {text!r}") from None
        return cls(x0, y0, x1, y1)

    def __str__(self) -> str:
        return f"{self.x0},{self.y0},{self.x1},{self.y1}"


@dataclass(frozen=True, slots=True)
class Product:
    """A thing for sale.

    Attributes:
        id: the shop's own id, unique in a catalog.
        title: what a customer reads.
        category: the unit of an index and of a row in a table.
        url: where it is sold.
        price: as the shop writes it (``"19.90"``, ``"19.90 EUR"``); never computed with.
        attributes: anything else the shop said, JSON values by name.
    """

    id: str
    title: str
    category: str
    url: str | None = None
    price: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """One picture of one product, as a source lists it.

    Attributes:
        product: what the source says about the product.
        path: the picture's file, absolute.
        domain: who took it.
        box: where the garment is, if the source says.
    """

    product: Product
    path: str
    domain: Domain = Domain.SHOP
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that could not be used: which one (a path, or file and line) and why."""

    item: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A picture in the catalog.

    Attributes:
        path: the picture's file, absolute.
        sha256: hexadecimal digest of its bytes.
        domain: who took it.
        width, height: pixels of the upright picture.
        box: where the garment is, if known.
    """

    path: str
    sha256: str
    domain: Domain
    width: int
    height: int
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A product found for a photo.

    Attributes:
        rank: 1 for the nearest.
        product: the product.
        distance: of its nearest image, in the space and metric of the query; smaller is nearer.
        image: that image.
        region: the part of the query photo that was nearest, or None for a query that was no photo.
    """

    rank: int
    product: Product
    distance: float
    image: ImageRecord
    region: Box | None = None


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What is asked of a search, whoever asks: the library, the command line or the API.

    A new option of a search is a field here and in ``SearchKeywords``; whoever obeys it reads it there.

    Attributes:
        k: how many products at most.
        category: search in this category only; in all of them for None.
        box: where the garment is in the photo, in pixels of the upright photo; replaces the regions.
        regions: the plan of parts through which a photo is looked at; the searcher's own for "".
        exclude: id of a product that is left out.
        exclude_image: product id and path of an image that is left out; the product's others are not.

    Raises:
        ConfigError: k below 1.
    """

    k: int = 20
    category: str | None = None
    box: Box | None = None
    regions: str = ""
    exclude: str | None = None
    exclude_image: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigError(f"k has to be 1 or more. Received: {self.k}")


class SearchKeywords(TypedDict, total=False):
    """The fields of a ``SearchRequest`` as keyword arguments."""

    k: int
    category: str | None
    box: Box | tuple[int, int, int, int] | None
    regions: str
    exclude: str | None
    exclude_image: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class SpaceChoice:
    """Where distances are taken, by name; an empty name is the workspace's own.

    Attributes:
        extractor: what makes the features.
        space: ``raw``, ``whitened`` or ``siamese:NAME``.
        metric: ``l1``, ``l2`` or ``cosine``.
    """

    extractor: str = ""
    space: str = ""
    metric: str = ""
