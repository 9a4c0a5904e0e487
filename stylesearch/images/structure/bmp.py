"""Checks the header of a BMP file."""

from __future__ import annotations

import struct
from typing import Final

from stylesearch.images.structure.limits import at_most

__all__ = ["check_bmp"]

_RUN_LENGTHS: Final = {1, 2}
"""Compression by run lengths, of 8 and of 4 bits."""

_MAX_RUN_LENGTH_PIXELS: Final = 4_000_000
_MAX_RUN_LENGTH_BYTES: Final = 2_000_000


def check_bmp(data: bytes) -> None:
    """Limits pictures that are compressed by run lengths, which Pillow decodes run by run in Python.

    Raises:
        TooMany: of pixels, or of bytes.

    References:
        BITMAPINFOHEADER (Microsoft); other headers have no compression that Pillow decodes.
    """
    if len(data) < 34:
        return
    size, width, height, _, _, compression = struct.unpack_from("<IiiHHI", data, 14)
    if size >= 40 and compression in _RUN_LENGTHS:
        at_most(_MAX_RUN_LENGTH_PIXELS, abs(width * height), "pixels, compressed by run lengths")
        at_most(_MAX_RUN_LENGTH_BYTES, len(data), "bytes, compressed by run lengths")
