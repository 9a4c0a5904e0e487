"""What a request may ask for, checked strictly: what is unknown, doubled or of another type is refused."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, NoReturn, Self, TypeVar

import anyio.to_thread
from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request

from stylesearch.serving.middleware.product_paths import product_id_of
from stylesearch.serving.problems import Problem
from stylesearch.serving.settings import ServiceSettings
from stylesearch.types import Box, SearchRequest, SpaceChoice

__all__ = [
    "BatchOptions",
    "ListOptions",
    "NewProductId",
    "Part",
    "ProductBody",
    "ProductId",
    "SearchOptions",
    "SimilarOptions",
    "Submission",
    "boundary_of",
    "check_values",
    "checked",
    "from_query",
    "from_texts",
    "known_id",
    "new_id",
    "parse_json",
    "parse_multipart",
    "receive",
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

    @property
    def search_request(self) -> SearchRequest:
        """The options that say what is asked, as a value."""
        options = self.model_dump(include=set(SearchRequest.__dataclass_fields__))
        if options.get("box") is not None:
            options["box"] = Box(*options["box"])
        return SearchRequest(**options)

    @property
    def space_choice(self) -> SpaceChoice:
        """The space and the metric; empty for the workspace's own."""
        return SpaceChoice(space=self.space or "", metric=self.metric or "")


class BatchOptions(SimilarOptions):
    """How photos are searched with."""


class SearchOptions(SimilarOptions):
    """How a photo is searched with."""

    box: Annotated[list[Pixel], Field(min_length=4, max_length=4)] | None = None

    @model_validator(mode="after")
    def _makes_a_box(self) -> Self:
        _ = self.search_request
        return self


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


# Reading JSON that anybody may have written: deep, huge, not finite, half a character.

MAX_DEPTH: Final = 16
MAX_VALUES: Final = 10_000
"""Twenty megabytes of ``[],[],...`` would take half a gigabyte of lists. A picture in base64 is one value."""

MAX_BYTES: Final = 65536
"""Of values that are kept: they come back with every hit."""

MAX_DIGITS: Final = 300
"""Of a whole number; a double holds up to 309."""


def parse_json(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises:
        Problem: 400, it is not JSON; 413, it has more than :data:`MAX_VALUES`; 422, it is no object.
    """
    if sum(body.count(character) for character in (b",", b"[", b"{")) > MAX_VALUES:
        raise Problem(413, f"the JSON has more than {MAX_VALUES} values", reason="values")
    try:
        value = json.loads(
            body.decode("utf-8"), parse_constant=_refuse, parse_float=_finite, parse_int=_parse_int
        )
    except RecursionError:
        raise Problem(400, "the JSON is nested too deeply") from None
    except UnicodeDecodeError:
        raise Problem(400, "the JSON is not UTF-8") from None
    except ValueError as error:
        raise Problem(400, f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Problem(422, "the JSON is not an object", hint='begin it with "{"')
    return value


def check_values(value: Any, where: str) -> None:
    """Sees to it that any JSON can be stored and given out again.

    Args:
        value: as :func:`parse_json` has it.
        where: to name in messages.

    Raises:
        Problem: 422, a text with a null character or half a surrogate pair, or more than
            :data:`MAX_DEPTH` levels or :data:`MAX_BYTES`.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _inside(one, where)]
        if not level:
            if len(json.dumps(value)) > MAX_BYTES:
                raise Problem(422, f"{where}: more than {MAX_BYTES} bytes")
            return
    raise Problem(422, f"{where}: nested more than {MAX_DEPTH} levels deep")


def _inside(value: Any, where: str) -> list[Any]:
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Problem(422, f"{where}: a text has a null character, or half a surrogate pair")
        return []
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _parse_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


# Taking a ``multipart/form-data`` body apart (RFC 7578), once it is whole and not too large.
#
# The body is cut with ``bytes.split``, at the speed of memory. A parser that walks through it byte by byte
# can be kept busy for many seconds by twenty megabytes of nearly-boundaries. Names of files are read by
# nobody.

MAX_HEADER_BYTES: Final = 8192

_BOUNDARY: Final = re.compile(
    r'(?:^|;)\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))\s*(?:;|$)', re.IGNORECASE
)
# What is in quotes is one value, whatever it holds: a file may be called `a; name=b.jpg`.
_PARAMETER: Final = re.compile(rb';[ \t]*([A-Za-z*]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a body.

    Attributes:
        data: its bytes.
        is_file: whether it says of itself that it is a file: by a file's name, which is not kept, or a type.
    """

    data: bytes
    is_file: bool


def boundary_of(content_type: str) -> bytes:
    """What separates the parts.

    Raises:
        Problem: 400, the header does not say.
    """
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise _malformed("its Content-Type names no boundary")
    return (found[1] or found[2]).encode("latin-1", "replace")


def parse_multipart(body: bytes, boundary: bytes, max_parts: int) -> dict[str, list[Part]]:
    """The parts of a body by name; of each name in the order in which they came.

    Args:
        body: all of it.
        boundary: as :func:`boundary_of` has it.
        max_parts: of more than these nothing is read.

    Raises:
        Problem: 400 malformed, 413 too many parts.
    """
    delimiter = b"\r\n--" + boundary
    whole = b"\r\n" + body  # the first delimiter has no line before it
    if whole.count(delimiter) > max_parts + 1:
        raise Problem(413, f"the body has more than {max_parts} parts", reason="parts")
    _preamble, *pieces = whole.split(delimiter)
    form: dict[str, list[Part]] = {}
    for piece in pieces:
        if piece.startswith(b"--"):
            return form
        padding, line_end, part = piece.partition(b"\r\n")
        if not line_end or padding.strip(b" \t"):
            raise _malformed("a boundary does not end its line")
        name, read = _part(part)
        form.setdefault(name, []).append(read)
    raise _malformed("it has no end: the last boundary is missing")


def _part(part: bytes) -> tuple[str, Part]:
    """A part, with its name."""
    if part.startswith(b"\r\n"):
        raise _malformed("a part has no headers")
    end = part.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES)
    if end < 0:
        raise _malformed("the headers of a part do not end, or are too long")
    headers = _headers(part[:end])
    disposition, _, parameters = headers.get(b"content-disposition", b"").partition(b";")
    known = {match[1].lower(): match for match in _PARAMETER.finditer(b";" + parameters)}
    if disposition.strip().lower() != b"form-data" or b"name" not in known:
        raise _malformed("a part has no name")
    if headers.get(b"content-transfer-encoding", b"binary").lower() not in (b"binary", b"8bit", b"7bit"):
        raise _malformed("a part is encoded: send its bytes as they are")
    kind = headers.get(b"content-type", b"text/plain").lower()
    is_file = b"filename" in known or b"filename*" in known or not kind.startswith(b"text/")
    quoted, bare = known[b"name"][2], known[b"name"][3]
    name = bare if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted)
    try:
        return name.decode("utf-8"), Part(part[end + 4 :], is_file)
    except UnicodeDecodeError:
        raise _malformed("the name of a part is not UTF-8") from None


def _headers(block: bytes) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for line in block.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            raise _malformed("a header of a part is none")
        found.setdefault(name.strip().lower(), value.strip())
    return found


def _malformed(why: str) -> Problem:
    return Problem(400, f"the multipart body is malformed: {why}")


# Reading what a client sends: the body whole, then its parts or its JSON.

FORM: Final = "multipart/form-data"
JSON: Final = "application/json"
MAX_FIELD_BYTES: Final = 65536
LARGE: Final = 262_144
"""Bodies from here on are taken apart in a thread, so that nobody else waits."""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a body said, whichever way.

    Attributes:
        values: fields by name: of a form texts, of JSON anything.
        pictures: the pictures' bytes, in order.
        is_form: whether ``values`` are texts.
    """

    values: dict[str, Any] = field(default_factory=dict)
    pictures: list[bytes] = field(default_factory=list)
    is_form: bool = False


async def receive(
    request: Request, settings: ServiceSettings, *, pictures: str, many: bool, most: int
) -> Submission:
    """Reads the body of a request.

    Args:
        request: its body has not been read.
        settings: for the limits.
        pictures: name of the part, or of the JSON key, that holds pictures.
        many: whether that key holds a list.
        most: how many pictures there may be; there has to be one.

    Raises:
        Problem: 400 malformed, 408 too slow, 413 too large, 415 another type, 422 no or too many pictures.
    """
    media_type, charset = _content_type(request)
    body = await _whole(request, settings.timeout)
    if media_type == FORM:
        boundary = boundary_of(request.headers["content-type"])
        submission = await _off_loop(len(body), _from_form, body, boundary, pictures, settings.max_parts)
    else:
        if charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise Problem(415, "JSON is UTF-8", hint="leave the charset out of the Content-Type")
        submission = await _off_loop(len(body), _from_json, body, pictures, many, most)
    n = len(submission.pictures)
    if not 1 <= n <= most:
        wanted = "exactly one picture" if most == 1 else f"1 to {most} pictures"
        raise Problem(422, f"{pictures}: {wanted} wanted, {n} received")
    return submission


def _content_type(request: Request) -> tuple[str, str]:
    """Media type and charset."""
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
    if kind not in (FORM, JSON):
        raise Problem(415, f"the body is neither {FORM} nor {JSON}", hint="say which it is, in Content-Type")
    return kind, charset


async def _whole(request: Request, timeout: float) -> bytes:
    try:
        async with asyncio.timeout(timeout):
            # Not request.body(): that would hold a second copy for as long as the search takes.
            return b"".join([chunk async for chunk in request.stream()])
    except TimeoutError:
        raise Problem(
            408, f"the body did not arrive within {timeout:g} s", headers={"Connection": "close"}
        ) from None


async def _off_loop(n_bytes: int, function: Callable[..., Submission], *arguments: Any) -> Submission:
    if n_bytes < LARGE:
        return function(*arguments)
    return await anyio.to_thread.run_sync(function, *arguments)


def _from_form(body: bytes, boundary: bytes, pictures: str, max_parts: int) -> Submission:
    parts = parse_multipart(body, boundary, max_parts)
    files = parts.pop(pictures, [])
    if not all(part.is_file for part in files):
        raise Problem(422, f"{pictures}: a file is wanted", hint="send the picture with a file name, any")
    values: dict[str, Any] = {}
    for name, fields in parts.items():
        shown = name[:40].encode("unicode_escape").decode()
        if len(fields) > 1:
            raise Problem(422, f"{shown}: given more than once")
        if len(fields[0].data) > MAX_FIELD_BYTES:
            raise Problem(422, f"{shown}: longer than {MAX_FIELD_BYTES} bytes")
        try:
            values[name] = fields[0].data.decode("utf-8")
        except UnicodeDecodeError:
            raise Problem(422, f"{shown}: not UTF-8") from None
    return Submission(values, [part.data for part in files], is_form=True)


def _from_json(body: bytes, pictures: str, many: bool, most: int) -> Submission:
    values = parse_json(body)
    given = values.pop(pictures, None)
    texts = given if many else [given]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        wanted = "a list of texts" if many else "a text"
        raise Problem(422, f"{pictures}: {wanted} wanted, each a picture in base64")
    if len(texts) > most:
        raise Problem(422, f"{pictures}: at most {most} wanted, {len(texts)} received")
    return Submission(values, [_decoded(text, pictures) for text in texts])


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Problem(
            422, f"{name}: not base64", hint="standard alphabet, padded, without line breaks or data:..."
        ) from None
