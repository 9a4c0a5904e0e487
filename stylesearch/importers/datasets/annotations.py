"""Functions that the readers of datasets share: select splits, find images, read JSON and numbers."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ALL_SPLITS, ImportOptions, Missing
from stylesearch.importers.folders.tree import is_text, printable
from stylesearch.listing import Record
from stylesearch.types import Box, Domain, Failure, Product

__all__ = [
    "BadEntry",
    "Listed",
    "Selection",
    "array_entries",
    "clip_box",
    "find_images",
    "is_file",
    "number",
    "read_text",
    "whole_number",
]

MAX_FAILURES_BEFORE_ANY: Final = 1000
"""After so many broken entries and no good one it is another format, not a damaged file."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


class BadEntry(ValueError):
    """An entry of an annotation file that cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An image of a product as the annotations list it, before its file is looked for.

    Attributes:
        product: the product that it shows.
        file: name of the file in the dataset.
        domain: who took it.
        place: file and line that list it.
        box: box around the garment, in the pixels that the dataset counts in.
    """

    product: Product
    file: str
    domain: Domain
    place: str
    box: Box | None = None


class Selection:
    """Selects images by split: consumers' photos of some splits, the shops' images of others.

    Example:
        >>> wanted = Selection(ImportOptions(splits=("test",), gallery=("val", "test")))
        >>> wanted.takes(["val"], Domain.SHOP), wanted.takes(["val"], Domain.CONSUMER)
        (True, False)
    """

    def __init__(self, options: ImportOptions) -> None:
        self._of = {
            Domain.CONSUMER: options.splits,
            Domain.SHOP: options.gallery or options.splits,
        }

    def takes(self, names: Container[str], domain: Domain) -> bool:
        """Whether an image is selected whose split has any of these names."""
        wanted = self._of[domain]
        return not wanted or ALL_SPLITS in wanted or any(name in names for name in wanted)


def find_images(
    entries: Iterable[Listed | Failure], find: Callable[[Listed], Record | str], source: str
) -> Iterator[Record | Failure | Missing]:
    """Looks for the image file of each entry.

    Args:
        entries: entries of the annotations.
        find: returns the record, or the path where the file should have been.
        source: the dataset's folder, for messages.

    Raises:
        DatasetError: nothing is listed; none of the files exists; all entries are broken; or the folder's
            path is not text.
    """
    if not is_text(source):
        raise DatasetError(f"the path of the folder is not valid UTF-8: {printable(source)}")
    n_found = n_missing = n_failed = 0
    example = ""
    for entry in entries:
        if isinstance(entry, Failure):
            n_failed += 1
            if n_failed >= MAX_FAILURES_BEFORE_ANY and not (n_found or n_missing):
                raise DatasetError(
                    f"{source}: the first {n_failed:,} entries cannot be read; "
                    f"the last of them is {entry.item}: {entry.reason}",
                    hint="is it another dataset, or another version of it?",
                )
            yield entry
            continue
        found = find(entry)
        if isinstance(found, Record):
            n_found += 1
            yield found
        else:
            n_missing += 1
            example = example or f"{found} ({entry.place})"
            yield Missing(found, entry.place)
    if n_found:
        return
    if n_missing:
        raise DatasetError(
            f"{source}: not one of the {n_missing:,} pictures that the annotations list is there. "
            f"Missing for example: {example}",
            hint="docs/datasets.md says where the pictures go",
        )
    if not n_failed:
        raise DatasetError(
            f"{source}: the annotations list no picture of what was asked for",
            hint="look at --split and --gallery",
        )


def clip_box(x0: float, y0: float, x1: float, y1: float) -> Box:
    """Makes a box in whole pixels, without the part that lies left of or above the image.

    Example:
        >>> clip_box(-3, 2.4, 10, 20)
        Box(x0=0, y0=2, x1=10, y1=20)

    Raises:
        BadEntry: it is empty or upside down.
    """
    try:
        return Box(max(round(x0), 0), max(round(y0), 0), round(x1), round(y1))
    except (ValueError, OverflowError):
        raise BadEntry(f"a box with nothing in it. Received: {x0:g},{y0:g},{x1:g},{y1:g}") from None


def is_file(path: str) -> bool:
    """Whether a file exists; False also for names that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113 - hundreds of thousands of them: no Path for each


def read_text(path: Path) -> str | Failure:
    """Reads a file as text, without a byte order mark; or returns a failure with the place and reason."""
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
    """Reads a file that is one JSON array, entry by entry.

    Yields:
        ``path:line`` of the entry's beginning, and the entry; where the text stops being valid JSON, a
        failure as the last item.
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
    """Checks that a value is a whole number, as an id or key must be.

    Raises:
        BadEntry: it is not a whole number, or negative.
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**18:
        raise BadEntry(f"{what} is a whole number. Received: {_shorten(value)}")
    return value


def number(what: str, value: object) -> float:
    """Checks that a value is a finite number, as a measure must be.

    Raises:
        BadEntry: it is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadEntry(f"{what} is a number. Received: {_shorten(value)}")
    if abs(value) > 1e9:
        raise BadEntry(f"{what} is larger than any picture. Received: {_shorten(value)}")
    return float(value)


def _shorten(value: object) -> str:
    return repr(value)[:60]


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
