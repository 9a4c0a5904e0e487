"""Checks the header of a PPM file."""

from __future__ import annotations

import re
from typing import Final

from stylesearch.images.structure.limits import TooMany

__all__ = ["check_ppm"]

_MAX_HEADER_BYTES: Final = 10_000
"""Blanks and comments are read byte by byte."""

_NUMBER: Final = rb"(?:[ \t\n\v\f\r]|#[^\r\n]*[\r\n])+\d{1,10}(?=[ \t\n\v\f\r])"
_HEADER: Final = {
    b"P4": re.compile(rb"P4" + _NUMBER * 2),
    b"P5": re.compile(rb"P5" + _NUMBER * 3),
    b"P6": re.compile(rb"P6" + _NUMBER * 3),
}


def check_ppm(data: bytes) -> None:
    """Looks for the numbers of the header in the first bytes.

    Raises:
        TooMany: of bytes in the header.

    References:
        Netpbm: ppm(5), pgm(5), pbm(5).
    """
    if not _HEADER[data[:2]].match(data, 0, _MAX_HEADER_BYTES) and len(data) > _MAX_HEADER_BYTES:
        raise TooMany(len(data), _MAX_HEADER_BYTES, "bytes without a whole header")
