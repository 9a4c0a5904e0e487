"""Reads the boxes of which HEIF, AVIF and JPEG 2000 files are made."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from stylesearch.images.structure.limits import at_most

__all__ = ["Box", "read_boxes"]

_HEAD: Final = struct.Struct(">I4s")
_LONG: Final = struct.Struct(">Q")


class Box(NamedTuple):
    """A box: its type, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


def read_boxes(data: bytes, at: int, end: int, limit: int, where: str) -> Iterator[Box]:
    """Yields the boxes between two positions, and not those inside them, up to one that is damaged.

    Raises:
        TooMany: more boxes than ``limit``.

    References:
        ISO/IEC 14496-12, 4.2 (object structure).
    """
    n_boxes = 0
    while at + 8 <= end:
        size, kind = _HEAD.unpack_from(data, at)
        start = at + 8
        if size == 1:
            if at + 16 > end:
                return
            (size,) = _LONG.unpack_from(data, start)
            start += 8
        elif size == 0:
            size = end - at
        if at + size < start:
            return
        n_boxes += 1
        at_most(limit, n_boxes, f"boxes {where}")
        yield Box(kind, start, min(at + size, end))
        at += size
