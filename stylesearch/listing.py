"""What a source says: of its products (``Listing``), and of their images (``Record``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from stylesearch.types import Box, Domain, Product, Variant

__all__ = [
    "ATTRIBUTE",
    "FIELDS",
    "UNCATEGORIZED",
    "Listing",
    "Record",
    "Unpictured",
    "Withdrawn",
    "fault_of_texts",
]

FIELDS: Final = ("title", "category", "url", "price", "in_stock", "variants")
"""Fields of a product that a source can say, beside its attributes."""

ATTRIBUTE: Final = "attributes."
"""What the name of an attribute has before it as a field: ``attributes.color``."""


UNCATEGORIZED: Final = "uncategorized"
"""The category of a product for which no source has one."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What one source says of one product.

    A field that is not in ``said`` is not the source's business: the product keeps what it has.

    Attributes:
        id: the product's id. Of a source that makes ids from names, the one that it has unless the catalog
            knows the product's place under another, or has another place under this.
        said: values by field: ``title``, ``category``, ``url``, ``price`` (texts), ``in_stock`` (bool),
            ``variants`` (tuple of ``Variant``), ``attributes.NAME`` (JSON values). None, and "no variants",
            say that the field is empty, which takes back what this source said before.
        guesses: a title and a category made from names of files and folders: for products of which no
            source says these.
        is_whole: whether fields that are not in ``said`` are empty. So in formats that leave out what is
            empty; not in a table, where a column that is missing says nothing.
        place: where the product lies in its source, relative to it, in a source that makes ids from names, or
            another name that its source has for it; "" where it has none, which leaves the one that is known.
        other_ids: ids for this product where another place has ``id``, the most wanted one first. The last is
            one that no other place can have.
    """

    id: str
    said: Mapping[str, Any] = field(default_factory=dict)
    guesses: Mapping[str, str] = field(default_factory=dict)
    is_whole: bool = False
    place: str = ""
    other_ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, product: Product) -> Self:
        """A listing that says all that a product has; its empty fields are not said.

        Example:
            >>> Listing.of(Product("d1", "Red dress", "dress", attributes={"color": "red"})).said
            {'title': 'Red dress', 'category': 'dress', 'attributes.color': 'red'}
        """
        said = {name: getattr(product, name) for name in FIELDS}
        said |= {f"{ATTRIBUTE}{name}": value for name, value in product.attributes.items()}
        return cls(product.id, {name: value for name, value in said.items() if value not in (None, "", ())})


@dataclass(frozen=True, slots=True)
class Record:
    """One image of one product, as a source lists it.

    Attributes:
        product: the product as the source describes it.
        path: the image's file, absolute, or its URL.
        domain: who took it.
        box: box around the garment, if the source has it.
        options: of a product with variants, those that the image shows: ``{"color": "Navy"}``.
    """

    product: Listing
    path: str
    domain: Domain = Domain.SHOP
    box: Box | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unpictured:
    """A product that a source lists, where it gives no picture or one that cannot be used.

    Attributes:
        product: the product as the source describes it.
        item: where the source lists it (file and line), or the picture.
        reason: why the picture cannot be used; None where the source gives none for the whole product, which
            is no failure.
        only_known: whether a product that the catalog does not have is not added: what is listed is too
            little to make one of it.
        says_images: whether the source says which images the product has; a table without a column for them
            does not, and those of before stay.
    """

    product: Listing
    item: str
    reason: str | None = None
    only_known: bool = False
    says_images: bool = True


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A product that a source has and says it does not show: a draft, or sold out where that is left out.

    Attributes:
        product_id: its id.
    """

    product_id: str


def fault_of_texts(listing: Listing) -> str | None:
    """Says which text of a listing no database stores, and why; None if there is none.

    Example:
        >>> fault_of_texts(Listing("d1", {"title": "Red\\0dress"}))
        "a NUL character in the title of 'd1'"
    """
    fields = {"id": listing.id, "place": listing.place, **listing.guesses, **listing.said}
    for name, value in fields.items():
        if _has(value, lambda text: "\0" in text) or "\0" in name:
            return f"a NUL character in the {name.removeprefix(ATTRIBUTE)} of {listing.id!r}"
        # Those of attributes are stored as JSON, which can write them.
        if not name.startswith(ATTRIBUTE) and _has(value, _is_cut):
            return f"half of a character (a lone surrogate) in the {name} of {listing.id!r}"
    return None


def _has(value: Any, is_wrong: Callable[[str], bool]) -> bool:
    """Whether a text in a value of JSON, or in variants, is wrong."""
    if isinstance(value, str):
        return is_wrong(value)
    if isinstance(value, Mapping):
        return any(_has(one, is_wrong) for pair in value.items() for one in pair)
    if isinstance(value, list | tuple):
        return any(_has(one, is_wrong) for one in value)
    if isinstance(value, Variant):
        return any(_has(one, is_wrong) for one in (value.id, value.options, value.price, value.url))
    return False


def _is_cut(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
