"""Draws skirts, trousers and shorts."""

from __future__ import annotations

from random import Random

import numpy as np
import numpy.typing as npt

from stylesearch.drawn_shop.cloth.folds import Folds
from stylesearch.drawn_shop.drawing.curves import Points, move, outline, polyline, spline
from stylesearch.drawn_shop.drawing.palette import relight
from stylesearch.drawn_shop.garments.cuts import CROTCH, HIP, KNEE, Cut
from stylesearch.drawn_shop.garments.details import button_color, draw_border, draw_patch
from stylesearch.drawn_shop.garments.hems import draw_hem, draw_tiers, hem_line
from stylesearch.drawn_shop.garments.pen import Pen
from stylesearch.drawn_shop.garments.waists import draw_waistband
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["draw_legs", "draw_skirt", "fold_legs", "fold_skirt", "leg_middle"]


def leg_middle(cut: Cut, height: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Distance of a leg's middle from the garment's, at each height."""
    crotch = CROTCH + 2
    above = 0.5 * cut.half(np.minimum(height, crotch))
    share = np.clip((height - crotch) / (cut.length - crotch), 0, 1)
    at_crotch = 0.5 * float(cut.half(np.array([crotch]))[0]) + 0.35
    return np.where(height < crotch, above, at_crotch + (cut.leg_middle - at_crotch) * share)


def draw_skirt(pen: Pen, spec: GarmentSpec, cut: Cut, *, back: bool, worn: bool, random: Random) -> None:
    """Cuts out and draws a skirt."""
    heights = np.linspace(cut.top, cut.length, 30)
    side = np.column_stack([cut.half(heights), heights])
    waves = 0.0 if not worn and spec.cut != "pleated" else (1.0 - pen.cloth.body) * 1.8
    right = np.vstack([[(0.0, cut.top + 0.6)], side])
    pen.cut(np.vstack([right, hem_line(cut, waves=waves, random=random), (right * (-1, 1))[::-1]]))
    if spec.pattern == "border":
        draw_border(pen, cut)
    if spec.cut == "pleated":
        top, bottom = cut.side[0][1], cut.side[-1][1]
        for share in np.linspace(-0.94, 0.94, 17):
            fold = polyline(
                [
                    (share * top, cut.top + 4.0),
                    (share * (top + 0.35 * (bottom - top)), HIP),
                    (share * bottom, cut.length + cut.hem_dip),
                ]
            )
            pen.line(fold, 0.22, relight(pen.cloth.base, 0.78))
            pen.crease(move(fold, 0.9, 0), 1.1, 0.86)
    draw_tiers(pen, spec, cut, from_height=cut.top)
    draw_hem(pen, spec, cut)
    if spec.closure == "buttons" and not back:
        pen.seam(polyline([(1.8, cut.top + 4), (1.8, cut.length + 3)]), strength=0.78)
        pen.crease(polyline([(2.2, cut.top + 4), (2.2, cut.length + 3)]), 0.9, 0.86)
        for y in np.arange(cut.top + 7.0, cut.length - 3.0, 8.5):
            pen.button(0.0, float(y), 0.9, button_color(pen, spec))
    if not back:
        _front_pockets(pen, spec, cut)
    draw_waistband(pen, spec, cut, back=back)


def fold_skirt(folds: Folds, spec: GarmentSpec, cut: Cut, body: float, *, worn: bool, random: Random) -> None:
    """Draws light and folds on a skirt."""
    half = np.maximum(cut.half(folds.y.astype(np.float64)), 6.0)
    soft = 1.0 - body
    folds.draw_round(0.0, half, 0.34 if worn else 0.15)
    folds.wrinkles(0.03 + 0.02 * soft)
    strength = (0.11 + 0.13 * soft) * (1.0 if worn else 0.75)
    if spec.cut == "pleated":
        folds.drape(cut.top + 4, cut.length, half, 18.0, 0.2, sharp=True, from_top=0.4)
    elif spec.cut == "pencil":
        folds.scatter((-13, cut.top + 16, 13, cut.length - 5), 5, strength, 8.0, 0.15, 0.35)
    else:
        waves = {"flared": 7.5, "tiered": 8.5}.get(spec.cut, 5.0)
        folds.drape(
            cut.top + 3,
            cut.length,
            half,
            waves,
            strength * (1.6 if spec.cut in ("flared", "tiered") else 1.15),
        )
    folds.scatter((-12, cut.top + 8, 12, HIP), 3, strength * 0.8, 7.0, 1.4, 0.3)


def _leg_outline(cut: Cut) -> Points:
    """Makes the closed outline of the right leg and its half of the hips, a little past the middle."""
    crotch = CROTCH + 2
    hips = np.linspace(cut.top, crotch, 14)
    outer_hip = np.column_stack([cut.half(hips), hips])
    down = np.linspace(crotch + 1.5, cut.length, 26)
    middle, half = leg_middle(cut, down), cut.leg_half(down)
    outer = np.column_stack([middle + half, down])
    inner = np.column_stack(
        [np.maximum(middle - half, np.interp(down, [crotch, crotch + 14.0], [-0.8, 0.15])), down]
    )
    blended = spline(np.vstack([outer_hip[::3], outer[2::5], outer[-1:]]), samples=6)
    hem = outline([tuple(outer[-1]), (float(middle[-1]), cut.length + 0.9), tuple(inner[-1])])
    return np.vstack([[(-0.8, cut.top + 0.4)], blended, hem, inner[::-1], [(-0.8, crotch)]])


def draw_legs(pen: Pen, spec: GarmentSpec, cut: Cut, *, back: bool, worn: bool, random: Random) -> None:
    """Cuts out and draws trousers or shorts."""
    leg = _leg_outline(cut)
    pen.cut(leg)
    pen.cut(leg * (-1, 1))
    crotch = CROTCH + 2
    down = np.linspace(crotch, cut.length, 20)
    middle, half = leg_middle(cut, down), cut.leg_half(down)
    denim = spec.material == "denim"
    for side in (-1.0, 1.0):
        if spec.trim == "side stripe":
            outer = np.vstack(
                [
                    np.column_stack([cut.half(np.linspace(40, crotch, 8)), np.linspace(40, crotch, 8)]),
                    np.column_stack([middle + half, down])[1:],
                ]
            )
            pen.line(move(outer, -1.2, 0) * (side, 1), 2.6, pen.cloth.trim)
        if spec.trim == "crease":
            pen.crease(np.column_stack([side * middle, down])[2:], 0.6, 1.2)
            pen.crease(np.column_stack([side * (middle + 0.7), down])[2:], 0.7, 0.8)
        if denim:
            pen.stitches(np.column_stack([side * (middle + half - 1.3), down])[::2])
        x, wide = float(middle[-1]), float(half[-1])
        edge = polyline(
            [
                (side * (x - wide - 0.5), cut.length),
                (side * x, cut.length + 0.9),
                (side * (x + wide + 0.5), cut.length),
            ]
        )
        if spec.trim == "turn-up":
            cuff = np.vstack([move(edge, 0, 0.4), move(edge, 0, -4.6)[::-1]])
            pen.piece(cuff, relight(pen.cloth.base, 1.14 if denim else 0.95))
            pen.crease(move(edge, 0, -5.2), 1.0, 0.78)
        elif spec.trim == "contrast":
            pen.fill(np.vstack([move(edge, 0, 0.6), move(edge, 0, -2.6)[::-1]]), pen.cloth.trim)
        elif spec.cut == "tapered" and spec.waist == "elastic":
            pen.fill(
                np.vstack([move(edge, 0, 0.6), move(edge, 0, -5.0)[::-1]]),
                relight(pen.cloth.base, 0.92),
            )
            pen.seam(move(edge, 0, -5.0))
        elif denim:
            pen.stitches(move(edge, 0, -1.7))
        else:
            pen.seam(move(edge, 0, -2.4), strength=0.86)
    rise = spline([(0.0, cut.top + 4), (0.1, 55.0), (0.2, crotch)])
    pen.seam(rise, strength=0.62, width=0.28)
    pen.crease(move(rise, 0.5, 0.0), 0.9, 0.84)
    if not back and spec.waist != "elastic":
        fly = spline([(3.6, cut.top + 4), (3.7, 50.0), (2.6, 55.5), (0.3, 58.0)])
        (pen.stitches if denim else pen.seam)(fly)
    if back:
        for side in (-1.0, 1.0):
            draw_patch(pen, side * 10.5, 47.0, 12.0, 14.0, None)
    else:
        _front_pockets(pen, spec, cut)
    draw_waistband(pen, spec, cut, back=back)


def _front_pockets(pen: Pen, spec: GarmentSpec, cut: Cut) -> None:
    for side in (-1.0, 1.0):
        if spec.pockets == "slanted":
            top = cut.top + 4
            slit = spline(
                [(9.4, top), (10.8, top + 6.5), (18.2, top + 9.6), (24.0, top + 10.0)]
                if spec.material == "denim"
                else [(11.5, top), (15.5, top + 9.0), (21.5, top + 17.0)]
            )
            pen.seam(slit * (side, 1), strength=0.58, width=0.28)
            pen.crease(move(slit, 0.5, -0.8) * (side, 1), 1.0, 0.82)
            if spec.material == "denim":
                pen.stitches(move(slit[::3], -0.2, 0.8) * (side, 1))
        elif spec.pockets == "cargo" and cut.length > 75:
            y = min(80.0, cut.length - 19.0)
            x = float(leg_middle(cut, np.array([y + 6]))[0]) + 5.0
            draw_patch(pen, side * x, y, 13.0, 15.0, None)
            flap = polyline([(x - 6.8, y - 0.6), (x + 6.8, y - 0.6), (x + 6.8, y + 3.4), (x - 6.8, y + 3.4)])
            pen.piece(flap * (side, 1), None, lifted=0.7)
        elif spec.pockets == "patch":
            draw_patch(pen, side * 10.5, cut.top + 11.0, 11.5, 13.0, None)


def fold_legs(folds: Folds, spec: GarmentSpec, cut: Cut, body: float, *, worn: bool, random: Random) -> None:
    """Draws light and folds on trousers."""
    soft = 1.0 - 0.7 * body
    heights = folds.y.astype(np.float64)
    below = np.clip((heights - CROTCH - 1) / 6.0, 0, 1)
    middle, half = leg_middle(cut, heights), np.maximum(cut.leg_half(heights), 5.0)
    sides = np.where(folds.x < 0, -1.0, 1.0)
    centre = (sides * middle * below).astype(np.float32)
    width = np.maximum(cut.half(heights) * (1 - below) + half * below, 5.0)
    folds.draw_round(centre, width, 0.36 if worn else 0.2)
    folds.wrinkles(0.035)
    strength = (0.1 + 0.1 * soft) * (1.0 if worn else 0.6)
    for side in (-1.0, 1.0):
        for _ in range(3):  # from the crotch outwards
            folds.streak(
                side * random.uniform(3, 6),
                CROTCH + random.uniform(-3, 5),
                side * random.uniform(0.15, 0.8) + (0 if side > 0 else np.pi),
                random.uniform(3, 6),
                random.uniform(0.8, 1.5),
                strength * 1.3,
            )
        if cut.length > 105:
            at = float(leg_middle(cut, np.array([KNEE]))[0])
            for _ in range(4 if worn else 2):
                folds.streak(
                    side * (at + random.uniform(-4, 4)),
                    KNEE + random.uniform(-8, 6),
                    random.uniform(-0.5, 0.5),
                    random.uniform(3, 6),
                    random.uniform(0.8, 1.5),
                    strength,
                )
            if cut.leg_half(np.array([cut.length]))[0] > 12:
                folds.streak(side * (cut.leg_middle - 4), 112, 1.55, 22, 2.0, strength * 1.2)
                folds.streak(side * (cut.leg_middle + 5), 108, 1.6, 22, 2.2, strength * 1.2)
            elif worn:
                for _ in range(3):
                    folds.streak(
                        side * (cut.leg_middle + random.uniform(-3, 3)),
                        cut.length - random.uniform(2, 14),
                        random.uniform(-0.4, 0.4),
                        random.uniform(3, 5),
                        random.uniform(0.7, 1.2),
                        strength * 1.1,
                    )
    folds.scatter((-18, HIP, 18, min(cut.length, 92)), 4, strength, 9.0, 1.4, 0.3)
    if spec.material == "denim" and spec.seed % 2:  # faded on the thighs
        worn_out = ((np.abs(folds.x) - middle) / 5.0) ** 2 + ((heights - 82.0) / 15.0) ** 2
        folds.relief += (0.2 * np.exp(-worn_out)).astype(np.float32)
