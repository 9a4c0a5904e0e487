"""Reads the text files of DeepFashion: a count, a line of column names, then rows of cells between spaces.

The count is not trusted and may be missing. A byte order mark, CRLF and empty lines are tolerated. A row with
another number of columns becomes a failure with its line.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np

from stylesearch.errors import DatasetError
from stylesearch.importers.datasets.annotations import BadEntry, clip_box
from stylesearch.importers.lookup import find_below
from stylesearch.types import Box, Failure

__all__ = [
    "Boxes",
    "Items",
    "Row",
    "find_file",
    "image_path_parts",
    "name_key",
    "read_boxes",
    "read_rows",
]

MAX_LINE: Final = 1 << 16
_BOM: Final = b"\xef\xbb\xbf"
_JUNK: Final = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of an annotation file; ``place`` is ``path:line``."""

    place: str
    cells: Sequence[str]


def find_file(root: Path, names: Sequence[str]) -> Path:
    """Finds the first of several files that exists, in any case of letters.

    Args:
        root: folder of the dataset.
        names: paths relative to it, the usual place first.

    Raises:
        DatasetError: none exists.
    """
    for name in names:
        found = find_below(root, name)
        if found is not None and found.is_file():
            return found
    raise DatasetError(
        f"no {names[0]} in {root}",
        hint="give the folder that has Eval/ and Anno/ in it; docs/datasets.md says what goes where",
    )


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[Row | Failure]:
    """Reads the rows of an annotation file, line by line.

    Args:
        path: path of the file.
        columns: names of its header, of which the first and their number must agree.

    Raises:
        DatasetError: it cannot be opened, has another header, or is not text.
    """
    lines = _lines(path)
    header = next(lines, None)
    if header is not None and len(header[1].split()) == 1 and header[1].strip().isdigit():
        header = next(lines, None)
    if header is None:
        raise DatasetError(f"{path}: nothing in it but {path.stat().st_size:,} bytes before the first row")
    names = header[1].split()
    if len(names) != len(columns) or names[0] != columns[0].encode():
        received = header[1][:80].decode("utf-8", "backslashreplace").strip()
        raise DatasetError(
            f"{path}:{header[0]}: not the names of the columns. Received: {received!r}",
            hint=f"expected: {' '.join(columns)}",
        )
    for number, line in lines:
        place = f"{path}:{number}"
        cells = line.split()
        if _JUNK.search(line):
            yield Failure(place, "not a line of text")
        elif len(cells) != len(columns):
            yield Failure(place, f"{len(cells)} columns, where there should be {len(columns)}")
        else:
            try:
                yield Row(place, [cell.decode() for cell in cells])
            except UnicodeDecodeError:
                yield Failure(place, "not valid UTF-8")


def image_path_parts(name: str, n_parts: int, layout: str) -> list[str]:
    """Splits the path of an image in the annotations into its parts.

    Example:
        >>> image_path_parts("img/TOPS/Blouse/id_00000007/shop_01.jpg", 5, "img/TOP/SUB/item/name.jpg")
        ['img', 'TOPS', 'Blouse', 'id_00000007', 'shop_01.jpg']

    Raises:
        BadEntry: the path has another layout, or leads out of the dataset.
    """
    parts = name.split("/")
    if len(parts) != n_parts or parts[0] != "img" or any(part in ("", ".", "..") for part in parts):
        raise BadEntry(f"a picture's path is {layout}. Received: {name!r}")
    return parts


class Items:
    """Split and category of each item, from the first row that names it.

    Example:
        >>> items = Items()
        >>> items.first("list.txt:3", "id_00000001", "test", "DRESSES/Dress")
        ('test', 'DRESSES/Dress')
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str, str]] = {}

    def first(self, place: str, item: str, split: str, category: str) -> tuple[str, str]:
        """Returns split and category of an item; of two categories the first counts.

        Raises:
            BadEntry: an earlier row has put it into another split.
        """
        first_place, first_split, first_category = self._first.setdefault(item, (place, split, category))
        if first_split != split:
            raise BadEntry(f"{item} is in the split {split} here, and in {first_split} in {first_place}")
        return first_split, first_category


class Boxes:
    """Boxes by image, in 24 bytes each, since there are 240,000 of them.

    Args:
        keys: keys of the images, uint64, from ``name_key``.
        corners: x0, y0, x1, y1 of each box, one after the other.
    """

    def __init__(self, keys: array[int], corners: array[int]) -> None:
        self._keys = np.frombuffer(keys, np.uint64) if keys else np.empty(0, np.uint64)
        # A stable sort, and look-up from the left: of two rows for one image the first counts.
        self._order = np.argsort(self._keys, kind="stable")
        self._keys = self._keys[self._order]
        self._corners = corners

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, name: str) -> Box | None:
        """Returns the box of an image, in the pixels that the dataset counts in; None if there is none."""
        key = np.uint64(name_key(name))
        position = int(np.searchsorted(self._keys, key))
        if position == len(self._keys) or self._keys[position] != key:
            return None
        start = 4 * int(self._order[position])
        return Box(*self._corners[start : start + 4])


def read_boxes(path: Path, columns: Sequence[str], n_kinds: int) -> Generator[Failure, None, Boxes]:
    """Reads a file of boxes.

    Args:
        path: path of the file.
        columns: image_name, clothes_type (1 to 3), a second type, and the corners.
        n_kinds: the second type is 1 to this.

    Yields:
        failures for rows that cannot be read.

    Returns:
        the boxes, as the value of ``yield from``.

    Raises:
        DatasetError: the file as a whole cannot be read.
    """
    keys, corners = array("Q"), array("i")
    for row in read_rows(path, columns):
        if isinstance(row, Failure):
            yield row
            continue
        name, *cells = row.cells
        try:
            clothes, kind, *numbers = _whole_numbers(cells)
            if not (1 <= clothes <= 3 and 1 <= kind <= n_kinds):
                raise BadEntry(
                    f"{columns[1]} is 1 to 3 and {columns[2]} 1 to {n_kinds}. Received: {clothes} {kind}"
                )
            box = clip_box(*numbers)
        except BadEntry as error:
            yield Failure(row.place, str(error))
            continue
        keys.append(name_key(name))
        corners.extend((box.x0, box.y0, box.x1, box.y1))
    return Boxes(keys, corners)


def name_key(name: str) -> int:
    """Hashes a name into eight bytes."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")


def _whole_numbers(cells: Sequence[str]) -> list[int]:
    for cell in cells:
        if not re.fullmatch(r"-?[0-9]{1,6}", cell):
            raise BadEntry(f"not a whole number of pixels: {cell!r}")
    return [int(cell) for cell in cells]


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields the lines that are not empty, with their numbers."""
    number = 0
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise DatasetError(
                        f"{path}:{number}: a line of more than {MAX_LINE:,} bytes: not an annotation file"
                    )
                if number == 1:
                    line = line.removeprefix(_BOM)
                if line.strip():
                    yield number, line
    except OSError as error:
        raise DatasetError(f"cannot read {os.fspath(path)}: {error.strerror}") from error
