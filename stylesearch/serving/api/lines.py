"""Splits a body into lines as it arrives, in bounded memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

__all__ = ["LineSplitter"]


class LineSplitter:
    r"""Splits a stream of bytes into lines.

    Args:
        max_bytes: longest line; of a longer one nothing is kept.

    Example:
        >>> splitter = LineSplitter(4)
        >>> [*splitter.feed(b"ab\n\r\ncd"), *splitter.feed(b"e\nabcdef\ng"), *splitter.end()]
        [(1, b'ab'), (3, b'cde'), (4, None), (5, b'g')]
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._is_too_long = False
        self._number = 0

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | None]]:
        """Yields the lines that a chunk completes: number from 1, and bytes; None for one that is too long.

        Lines with nothing in them are counted and left out, and so is a byte order mark at the beginning.
        """
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            self._hold(part)
            yield from self._finish()
        self._hold(rest)

    def end(self) -> Iterator[tuple[int, bytes | None]]:
        """Yields the last line, if it has no line break at its end."""
        yield from self._finish()

    def _hold(self, part: bytes) -> None:
        if self._is_too_long:
            return
        self._held += part
        if len(self._held) > self._max_bytes:
            self._is_too_long = True
            self._held.clear()

    def _finish(self) -> Iterator[tuple[int, bytes | None]]:
        self._number += 1
        line = None if self._is_too_long else bytes(self._held).strip()
        if line is not None and self._number == 1:
            line = line.removeprefix(codecs.BOM_UTF8).strip()
        self._held.clear()
        self._is_too_long = False
        if line != b"":
            yield self._number, line
