from __future__ import annotations

import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from stylesearch.errors import ImageError, ImageTooLarge, ImageTooSmall, MissingDependency, NotAnImage
from stylesearch.images.decode import decode
from stylesearch.images.truncated_jpeg import JpegFile

LOSSY = {"JPEG": {"quality": 92}, "WEBP": {"quality": 92}, "AVIF": {"quality": 85}, "HEIF": {"quality": 85}}
LOSSLESS = ["PNG", "GIF", "BMP", "TIFF", "PPM", "JPEG2000"]


def _png_header(width, height, bits=8, kind=2):
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))
    scan = b"IDAT" + zlib.compress(bytes(1000))
    return data + struct.pack(">I", len(scan) - 4) + scan + struct.pack(">I", zlib.crc32(scan))


class TestFormats:
    @pytest.mark.parametrize("file_format", [*LOSSY, *LOSSLESS])
    def test_each_is_read(self, file_format, quadrants, encode, near):
        decoded = decode(encode(quadrants, file_format, **LOSSY.get(file_format, {})))
        assert (decoded.width, decoded.height) == (64, 96)
        assert decoded.pixels.dtype == np.uint8
        near(decoded.pixels, quadrants, mean=5 if file_format in LOSSY else 0)

    @pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"subsampling": 2}])
    def test_kinds_of_jpeg(self, options, garment, encode, near):
        near(decode(encode(garment, "JPEG", quality=92, **options)).pixels, garment)

    @pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", "jpeg"])
    def test_kinds_of_tiff(self, compression, garment, encode, near):
        near(decode(encode(garment, "TIFF", compression=compression)).pixels, garment)

    def test_bare_jpeg_2000_codestream(self, garment, encode, near):
        near(decode(encode(garment, "JPEG2000", no_jp2=True)).pixels, garment, mean=0)

    def test_first_image_of_mpo(self, garment, encode, near):
        data = encode(garment, "MPO", save_all=True, append_images=[garment.rotate(90)], quality=92)
        near(decode(data).pixels, garment)

    def test_what_a_phone_appends_to_a_jpeg_is_ignored(self, garment, encode, near):
        data = encode(garment, "JPEG", quality=92) + b"\0\0\0\x18ftypmp42" + b"\xff\xda\xff\xd8" * 300
        near(decode(data).pixels, garment)

    @pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
    def test_first_frame_of_an_animation(self, file_format, encode):
        frames = [Image.new("RGB", (40, 30), color) for color in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
        data = encode(frames[0], file_format, save_all=True, append_images=frames[1:])
        assert Image.open(BytesIO(data)).n_frames == 3
        np.testing.assert_allclose(decode(data).pixels.reshape(-1, 3), [[200, 0, 0]] * 1200, atol=8)

    def test_the_name_does_not_matter(self, tmp_path, quadrants, encode):
        path = tmp_path / "photo.jpg"
        path.write_bytes(encode(quadrants, "PNG"))
        np.testing.assert_array_equal(decode(path).pixels, quadrants)


class TestSources:
    def test_all_kinds_give_the_same(self, tmp_path, quadrants, encode):
        data = encode(quadrants, "PNG")
        path = tmp_path / "photo"
        path.write_bytes(data)
        with path.open("rb") as file:
            sources = [data, bytearray(data), memoryview(data), path, str(path), BytesIO(data), file]
            for source in sources:
                np.testing.assert_array_equal(decode(source).pixels, quadrants)

    def test_a_pipe_that_gives_little_at_a_time(self, quadrants, encode):
        class Trickle:
            def __init__(self, data):
                self._rest = BytesIO(data)

            def read(self, n=-1):
                return self._rest.read(min(n, 5) if n >= 0 else -1)

        np.testing.assert_array_equal(decode(Trickle(encode(quadrants, "PNG"))).pixels, quadrants)

    def test_the_pixels_cannot_be_written(self, quadrants, encode):
        for file_format in ("PNG", "JPEG"):
            assert not decode(encode(quadrants, file_format)).pixels.flags.writeable

    @pytest.mark.parametrize("name", ["missing.jpg", ".", "zero\0byte.jpg"])
    def test_a_file_that_cannot_be_read(self, name, tmp_path):
        with pytest.raises(ImageError, match="cannot be read") as caught:
            decode(str(tmp_path / name))
        assert str(tmp_path) in str(caught.value)

    def test_a_film_is_not_read_to_its_end(self):
        class Film:
            name = "film.mp4"
            n_read = 0

            def read(self, n=-1):
                assert n > 0, "read to the end"
                self.n_read += n
                return (b"\0\0\0\x18ftypmp42" + bytes(n))[:n]

        film = Film()
        with pytest.raises(NotAnImage, match=r"film\.mp4 is a video"):
            decode(film)
        assert film.n_read <= 64


class TestRefused:
    @pytest.mark.parametrize("source", [123, None, ["photo.jpg"]])
    def test_what_is_no_source(self, source):
        with pytest.raises(ImageError, match="the path of a file, its bytes, or a binary file") as caught:
            decode(source)
        assert repr(source) in caught.value.message

    def test_what_is_not_there_or_a_folder_says_what_to_do(self, tmp_path):
        with pytest.raises(ImageError, match="No such file") as caught:
            decode(tmp_path / "missing.jpg")
        assert "is the name right?" in caught.value.hint
        with pytest.raises(ImageError) as caught:
            decode(tmp_path)
        assert "name the pictures in it" in caught.value.hint

    def test_bytes_that_are_nothing_known_are_shown(self):
        with pytest.raises(NotAnImage, match=r"\(it begins with 'not a pictur'\)"):
            decode(b"not a picture")

    def test_empty(self, tmp_path):
        (tmp_path / "empty.jpg").touch()
        for source in (b"", BytesIO(), tmp_path / "empty.jpg"):
            with pytest.raises(NotAnImage, match="is empty"):
                decode(source)

    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (b"%PDF-1.7 ...", "a PDF document"),
            (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "a PostScript program"),
            (b"\n<!DOCTYPE html><title>404</title>", "a web page"),
            (b'<?xml version="1.0"?><svg/>', "an XML document"),
            (b"<svg xmlns=''/>", "an SVG drawing"),
            (b"8BPS\0\1", "a Photoshop document"),
            (b"\0\0\1\0\1\0", "an icon"),
            (b"PK\3\4", "a ZIP archive"),
            (b"\xff\x0a\0\0", "a JPEG XL picture"),
            (b'{"error": "not found"}', "text"),
            (
                b"just some words",
                r"the picture is in no format that can be read \(it begins with 'just some wo'\)",
            ),
            (b"\0" * 100, "in no format that can be read"),
        ],
    )
    def test_not_a_image(self, data, what):
        with pytest.raises(NotAnImage, match=what) as caught:
            decode(data)
        assert "JPEG" in caught.value.hint

    @pytest.mark.parametrize("file_format", ["EPS", "PDF", "ICO", "PCX", "SGI", "TGA", "XBM", "DDS"])
    def test_formats_that_pillow_knows_but_no_shop_uses(self, file_format, encode):
        image = Image.new("1" if file_format == "XBM" else "RGB", (64, 64))
        with pytest.raises(NotAnImage):
            decode(encode(image, file_format))

    @pytest.mark.parametrize("size", [(15, 200), (200, 15), (1, 1)])
    def test_too_small(self, size, encode):
        with pytest.raises(ImageTooSmall, match=f"{size[0]} x {size[1]} pixels; at least 16"):
            decode(encode(Image.new("RGB", size), "PNG"))

    def test_the_smallest_that_is_accepted(self, encode):
        assert decode(encode(Image.new("RGB", (16, 16)), "JPEG")).pixels.shape == (16, 16, 3)

    def test_max_pixels(self, encode):
        data = encode(Image.new("RGB", (100, 50)), "PNG")
        assert decode(data, max_pixels=5000).width == 100
        with pytest.raises(ImageTooLarge, match="100 x 50 pixels; at most 4,999") as caught:
            decode(data, max_pixels=4999)
        assert "max_pixels" in caught.value.hint

    def test_the_names_of_files_are_in_the_messages(self, tmp_path, encode):
        path = tmp_path / "tiny.png"
        path.write_bytes(encode(Image.new("RGB", (3, 3)), "PNG"))
        with pytest.raises(ImageTooSmall, match=r"tiny\.png is 3 x 3"):
            decode(path)

    @pytest.mark.parametrize(
        "file_format", ["PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "HEIF"]
    )
    def test_cut_in_half(self, file_format, garment, encode):
        data = encode(garment, file_format)
        with pytest.raises(NotAnImage, match="is damaged, or no"):
            decode(data[: len(data) // 2])

    @pytest.mark.parametrize(
        "data",
        [
            b"\xff\xd8\xff",
            b"\xff\xd8\xff\xe0\0\x10JFIF\0",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"GIF89a\x40\0\x40\0\0\0\0",
            b"RIFF\x20\0\0\0WEBPVP8 ",
            b"BM" + bytes(60),
            b"II*\0\x08\0\0\0\0\0",
            b"MM\0*\xff\xff\xff\xff",
            b"II+\0\x08\0\0\0" + b"\xff" * 8,
            b"P6\n64 64\n255\n",
            b"P6 x",
            b"\0\0\0\x18ftypavif\0\0\0\0avifmif1",
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
            b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ",
            b"\xff\x4f\xff\x51\0\x29",
        ],
    )
    def test_headers_with_nothing_behind(self, data):
        with pytest.raises(NotAnImage):
            decode(data)

    def test_pillow_heif_missing(self, monkeypatch, quadrants, encode):
        data = encode(quadrants, "HEIF")
        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        with pytest.raises(MissingDependency, match="'HEIF' needs the library 'pillow_heif'") as caught:
            decode(data)
        assert caught.value.hint == "pip install pillow-heif"


class TestBombs:
    """Small files that claim to be enormous: refused by their headers, without a warning from Pillow."""

    @pytest.mark.parametrize(
        "data",
        [
            _png_header(50_000, 50_000),
            _png_header(2**31 - 1, 2**31 - 1, bits=1, kind=0),
            b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\0\0\0,"
            + struct.pack("<HHHH", 0, 0, 65535, 65535) + b"\0\x02\0;",
            b"BM" + struct.pack("<IIIIiiHHIIiiII", 100, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
            b"P6 60000 60000 255\n" + bytes(100),
            b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0" + b"\xff\x3f\0\xff\x3f\0" + bytes(8),
            b"II*\0\x08\0\0\0" + struct.pack("<H", 9) + b"".join(
                struct.pack("<HHII", tag, 4, 1, value)
                for tag, value in ((256, 60_000), (257, 60_000), (258, 8), (259, 1), (262, 1), (273, 8),
                                   (277, 1), (278, 60_000), (279, 100))
            ) + bytes(104),
            b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 65000, 65000) + b"\3\1\x11\0\2\x11\0\3\x11\0"
            + b"\xff\xda\0\x0c\3\1\0\2\0\3\0\0\x3f\0" + bytes(50) + b"\xff\xd9",
        ],
        ids=["png", "png1bit", "gif", "bmp", "ppm", "webp", "tiff", "jpeg"],
    )  # fmt: skip
    def test_refused_before_decoding(self, data):
        with pytest.raises(ImageTooLarge, match=r"pixels; |KB|MB") as caught:
            decode(data)
        assert caught.value.hint
        assert "attack" not in str(caught.value)  # how Pillow says it

    def test_between_the_limits_of_pillow_nothing_warns(self):
        # 100 megapixels: Pillow would warn. Here the header passes, and the missing pixels are the error.
        with pytest.raises(NotAnImage, match="is damaged"):
            decode(_png_header(10_000, 10_000, bits=1, kind=0), reduce_to=900)

    def test_a_small_tiff_in_one_enormous_tile(self):
        tags = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 277: 1, 322: 60_000, 323: 8_000, 324: 8, 325: 100}
        data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags))
        data += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()) + bytes(104)
        with pytest.raises(ImageTooLarge, match=r"more than [\d,]+ pixels|60000 x 8000"):
            decode(data)

    def test_a_jpeg_with_thousands_of_scans(self, garment, encode):
        data = encode(garment, "JPEG", progressive=True)
        at = data.rindex(b"\xff\xda")
        with pytest.raises(NotAnImage, match="101 scans"):
            decode(data[:-2] + data[at:-2] * 200 + data[-2:])

    def test_a_png_with_a_text_bomb(self, quadrants, encode):
        data = encode(quadrants, "PNG")
        content = b"zTXtkey\0\0" + zlib.compress(bytes(100_000_000))
        chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
        with pytest.raises(NotAnImage):
            decode(data[:33] + chunk + data[33:])


class TestWarnings:
    """Pillow warns of odd headers, which is no business of the caller; here a warning would be an error."""

    def test_an_animated_png_that_says_it_has_no_frames(self, quadrants, encode):
        data = encode(quadrants, "PNG")
        content = b"acTL" + bytes(8)
        chunk = struct.pack(">I", 8) + content + struct.pack(">I", zlib.crc32(content))
        np.testing.assert_array_equal(decode(data[:33] + chunk + data[33:]).pixels, quadrants)

    @pytest.mark.parametrize(
        "odd",
        [
            struct.pack("<HHIHH", 296, 3, 2, 2, 2),  # two resolution units
            struct.pack("<HHII", 305, 2, 100_000, 5),  # a name longer than the file
            struct.pack("<HHII", 34665, 4, 1, 4290),  # an EXIF directory that begins with the last bytes
        ],
    )
    def test_a_tiff_with_odd_tags(self, odd):
        tags = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 200, 277: 1, 278: 64, 279: 4096}
        entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()]
        entries.append(odd)
        data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries)
        decoded = decode(data.ljust(200, b"\0") + b"\x63" * 4096)
        assert (decoded.pixels == 0x63).all()


class TestReduction:
    def test_never_fewer_pixels_than_asked_for(self, garment, encode, near):
        large = garment.resize((600, 800))
        for file_format in ("JPEG", "PNG", "WEBP"):
            data = encode(large, file_format)
            for long_side in (50, 160, 201, 399, 400, 401, 799, 800, 5000):
                decoded = decode(data, reduce_to=long_side)
                assert (decoded.width, decoded.height) == (600, 800)
                height, width = decoded.pixels.shape[:2]
                assert min(long_side, 800) <= height <= max(100, 2 * long_side)
                assert width == pytest.approx(height * 0.75, abs=1)
                near(decoded.pixels, large.resize((width, height), Image.Resampling.BOX), mean=6)

    def test_a_jpeg_is_decoded_at_reduced_scale(self, garment, encode, monkeypatch):
        scales = []
        original = JpegFile.draft

        def draft(self, mode, size):
            width = self.size[0]
            answer = original(self, mode, size)
            scales.append(width / self.size[0])
            return answer

        monkeypatch.setattr(JpegFile, "draft", draft)
        data = encode(garment.resize((1200, 1600)), "JPEG")
        decode(data)
        assert scales == []
        decode(data, reduce_to=400)
        assert scales == [4.0]

    def test_the_function_sees_the_full_size(self, garment, encode):
        sizes = []

        def long_side(width, height):
            sizes.append((width, height))
            return 64

        for file_format in ("JPEG", "PNG"):
            decode(encode(garment, file_format), reduce_to=long_side)
        assert set(sizes) == {(300, 400)}

    def test_nonsense_is_at_least_one_pixel(self, garment, encode):
        for file_format in ("JPEG", "PNG"):
            assert min(decode(encode(garment, file_format), reduce_to=0).pixels.shape) > 0


class TestThreads:
    def test_many_at_once_give_what_one_at_a_time_gives(self, garment, quadrants, encode):
        sources = [
            encode(image, file_format, **options)
            for image in (garment, quadrants)
            for file_format, options in [
                ("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("GIF", {}), ("WEBP", {}),
                ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"}), ("AVIF", {}), ("HEIF", {}),
                ("JPEG2000", {}), ("BMP", {}),
            ]
        ]  # fmt: skip
        sources += [source[: len(source) // 3] for source in sources]

        def outcome(source):
            try:
                return decode(source, reduce_to=100).pixels.tobytes()
            except ImageError as error:
                return type(error)

        expected = [outcome(source) for source in sources]
        assert {NotAnImage} < set(expected)
        filters = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            for _ in range(4):
                assert list(pool.map(outcome, sources)) == expected
        assert list(warnings.filters) == filters


def test_no_other_decoder_of_pillow_is_loaded():
    program = (
        "import sys, io; from PIL import Image; from stylesearch.images.decode import decode\n"
        "b = io.BytesIO(); Image.new('RGB', (32, 32)).save(b, 'PNG'); decode(b.getvalue())\n"
        "assert 'pillow_heif' not in sys.modules\n"
        "assert 'PIL.EpsImagePlugin' not in sys.modules and 'HEIF' not in Image.OPEN"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
