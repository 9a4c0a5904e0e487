"""What a request may ask for, checked strictly: what is unknown, doubled or of another type is refused."""

from typing import Annotated, Any, Self, TypeVar

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request

from stylesearch.serving.paths import product_id_of
from stylesearch.serving.problems import Problem
from stylesearch.types import Box

__all__ = [
    "BatchOptions",
    "ListOptions",
    "NewProductId",
    "ProductBody",
    "ProductId",
    "SearchOptions",
    "SimilarOptions",
    "checked",
    "from_query",
    "from_texts",
    "known_id",
    "new_id",
]

NO_NULL = r"^[^\x00]+$"
ONE_LINE = r"^[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
"""One line that does not begin with a space: of ids and categories that are made here."""

MAX_PIXEL = 1_000_000
ERRORS_SHOWN = 5


def _whole_number(value: Any) -> Any:
    # To JSON, 5.0 and 5 are the same number.
    return int(value) if isinstance(value, float) and value.is_integer() else value


CategoryName = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NULL)]
SpaceName = Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NULL)]
MetricName = Annotated[str, Field(min_length=1, max_length=20, pattern=NO_NULL)]
# Bounds first: what comes behind a validator is checked, and not described.
Pixel = Annotated[int, Field(ge=0, le=MAX_PIXEL), BeforeValidator(_whole_number)]


class _Strict(BaseModel):
    """Base of all: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SimilarOptions(_Strict):
    """How a product is searched with."""

    k: Annotated[int, Field(ge=1), BeforeValidator(_whole_number)] = 20
    category: CategoryName | None = None
    space: SpaceName | None = None
    metric: MetricName | None = None


class BatchOptions(SimilarOptions):
    """How photos are searched with."""


class SearchOptions(SimilarOptions):
    """How a photo is searched with."""

    box: Annotated[list[Pixel], Field(min_length=4, max_length=4)] | None = None

    @model_validator(mode="after")
    def _makes_a_box(self) -> Self:
        _ = self.corners
        return self

    @property
    def corners(self) -> Box | None:
        """The box as a value."""
        return None if self.box is None else Box(*self.box)


class ListOptions(_Strict):
    """Which products are listed."""

    category: CategoryName | None = None
    cursor: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] | None = None
    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole_number)] = 24


class ProductBody(_Strict):
    """A product as it is put in."""

    title: Annotated[str, Field(min_length=1, max_length=500, pattern=NO_NULL)]
    category: Annotated[str, Field(min_length=1, max_length=100, pattern=ONE_LINE)]
    price: Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")] | None = None
    url: Annotated[str, Field(max_length=2000, pattern=r"^https?://[^\x00-\x20\x7f]+$")] | None = None
    attributes: dict[str, Any] = {}


Options = TypeVar("Options", bound=_Strict)


def checked(model: type[Options], values: dict[str, Any], *, max_k: int = 1000) -> Options:
    """The options that some values are.

    Raises:
        Problem: 422, with the name of what is wrong and never its value.
    """
    try:
        options = model.model_validate(values)
    except ValidationError as error:
        raise Problem(422, describe(error)) from None
    if getattr(options, "k", 1) > max_k:
        raise Problem(422, f"k: at most {max_k}")
    return options


def from_texts(model: type[Options], values: dict[str, str], *, max_k: int = 1000) -> Options:
    """The options that the texts of a form or a query are; see :func:`checked`."""
    converted: dict[str, Any] = dict(values)
    for name in ("k", "limit"):
        text = values.get(name, "")
        if text.isascii() and text.isdigit() and len(text) < 10:
            converted[name] = int(text)
    if "box" in values:
        try:
            converted["box"] = list(map(int, str(Box.parse(values["box"])).split(",")))
        except ValueError:
            raise Problem(422, "box: x0,y0,x1,y1 wanted, with 0 <= x0 < x1 and 0 <= y0 < y1") from None
    return checked(model, converted, max_k=max_k)


def from_query(model: type[Options], request: Request, *, max_k: int = 1000) -> Options:
    """The options that a request's query is; see :func:`checked`."""
    values: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in values:
            raise Problem(422, "a parameter of the query is given more than once")
        values[name] = value
    return from_texts(model, values, max_k=max_k)


def describe(error: ValidationError) -> str:
    """What is wrong, in one line, without what was received."""
    lines = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        # Names of unknown fields are the client's words: cut short, and made harmless for any terminal.
        where = ".".join(str(part)[:40].encode("unicode_escape").decode() for part in one["loc"])
        what = one["msg"].removeprefix("Value error, ")
        lines.append(f"{where}: {what}" if where else what)
    more = len(lines) - ERRORS_SHOWN
    return "; ".join(lines[:ERRORS_SHOWN]) + (f"; and {more} more" if more > 0 else "")


class _KnownId(_Strict):
    id: Annotated[str, Field(min_length=1, max_length=1000, pattern=NO_NULL)]


class _NewId(_Strict):
    id: Annotated[str, Field(min_length=1, max_length=200, pattern=ONE_LINE)]


# The segment that FastAPI sees is percent-encoded: what holds for the id is described here and checked below.
ProductId = Annotated[
    str,
    Path(
        description="the shop's own id, percent-encoded, slashes too",
        json_schema_extra={"minLength": 1, "maxLength": 1000, "pattern": NO_NULL},
    ),
]
NewProductId = Annotated[
    str,
    Path(
        description="the shop's own id, percent-encoded: one line that does not begin with a space",
        json_schema_extra={"minLength": 1, "maxLength": 200, "pattern": ONE_LINE},
    ),
]


def known_id(segment: str) -> str:
    """The product id that a segment of a path stands for.

    Raises:
        Problem: 422, no product can have it.
    """
    return checked(_KnownId, {"id": product_id_of(segment)}).id


def new_id(segment: str) -> str:
    """As :func:`known_id`, where a product may be put in: nothing that a path would lose on its way.

    Raises:
        Problem: 422, it is no such id.
    """
    product_id = product_id_of(segment)
    if product_id in (".", ".."):
        raise Problem(422, "id: . and .. mean something else in a path")
    return checked(_NewId, {"id": product_id}).id
