"""Models of requests, and reading them from a query, a form or JSON.

Each kind of request has a model, whose rules and descriptions are also in the OpenAPI document. Unknown or
repeated fields and values of another type are refused with 422. A form and a query have texts where JSON has
numbers, so each has its own model, derived from the one for JSON.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import unquote

import anyio.to_thread
from fastapi import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from starlette.requests import Request

from stylesearch.catalog import Patch
from stylesearch.listing import ATTRIBUTE
from stylesearch.serving.api.json_body import check_values, parse_json
from stylesearch.serving.api.multipart import boundary_of, parse_multipart
from stylesearch.serving.problems import Problem, unknown_field, validation_problem
from stylesearch.serving.products.bulk import BulkChange
from stylesearch.serving.products.changes import MAX_IMAGES
from stylesearch.serving.settings import ServiceSettings
from stylesearch.types import Box, SearchRequest, SpaceChoice, Variant

__all__ = [
    "FORM",
    "JSON",
    "JSON_LINES",
    "LINES_TYPES",
    "MAX_PHOTOS",
    "PHOTO_EXAMPLE",
    "BatchBody",
    "BatchForm",
    "BulkBody",
    "DetectBody",
    "DetectForm",
    "NewProductId",
    "PatchBody",
    "ProductBody",
    "ProductForm",
    "ProductId",
    "ProductsQuery",
    "SearchBody",
    "SearchForm",
    "SearchOptions",
    "SimilarQuery",
    "check_content_type",
    "check_query_names",
    "read_body",
    "read_json",
    "read_values",
    "receive_all",
]

FORM: Final = "multipart/form-data"
JSON: Final = "application/json"
JSON_LINES: Final = "application/x-ndjson"
LINES_TYPES: Final = (JSON_LINES, "application/ndjson", "application/jsonl", "application/x-jsonlines")
PATCH_TYPES: Final = (JSON, "application/merge-patch+json")

MAX_PHOTOS: Final = 16
"""Of one batch."""

MAX_VARIANTS: Final = 1000
"""Of one product."""

PATCHED: Final = frozenset({"title", "category", "price", "in_stock", "variants", "url"})
PRODUCT_KEEPS: Final = ""
"""Stands for a title or a category that is left out: never stored, since it is not among the fields that are
set."""

MAX_PIXEL: Final = 1_000_000

MAX_PRICE: Final = 1_000_000_000_000
"""Of a price that is a number."""

MAX_FIELD_BYTES: Final = 65536
"""Of one text of a form."""

LARGE: Final = 262_144
"""Bodies from here on are parsed in a thread, so that no other request waits for it."""

NO_NULL: Final = r"^[^\x00]+$"
ONE_LINE: Final = r"^[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
"""One line that does not begin with a space: of ids and categories that are made here."""

PHOTO_EXAMPLE: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAwAQMAAABKYuosAAAABlBMVEX///+yIjQVHkuVAAAANUlEQVR42mNgwA/4"
    "fzAwMTAwUJcQYMEUU2DCFHNgRBdjZjjAwIiujpGBwQFdjImBQYEJi38AYG0C8MkhyAYAAAAASUVORK5CYII="
)
"""A red dress, PNG, in base64: 32 x 48 pixels, just enough to be searched with."""

# Types of fields. Rules come before validators: OpenAPI leaves out those that come after one.


def _parse_whole_number(value: Any) -> Any:
    """Converts 5.0 to 5, which are the same number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _parse_flag(value: Any) -> Any:
    """Parses ``true`` or ``false`` in a query or a form; any other text is left for pydantic to refuse."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _parse_spot(value: Any) -> Any:
    """Converts the number of a spot to text; ``true`` is none."""
    number = _parse_whole_number(value)
    return str(number) if isinstance(number, int) and not isinstance(number, bool) else value


def _check_count(most: int) -> BeforeValidator:
    """Checks the number of images, with one message; ``minItems`` and ``maxItems`` describe it in OpenAPI."""

    def check(value: Any) -> Any:
        if isinstance(value, list) and not 1 <= len(value) <= most:
            raise ValueError(f"1 to {most} pictures wanted, {len(value)} received")
        return value

    return BeforeValidator(check)


def _parse_digits(value: Any) -> Any:
    """Parses a number in the text of a query or a form; any other text is left for pydantic to refuse."""
    is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
    return int(value) if is_number else value


def _parse_box(value: Any) -> Any:
    try:
        return list(map(int, str(Box.parse(value)).split(",")))
    except ValueError:
        raise ValueError("x0,y0,x1,y1 wanted, in pixels, with x0 < x1 and y0 < y1") from None


def _check_box(corners: list[int]) -> list[int]:
    Box(*corners)
    return corners


def _decode_base64(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError("a text wanted: a picture in base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64: standard alphabet, padded, without line breaks or data:...") from None


Count = Annotated[
    int, Field(ge=1, description="how many products at most"), BeforeValidator(_parse_whole_number)
]
CountText = Annotated[
    int, Field(ge=1, description="how many products at most"), BeforeValidator(_parse_digits)
]
_EXPLAIN: Final = (
    "whether each hit says which part of the photo was nearest, and what each part of the vectors made of it"
)
Explain = Annotated[bool, Field(description=_EXPLAIN)]
ExplainText = Annotated[bool, Field(description=_EXPLAIN), BeforeValidator(_parse_flag)]
CategoryName = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NULL)]
SpaceName = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NULL)]
MetricName = Annotated[str, Field(min_length=1, max_length=20, pattern=NO_NULL)]
AnyLine = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
WebAddress = Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\x00-\x20\x7f]+$")]
Pixel = Annotated[int, Field(ge=-MAX_PIXEL, le=MAX_PIXEL), BeforeValidator(_parse_whole_number)]
BoxCorners = Annotated[list[Pixel], Field(min_length=4, max_length=4), AfterValidator(_check_box)]
BoxText = Annotated[
    BoxCorners,
    BeforeValidator(_parse_box),
    WithJsonSchema({"type": "string", "pattern": "^-?[0-9]{1,6}(,-?[0-9]{1,6}){3}$"}),
]
Photo = Annotated[
    bytes,
    BeforeValidator(_decode_base64),
    WithJsonSchema(
        {
            "type": "string",
            "format": "byte",
            "contentEncoding": "base64",
            "description": "the bytes of a picture, in base64",
            "examples": [PHOTO_EXAMPLE],
        }
    ),
]
PhotoFile = Annotated[
    bytes,
    WithJsonSchema(
        {
            "type": "string",
            "format": "binary",
            "description": "the bytes of a picture; the file's name does not matter",
        }
    ),
]

_REGION: Final = "^(auto|whole|torso|legs|body|[1-9][0-9]?)$"
RegionName = Annotated[
    str,
    Field(pattern=_REGION),
    BeforeValidator(_parse_spot),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": _REGION}, {"type": "integer", "minimum": 1, "maximum": 99}]}
    ),
]

_BOX: Final = (
    "where the garment is: x0, y0, x1, y1 in pixels of the upright photo, with x0 < x1 and y0 < y1; cut to "
    "the photo, and refused only where nothing of it lies there. Takes the place of the regions. With the "
    "regions `person` it is also searched with white around a person who covers enough of it"
)


class StrictModel(BaseModel):
    """Base of all requests: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def part_names(cls) -> tuple[str, ...]:
        """Names of the parts that a form of this model may have."""
        return tuple(cls.model_fields)


# Searching


class SearchOptions(StrictModel):
    """How a search is done, with whatever it is done."""

    k: Count = 20
    category: CategoryName | None = Field(
        None, description="only in this one and those below it; see `GET /v1/categories`"
    )
    space: SpaceName | None = Field(
        None, description="where distances are taken; see `GET /v1/page`. The workspace's own by default"
    )
    metric: MetricName | None = Field(
        None,
        description="`l1`, `l2` or `cosine`; a trained model brings its own. The workspace's own by default",
    )
    explain: Explain = False

    @property
    def search_request(self) -> SearchRequest:
        """What is asked, as a value."""
        return SearchRequest(k=self.k, category=self.category, explain=self.explain)

    @property
    def space_choice(self) -> SpaceChoice:
        """The space and the metric; empty for the workspace's own."""
        return SpaceChoice(space=self.space or "", metric=self.metric or "")

    def check_k(self, max_k: int) -> None:
        """Refuses a k above that of the server's settings.

        Raises:
            Problem: 422.
        """
        if self.k > max_k:
            raise Problem(422, f"k: at most {max_k}")


class SimilarQuery(SearchOptions):
    """The query of a search with a product."""

    k: CountText = 20
    explain: ExplainText = False


class PhotoOptions(SearchOptions):
    """How a search with photos is done."""

    region: RegionName = Field(
        "auto",
        description="the one part of the photo that is searched for: `whole`, the `torso`, `legs` or `body` "
        "of the largest and most central person, or the number of a spot of `POST /v1/detect`. "
        "`auto`: as the server's settings say. Not together with a box",
    )

    @property
    def search_request(self) -> SearchRequest:
        """What is asked, as a value."""
        return replace(super().search_request, region=self.region)


class SearchBody(PhotoOptions):
    """A search with one photo, as JSON."""

    image: Photo
    box: BoxCorners | None = Field(None, description=_BOX)

    @property
    def search_request(self) -> SearchRequest:
        """What is asked, as a value."""
        return replace(super().search_request, box=None if self.box is None else Box(*self.box))


class SearchForm(SearchBody):
    """A search with one photo, as a form."""

    k: CountText = 20
    explain: ExplainText = False
    image: PhotoFile
    box: BoxText | None = Field(None, description=f"{_BOX}; written x0,y0,x1,y1")


class DetectBody(StrictModel):
    """A photo whose spots are wanted, as JSON."""

    image: Photo


class DetectForm(DetectBody):
    """A photo whose spots are wanted, as a form."""

    image: PhotoFile


class BatchBody(PhotoOptions):
    """A search with several photos, as JSON."""

    images: Annotated[list[Photo], Field(min_length=1, max_length=MAX_PHOTOS), _check_count(MAX_PHOTOS)]


class BatchForm(BatchBody):
    """A search with several photos, as a form."""

    k: CountText = 20
    explain: ExplainText = False
    images: Annotated[list[PhotoFile], Field(min_length=1, max_length=MAX_PHOTOS), _check_count(MAX_PHOTOS)]


# Products


class ProductsQuery(StrictModel):
    """Which products are listed."""

    category: CategoryName | None = Field(
        None, description="only of this one and those below it; see `GET /v1/categories`"
    )
    cursor: AnyLine | None = Field(None, description="`next_cursor` of the page before")
    limit: Annotated[
        int, Field(ge=1, le=100, description="how many products a page has"), BeforeValidator(_parse_digits)
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
OptionText = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NULL)]


class VariantBody(StrictModel):
    """A variant of a product."""

    id: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = Field(
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
    images: Annotated[list[Photo], Field(min_length=1, max_length=MAX_IMAGES), _check_count(MAX_IMAGES)]


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

    images: Annotated[list[PhotoFile], Field(min_length=1, max_length=MAX_IMAGES), _check_count(MAX_IMAGES)]

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


# Queries and bodies


async def check_query_names(request: Request) -> None:
    """FastAPI dependency: refuses a parameter that is given twice, of which FastAPI would use the last.

    Raises:
        Problem: 422.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if len(names) > len(set(names)):
        raise Problem(422, "a parameter of the query is given more than once")


Body = TypeVar("Body", bound=StrictModel)


async def read_body(
    request: Request, settings: ServiceSettings, as_json: type[Body], as_form: type[Body]
) -> Body:
    """Reads and validates the body of a request.

    Args:
        request: a request whose body has not been read.
        settings: settings with the limits.
        as_json: model of a body of JSON.
        as_form: model of a form.

    Raises:
        Problem: 400 malformed, 408 too slow, 413 too large, 415 another type, 422 wrong values.
    """
    media_type = check_content_type(request, (FORM, JSON))
    body = await receive_all(request, settings.timeout)
    if media_type == FORM:
        boundary = boundary_of(request.headers["content-type"])

        def read() -> Body:
            values = _form_values(body, boundary, settings.max_parts, as_form.part_names())
            if "images" in as_form.model_fields:  # a form without a file has an empty list
                values.setdefault("images", [])
            return _validate(as_form, values)
    else:

        def read() -> Body:
            return read_values(as_json, body)

    return read() if len(body) < LARGE else await anyio.to_thread.run_sync(read)


async def read_json(
    request: Request, settings: ServiceSettings, model: type[Body], media_types: Sequence[str] = PATCH_TYPES
) -> Body:
    """Reads and validates a body that may only be JSON.

    Args:
        request: a request whose body has not been read.
        settings: settings with the limits.
        model: model of the body.
        media_types: media types that are read.

    Raises:
        Problem: 400 malformed, 408 too slow, 413 too large, 415 another type, 422 wrong values.
    """
    check_content_type(request, media_types)
    body = await receive_all(request, settings.timeout)
    read = functools.partial(read_values, model, body)
    return read() if len(body) < LARGE else await anyio.to_thread.run_sync(read)


def read_values(model: type[Body], body: bytes) -> Body:
    """Validates JSON.

    Raises:
        Problem: 400 malformed, 413 too many values, 422 wrong values.
    """
    return _validate(model, parse_json(body))


def _validate(model: type[Body], values: dict[str, Any]) -> Body:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        findings = error.errors(include_url=False, include_context=False, include_input=False)
        raise validation_problem(findings, known=tuple(model.model_fields)) from None


def check_content_type(request: Request, media_types: Sequence[str]) -> str:
    """Checks what a body is, before it is read; returns its media type.

    Args:
        request: the request.
        media_types: media types that are read, all of them but a form in UTF-8.

    Raises:
        Problem: 415, it is another type, another charset, or compressed.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise Problem(415, "the body is compressed", hint="send it as it is, without Content-Encoding")
    given = request.headers.getlist("content-type")
    media_type, _, parameters = (given[0] if len(given) == 1 else "").partition(";")
    charset = ""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    kind = media_type.strip().lower()
    if kind not in media_types:
        known = f"neither {' nor '.join(media_types)}" if len(media_types) > 1 else f"not {media_types[0]}"
        raise Problem(415, f"the body is {known}", hint="say which it is, in Content-Type")
    if kind != FORM and charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise Problem(415, "JSON is UTF-8", hint="leave the charset out of the Content-Type")
    return kind


async def receive_all(request: Request, timeout: float) -> bytes:
    """Reads a body.

    Raises:
        Problem: 408, it did not arrive in time; 413, it is too large.
    """
    try:
        async with asyncio.timeout(timeout):
            # Not request.body(), which would keep a second copy for as long as the search takes.
            return b"".join([chunk async for chunk in request.stream()])
    except TimeoutError:
        raise Problem(
            408, f"the body did not arrive within {timeout:g} s", headers={"Connection": "close"}
        ) from None


def _form_values(body: bytes, boundary: bytes, max_parts: int, known: Collection[str]) -> dict[str, Any]:
    """Reads the fields of a form: an image as bytes, ``images`` as a list of these, any other as text.

    Raises:
        Problem: 400 malformed, 413 too many parts, 422 a field that is not among ``known``, or no text.
    """
    values: dict[str, Any] = {}
    for name, parts in parse_multipart(body, boundary, max_parts).items():
        if name not in known:
            file_field = next(one for one in ("image", "images") if one in known)
            is_file = any(part.is_file for part in parts)
            hint = f"send the picture in the field {file_field}" if is_file else ""
            raise unknown_field(name, known, hint=hint)
        if name in ("image", "images") and not all(part.is_file for part in parts):
            raise Problem(422, f"{name}: a file is wanted", hint="send the picture with a file name, any")
        if name == "images":
            values[name] = [part.data for part in parts]
            continue
        if len(parts) > 1:
            raise Problem(422, f"{name}: given more than once")
        data = parts[0].data
        if name == "image":
            values[name] = data
            continue
        if len(data) > MAX_FIELD_BYTES:
            raise Problem(422, f"{name}: longer than {MAX_FIELD_BYTES} bytes")
        try:
            values[name] = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Problem(422, f"{name}: not UTF-8") from None
    return values
