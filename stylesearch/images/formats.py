"""Recognises image formats by the first bytes of a file, never by its name.

The list is short on purpose: formats that phones, cameras and shops write. Programs (EPS), documents (PDF)
and containers of other images (ICO, PSD) are refused before a decoder sees them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stylesearch.registry import Entry, Registry

__all__ = ["FORMATS", "HEAD_BYTES", "ImageFormat", "describe_unreadable", "recognise"]

HEAD_BYTES: Final = 64
"""How many bytes of a file ``recognise`` and ``describe_unreadable`` need."""

FORMATS: Final = Registry(
    "picture format",
    {
        "AVIF": Entry("PIL.AvifImagePlugin:AvifImageFile", "AV1 still pictures of the web"),
        "BMP": Entry("PIL.BmpImagePlugin:BmpImageFile", "Windows bitmaps"),
        "GIF": Entry("PIL.GifImagePlugin:GifImageFile", "the first frame"),
        "HEIF": Entry("pillow_heif:HeifImageFile", "HEIC and HEIF of phones", install="pillow-heif"),
        "JPEG": Entry("stylesearch.images.truncated_jpeg:JpegFile", "also progressive, and the first of MPO"),
        "JPEG 2000": Entry("PIL.Jpeg2KImagePlugin:Jpeg2KImageFile", "JP2 files and bare codestreams"),
        "PNG": Entry("PIL.PngImagePlugin:PngImageFile", "and the first frame of APNG"),
        "PPM": Entry("stylesearch.images.ppm:PpmFile", "binary PBM, PGM and PPM"),
        "TIFF": Entry("PIL.TiffImagePlugin:TiffImageFile", "the first page"),
        "WebP": Entry("PIL.WebPImagePlugin:WebPImageFile", "and the first frame of an animation"),
    },
)
"""The classes that decode, each reached when its first picture comes.

They are used directly, not through ``PIL.Image.open``: that would try every decoder that some other part of
the program has registered, and warn of large pictures by rules that are not ours.
"""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """An image format, recognised by the first bytes of a file.

    Attributes:
        name: a key of ``FORMATS``.
        scales: whether its decoder can decode a reduced image faster than the whole one.
        warns: whether its decoder issues Python warnings about oddities in the header.
        warns_late: whether it also does so while pixels are decoded.
    """

    name: str
    scales: bool = False
    warns: bool = True
    warns_late: bool = False


_SIGNATURES: Final[tuple[tuple[bytes, ImageFormat], ...]] = (
    (b"\xff\xd8\xff", ImageFormat("JPEG", scales=True, warns=False)),
    (b"\x89PNG\r\n\x1a\n", ImageFormat("PNG")),
    (b"GIF87a", ImageFormat("GIF")),
    (b"GIF89a", ImageFormat("GIF")),
    (b"BM", ImageFormat("BMP")),
    (b"II*\0", ImageFormat("TIFF", warns_late=True)),
    (b"MM\0*", ImageFormat("TIFF", warns_late=True)),
    (b"II+\0", ImageFormat("TIFF", warns_late=True)),
    (b"MM\0+", ImageFormat("TIFF", warns_late=True)),
    (b"\xff\x4f\xff\x51", ImageFormat("JPEG 2000")),
    (b"\0\0\0\x0cjP  \r\n\x87\n", ImageFormat("JPEG 2000")),
)
_WEBP: Final = ImageFormat("WebP", warns=False)
_AVIF: Final = ImageFormat("AVIF")
_HEIF: Final = ImageFormat("HEIF", scales=True)
_PPM: Final = ImageFormat("PPM")

_HEIF_BRANDS: Final = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"heif"}
_AVIF_BRANDS: Final = {b"avif", b"avis"}
_EITHER_BRANDS: Final = {b"mif1", b"msf1", b"mif2"}

_REFUSED: Final[tuple[tuple[bytes, str], ...]] = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript program"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript program"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\1\0", "an icon"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\xff\x0a", "a JPEG XL picture, which cannot be read here"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture, which cannot be read here"),
    (b"<!doctype html", "a web page (the server may have sent an error page)"),
    (b"<html", "a web page (the server may have sent an error page)"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document"),
    (b"{", "text"),
)


def recognise(head: bytes) -> ImageFormat | None:
    r"""Recognises the format of a file; None if it is not one of ``FORMATS``.

    Args:
        head: its first ``HEAD_BYTES`` bytes, or all of a shorter file.

    Example:
        >>> recognise(b"\xff\xd8\xff\xe0 and so on").name
        'JPEG'
        >>> recognise(b"%PDF-1.7") is None
        True
    """
    for signature, image_format in _SIGNATURES:
        if head.startswith(signature):
            return image_format
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _WEBP
    if head[:2] in (b"P4", b"P5", b"P6") and head[2:3] in (b" ", b"\t", b"\r", b"\n", b"#"):
        return _PPM
    if head[4:8] == b"ftyp":
        return _recognise_brand(head)
    return None


def _recognise_brand(head: bytes) -> ImageFormat | None:
    """Tells AVIF from HEIF, which share a container, by the main brand, or else by the compatible brands."""
    brand = head[8:12]
    if brand in _AVIF_BRANDS:
        return _AVIF
    if brand in _HEIF_BRANDS:
        return _HEIF
    if brand in _EITHER_BRANDS:
        end = int.from_bytes(head[:4], "big")
        beside = {head[at : at + 4] for at in range(16, min(end, len(head)), 4)}
        return _AVIF if beside & _AVIF_BRANDS else _HEIF
    return None


def describe_unreadable(head: bytes) -> str:
    """Says what a file that ``recognise`` does not know seems to be, for an error message: "X is ..."."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for signature, description in _REFUSED:
        if start.startswith(signature.lower()):
            return description
    if head[4:8] == b"ftyp":
        return "a video"
    return f"in no format that can be read (it begins with {repr(head[:12])[1:]})"
