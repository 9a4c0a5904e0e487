"""One decoding for several input sizes gives each size what it would get alone."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from stylesearch.errors import ImageError
from stylesearch.images import decode as decode_module
from stylesearch.images.decode import CutShortWarning, decode, decode_reduced
from stylesearch.images.inputs import make_inputs
from stylesearch.images.regions import crops, letterbox, plan_boxes, reduction
from stylesearch.types import Box

SIZES = (32, 64, 96, 224, 320)


def photo(format: str, size: tuple[int, int] = (900, 1300), **choices: object) -> bytes:
    rough = np.random.default_rng(2).integers(0, 255, (26, 18, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC).save(file, format, **choices)
    return file.getvalue()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("size", [(900, 1300), (150, 100)])
def test_every_reduction_is_that_of_decode_alone(format: str, size: tuple[int, int]) -> None:
    data = photo(format, size)
    wanted = [None, 700, *(reduction(side, "few") for side in SIZES)]
    for image, reduce_to in zip(decode_reduced(data, wanted), wanted, strict=True):
        alone = decode(data, reduce_to=reduce_to)
        assert (image.width, image.height) == (alone.width, alone.height) == size
        np.testing.assert_array_equal(image.pixels, alone.pixels)


def test_a_turned_and_a_cut_image_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photo("JPEG", exif=exif)
    for image, side in zip(decode_reduced(turned, [100, 400]), (100, 400), strict=True):
        assert (image.width, image.height) == (1300, 900)
        np.testing.assert_array_equal(image.pixels, decode(turned, reduce_to=side).pixels)
    cut = photo("JPEG")[:-20]
    with pytest.warns(CutShortWarning) as warned:
        images = decode_reduced(cut, [100, 400])
    assert len(warned) == 1
    for image, side in zip(images, (100, 400), strict=True):
        with pytest.warns(CutShortWarning):
            np.testing.assert_array_equal(image.pixels, decode(cut, reduce_to=side).pixels)


@pytest.mark.parametrize(("format", "n_expected"), [("PNG", 1), ("JPEG", 2)])
def test_pixels_are_decoded_once_for_each_scale(
    format: str, n_expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_loaded = 0
    really = decode_module._load

    def count(*arguments: object) -> None:
        nonlocal n_loaded
        n_loaded += 1
        really(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(decode_module, "_load", count)
    decode_reduced(photo(format), [600, 650, 500, 300, 320])  # of 1300: three at 1/2, two at 1/4
    assert n_loaded == n_expected


def test_inputs_are_those_of_each_size_alone() -> None:
    data = photo("JPEG")
    whole = make_inputs(data, SIZES)
    few = make_inputs(data, SIZES, "few")
    box = Box(100, 200, 500, 900)
    boxed = make_inputs(data, SIZES, [box])
    assert few.boxes == tuple(plan_boxes("few", 900, 1300))
    assert (whole.boxes, boxed.boxes) == ((Box(0, 0, 900, 1300),), (box,))
    assert set(whole.pixels) == set(SIZES)
    for side in SIZES:
        alone = decode(data, reduce_to=reduction(side))
        np.testing.assert_array_equal(whole.pixels[side], letterbox(alone.pixels, side)[None])
        alone = decode(data, reduce_to=reduction(side, "few"))
        np.testing.assert_array_equal(few.pixels[side], crops(alone, list(few.boxes), side))
        alone = decode(data, reduce_to=reduction(side, [box]))
        np.testing.assert_array_equal(boxed.pixels[side], crops(alone, [box], side))


def test_boxes_are_cut_to_the_image() -> None:
    data = photo("PNG", (150, 100))
    over = make_inputs(data, [32], [Box(-9, -9, 60, 50), Box(90, 20, 999, 999)])
    inside = (Box(0, 0, 60, 50), Box(90, 20, 150, 100))
    assert over.boxes == inside
    np.testing.assert_array_equal(over.pixels[32], make_inputs(data, [32], inside).pixels[32])
    with pytest.raises(ImageError, match="the box -9,-9,0,5 lies outside the picture, which is 150 x 100"):
        make_inputs(data, [32], [Box(-9, -9, 0, 5)])
