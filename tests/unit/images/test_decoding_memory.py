"""The table of ``stylesearch.images.decoding_memory`` against what decoders really take."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesearch.images.budget import BUDGET
from stylesearch.images.decode import decode
from stylesearch.images.processes import pool as pools
from stylesearch.images.processes.pool import decoder_processes

SIDE = 1500
NOISE = 3_000_000
"""Bytes that the interpreter may take meanwhile, and that the system counts late."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not pools.SUPPORTED, reason="the memory of another process is measured"),
]


@pytest.fixture(scope="module", autouse=True)
def processes():
    with decoder_processes(1):
        yield


def _picture(mode):
    ramp = np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 256
    grey = Image.fromarray(ramp.astype(np.uint8))
    if mode == "I;16":
        return Image.fromarray((ramp * 257).astype(np.uint16))
    if mode in ("F", "I"):
        return Image.fromarray(ramp.astype(np.float32 if mode == "F" else np.int32))
    if mode == "P":
        return grey.convert("P")
    bands = Image.merge("RGBA", [grey] * 4)
    return bands.convert(mode) if mode != "RGBA" else bands


def _small():
    data = BytesIO()
    Image.new("RGB", (40, 30)).save(data, "PNG")
    return data.getvalue()


SMALL = _small()
"""What a new process touches first does not count."""


def _png_of_16_bits(color, n_bands):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 16, color, 0, 0, 0))
    row = b"\0" + bytes(range(1, 251)) * (SIDE * n_bands * 2 // 250)
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(row * SIDE, 1)) + chunk(b"IEND", b"")


def _encode(mode, file_format, **options):
    if file_format == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    data = BytesIO()
    _picture(mode).save(data, file_format, **options)
    return data.getvalue()


def _turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


LARGE_STRIP = {"compression": "tiff_lzw", "strip_size": 10**9}
FILES = {
    "jpeg": lambda: _encode("RGB", "JPEG"),
    "jpeg-grey": lambda: _encode("L", "JPEG"),
    "jpeg-cmyk": lambda: _encode("CMYK", "JPEG"),
    "jpeg-progressive": lambda: _encode("RGB", "JPEG", progressive=True, subsampling=0),
    "jpeg-turned": lambda: _encode("RGB", "JPEG", exif=_turned()),
    "jpeg-cut-short": lambda: _encode("RGB", "JPEG", quality=95)[:-4000],
    "png": lambda: _encode("RGB", "PNG", compress_level=1),
    "png-rgba": lambda: _encode("RGBA", "PNG", compress_level=1),
    "png-grey": lambda: _encode("L", "PNG", compress_level=1),
    "png-la": lambda: _encode("LA", "PNG", compress_level=1),
    "png-bits": lambda: _encode("1", "PNG", compress_level=1),
    "png-palette": lambda: _encode("P", "PNG", compress_level=1),
    "png-palette-transparent": lambda: _encode("P", "PNG", compress_level=1, transparency=3),
    "png-rgb-transparent": lambda: _encode("RGB", "PNG", compress_level=1, transparency=(3, 3, 3)),
    "png-16-bits-grey": lambda: _encode("I;16", "PNG", compress_level=1),
    "png-16-bits-rgb": lambda: _png_of_16_bits(2, 3),
    "png-16-bits-rgba": lambda: _png_of_16_bits(6, 4),
    "webp": lambda: _encode("RGB", "WEBP", method=0),
    "webp-rgba": lambda: _encode("RGBA", "WEBP", method=0),
    "webp-lossless": lambda: _encode("RGB", "WEBP", lossless=True, method=0, quality=0),
    "avif": lambda: _encode("RGB", "AVIF", speed=10, subsampling="4:4:4"),
    "avif-rgba": lambda: _encode("RGBA", "AVIF", speed=10),
    "heif": lambda: _encode("RGB", "HEIF", quality=20),
    "heif-rgba": lambda: _encode("RGBA", "HEIF", quality=20),
    "gif": lambda: _encode("P", "GIF"),
    "bmp": lambda: _encode("RGB", "BMP"),
    "tiff": lambda: _encode("RGB", "TIFF"),
    "tiff-one-strip": lambda: _encode("RGB", "TIFF", **LARGE_STRIP),
    "tiff-rgba": lambda: _encode("RGBA", "TIFF", **LARGE_STRIP),
    "tiff-jpeg": lambda: _encode("RGB", "TIFF", compression="jpeg"),
    "tiff-floats": lambda: _encode("F", "TIFF", **LARGE_STRIP),
    "tiff-integers": lambda: _encode("I", "TIFF"),
    "tiff-16-bits": lambda: _encode("I;16", "TIFF"),
    "tiff-cmyk": lambda: _encode("CMYK", "TIFF", **LARGE_STRIP),
    "jpeg-2000": lambda: _encode("RGB", "JPEG2000", quality_mode="rates", quality_layers=[40]),
    "jpeg-2000-rgba": lambda: _encode("RGBA", "JPEG2000", quality_mode="rates", quality_layers=[40]),
    "jpeg-2000-grey": lambda: _encode("L", "JPEG2000", quality_mode="rates", quality_layers=[40]),
    "ppm": lambda: _encode("RGB", "PPM"),
}


@pytest.mark.filterwarnings("ignore::stylesearch.images.decode.CutShortWarning")
@pytest.mark.parametrize("name", FILES)
def test_it_takes_no_more_than_told(name, monkeypatch):
    data = FILES[name]()
    told = []
    reserve = BUDGET.reserve

    def note(n_bytes, *arguments):
        told.append(n_bytes)
        return reserve(n_bytes, *arguments)

    monkeypatch.setattr(BUDGET, "reserve", note)
    ratios = []
    for reduce_to in (None, 400):
        taken = _taken(lambda side=reduce_to: decode(data, reduce_to=side))
        ratios.append(round(taken / told[-1], 2))
        assert taken <= told[-1] + NOISE, f"{taken / SIDE**2:.1f} bytes a pixel"
    # Nor is it told to take much more, or pictures would be refused that could be decoded.
    assert ratios[0] > 0.3, ratios


def _taken(work):
    """Bytes by which the memory of the worker grows at most while it decodes; the file counts, too."""
    while pools._pool.pids:  # one that has decoded before keeps memory
        pools._pool._take().end()
    decode(SMALL)
    (pid,) = pools._pool.pids
    status, clear = Path(f"/proc/{pid}/status"), Path(f"/proc/{pid}/clear_refs")

    def kilobytes(name):
        return int(status.read_text().partition(f"{name}:")[2].split()[0])

    clear.write_text("5")  # forgets the peak
    before = kilobytes("VmRSS")
    work()
    assert pools._pool.pids == [pid]
    return 1024 * (kilobytes("VmHWM") - before)
