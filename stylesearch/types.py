"""Values that are passed between layers: frozen, and without behaviour other than checks."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypedDict

from stylesearch.conditions import ATTRIBUTES, Condition, Where, parse_where
from stylesearch.errors import ConfigError

__all__ = [
    "MOST_FACETS",
    "REGION_NAMES",
    "Box",
    "Domain",
    "Explanation",
    "FacetValue",
    "Failure",
    "Hit",
    "ImageRecord",
    "Product",
    "ProductFilter",
    "ReportCount",
    "ReportProgress",
    "SearchKeywords",
    "SearchRequest",
    "Seen",
    "SpaceChoice",
    "Spot",
    "Variant",
]

ReportProgress = Callable[[str, int, int | None], None]
"""Called as ``progress(stage, n_done, n_total)``; ``n_total`` is None where it is not known."""

ReportCount = Callable[[int, int], None]
"""Called as ``progress(n_done, n_total)``, of one stage."""

REGION_NAMES: Final = ("auto", "whole", "torso", "legs", "body")
"""Where in a photo a search looks, by name; the number of a spot does as well."""

MOST_FACETS: Final = 20
"""Names of which a search counts the values."""

_NUMBER: Final = re.compile("[1-9][0-9]?")


class Domain(enum.StrEnum):
    """Who took an image: the shop (the gallery), or a consumer (the queries)."""

    SHOP = "shop"
    CONSUMER = "consumer"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the upright image, origin at the top left, ``x1`` and ``y1`` exclusive.

    It may reach out of the image on each side; what uses it cuts it to the image.

    Example:
        >>> Box.parse("10, 20, 110, 220")
        Box(x0=10, y0=20, x1=110, y1=220)

    Raises:
        ValueError: if it is empty.
    """

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise ValueError(f"a box is x0,y0,x1,y1 with x0 < x1 and y0 < y1. Received: {self}")

    @classmethod
    def parse(cls, text: str) -> Box:
        """Reads ``"x0,y0,x1,y1"``; fractions are rounded.

        Raises:
            ValueError: if the text is not four numbers that make a box.
        """
        try:
            x0, y0, x1, y1 = (round(float(part)) for part in text.split(","))
        except (ValueError, OverflowError):
            raise ValueError(f"a box is four numbers x0,y0,x1,y1 in pixels. Received: {text!r}") from None
        return cls(x0, y0, x1, y1)

    def cut(self, width: int, height: int) -> Box | None:
        """The part of it that lies in an image of that size; None where nothing does.

        Example:
            >>> Box(-20, 10, 50, 900).cut(300, 400)
            Box(x0=0, y0=10, x1=50, y1=400)
        """
        x0, y0, x1, y1 = max(self.x0, 0), max(self.y0, 0), min(self.x1, width), min(self.y1, height)
        return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None

    def __str__(self) -> str:
        return f"{self.x0},{self.y0},{self.x1},{self.y1}"


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the things that a product is sold as: a size, a color.

    Attributes:
        id: the shop's own id of it (its SKU), or "".
        options: value by option: ``{"color": "Navy", "size": "M"}``.
        price: as the shop writes it; None for that of the product.
        in_stock: whether it can be bought now; None where the shop does not say.
        url: address of its page, where it has one of its own.
    """

    id: str
    options: Mapping[str, str] = field(default_factory=dict)
    price: str | None = None
    in_stock: bool | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Product:
    """A thing for sale.

    Attributes:
        id: the shop's own id, unique in a catalog.
        title: title for customers.
        category: the unit of an index and of a row in a table.
        url: address of its page in the shop.
        price: as the shop writes it (``"19.90"``, ``"19.90 EUR"``); of variants with several prices, the
            lowest.
        attributes: other data of the shop, JSON values by name.
        in_stock: whether it, or one of its variants, can be bought now; None where the shop does not say.
        variants: the sizes, colors and so on that it is sold in.
        amount, amount_max: the price, and the highest price of a variant, as numbers to filter and sort by;
            None where the text has none. The catalog reads them from the texts, so they are not compared.
        currency: the currency in these texts, an ISO 4217 code (``"EUR"``); None where they have none.
    """

    id: str
    title: str
    category: str
    url: str | None = None
    price: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    in_stock: bool | None = None
    variants: tuple[Variant, ...] = ()
    amount: float | None = field(default=None, compare=False)
    amount_max: float | None = field(default=None, compare=False)
    currency: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Conditions that products have to meet, all of them; the default is met by every product.

    Attributes:
        category: the category, or one above it: ``Women`` is met by ``Women > Dresses``; None for any.
        attributes: value by name of attributes, compared as texts. A list meets each of its values, and so
            does an option of a variant. Names are compared without case, ``Farbe`` is ``color`` too.
        min_price: number that the highest price of a product reaches.
        max_price: number that its lowest price does not exceed. Currencies are not converted, and a product
            without a price meets neither.
        in_stock: whether it can be bought now; a product whose shop does not say so meets neither.
        source: name of a source that lists it.
        without_picture: whether only products are meant that no search finds, since they have no usable image
            of the shop.
        where: more conditions: see ``stylesearch.conditions``. The fields above are short for some of them.

    Raises:
        ConfigError: prices that no product can have, or a name of an attribute that no database looks up.
    """

    category: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    min_price: float | None = None
    max_price: float | None = None
    in_stock: bool | None = None
    source: str | None = None
    without_picture: bool = False
    where: Where = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", parse_where(self.where))
        for name in ("min_price", "max_price"):
            price = getattr(self, name)
            if price is not None and not (math.isfinite(price) and price >= 0):
                raise ConfigError(f"{name} has to be a number from 0 on. Received: {price}")
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise ConfigError(
                "the lowest price has to be below the highest one. Received: "
                f"{self.min_price:g} and {self.max_price:g}",
            )
        for name in self.attributes:
            if not name or '"' in name:
                raise ConfigError(f"an attribute has a name, without quotes. Received: {name!r}")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All that is asked of a product, but for pictures."""
        found = [Condition(ATTRIBUTES + name, (value,)) for name, value in self.attributes.items()]
        for name in ("category", "source"):
            if (value := getattr(self, name)) is not None:
                found.append(Condition(name, (value,)))
        if self.min_price is not None or self.max_price is not None:
            found.append(Condition("price", low=self.min_price, high=self.max_price))
        if self.in_stock is not None:
            found.append(Condition("in_stock", (str(self.in_stock),)))
        return (*found, *parse_where(self.where))


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that could not be used: its place (a path, or file and line) and the reason."""

    item: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image in the catalog.

    Attributes:
        path: the image's file, absolute; of an image behind a URL, the file that it was fetched to.
        sha256: hexadecimal digest of its bytes.
        domain: who took it.
        width, height: pixels of the upright image.
        box: box around the garment, if known.
        url: where it was fetched from; None for a file of this machine.
        options: of a product with variants, those that the image shows: ``{"color": "Navy"}``.
    """

    path: str
    sha256: str
    domain: Domain
    width: int
    height: int
    box: Box | None = None
    url: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def locator(self) -> str:
        """What names the image in the catalog: its URL, or else its file."""
        return self.url or self.path


@dataclass(frozen=True, slots=True)
class Explanation:
    """What of a photo was nearest to an image, and how much each part of the vectors made of it.

    Attributes:
        region: the region that was nearest; None for a query without a photo, or where there is but a square.
        square: the square around a person that was nearest, together with the region; None where there is
            none.
        parts: a number by the name of each part (``raw``, ``whitened``, ``texture``, ``colors``, ``kind``;
            ``network`` in other spaces). For cosine they sum to 1 - distance, for l1 to the distance, for l2
            to its square.
    """

    region: Box | None
    square: Box | None
    parts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Hit:
    """A product found for a photo.

    Attributes:
        rank: 1 for the nearest.
        product: the product.
        distance: distance of its nearest image, in the space and metric of the query; smaller is nearer.
        image: the nearest image.
        region: the region of the query photo that was nearest, or of a pair its square; None for a query
            without a photo.
        explanation: what made it a hit, where that was asked for.
    """

    rank: int
    product: Product
    distance: float
    image: ImageRecord
    region: Box | None = None
    explanation: Explanation | None = None


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value that products have, such as a color, and how many have it.

    Attributes:
        label: the value as it is shown.
        count: number of products that meet the filter of the search if ``where`` takes the place of its
            conditions on the same name.
        where: the condition that a product has the value.
    """

    label: str
    count: int
    where: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A part of a photo, and the kind of garment that it shows.

    Attributes:
        region: ``torso``, ``legs``, ``body``, ``whole``, or ``box`` for one that was given.
        box: where it is, in pixels of the upright photo.
        kind: a kind of ``stylesearch.kinds``, which may be "not a garment"; None where the extractor's
            features do not tell it.
        confidence: probability of the kind, 0 to 1; None where the kind is.
    """

    region: str
    box: Box
    kind: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Spot(Seen):
    """A part of a photo that can be searched for by its number.

    Attributes:
        number: from 1; a search takes it as its ``region``.
        person: whose part it is, 1 for the largest and most central person; 0 for the whole photo.
    """

    number: int = field(kw_only=True)
    person: int = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """Options of a search, from the library, the command line or the API.

    A new option is a field here and in ``SearchKeywords``; the code that applies it reads it from here.

    Attributes:
        k: largest number of products.
        category: the category to search in, with those below it; None for all.
        box: box around the garment in the photo, in pixels of the upright photo; replaces the regions. With
            the plan ``person`` it is also searched with white around a person who covers enough of it.
        regions: plan of the regions that a photo is searched with; the searcher's own for "".
        region: the one part of the photo that is searched for: ``whole``, ``torso``, ``legs`` or ``body`` of
            the largest and most central person, or the number of a spot, which is kept as text. ``auto``: as
            the plan says.
        exclude: id of a product that is left out.
        exclude_image: product id and path of an image that is left out; the product's other images are not.
        explain: whether hits say what made them hits; it costs some milliseconds.
        where: conditions that products have to meet, all of them: ``"color=red"``, several such texts, or
            values by name, ``{"color": "red", "price": "<50"}``; see ``stylesearch.conditions``.
        facets: names by whose values the products of the category that meet ``where`` are counted:
            ``category``, ``price``, ``in_stock``, ``source``, or names of attributes.

    Raises:
        ConfigError: k below 1, no such region, a region beside a box, or conditions that cannot be read.
    """

    k: int = 20
    category: str | None = None
    box: Box | None = None
    regions: str = ""
    region: str | int = "auto"
    exclude: str | None = None
    exclude_image: tuple[str, str] | None = None
    explain: bool = False
    where: Where = ()
    facets: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "where", parse_where(self.where))
        object.__setattr__(self, "facets", _check_facets(self.facets))
        if self.k < 1:
            raise ConfigError(f"k has to be 1 or more. Received: {self.k}")
        object.__setattr__(self, "region", str(self.region))
        if self.region not in REGION_NAMES and not _NUMBER.fullmatch(str(self.region)):
            raise ConfigError(
                f"a region is {', '.join(REGION_NAMES)}, or the number of a spot. Received: {self.region!r}"
            )
        if self.box is not None and self.region != "auto":
            raise ConfigError(
                f"a box and the region {self.region} are both given, and only one part of a photo can be "
                "searched for",
                hint="leave one of them out",
            )


def _check_facets(names: Iterable[str]) -> tuple[str, ...]:
    facets = (names,) if isinstance(names, str) else tuple(names)
    if len(facets) > MOST_FACETS or not all(isinstance(one, str) and one.strip() for one in facets):
        raise ConfigError(f"facets are at most {MOST_FACETS} names of attributes. Received: {facets!r}")
    return tuple(dict.fromkeys(one.strip() for one in facets))


class SearchKeywords(TypedDict, total=False):
    """The fields of a ``SearchRequest`` as keyword arguments."""

    k: int
    category: str | None
    box: Box | tuple[int, int, int, int] | None
    regions: str
    region: str | int
    exclude: str | None
    exclude_image: tuple[str, str] | None
    explain: bool
    where: Where
    facets: Iterable[str]


@dataclass(frozen=True, slots=True)
class SpaceChoice:
    """The extractor, space and metric of distances; an empty name is the workspace's own.

    Attributes:
        extractor: name of the extractor.
        space: ``raw``, ``whitened`` or ``siamese:NAME``.
        metric: ``l1``, ``l2`` or ``cosine``.
    """

    extractor: str = ""
    space: str = ""
    metric: str = ""
