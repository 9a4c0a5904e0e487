"""Draws waistbands, belts, ties, gathered waists."""

from __future__ import annotations

import math

import numpy as np

from stylesearch.drawn_shop.drawing.curves import move, outline, polyline, spline
from stylesearch.drawn_shop.drawing.palette import Color, lightness, mix, relight
from stylesearch.drawn_shop.garments.cuts import WAIST, Cut
from stylesearch.drawn_shop.garments.pen import Pen
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["draw_waist", "draw_waistband"]

_LEATHER: tuple[Color, ...] = ((110, 68, 40), (38, 34, 34), (168, 118, 72), (214, 196, 168))


def draw_waist(pen: Pen, spec: GarmentSpec, cut: Cut) -> None:
    """Draws the waist of a garment that hangs from the shoulders."""
    if spec.waist == "none" or cut.length < WAIST + 4:
        return
    height = WAIST if spec.category != "top" else min(WAIST + 2, cut.length - 5)
    half = float(cut.half(np.array([height]))[0]) + 0.8
    if spec.waist == "seam":
        curve = spline([(-half, height), (0, height + 0.8), (half, height)])
        pen.seam(curve, width=0.3)
        pen.crease(move(curve, 0, 0.7), 1.0, 0.84)
    elif spec.waist == "elastic":
        _draw_gathers(pen, height, half, 3.0)
    else:
        _girdle(pen, spec, height, half, 3.6 if spec.category == "coat" else 2.8)


def draw_waistband(pen: Pen, spec: GarmentSpec, cut: Cut, *, back: bool) -> None:
    """Draws the upper edge of a skirt or trousers."""
    top, half = cut.top, cut.side[0][1] + 1.0
    if spec.waist == "elastic":
        _draw_gathers(pen, top + 1.8, half + 1, 3.6)
        if spec.category in ("trousers", "shorts") and not back:
            _cords(pen, top + 2.5, 12.0)
        return
    color = pen.cloth.trim if spec.trim == "contrast" else None
    band = np.vstack(
        [
            spline([(-half, top), (0, top + 0.6), (half, top)]),
            spline([(half + 0.6, top + 3.8), (0, top + 4.4), (-half - 0.6, top + 3.8)]),
        ]
    )
    if color is not None:
        pen.fill(band, color)
    lower = band[len(band) // 2 :]
    pen.seam(lower, strength=0.68)
    pen.crease(move(lower, 0, 0.6), 0.9, 0.86)
    if pen.cloth.material == "denim":
        pen.stitches(move(lower[::2], 0, -0.6))
    if spec.waist in ("belt", "tie"):
        _girdle(pen, spec, top + 2.1, half + 0.4, 3.2)
    if spec.waist != "tie" and spec.category != "skirt":
        for x in (-12.0, -5.5, 5.5, 12.0):
            loop = polyline(
                [(x - 0.55, top - 0.2), (x + 0.55, top - 0.2), (x + 0.55, top + 4.4), (x - 0.55, top + 4.4)]
            )
            pen.piece(loop, relight(pen.cloth.base, 0.96))
    if spec.waist == "waistband" and not back and (spec.category != "skirt" or spec.material == "denim"):
        pen.button(
            0.0,
            top + 2.5,
            0.85,
            (176, 140, 92) if spec.material == "denim" else relight(pen.cloth.base, 0.6),
        )


def _draw_gathers(pen: Pen, height: float, half: float, width: float) -> None:
    for dy in (-width / 2, 0.0, width / 2):
        curve = spline([(-half, height + dy), (0, height + dy + 0.6), (half, height + dy)])
        pen.seam(curve, strength=0.84)
        pen.crease(move(curve, 0, 0.4), 0.6, 0.88)
    count = round(half * 1.1)
    for index in range(count):
        x = -half + 2 * half * (index + 0.5) / count
        long = 3.0 + 4.0 * abs(math.sin(1.7 * index))
        pen.crease(
            polyline([(x * 0.98, height - width / 2 - 0.3 * long), (x * 1.04, height + width / 2 + long)]),
            0.6,
            0.84 if index % 2 else 1.1,
        )


def _girdle(pen: Pen, spec: GarmentSpec, height: float, half: float, width: float) -> None:
    """Draws a belt with a buckle, or a cloth belt tied in a bow."""
    tied = spec.waist == "tie"
    if tied:
        color = (
            pen.cloth.trim
            if spec.trim == "contrast"
            else relight(mix(pen.cloth.base, pen.cloth.figure, 0.12), 0.86)
        )
    elif spec.category == "coat":
        color = relight(pen.cloth.base, 0.84)
    else:
        color = _LEATHER[spec.seed % len(_LEATHER)]
        if abs(lightness(color) - lightness(pen.cloth.base)) < 0.12:
            color = _LEATHER[(spec.seed + 2) % len(_LEATHER)]
    w = width / 2
    band = np.vstack(
        [
            spline([(-half, height - w), (0, height - w + 0.9), (half, height - w)]),
            spline([(half, height + w), (0, height + w + 0.9), (-half, height + w)]),
        ]
    )
    pen.piece(band, color, lifted=0.8)
    centre = height + 0.8
    if tied:
        for side in (-1.0, 1.0):
            tail = outline(
                [(side * 0.4, centre), (side * 3.0, centre + 9), (side * 3.4, centre + 21)],
                [(side * 3.4, centre + 21), (side * 6.0, centre + 20)],
                [(side * 6.0, centre + 20), (side * 5.2, centre + 9), (side * 0.4, centre)],
            )
            pen.piece(tail, relight(color, 0.95), lifted=0.6)
            loop = spline(
                [
                    (0, centre),
                    (side * 4.2, centre - 2.6),
                    (side * 8.0, centre - 1.4),
                    (side * 8.0, centre + 2.4),
                    (side * 4.0, centre + 2.2),
                ],
                closed=True,
            )
            pen.piece(loop, color, lifted=0.7)
        pen.piece(
            polyline([(-1.3, centre - 1.6), (1.3, centre - 1.6), (1.3, centre + 1.6), (-1.3, centre + 1.6)]),
            relight(color, 0.92),
            lifted=0.4,
        )
        return
    metal: Color = (206, 178, 110) if spec.seed % 2 else (190, 192, 196)
    if spec.category == "coat":
        metal = relight(color, 0.5)
    frame = polyline(
        [
            (-2.3, centre - w - 0.4),
            (2.3, centre - w - 0.4),
            (2.3, centre + w + 0.4),
            (-2.3, centre + w + 0.4),
            (-2.3, centre - w - 0.4),
        ]
    )
    pen.line(frame, 0.7, metal)
    pen.line(polyline([(-2.0, centre), (1.2, centre)]), 0.5, metal)
    pen.fill(
        polyline(
            [
                (4.0, centre - w * 0.9),
                (5.2, centre - w * 0.9),
                (5.2, centre + w * 0.9),
                (4.0, centre + w * 0.9),
            ]
        ),
        relight(color, 0.75),
    )


def _cords(pen: Pen, top: float, length: float) -> None:
    color: Color = (240, 238, 232) if lightness(pen.cloth.base) < 0.6 else relight(pen.cloth.base, 0.6)
    for side in (-1.0, 1.0):
        pen.line(
            spline([(side * 0.6, top), (side * 2.2, top + 0.5 * length), (side * 1.4, top + length)]),
            0.5,
            color,
        )
