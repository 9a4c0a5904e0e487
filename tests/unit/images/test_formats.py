from __future__ import annotations

import pytest

from stylesearch.images.formats import FORMATS, HEAD_BYTES, recognise


@pytest.mark.parametrize(
    ("file_format", "name"),
    [("JPEG", "JPEG"), ("PNG", "PNG"), ("GIF", "GIF"), ("BMP", "BMP"), ("TIFF", "TIFF"), ("WEBP", "WebP"),
     ("AVIF", "AVIF"), ("HEIF", "HEIF"), ("JPEG2000", "JPEG 2000"), ("PPM", "PPM"), ("MPO", "JPEG")],
)  # fmt: skip
def test_what_each_writer_writes(file_format, name, quadrants, encode):
    recognised = recognise(encode(quadrants, file_format)[:HEAD_BYTES])
    assert recognised is not None
    assert recognised.name == name
    assert name in FORMATS


def _container(brand, *beside):
    content = b"ftyp" + brand + b"\0\0\0\0" + b"".join(beside)
    return (4 + len(content)).to_bytes(4, "big") + content + b"\0\0\0\x08meta"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (_container(b"heic", b"mif1", b"heic"), "HEIF"),
        (_container(b"mif1", b"heic", b"mif1"), "HEIF"),
        (_container(b"mif1", b"mif1", b"avif"), "AVIF"),
        (_container(b"msf1", b"avis"), "AVIF"),
        (_container(b"mif1"), "HEIF"),
        (_container(b"avif", b"mif1"), "AVIF"),
        (_container(b"isom", b"avif"), None),
        (_container(b"qt  "), None),
        (b"II+\0\x08\0\0\0", "TIFF"),
        (b"P4\n1 1\n", "PPM"),
        (b"P6#comment", "PPM"),
        (b"P3 2 2 255", None),
        (b"P66", None),
        (b"RIFF\0\0\0\0AVI ", None),
        (b"RIFF", None),
        (b"\xff\xd8", None),
        (b"", None),
    ],
)
def test_first_bytes(head, name):
    recognised = recognise(head)
    assert (recognised.name if recognised else None) == name


def test_every_format_can_be_loaded():
    for name in FORMATS:
        assert callable(FORMATS.load(name))
