"""Contact sheets: a photo and the products that were found for it, drawn on one page."""

from __future__ import annotations

import bisect
import functools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from stylesearch.errors import ImageError, MissingDependency
from stylesearch.images.decode import DecodedImage, decode
from stylesearch.images.regions import OVERSAMPLING, draw_letterboxed, fit_size
from stylesearch.images.source import ImageSource
from stylesearch.types import Box

__all__ = [
    "Canvas",
    "Color",
    "Font",
    "SheetEntry",
    "contact_sheet",
    "font",
    "printable",
    "shorten",
    "wrap",
]

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Color = tuple[int, int, int]

_PAGE: Final = (245, 245, 243)
_CARD: Final = (255, 255, 255)
_EDGE: Final = (224, 224, 220)
_INK: Final = (26, 26, 28)
_FAINT: Final = (118, 118, 122)
_EMPTY: Final = (236, 236, 233)
_CROSSED: Final = (206, 206, 202)
_ACCENT: Final = (255, 84, 44)
_RIGHT: Final = (24, 128, 72)
_WRONG: Final = (202, 52, 48)
_WRONG_EDGE: Final = (226, 146, 142)

_MARGIN: Final = 40
_GAP: Final = 18
_HEADER: Final = 62
_PANEL: Final = (360, 480)
_SHOWN: Final = (192, 256)
_TEXT_HEIGHT: Final = 82
_PADDING: Final = 12
_CORNER: Final = 9

_SMOOTHING: Final = 4
"""Corners are drawn this many times larger and reduced, since ImageDraw does not smooth edges."""

_ELLIPSIS: Final = "…"
_SPELT_OUT: Final = str.maketrans(
    {
        "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
        "đ": "d", "Đ": "D", "ı": "i", "þ": "th", "Þ": "Th", "–": "-", "—": "-", "‘": "'", "’": "'",
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "€": "EUR ", "£": "GBP ", "×": "x",
    }
)  # fmt: skip
_LEAST_LEGIBLE: Final = 0.5


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A hit on a contact sheet.

    Attributes:
        image: the product's image: a path, or the bytes of a file; None if there is none.
        rank: 1 for the nearest.
        title: the product's title.
        category: shown below the title.
        distance: shown beside the category.
        product_id: shown in place of a title in letters that the built-in font lacks.
        right: for evaluations, whether this is the product looked for (framed green and ticked, or red and
            crossed); None where that is not known.
    """

    image: ImageSource | None
    rank: int
    title: str
    category: str = ""
    distance: float | None = None
    product_id: str = ""
    right: bool | None = None


def contact_sheet(
    photo: ImageSource | DecodedImage,
    entries: Sequence[SheetEntry],
    *,
    boxes: Sequence[Box] = (),
    title: str = "",
    subtitle: str = "",
    columns: int = 5,
    scale: int = 1,
) -> Image.Image:
    """Draws the query photo on the left and the hits in a grid beside it.

    A hit whose image is missing or cannot be read gets a labelled placeholder.

    Args:
        photo: the query photo.
        entries: in the order to be shown.
        boxes: outlined on the photo, in pixels of the upright photo at full resolution.
        title: heading of the page, for example the name of the photo's file.
        subtitle: small, below the title; for example extractor, space and metric.
        columns: hits in a row.
        scale: 2 doubles every measure, for print and dense screens.

    Returns:
        An image of mode RGB, as tall as the hits need.

    Raises:
        ImageError: the query photo cannot be read.
        ValueError: ``columns`` or ``scale`` under 1.
    """
    if columns < 1 or scale < 1:
        raise ValueError(f"columns and scale are at least 1. Received: columns={columns}, scale={scale}")
    if not isinstance(photo, DecodedImage):
        photo = decode(photo, reduce_to=math.ceil(OVERSAMPLING * max(_PANEL) * scale))
    header = _HEADER if title or subtitle else 0
    rows = math.ceil(len(entries) / columns)
    card_width, card_height = _SHOWN[0], _SHOWN[1] + _TEXT_HEIGHT
    photo_width, photo_height = fit_size(photo.width, photo.height, _PANEL)
    grid_left, top = _MARGIN + photo_width + 2 * _GAP, _MARGIN + header
    canvas = Canvas(
        grid_left + columns * (card_width + _GAP) - _GAP + _MARGIN,
        top + max(rows * (card_height + _GAP) - _GAP, photo_height) + _MARGIN,
        _PAGE,
        scale,
    )
    _draw_header(canvas, title, subtitle)
    _draw_photo(canvas, _MARGIN, top, (photo_width, photo_height), photo, boxes)
    if not entries:
        canvas.text(grid_left, top + 4, "Nothing found", 20, _FAINT)
    for number, entry in enumerate(entries):
        row, column = divmod(number, columns)
        _draw_card(canvas, grid_left + column * (card_width + _GAP), top + row * (card_height + _GAP), entry)
    return canvas.page


def _draw_header(canvas: Canvas, title: str, subtitle: str) -> None:
    room = canvas.page.width - 2 * _MARGIN * canvas.scale
    title = shorten(printable(title, otherwise="Query"), room, font(26 * canvas.scale))
    canvas.text(_MARGIN, _MARGIN - 6, title, 26, _INK, bold=True)
    subtitle = shorten(printable(subtitle), room, font(15 * canvas.scale))
    canvas.text(_MARGIN, _MARGIN + (29 if title else 0), subtitle, 15, _FAINT)


def _draw_photo(
    canvas: Canvas, x: int, y: int, size: tuple[int, int], photo: DecodedImage, boxes: Sequence[Box]
) -> None:
    width, height = size
    canvas.area(x - 1, y - 1, width + 2, height + 2, _EDGE, _CORNER + 1)
    canvas.image(x, y, _letterbox_image(photo, width * canvas.scale, height * canvas.scale), _CORNER)
    scale_x, scale_y = width / photo.width, height / photo.height
    for box in boxes:
        inside = box.cut(photo.width, photo.height)
        if inside is None:
            continue
        left, top = inside.x0 * scale_x, inside.y0 * scale_y
        right, bottom = inside.x1 * scale_x, inside.y1 * scale_y
        # A light line inside the colored one, so that the box shows on photos of any color.
        canvas.outline(x + left, y + top, right - left, bottom - top, _CARD, 4)
        canvas.outline(x + left, y + top, right - left, bottom - top, _ACCENT, 2.5)


def _draw_card(canvas: Canvas, x: int, y: int, entry: SheetEntry) -> None:
    width, shown_height = _SHOWN
    height = shown_height + _TEXT_HEIGHT
    edge, thickness = {None: (_EDGE, 1), True: (_RIGHT, 3), False: (_WRONG_EDGE, 2)}[entry.right]
    canvas.area(
        x - thickness, y - thickness, width + 2 * thickness, height + 2 * thickness, edge, _CORNER + thickness
    )
    canvas.area(x, y, width, height, _CARD, _CORNER)
    pixels, reason = _image_of(entry, canvas.scale)
    if pixels is None:
        _draw_placeholder(canvas, x, y, reason)
    else:
        canvas.image(x, y, pixels, _CORNER, square_below=True)
    _draw_rank(canvas, x + 8, y + 8, entry.rank)
    if entry.right is not None:
        _draw_verdict(canvas, x + width - 8, y + 8, entry.right)
    _draw_caption(canvas, x + _PADDING, y + shown_height + 10, width - 2 * _PADDING, entry)


def _image_of(entry: SheetEntry, scale: int) -> tuple[npt.NDArray[np.uint8] | None, str]:
    """Returns the pixels of a hit's image, or why there are none."""
    if entry.image is None:
        return None, "no picture"
    try:
        image = decode(entry.image, reduce_to=math.ceil(OVERSAMPLING * max(_SHOWN) * scale))
    except MissingDependency as error:
        return None, error.hint or "cannot be read"
    except ImageError:
        return None, "picture cannot be read"
    return _letterbox_image(image, _SHOWN[0] * scale, _SHOWN[1] * scale), ""


def _letterbox_image(image: DecodedImage, width: int, height: int) -> npt.NDArray[np.uint8]:
    pixels = np.empty((height, width, 3), np.uint8)
    draw_letterboxed(image.upright, (0.0, 0.0, *image.upright.size), pixels)
    return pixels


def _draw_placeholder(canvas: Canvas, x: int, y: int, reason: str) -> None:
    width, height = _SHOWN
    canvas.area(x, y, width, height, _EMPTY, _CORNER, square_below=True)
    centre, middle = x + width / 2, y + height / 2 - 12
    canvas.outline(centre - 26, middle - 21, 52, 42, _CROSSED, 3)
    canvas.line([(centre - 26, middle + 20), (centre + 26, middle - 21)], _CROSSED, 3)
    room = (width - 2 * _PADDING) * canvas.scale
    shown = shorten(printable(reason), room, font(13 * canvas.scale))
    canvas.text(centre, middle + 34, shown, 13, _FAINT, anchor="ma")


def _draw_rank(canvas: Canvas, x: int, y: int, rank: int) -> None:
    width = max(26.0, canvas.text_width(str(rank), 14) + 14)
    canvas.area(x, y, width, 26, _INK, 13)
    canvas.text(x + width / 2, y + 13, str(rank), 14, _CARD, anchor="mm", bold=True)


def _draw_verdict(canvas: Canvas, right_edge: int, y: int, right: bool) -> None:
    """Draws a tick or a cross, so that the frame's color is not the only sign."""
    x = right_edge - 26
    canvas.area(x, y, 26, 26, _RIGHT if right else _WRONG, 13)
    if right:
        canvas.line([(x + 7, y + 13.5), (x + 11.5, y + 18), (x + 19, y + 8.5)], _CARD, 2.5)
    else:
        canvas.line([(x + 8.5, y + 8.5), (x + 17.5, y + 17.5)], _CARD, 2.5)
        canvas.line([(x + 17.5, y + 8.5), (x + 8.5, y + 17.5)], _CARD, 2.5)


def _draw_caption(canvas: Canvas, x: int, y: int, width: int, entry: SheetEntry) -> None:
    title = printable(entry.title, otherwise=entry.product_id)
    for number, line in enumerate(wrap(title, width * canvas.scale, font(15 * canvas.scale), 2)):
        canvas.text(x, y + 19 * number, line, 15, _INK)
    baseline = y + 60
    distance = "" if entry.distance is None else f"{entry.distance:.3f}"
    canvas.text(x + width, baseline, distance, 13, _INK, anchor="rs")
    room = width - canvas.text_width(distance, 13) - 8
    category = shorten(printable(entry.category), room * canvas.scale, font(13 * canvas.scale))
    canvas.text(x, baseline, category, 13, _FAINT, anchor="ls")


class Canvas:
    """A page to draw on, with all measures in unscaled pixels.

    Attributes:
        page: the image that is drawn on.
        scale: page pixels for each unscaled one.
    """

    def __init__(self, width: int, height: int, background: Color, scale: int) -> None:
        self.scale = scale
        self.page = Image.new("RGB", (width * scale, height * scale), background)
        self._draw = ImageDraw.Draw(self.page)

    def area(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        color: Color,
        corner: float = 0,
        *,
        square_below: bool = False,
    ) -> None:
        """Fills a rectangle with round corners, or with two round ones above and two square ones below."""
        box = self._to_pixels(x, y, width, height)
        mask = _round_corners(box[2] - box[0], box[3] - box[1], round(corner * self.scale), square_below)
        self.page.paste(color, box, mask)

    def image(
        self,
        x: float,
        y: float,
        pixels: npt.NDArray[np.uint8],
        corner: float = 0,
        *,
        square_below: bool = False,
    ) -> None:
        """Pastes pixels, shape (h, w, 3), that are of this scale already."""
        image = Image.fromarray(pixels)
        mask = _round_corners(image.width, image.height, round(corner * self.scale), square_below)
        self.page.paste(image, (round(x * self.scale), round(y * self.scale)), mask)

    def outline(
        self, x: float, y: float, width: float, height: float, color: Color, thickness: float
    ) -> None:
        """Draws the inner edge of a rectangle."""
        left, top, right, bottom = self._to_pixels(x, y, width, height)
        self._draw.rectangle(
            (left, top, max(left, right - 1), max(top, bottom - 1)),
            outline=color,
            width=max(1, round(thickness * self.scale)),
        )

    def line(self, points: list[tuple[float, float]], color: Color, thickness: float) -> None:
        """Draws lines from point to point."""
        scaled = [(px * self.scale, py * self.scale) for px, py in points]
        self._draw.line(scaled, fill=color, width=max(1, round(thickness * self.scale)), joint="curve")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int,
        color: Color,
        *,
        anchor: str = "la",
        bold: bool = False,
    ) -> None:
        """Writes one line; ``anchor`` as in Pillow (``"la"``: its left end and the top of its capitals)."""
        self._draw.text(
            (x * self.scale, y * self.scale),
            text,
            fill=color,
            font=font(size * self.scale),
            anchor=anchor,
            # The built-in font has one weight only.
            stroke_width=0.02 * size * self.scale if bold else 0,
        )

    def text_width(self, text: str, size: int) -> float:
        """Width of a line, in unscaled pixels."""
        return font(size * self.scale).getlength(text) / self.scale

    def _to_pixels(self, x: float, y: float, width: float, height: float) -> tuple[int, int, int, int]:
        left, top = round(x * self.scale), round(y * self.scale)
        return left, top, round((x + width) * self.scale), round((y + height) * self.scale)


@functools.lru_cache(maxsize=64)
def _round_corners(width: int, height: int, corner: int, square_below: bool) -> Image.Image:
    """Makes a mask of mode L with smooth round corners."""
    if corner == 0:
        return Image.new("L", (width, height), 255)
    drawn_height = height + corner if square_below else height
    large = Image.new("L", (width * _SMOOTHING, drawn_height * _SMOOTHING), 0)
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, large.width - 1, large.height - 1), radius=corner * _SMOOTHING, fill=255
    )
    return large.reduce(_SMOOTHING).crop((0, 0, width, height))


# Text in Pillow's built-in font, which lacks many letters.


@functools.cache
def font(size: int) -> Font:
    """Loads Pillow's built-in font, the only one that is on every machine."""
    return ImageFont.load_default(size)


def printable(text: str, otherwise: str = "") -> str:
    """Rewrites a text in letters that the font has.

    Accents are dropped and a few letters spelt out; others are left out. A text of which less than half
    remains (one in Chinese or Greek, say) is replaced.

    Args:
        text: any text, on any number of lines.
        otherwise: what to show for a text in a script that the font lacks.

    Example:
        >>> printable("Jupe à fleurs,\\n taille élastiquée")
        'Jupe a fleurs, taille elastiquee'
        >>> printable("花柄ワンピース", otherwise="dress-17")
        'dress-17'
    """
    text = " ".join(text.split())
    latin = unicodedata.normalize("NFKD", text.translate(_SPELT_OUT))
    plain = "".join(letter for letter in latin if not unicodedata.combining(letter))
    legible = "".join(letter for letter in plain if letter.isspace() or _has_glyph(letter))
    if len(legible.replace(" ", "")) < _LEAST_LEGIBLE * len(plain.replace(" ", "")):
        return printable(otherwise) if otherwise != text else ""
    return " ".join(legible.split())


@functools.cache
def _has_glyph(letter: str) -> bool:
    """Whether the font draws something else than its box for unknown letters."""
    if letter.isascii():
        return letter.isprintable()
    ours, unknown = (font(20).getmask(shown) for shown in (letter, "\uffff"))
    return ours.size != unknown.size or bytes(ours) != bytes(unknown)


def shorten(text: str, width: float, face: Font) -> str:
    """Shortens a text at its end if it is wider than ``width`` pixels.

    Example:
        >>> shorten("Pleated midi skirt", 90, font(15))
        'Pleated mid…'
    """
    if face.getlength(text) <= width:
        return text
    # More letters are never narrower, so the last number that fits can be bisected.
    keep = bisect.bisect_right(
        range(1, len(text)), width, key=lambda n: face.getlength(text[:n].rstrip() + _ELLIPSIS)
    )
    return text[:keep].rstrip() + _ELLIPSIS


def wrap(text: str, width: float, face: Font, n_lines: int) -> Sequence[str]:
    """Breaks a text between words into at most ``n_lines`` lines, the last of them shortened."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < n_lines - 1:
        taken = 1
        while taken < len(words) and face.getlength(" ".join(words[: taken + 1])) <= width:
            taken += 1
        lines.append(shorten(" ".join(words[:taken]), width, face))
        words = words[taken:]
    if words:
        lines.append(shorten(" ".join(words), width, face))
    return lines
