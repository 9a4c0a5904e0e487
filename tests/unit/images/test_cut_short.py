from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from PIL import ImageFile

from stylesearch.errors import NotAnImage
from stylesearch.images.decode import CutShortWarning, decode
from stylesearch.images.truncated_jpeg import read_scans


@pytest.fixture
def noisy(garment):
    """Detail everywhere, so that bytes are spread evenly over the rows."""
    noise = np.random.default_rng(5).normal(0, 12, (400, 300, 3))
    return np.clip(np.asarray(garment) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("missing_bytes", [1, 2, 3, 10])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_a_jpeg_without_its_end_marker(options, missing_bytes, noisy, encode):
    data = encode(noisy, "JPEG", **options)
    whole = decode(data).pixels
    with pytest.warns(CutShortWarning, match="is cut short"):
        pixels = decode(data[:-missing_bytes]).pixels
    assert np.abs(pixels[:360].astype(int) - whole[:360]).mean() < 1
    if missing_bytes <= 2:
        np.testing.assert_array_equal(pixels, whole)


@pytest.mark.parametrize("reduce_to", [None, 200])
def test_missing_rows_are_white_and_the_others_untouched(reduce_to, noisy, encode):
    data = encode(noisy, "JPEG", quality=90)
    whole = decode(data, reduce_to=reduce_to).pixels
    with pytest.warns(CutShortWarning) as caught:
        image = decode(data[: int(0.95 * len(data))], reduce_to=reduce_to)
    percent = int(re.search(r"the last (\d+)% of its rows are white", str(caught[0].message))[1])
    assert 2 <= percent <= 10
    assert (image.width, image.height) == (300, 400)
    height = len(whole)
    n_white = int((image.pixels == 255).all(axis=(1, 2))[::-1].argmin())
    assert n_white == pytest.approx(percent / 100 * height, abs=3)
    np.testing.assert_array_equal(image.pixels[: height - n_white], whole[: height - n_white])


def test_the_warning_names_the_file_and_points_at_the_caller(tmp_path, noisy, encode):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(noisy, "JPEG")[:-2])
    with pytest.warns(CutShortWarning, match=r"photo\.jpg is cut short") as caught:
        decode(path)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_jpeg_of_which_much_is_missing_is_refused(options, share, noisy, encode):
    data = encode(noisy, "JPEG", **options)
    if options:
        # Before the last scan: its detail is missing in all the picture.
        data = data[: data.rindex(b"\xff\xda")]
    with pytest.raises(NotAnImage, match="is cut short: too much of it is missing"):
        decode(data[: int(share * len(data))])


def test_a_cut_progressive_jpeg_keeps_the_whole_image(noisy, encode):
    data = encode(noisy, "JPEG", progressive=True)
    last_scan = data.rindex(b"\xff\xda")
    with pytest.warns(CutShortWarning, match="some detail may be missing"):
        pixels = decode(data[: (last_scan + len(data)) // 2]).pixels
    whole = decode(data).pixels.astype(int)
    assert np.abs(pixels - whole)[300:].mean() < 12
    assert np.abs(pixels - whole)[:200].mean() < 1


@pytest.mark.parametrize(
    "file_format", ["PNG", "BMP", "TIFF", "PPM", "WEBP", "AVIF", "HEIF", "JPEG2000", "GIF"]
)
def test_every_other_format_is_refused_when_cut(file_format, noisy, encode):
    data = encode(noisy, file_format)
    with pytest.raises(NotAnImage):
        decode(data[: int(0.97 * len(data))])


def test_pillows_setting_for_the_whole_process_is_left_alone(noisy, encode):
    with pytest.warns(CutShortWarning):
        decode(encode(noisy, "JPEG")[:-2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False


def test_a_whole_file_gives_no_warning(noisy, encode):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(encode(noisy, "JPEG"))


class TestScans:
    def test_baseline_has_one_with_everything(self, noisy, encode):
        scans = read_scans(encode(noisy, "JPEG"))
        assert scans.count == 1
        assert scans.all_begun
        assert len(scans.missing_bits) == 3

    def test_progressive_has_everything_once_the_last_has_begun(self, noisy, encode):
        data = encode(noisy, "JPEG", progressive=True)
        whole = read_scans(data)
        assert whole.count == data.count(b"\xff\xda") > 5
        assert whole.all_begun
        starts = [found.start() for found in re.finditer(b"\xff\xda", data)]
        assert [read_scans(data[:start]).all_begun for start in starts] == [False] * len(starts)
        assert [read_scans(data[:start]).count for start in starts] == list(range(len(starts)))
        assert read_scans(data[: starts[-1] + 20]).all_begun

    @pytest.mark.parametrize(
        "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xc0\0\x03\x08", b"\xff\xd8\xff\xda\0\x02", b"\xff" * 50]
    )
    def test_headers_without_sense_hold_nothing(self, data):
        assert not read_scans(data).all_begun

    def test_scan_markers_behind_the_image_do_not_count(self, noisy, encode):
        data = encode(noisy, "JPEG") + b"\xff\xda\0\x08" * 500
        assert read_scans(data).count == 1
