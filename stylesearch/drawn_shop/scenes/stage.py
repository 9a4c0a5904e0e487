"""The small image on which a background is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from stylesearch.drawn_shop.drawing.curves import Points
from stylesearch.drawn_shop.drawing.palette import Color

__all__ = ["Stage", "muted_color"]


class Stage:
    """A small image to draw a background on, with the lines of floor and horizon.

    Args:
        size: width and height.
        floor: y at which the floor ends and the back wall begins, or the far side of the street; may lie
            outside.
        horizon: y of the camera's height.
        person: pixels of a person's height at the floor line.
    """

    def __init__(self, size: tuple[int, int], floor: float, horizon: float, person: float) -> None:
        self.width, self.height = size
        self.floor, self.horizon, self.person = floor, horizon, person
        self.image = Image.new("RGB", size)
        self.draw = ImageDraw.Draw(self.image)

    def box(self, x0: float, y0: float, x1: float, y1: float, color: Color) -> None:
        """Fills a rectangle, unless it is thinner than a pixel."""
        if x1 >= x0 + 1 and y1 >= y0 + 1:
            self.draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=color)

    def shape(self, points: Points | Sequence[tuple[float, float]], color: Color) -> None:
        """Fills an outline."""
        self.draw.polygon(np.asarray(points, dtype=np.float64).ravel().tolist(), fill=color)

    def fade(self, y0: float, y1: float, top: Color, bottom: Color) -> None:
        """Draws a vertical gradient."""
        first, last = max(0, math.floor(y0)), min(self.height, math.ceil(y1))
        if last <= first:
            return
        share = (np.arange(first, last) - y0) / max(1.0, y1 - y0)
        rows = np.array(top) + np.clip(share, 0, 1)[:, None] * (np.array(bottom) - np.array(top))
        strip = np.broadcast_to(rows[:, None, :], (last - first, self.width, 3)).astype(np.uint8)
        self.image.paste(Image.fromarray(np.ascontiguousarray(strip)), (0, first))

    def ground(self, near: Color, far: Color) -> None:
        """Draws the floor."""
        self.fade(self.floor, self.height, far, near)

    def lines_to_horizon(self, count: int, color: Color, width: int = 1) -> None:
        """Draws joints of a pavement or of floor boards, running away from the camera."""
        if self.floor >= self.height:
            return
        for index in range(-count, count + 1):
            far_x = self.width / 2 + index * self.width / count * 0.55
            drop = (self.height - self.horizon) / max(4.0, self.floor - self.horizon)
            near_x = self.width / 2 + (far_x - self.width / 2) * min(drop, 12.0)
            self.draw.line((far_x, self.floor, near_x, self.height), fill=color, width=width)

    def lines_across(self, count: int, color: Color) -> None:
        """Draws joints of a pavement across the image, closer together farther away."""
        for index in range(1, count):
            y = self.floor + (self.height - self.floor) * (index / count) ** 2
            self.draw.line((0, y, self.width, y), fill=color)


def muted_color(random: Random, low: int = 120, high: int = 225, spread: int = 22) -> Color:
    """Draws a color of low saturation."""
    base = random.randint(low, high)
    red, green, blue = (max(0, min(255, base + random.randint(-spread, spread))) for _ in range(3))
    return red, green, blue
