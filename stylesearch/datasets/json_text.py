"""JSON files of annotations, with the line of what is wrong in them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from stylesearch.datasets.listing import BadEntry
from stylesearch.types import Failure

__all__ = ["array_entries", "number", "read_text", "whole_number"]

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


def read_text(path: Path) -> str | Failure:
    """A file as text, without a byte order mark; or where and why it is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Failure(str(path), f"cannot be read: {error.strerror}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return Failure(f"{path}:{line}", "not valid UTF-8, so not JSON")


def array_entries(path: Path) -> Iterator[tuple[str, Any] | Failure]:
    """The entries of a file that is one JSON array, one at a time.

    Yields:
        ``path:line`` of the entry's beginning, and the entry; where the text stops being JSON, one failure
        as the last.
    """
    text = read_text(path)
    if isinstance(text, Failure):
        yield text
        return
    position = _skip_space(text, 0)
    line, counted = 1, 0
    n_entries = 0
    expected = "["
    while True:
        line, counted = line + text.count("\n", counted, position), position
        if not text.startswith(expected, position):
            if expected == "," and text.startswith("]", position):
                return
            found = repr(text[position : position + 20]) if position < len(text) else "the end of the file"
            after = f"after entry {n_entries}, " if n_entries else ""
            yield Failure(f"{path}:{line}", f"not JSON: {after}expected {expected!r}, found {found}")
            return
        position = _skip_space(text, position + 1)
        line, counted = line + text.count("\n", counted, position), position
        if expected == "[" and text.startswith("]", position):
            return
        try:
            entry, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            yield Failure(f"{path}:{line}", f"not JSON: entry {n_entries + 1} cannot be read ({error})")
            return
        n_entries += 1
        yield f"{path}:{line}", entry
        position = _skip_space(text, position)
        expected = ","


def whole_number(what: str, value: object) -> int:
    """A number that names something.

    Raises:
        BadEntry: it is not a whole number, or negative.
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**18:
        raise BadEntry(f"{what} is a whole number. Received: {_shown(value)}")
    return value


def number(what: str, value: object) -> float:
    """A number that measures something.

    Raises:
        BadEntry: it is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadEntry(f"{what} is a number. Received: {_shown(value)}")
    if abs(value) > 1e9:
        raise BadEntry(f"{what} is larger than any picture. Received: {_shown(value)}")
    return float(value)


def _shown(value: object) -> str:
    return repr(value)[:60]


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
