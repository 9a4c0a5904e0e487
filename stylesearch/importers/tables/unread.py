"""Counts cells that were not understood, for one note of each kind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from stylesearch.importers.base import Note
from stylesearch.money import parse_price

__all__ = ["UnreadCells"]

_PLAIN_PRICE: Final = re.compile(r"[$£€]?\d+(?:[.,]\d+)?(?: ?(?:€|[A-Z]{3}))?")
"""Prices that need no reading to know that they can be read."""


class UnreadCells:
    """Counts prices and stock texts of a table that say nothing that can be searched by."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def check_price(self, text: str, line: int) -> None:
        """Counts a price without an amount."""
        if text and not _PLAIN_PRICE.fullmatch(text) and parse_price(text) is None:
            self._add("price", text, line)

    def add_stock(self, text: str, line: int) -> None:
        """Counts a text that does not tell whether something can be bought."""
        self._add("stock text", text, line)

    def notes(self) -> Iterator[Note]:
        """Yields how many of each kind there were, and the first."""
        for kind, n in self._counts.items():
            kinds = kind if n == 1 else f"{kind}s"
            yield Note(f"{n:,} {kinds} could not be read, first: {self._first[kind]}")

    def _add(self, kind: str, text: str, line: int) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._first.setdefault(kind, f"{text[:60]!r} (line {line})")
