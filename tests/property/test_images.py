"""Whatever the bytes: a picture, or one of our errors."""

from __future__ import annotations

import functools
import warnings
from io import BytesIO

import numpy as np
import pillow_heif
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from stylesearch.errors import ImageError
from stylesearch.images.decode import CutShortWarning, DecodedImage, decode
from stylesearch.images.regions import REGION_PLANS, crops, letterbox, plan_boxes, reduction
from stylesearch.types import Box

MAX_PIXELS = 1_000_000


@functools.cache
def _valid_files() -> tuple[bytes, ...]:
    pixels = np.random.default_rng(3).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((36, 48))
    exif = Image.Exif()
    exif[0x0112] = 6
    extras = {"exif": exif, "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}
    animation = {"save_all": True, "append_images": [image.rotate(90)]}

    def encode(file_format, source=image, **options):
        buffer = BytesIO()
        source.save(buffer, file_format, **options)
        return buffer.getvalue()

    heif = BytesIO()
    pillow_heif.from_pillow(image).save(heif)
    return (
        encode("JPEG", **extras), encode("JPEG", progressive=True), encode("JPEG", image.convert("CMYK")),
        encode("MPO", **animation), encode("PNG", **extras), encode("PNG", image.quantize(16)),
        encode("PNG", image.convert("LA")), encode("PNG", **animation), encode("GIF", **animation),
        encode("WEBP", **extras), encode("WEBP", **animation), encode("TIFF", exif=exif),
        encode("TIFF", compression="tiff_lzw"), encode("TIFF", compression="jpeg"), encode("BMP"),
        encode("PPM"), encode("AVIF", **extras), encode("JPEG2000"), heif.getvalue(),
    )  # fmt: skip


def _check(data: bytes, reduce_to: int | None) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CutShortWarning)
            decoded = decode(data, reduce_to=reduce_to, max_pixels=MAX_PIXELS)
    except ImageError as error:
        assert str(error)
        return
    assert isinstance(decoded, DecodedImage)
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.ndim == 3
    assert decoded.pixels.shape[2] == 3
    assert min(decoded.width, decoded.height) >= 16
    assert decoded.width * decoded.height <= MAX_PIXELS
    height, width = decoded.pixels.shape[:2]
    if reduce_to is None:
        assert (width, height) == (decoded.width, decoded.height)
    else:
        assert max(width, height) >= min(reduce_to, max(decoded.width, decoded.height))


_reductions = st.sampled_from([None, 8, 20, 10_000])


@given(st.binary(max_size=300), _reductions)
def test_random_bytes(data, reduce_to):
    _check(data, reduce_to)


@given(st.integers(0, 18), st.binary(max_size=200), _reductions)
def test_a_valid_head_and_random_bytes(index, tail, reduce_to):
    _check(_valid_files()[index][:40] + tail, reduce_to)


_edits = st.lists(
    st.tuples(
        st.sampled_from(["set", "cut", "insert", "end"]),
        # Headers are where damage is dangerous, so most edits are there.
        st.one_of(st.integers(0, 250), st.integers(0, 10_000)),
        st.one_of(
            st.binary(min_size=1, max_size=6), st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff"])
        ),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 18), _edits, _reductions)
def test_damaged_files(index, edits, reduce_to):
    data = _valid_files()[index]
    for kind, position, content in edits:
        at = position % max(1, len(data))
        if kind == "set":
            data = data[:at] + content + data[at + len(content) :]
        elif kind == "cut":
            data = data[:at] + data[at + len(content) :]
        elif kind == "insert":
            data = data[:at] + content + data[at:]
        else:
            data = data[:at]
    _check(data, reduce_to)


@settings(deadline=None)
@given(
    width=st.integers(16, 400),
    height=st.integers(16, 400),
    size=st.integers(8, 64),
    plan=st.sampled_from(sorted(REGION_PLANS)),
    corner=st.tuples(st.integers(0, 399), st.integers(0, 399)),
    extent=st.tuples(st.integers(1, 500), st.integers(1, 500)),
)
def test_crops_of_any_image(width, height, size, plan, corner, extent):
    buffer = BytesIO()
    Image.new("RGB", (width, height), (40, 90, 140)).save(buffer, "PNG")
    box = Box(min(corner[0], width - 1), min(corner[1], height - 1), width + extent[0], height + extent[1])
    for wanted, boxes in ((plan, plan_boxes(plan, width, height)), ([box], [box])):
        decoded = decode(buffer.getvalue(), reduce_to=reduction(size, wanted))
        for square in crops(decoded, boxes, size):
            inked = (square != 255).any(axis=2)
            assert np.abs(square[inked].astype(int) - (40, 90, 140)).max() <= 1
            columns, rows = inked.any(axis=0), inked.any(axis=1)
            # One rectangle, as long as the square one way, centred the other way.
            assert columns.sum() == size or rows.sum() == size
            assert inked.sum() == columns.sum() * rows.sum()
    square = letterbox(decoded.pixels, size)
    assert square.shape == (size, size, 3)
