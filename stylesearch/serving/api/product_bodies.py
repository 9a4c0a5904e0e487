"""Models of products that are listed, put in, or changed, and of their ids in a path."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import Path
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from stylesearch.catalog import Patch
from stylesearch.listing import ATTRIBUTE
from stylesearch.serving.api.body_fields import (
    NO_NULL,
    AnyLine,
    CategoryName,
    Photo,
    PhotoFile,
    StrictModel,
    check_count,
    parse_digits,
)
from stylesearch.serving.api.json_body import check_values, parse_json
from stylesearch.serving.products.bulk import BulkChange
from stylesearch.serving.products.changes import MAX_IMAGES
from stylesearch.types import Variant

__all__ = [
    "BulkBody",
    "NewProductId",
    "PatchBody",
    "ProductBody",
    "ProductForm",
    "ProductId",
    "ProductsQuery",
]

MAX_PRICE: Final = 1_000_000_000_000
"""Of a price that is a number."""

MAX_VARIANTS: Final = 1000
"""Of one product."""

PATCHED: Final = frozenset({"title", "category", "price", "in_stock", "variants", "url"})
PRODUCT_KEEPS: Final = ""
"""Stands for a title or a category that is left out: never stored, since it is not among the fields that are
set."""

_CONTROL: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
ONE_LINE: Final = rf"^[^ {_CONTROL}][^{_CONTROL}]*$"
"""One line that does not begin with a space: of ids and categories that are made here."""
MAYBE_ONE_LINE: Final = rf"^[^{_CONTROL}]*$"
"""One line, or nothing."""


WebAddress = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\x00-\x20\x7f]+$")]


class ProductsQuery(StrictModel):
    """Which products are listed."""

    category: CategoryName | None = Field(
        None, description="only of this one and those below it; see `GET /v1/categories`"
    )
    cursor: AnyLine | None = Field(None, description="`next_cursor` of the page before")
    limit: Annotated[
        int, Field(ge=1, le=100, description="how many products a page has"), BeforeValidator(parse_digits)
    ] = 24


def _check_attributes(value: dict[str, Any]) -> dict[str, Any]:
    check_values(value, "attributes")
    return value


def _check_variants(value: list[VariantBody]) -> list[VariantBody]:
    check_values([one.model_dump() for one in value], "variants")
    return value


Title = Annotated[str, Field(min_length=1, max_length=500, pattern=NO_NULL)]
NewCategory = Annotated[str, Field(min_length=1, max_length=100, pattern=ONE_LINE)]


def _price_text(value: object) -> object:
    """A price that is a number as text; other values are left to be validated."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not 0 <= value <= MAX_PRICE:
        raise ValueError(f"a number from 0 to {MAX_PRICE} is wanted, or a text")
    # Two decimals: three would be read as thousands.
    return str(value) if isinstance(value, int) else f"{value:.2f}"


_PRICE_PATTERN: Final = r"^[^\x00]*$"
Price = Annotated[
    str,
    Field(max_length=64, pattern=_PRICE_PATTERN),
    BeforeValidator(_price_text),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": 64, "pattern": _PRICE_PATTERN},
                {"type": "number", "minimum": 0, "maximum": MAX_PRICE},
            ]
        }
    ),
]
OptionText = Annotated[str, Field(min_length=1, max_length=200, pattern=MAYBE_ONE_LINE)]


class VariantBody(StrictModel):
    """A variant of a product."""

    id: Annotated[str, Field(max_length=200, pattern=MAYBE_ONE_LINE)] = Field(
        "", description="the shop's own, such as its SKU"
    )
    options: dict[OptionText, OptionText] = Field({}, description="value by option, such as color and size")
    price: Price | None = Field(None, description="null for that of the product; a number is taken as a text")
    in_stock: bool | None = Field(None, description="whether it can be bought now")
    url: WebAddress | None = Field(None, description="its own page")

    @property
    def variant(self) -> Variant:
        """The variant, as a value."""
        return Variant(self.id, dict(self.options), self.price or None, self.in_stock, self.url)


Variants = Annotated[list[VariantBody], Field(max_length=MAX_VARIANTS), AfterValidator(_check_variants)]


class ProductBody(StrictModel):
    """A product as it is put in, as JSON."""

    title: Title = Field(description="what a customer reads")
    category: NewCategory = Field(description="the one that it is searched in")
    price: Price | None = Field(
        None, description="as the shop writes it; `amount` and `currency` are read from it"
    )
    in_stock: bool | None = Field(None, description="whether it can be bought now")
    variants: Variants = Field([], description="the sizes, colors and so on that it is sold in")
    url: WebAddress | None = Field(None, description="where it is sold")
    attributes: Annotated[dict[str, Any], AfterValidator(_check_attributes)] = Field(
        {}, description="anything else, JSON values by name, at most 16 levels deep and 64 KiB in all"
    )
    images: Annotated[list[Photo], Field(min_length=1, max_length=MAX_IMAGES), check_count(MAX_IMAGES)]


class PatchBody(StrictModel):
    """A change of a product (JSON Merge Patch, RFC 7396): what is left out stays, null clears."""

    title: Title = Field(PRODUCT_KEEPS, description="what a customer reads; cannot be cleared")
    category: NewCategory = Field(
        PRODUCT_KEEPS, description="the one that it is searched in; cannot be cleared"
    )
    price: Price | None = Field(
        None,
        description="as the shop writes it; refused where each variant has a price of its own, and none this",
    )
    in_stock: bool | None = Field(None, description="whether it can be bought now")
    variants: Variants | None = Field(None, description="take the place of all that it had")
    url: WebAddress | None = Field(None, description="where it is sold")
    attributes: Annotated[dict[str, Any], AfterValidator(_check_attributes)] | None = Field(
        None, description="JSON values by name; null clears one, or all in place of the object"
    )

    @property
    def patch(self) -> Patch:
        """The change, as a value."""
        said: dict[str, Any] = {}
        for name in self.model_fields_set & PATCHED:
            said[name] = getattr(self, name)
        if self.variants is not None:
            said["variants"] = tuple(one.variant for one in self.variants)
        said |= {ATTRIBUTE + name: value for name, value in (self.attributes or {}).items()}
        return Patch(
            {name: value for name, value in said.items() if value is not None},
            frozenset(name for name, value in said.items() if value is None),
            clears_attributes="attributes" in self.model_fields_set and self.attributes is None,
        )


class BulkBody(PatchBody):
    """A line of many changes: a change of a product as of `PATCH`, or `"delete": true`."""

    id: Annotated[str, Field(min_length=1, max_length=1000, pattern=NO_NULL)] = Field(
        description="the product's"
    )
    delete: bool = Field(False, description="whether the product is deleted; nothing else beside it")

    @model_validator(mode="after")
    def _check_alone(self) -> BulkBody:
        if self.delete and self.model_fields_set - {"id", "delete"}:
            raise ValueError("delete: nothing else beside it but the id")
        return self

    @property
    def change(self) -> BulkChange:
        """The change, as a value."""
        return BulkChange(self.id, None if self.delete else self.patch)


class ProductForm(ProductBody):
    """A product as it is put in, as a form: a part with the product as JSON, and files."""

    @classmethod
    def part_names(cls) -> tuple[str, ...]:
        """Names of the parts that a form of this model may have."""
        return ("product", "images")

    images: Annotated[list[PhotoFile], Field(min_length=1, max_length=MAX_IMAGES), check_count(MAX_IMAGES)]

    @model_validator(mode="before")
    @classmethod
    def _join_parts(cls, parts: dict[str, Any]) -> dict[str, Any]:
        if "product" not in parts:
            raise ValueError("product: a part with the product as JSON is wanted")
        values = parse_json(parts["product"].encode())
        if "images" in values:
            raise ValueError("images: as parts of the form, not in the part product")
        return values | {name: parts[name] for name in parts.keys() & {"images"}}


def _check_new_id(product_id: str) -> str:
    if product_id in (".", ".."):
        raise ValueError(". and .. mean something else in a path")
    return product_id


ProductId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=1000,
        pattern=NO_NULL,
        description="the shop's own id, percent-encoded, slashes too",
    ),
    BeforeValidator(unquote),
]
"""Of a product that is looked for. The rules hold for the id, not for the percent-encoded segment."""

NewProductId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        pattern=ONE_LINE,
        description="the shop's own id, percent-encoded: one line that does not begin with a space",
    ),
    BeforeValidator(unquote),
    AfterValidator(_check_new_id),
]
"""Of a product that is put in: nothing that a path would lose on its way."""
