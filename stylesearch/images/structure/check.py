"""Refuses files that would keep a decoder busy by their structure alone, however few pixels they have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stylesearch.errors import NotAnImage
from stylesearch.images.formats import ImageFormat
from stylesearch.images.structure.bmp import check_bmp
from stylesearch.images.structure.gif import check_gif
from stylesearch.images.structure.items import check_items
from stylesearch.images.structure.jpeg import check_jpeg
from stylesearch.images.structure.jpeg2000 import check_jpeg2000
from stylesearch.images.structure.limits import TooMany
from stylesearch.images.structure.png import check_png
from stylesearch.images.structure.ppm import check_ppm
from stylesearch.images.structure.tiff import check_tiff
from stylesearch.images.structure.webp import check_webp

__all__ = ["check_structure"]

_CHECKS: Final[dict[str, Callable[[bytes], None]]] = {
    "AVIF": check_items,
    "BMP": check_bmp,
    "GIF": check_gif,
    "HEIF": check_items,
    "JPEG": check_jpeg,
    "JPEG 2000": check_jpeg2000,
    "PNG": check_png,
    "PPM": check_ppm,
    "TIFF": check_tiff,
    "WebP": check_webp,
}


def check_structure(label: str, image_format: ImageFormat, data: bytes) -> None:
    """Looks at the parts of a file, and not at its pixels.

    The time that a decoder takes follows from the pixels, which are limited elsewhere, and from how many
    parts the file has: segments, chunks, boxes, directories, comments, scans, tiles. Programs write few of
    them. A file that is damaged is not refused here: its decoder says what is wrong.

    Args:
        label: names the file in messages.
        image_format: its format, as ``stylesearch.images.formats.recognise`` tells it.
        data: the bytes of the file.

    Raises:
        NotAnImage: it has too many parts of some kind, or an amount of work behind few bytes.
    """
    try:
        _CHECKS[image_format.name](data)
    except TooMany as error:
        raise NotAnImage(
            f"{label} has {error}", hint="open it in a program for pictures, and save it again"
        ) from error
