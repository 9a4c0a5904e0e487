"""Files that are made to hurt whoever opens them, and files that are no pictures: a few kilobytes each.

Made by code, so that each is here with what it claims; none is refused by its name, they have none.
"""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

from tests.integration.tiny_shop import COLORS, draw

__all__ = ["bombs", "cut_short", "damaged", "no_images", "of_no_size"]

TOO_LARGE, NO_IMAGE = 413, 415
Files = dict[str, tuple[bytes, int | tuple[int, ...]]]
"""Bytes by name, with the status that is the answer."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, *chunks: bytes, depth: int = 1, colors: int = 0) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colors, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IEND", b"")


def _zeros(n_bytes: int) -> bytes:
    """At least that many zeros, deflated, without ever holding them: one block, repeated."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    size = 1_000_000
    block = squeeze.compress(bytes(size)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    n_blocks = -(-n_bytes // size)
    checksum = (n_blocks * size % 65521) << 16 | 1
    return b"\x78\xda" + block * n_blocks + squeeze.flush() + struct.pack(">I", checksum)


def _tiff(tags: list[tuple[int, int, int, int]], tail: bytes = b"", *, next_directory: int = 0) -> bytes:
    """A TIFF of one directory with tags (number, type, count, value or offset)."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_directory)
    return b"II*\0" + struct.pack("<I", 8) + directory + tail


def _tiff_of(width: int, height: int, packed: bytes, *extra: tuple[int, int, int, int]) -> bytes:
    n_tags = 9 + len(extra)
    at = 8 + 2 + 12 * n_tags + 4
    grey = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    strips = [(273, 4, 1, at), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(packed))]
    return _tiff([*grey, *strips, *extra], packed)


def _gif(width: int, height: int, frame: tuple[int, int] | None = None) -> bytes:
    frame_width, frame_height = frame or (width, height)
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    descriptor = b"," + struct.pack("<HHHHB", 0, 0, frame_width, frame_height, 0)
    return screen + descriptor + b"\x02\x02\x4c\x01\0;"


def _bmp(width: int, height: int, *, bits: int = 24, compression: int = 0, data: bytes = b"") -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    palette = bytes(1024) if bits == 8 else b""
    start = 14 + len(info) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + info + palette + data


def _webp(width: int, height: int) -> bytes:
    extended = struct.pack("<I", 0) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", len(extended)) + extended
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _jpeg_2000(width: int, height: int) -> bytes:
    size = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, width, height, 0, 0, 3) + b"\x07\x01\x01" * 3
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + b"\xff\xd9"


def _saved(format_name: str, **options: object) -> bytes:
    if format_name in ("HEIF", "AVIF"):
        import pillow_heif

        pillow_heif.register_heif_opener()
    file = io.BytesIO()
    draw(COLORS["dress"]["red"], size=(160, 200)).save(file, format_name, **options)
    return file.getvalue()


def _claiming(data: bytes, width: int, height: int) -> bytes:
    """A HEIF or AVIF file whose header claims another size."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def _jpeg_claiming(width: int, height: int) -> bytes:
    data = _saved("JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def _many_scans() -> bytes:
    """A progressive JPEG whose last scan comes a thousand times: each is a walk over the whole picture."""
    data = _saved("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 1000 + b"\xff\xd9"


def bombs() -> Files:
    """Small files that unpack to something huge, or say so."""
    rows = _chunk(b"IDAT", _zeros(30_000 * 3751))
    text = _chunk(b"zTXt", b"Comment\0\0" + _zeros(200_000_000))
    profile = _chunk(b"iCCP", b"p\0\0" + _zeros(200_000_000))
    pixel_rows = _chunk(b"IDAT", zlib.compress(bytes(64 * 9)))
    loop = _tiff([(256, 4, 1, 64), (257, 4, 1, 64)], next_directory=8)
    return {
        "a PNG of 900 megapixels of black": (_png(30_000, 30_000, rows), TOO_LARGE),
        "a PNG that claims the most": (_png(2**31 - 1, 2**31 - 1), TOO_LARGE),
        "a PNG with a text of 200 MB": (_png(64, 64, text, pixel_rows), NO_IMAGE),
        "a PNG with a color profile of 200 MB": (_png(64, 64, profile, pixel_rows), NO_IMAGE),
        "a GIF that claims the most": (_gif(65_535, 65_535), TOO_LARGE),
        "a GIF with a frame larger than itself": (_gif(32, 32, (65_535, 65_535)), (TOO_LARGE, NO_IMAGE)),
        "a WebP that claims the most": (_webp(16_384, 16_384), (TOO_LARGE, NO_IMAGE)),
        "a TIFF of 900 megapixels of black": (_tiff_of(30_000, 30_000, _zeros(900_000_000)), TOO_LARGE),
        "a TIFF that claims the most": (_tiff_of(2**32 - 1, 2**32 - 1, b""), TOO_LARGE),
        "a TIFF with a tag of 4 GB": (
            _tiff_of(64, 64, zlib.compress(bytes(10)), (700, 1, 2**32 - 1, 8)),
            NO_IMAGE,
        ),
        "a TIFF whose directories go in a circle": (loop, NO_IMAGE),
        "a BMP that claims the most": (_bmp(2**31 - 1, 2**31 - 1), TOO_LARGE),
        "a BMP of runs that never end": (
            _bmp(30_000, 30_000, bits=8, compression=1, data=b"\xff\0" * 9000),
            NO_IMAGE,
        ),
        "a JPEG that claims the most": (_jpeg_claiming(65_500, 65_500), TOO_LARGE),
        "a JPEG of a thousand scans": (_many_scans(), NO_IMAGE),
        "a JPEG 2000 that claims the most": (_jpeg_2000(2**32 - 1, 2**32 - 1), (TOO_LARGE, NO_IMAGE)),
        "a PPM that claims the most": (b"P6 2000000000 2000000000 255\n\0\0\0", TOO_LARGE),
        "a PPM with a number without end": (b"P6 " + b"9" * 100_000, NO_IMAGE),
        "a HEIC that claims the most": (
            _claiming(_saved("HEIF"), 2**31 - 1, 2**31 - 1),
            (TOO_LARGE, NO_IMAGE),
        ),
        "an AVIF that claims the most": (
            _claiming(_saved("AVIF"), 2**31 - 1, 2**31 - 1),
            (TOO_LARGE, NO_IMAGE),
        ),
    }


def of_no_size() -> Files:
    """Pictures with nothing in them, or next to nothing."""
    tiny = io.BytesIO()
    Image.new("RGB", (1, 1)).save(tiny, "PNG")
    return {
        "a PNG without width": (_png(0, 10), (NO_IMAGE, 422)),
        "a GIF without size": (_gif(0, 0), (NO_IMAGE, 422)),
        "a BMP without size": (_bmp(0, 0), (NO_IMAGE, 422)),
        "a BMP of the least height": (_bmp(10, -(2**31)), 422),
        "a BMP of negative width": (_bmp(-100, 100), (TOO_LARGE, NO_IMAGE)),
        "a JPEG without height": (_jpeg_claiming(100, 0), (NO_IMAGE, 422)),
        "a PPM without size": (b"P6 0 0 255\n", (NO_IMAGE, 422)),
        "a TIFF that says no size": (_tiff([(262, 3, 1, 1)]), NO_IMAGE),
        "a picture of one pixel": (tiny.getvalue(), 422),
    }


def cut_short() -> Files:
    """Half of a file of each format, and the first bytes of one."""
    formats = ["PNG", "JPEG", "GIF", "WebP", "TIFF", "BMP", "PPM", "JPEG2000", "HEIF", "AVIF"]
    found: Files = {}
    for name in formats:
        whole = _saved(name)
        found[f"half a {name}"] = (whole[: len(whole) // 2], NO_IMAGE)
        found[f"the beginning of a {name}"] = (whole[:40], NO_IMAGE)
    return found


def damaged() -> Files:
    """Files of a known format with rubbish in them, and files of two formats at once."""
    png = _saved("PNG")
    at = png.index(b"IDAT") + 20
    script = b"/*" + bytes(200) + b"*/=1;alert(document.domain);"
    document = b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj"
    return {
        "a PNG with a wrong checksum": (png[:at] + bytes(8) + png[at + 8 :], NO_IMAGE),
        "a PNG whose pixels are no zlib": (_png(64, 64, _chunk(b"IDAT", b"rubbish" * 9)), NO_IMAGE),
        "a GIF that is a script": (b"GIF89a" + script, (NO_IMAGE, 422, TOO_LARGE)),
        "a JPEG that is a PDF": (b"\xff\xd8\xff\xe0" + document, NO_IMAGE),
        "a PNG that is a page": (b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script></html>", NO_IMAGE),
        "a BMP that is a page": (b"BM<html><body onload=alert(1)>" + bytes(80), (NO_IMAGE, 422, TOO_LARGE)),
        "a WebP that is a sound": (b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), NO_IMAGE),
        "a HEIC of noise": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(range(256)) * 4, NO_IMAGE),
        "an AVIF of noise": (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(range(256)) * 4, NO_IMAGE),
    }


def no_images() -> Files:
    """Other things that people send, or that decoders of other programs would have opened."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99">%s</svg>'
    entity = b'<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    things = {
        "nothing": b"",
        "one byte": b"\xff",
        "zeros": bytes(5000),
        "a text": b"a red dress, please" * 40,
        "a PDF": b"%PDF-1.7\n" + bytes(500),
        "a ZIP": b"PK\x03\x04" + bytes(500),
        "a RAR": b"Rar!\x1a\x07\x01\0" + bytes(500),
        "a gzip": b"\x1f\x8b\x08" + bytes(500),
        "a program of Windows": b"MZ\x90\0" + bytes(500),
        "a program of Linux": b"\x7fELF\x02\x01\x01" + bytes(500),
        "a shell script": b"#!/bin/sh\nrm -rf /\n",
        "PHP": b"<?php system($_GET['c']); ?>",
        "an SVG with a script": svg % b"<script>alert(1)</script>",
        "an SVG with an entity": entity + svg % b"<text>&x;</text>",
        "an SVG that includes a file": svg % b'<image href="file:///etc/passwd"/>',
        "a page": b"<!doctype html><title>x</title><script>alert(1)</script>",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(w) file\n",
        "an MVG of ImageMagick": b"push graphic-context\nimage over 0,0 0,0 'https://127.0.0.1/x'\n",
        "an icon": b"\0\0\x01\0\x01\0\x10\x10" + bytes(500),
        "a PSD": b"8BPS\0\x01" + bytes(500),
        "an XBM": b"#define x_width 99999\n#define x_height 99999\nstatic char x_bits[] = {0x00};",
        "an XPM": b'/* XPM */ static char *x[] = {"9 9 1 1", "a c #fff"};',
        "a film": b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2" + bytes(500),
        "a sound": b"ID3\x04" + bytes(500),
        "a pickle": b"\x80\x04cposix\nsystem\n(S'true'\ntR.",
        "a NumPy array": b"\x93NUMPY\x01\0" + bytes(500),
        "an SQLite file": b"SQLite format 3\0" + bytes(500),
    }
    return {name: (data, NO_IMAGE) for name, data in things.items()}
