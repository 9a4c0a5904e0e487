from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from PIL import Image

from stylesearch.errors import NotAnImage
from stylesearch.images.contact_sheet import SheetEntry, contact_sheet, font, printable, shorten, wrap
from stylesearch.images.decode import decode
from stylesearch.types import Box


@pytest.fixture
def photo(garment, encode):
    return encode(garment, "JPEG")


@pytest.fixture
def entry(encode):
    return SheetEntry(
        encode(Image.new("RGB", (300, 400), (10, 150, 60)), "PNG"),
        rank=1,
        title="Pleated midi skirt",
        category="skirt",
        distance=0.1234,
        product_id="sku-1",
    )


def _many(entry, n):
    return [dataclasses.replace(entry, rank=rank) for rank in range(1, n + 1)]


def _share(sheet, color, tolerance=6):
    return float((np.abs(np.asarray(sheet).astype(int) - color).max(axis=2) <= tolerance).mean())


def test_a_page_as_wide_as_its_columns_and_as_tall_as_its_rows(photo, entry):
    sheet = contact_sheet(photo, _many(entry, 5))
    assert sheet.mode == "RGB"
    assert contact_sheet(photo, _many(entry, 3)).size == sheet.size
    taller = contact_sheet(photo, _many(entry, 6))
    assert taller.width == sheet.width
    assert taller.height > sheet.height
    assert contact_sheet(photo, _many(entry, 6), columns=6).width > sheet.width


def test_every_hit_is_shown(photo, entry):
    ones = [_share(contact_sheet(photo, _many(entry, n), columns=4), (10, 150, 60)) for n in range(5)]
    assert ones[0] == 0
    assert all(after > before for before, after in itertools.pairwise(ones))


def test_hits_come_left_to_right_then_down(photo, entry, encode):
    colors = [(200, 10, 10), (10, 200, 10), (10, 10, 200)]
    entries = [
        dataclasses.replace(entry, rank=i + 1, image=encode(Image.new("RGB", (300, 400), color), "PNG"))
        for i, color in enumerate(colors)
    ]
    pixels = np.asarray(contact_sheet(photo, entries, columns=2)).astype(int)
    centres = [np.argwhere(np.abs(pixels - color).max(axis=2) < 4).mean(axis=0) for color in colors]
    assert centres[0][0] == pytest.approx(centres[1][0], abs=1)
    assert centres[0][1] < centres[1][1]
    assert centres[2][0] > centres[0][0]
    assert centres[2][1] == pytest.approx(centres[0][1], abs=1)


@pytest.mark.parametrize(
    "image", [None, b"", b"no picture", "/nowhere/at/all.jpg", b"\xff\xd8\xff\xe0", b"\0\0\0\x18ftypmp42"]
)
def test_a_hit_without_a_usable_image_gets_a_placeholder(image, photo, entry):
    sheet = contact_sheet(photo, [dataclasses.replace(entry, image=image)])
    assert _share(sheet, (10, 150, 60)) == 0
    assert _share(sheet, (236, 236, 233), 0) > 0.02


def test_a_query_photo_that_cannot_be_read_is_an_error(entry):
    with pytest.raises(NotAnImage):
        contact_sheet(b"no picture", [entry])


def test_the_box_is_outlined_where_it_is(photo, entry):
    plain = np.asarray(contact_sheet(photo, [entry])).astype(int)
    marked = np.asarray(contact_sheet(photo, [entry], boxes=[Box(150, 200, 300, 400)])).astype(int)
    changed = np.argwhere(np.abs(marked - plain).max(axis=2) > 0)
    # The photo, 300 x 400, is shown 360 x 480 at (40, 40).
    assert changed.min(axis=0).tolist() == [280, 220]
    assert changed.max(axis=0).tolist() == [519, 399]
    middle = (changed[:, 0] > 300) & (changed[:, 0] < 500) & (changed[:, 1] > 240) & (changed[:, 1] < 380)
    assert not middle.any()


def test_boxes_that_reach_out_are_no_error(photo, entry):
    outside = [Box(5000, 5000, 6000, 6000), Box(-9, -9, -1, -1)]
    drawn = contact_sheet(photo, [entry], boxes=[Box(-50, -50, 9000, 9000), *outside])
    whole = contact_sheet(photo, [entry], boxes=[Box(0, 0, 300, 400)])
    np.testing.assert_array_equal(np.asarray(drawn), np.asarray(whole))


def test_right_and_wrong_differ_by_more_than_color(photo, entry):
    right, wrong, unknown = (
        contact_sheet(photo, [dataclasses.replace(entry, right=verdict)]) for verdict in (True, False, None)
    )
    assert _share(right, (24, 128, 72)) > 2 * _share(unknown, (24, 128, 72)) + 0.001
    assert _share(wrong, (202, 52, 48)) > _share(unknown, (202, 52, 48)) + 0.0001
    grey_right, grey_wrong = (
        np.asarray(right.convert("L")).astype(int),
        np.asarray(wrong.convert("L")).astype(int),
    )
    assert (np.abs(grey_right - grey_wrong) > 60).sum() > 50


@pytest.mark.parametrize(
    "title",
    ["", " ", "花柄ワンピース", "Платье летнее", "فستان صيفي", "👗👠", "Größe 38 – Café\nCrème", "x" * 500,
     "a b " * 200, "\0\x1b[31m\ufffd", "e\u0301\u0301" * 30],
)  # fmt: skip
def test_any_title_can_be_drawn(title, photo, entry):
    contact_sheet(
        photo, [dataclasses.replace(entry, title=title, category=title)], title=title, subtitle=title
    )


@pytest.mark.parametrize(
    "changes", [{"rank": 12345}, {"distance": None}, {"distance": 1e9}, {"distance": float("nan")}]
)
def test_odd_values_can_be_drawn(changes, photo, entry):
    contact_sheet(photo, [dataclasses.replace(entry, **changes)])


def test_nothing_found(photo):
    assert _share(contact_sheet(photo, []), (118, 118, 122), 20) > 0


def test_scale_doubles_every_measure(photo, entry):
    once, twice = (contact_sheet(photo, _many(entry, 2), title="Query", scale=scale) for scale in (1, 2))
    assert twice.size == (2 * once.width, 2 * once.height)
    difference = np.abs(np.asarray(twice.reduce(2)).astype(int) - np.asarray(once))
    assert difference.mean() < 2


def test_photos_of_every_shape(entry, encode):
    for size in ((16, 1600), (1600, 16), (20, 20), (4000, 3000)):
        sheet = contact_sheet(encode(Image.new("RGB", size, (90, 90, 200)), "PNG"), [entry])
        assert _share(sheet, (90, 90, 200)) > 0


def test_a_decoded_photo_is_accepted(photo, entry):
    np.testing.assert_array_equal(contact_sheet(decode(photo), [entry]), contact_sheet(photo, [entry]))


@pytest.mark.parametrize("options", [{"columns": 0}, {"scale": 0}])
def test_nonsense_measures(options, photo, entry):
    with pytest.raises(ValueError, match="at least 1"):
        contact_sheet(photo, [entry], **options)


class TestText:
    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("Plain title", "Plain title"),
            ("  spaces \n and\tlines ", "spaces and lines"),
            ("Größe 38 – “Café”", 'Grosse 38 - "Cafe"'),
            ("Łódź", "Lodz"),
            ("19,90 €", "19,90 EUR"),
            ("Dress 花", "Dress"),
            ("花柄 S", "sku-7"),
            ("", ""),
        ],
    )
    def test_letters_that_the_font_has(self, text, shown):
        assert printable(text, otherwise="sku-7") == shown

    def test_nothing_legible_and_nothing_instead(self):
        assert printable("花柄") == ""
        assert printable("花柄", otherwise="花柄") == ""

    def test_ellipsis(self):
        face = font(15)
        assert shorten("short", 200, face) == "short"
        shortened = shorten("A very long title of a skirt", 90, face)
        assert shortened.endswith("…")
        assert face.getlength(shortened) <= 90
        assert shorten("anything", 1, face) == "…"

    def test_lines(self):
        face = font(15)
        lines = wrap("Long sleeved cotton shirt with a collar and seven buttons", 110, face, 2)
        assert len(lines) == 2
        assert all(face.getlength(line) <= 110 for line in lines)
        assert lines[0] == "Long sleeved"
        assert lines[1].endswith("…")
        assert wrap("Tee", 110, face, 2) == ["Tee"]
        assert wrap("", 110, face, 2) == []
