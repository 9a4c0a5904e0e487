"""Draws patterns on a grid: stripes, checks, dots; ``stylesearch.drawn_shop.cloth.prints`` has others."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image

from stylesearch.drawn_shop.cloth import prints
from stylesearch.drawn_shop.cloth.tiles import Dyes, Tile
from stylesearch.drawn_shop.drawing.curves import ellipse
from stylesearch.drawn_shop.drawing.palette import Color, mix

__all__ = ["draw_pattern"]

_LEAST_PERIOD = 12.0
"""Centimetres; a smaller repeat is drawn several times, so that the weave repeats no sooner than this."""


def draw_pattern(pattern: str, dyes: Dyes, size: float, scale: float, seed: int) -> Image.Image:
    """Draws a square of cloth that repeats, RGB, with hard edges: to be drawn larger than it is shown.

    Args:
        pattern: its name; an unknown one is plain.
        dyes: its colors.
        size: scale factor of the motifs.
        scale: pixels for a centimetre.
        seed: decides where motifs lie.
    """
    draw, period = _PATTERNS.get(pattern, (_plain, _LEAST_PERIOD / size))
    period *= size
    repeats = max(1, round(_LEAST_PERIOD / period))
    tile = Tile(max(8, round(period * repeats * scale)), period * repeats, repeats, dyes.base)
    draw(tile, dyes, Random(seed))
    return tile.image


def _plain(tile: Tile, dyes: Dyes, random: Random) -> None:
    pass


def _stripes(upright: bool) -> Callable[[Tile, Dyes, Random], None]:
    def draw(tile: Tile, dyes: Dyes, random: Random) -> None:
        step = tile.period / tile.repeats
        share = random.choice((0.12, 0.3, 0.5, 0.5)) if upright else random.choice((0.3, 0.4, 0.5, 0.5))
        extra = random.random() < 0.3
        for index in range(tile.repeats):
            tile.band(index * step, step * share, dyes.figure, upright=upright)
            if extra:
                tile.band(
                    (index + share + (1 - share) / 2 - 0.06) * step,
                    step * 0.12,
                    dyes.accent,
                    upright=upright,
                )

    return draw


def _gingham(tile: Tile, dyes: Dyes, random: Random) -> None:
    _checks(tile, dyes, [(0.0, 0.5, 0.55)])


def _tartan(tile: Tile, dyes: Dyes, random: Random) -> None:
    _checks(tile, dyes, [(0.0, 0.34, 0.6), (0.06, 0.05, 0.8), (0.23, 0.05, 0.8)])
    line = mix(dyes.accent, (255, 255, 255), 0.35)
    _checks(tile, dyes, [(0.66, 0.035, 0.8)], line)


def _windowpane(tile: Tile, dyes: Dyes, random: Random) -> None:
    _checks(tile, dyes, [(0.45, 0.06, 0.75)])


def _checks(
    tile: Tile, dyes: Dyes, bands: list[tuple[float, float, float]], color: Color | None = None
) -> None:
    """Draws bands both ways (start, width as shares of a repeat; strength), which darken where they cross."""
    side = tile.image.width
    phase = (np.arange(side) / side * tile.repeats) % 1.0
    profile = np.zeros(side, dtype=np.float32)
    for start, width, strength in bands:
        inside = (phase >= start) & (phase < start + width)
        profile[inside] = strength
    share = (1 - (1 - profile[None, :] * 0.7) * (1 - profile[:, None] * 0.7))[:, :, None]
    pixels = np.asarray(tile.image, dtype=np.float32)
    blended = pixels * (1 - share) + np.array(color or dyes.figure, dtype=np.float32) * share
    tile.image.paste(Image.fromarray(blended.astype(np.uint8)))


def _houndstooth(tile: Tile, dyes: Dyes, random: Random) -> None:
    side = tile.image.width
    thread = (np.arange(side) * 8 * tile.repeats // side) % 8
    across, down = thread[None, :], thread[:, None]
    over = (across + down) % 4 < 2  # a two-and-two twill, woven of four dark and four light threads each way
    tile.choose(np.where(over, across < 4, down < 4), dyes.figure)


def _dots(tile: Tile, dyes: Dyes, random: Random) -> None:
    step, share = tile.period / tile.repeats, random.choice((0.1, 0.14, 0.18))
    for row in range(2 * tile.repeats):
        for column in range(tile.repeats):
            x = (column + 0.5 * (row % 2) + 0.25) * step
            tile.shape(
                ellipse(x, (row + 0.5) * step / 2, step * share, step * share, corners=16), dyes.figure
            )


def _zigzag(tile: Tile, dyes: Dyes, random: Random) -> None:
    x, y = tile.field()
    wave = np.abs(((x * tile.repeats / np.pi) % 2) - 1)
    phase = (y * tile.repeats / (2 * np.pi) + 0.32 * wave) % 1.0
    tile.choose(phase < random.choice((0.3, 0.45)), dyes.figure)
    tile.choose((phase > 0.66) & (phase < 0.74), dyes.accent)


def _argyle(tile: Tile, dyes: Dyes, random: Random) -> None:
    x, y = tile.field()
    u, v = x * tile.repeats / (2 * np.pi), y * tile.repeats / (2 * np.pi)
    a, b = (u + v) % 1.0, (u - v) % 1.0
    tile.choose((a < 0.5) & (b < 0.5), dyes.figure)
    tile.choose((a >= 0.5) & (b >= 0.5), mix(dyes.figure, dyes.base, 0.55))
    tile.choose((np.abs(a - 0.25) < 0.02) | (np.abs(b - 0.25) < 0.02), dyes.accent)


def _geometric(tile: Tile, dyes: Dyes, random: Random) -> None:
    step = tile.period / tile.repeats
    kind = random.choice(("rings", "triangles", "crosses", "diamonds"))
    for row in range(2 * tile.repeats):
        for column in range(2 * tile.repeats):
            x, y, r = (column + 0.5) * step / 2, (row + 0.5) * step / 2, step * 0.2
            color = dyes.figure if (row + column) % 2 else dyes.accent
            if kind == "rings":
                tile.shape(ellipse(x, y, r, r, corners=16), color)
                tile.shape(ellipse(x, y, r * 0.55, r * 0.55, corners=12), dyes.base)
            elif kind == "triangles":
                tile.shape(np.array([(x, y - r), (x + r, y + r), (x - r, y + r)]), color)
            elif kind == "crosses":
                tile.shape(
                    np.array(
                        [(x - r, y - r / 3), (x + r, y - r / 3), (x + r, y + r / 3), (x - r, y + r / 3)]
                    ),
                    color,
                )
                tile.shape(
                    np.array(
                        [(x - r / 3, y - r), (x + r / 3, y - r), (x + r / 3, y + r), (x - r / 3, y + r)]
                    ),
                    color,
                )
            else:
                tile.shape(
                    np.array([(x, y - r * 1.2), (x + r * 0.7, y), (x, y + r * 1.2), (x - r * 0.7, y)]), color
                )


_PATTERNS: dict[str, tuple[Callable[[Tile, Dyes, Random], None], float]] = {
    "stripes": (_stripes(upright=False), 3.6),
    "vertical stripes": (_stripes(upright=True), 3.0),
    "gingham": (_gingham, 2.6),
    "tartan": (_tartan, 9.0),
    "windowpane": (_windowpane, 6.0),
    "houndstooth": (_houndstooth, 3.0),
    "dots": (_dots, 4.2),
    "florals": (prints.florals, 17.0),
    "leaves": (prints.leaves, 20.0),
    "leopard": (prints.leopard, 16.0),
    "zigzag": (_zigzag, 4.5),
    "argyle": (_argyle, 9.0),
    "geometric": (_geometric, 5.0),
    "brush strokes": (prints.brush_strokes, 18.0),
    "camouflage": (prints.camouflage, 24.0),
}
