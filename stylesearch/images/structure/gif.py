"""Checks what stands before the first frame of a GIF file."""

from __future__ import annotations

from typing import Final

from stylesearch.images.structure.limits import at_most

__all__ = ["check_gif"]

_MAX_BLOCKS: Final = 50_000
"""Extensions and their blocks of up to 255 bytes, and bytes between them. XMP is read as blocks of about 80
bytes."""


def check_gif(data: bytes) -> None:
    """Follows the extensions as Pillow's decoder does, which reads them block by block in Python.

    Raises:
        TooMany: of blocks.

    References:
        GIF89a, 15 (data sub-blocks), 23 to 26 (extensions).
    """
    end = len(data)
    if end < 13:
        return
    at = 13 + ((3 << ((data[10] & 7) + 1)) if data[10] & 128 else 0)
    n_blocks = 0
    while at < end and data[at] not in b",;":
        at_most(_MAX_BLOCKS, n_blocks, "blocks before its first frame")
        n_blocks += 1
        if data[at] != 0x21:
            at += 1
            continue
        at += 2
        while at < end and data[at]:
            at += 1 + data[at]
            n_blocks += 1
            at_most(_MAX_BLOCKS, n_blocks, "blocks before its first frame")
        at += 1
