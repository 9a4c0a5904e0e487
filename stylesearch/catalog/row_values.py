"""Rows of the catalog's tables as values of JSON, and the checks of rows that come from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

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
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeEngine

from stylesearch.catalog.stored_types import Stored, parse_json

__all__ = ["check_row", "parse_row", "plain_columns", "plain_table"]

DEFAULT: Final[Dialect] = DefaultDialect()
BIG: Final = 1 << 63


def plain_table(of: Table) -> TableClause:
    """A table whose columns take and give values of JSON, and bytes for vectors."""
    return table(of.name, *(column(one.name, _plain_type(one)) for one in of.columns))


def plain_columns(of: Table) -> list[str]:
    """Names of the columns that values of JSON can be written for: all but those of bytes."""
    return [one.name for one in of.columns if not isinstance(_kind(one), LargeBinary)]


def parse_row(line: bytes) -> dict[str, Any]:
    """Reads a line of JSON.

    Raises:
        ValueError: it is not one object, or has a number or a text that JSON does not have.
    """
    try:
        row = parse_json(line.decode())
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
        one = of.columns[name]
        _check_type(one, value)
        try:
            if (check := one.info.get("check")) is not None:
                check(_as_read(one, value))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{name} cannot be {_shorten(value)}: {error}") from error


def _kind(one: Column[Any]) -> TypeEngine[Any]:
    """The type of a column below the one that checks what is read."""
    return one.type.type_ if isinstance(one.type, Stored) else one.type


def _as_read(one: Column[Any], value: Any) -> Any:
    """A value of JSON as it is read from a column whose type makes something else of it."""
    kind = _kind(one)
    return kind.process_result_value(value, DEFAULT) if isinstance(kind, TypeDecorator) else value


def _plain_type(one: Column[Any]) -> TypeEngine[Any]:
    if isinstance(_kind(one), TypeDecorator):
        return Stored(JSON(), f"{one.table.name}.{one.name}", None)
    return one.type


def _check_type(one: Column[Any], value: Any) -> None:
    kind, is_right = _kind(one), True
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


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
