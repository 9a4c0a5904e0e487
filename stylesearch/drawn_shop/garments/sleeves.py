"""Draws sleeves: each is a strip of its own, from above the shoulder's tip down to the cuff.

On it, x > 0 is the outer side; the left sleeve is the right one seen in a mirror.
"""

from __future__ import annotations

from random import Random

import numpy as np
import numpy.typing as npt

from stylesearch.drawn_shop.cloth.folds import Folds
from stylesearch.drawn_shop.drawing.curves import Points, move, outline, polyline, spline
from stylesearch.drawn_shop.drawing.palette import relight
from stylesearch.drawn_shop.garments.cuts import Cut
from stylesearch.drawn_shop.garments.pen import Pen
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["draw_sleeve", "fold_sleeve", "sleeve_half"]


def sleeve_half(cut: Cut, height: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Half width of the sleeve at each height below the shoulder's tip."""
    top, end, length = cut.sleeve_top, cut.sleeve_end, cut.sleeve
    if cut.puff > 0:
        knots = [
            (0.0, top * 0.9),
            (0.25 * length, top + 0.7 * cut.puff),
            (0.65 * length, top + cut.puff),
            (length - 2.6, end + 1.0),
            (length, end),
        ]
    elif cut.puff < 0:
        knots = [(0.0, top), (0.5 * length, end - 1.0), (0.66 * length, end - 0.4), (length, end - cut.puff)]
    else:
        knots = [(0.0, top), (0.45 * length, 0.5 * (top + end) + 0.2), (length, end)]
    curve = spline([(x, y) for y, x in knots], samples=6)
    return np.interp(height, curve[:, 1], curve[:, 0])


def _outline(cut: Cut) -> Points:
    heights = np.linspace(7.0, cut.sleeve, 22)
    half = sleeve_half(cut, heights)
    outer = np.column_stack([half, heights])
    inner = np.column_stack([-half, heights])[::-1]
    top = cut.sleeve_top
    cap = outline(
        [
            (-top, 9.0),
            (-0.75 * top, 1.2),
            (-0.1 * top, -3.2),
            (0.6 * top, -1.0),
            (top * 0.97, 5.0),
            (float(half[0]), 7.0),
        ]
    )
    bow = 1.0 if cut.puff >= 0 else 1.8
    hem = outline([tuple(outer[-1]), (0.0, cut.sleeve + bow), tuple(inner[0])])
    return np.vstack([cap, outer, hem, inner[:-1]])


def draw_sleeve(pen: Pen, spec: GarmentSpec, cut: Cut) -> Points:
    """Cuts out and draws a sleeve; returns its outline."""
    shape = _outline(cut)
    pen.cut(shape)
    end, half = cut.sleeve, float(sleeve_half(cut, np.array([cut.sleeve]))[0])
    edge = spline([(-half - 0.6, end), (0.0, end + (1.0 if cut.puff >= 0 else 1.8)), (half + 0.6, end)])
    cloth = pen.cloth
    wide = np.column_stack([np.linspace(-30, 30, 5), np.full(5, 0.0)])
    if spec.trim == "raglan":
        pen.fill(polyline([(-40, -20), (40, -20), (40, 90), (-40, 90)]), cloth.trim)
    if spec.pattern == "chest stripe" and end > 25:
        for top, height, color in ((13.0, 7.0, cloth.figure), (21.2, 2.0, cloth.accent)):
            pen.fill(np.vstack([move(wide, 0, top), move(wide, 0, top + height)[::-1]]), color)
    elif spec.pattern == "color block" and end > 40 and spec.seed % 2:
        pen.fill(np.vstack([move(wide, 0, 0.45 * end), move(wide, 0, end + 9)[::-1]]), cloth.figure)
    ribbed = spec.category == "jumper" or spec.neckline == "bomber"
    if (
        spec.sleeves == "long"
        and spec.category in ("shirt", "dress", "top")
        and cloth.material not in ("knit", "jersey")
    ):
        cuff = np.vstack([move(edge, 0, 0.8), move(edge, 0, -6.2)[::-1]])
        pen.piece(cuff, cloth.trim if spec.trim == "contrast" else None)
        pen.crease(move(edge, 0, -7.0), 1.0, 0.8)
        pen.button(half * 0.4, end - 2.8, 0.5, (230, 226, 216))
    elif ribbed:
        pen.fill(
            np.vstack([move(edge, 0, 1.5), move(edge, 0, -6.0)[::-1]]),
            relight(cloth.trim, 0.97),
        )
        for at in np.arange(-half, half, 1.1):
            pen.line(polyline([(at, end + 1.5), (at * 1.1, end - 5.6)]), 0.2, relight(cloth.trim, 0.84))
        pen.seam(move(edge, 0, -6.0))
        pen.crease(move(edge, 0, -6.8), 1.0, 0.82)
    elif spec.sleeves == "rolled":
        for up in (0.0, 3.4):
            roll = np.vstack([move(edge, 0, 0.6 - up), move(edge, 0, -(3.6 + up))[::-1]])
            pen.piece(roll, None, lifted=0.4)
    elif spec.sleeves == "puff":
        pen.fill(
            np.vstack([move(edge, 0, 0.8), move(edge, 0, -2.2)[::-1]]),
            relight(cloth.trim, 0.95),
        )
        pen.crease(move(edge, 0, -2.6), 0.9, 0.76)
    elif spec.trim == "contrast":
        pen.fill(np.vstack([move(edge, 0, 0.8), move(edge, 0, -1.9)[::-1]]), cloth.trim)
        pen.seam(move(edge, 0, -1.9), strength=0.8)
    elif cloth.material == "denim":
        pen.stitches(move(edge[::3], 0, -3.4))
    else:
        pen.seam(move(edge, 0, -2.0), strength=0.82)
    return shape


def fold_sleeve(
    folds: Folds, spec: GarmentSpec, cut: Cut, body: float, *, worn: bool, random: Random
) -> None:
    """Draws light and folds on a sleeve."""
    half = np.maximum(sleeve_half(cut, folds.y.astype(np.float64)), 4.0)
    folds.draw_round(0.0, half, 0.36 if worn else 0.24, light=0.1)
    folds.wrinkles(0.035)
    strength = (0.11 + 0.1 * (1 - body)) * (1.0 if worn else 0.7)
    if spec.sleeves == "puff":
        folds.drape(-4.0, 6.0, half, 6.0, strength * 1.1, from_top=0.6)
    if spec.sleeves == "bell":
        folds.drape(0.5 * cut.sleeve, cut.sleeve, half, 5.0, strength * 1.3)
    if cut.sleeve > 30:
        for _ in range(5):
            folds.streak(
                random.uniform(-3, 3),
                0.48 * cut.sleeve + random.uniform(-9, 8),
                random.choice((-1, 1)) * random.uniform(0.15, 0.75),
                random.uniform(3, 6),
                random.uniform(0.8, 1.5),
                strength * 1.2,
            )
        for _ in range(2):
            folds.streak(
                random.uniform(-2, 2),
                cut.sleeve - random.uniform(6, 14),
                random.uniform(-0.5, 0.5),
                4.0,
                random.uniform(0.7, 1.2),
                strength,
            )
    for _ in range(2):
        folds.streak(
            random.uniform(-4, 2),
            random.uniform(4, 12),
            random.uniform(0.6, 1.3),
            random.uniform(4, 7),
            random.uniform(0.9, 1.6),
            strength,
        )
