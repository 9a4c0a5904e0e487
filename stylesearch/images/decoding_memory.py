"""How much memory decoding a picture takes, told by its header.

The figures are bytes a pixel. ``tests/unit/images/test_decoding_memory.py`` compares them with what decoding
really takes; they may be too large, never too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PIL import Image

from stylesearch.images.formats import ImageFormat
from stylesearch.images.truncated_jpeg import END_OF_IMAGE, keeps_coefficients

__all__ = ["bytes_of_result", "bytes_to_decode", "bytes_to_open"]

STORED: Final = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}
"""Of a decoded picture, by its mode; 4 for all others."""

DECODER: Final = {"WebP": 14.0, "AVIF": 14.0, "HEIF": 6.0}
"""What a decoder holds besides the picture that it makes: canvases, planes and copies. Others work row by
row, or are reckoned with below."""

JPEG_2000_BAND: Final = 10.0
"""For each band, all of which are decoded as numbers of 32 bits."""

COEFFICIENT: Final = 2
"""Of a JPEG file with several scans: all coefficients are kept, at full size, whatever scale is wanted."""

TRANSPARENT: Final = {"RGBA": 4.0, "LA": 8.0, "La": 12.0, "PA": 8.0, "RGBa": 8.0}
"""Copies of a transparent picture while it is reduced: as RGBA, and multiplied by its transparency."""

CONVERTED: Final = {
    "P": 4.0,
    "1": 1.0,
    "LAB": 4.0,
    "YCbCr": 4.0,
    "HSV": 4.0,
    "I;16": 11.0,
    "I": 29.0,
    "F": 29.0,
}
"""Copies of other pictures before they are reduced: as RGB, as grey, or as numbers of 32 and 64 bits."""

AS_RGB: Final = 4.5
"""Of a pixel of the result: the copy in sRGB."""

TURNED: Final = 4.5
"""More of a picture that is not upright as it is stored."""

OVER_WHITE: Final = 9.0
"""More of them, of a transparent picture."""

REDUCED: Final = 4.0
"""More of them, of a picture that is reduced first."""

CUT_SHORT: Final = 20.0
"""Of a JPEG file without an end: it is decoded up to three times, and the results are compared."""

RESULT: Final = 7.0
"""Of a result that is in use: as Pillow's image, and as an array."""

FILE_COPIES: Final = 3

FIXED: Final = 8_000_000
"""Of any picture: tables, and pieces of memory that malloc cannot use again at once."""

_TIFF_BITS, _TIFF_SAMPLES, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 258, 277, 322, 323
_END_BYTES: Final = 65_536


def bytes_of_result(width: int, height: int) -> int:
    """Memory of a decoded image that is in use."""
    return int(RESULT * width * height)


def bytes_to_open(image_format: ImageFormat, max_pixels: int, budget: int) -> int:
    """Memory that opening a file may take before its size is known.

    Args:
        image_format: its format.
        max_pixels: the largest picture that is decoded.
        budget: memory for decoding.
    """
    # WebP's decoder sets memory aside, which it does not use yet.
    return budget + (8 * max_pixels if image_format.name == "WebP" else 0)


def bytes_to_decode(
    image_format: ImageFormat,
    data: bytes,
    full_size: tuple[int, int],
    headers: Sequence[Image.Image],
    sides: Sequence[int | None],
    *,
    is_turned: bool,
) -> int:
    """Memory that decoding a picture takes.

    Args:
        image_format: its format.
        data: the bytes of its file.
        full_size: width and height as stored.
        headers: for each use of it an opened image, set to the scale at which it will be decoded.
        sides: how many pixels the longer side must keep for each use; None for all.
        is_turned: whether it is not upright as it is stored.
    """
    sizes = {one.size: one for one in headers}
    stored = sum(_area(size) * STORED.get(one.mode, 4) for size, one in sizes.items())
    work = max(_area(size) * (_decoder(image_format, one) + _conversion(one)) for size, one in sizes.items())
    results = {
        (one.size, max(1, max(one.size) // side) if side else 1)
        for one, side in zip(headers, sides, strict=True)
    }
    per_pixel = AS_RGB + (TURNED if is_turned else 0.0)
    per_pixel += OVER_WHITE if _is_transparent(headers[0]) else 0.0
    reduced = sum(
        (per_pixel + (REDUCED if factor > 1 else 0.0)) * _area(size) / factor**2 for size, factor in results
    )
    if image_format.name == "JPEG":
        work += _coefficients(data, full_size, headers[0])
        if END_OF_IMAGE not in data[-_END_BYTES:]:
            work += CUT_SHORT * max(map(_area, sizes))
    return int(FIXED + FILE_COPIES * len(data) + stored + work + reduced)


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _decoder(image_format: ImageFormat, image: Image.Image) -> float:
    """Bytes a pixel that the decoder itself holds."""
    if image_format.name == "JPEG 2000":
        return JPEG_2000_BAND * len(image.getbands())
    if image_format.name == "TIFF":
        return _tiff(image)
    return DECODER.get(image_format.name, 0.0)


def _tiff(image: Image.Image) -> float:
    """Bytes a pixel of a TIFF file's strips or tiles, one of which is held: it may be the whole picture."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_TIFF_BITS, (8,))
    n_bytes: float = max(bits if isinstance(bits, tuple) else (bits,)) / 8 * int(tags.get(_TIFF_SAMPLES, 1))
    tile = int(tags.get(_TIFF_TILE_WIDTH, 0)) * int(tags.get(_TIFF_TILE_HEIGHT, 0))
    return max(4.0, n_bytes) * max(1.0, tile / max(1, _area(image.size)))


def _conversion(image: Image.Image) -> float:
    """Bytes a pixel of the copies that are made before the picture is reduced."""
    mode = "I;16" if image.mode.startswith("I;16") else image.mode
    if _is_transparent(image):
        return TRANSPARENT.get(mode, 8.0)
    return CONVERTED.get(mode, 0.0)


def _is_transparent(image: Image.Image) -> bool:
    """Whether a picture is converted by way of RGBA."""
    if image.mode in TRANSPARENT:
        return True
    if image.mode.startswith(("I", "F")):
        return False
    return "transparency" in image.info or (
        image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA"
    )


def _coefficients(data: bytes, full_size: tuple[int, int], image: Image.Image) -> float:
    """Bytes of the coefficients that are kept until all scans have been read; 0 for a single scan."""
    if not keeps_coefficients(data):
        return 0.0
    layers = getattr(image, "layer", [])
    wide = max((layer[1] for layer in layers), default=1) * max((layer[2] for layer in layers), default=1)
    samples: float = sum(layer[1] * layer[2] for layer in layers) / max(1, wide) if layers else 4.0
    return COEFFICIENT * samples * _area(full_size)
