"""Rows of the catalog's tables as values of JSON, and the checks of rows that come from a file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    TableClause,
    TypeDecorator,
    column,
    table,
)
from sqlalchemy.types import TypeEngine

from stylesearch.catalog.tables import ImageState
from stylesearch.catalog.vector_codec import DTYPES
from stylesearch.types import Box, Domain, Variant

__all__ = ["MOST_DIMENSIONS", "check_row", "parse_row", "plain_columns", "plain_table"]

MOST_DIMENSIONS: Final = 1 << 20
"""Numbers in one vector; networks have some thousands."""

BIG: Final = 1 << 63


def plain_table(of: Table) -> TableClause:
    """A table whose columns take and give values of JSON, and bytes for vectors."""
    return table(of.name, *(column(one.name, _plain_type(one)) for one in of.columns))


def plain_columns(of: Table) -> list[str]:
    """Names of the columns that values of JSON can be written for: all but those of bytes."""
    return [one.name for one in of.columns if not isinstance(one.type, LargeBinary)]


def parse_row(line: bytes) -> dict[str, Any]:
    """Reads a line of JSON.

    Raises:
        ValueError: it is not one object, or has a number or a text that JSON does not have.
    """
    try:
        row = json.loads(line, parse_constant=_refuse_constant, parse_float=_parse_float)
        if b"\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(row, dict):
        raise ValueError(f"an object is expected. Received: {type(row).__name__}")
    return row


def check_row(of: Table, row: Mapping[str, Any]) -> None:
    """Checks the names and values of a row, apart from vectors.

    Raises:
        ValueError: one is missing, unknown, or not what its column holds.
    """
    names = plain_columns(of)
    if row.keys() != set(names):
        odd = sorted(row.keys() ^ set(names))[0]
        raise ValueError(f"the column {odd!r} is {'missing' if odd in names else 'unknown'}")
    for name in names:
        value = row[name]
        if value is None:
            if not of.columns[name].nullable:
                raise ValueError(f"{name} is null")
            continue
        _check_type(of.columns[name], value)
        check = _CHECKS.get(name)
        if check is not None:
            try:
                check(value)
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(f"{name} cannot be {_shorten(value)}: {error}") from error


def _plain_type(one: Column[Any]) -> TypeEngine[Any]:
    if isinstance(one.type, TypeDecorator | JSON):
        return JSON(none_as_null=bool(one.nullable))
    return one.type


def _check_type(one: Column[Any], value: Any) -> None:
    kind, is_right = one.type, True
    if isinstance(kind, Boolean):
        is_right = isinstance(value, bool)
    elif isinstance(kind, Integer):
        is_right = isinstance(value, int) and not isinstance(value, bool) and -BIG <= value < BIG
    elif isinstance(kind, Float):
        is_right = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e308
    elif isinstance(kind, String):
        is_right = isinstance(value, str)
    if not is_right:
        raise ValueError(f"{one.name} is no {type(kind).__name__.lower()}. Received: {_shorten(value)}")


def _check_object(value: Any) -> None:
    if not isinstance(value, dict):
        raise ValueError("an object is expected")


def _check_variants(value: Any) -> None:
    for one in value:
        _check_object(Variant(**one).options)


def _check_dtype(value: str) -> None:
    if value not in DTYPES:
        raise ValueError(f"it is one of {', '.join(DTYPES)}")


def _check_dim(value: int) -> None:
    if not 1 <= value <= MOST_DIMENSIONS:
        raise ValueError(f"it is from 1 to {MOST_DIMENSIONS}")


_CHECKS: Final[Mapping[str, Callable[[Any], object]]] = {
    "attributes": _check_object,
    "box": Box.parse,
    "dim": _check_dim,
    "domain": Domain,
    "dtype": _check_dtype,
    "guesses": _check_object,
    "options": _check_object,
    "parameters": _check_object,
    "said": _check_object,
    "state": ImageState,
    "variants": _check_variants,
}
"""What a column holds beside its type, by its name, which means the same in every table."""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large")
    return value


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
