from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from stylesearch.images.color import to_srgb
from stylesearch.images.decode import decode

SIDE = 32


def _flat(mode, value):
    return Image.new(mode, (SIDE, SIDE), value)


def _color(decoded):
    """The only color of a picture, within what compression may do to it."""
    low, high = decoded.pixels.min(axis=(0, 1)), decoded.pixels.max(axis=(0, 1))
    assert (high - low).max() <= 8
    return tuple(int(value) for value in decoded.pixels[SIDE // 2, SIDE // 2])


def _close(color, expected, tolerance=3):
    assert np.abs(np.subtract(color, expected)).max() <= tolerance, f"{color} is not {expected}"


def _matrix_profile(red, green, blue, gamma):
    """A minimal ICC display profile (v2.1) with these colorants (XYZ relative to D50) and this gamma."""

    def fixed(value):
        return struct.pack(">i", round(value * 65536))

    def xyz(values):
        return b"XYZ \0\0\0\0" + b"".join(map(fixed, values))

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(79)
    tags = {
        b"desc": description, b"wtpt": xyz((0.9642, 1.0, 0.8249)), b"rXYZ": xyz(red), b"gXYZ": xyz(green),
        b"bXYZ": xyz(blue), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve, b"cprt": b"text\0\0\0\0none\0",
    }  # fmt: skip
    table, body, at = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        padded = content + bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += padded
    header = (
        struct.pack(">I", at + len(body)) + b"\0\0\0\0" + b"\x02\x10\0\0" + b"mntrRGB XYZ " + bytes(12)
        + b"acsp" + bytes(28) + fixed(0.9642) + fixed(1.0) + fixed(0.8249)
    )  # fmt: skip
    return header.ljust(128, b"\0") + table + body


# Adobe RGB (1998): colorants adapted to D50, from its specification; gamma 2.19921875.
ADOBE_RGB = _matrix_profile(
    (0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457), 2.19921875
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


class TestTransparency:
    def test_half_transparent_rgba_lies_over_white(self, encode):
        for file_format in ("PNG", "WEBP"):
            data = encode(
                _flat("RGBA", (200, 0, 0, 128)),
                file_format,
                **{"lossless": True} if file_format == "WEBP" else {},
            )
            _close(_color(decode(data)), (227, 127, 127))

    def test_fully_transparent_is_white_whatever_color_hides_below(self, encode):
        assert _color(decode(encode(_flat("RGBA", (0, 90, 0, 0)), "PNG"))) == (255, 255, 255)

    def test_grey_with_alpha(self, encode):
        _close(_color(decode(encode(_flat("LA", (100, 51)), "PNG"))), (224, 224, 224))

    def test_one_transparent_color_of_rgb_and_grey(self, encode):
        half = np.full((SIDE, SIDE, 3), (10, 200, 30), np.uint8)
        half[:, : SIDE // 2] = (1, 2, 3)
        decoded = decode(encode(half, "PNG", transparency=(1, 2, 3)))
        assert decoded.pixels[0, 0].tolist() == [255, 255, 255]
        assert decoded.pixels[0, -1].tolist() == [10, 200, 30]
        grey = np.where(np.arange(SIDE) < SIDE // 2, 7, 90).astype(np.uint8)[None].repeat(SIDE, axis=0)
        decoded = decode(encode(grey, "PNG", transparency=7))
        assert decoded.pixels[0, 0].tolist() == [255, 255, 255]
        assert decoded.pixels[0, -1].tolist() == [90, 90, 90]

    @pytest.mark.parametrize("transparency", [0, b"\x00\xff", b"\x80\xff"])
    def test_palette_with_transparency(self, transparency, encode):
        image = Image.new("P", (SIDE, SIDE), 0)
        image.putpalette([200, 0, 0, 0, 0, 200])
        image.paste(1, (SIDE // 2, 0, SIDE, SIDE))
        decoded = decode(encode(image, "PNG", transparency=transparency))
        expected = (227, 127, 127) if transparency == b"\x80\xff" else (255, 255, 255)
        _close(decoded.pixels[0, 0], expected)
        assert decoded.pixels[0, -1].tolist() == [0, 0, 200]

    def test_transparent_gif(self, encode):
        image = Image.new("P", (SIDE, SIDE), 0)
        image.putpalette([200, 0, 0, 0, 0, 200])
        image.paste(1, (SIDE // 2, 0, SIDE, SIDE))
        decoded = decode(encode(image, "GIF", transparency=0))
        assert decoded.pixels[0, 0].tolist() == [255, 255, 255]
        assert decoded.pixels[0, -1].tolist() == [0, 0, 200]

    def test_palette_with_transparency_of_its_own(self):
        image = Image.new("P", (SIDE, SIDE), 1)
        image.putpalette([0, 0, 0, 255, 200, 0, 0, 128], "RGBA")
        _close(to_srgb(image).getpixel((0, 0)), (227, 127, 127))

    def test_reducing_lets_no_hidden_color_bleed_in(self, encode):
        pixels = np.zeros((256, 256, 4), np.uint8)
        pixels[:, 128:] = (200, 0, 0, 255)
        pixels[:, :128] = (0, 255, 0, 0)
        reduced = decode(encode(pixels, "PNG"), reduce_to=51).pixels
        assert reduced.shape == (52, 52, 3)
        # From white to red, green and blue fall together: no trace of the hidden green.
        np.testing.assert_allclose(reduced[..., 1].astype(int), reduced[..., 2], atol=2)


class TestDepth:
    def test_16_bit_grey_png_is_scaled_not_clipped(self, encode):
        ramp = np.linspace(0, 65535, 256).round().astype(np.uint16)[None].repeat(32, axis=0)
        pixels = decode(encode(ramp, "PNG")).pixels
        np.testing.assert_array_equal(pixels[0, :, 0], np.arange(256))

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_16_bit_grey_tiff_of_both_byte_orders(self, order, encode):
        values = np.full((SIDE, SIDE), 40000, dtype=np.uint16)
        if order == "<":
            data = encode(values, "TIFF")
        else:
            image = Image.frombytes("I;16B", (SIDE, SIDE), values.astype(">u2").tobytes())
            data = encode(image, "TIFF")
        assert _color(decode(data)) == (156, 156, 156)

    def test_transparent_value_of_16_bit_grey(self, encode):
        values = np.full((SIDE, SIDE), 300, np.uint16)
        values[:, SIDE // 2 :] = 40000
        data = encode(values, "PNG")
        content = b"tRNS" + struct.pack(">H", 300)
        chunk = struct.pack(">I", 2) + content + struct.pack(">I", zlib.crc32(content))
        decoded = decode(data[:33] + chunk + data[33:])
        assert decoded.pixels[0, 0].tolist() == [255, 255, 255]
        assert decoded.pixels[0, -1].tolist() == [156, 156, 156]

    def test_16_bit_rgb_png(self):
        # Pillow writes none, so by hand: color type 2, 16 bit.
        row = b"\0" + struct.pack(">HHH", 0xFF00, 0x8000, 0x0100) * SIDE

        def chunk(name, content):
            return (
                struct.pack(">I", len(content))
                + name
                + content
                + struct.pack(">I", zlib.crc32(name + content))
            )

        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 16, 2, 0, 0, 0))
        data += chunk(b"IDAT", zlib.compress(row * SIDE)) + chunk(b"IEND", b"")
        _close(_color(decode(data)), (255, 128, 1), tolerance=1)

    def test_1_bit(self, encode):
        bits = np.zeros((SIDE, SIDE), bool)
        bits[:, : SIDE // 2] = True
        for file_format in ("PNG", "TIFF", "BMP"):
            decoded = decode(encode(bits, file_format))
            assert decoded.pixels[0, 0].tolist() == [255, 255, 255]
            assert decoded.pixels[0, -1].tolist() == [0, 0, 0]

    def test_grey_and_palette(self, encode):
        assert _color(decode(encode(_flat("L", 77), "PNG"))) == (77, 77, 77)
        _close(_color(decode(encode(_flat("L", 77), "JPEG"))), (77, 77, 77))
        image = _flat("P", 3)
        image.putpalette([0, 0, 0, 1, 1, 1, 2, 2, 2, 12, 34, 56])
        for file_format in ("PNG", "GIF", "BMP", "TIFF"):
            assert _color(decode(encode(image, file_format))) == (12, 34, 56)

    @pytest.mark.parametrize(
        ("values", "expected"),
        [((0.0, 0.5, 1.0), (0, 128, 255)), ((0.0, 51.0, 255.0), (0, 51, 255)), ((0, 257, 65535), (0, 1, 255)),
         ((-5.0, 100_000.0, 200_000.0), (0, 128, 255)), ((float("nan"), 0.5, float("inf")), (0, 128, 0))],
    )  # fmt: skip
    def test_float_tiff(self, values, expected, encode):
        columns = np.array([*values, 1.0 if max(expected) == 128 else values[2]], np.float32)
        decoded = decode(encode(columns[None].repeat(16, 0).repeat(16, 1), "TIFF"))
        assert tuple(decoded.pixels[0, [8, 24, 40], 0].tolist()) == expected

    def test_32_bit_integers(self, encode):
        dark = np.full((SIDE, SIDE), 200 * 257, np.int32)
        assert _color(decode(encode(dark, "TIFF"))) == (200, 200, 200)
        wide = np.zeros((SIDE, SIDE), np.int32)
        wide[:, SIDE // 2 :] = 1_000_000
        assert decode(encode(wide, "TIFF")).pixels[0, [0, -1], 0].tolist() == [0, 255]

    def test_16_bit_ppm(self):
        data = b"P5 32 32 65535\n" + struct.pack(">H", 40000) * (SIDE * SIDE)
        assert _color(decode(data)) == (156, 156, 156)


class TestCmyk:
    def test_jpeg_as_adobe_writes_it_inverted(self, encode):
        data = encode(_flat("CMYK", (255, 0, 0, 0)), "JPEG", quality=95)
        assert b"Adobe" in data
        _close(_color(decode(data)), (0, 255, 255), tolerance=6)
        _close(_color(decode(encode(_flat("CMYK", (0, 0, 0, 0)), "JPEG"))), (255, 255, 255))

    def test_tiff_is_not_inverted(self, encode):
        assert _color(decode(encode(_flat("CMYK", (0, 255, 255, 0)), "TIFF"))) == (255, 0, 0)

    def test_a_profile_of_another_kind_of_pixels_is_ignored(self, encode):
        data = encode(_flat("CMYK", (255, 0, 0, 0)), "TIFF", icc_profile=SRGB)
        assert _color(decode(data)) == (0, 255, 255)


class TestProfiles:
    def test_adobe_rgb_becomes_srgb(self, encode):
        data = encode(_flat("RGB", (100, 180, 90)), "PNG", icc_profile=ADOBE_RGB)
        # By the specifications: linear = v ^ 2.19921875, matrix to XYZ, inverse sRGB matrix, sRGB curve.
        linear = (np.array([100, 180, 90]) / 255) ** 2.19921875
        to_xyz = np.array(
            [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
        )
        from_srgb = np.array(
            [[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]]
        )
        srgb = np.clip(np.linalg.solve(from_srgb, to_xyz @ linear), 0, 1)
        expected = np.where(srgb <= 0.0031308, 12.92 * srgb, 1.055 * srgb ** (1 / 2.4) - 0.055) * 255
        assert np.abs(expected - (100, 180, 90)).max() > 20, "the case must show a difference"
        _close(_color(decode(data)), expected.round().astype(int))

    @pytest.mark.parametrize("file_format", ["JPEG", "WEBP", "TIFF", "AVIF"])
    def test_the_profile_is_found_in_every_format(self, file_format, encode):
        plain = _color(decode(encode(_flat("RGB", (100, 180, 90)), file_format)))
        converted = _color(decode(encode(_flat("RGB", (100, 180, 90)), file_format, icc_profile=ADOBE_RGB)))
        assert plain[0] - converted[0] > 20

    def test_srgb_changes_nothing(self, encode, garment):
        plain = decode(encode(garment, "PNG")).pixels
        np.testing.assert_array_equal(decode(encode(garment, "PNG", icc_profile=SRGB)).pixels, plain)

    def test_transparency_and_profile_together(self, encode):
        opaque = _color(decode(encode(_flat("RGB", (100, 180, 90)), "PNG", icc_profile=ADOBE_RGB)))
        half = _color(decode(encode(_flat("RGBA", (100, 180, 90, 128)), "PNG", icc_profile=ADOBE_RGB)))
        _close(half, np.add(opaque, 255) / 2)

    def test_grey_with_an_rgb_profile_is_left_alone(self, encode):
        assert _color(decode(encode(_flat("L", 100), "PNG", icc_profile=ADOBE_RGB))) == (100, 100, 100)

    @pytest.mark.parametrize(
        "profile", [b"x", b"not a profile at all" * 20, SRGB[:200], ADOBE_RGB[:-40], bytes(3000)]
    )
    def test_a_broken_profile_is_ignored(self, profile, encode):
        for file_format in ("PNG", "JPEG", "TIFF", "WEBP"):
            _close(
                _color(decode(encode(_flat("RGB", (100, 180, 90)), file_format, icc_profile=profile))),
                (100, 180, 90),
                5,
            )


MODES = [
    "1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB", "I",
    "I;16", "I;16B", "F",
]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow_becomes_rgb(mode):
    image = Image.new(mode, (20, 30))
    converted = to_srgb(image)
    assert (converted.mode, converted.size) == ("RGB", (20, 30))
    assert image.mode == mode


def test_lab_is_read_as_cie_lab():
    image = Image.new("LAB", (4, 4), (int(0.5357 * 255), 128, 128))  # L* 53.6: mid grey
    _close(to_srgb(image).getpixel((0, 0)), (128, 128, 128), 2)
