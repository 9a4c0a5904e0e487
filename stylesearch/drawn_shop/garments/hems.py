"""Draws lower edges: hems, ruffles, tiers, slits."""

from __future__ import annotations

import math
from random import Random

import numpy as np

from stylesearch.drawn_shop.drawing.curves import Points, move, polyline
from stylesearch.drawn_shop.drawing.palette import relight
from stylesearch.drawn_shop.garments.cuts import Cut
from stylesearch.drawn_shop.garments.pen import Pen
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["draw_hem", "draw_tiers", "hem_line", "tier_heights"]


def hem_line(cut: Cut, *, waves: float, random: Random) -> Points:
    """Makes the lower edge from right to left, with ``waves`` centimetres up and down for the folds."""
    half = cut.side[-1][1]
    x = np.linspace(half, -half, 41)
    share = x / half
    phase, count = random.uniform(0, 6.28), 2.0 + half / 7.0
    wave = np.sin(count * share + phase) + 0.5 * np.sin(1.7 * count * share + 2 * phase)
    fade = 1 - share**8
    return np.column_stack([x, cut.length + cut.hem_dip * (1 - share**2) + 0.6 * waves * wave * fade])


def tier_heights(spec: GarmentSpec, cut: Cut, from_height: float) -> list[float]:
    """Heights of a tiered skirt's seams."""
    if spec.cut != "tiered":
        return []
    count = 2 if cut.length - from_height < 55 else 3
    step = (cut.length - from_height) / (count + 0.2)
    return [cut.length - step * index for index in range(count, 0, -1)] if from_height > 30 else []


def draw_tiers(pen: Pen, spec: GarmentSpec, cut: Cut, *, from_height: float) -> None:
    """Draws the seams across a tiered skirt, with the gathers below them."""
    for height in tier_heights(spec, cut, from_height):
        half = float(cut.half(np.array([height]))[0])
        _gathers(pen, height, half, cut.hem_dip * 0.6, 7.0)


def _gathers(pen: Pen, height: float, half: float, dip: float, length: float) -> None:
    x = np.linspace(-half - 0.5, half + 0.5, 31)
    curve = np.column_stack([x, height + dip * (1 - (x / half) ** 2)])
    pen.crease(move(curve, 0, 0.5), 1.0, 0.74)
    pen.seam(curve, strength=0.72, width=0.3)
    count = max(6, round(half * 0.55))
    for index in range(count):
        at = -half + 2 * half * (index + 0.5 + 0.3 * math.sin(5.1 * index)) / count
        top = height + dip * (1 - (at / half) ** 2)
        long = length * (0.7 + 0.5 * abs(math.sin(2.3 * index)))
        pen.crease(
            polyline([(at, top), (at * 1.03 + 0.2 * math.sin(index), top + long)]),
            0.75,
            0.84 if index % 2 else 1.1,
        )


def draw_hem(pen: Pen, spec: GarmentSpec, cut: Cut) -> None:
    """Draws what is sewn along the lower edge."""
    half, length, dip = cut.side[-1][1], cut.length, cut.hem_dip
    x = np.linspace(-half - 1, half + 1, 41)
    edge = np.column_stack([x, length + dip * (1 - (x / half) ** 2)])
    if spec.trim == "ruffle":
        _gathers(pen, length - 8.0, float(cut.half(np.array([length - 8.0]))[0]), dip, 9.0)
        scallops = np.linspace(-half, half, 160)
        low = length + dip * (1 - (scallops / half) ** 2) - 0.7 - 0.7 * np.cos(scallops * 1.9)
        pen.cut_away(
            np.vstack(
                [
                    np.column_stack([scallops, low]),
                    [(half + 4, length + dip + 9), (-half - 4, length + dip + 9)],
                ]
            )
        )
    elif spec.trim == "contrast":
        pen.fill(np.vstack([move(edge, 0, 2.5), move(edge, 0, -2.6)[::-1]]), pen.cloth.trim)
        pen.seam(move(edge, 0, -2.6), strength=0.8)
    elif spec.category == "jumper" or spec.neckline == "bomber":
        top = 6.0
        if spec.category == "jumper" or spec.neckline == "bomber":
            pen.fill(
                np.vstack([move(edge, 0, 3), move(edge, 0, -top)[::-1]]),
                relight(pen.cloth.trim, 0.97),
            )
            for at in np.arange(-half, half, 1.1):
                pen.line(
                    polyline([(at, length + dip + 1), (at * 1.02, length - top + 0.2)]),
                    0.2,
                    relight(pen.cloth.trim, 0.84),
                )
        pen.seam(move(edge, 0, -top))
        pen.crease(move(edge, 0, -(top + 0.8)), 1.0, 0.85)
    elif pen.cloth.material == "denim":
        pen.stitches(move(edge, 0, -1.8))
    else:
        pen.seam(move(edge, 0, -2.2), strength=0.87, width=0.16)
    if spec.trim == "slit":
        at = 0.5 * half
        pen.cut_away(
            polyline(
                [
                    (at, length - 0.4 * (length - 40.0)),
                    (at + 2.4, length + dip + 5),
                    (at - 2.4, length + dip + 5),
                ]
            )
        )
        pen.crease(polyline([(at - 1.0, length - 0.42 * (length - 40.0)), (at - 3.4, length)]), 1.4, 0.8)
