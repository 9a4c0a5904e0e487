"""A square to draw a pattern on, which repeats without a seam."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from stylesearch.drawn_shop.drawing.curves import Points, move
from stylesearch.drawn_shop.drawing.palette import Color

__all__ = ["Dyes", "Tile"]


@dataclass(frozen=True, slots=True)
class Dyes:
    """Colors of a pattern: of the ground, of what is on it, and a third one."""

    base: Color
    figure: Color
    accent: Color


class Tile:
    """An image of ``period`` by ``period`` centimetres, whose opposite edges fit together."""

    def __init__(self, side: int, period: float, repeats: int, ground: Color) -> None:
        self.image = Image.new("RGB", (side, side), ground)
        self.pen = ImageDraw.Draw(self.image)
        self.period = period
        self.repeats = repeats
        self.scale = side / period

    def shape(self, points: Points, color: Color) -> None:
        """Fills an outline, in centimetres, also where it crosses an edge."""
        low, high = points.min(axis=0), points.max(axis=0)
        for dx in self._copies(low[0], high[0]):
            for dy in self._copies(low[1], high[1]):
                self.pen.polygon((move(points, dx, dy) * self.scale).ravel().tolist(), fill=color)

    def _copies(self, low: float, high: float) -> Iterator[float]:
        first = math.ceil((-high) / self.period)
        last = math.floor((self.period - low) / self.period)
        yield from (step * self.period for step in range(first, last + 1))

    def band(self, start: float, width: float, color: Color, *, upright: bool) -> None:
        """Draws a stripe across the whole tile, from ``start`` on, in centimetres."""
        a = start * self.scale
        b = max(a, (start + width) * self.scale - 1)
        side = self.image.width
        self.pen.rectangle((a, 0, b, side) if upright else (0, a, side, b), fill=color)

    def field(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Returns phases in x and y, 0 to 2 pi over the tile, for patterns that are formulas."""
        turn = np.linspace(0, 2 * np.pi, self.image.width, endpoint=False, dtype=np.float32)
        return turn[None, :], turn[:, None]

    def choose(self, where: npt.NDArray[np.bool_], color: Color) -> None:
        """Paints ``color`` where a mask of the tile's shape is true."""
        self.image.paste(color, (0, 0), Image.fromarray(where))
        self.pen = ImageDraw.Draw(self.image)

    def scatter(self, random: Random, count: int) -> list[tuple[float, float]]:
        """Chooses points with room between them: each the best of a few tries, measured across the edges."""
        half = self.period / 2
        found = np.empty((count, 2))
        for index in range(count):
            tries = np.array(
                [(random.uniform(0, self.period), random.uniform(0, self.period)) for _ in range(5)]
            )
            apart = np.abs((tries[:, None] - found[None, :index] + half) % self.period - half)
            room = (apart**2).sum(axis=2).min(axis=1, initial=self.period**2)
            found[index] = tries[int(room.argmax())]
        return [(float(x), float(y)) for x, y in found]
