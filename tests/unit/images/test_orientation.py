from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from stylesearch.images.decode import decode, exif_orientation

# What a camera held that way stores, from the upright picture (Exif 2.32, tag 274: which side of the scene
# the first row and the first column are).
STORED = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright, 2).transpose(1, 0, 2),
    8: lambda upright: np.rot90(upright, -1),
}


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_every_orientation_of_every_format_that_has_one(file_format, orientation, quadrants, encode, near):
    stored = np.ascontiguousarray(STORED[orientation](quadrants))
    data = encode(stored, file_format, exif=_exif(orientation), quality=95)
    image = decode(data)
    assert (image.width, image.height) == (64, 96)
    near(image.pixels, quadrants, mean=6)
    # The middle of each quadrant, where compression has no edge to smear.
    for y, x in ((20, 15), (20, 48), (75, 15), (75, 48)):
        assert np.abs(image.pixels[y, x].astype(int) - quadrants[y, x]).max() < 12


@pytest.mark.parametrize("orientation", [1, 6])
def test_orientation_and_reduction_together(orientation, garment, encode, near):
    upright = np.asarray(garment.resize((600, 800)))
    stored = np.ascontiguousarray(STORED[orientation](upright))
    asked = []

    def long_side(width, height):
        asked.append((width, height))
        return 400

    image = decode(encode(stored, "JPEG", exif=_exif(orientation), quality=95), reduce_to=long_side)
    assert set(asked) == {(600, 800)}
    assert image.pixels.shape == (400, 300, 3)
    assert (image.width, image.height) == (600, 800)
    near(image.pixels, garment, mean=4)


def test_png_that_tells_its_orientation_behind_the_pixels(quadrants, encode, near):
    data = encode(np.ascontiguousarray(STORED[6](quadrants)), "PNG")
    content = b"eXIf" + _exif(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    image = decode(data[:-12] + chunk + data[-12:])
    np.testing.assert_array_equal(image.pixels, quadrants)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"Exif\0\0",
        b"Exif\0\0garbage that is no directory",
        b"MM\0*\0\0\0\x08",
        b"MM\0*\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\x09\0\0\0\0\0\0",
        b"MM\0*\0\0\0\x08\0\1\x01\x12\0\2\0\0\0\1\0\6\0\0\0\0\0\0",
        None,
        {274: 6},
    ],
)
def test_a_block_without_sense_means_upright(block):
    assert exif_orientation(block) == 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "code"), [(1, "B"), (3, "H"), (4, "L")])
def test_both_byte_orders_and_all_whole_number_types(order, kind, code):
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    other = struct.pack(f"{order}HHLL", 0x010F, 2, 4, 0)
    value = struct.pack(order + code, 8).ljust(4, b"\0")
    entry = struct.pack(f"{order}HHL", 0x0112, kind, 1) + value
    block = mark + struct.pack(f"{order}LH", 8, 2) + other + entry
    assert exif_orientation(block) == 8
    assert exif_orientation(b"Exif\0\0Exif\0\0" + block) == 8


def test_damaged_exif_costs_nothing_but_the_orientation(quadrants, encode):
    # Pillow would warn here, which the tests count as an error.
    block = b"Exif\0\0II*\0\x08\0\0\0\x05\0" + b"\x1a\x01\x05\0\x01\0\0\0\xff\xff\xff\x7f" * 3
    for file_format in ("JPEG", "PNG", "WEBP"):
        image = decode(encode(quadrants, file_format, exif=block))
        assert (image.width, image.height) == (64, 96)
