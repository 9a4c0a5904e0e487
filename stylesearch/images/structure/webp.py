"""Checks the chunks of a WebP file."""

from __future__ import annotations

import struct
from typing import Final

from stylesearch.images.structure.limits import at_most

__all__ = ["check_webp"]

_MAX_CHUNKS: Final = 20_000
"""Each frame of an animation is a chunk."""

_HEAD: Final = struct.Struct("<4sI")


def check_webp(data: bytes) -> None:
    """Counts the chunks of the file.

    Raises:
        TooMany: of chunks.

    References:
        RFC 9649, 2.3 (RIFF), 2.7 (extended files).
    """
    at, end, n_chunks = 12, len(data), 0
    while at + 8 <= end:
        n_chunks += 1
        at_most(_MAX_CHUNKS, n_chunks, "chunks")
        _, length = _HEAD.unpack_from(data, at)
        at += 8 + length + length % 2
