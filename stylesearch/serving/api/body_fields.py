"""Types of fields that the models of several kinds of requests have, and the base of all models."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

__all__ = [
    "NO_NULL",
    "PHOTO_EXAMPLE",
    "AnyLine",
    "CategoryName",
    "Photo",
    "PhotoFile",
    "StrictModel",
    "check_count",
    "parse_digits",
    "parse_flag",
    "parse_whole_number",
]

NO_NULL: Final = r"^[^\x00]+$"

PHOTO_EXAMPLE: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAwAQMAAABKYuosAAAABlBMVEX///+yIjQVHkuVAAAANUlEQVR42mNgwA/4"
    "fzAwMTAwUJcQYMEUU2DCFHNgRBdjZjjAwIiujpGBwQFdjImBQYEJi38AYG0C8MkhyAYAAAAASUVORK5CYII="
)
"""A red dress, PNG, in base64: 32 x 48 pixels, just enough to be searched with."""

# Types of fields. Rules come before validators: OpenAPI leaves out those that come after one.


def parse_whole_number(value: Any) -> Any:
    """Converts 5.0 to 5, which are the same number in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def parse_flag(value: Any) -> Any:
    """Parses ``true`` or ``false`` in a query or a form; any other text is left for pydantic to refuse."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def check_count(most: int) -> BeforeValidator:
    """Checks the number of images, with one message; ``minItems`` and ``maxItems`` describe it in OpenAPI."""

    def check(value: Any) -> Any:
        if isinstance(value, list) and not 1 <= len(value) <= most:
            raise ValueError(f"1 to {most} pictures wanted, {len(value)} received")
        return value

    return BeforeValidator(check)


def parse_digits(value: Any) -> Any:
    """Parses a number in the text of a query or a form; any other text is left for pydantic to refuse."""
    is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10
    return int(value) if is_number else value


def _decode_base64(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError("a text wanted: a picture in base64")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64: standard alphabet, padded, without line breaks or data:...") from None


CategoryName = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NULL)]
AnyLine = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
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


class StrictModel(BaseModel):
    """Base of all requests: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def part_names(cls) -> tuple[str, ...]:
        """Names of the parts that a form of this model may have."""
        return tuple(cls.model_fields)
