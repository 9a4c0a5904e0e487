"""Hostile pictures are refused by their structure, and honest ones of many kinds are not."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from stylesearch.errors import NotAnImage
from stylesearch.images.decode import decode
from stylesearch.images.formats import recognise
from stylesearch.images.structure.check import check_structure
from stylesearch.images.structure.profile import is_quick_profile
from tests.hostile_pictures import HOSTILE, MAX_BYTES, grid_of_tiles, make

SHEER_PIXELS = {
    "png-of-50-megapixels-deep",
    "png-of-50-megapixels-interlaced",
    "png-of-50-megapixels-with-profile",
    "j2k-of-50-megapixels",
}
"""Honest pictures of 50 megapixels, which take longer than others: a limit of time or pixels is for them."""

REFUSED = {
    "avif-empty-boxes": "boxes in the file",
    "avif-items": "items",
    "avif-properties": "boxes of properties",
    "bmp-empty-runs": "pixels, compressed by run lengths",
    "bmp-ends-of-lines": "pixels, compressed by run lengths",
    "bmp-half-bytes": "pixels, compressed by run lengths",
    "gif-application-by-the-byte": "blocks before its first frame",
    "gif-comment-by-the-byte": "blocks before its first frame",
    "gif-comments": "blocks before its first frame",
    "gif-graphic-controls": "blocks before its first frame",
    "gif-junk-between-blocks": "blocks before its first frame",
    "heif-empty-boxes": "boxes in the file",
    "heif-items": "items",
    "heif-items-of-one-exif": "bytes of EXIF and XMP, for all its pictures",
    "heif-items-of-one-xmp": "bytes of EXIF and XMP, for all its pictures",
    "j2k-empty-segments": "segments",
    "j2k-of-65535-tiles": "tiles",
    "j2k-of-empty-tiles": "tiles",
    "j2k-of-many-layers-and-precincts": "packets",
    "j2k-of-many-precincts": "precincts",
    "jp2-empty-boxes": "boxes in the file",
    "jp2-empty-boxes-in-header": "boxes in its header",
    "jpeg-empty-exif": "EXIF segments",
    "jpeg-empty-segments": "segments before its pixels",
    "jpeg-escaped-zeros-between-segments": "bytes between two segments",
    "jpeg-exif-by-the-byte": "EXIF segments",
    "jpeg-fill-after-start": "bytes between two segments",
    "jpeg-fill-before-scan": "bytes between two segments",
    "jpeg-fill-in-scan": "fill bytes in a row among its pixels",
    "jpeg-frames-of-components": "bytes of frame headers",
    "jpeg-junk-between-segments": "bytes between two segments",
    "jpeg-photoshop-resources": "Photoshop resources",
    "jpeg-progressive-of-100-scans": "samples in its first 39 scans",
    "jpeg-quantization-tables": "bytes of quantization tables",
    "jpeg-restart-markers-before-scan": "segments before its pixels",
    "jpeg-scans-after-scan": "scans, which no camera or shop writes",
    "png-compressed-texts-without-key": "compressed texts and profiles",
    "png-data-by-the-byte": "chunks of pixels",
    "png-empty-chunks": "chunks beside those of pixels",
    "png-empty-chunks-after-data": "chunks beside those of pixels",
    "png-empty-data-chunks": "chunks of pixels",
    "png-frame-controls": "chunks beside those of pixels",
    "png-international-texts": "compressed texts and profiles",
    "png-profiles": "compressed texts and profiles",
    "png-texts": "chunks beside those of pixels",
    "ppm-blanks": "bytes without a whole header",
    "ppm-comment-of-megabytes": "bytes without a whole header",
    "ppm-comments": "bytes without a whole header",
    "tiff-of-65535-entries": "entries in a directory",
    "tiff-of-a-million-entries": "entries in a directory",
    "tiff-of-deflated-strips-of-a-row": "strips or tiles",
    "tiff-of-exif-entries": "entries in a directory",
    "tiff-of-strips-of-a-row": "strips or tiles",
    "tiff-of-strips-of-the-same-bytes": "bytes in its strips or tiles",
    "webp-empty-chunks": "chunks",
    "webp-empty-chunks-before-picture": "chunks",
}


def check(data: bytes) -> None:
    image_format = recognise(data[:64])
    assert image_format is not None
    check_structure("the picture", image_format, data)


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_picture_is_refused_and_told_why(name):
    with pytest.raises(NotAnImage, match=f"the picture has [0-9,]+ .*{REFUSED[name]}.*; at most [0-9,]+"):
        check(make(name, 2_000_000))


_DECODE = """
import resource, sys, warnings
from stylesearch.errors import StyleSearchError
from stylesearch.images.decode import decode
from stylesearch.images.regions import reduction
warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_CPU, (6, 6))
resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))
try:
    decode(sys.stdin.buffer.read(), reduce_to=reduction(320, "street"), max_pixels=50_000_000)
except StyleSearchError as error:
    print(error)
"""


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HOSTILE.keys() - SHEER_PIXELS))
def test_no_hostile_picture_keeps_the_decoder_busy(name):
    """At most 6 s of CPU time, with all imports: about 2 s of them for the picture."""
    done = subprocess.run([sys.executable, "-c", _DECODE], input=make(name, MAX_BYTES), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_a_profile_of_many_steps_is_ignored():
    data = make("png-profile-of-steps")
    profile = Image.open(io.BytesIO(data)).info["icc_profile"]
    assert not is_quick_profile(profile)
    assert is_quick_profile(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    plain = Image.open(io.BytesIO(data)).convert("RGB")
    np.testing.assert_array_equal(decode(data).pixels, np.asarray(plain))


@pytest.mark.parametrize("profile", [b"", b"x" * 131, bytes(128) + b"\xff" * 4, bytes(5 * 2**20)])
def test_a_damaged_or_huge_profile_is_not_quick(profile):
    assert not is_quick_profile(profile)


# Honest pictures.


def saved(file_format, picture=None, **options):
    stream = io.BytesIO()
    (picture or noise(200, 150)).save(stream, file_format, **options)
    return stream.getvalue()


def noise(width, height, mode="RGB"):
    pixels = np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)
    return Image.fromarray(pixels).convert(mode)


def segment(marker, content):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2) + content


def with_segments(data, *segments):
    return data[:2] + b"".join(segments) + data[2:]


def sized(jpeg, width, height):
    at = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2"))
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def exif_with_thumbnail():
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0112] = 1
    exif.get_ifd(0x8769)[0x9003] = "2024:01:01 00:00:00"
    return exif


def png_texts():
    texts = PngImagePlugin.PngInfo()
    for number in range(40):
        texts.add_text(f"key {number}", "value " * 500, zip=number % 2 == 0)
    texts.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>" * 1_000)
    return texts


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LARGE_PROFILE = struct.pack(">I", 700_000) + SRGB[4:] + bytes(700_000 - len(SRGB))
MORE = [noise(80, 60) for _ in range(200)]
GREY = [picture.convert("L").rotate(number) for number, picture in enumerate(MORE)]

HONEST = {
    "jpeg": lambda: saved("JPEG"),
    "jpeg, progressive, EXIF, profile in 11 segments": lambda: saved(
        "JPEG", progressive=True, optimize=True, exif=exif_with_thumbnail(), icc_profile=LARGE_PROFILE
    ),
    "jpeg, XMP and comment": lambda: saved("JPEG", xmp=b"<x:xmpmeta/>" * 4_000, comment=b"c" * 60_000),
    "jpeg, a depth map in extended XMP": lambda: with_segments(
        saved("JPEG"), *[segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 65_000)] * 230
    ),
    "jpeg, Photoshop": lambda: with_segments(
        saved("JPEG"),
        *[segment(0xED, b"Photoshop 3.0\0" + b"8BIM\4\4\0\0\0\0\0\x10" * 40 + b"8BIM" * 1_000)] * 10,
    ),
    "jpeg, EXIF in parts": lambda: with_segments(
        saved("JPEG"), *[segment(0xE1, b"Exif\0\0" + b"x" * 65_000)] * 16
    ),
    "jpeg, some fill": lambda: saved("JPEG").replace(b"\xff\xdb", b"\xff" * 60 + b"\xdb"),
    "jpeg, a film and padding behind it": lambda: saved("JPEG") + b"\0\0\0\x18ftypmp42" + b"\xff" * 100_000,
    "jpeg, a gain map behind it": lambda: saved("JPEG") + saved("JPEG", progressive=True),
    "jpeg, restart markers": lambda: saved("JPEG", noise(600, 400), restart_marker_blocks=1),
    "mpo": lambda: saved("MPO", save_all=True, append_images=MORE[:3]),
    "png, texts and profile": lambda: saved(
        "PNG", pnginfo=png_texts(), icc_profile=SRGB, exif=exif_with_thumbnail()
    ),
    "png, a chunk a row": lambda: _png_of_chunks(20_000),
    "apng": lambda: saved("PNG", save_all=True, append_images=MORE),
    "gif": lambda: saved("GIF", GREY[0], save_all=True, append_images=GREY[1:], comment=b"c" * 5_000),
    "gif, XMP": lambda: _gif_with_xmp(100_000),
    "webp": lambda: saved(
        "WEBP", MORE[0], save_all=True, append_images=MORE[1:], icc_profile=SRGB, exif=exif_with_thumbnail()
    ),
    "webp, XMP": lambda: saved("WEBP", xmp=b"<x:xmpmeta/>" * 10_000, lossless=True),
    "tiff": lambda: saved("TIFF", icc_profile=SRGB, exif=exif_with_thumbnail()),
    "tiff, pages": lambda: saved("TIFF", save_all=True, append_images=[one.copy() for one in MORE]),
    "tiff, a strip a row": lambda: saved("TIFF", noise(20, 8_000), tiffinfo=_tiff_tags({278: 1})),
    "tiff, JPEG": lambda: saved("TIFF", compression="jpeg", tiffinfo=_tiff_tags({274: 6})),
    "tiff, big": lambda: saved("TIFF", big_tiff=True, compression="tiff_adobe_deflate"),
    "tiff, layers": lambda: saved("TIFF", tiffinfo=_tiff_tags({37724: b"8BIM" * 5_000_000})),
    "heif": lambda: saved_heif(noise(200, 150), exif=exif_with_thumbnail().tobytes(), thumbnails=[64]),
    "avif": lambda: saved("AVIF", exif=exif_with_thumbnail(), icc_profile=SRGB, xmp=b"<x:xmpmeta/>" * 1_000),
    "avif, an animation": lambda: saved("AVIF", MORE[0], save_all=True, append_images=MORE[1:9], speed=10),
    "heif, tiles": lambda: grid_of_tiles(3, 64),
    "avif, tiles": lambda: grid_of_tiles(3, 64, "AVIF"),
    "jpeg 2000, tiles and layers": lambda: saved(
        "JPEG2000", noise(500, 400), tile_size=(128, 128), quality_layers=[40, 20, 10], num_resolutions=4
    ),
    "jpeg 2000, precincts": lambda: saved(
        "JPEG2000", noise(500, 400), no_jp2=True, precinct_size=(128, 128), codeblock_size=(32, 32)
    ),
    "bmp": lambda: saved("BMP"),
    "bmp, run lengths": lambda: _bmp_of_runs(1_000, 1_000),
    "ppm": lambda: b"P6\n# made by\n# a program\n40 30\n# white\n255\n" + bytes(40 * 30 * 3),
    "pgm, 254 levels": lambda: b"P5\t40\r30 254 " + bytes(40 * 30),
    "pbm": lambda: b"P4\n# c\n40 30\n" + bytes(5 * 30),
}


def saved_heif(picture, **options):
    import pillow_heif

    stream = io.BytesIO()
    pillow_heif.from_pillow(picture).save(stream, **options)
    return stream.getvalue()


def _tiff_tags(values):
    tags = ImageFileDirectory_v2()
    for tag, value in values.items():
        tags[tag] = value
    return tags


def _png_of_chunks(n_rows):
    header = struct.pack(">IIBBBBB", 16, n_rows, 8, 0, 0, 0, 0)
    packer = zlib.compressobj()
    parts = [packer.compress(bytes(17)) + packer.flush(zlib.Z_SYNC_FLUSH) for _ in range(n_rows)]
    parts.append(packer.flush())
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(chunk(b"IDAT", part) for part in parts)
        + chunk(b"IEND", b"")
    )


def _gif_with_xmp(n_bytes):
    data = saved("GIF")
    at = 13 + (3 << ((data[10] & 7) + 1))
    trailer = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    return data[:at] + b"!\xff\x0bXMP DataXMP" + (b"<x:xmpmeta/> " * (n_bytes // 13)) + trailer + data[at:]


def _bmp_of_runs(width, height):
    row = b"\xff\7" * (width // 255) + bytes([width % 255, 9]) + b"\0\0"
    data = row * height + b"\0\1"
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    palette = b"".join(bytes([number, 255 - number, 7, 0]) for number in range(256))
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + header + palette + data


@pytest.mark.parametrize("name", HONEST)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_honest_picture_is_decoded(name):
    data = HONEST[name]()
    check(data)
    image = decode(data)
    assert min(image.width, image.height) >= 16


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda: grid_of_tiles(28, 512), id="heif of 200 megapixels, tiles of 512 pixels"),
        pytest.param(lambda: grid_of_tiles(28, 512, "AVIF"), id="avif of 200 megapixels"),
        pytest.param(lambda: sized(saved("JPEG"), 16_320, 12_240), id="jpeg of 200 megapixels"),
        pytest.param(
            lambda: sized(saved("JPEG", progressive=True, subsampling=2), 16_320, 12_240),
            id="progressive jpeg of 200 megapixels",
        ),
        pytest.param(
            lambda: sized(saved("JPEG", progressive=True, subsampling=0), 12_000, 8_300),
            id="progressive jpeg of 100 megapixels with full color",
        ),
    ],
)
def test_the_largest_pictures_of_cameras_pass(data):
    check(data())


@pytest.mark.parametrize(("name", "n_bytes"), [("jpeg-empty-segments", 19_900), ("png-empty-chunks", 59_900)])
def test_just_below_the_limit_a_picture_is_decoded(name, n_bytes):
    assert decode(make(name, n_bytes)).width == 64


@pytest.mark.parametrize("white", [1, 2, 100, 254, 256, 1_000, 4_095, 65_534])
@pytest.mark.parametrize(("magic", "n_bands"), [(b"P5", 1), (b"P6", 3)])
def test_a_ppm_with_another_white_is_as_pillow_decodes_it(magic, n_bands, white):
    from PIL.PpmImagePlugin import PpmImageFile

    from stylesearch.images.ppm import PpmFile

    n_bytes = 17 * 19 * n_bands * (2 if white > 255 else 1)
    samples = np.random.default_rng(0).integers(0, 256, n_bytes, np.uint8).tobytes()
    data = magic + b" 17 19 %d\n" % white + samples
    expected, found = PpmImageFile(io.BytesIO(data)), PpmFile(io.BytesIO(data))
    expected.load()
    found.load()
    assert (found.mode, found.tobytes()) == (expected.mode, expected.tobytes())
    with pytest.raises(NotAnImage):
        decode(data[:-1])


@pytest.mark.data
@pytest.mark.skipif("STYLESEARCH_TEST_DATA" not in os.environ, reason="no folder of real photos is named")
def test_real_photos_pass():
    paths = [
        path
        for path in Path(os.environ["STYLESEARCH_TEST_DATA"]).rglob("*")
        if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".avif", ".tif", ".bmp"}
    ]
    assert len(paths) > 50
    for path in paths:
        check(path.read_bytes())
