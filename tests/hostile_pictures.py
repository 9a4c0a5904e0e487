"""Makes hostile pictures: files of one kind of content each, which keep a decoder busy or fill its memory.

``HOSTILE`` has them by name; each is made of a size in bytes, and is about as long or shorter. They are the
same on every call.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable
from functools import lru_cache
from io import BytesIO

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

MAX_BYTES = 20_000_000
"""The largest upload of a service, by default."""

SIDE_OF_50_MP = 7_000

HOSTILE: dict[str, Callable[[int], bytes]] = {}


def make(name: str, n_bytes: int = MAX_BYTES) -> bytes:
    """Makes the hostile picture of this name, of about ``n_bytes`` bytes at most."""
    return HOSTILE[name](n_bytes)


def _hostile(function: Callable[[int], bytes]) -> Callable[[int], bytes]:
    HOSTILE[function.__name__.replace("_", "-")] = function
    return function


def _filled(unit: bytes, n_bytes: int) -> bytes:
    return unit * max(1, n_bytes // len(unit))


@lru_cache(maxsize=64)
def _saved(picture_format: str, side: int = 64, mode: str = "RGB", **options: object) -> bytes:
    """A small honest picture."""
    noise = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    stream = BytesIO()
    Image.fromarray(noise).convert(mode).save(stream, picture_format, **options)
    return stream.getvalue()


@lru_cache(maxsize=16)
def _saved_large(
    picture_format: str, mode: str = "RGB", side: int = SIDE_OF_50_MP, **options: object
) -> bytes:
    """An honest picture of nearly 50 megapixels: a gradient."""
    row = np.arange(side, dtype=np.uint32)
    plane = ((row[:, None] + row[None, :]) % 256).astype(np.uint8)
    picture = Image.fromarray(plane).convert(mode)
    stream = BytesIO()
    picture.save(stream, picture_format, **options)
    return stream.getvalue()


# JPEG. A picture of 64 x 64 pixels, and something before its first table.


def _jpeg_with(segments: bytes) -> bytes:
    whole = _saved("JPEG")
    return whole[:2] + segments + whole[2:]


def _segment(marker: int, content: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def _segments(marker: int, content: bytes, n_bytes: int) -> bytes:
    return _jpeg_with(_filled(_segment(marker, content), n_bytes))


@_hostile
def jpeg_fill_after_start(n_bytes: int) -> bytes:
    return _jpeg_with(b"\xff" * n_bytes)


@_hostile
def jpeg_fill_before_scan(n_bytes: int) -> bytes:
    whole = _saved("JPEG")
    at = whole.index(b"\xff\xda")
    return whole[:at] + b"\xff" * n_bytes + whole[at:]


@_hostile
def jpeg_fill_in_scan(n_bytes: int) -> bytes:
    whole = _saved("JPEG")
    return whole[:-200] + b"\xff" * n_bytes


@_hostile
def jpeg_fill_and_zeros_in_scan(n_bytes: int) -> bytes:
    whole = _saved("JPEG")
    return whole[:-200] + _filled(b"\xff" * 50_000 + b"\0", n_bytes)


@_hostile
def jpeg_junk_between_segments(n_bytes: int) -> bytes:
    return _jpeg_with(_segment(0xFE, b"") + b"\x11" * n_bytes)


@_hostile
def jpeg_escaped_zeros_between_segments(n_bytes: int) -> bytes:
    return _jpeg_with(_segment(0xFE, b"") + _filled(b"\xff\0", n_bytes))


@_hostile
def jpeg_restart_markers_before_scan(n_bytes: int) -> bytes:
    return _jpeg_with(_filled(b"\xff\xd0", n_bytes))


@_hostile
def jpeg_restart_markers_in_scan(n_bytes: int) -> bytes:
    return _saved("JPEG")[:-200] + _filled(b"\xff\xd0", n_bytes)


@_hostile
def jpeg_empty_segments(n_bytes: int) -> bytes:
    return _segments(0xE0, b"", n_bytes)


@_hostile
def jpeg_empty_segments_after_scan(n_bytes: int) -> bytes:
    return _saved("JPEG")[:-200] + _filled(_segment(0xE0, b""), n_bytes)


@_hostile
def jpeg_scans_after_scan(n_bytes: int) -> bytes:
    whole = _saved("JPEG", progressive=True)
    at = whole.index(b"\xff\xda")
    header = whole[at : at + 4 + 10]
    return whole[:-2] + _filled(header, n_bytes) + whole[-2:]


@_hostile
def jpeg_empty_exif(n_bytes: int) -> bytes:
    return _segments(0xE1, b"Exif\0\0", n_bytes)


@_hostile
def jpeg_exif_by_the_byte(n_bytes: int) -> bytes:
    return _segments(0xE1, b"Exif\0\0M", n_bytes)


@_hostile
def jpeg_exif_of_megabytes(n_bytes: int) -> bytes:
    return _segments(0xE1, b"Exif\0\0" + b"MM\0*\0\0\0\x08\xff\xff" + b"\1\0" * 32_000, n_bytes)


@_hostile
def jpeg_exif_of_exif(n_bytes: int) -> bytes:
    return _segments(0xE1, b"Exif\0\0" * 10_900, n_bytes)


@_hostile
def jpeg_exif_of_little_strings(n_bytes: int) -> bytes:
    return _segments(0xE1, b"Exif\0\0" + _exif_of_entries(5_000)[:65_000], n_bytes)


@_hostile
def jpeg_xmp_of_megabytes(n_bytes: int) -> bytes:
    return _segments(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<tiff:Orientation>" * 3_600, n_bytes)


@_hostile
def jpeg_icc_of_megabytes(n_bytes: int) -> bytes:
    profile = _profile(n_bytes)
    parts = [profile[at : at + 65_500] for at in range(0, len(profile), 65_500)][:255]
    return _jpeg_with(
        b"".join(
            _segment(0xE2, b"ICC_PROFILE\0" + bytes([number, len(parts)]) + part)
            for number, part in enumerate(parts, 1)
        )
    )


@_hostile
def jpeg_photoshop_resources(n_bytes: int) -> bytes:
    return _segments(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\0" * 5_400, n_bytes)


@_hostile
def jpeg_comments(n_bytes: int) -> bytes:
    return _segments(0xFE, b"c" * 65_533, n_bytes)


@_hostile
def jpeg_quantization_tables(n_bytes: int) -> bytes:
    return _segments(0xDB, (b"\0" + b"\1" * 64) * 1_000, n_bytes)


@_hostile
def jpeg_huffman_tables(n_bytes: int) -> bytes:
    return _segments(0xC4, (b"\0\0\1" + b"\0" * 14 + b"\0") * 3_600, n_bytes)


@_hostile
def jpeg_frames_of_components(n_bytes: int) -> bytes:
    return _segments(0xC0, b"\x08\0\x40\0\x40\3" + b"\1\x11\0" * 21_800, n_bytes)


@_hostile
def jpeg_progressive_of_100_scans(n_bytes: int) -> bytes:
    return _progressive_of_scans(100, SIDE_OF_50_MP, b"", n_bytes)


@_hostile
def jpeg_progressive_of_100_scans_with_data(n_bytes: int) -> bytes:
    return _progressive_of_scans(100, SIDE_OF_50_MP, b"\x5a\xa5" * (n_bytes // 220), n_bytes)


@_hostile
def jpeg_progressive_of_20_scans(n_bytes: int) -> bytes:
    return _progressive_of_scans(20, SIDE_OF_50_MP, b"\x5a\xa5" * (n_bytes // 44), n_bytes)


@_hostile
def jpeg_progressive_without_detail(n_bytes: int) -> bytes:
    return _progressive_of_scans(1, SIDE_OF_50_MP, b"\x5a\xa5" * (n_bytes // 3), n_bytes)


@_hostile
def jpeg_progressive_cut_short(n_bytes: int) -> bytes:
    return _progressive_of_scans(30, SIDE_OF_50_MP, b"\x5a\xa5" * (n_bytes // 64), n_bytes)[:-2]


def _progressive_of_scans(n_scans: int, side: int, data: bytes, n_bytes: int) -> bytes:
    """Scans that refine the same coefficients again and again."""
    whole = _saved("JPEG", progressive=True, subsampling=0)
    frame = whole.index(b"\xff\xc2")
    sized = whole[: frame + 5] + struct.pack(">HH", side, side) + whole[frame + 9 :]
    tables = sized[: sized.index(b"\xff\xda")]
    dc = _segment(0xDA, b"\3\1\0\2\0\3\0\0\0\0") + b"\0" * 64
    ac_table = _segment(0xC4, b"\x10" + b"\0\2" + b"\0" * 14 + b"\x01\xe0")
    scans = [dc]
    for number in range(n_scans - 1):
        component = 1 + number % 3
        header = _segment(0xDA, bytes([1, component, 0, 1, 63, 0]))
        scans.append(header + (data or b"\0" * 16))
    return (tables + ac_table + b"".join(scans))[: n_bytes - 2] + b"\xff\xd9"


@_hostile
def jpeg_arithmetic_of_noise(n_bytes: int) -> bytes:
    return _arithmetic(0xC9, b"\3\1\0\2\0\3\0\0\x3f\0", n_bytes)


@_hostile
def jpeg_arithmetic_progressive(n_bytes: int) -> bytes:
    return _arithmetic(0xCA, b"\3\1\0\2\0\3\0\0\0\0", n_bytes)


def _arithmetic(frame_marker: int, scan: bytes, n_bytes: int) -> bytes:
    side = SIDE_OF_50_MP
    whole = _saved("JPEG", subsampling=0)
    tables = whole[2 : whole.index(b"\xff\xc0")]
    frame = _segment(frame_marker, b"\x08" + struct.pack(">HH", side, side) + b"\3\1\x11\0\2\x11\0\3\x11\0")
    noise = np.random.default_rng(1).integers(0, 255, n_bytes, np.uint8).tobytes()
    coded = tables + frame + _segment(0xDA, scan)
    if frame_marker == 0xCA:
        ac = b"".join(_segment(0xDA, bytes([1, c, 0, 1, 63, 0])) + noise[: n_bytes // 4] for c in (1, 2, 3))
        return b"\xff\xd8" + coded + noise[: n_bytes // 8] + ac + b"\xff\xd9"
    return b"\xff\xd8" + coded + noise + b"\xff\xd9"


@_hostile
def jpeg_noise_of_50_megapixels(n_bytes: int) -> bytes:
    """Honest, as far as its header goes: the data are noise."""
    side = SIDE_OF_50_MP
    whole = _saved("JPEG", subsampling=0)
    frame = whole.index(b"\xff\xc0")
    start = whole.index(b"\xff\xda") + 14
    noise = np.random.default_rng(1).integers(0, 255, n_bytes - 5_000, np.uint8).tobytes()
    sized = whole[: frame + 5] + struct.pack(">HH", side, side) + whole[frame + 9 : start]
    return sized + noise + b"\xff\xd9"


# PNG.


def _chunk(kind: bytes, content: bytes = b"") -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
    )


def _png_with(chunks: bytes) -> bytes:
    whole = _saved("PNG")
    return whole[:33] + chunks + whole[33:]


@_hostile
def png_empty_chunks(n_bytes: int) -> bytes:
    return _png_with(_filled(_chunk(b"prVt"), n_bytes))


@_hostile
def png_empty_chunks_after_data(n_bytes: int) -> bytes:
    return _saved("PNG")[:-12] + _filled(_chunk(b"prVt"), n_bytes) + _chunk(b"IEND")


@_hostile
def png_empty_data_chunks(n_bytes: int) -> bytes:
    return _png_with(_filled(_chunk(b"IDAT"), n_bytes))


@_hostile
def png_data_by_the_byte(n_bytes: int) -> bytes:
    side = int((n_bytes / 14 / 3) ** 0.5)
    noise = np.random.default_rng(0).integers(0, 255, (side, side * 3), np.uint8)
    data = zlib.compress(np.pad(noise, ((0, 0), (1, 0))).tobytes(), 1)
    return _png(side, side, 8, 2, b"".join(_chunk(b"IDAT", data[at : at + 1]) for at in range(len(data))))


def _png(width: int, height: int, bits: int, color: int, chunks: bytes, interlaced: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + chunks + _chunk(b"IEND")


@_hostile
def png_texts(n_bytes: int) -> bytes:
    return _png_with(b"".join(_chunk(b"tEXt", b"%d\0" % number) for number in range(n_bytes // 20)))


@_hostile
def png_compressed_texts(n_bytes: int) -> bytes:
    return _png_with(
        _filled(_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(2**20), 9)), min(n_bytes, 60_000))
    )


@_hostile
def png_compressed_texts_without_key(n_bytes: int) -> bytes:
    return _png_with(_filled(_chunk(b"zTXt", b"\0\0" + zlib.compress(bytes(2**20), 9)), n_bytes))


@_hostile
def png_international_texts(n_bytes: int) -> bytes:
    bomb = zlib.compress(b"\xff" * 2**20, 9)  # no UTF-8: decompressed, and not counted
    return _png_with(_filled(_chunk(b"iTXt", b"k\0\1\0\0\0" + bomb), n_bytes))


@_hostile
def png_profiles(n_bytes: int) -> bytes:
    return _png_with(_filled(_chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(2**20), 9)), n_bytes))


@_hostile
def png_profile_of_a_megabyte(n_bytes: int) -> bytes:
    return _png_with(_chunk(b"iCCP", b"k\0\0" + zlib.compress(_profile(min(n_bytes, 2**20 - 64)), 9)))


@_hostile
def png_profile_of_steps(n_bytes: int) -> bytes:
    return _png_with(_chunk(b"iCCP", b"k\0\0" + zlib.compress(_profile_of_steps(min(n_bytes, 500_000)), 9)))


@_hostile
def webp_profile_of_steps(n_bytes: int) -> bytes:
    return _webp_with(_riff(b"ICCP", _profile_of_steps(n_bytes // 2)))


@_hostile
def png_exif_of_exif(n_bytes: int) -> bytes:
    return _png_with(_chunk(b"eXIf", _filled(b"Exif\0\0", n_bytes)))


@_hostile
def png_exif_of_megabytes(n_bytes: int) -> bytes:
    return _png_with(_chunk(b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" + b"\1" * n_bytes))


@_hostile
def png_palette_of_megabytes(n_bytes: int) -> bytes:
    whole = _saved("PNG", mode="P")
    return whole[:33] + _chunk(b"PLTE", b"\1\2\3" * (n_bytes // 3)) + whole[whole.index(b"IDAT") - 4 :]


@_hostile
def png_frame_controls(n_bytes: int) -> bytes:
    whole = _saved("PNG")
    controls = b"".join(
        _chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 64, 64, 0, 0, 1, 10, 0, 0))
        for number in range(n_bytes // 38)
    )
    return whole[:33] + _chunk(b"acTL", struct.pack(">II", 100, 0)) + controls + whole[33:]


@_hostile
def png_of_50_megapixels_interlaced(n_bytes: int) -> bytes:
    return _png_bomb(SIDE_OF_50_MP, 16, 6, 1)


@_hostile
def png_of_50_megapixels_deep(n_bytes: int) -> bytes:
    return _png_bomb(SIDE_OF_50_MP, 16, 6, 0)


@_hostile
def png_of_50_megapixels(n_bytes: int) -> bytes:
    return _png_bomb(SIDE_OF_50_MP, 8, 2, 0)


@_hostile
def png_of_50_megapixels_with_profile(n_bytes: int) -> bytes:
    profile = _chunk(b"iCCP", b"k\0\0" + zlib.compress(_lut_profile(), 9))
    return _png_bomb(SIDE_OF_50_MP, 16, 6, 0, profile)


@lru_cache(maxsize=4)
def _png_bomb(side: int, bits: int, color: int, interlaced: int, chunks: bytes = b"") -> bytes:
    """All filters are Paeth, the slowest."""
    per_pixel = bits // 8 * {2: 3, 6: 4}[color]
    starts = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]
    packer = zlib.compressobj(6)
    parts = []
    for x, y, step_x, step_y in starts if interlaced else [(0, 0, 1, 1)]:
        n_columns, n_rows = -(-(side - x) // step_x), -(-(side - y) // step_y)
        row = b"\4" + (b"\1\3\5\7\2\4\6\x08"[:per_pixel] * n_columns)
        for _ in range(n_rows):
            parts.append(packer.compress(row))
    data = b"".join([*parts, packer.flush()])
    return _png(side, side, bits, color, chunks + _chunk(b"IDAT", data), interlaced)


# Color profiles.


def _profile(n_bytes: int) -> bytes:
    """sRGB, with a description of megabytes behind its tags."""
    small = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    n_bytes = max(n_bytes, len(small))
    return struct.pack(">I", n_bytes) + small[4:] + bytes(n_bytes - len(small))


def _profile_of_steps(n_bytes: int) -> bytes:
    """A profile of display RGB whose transform is a row of matrices, each applied to what the last made."""
    matrix = b"matf\0\0\0\0" + struct.pack(">HH12f", 3, 3, 0.9, 0.1, 0, 0, 0.9, 0.1, 0.1, 0, 0.9, 0, 0, 0)
    n_steps = max(1, n_bytes // (len(matrix) + 8))
    start = 16 + 8 * n_steps
    places = b"".join(
        struct.pack(">II", start + number * len(matrix), len(matrix)) for number in range(n_steps)
    )
    steps = b"mpet\0\0\0\0" + struct.pack(">HHI", 3, 3, n_steps) + places + matrix * n_steps
    return _display_profile([(b"D2B0", steps), (b"D2B1", steps)], b"\x04\x30\0\0")


def _lut_profile() -> bytes:
    """A profile of display RGB by a table of 33 x 33 x 33 colors (lut16), which inverts colors."""
    n_grid = 33
    steps = np.linspace(65535, 0, n_grid).astype(">u2")
    table = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).tobytes()
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    curve = struct.pack(">2H", 0, 65535)
    lut = b"mft2\0\0\0\0" + bytes([3, 3, n_grid, 0]) + identity + struct.pack(">2H", 2, 2)
    lut += curve * 3 + table + curve * 3
    return _display_profile([(b"A2B0", lut)], b"\x02\x40\0\0")


def _display_profile(transforms: list[tuple[bytes, bytes]], version: bytes) -> bytes:
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"text\0\0\0\0none\0\0\0\0"
    contents = [*transforms, (b"wtpt", white), (b"cprt", text), (b"desc", text)]
    tags, body = [], b""
    for name, content in contents:
        tags.append((name, 128 + 4 + len(contents) * 12 + len(body), len(content)))
        body += content + bytes(-len(content) % 4)
    directory = struct.pack(">I", len(tags)) + b"".join(struct.pack(">4sII", *tag) for tag in tags)
    header = bytearray(128)
    header[8:12] = version
    header[12:24] = b"mntrRGB Lab "
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    whole = bytes(header) + directory + body
    return struct.pack(">I", len(whole)) + whole[4:]


# TIFF.


def _tiff(entries: Iterable[tuple[int, int, int, bytes]], body: bytes = b"", *, big: bool = False) -> bytes:
    """One directory, at the end of the file, behind a body that begins at byte 16."""
    listed = sorted(entries)
    if big:
        head = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16 + len(body))
        directory = struct.pack("<Q", len(listed)) + b"".join(
            struct.pack("<HHQ8s", tag, kind, count, value) for tag, kind, count, value in listed
        )
        return head + body + directory + bytes(8)
    head = b"II*\0" + struct.pack("<I", 16 + len(body)) + bytes(8)
    directory = struct.pack("<H", len(listed)) + b"".join(
        struct.pack("<HHI4s", tag, kind, count, value[:4]) for tag, kind, count, value in listed
    )
    return head + body + directory + bytes(4)


def _number(value: int) -> bytes:
    return struct.pack("<Q", value)


def _tiff_entries(
    width: int, height: int, compression: int = 1, **others: int
) -> list[tuple[int, int, int, bytes]]:
    return [
        (256, 4, 1, _number(width)),
        (257, 4, 1, _number(height)),
        (258, 3, 1, _number(8)),
        (259, 3, 1, _number(compression)),
        (262, 3, 1, _number(1)),
        (277, 3, 1, _number(1)),
    ]


def _tiff_strips(
    width: int,
    height: int,
    rows: int,
    compression: int,
    data: bytes,
    *,
    same: bool = True,
    more: Iterable[tuple[int, int, int, bytes]] = (),
) -> bytes:
    n_strips = -(-height // rows)
    data += bytes(len(data) % 2)
    lengths = struct.pack("<I", len(data)) * n_strips
    offsets = struct.pack("<I", 16) * n_strips
    entries = [
        *_tiff_entries(width, height, compression),
        (273, 4, n_strips, _number(16 + len(data) if n_strips > 1 else 16)),
        (278, 4, 1, _number(rows)),
        (279, 4, n_strips, _number(16 + len(data) + len(offsets) if n_strips > 1 else len(data))),
        *more,
    ]
    return _tiff(entries, data + offsets + lengths)


@_hostile
def tiff_of_65535_entries(n_bytes: int) -> bytes:
    entries = [(300 + number % 30_000, 3, 1, _number(1)) for number in range(min(65_000, n_bytes // 12))]
    return _tiff([*_tiff_entries(64, 64), (273, 4, 1, _number(16)), *entries], bytes(64 * 64))


@_hostile
def tiff_of_a_million_entries(n_bytes: int) -> bytes:
    entries = [(33_000 + number % 30_000, 3, 1, _number(1)) for number in range(n_bytes // 20)]
    return _tiff([*_tiff_entries(64, 64), (273, 4, 1, _number(16)), *entries], bytes(64 * 64), big=True)


@_hostile
def tiff_of_overlapping_strings(n_bytes: int) -> bytes:
    n_entries = 60_000
    size = max(8, n_bytes // n_entries)
    entries = [(300 + number, 2, size, _number(16)) for number in range(n_entries)]
    return _tiff(
        [*_tiff_entries(64, 64), (273, 4, 1, _number(16)), *entries], bytes(n_bytes - n_entries * 12)
    )


@_hostile
def tiff_of_entries_turned(n_bytes: int) -> bytes:
    """Pillow writes all tags anew to take the orientation away."""
    entries = [(300 + number, 5, 1, _number(16)) for number in range(min(30_000, n_bytes // 12))]
    more = [(273, 4, 1, _number(16)), (274, 3, 1, _number(6))]
    return _tiff([*_tiff_entries(64, 64), *more, *entries], bytes(64 * 64))


@_hostile
def tiff_of_rationals_turned(n_bytes: int) -> bytes:
    more = [(273, 4, 1, _number(16)), (274, 3, 1, _number(6)), (40_000, 5, n_bytes // 8 - 10, _number(16))]
    return _tiff([*_tiff_entries(64, 64), *more], bytes(n_bytes))


@_hostile
def tiff_of_xmp_turned(n_bytes: int) -> bytes:
    more = [(273, 4, 1, _number(16)), (274, 3, 1, _number(6)), (700, 1, n_bytes - 10, _number(16))]
    return _tiff([*_tiff_entries(64, 64), *more], _filled(b"<tiff:Orientation>", n_bytes).ljust(n_bytes))


@_hostile
def tiff_of_exif_entries(n_bytes: int) -> bytes:
    inner = struct.pack("<H", 65_000) + b"".join(
        struct.pack("<HHI4s", number % 65_000, 3, 1, b"\1\0\0\0") for number in range(65_000)
    )
    body = bytes(64 * 64) + inner + bytes(4)
    pointers = [(tag, 4, 1, _number(16 + 64 * 64)) for tag in (34_665, 34_853, 40_965)]
    return _tiff([*_tiff_entries(64, 64), (273, 4, 1, _number(16)), *pointers], body)


@_hostile
def tiff_of_strips_of_a_row(n_bytes: int) -> bytes:
    return _tiff_strips(16, n_bytes // 8, 1, 1, bytes(16))


@_hostile
def tiff_of_tiles_of_16_pixels(n_bytes: int) -> bytes:
    side = int((n_bytes // 8) ** 0.5) * 16
    side = min(side, SIDE_OF_50_MP)
    n_tiles = (-(-side // 16)) ** 2
    body = bytes(256) + struct.pack("<I", 16) * n_tiles + struct.pack("<I", 256) * n_tiles
    more = [
        (322, 4, 1, _number(16)),
        (323, 4, 1, _number(16)),
        (324, 4, n_tiles, _number(16 + 256)),
        (325, 4, n_tiles, _number(16 + 256 + 4 * n_tiles)),
    ]
    return _tiff([*_tiff_entries(side, side), *more], body)


@_hostile
def tiff_of_deflated_strips_of_a_row(n_bytes: int) -> bytes:
    return _tiff_strips(16, min(3_000_000, n_bytes // 8), 1, 8, zlib.compress(bytes(16)))


@_hostile
def tiff_of_strips_of_the_same_bytes(n_bytes: int) -> bytes:
    shared = zlib.compress(bytes(7_000)) + bytes(n_bytes - 100_000)
    return _tiff_strips(SIDE_OF_50_MP, SIDE_OF_50_MP, 1, 8, shared)


@_hostile
def tiff_of_progressive_jpeg_strips(n_bytes: int) -> bytes:
    strip = _progressive_of_scans(90, 64, b"", 200_000)
    return _tiff_strips(64, 64 * 4_000, 64, 7, strip)


@_hostile
def tiff_of_50_megapixels_deflated(n_bytes: int) -> bytes:
    return _saved_large("TIFF", compression="tiff_adobe_deflate")


@_hostile
def tiff_of_50_megapixels_lzw(n_bytes: int) -> bytes:
    return _saved_large("TIFF", "L", compression="tiff_lzw")


@_hostile
def tiff_of_50_megapixels_lzma(n_bytes: int) -> bytes:
    import lzma

    side = SIDE_OF_50_MP
    noise = np.random.default_rng(0).integers(0, 2, n_bytes * 2, np.uint8)
    row = np.tile(noise, -(-side * side // len(noise)))[: side * side]
    data = lzma.compress(row.tobytes(), preset=0)
    return _tiff_strips(side, side, side, 34_925, data[: n_bytes - 1_000])


# WebP.


def _riff(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def _webp_with(before: bytes, after: bytes = b"", flags: int = 0x2C) -> bytes:
    image = _saved("WEBP")[12:]
    extended = _riff(b"VP8X", struct.pack("<I", flags) + b"\x3f\0\0\x3f\0\0")
    body = b"WEBP" + extended + before + image + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


@_hostile
def webp_empty_chunks(n_bytes: int) -> bytes:
    return _webp_with(b"", _filled(_riff(b"prVt", b""), n_bytes))


@_hostile
def webp_empty_chunks_before_picture(n_bytes: int) -> bytes:
    return _webp_with(_filled(_riff(b"prVt", b""), n_bytes))


@_hostile
def webp_exif_of_exif(n_bytes: int) -> bytes:
    return _webp_with(b"", _riff(b"EXIF", _filled(b"Exif\0\0", n_bytes)))


@_hostile
def webp_xmp_of_megabytes(n_bytes: int) -> bytes:
    return _webp_with(b"", _riff(b"XMP ", _filled(b"<tiff:Orientation>", n_bytes)))


@_hostile
def webp_profile_of_megabytes(n_bytes: int) -> bytes:
    return _webp_with(_riff(b"ICCP", _profile(n_bytes)))


@_hostile
def webp_frames(n_bytes: int) -> bytes:
    picture = _saved("WEBP", side=16)[12:]
    frame = _riff(b"ANMF", bytes(6) + b"\x0f\0\0\x0f\0\0\x0a\0\0\0" + picture)
    body = b"WEBP" + _riff(b"VP8X", b"\2\0\0\0\x3f\0\0\x3f\0\0") + _riff(b"ANIM", bytes(6))
    body += _filled(frame, n_bytes)
    return b"RIFF" + struct.pack("<I", len(body)) + body


@_hostile
def webp_of_50_megapixels(n_bytes: int) -> bytes:
    return _saved_large("WEBP", quality=30, method=0)


@_hostile
def webp_lossless_of_50_megapixels(n_bytes: int) -> bytes:
    return _saved_large("WEBP", lossless=True, quality=0, method=0)


@_hostile
def webp_lossless_of_noise(n_bytes: int) -> bytes:
    return _saved("WEBP", side=int((n_bytes / 3.2) ** 0.5), lossless=True, quality=0, method=0)


# GIF.


def _gif_with(blocks: bytes) -> bytes:
    whole = _saved("GIF")
    at = 13 + (3 << (1 + (whole[10] & 7)))
    return whole[:at] + blocks + whole[at:]


@_hostile
def gif_comment_by_the_byte(n_bytes: int) -> bytes:
    return _gif_with(b"!\xfe" + _filled(b"\1c", n_bytes) + b"\0")


@_hostile
def gif_comments(n_bytes: int) -> bytes:
    return _gif_with(_filled(b"!\xfe\0", n_bytes))


@_hostile
def gif_application_by_the_byte(n_bytes: int) -> bytes:
    return _gif_with(b"!\xff\x0bXMP DataXMP" + _filled(b"\1c", n_bytes) + b"\0")


@_hostile
def gif_graphic_controls(n_bytes: int) -> bytes:
    return _gif_with(_filled(b"!\xf9\4\0\0\0\0\0", n_bytes))


@_hostile
def gif_junk_between_blocks(n_bytes: int) -> bytes:
    return _gif_with(b"\1" * n_bytes)


@_hostile
def gif_data_by_the_byte(n_bytes: int) -> bytes:
    whole = _saved_large("GIF", "P", side=int((2 * n_bytes) ** 0.5))
    start = _gif_data_start(whole)
    at = start
    parts = []
    while whole[at]:
        parts.append(whole[at + 1 : at + 1 + whole[at]])
        at += 1 + whole[at]
    data = b"".join(parts)
    ones = np.ones((len(data), 2), np.uint8)
    ones[:, 1] = np.frombuffer(data, np.uint8)
    return whole[:start] + ones.tobytes() + whole[at:]


def _gif_data_start(whole: bytes) -> int:
    at = 13 + (3 << (1 + (whole[10] & 7)))
    while whole[at : at + 1] == b"!":
        at += 2
        while whole[at]:
            at += 1 + whole[at]
        at += 1
    local = whole[at + 9]
    return at + 11 + ((3 << (1 + (local & 7))) if local & 128 else 0)


@_hostile
def gif_of_50_megapixels(n_bytes: int) -> bytes:
    return _saved_large("GIF", "P")


@_hostile
def gif_of_50_megapixels_interlaced(n_bytes: int) -> bytes:
    return _saved_large("GIF", "P", interlace=True)


@_hostile
def gif_of_clear_codes(n_bytes: int) -> bytes:
    whole = _saved_large("GIF", "P", side=1_000)
    start = _gif_data_start(whole)
    return whole[:start] + _filled(
        b"\xff" + bytes([0, 2, 4, 8, 16, 32, 64, 128, 1] * 28)[:252] + b"\1\1\1", n_bytes
    )


# BMP.


def _bmp(width: int, height: int, compression: int, bits: int, data: bytes) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 0, 0, 256, 0)
    palette = b"".join(bytes([number, 255 - number, 7, 0]) for number in range(256))
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data


@_hostile
def bmp_runs_of_a_pixel(n_bytes: int) -> bytes:
    side = int((n_bytes // 2) ** 0.5) // 4 * 4
    return _bmp(side, side, 1, 8, (b"\1\7" * side + b"\0\0") * side)


@_hostile
def bmp_empty_runs(n_bytes: int) -> bytes:
    return _bmp(SIDE_OF_50_MP, SIDE_OF_50_MP, 1, 8, _filled(b"\0\3\1\1\1\0", n_bytes // 2))


@_hostile
def bmp_ends_of_lines(n_bytes: int) -> bytes:
    side = SIDE_OF_50_MP
    return _bmp(side, side, 1, 8, b"\1\1\0\0" * side)


@_hostile
def bmp_half_bytes(n_bytes: int) -> bytes:
    side = SIDE_OF_50_MP // 2
    row = b"\xff\x17" * (side // 255) + bytes([side % 255 or 1, 0x17])
    return _bmp(side, side, 2, 4, (row + b"\0\0") * side)


@_hostile
def bmp_header_of_megabytes(n_bytes: int) -> bytes:
    return b"BM" + struct.pack("<IHHII", n_bytes, 0, 0, 54, n_bytes - 20) + bytes(n_bytes)


@_hostile
def bmp_of_50_megapixels_in_bits(n_bytes: int) -> bytes:
    row_bytes = (SIDE_OF_50_MP + 31) // 32 * 4
    return _bmp(SIDE_OF_50_MP, SIDE_OF_50_MP, 0, 1, bytes(row_bytes * SIDE_OF_50_MP))


# PPM.


@_hostile
def ppm_comment_of_megabytes(n_bytes: int) -> bytes:
    return b"P6\n#" + b"c" * n_bytes + b"\n64 64 255\n" + bytes(64 * 64 * 3)


@_hostile
def ppm_comments(n_bytes: int) -> bytes:
    return b"P6\n" + _filled(b"#\n", n_bytes) + b"64 64 255\n" + bytes(64 * 64 * 3)


@_hostile
def ppm_blanks(n_bytes: int) -> bytes:
    return b"P6\n" + b" " * n_bytes + b"64 64 255\n" + bytes(64 * 64 * 3)


@_hostile
def ppm_of_254_levels(n_bytes: int) -> bytes:
    side = int(n_bytes**0.5)
    return b"P5 %d %d 254\n" % (side, side) + b"\x7f" * (side * side)


@_hostile
def ppm_of_16_bits(n_bytes: int) -> bytes:
    side = int((n_bytes / 6) ** 0.5)
    return b"P6 %d %d 65535\n" % (side, side) + b"\x7f" * (side * side * 6)


@_hostile
def ppm_of_50_megapixels_in_bits(n_bytes: int) -> bytes:
    return b"P4 %d %d\n" % (SIDE_OF_50_MP, SIDE_OF_50_MP) + b"\x5a" * (SIDE_OF_50_MP * -(-SIDE_OF_50_MP // 8))


# JPEG 2000.


def _box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content) + 8) + kind + content


@_hostile
def jp2_empty_boxes(n_bytes: int) -> bytes:
    whole = _saved("JPEG2000")
    return whole[:12] + _filled(_box(b"free"), n_bytes) + whole[12:]


@_hostile
def jp2_empty_boxes_in_header(n_bytes: int) -> bytes:
    whole = _saved("JPEG2000")
    at = whole.index(b"jp2h") - 4
    size = int.from_bytes(whole[at : at + 4], "big")
    header = whole[at + 8 : at + size] + _filled(_box(b"free"), n_bytes)
    return whole[:at] + _box(b"jp2h", header) + whole[at + size :]


@_hostile
def jp2_palette(n_bytes: int) -> bytes:
    whole = _saved("JPEG2000", mode="L")
    at = whole.index(b"jp2h") - 4
    size = int.from_bytes(whole[at : at + 4], "big")
    colors = _box(b"pclr", struct.pack(">HB", 65_535, 3) + b"\7\7\7" + bytes(65_535 * 3))
    header = whole[at + 8 : at + size] + _filled(colors, n_bytes)
    return whole[:at] + _box(b"jp2h", header) + whole[at + size :]


@_hostile
def j2k_empty_segments(n_bytes: int) -> bytes:
    whole = _saved("JPEG2000", no_jp2=True)
    at = 4 + int.from_bytes(whole[4:6], "big")
    return whole[:at] + _filled(b"\xff\x30\0\2", n_bytes) + whole[at:]


@_hostile
def j2k_of_50_megapixels(n_bytes: int) -> bytes:
    return _saved_large(
        "JPEG2000", "L", no_jp2=True, irreversible=True, quality_mode="rates", quality_layers=(20,)
    )


@_hostile
def j2k_of_65535_tiles(n_bytes: int) -> bytes:
    whole = bytearray(_saved("JPEG2000", mode="L", no_jp2=True))
    # The picture and its tiles: 28 x 28 pixels each, of which only the first is there.
    struct.pack_into(">IIIIIIII", whole, 8, SIDE_OF_50_MP, SIDE_OF_50_MP, 0, 0, 28, 28, 0, 0)
    return bytes(whole)


@_hostile
def j2k_of_empty_tiles(n_bytes: int) -> bytes:
    whole = bytearray(_saved("JPEG2000", mode="L", no_jp2=True))
    struct.pack_into(">IIIIIIII", whole, 8, SIDE_OF_50_MP, SIDE_OF_50_MP, 0, 0, 28, 28, 0, 0)
    start = whole.index(b"\xff\x90")
    tiles = b"".join(
        b"\xff\x90\0\x0a" + struct.pack(">HIBB", number, 14 + 6, 0, 1) + b"\xff\x93" + bytes(6)
        for number in range(min(62_500, n_bytes // 20))
    )
    return bytes(whole[:start]) + tiles + b"\xff\xd9"


@_hostile
def j2k_of_many_layers(n_bytes: int) -> bytes:
    return _j2k_coded(SIDE_OF_50_MP, layers=65_535, precincts=b"")


@_hostile
def j2k_of_many_precincts(n_bytes: int) -> bytes:
    return _j2k_coded(2_000, layers=1, precincts=b"\0" + b"\x11" * 5)


@_hostile
def j2k_of_many_layers_and_precincts(n_bytes: int) -> bytes:
    return _j2k_coded(1_000, layers=65_535, precincts=b"\x11" + b"\x22" * 5) + bytes(n_bytes - 1_000)


def _j2k_coded(side: int, layers: int, precincts: bytes) -> bytes:
    whole = bytearray(_saved("JPEG2000", mode="L", no_jp2=True))
    struct.pack_into(">IIIIIIII", whole, 8, side, side, 0, 0, side, side, 0, 0)
    at = whole.index(b"\xff\x52")
    size = int.from_bytes(whole[at + 2 : at + 4], "big")
    style, progression = (1 if precincts else 0), 0
    coding = bytes([style, progression]) + struct.pack(">H", layers) + bytes([0, 5, 4, 4, 0, 1]) + precincts
    start = whole.index(b"\xff\x90")
    tile = b"\xff\x90\0\x0a" + struct.pack(">HIBB", 0, 0, 0, 1) + b"\xff\x93" + bytes(100_000) + b"\xff\xd9"
    rest = bytes(whole[at + 2 + size : start])
    return bytes(whole[:at]) + b"\xff\x52" + struct.pack(">H", len(coding) + 2) + coding + rest + tile


# HEIF and AVIF: a container of items. The picture is one that the encoder made, or a grid of it.


def _full_box(kind: bytes, content: bytes, version: int = 0, flags: int = 0) -> bytes:
    return _box(kind, struct.pack(">I", version << 24 | flags) + content)


@lru_cache(maxsize=8)
def _coded_tile(side: int, kind: str) -> tuple[bytes, bytes]:
    """The decoder's configuration box and the data of a square picture."""
    stream = BytesIO()
    picture = Image.new("RGB", (side, side), (200, 30, 90))
    if kind == "AVIF":
        picture.save(stream, "AVIF")
    else:
        pillow_heif.from_pillow(picture).save(stream)
    whole = stream.getvalue()
    at = whole.index(b"av1C" if kind == "AVIF" else b"hvcC") - 4
    setup = whole[at : at + int.from_bytes(whole[at : at + 4], "big")]
    start = whole.index(b"mdat") + 4
    return setup, whole[start:]


def heif(
    items: list[tuple[bytes, bytes]],
    references: Iterable[tuple[bytes, int, list[int]]] = (),
    *,
    kind: str = "HEIF",
    side: int = 64,
    grid_side: int = 0,
    primary: int = 1,
    after: bytes = b"",
    more_properties: bytes = b"",
    hidden: bool = False,
) -> bytes:
    """A container; items are (type, data) with ids from 1; equal data are stored once."""
    setup, _ = _coded_tile(side, kind)
    main = b"avif" if kind == "AVIF" else b"heic"
    coded = b"av01" if kind == "AVIF" else b"hvc1"
    brand = _box(b"ftyp", main + bytes(4) + b"mif1" + main + b"miaf")
    handler = _full_box(b"hdlr", bytes(4) + b"pict" + bytes(13))
    primary_box = _full_box(b"pitm", struct.pack(">H", primary))
    infos = b"".join(
        _full_box(
            b"infe",
            struct.pack(">HH", number, 0)
            + name
            + b"\0"
            + (b"application/rdf+xml\0" if name == b"mime" else b""),
            2,
            1 if hidden and number != primary else 0,
        )
        for number, (name, _) in enumerate(items, 1)
    )
    info_box = _full_box(b"iinf", struct.pack(">H", len(items)) + infos)
    size = _full_box(b"ispe", struct.pack(">II", side, side))
    grid_size = _full_box(b"ispe", struct.pack(">II", grid_side or side, grid_side or side))
    properties = _box(
        b"ipco", setup + size + grid_size + _full_box(b"pixi", b"\3\x08\x08\x08") + more_properties
    )
    links, n_links = b"", 0
    for number, (name, _) in enumerate(items, 1):
        if name in (coded, b"grid", b"iden", b"iovl"):
            chosen = [0x81, 2, 4] if name == coded else [3, 4]
            links += struct.pack(">HB", number, len(chosen)) + bytes(chosen)
            n_links += 1
    associations = _full_box(b"ipma", struct.pack(">I", n_links) + links)
    property_box = _box(b"iprp", properties + associations)
    linked = b"".join(
        _box(name, struct.pack(">HH", source, len(to)) + b"".join(struct.pack(">H", one) for one in to))
        for name, source, to in references
    )
    reference_box = _full_box(b"iref", linked) if linked else b""

    def meta(starts: dict[bytes, int]) -> bytes:
        extents = b"".join(
            struct.pack(">HHHII", number, 0, 1, starts.get(data, 0), len(data))
            for number, (_, data) in enumerate(items, 1)
        )
        location = _full_box(b"iloc", b"\x44\0" + struct.pack(">H", len(items)) + extents)
        return _full_box(b"meta", handler + primary_box + location + info_box + property_box + reference_box)

    at = len(brand) + len(meta({})) + 8
    starts: dict[bytes, int] = {}
    contents = []
    for _, data in items:
        if data not in starts:
            starts[data] = at
            at += len(data)
            contents.append(data)
    return brand + meta(starts) + _box(b"mdat", b"".join(contents)) + after


def _grid(n: int, side: int) -> bytes:
    return struct.pack(">BBBBII", 0, 1, n - 1, n - 1, n * side, n * side)


def grid_of_tiles(n: int, side: int, kind: str = "HEIF", *, same_item: bool = False) -> bytes:
    """A picture of n x n tiles, as phones write (with tiles of 512 pixels)."""
    _, data = _coded_tile(side, kind)
    coded = b"av01" if kind == "AVIF" else b"hvc1"
    tiles = [(coded, data)] * (1 if same_item else n * n)
    ids = [2] * (n * n) if same_item else list(range(2, n * n + 2))
    items = [(b"grid", _grid(n, side)), *tiles]
    return heif(items, [(b"dimg", 1, ids)], kind=kind, side=side, grid_side=n * side, hidden=True)


def _one(kind: str) -> tuple[bytes, bytes]:
    return (b"av01" if kind == "AVIF" else b"hvc1", _coded_tile(64, kind)[1])


def _container_pictures(kind: str) -> None:
    """The same for both formats, which have one kind of container."""
    prefix = kind.lower()

    def empty_boxes(n_bytes: int) -> bytes:
        return heif([_one(kind)], kind=kind, after=_filled(_box(b"free"), n_bytes))

    def nested_boxes(n_bytes: int) -> bytes:
        inner = b""
        for _ in range(min(5_000, n_bytes // 8)):
            inner = _box(b"moov", inner)
        return heif([_one(kind)], kind=kind, after=inner)

    def properties(n_bytes: int) -> bytes:
        more = _filled(_full_box(b"ispe", struct.pack(">II", 64, 64)), n_bytes)
        return heif([_one(kind)], kind=kind, more_properties=more)

    def items(n_bytes: int) -> bytes:
        return heif([_one(kind)] * min(65_000, n_bytes // 60), kind=kind)

    def items_of_one_exif(n_bytes: int) -> bytes:
        n = 900
        exif = bytes(4) + _filled(b"Exif\0\0", n_bytes - 200_000)
        described = [(b"cdsc", n + 1, list(range(1, n + 1)))]
        return heif([*[_one(kind)] * n, (b"Exif", exif)], described, kind=kind)

    def items_of_one_xmp(n_bytes: int) -> bytes:
        n = 900
        xmp = _filled(b"<tiff:Orientation>", n_bytes - 200_000)
        described = [(b"cdsc", n + 1, list(range(1, n + 1)))]
        return heif([*[_one(kind)] * n, (b"mime", xmp)], described, kind=kind)

    def exif_of_megabytes(n_bytes: int) -> bytes:
        exif = bytes(4) + b"MM\0*\0\0\0\x08" + _exif_entries(65_000) + bytes(n_bytes - 1_000_000)
        return heif([_one(kind), (b"Exif", exif)], [(b"cdsc", 2, [1])], kind=kind)

    def profile_of_megabytes(n_bytes: int) -> bytes:
        more = _box(b"colr", b"prof" + _profile(n_bytes))
        whole = heif([_one(kind)], kind=kind, more_properties=more)
        return whole.replace(b"\3\x81\2\4", b"\3\x81\2\5")

    def grid_of_one_item(n_bytes: int) -> bytes:
        return grid_of_tiles(100, 64, kind, same_item=True)

    def grid_of_50_megapixels(n_bytes: int) -> bytes:
        return grid_of_tiles(13, 512, kind)

    def grid_of_little_tiles(n_bytes: int) -> bytes:
        return grid_of_tiles(100, 64, kind)

    def of_50_megapixels(n_bytes: int) -> bytes:
        if kind == "AVIF":
            return _saved_large("AVIF", speed=10, quality=60)
        return _large_heif()

    for function in (
        empty_boxes,
        nested_boxes,
        properties,
        items,
        items_of_one_exif,
        items_of_one_xmp,
        exif_of_megabytes,
        profile_of_megabytes,
        grid_of_one_item,
        grid_of_50_megapixels,
        grid_of_little_tiles,
        of_50_megapixels,
    ):
        HOSTILE[f"{prefix}-{function.__name__.replace('_', '-')}"] = function


@lru_cache(maxsize=1)
def _large_heif() -> bytes:
    row = np.arange(SIDE_OF_50_MP, dtype=np.uint32)
    plane = ((row[:, None] + row[None, :]) % 256).astype(np.uint8)
    stream = BytesIO()
    pillow_heif.from_pillow(Image.fromarray(plane).convert("RGB")).save(
        stream, quality=50, enc_params={"preset": "ultrafast"}
    )
    return stream.getvalue()


def _exif_entries(n: int) -> bytes:
    return struct.pack(">H", n) + b"".join(
        struct.pack(">HHI4s", number, 3, 1, b"\0\1\0\0") for number in range(n)
    )


def _exif_of_entries(n: int) -> bytes:
    return b"MM\0*\0\0\0\x08" + _exif_entries(n) + bytes(4)


_container_pictures("HEIF")
_container_pictures("AVIF")


@_hostile
def heif_many_extents(n_bytes: int) -> bytes:
    """The picture's data in pieces of no bytes."""
    whole = heif([_one("HEIF")])
    at = whole.index(b"iloc") - 4
    size = int.from_bytes(whole[at : at + 4], "big")
    n_extents = min(65_000, n_bytes // 8)
    location = _full_box(
        b"iloc", b"\x44\0" + struct.pack(">HHHH", 1, 1, 0, n_extents) + struct.pack(">II", 0, 0) * n_extents
    )
    old_meta = whole.index(b"meta") - 4
    meta_size = int.from_bytes(whole[old_meta : old_meta + 4], "big") + len(location) - size
    return (
        whole[:old_meta]
        + struct.pack(">I", meta_size)
        + whole[old_meta + 4 : at]
        + location
        + whole[at + size :]
    )
