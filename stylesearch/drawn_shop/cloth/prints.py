"""Draws patterns without a grid: flowers, leaves, spots, brush strokes, camouflage."""

from __future__ import annotations

import math
from random import Random

import numpy as np

from stylesearch.drawn_shop.cloth.tiles import Dyes, Tile
from stylesearch.drawn_shop.drawing.curves import Points, ellipse, move, spline
from stylesearch.drawn_shop.drawing.palette import lightness, mix, relight

__all__ = ["brush_strokes", "camouflage", "florals", "leaves", "leopard"]


def florals(tile: Tile, dyes: Dyes, random: Random) -> None:
    """Flowers of five to eight petals, each with two leaves."""
    size = tile.period / 11.0
    leaf = (
        mix((70, 110, 70), dyes.figure, 0.3)
        if lightness(dyes.base) > 0.2
        else mix((120, 150, 110), dyes.figure, 0.2)
    )
    petals, dense = random.choice((5, 5, 6, 8)), random.choice((11, 15, 20))
    for index, (x, y) in enumerate(tile.scatter(random, dense)):
        radius, turn = size * random.uniform(0.7, 1.25), random.uniform(0, 6.28)
        for side in (0.4, 2.4):
            tip = turn + side
            tile.shape(_leaf(x, y, tip, radius * 1.9, radius * 0.45), leaf)
        color = dyes.figure if index % 3 else dyes.accent
        for petal in range(petals):
            angle = turn + petal * 2 * math.pi / petals
            tile.shape(
                ellipse(
                    x + 0.62 * radius * math.cos(angle),
                    y + 0.62 * radius * math.sin(angle),
                    0.55 * radius,
                    1.7 * radius / petals + 0.06 * radius,
                    turn=angle,
                    corners=12,
                ),
                relight(color, 1.0 if petal % 2 else 0.92),
            )
        tile.shape(
            ellipse(x, y, 0.28 * radius, 0.28 * radius, corners=10),
            mix(dyes.accent, (250, 210, 80), 0.6),
        )


def leaves(tile: Tile, dyes: Dyes, random: Random) -> None:
    """Fans of leaflets."""
    size = tile.period / 7.0
    for index, (x, y) in enumerate(tile.scatter(random, 9)):
        turn, color = random.uniform(0, 6.28), (dyes.figure, dyes.figure, dyes.accent)[index % 3]
        for leaflet in range(-4, 5):
            spread = turn + leaflet * 0.33
            tile.shape(_leaf(x, y, spread, size * (1.25 - 0.07 * abs(leaflet)), size * 0.12), color)


def leopard(tile: Tile, dyes: Dyes, random: Random) -> None:
    """Dark rings about lighter spots."""
    size = tile.period / 17.0
    for x, y in tile.scatter(random, 46):
        turn, radius = random.uniform(0, 6.28), size * random.uniform(0.8, 1.25)
        blob = ellipse(x, y, radius, radius * 0.75, turn=turn, corners=10)
        tile.shape(blob, dyes.figure)
        bite = turn + random.uniform(0, 6.28)
        middle = mix(dyes.base, dyes.accent, 0.4)
        tile.shape(
            ellipse(
                x + 0.3 * radius * math.cos(bite),
                y + 0.3 * radius * math.sin(bite),
                radius * 0.62,
                radius * 0.42,
                turn=turn,
                corners=10,
            ),
            middle,
        )


def brush_strokes(tile: Tile, dyes: Dyes, random: Random) -> None:
    """Short strokes of a brush."""
    for index, (x, y) in enumerate(tile.scatter(random, 26)):
        turn, length = (
            random.uniform(-0.5, 0.5) + random.choice((0.0, 1.2)),
            tile.period * random.uniform(0.09, 0.16),
        )
        middle = spline(
            [
                (
                    x + s * length * math.cos(turn),
                    y + s * length * math.sin(turn) + 0.1 * length * math.sin(5 * s),
                )
                for s in (-0.6, -0.2, 0.2, 0.6)
            ],
            samples=3,
        )
        thick = tile.period * random.uniform(0.012, 0.024)
        edge = np.vstack([move(middle, 0, thick), move(middle, 0, -thick * 1.3)[::-1]])
        tile.shape(edge, (dyes.figure, dyes.accent, dyes.figure)[index % 3])


def camouflage(tile: Tile, dyes: Dyes, random: Random) -> None:
    """Large blots in three tones."""
    x, y = tile.field()
    for color, level in (
        (dyes.figure, 0.25),
        (mix(dyes.base, (30, 30, 20), 0.6), 0.6),
        (mix(dyes.base, (235, 225, 190), 0.5), 0.75),
    ):
        total = np.zeros((tile.image.height, tile.image.width), dtype=np.float32)
        for _ in range(7):
            a, b = random.randint(-5, 5), random.randint(-5, 5)
            total += np.sin(a * x + b * y + random.uniform(0, 6.28)) / (1.0 + 0.12 * (abs(a) + abs(b)))
        tile.choose(total > level * 2.2, color)


def _leaf(x: float, y: float, turn: float, length: float, width: float) -> Points:
    t = np.linspace(0, 1, 6)
    across = width * np.sin(np.pi * t) ** 0.8
    cos, sin = math.cos(turn), math.sin(turn)
    upper = np.column_stack([x + t * length * cos - across * sin, y + t * length * sin + across * cos])
    lower = np.column_stack([x + t * length * cos + across * sin, y + t * length * sin - across * cos])
    return np.vstack([upper, lower[::-1]])
