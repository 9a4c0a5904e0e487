"""The surface of a contact sheet: cards, pictures and lines of text, with smooth corners at any scale."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from stylesearch.images.sheet_text import font

__all__ = ["Canvas", "Color"]

Color = tuple[int, int, int]

_SMOOTHING = 4
"""Corners are drawn this many times larger and reduced, since ImageDraw does not smooth edges."""


class Canvas:
    """A page on which every measure is given in unscaled pixels.

    Attributes:
        page: what has been drawn.
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
        box = self._scaled(x, y, width, height)
        mask = _rounded(box[2] - box[0], box[3] - box[1], round(corner * self.scale), square_below)
        self.page.paste(color, box, mask)

    def picture(
        self,
        x: float,
        y: float,
        pixels: npt.NDArray[np.uint8],
        corner: float = 0,
        *,
        square_below: bool = False,
    ) -> None:
        """Puts down pixels, shape (h, w, 3), that have been made for this scale."""
        image = Image.fromarray(pixels)
        mask = _rounded(image.width, image.height, round(corner * self.scale), square_below)
        self.page.paste(image, (round(x * self.scale), round(y * self.scale)), mask)

    def outline(
        self, x: float, y: float, width: float, height: float, color: Color, thickness: float
    ) -> None:
        """Draws the inner edge of a rectangle."""
        left, top, right, bottom = self._scaled(x, y, width, height)
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

    def _scaled(self, x: float, y: float, width: float, height: float) -> tuple[int, int, int, int]:
        left, top = round(x * self.scale), round(y * self.scale)
        return left, top, round((x + width) * self.scale), round((y + height) * self.scale)


@functools.lru_cache(maxsize=64)
def _rounded(width: int, height: int, corner: int, square_below: bool) -> Image.Image:
    """A mask of mode L with smooth round corners."""
    if corner == 0:
        return Image.new("L", (width, height), 255)
    drawn_height = height + corner if square_below else height
    large = Image.new("L", (width * _SMOOTHING, drawn_height * _SMOOTHING), 0)
    ImageDraw.Draw(large).rounded_rectangle(
        (0, 0, large.width - 1, large.height - 1), radius=corner * _SMOOTHING, fill=255
    )
    return large.reduce(_SMOOTHING).crop((0, 0, width, height))
