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

from stylesearch.catalog.stored_types import Check, Stored, parse_json

__all__ = ["RowChecker", "parse_row", "plain_table"]

DEFAULT: Final[Dialect] = DefaultDialect()
BIG: Final = 1 << 63


def plain_table(of: Table) -> TableClause:
    """A table whose columns take and give values of JSON, and bytes for vectors."""
    return table(of.name, *(column(one.name, _plain_type(one)) for one in of.columns))


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


class RowChecker:
    """Checks the names and values of rows that come from a file, apart from vectors.

    Args:
        of: the table that they are for.
    """

    def __init__(self, of: Table) -> None:
        columns = [one for one in of.columns if not isinstance(_kind(one), LargeBinary)]
        self._names = {one.name for one in columns}
        self._columns = [
            (one.name, bool(one.nullable), *_python_types(_kind(one)), _check_of(one)) for one in columns
        ]

    def check(self, row: Mapping[str, Any]) -> None:
        """Checks a row.

        Raises:
            ValueError: a value is missing, unknown, or not what its column holds.
        """
        if row.keys() != self._names:
            odd = sorted(row.keys() ^ self._names)[0]
            raise ValueError(f"the column {odd!r} is {'missing' if odd in self._names else 'unknown'}")
        for name, is_nullable, types, called, check in self._columns:
            value = row[name]
            if value is None:
                if not is_nullable:
                    raise ValueError(f"{name} is null")
                continue
            kind = type(value)
            if types and (kind not in types or (kind is int and not -BIG <= value < BIG)):
                raise ValueError(f"{name} is no {called}. Received: {_shorten(value)}")
            if check is not None:
                try:
                    check(value)
                except (ValueError, TypeError, AttributeError) as error:
                    raise ValueError(f"{name} cannot be {_shorten(value)}: {error}") from error


def _kind(one: Column[Any]) -> TypeEngine[Any]:
    """The type of a column below the one that checks what is read."""
    return one.type.type_ if isinstance(one.type, Stored) else one.type


def _check_of(one: Column[Any]) -> Check | None:
    """The check of a column's values, of JSON also where the column's type makes something else of them."""
    check: Check | None = one.info.get("check")
    kind = _kind(one)
    if check is None or not isinstance(kind, TypeDecorator):
        return check
    return lambda value: check(kind.process_result_value(value, DEFAULT))


def _plain_type(one: Column[Any]) -> TypeEngine[Any]:
    if isinstance(_kind(one), TypeDecorator):
        return Stored(JSON(), f"{one.table.name}.{one.name}", None)
    return one.type


def _python_types(kind: TypeEngine[Any]) -> tuple[tuple[type, ...], str]:
    """The types of values for a type of column, none for any, and what these are called."""
    for column_type, types, called in (
        (Boolean, (bool,), "true or false"),
        (Integer, (int,), "whole number"),
        (Float, (float, int), "number"),
        (String, (str,), "text"),
    ):
        if isinstance(kind, column_type):
            return types, called
    return (), "JSON"


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
