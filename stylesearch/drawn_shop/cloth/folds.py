"""Light and shade on cloth: roundness, single folds, drapery, and the unevenness of worn cloth."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import numpy.typing as npt

from stylesearch.drawn_shop.cloth.grain import grain

__all__ = ["Folds"]

_STEP = 0.75
"""Centimetres between the points at which light is computed."""

_Numbers = npt.NDArray[np.float32]


class Folds:
    """Computes brightness to add to a strip, on a coarse grid.

    Args:
        bounds: left, top, right, bottom of the strip in centimetres.
        random: source of all random choices.
    """

    def __init__(self, bounds: tuple[float, float, float, float], random: Random) -> None:
        columns = max(4, round((bounds[2] - bounds[0]) / _STEP))
        rows = max(4, round((bounds[3] - bounds[1]) / _STEP))
        self.x: _Numbers = np.linspace(bounds[0], bounds[2], columns, dtype=np.float32)[None, :]
        self.y: _Numbers = np.linspace(bounds[1], bounds[3], rows, dtype=np.float32)[:, None]
        self.relief: _Numbers = np.zeros((rows, columns), dtype=np.float32)
        self._random = random

    def streak(
        self, x: float, y: float, angle: float, length: float, width: float, depth: float, bend: float = 0.0
    ) -> None:
        """Draws a fold from about (x, y) both ways: dark on one side, light on the other, fading at its ends.

        Args:
            x, y: middle of the fold, centimetres.
            angle: its direction, radians from "to the right", towards "down".
            length, width: centimetres.
            depth: brightness of its darkest line, about 0.1 to 0.4.
            bend: curvature, 1 / centimetres.
        """
        cos, sin = math.cos(angle), math.sin(angle)
        reach = 2.2 * length + 3 * width
        rows = slice(*np.searchsorted(self.y[:, 0], (y - reach, y + reach)))
        columns = slice(*np.searchsorted(self.x[0], (x - reach, x + reach)))
        dx, dy = self.x[:, columns] - x, self.y[rows] - y
        down = dx * cos + dy * sin
        side = (dy * cos - dx * sin - bend * down * down) / width
        fade = np.exp(-((down / length) ** 2) - side * side)
        self.relief[rows, columns] += depth * fade * (1.5 * side - 0.55)

    def draw_round(
        self, middle: npt.ArrayLike, half: npt.ArrayLike, amount: float, light: float = -0.25
    ) -> None:
        """Makes a strip darker towards both edges, brightest at ``light`` (-1 left edge, 1 right edge).

        Args:
            middle, half: middle and half width of the strip at each row, centimetres, broadcast to (rows, 1).
            amount: how much darker the edge is.
            light: where it is brightest.
        """
        share = (
            np.clip((self.x - np.asarray(middle, np.float32)) / np.asarray(half, np.float32), -1.1, 1.1)
            - light
        )
        self.relief += (amount * (0.3 - 0.75 * share * share)).astype(np.float32)

    def drape(
        self,
        top: float,
        bottom: float,
        half: npt.ArrayLike,
        waves: float,
        depth: float,
        *,
        sharp: bool = False,
        middle: npt.ArrayLike = 0.0,
        from_top: float = 0.0,
    ) -> None:
        """Draws folds that hang from ``top`` and grow towards ``bottom``; ``waves`` of them across."""
        share = (self.x - np.asarray(middle, np.float32)) / np.asarray(half, np.float32)
        grow = np.clip((self.y - top) / max(bottom - top, 1e-3), 0.0, 1.0)
        uneven = self._random
        drift = 0.25 * grow * math.sin(uneven.uniform(0, 6.28))
        phase = np.float32(waves * math.pi) * share + uneven.uniform(0, 6.28)
        if sharp:
            tooth = np.mod(phase / (2 * math.pi), 1.0)
            wave = np.where(tooth < 0.8, 0.7 - 0.9 * tooth, -1.1)
        else:
            phase = phase + 1.3 * np.sin(1.9 * share + uneven.uniform(0, 6.28)) + drift * waves
            wave = 0.62 * np.sin(phase) + 0.38 * np.sin(0.57 * phase + uneven.uniform(0, 6.28) + 0.8 * grow)
        self.relief += (
            depth * (from_top + (1 - from_top) * np.power(grow, 0.8)) * wave * (self.y >= top)
        ).astype(np.float32)

    def wrinkles(self, amount: float, length: float = 9.0) -> None:
        """Draws soft irregular unevenness, in blotches about ``length`` centimetres long."""
        noise = grain()
        step = max(1.0, length / 2)
        columns, rows = (
            int(self.relief.shape[1] * _STEP / step) + 3,
            int(self.relief.shape[0] * _STEP / (3.5 * step)) + 3,
        )
        i, j = self._random.randrange(256 - rows), self._random.randrange(256 - columns)
        self.relief += amount * _stretch(noise[i : i + rows, j : j + columns], self.relief.shape)

    def scatter(
        self,
        box: tuple[float, float, float, float],
        count: int,
        depth: float,
        length: float,
        angle: float,
        spread: float,
    ) -> None:
        """Draws ``count`` folds at random within ``box``, of about one direction."""
        draw = self._random
        for _ in range(count):
            self.streak(
                draw.uniform(box[0], box[2]),
                draw.uniform(box[1], box[3]),
                angle + draw.gauss(0, spread),
                length * draw.uniform(0.6, 1.3),
                draw.uniform(0.9, 2.2),
                depth * draw.uniform(0.5, 1.2) * draw.choice((-1, 1)),
                draw.gauss(0, 0.012),
            )


def _stretch(coarse: _Numbers, shape: tuple[int, ...]) -> _Numbers:
    """Enlarges coarse values smoothly, by cosine steps between them."""
    result = coarse
    for axis in (0, 1):
        at = np.linspace(0, coarse.shape[axis] - 1.001, shape[axis])
        low = at.astype(int)
        share = ((1 - np.cos(np.pi * (at - low))) / 2).astype(np.float32)
        share = share[:, None] if axis == 0 else share[None, :]
        result = np.take(result, low, axis=axis) * (1 - share) + np.take(result, low + 1, axis=axis) * share
    return result.astype(np.float32)
