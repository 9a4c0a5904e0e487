"""Reads XML feeds of products, one item at a time."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from stylesearch.errors import DatasetError
from stylesearch.importers.tables.items import Table, TableRow, plain_name
from stylesearch.types import Failure

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["open_feed"]

_ITEMS: Final = frozenset(("item", "entry", "product", "offer", "shopitem"))
"""Names of the elements that are products: in RSS, Atom, and what shops and other channels write."""

_GOOGLE: Final = "{http://base.google.com/ns/1.0}"
_BOM: Final = b"\xef\xbb\xbf"
_MAX_ELEMENTS: Final = 10_000
"""Elements and attributes within one item: far more than a product has, and few enough for any memory."""

_MAX_DEPTH: Final = 1_000
"""Elements inside one another, all of which are in memory."""

_MAX_BETWEEN: Final = 4_000_000
"""Bytes from one tag to the next, of a text or of the tag: Python's parser (expat 2.5) reads a tag that is
not complete again from its start with each block of the file."""


@contextmanager
def open_feed(path: Path) -> Iterator[tuple[Table, Iterator[TableRow | Failure]]]:
    """Opens an XML feed: RSS, Atom, or a plain list of ``product``, ``item`` or ``offer`` elements.

    The elements within an item are its columns, without their namespaces; ``g:id`` comes before ``id``. Only
    one item is in memory at a time. Nothing outside the file is ever loaded.

    Args:
        path: the file.

    Yields:
        the table, with the columns of the first item; and its rows, in their order. Where the XML ends or
        breaks before its end, the last row is a failure with the line.

    Raises:
        DatasetError: it has no item that can be read, or defines entities, which could make a small file
            grow without bounds or read others.
    """
    with path.open("rb") as file:
        _skip_blanks(file)
        rows = _read_rows(path, file)
        first = next(rows, None)
        if isinstance(first, Failure):
            raise DatasetError(
                f"{first.item}: {first.reason}", hint="export the feed again, or check it with an XML checker"
            )
        if first is None:
            raise DatasetError(
                f"no product is in {path}: no element called {', '.join(sorted(_ITEMS))}",
                hint="give a product feed in RSS or Atom, or a CSV file",
            )
        columns, row = first
        yield Table(columns, is_feed=True), _chain(row, rows)


def _chain(
    first: TableRow, others: Iterator[tuple[dict[str, str], TableRow] | Failure]
) -> Iterator[TableRow | Failure]:
    yield first
    for found in others:
        yield found if isinstance(found, Failure) else found[1]


def _skip_blanks(file: IO[bytes]) -> None:
    """Moves to the first character: blanks before the XML declaration are common, and not allowed."""
    start = file.read(1024)
    rest = start
    while rest.startswith(_BOM) or rest[:1].isspace():
        rest = rest[len(_BOM) :] if rest.startswith(_BOM) else rest.lstrip()
    file.seek(len(start) - len(rest))


def _read_rows(path: Path, file: IO[bytes]) -> Iterator[tuple[dict[str, str], TableRow] | Failure]:
    """Reads the items: the columns of each as they are written, and its row."""
    from xml.etree.ElementTree import ParseError

    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    n_items = 0
    try:
        blocks = _Blocks(file)
        for element in _read_items(iterparse(blocks, ("start", "end")), blocks):
            n_items += 1
            yield _read_item(element, n_items)
    except DefusedXmlException as error:
        raise DatasetError(
            f"{path} defines entities or loads other files, which is not read: {type(error).__name__}",
            hint="take out the lines that begin with <!ENTITY",
        ) from None
    except ParseError as error:
        line, column = error.position
        done = f"; the {n_items} products before it were read" if n_items else ""
        yield Failure(
            f"{path}:{line}", f"the XML ends or breaks here, in column {column} ({error.msg}){done}"
        )
    except (UnicodeError, LookupError) as error:
        yield Failure(str(path), f"the text cannot be read: {error}")
    except _TooLarge as error:
        yield Failure(str(path), str(error))


class _TooLarge(Exception):
    """An item has more of something than a product ever has."""


class _Blocks:
    """A file that is read in blocks, as long as there are tags among them.

    Attributes:
        n_bytes: what was read since the last tag.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.n_bytes = 0

    def read(self, n_bytes: int = -1) -> bytes:
        """Reads the next block.

        Raises:
            _TooLarge: too many blocks without a tag.
        """
        block = self._file.read(n_bytes)
        self.n_bytes += len(block)
        if self.n_bytes > _MAX_BETWEEN:
            raise _TooLarge(f"more than {_MAX_BETWEEN:,} bytes without the end of a tag")
        return block


def _read_items(events: Iterator[tuple[str, Any]], blocks: _Blocks) -> Iterator[Element]:
    """The elements that are products, whole; whatever has been read is forgotten."""
    open_elements: list[Element] = []
    item: Element | None = None
    item_name, n_inside = "", 0
    for event, element in events:
        blocks.n_bytes = 0
        if event == "start":
            open_elements.append(element)
            if len(open_elements) > _MAX_DEPTH:
                raise _TooLarge(f"more than {_MAX_DEPTH:,} elements inside one another")
            name = _local_name(element.tag)
            if item is None and len(open_elements) > 1 and name in _ITEMS and item_name in ("", name):
                item, item_name, n_inside = element, name, 0
            if item is not None:
                n_inside += (item is not element) + len(element.attrib)
                if n_inside > _MAX_ELEMENTS:
                    most = f"{_MAX_ELEMENTS:,} elements and attributes"
                    raise _TooLarge(f"an element {item_name!r} has more than {most} in it")
            continue
        open_elements.pop()
        if item is not None and element is item:
            yield item
            item = None
        if item is None:
            element.clear()
            if open_elements:
                open_elements[-1].remove(element)


def _read_item(element: Element, number: int) -> tuple[dict[str, str], TableRow]:
    columns: dict[str, str] = {}
    cells: dict[str, list[str]] = {}
    for child in sorted(element, key=lambda child: not child.tag.startswith(_GOOGLE)):
        if len(child) and not (child.text or "").strip():
            continue  # a group of values, such as the price and country of a delivery
        written, name = _column(child.tag)
        text = " ".join((child.text or child.get("href") or "").split())
        columns.setdefault(name, written)
        cells.setdefault(name, []).append(unicodedata.normalize("NFC", text))
    for tag, text in element.attrib.items():
        written, name = _column(tag)
        columns.setdefault(name, written)
        cells.setdefault(name, []).append(unicodedata.normalize("NFC", text.strip()))
    return columns, TableRow(number, {name: tuple(texts) for name, texts in cells.items()})


@functools.lru_cache(maxsize=1024)
def _column(tag: str) -> tuple[str, str]:
    """The name of an element without its namespace, and its ``plain_name``."""
    written = tag.rpartition("}")[2]
    return written, plain_name(written)


@functools.lru_cache(maxsize=1024)
def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2].casefold()
