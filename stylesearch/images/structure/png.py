"""Checks the chunks of a PNG file."""

from __future__ import annotations

import struct
from typing import Final

from stylesearch.images.structure.limits import at_most

__all__ = ["check_png"]

_MAX_DATA_CHUNKS: Final = 100_000
"""Programs write pixels in chunks of 8,192 bytes or more; some write a chunk a row."""

_MAX_OTHER_CHUNKS: Final = 5_000
_MAX_PACKED_CHUNKS: Final = 100
"""Compressed texts and profiles: each may hold a megabyte, behind a kilobyte."""

_HEAD: Final = struct.Struct(">I4s")
_DATA: Final = {b"IDAT", b"fdAT"}
_PACKED: Final = {b"zTXt", b"iTXt", b"iCCP"}


def check_png(data: bytes) -> None:
    """Counts chunks by their kind, up to the end chunk.

    Raises:
        TooMany: of chunks.

    References:
        PNG, third edition (W3C), 5.3 (chunk layout), 5.6 (chunk ordering).
    """
    at, end = 8, len(data)
    n_data = n_other = n_packed = 0
    while at + 8 <= end:
        length, kind = _HEAD.unpack_from(data, at)
        at += 12 + length
        if kind in _DATA:
            n_data += 1
            at_most(_MAX_DATA_CHUNKS, n_data, "chunks of pixels")
        elif kind == b"IEND":
            return
        elif kind == b"fcTL" and n_data:
            # The next frame of an animation, which is not decoded.
            return
        else:
            n_other += 1
            at_most(_MAX_OTHER_CHUNKS, n_other, "chunks beside those of pixels")
            if kind in _PACKED:
                n_packed += 1
                at_most(_MAX_PACKED_CHUNKS, n_packed, "compressed texts and profiles")
