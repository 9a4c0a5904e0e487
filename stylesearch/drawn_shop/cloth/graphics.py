"""Draws prints for the front of a T-shirt, in two or three colors."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylesearch.drawn_shop.drawing.curves import Points, ellipse, polyline, spline
from stylesearch.drawn_shop.drawing.palette import Color, mix

__all__ = ["graphic"]

_SIDE = 160
_WORDS = (
    "SUNDAY",
    "NORTH",
    "coast",
    "hello",
    "RADIO",
    "1984",
    "wild",
    "MERCI",
    "no. 7",
    "slow",
    "ATLAS",
    "ocean",
    "PARIS",
    "amigo",
    "VELO",
    "luna",
    "23",
    "KIND",
    "good day",
    "STUDIO",
)


class _Sheet:
    """A square to print on, in units from -1 to 1."""

    def __init__(self) -> None:
        self.image = Image.new("RGBA", (_SIDE, _SIDE), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)

    def shape(self, points: Points, color: Color) -> None:
        self.draw.polygon(((points + 1.0) * (_SIDE / 2)).ravel().tolist(), fill=(*color, 255))

    def line(self, points: Points, width: float, color: Color) -> None:
        pixels = ((points + 1.0) * (_SIDE / 2)).ravel().tolist()
        self.draw.line(pixels, fill=(*color, 255), width=max(1, round(width * _SIDE / 2)), joint="curve")

    def word(self, text: str, y: float, height: float, color: Color) -> None:
        size = height * _SIDE / 2
        font = ImageFont.load_default(size=size)
        left, top, right, bottom = self.draw.textbbox((0, 0), text, font=font)
        if right - left > _SIDE * 0.98:
            size *= _SIDE * 0.98 / (right - left)
            font = ImageFont.load_default(size=size)
            left, top, right, bottom = self.draw.textbbox((0, 0), text, font=font)
        at = ((_SIDE - (right + left)) / 2, (y + 1) * _SIDE / 2 - (top + bottom) / 2)
        self.draw.text(
            at,
            text,
            font=font,
            fill=(*color, 255),
            stroke_width=max(1, round(size * 0.03)),
            stroke_fill=(*color, 255),
        )


def _sunset(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    sheet.shape(ellipse(0, -0.1, 0.72, 0.72, corners=48), second)
    for index in range(4):
        y = 0.08 + 0.17 * index
        sheet.line(polyline([(-0.8, y), (0.8, y)]), 0.03 + 0.03 * index, mix(ink, ink, 0))
    sheet.shape(spline([(-0.9, 0.62), (-0.4, 0.1), (-0.1, 0.42), (0.3, -0.05), (0.9, 0.62)]), ink)


def _star(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    tips = random.choice((5, 5, 6, 8))
    angle = np.arange(2 * tips) * math.pi / tips - math.pi / 2
    for factor, color in ((0.92, ink), (0.62, second), (0.32, ink)):
        radius = np.where(np.arange(2 * tips) % 2 == 0, factor, factor * 0.45)
        sheet.shape(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]), color)


def _heart(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    t = np.linspace(0, 2 * math.pi, 60, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    heart = np.column_stack([x, y]) / 17.5
    sheet.shape(heart, ink)
    if random.random() < 0.6:
        sheet.shape(heart * 0.62, second)


def _cat(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    for side in (-1.0, 1.0):
        sheet.shape(polyline([(side * 0.66, -0.82), (side * 0.66, -0.05), (side * 0.12, -0.4)]), ink)
    sheet.shape(ellipse(0, 0.1, 0.72, 0.62, corners=40), ink)
    for side in (-1.0, 1.0):
        sheet.shape(ellipse(side * 0.28, 0.0, 0.13, 0.16), second)
        sheet.shape(ellipse(side * 0.28, 0.0, 0.05, 0.15), ink)
        for y in (0.26, 0.34):
            sheet.line(polyline([(side * 0.2, 0.28), (side * 0.95, y * 1.4 - 0.16)]), 0.025, second)
    sheet.shape(polyline([(-0.08, 0.22), (0.08, 0.22), (0, 0.32)]), second)


def _mountains(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    sheet.draw.ellipse((_SIDE * 0.06, _SIDE * 0.06, _SIDE * 0.94, _SIDE * 0.94), fill=(*second, 255))
    peaks = polyline([(-0.8, 0.45), (-0.35, -0.25), (-0.1, 0.1), (0.25, -0.5), (0.8, 0.45)])
    sheet.shape(peaks, ink)
    sheet.shape(
        polyline([(0.25, -0.5), (0.39, -0.25), (0.27, -0.3), (0.2, -0.2), (0.1, -0.24)]), (245, 245, 245)
    )
    sheet.shape(ellipse(-0.4, -0.5, 0.14, 0.14), ink)


def _flower(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    petals = random.choice((6, 8, 11))
    sheet.line(spline([(0, 0), (0.06, 0.5), (-0.05, 0.95)]), 0.06, (70, 120, 80))
    sheet.shape(ellipse(0.25, 0.62, 0.26, 0.09, turn=-0.5), (70, 120, 80))
    for petal in range(petals):
        angle = petal * 2 * math.pi / petals
        sheet.shape(
            ellipse(0.42 * math.cos(angle), -0.22 + 0.42 * math.sin(angle), 0.34, 1.1 / petals, turn=angle),
            ink,
        )
    sheet.shape(ellipse(0, -0.22, 0.2, 0.2), second)


def _face(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    sheet.shape(ellipse(0, 0, 0.85, 0.85, corners=48), second)
    for side in (-1.0, 1.0):
        sheet.shape(ellipse(side * 0.3, -0.2, 0.09, 0.17), ink)
    sheet.line(spline([(-0.5, 0.2), (-0.25, 0.45), (0.25, 0.45), (0.5, 0.2)]), 0.08, ink)


def _wave(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    for index in range(6):
        y = -0.6 + 0.24 * index
        x = np.linspace(-0.9, 0.9, 40)
        sheet.line(np.column_stack([x, y + 0.1 * np.sin(5 * x + index)]), 0.085, ink if index % 2 else second)


def _words(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    word = random.choice(_WORDS)
    style = random.randrange(4)
    if style == 0:
        for index, y in enumerate((-0.5, 0.0, 0.5)):
            sheet.word(word, y, 0.52, second if index == 1 else ink)
    elif style == 1:
        sheet.shape(polyline([(-0.95, -0.36), (0.95, -0.36), (0.95, 0.36), (-0.95, 0.36)]), ink)
        sheet.word(word, 0.0, 0.5, second)
    elif style == 2:
        sheet.word(word, -0.1, 0.75, ink)
        sheet.line(polyline([(-0.7, 0.36), (0.7, 0.36)]), 0.05, second)
        sheet.word(random.choice(_WORDS).lower(), 0.6, 0.28, second)
    else:
        sheet.line(np.vstack([ellipse(0, 0, 0.9, 0.9, corners=60), [(0.9, 0.0)]]), 0.07, ink)
        sheet.word(word, 0.0, 0.48, second)


def _blocks(sheet: _Sheet, ink: Color, second: Color, random: Random) -> None:
    for index in range(6):
        x, y = random.uniform(-0.55, 0.55), random.uniform(-0.55, 0.55)
        size, color = random.uniform(0.15, 0.42), (ink, second, mix(ink, second, 0.5))[index % 3]
        if random.random() < 0.5:
            sheet.shape(ellipse(x, y, size, size, corners=32), color)
        else:
            sheet.shape(
                polyline(
                    [
                        (x - size, y - size),
                        (x + size, y - size),
                        (x + size, y + size * 0.6),
                        (x - size, y + size * 0.6),
                    ]
                ),
                color,
            )


_DESIGNS: tuple[Callable[[_Sheet, Color, Color, Random], None], ...] = (
    _sunset,
    _star,
    _heart,
    _cat,
    _mountains,
    _flower,
    _face,
    _wave,
    _words,
    _words,
    _words,
    _words,
    _blocks,
)


def graphic(seed: int, ink: Color, second: Color) -> Image.Image:
    """Draws an image to print, RGBA, square; the same for the same seed and colors."""
    random = Random(f"graphic/{seed}")
    sheet = _Sheet()
    random.choice(_DESIGNS)(sheet, ink, second, random)
    return sheet.image
