"""Types of the catalog's columns: they check what is read, so that damage is told where it is read.

SQLite stores any kind of value in any column, and gives back as it is what a disk or another program did to
the file. Every column of ``stylesearch.catalog.tables`` has the type ``Stored``.
"""

from __future__ import annotations

import enum
import json
import math
from collections.abc import Callable
from typing import Any, Final, NoReturn

from sqlalchemy import JSON, Boolean, Float, Integer, LargeBinary, String, Table, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from stylesearch.errors import CatalogDamaged
from stylesearch.listing import FIELDS
from stylesearch.types import Box, Variant

__all__ = [
    "Check",
    "Stored",
    "check_box",
    "check_guesses",
    "check_object",
    "check_positive",
    "check_said",
    "check_size",
    "check_texts",
    "check_variants",
    "one_of",
    "parse_json",
    "store_checked",
]

Check = Callable[[Any], None]
"""Raises a ``ValueError`` that says what a value should be."""

_KINDS: Final[tuple[tuple[type[TypeEngine[Any]], tuple[type, ...], str], ...]] = (
    (String, (str,), "a text"),
    (Boolean, (int, bool), "true or false"),
    (Integer, (int,), "a whole number"),
    (Float, (float, int), "a number"),
    (JSON, (str,), "a text of JSON"),
    (LargeBinary, (bytes,), "bytes"),
)
"""What SQLite gives for a value of each type of column, and how that is called."""

SHOWN: Final = 60
"""Characters of a value that a message repeats."""


class Stored(TypeDecorator[Any]):
    """A type of column that raises ``CatalogDamaged`` for values that were never stored in it.

    A null is read as None, also where the column allows none: an aggregate or an outer join gives one.

    Args:
        type_: the type itself.
        place: table and column, for messages.
        check: looks at values that are of the type.
    """

    impl = String
    cache_ok = True

    def __init__(self, type_: TypeEngine[Any], place: str, check: Check | None) -> None:
        super().__init__()
        self.impl = type_  # type: ignore[assignment]
        self.type_ = type_
        self.place = place
        self.check = check

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """The type of a value that the column is compared with: a key of JSON is not JSON."""
        return self.type_.coerce_compared_value(op, value)

    def result_processor(self, dialect: Dialect, coltype: Any) -> Callable[[Any], Any]:
        """Makes the function that converts a value of the database."""
        convert = self.impl_instance.result_processor(dialect, coltype)
        check = self.check
        kinds, wanted = _kinds_of(self.type_)
        if dialect.name != "sqlite":  # others hold what their columns say
            kinds = (object,)

        def read(value: Any) -> Any:
            if value is not None and type(value) not in kinds and kinds != (object,):
                self._fail(value, wanted)
            try:
                if convert is not None:
                    value = convert(value)
                if check is not None and value is not None:
                    check(value)
            except (json.JSONDecodeError, RecursionError) as error:
                self._fail(value, "JSON", error)
            except (ValueError, TypeError) as error:
                self._fail(value, str(error), error)
            return value

        return read

    def _fail(self, value: Any, wanted: str, error: Exception | None = None) -> NoReturn:
        shown = repr(value)
        if len(shown) > SHOWN:
            shown = f"{shown[:SHOWN]}..."
        raise CatalogDamaged(f"{self.place} is not {wanted}. Found: {shown}") from error


def store_checked(table: Table) -> None:
    """Has all columns of a table check what is read; ``Column.info["check"]`` looks closer."""
    for column in table.c:
        column.type = Stored(column.type, f"{table.name}.{column.name}", column.info.get("check"))


def parse_json(text: str | bytes) -> Any:
    """Parses JSON as the catalog stores it; some drivers of PostgreSQL give its bytes.

    Raises:
        ValueError: it is none, or a number in it is not finite.
        RecursionError: it is nested a thousand levels deep.
    """
    return _DECODER.decode(text if isinstance(text, str) else text.decode())


def one_of(names: type[enum.StrEnum] | tuple[str, ...]) -> Check:
    """Makes a check for one of some texts."""
    known = frozenset(str(name) for name in names)

    def check(value: str) -> None:
        if value not in known:
            raise ValueError(f"one of {', '.join(sorted(known))}")

    return check


def check_box(value: str) -> None:
    """A box, as ``str(box)`` writes it."""
    try:
        box = Box(*map(int, value.split(",")))
    except (TypeError, ValueError):
        raise ValueError("a box x0,y0,x1,y1 in pixels") from None
    if str(box) != value:
        raise ValueError("a box x0,y0,x1,y1 in pixels")


def check_size(value: int) -> None:
    """A number of pixels, or a place in an order."""
    if value < 0:
        raise ValueError("a number from 0")


def check_positive(value: int) -> None:
    """A number of at least one."""
    if value < 1:
        raise ValueError("a number from 1")


def check_finite(value: float) -> None:
    """A number that is not infinite."""
    if not math.isfinite(value):
        raise ValueError("a finite number")


def check_object(value: Any) -> None:
    """An object of JSON."""
    if not isinstance(value, dict):
        raise ValueError("an object of JSON")


def check_texts(value: Any) -> None:
    """An object of texts by name."""
    if not isinstance(value, dict) or not all(type(one) is str for one in value.values()):
        raise ValueError("an object of texts")


def check_guesses(value: Any) -> None:
    """A title and a category, as they were guessed."""
    check_texts(value)
    if not value.keys() <= {"title", "category"}:
        raise ValueError("a guessed title and category")


def check_said(value: Any) -> None:
    """What a source says of a product: see ``stylesearch.listing.Listing``."""
    check_object(value)
    for name in FIELDS:
        said = value.get(name)
        if said is None:
            continue
        if name == "variants":
            check_variants(tuple(Variant(**one) for one in said))
        elif type(said) is not (bool if name == "in_stock" else str):
            raise ValueError(f"what a source says of a product: {name}")


def check_variants(value: tuple[Variant, ...]) -> None:
    """Variants of a product."""
    for one in value:
        texts = [one.id, *one.options.values()] if isinstance(one.options, dict) else [None]
        texts += [text for text in (one.price, one.url) if text is not None]
        if not all(type(text) is str for text in texts) or type(one.in_stock) not in (bool, type(None)):
            raise ValueError("a list of variants")


def _kinds_of(type_: TypeEngine[Any]) -> tuple[tuple[type, ...], str]:
    """The kinds of value that SQLite gives for a type, and how they are called."""
    plain = type_.impl_instance if isinstance(type_, TypeDecorator) else type_
    return next((kinds, name) for kind, kinds, name in _KINDS if isinstance(plain, kind))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON: {name} is no number of it")


def _parse_float(text: str) -> float:
    check_finite(number := float(text))
    return number


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_parse_float)
