"""Draws the body of garments that hang from the shoulders: dresses, tops, shirts, jumpers, jackets, coats."""

from __future__ import annotations

from random import Random

import numpy as np

from stylesearch.drawn_shop.cloth.folds import Folds
from stylesearch.drawn_shop.cloth.graphics import graphic
from stylesearch.drawn_shop.drawing.curves import Points, mirror_half, move, outline, polyline, spline
from stylesearch.drawn_shop.drawing.palette import Color, lightness, mix, relight
from stylesearch.drawn_shop.garments.cuts import HIP, WAIST, Cut
from stylesearch.drawn_shop.garments.details import button_color, draw_border, draw_patch
from stylesearch.drawn_shop.garments.hems import draw_hem, draw_tiers, hem_line
from stylesearch.drawn_shop.garments.necklines import (
    back_opening,
    closure_top,
    draw_collar,
    draw_collar_from_behind,
    neck_opening,
)
from stylesearch.drawn_shop.garments.pen import Pen
from stylesearch.drawn_shop.garments.waists import draw_waist
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["draw_upper", "fold_upper", "upper_outline"]


def upper_outline(spec: GarmentSpec, cut: Cut, *, waves: float, random: Random) -> Points:
    """Makes the closed outline of the body, without the neckline."""
    if spec.sleeves == "straps":
        top = outline([(0.0, 12.6), (9.6, 11.6), (12.5, 15.0), (cut.side[0][1], 22.0)])
    elif spec.sleeves == "sleeveless":
        top = outline(
            [(0.0, 0.0), (cut.neck, 0.0), (cut.shoulder, 4.4)],
            [
                (cut.shoulder, 4.4),
                (cut.shoulder - 1.2, 12.0),
                (cut.shoulder + 1.0, 18.5),
                (cut.side[0][1], 22.5),
            ],
        )
    else:
        top = outline(
            [(0.0, 0.0), (cut.neck, 0.0)],
            [(cut.neck, 0.0), (0.5 * (cut.neck + cut.shoulder), 2.1), (cut.shoulder, 5.8)],
            [(cut.shoulder, 5.8), (cut.shoulder - 0.6, 13.0), (cut.side[0][1], 22.0)],
        )
    heights = np.linspace(22.5, cut.length, 26)
    side = np.column_stack([cut.half(heights), heights])
    if spec.cut == "peplum":
        side[:, 0] += np.where(heights > WAIST, 0.5 * np.sin((heights - WAIST) * 0.3), 0.0)
    hem = hem_line(cut, waves=waves, random=random)
    right = np.vstack([top, side])
    left = (right * (-1.0, 1.0))[::-1]
    return np.vstack([right, hem, left])


def draw_upper(pen: Pen, spec: GarmentSpec, cut: Cut, *, back: bool, worn: bool, random: Random) -> None:
    """Cuts the body out of the cloth and draws everything on it."""
    waves = 0.0 if not worn else (1.0 - pen.cloth.body) * 1.8
    pen.cut(upper_outline(spec, cut, waves=waves, random=random))
    _draw_extras(pen, spec, cut, back=back)
    if spec.sleeves == "straps":
        low = back_opening(spec, cut) if back else neck_opening(spec, cut)
        pen.cut_away(mirror_half(np.vstack([[(9.6, 5.0)], low, [(0.0, 5.0)]])))
    elif spec.neckline != "turtle":
        low = back_opening(spec, cut) if back else neck_opening(spec, cut)
        pen.cut_away(mirror_half(np.vstack([[(cut.neck, -4.0)], low])))
    draw_tiers(pen, spec, cut, from_height=WAIST)
    draw_hem(pen, spec, cut)
    if spec.sleeves == "straps":
        for side in (-1.0, 1.0):
            strap = polyline([(side * 9.2, 12.8), (side * 8.6, 0.0)])
            pen.cut(np.vstack([move(strap, -0.75, 0), move(strap, 0.75, 0)[::-1]]))
            pen.line(strap, 1.5, relight(pen.cloth.trim, 0.95))
    elif spec.sleeves == "sleeveless":
        hole = spline(
            [
                (cut.shoulder, 4.4),
                (cut.shoulder - 1.2, 12.0),
                (cut.shoulder + 1.0, 18.5),
                (cut.side[0][1], 22.5),
            ]
        )
        for side in (-1.0, 1.0):
            if spec.trim == "contrast":
                pen.line(move(hole, -0.4, 0) * (side, 1), 1.2, pen.cloth.trim)
            pen.seam(move(hole, -1.1, 0.3) * (side, 1), strength=0.84)
    if back:
        _draw_back_details(pen, spec, cut)
        return
    _draw_closure(pen, spec, cut)
    _draw_pockets(pen, spec, cut)
    draw_waist(pen, spec, cut)
    draw_collar(pen, spec, cut, worn=worn)


def _draw_extras(pen: Pen, spec: GarmentSpec, cut: Cut, *, back: bool) -> None:
    """Draws patterns that are placed once instead of repeated."""
    cloth, wide = pen.cloth, 80.0
    if spec.pattern == "graphic" and not back:
        ink = (
            cloth.figure
            if abs(lightness(cloth.figure) - lightness(cloth.base)) > 0.15
            else relight(cloth.base, 0.3)
        )
        second = (
            cloth.accent
            if abs(lightness(cloth.accent) - lightness(ink)) > 0.15
            else mix(ink, (255, 255, 255), 0.6)
        )
        width = {"fine": 12.0, "medium": 20.0, "bold": 28.0}[spec.scale]
        pen.print_image(graphic(spec.seed, ink, second), (0.0, 15.0 + 0.45 * width), width)
    elif spec.pattern == "chest stripe":
        for top, height, color in ((18.0, 7.0, cloth.figure), (26.2, 2.0, cloth.accent)):
            pen.fill(
                polyline([(-wide, top), (wide, top), (wide, top + height), (-wide, top + height)]), color
            )
    elif spec.pattern == "color block":
        split = 0.42 * cut.length if cut.length < 80 else WAIST + 2
        pen.fill(
            polyline([(-wide, split), (wide, split), (wide, cut.length + 9), (-wide, cut.length + 9)]),
            cloth.figure,
        )
        pen.seam(polyline([(-wide, split), (wide, split)]))
    elif spec.pattern == "border":
        draw_border(pen, cut)
    elif spec.pattern == "tie-dye":
        for ring in range(9, 0, -1):
            color = (cloth.base, cloth.figure, cloth.accent)[ring % 3]
            t = np.linspace(0, 2 * np.pi, 70, endpoint=False)
            radius = ring * 4.6 * (1 + 0.08 * np.sin(9 * t + 2 * ring) + 0.05 * np.sin(17 * t + ring))
            pen.tint(np.column_stack([radius * np.cos(t), 28.0 + radius * np.sin(t)]), color, 0.75)
    if spec.trim == "raglan":
        pass  # the sleeves are of the other color
    if (
        spec.category in ("dress", "coat")
        and spec.cut in ("fitted", "a-line")
        and not back
        and spec.neckline != "lapel"
    ):
        for side in (-1.0, 1.0):  # darts from the bust
            pen.crease(spline([(side * 9.5, 24.0), (side * 8.0, WAIST), (side * 9.0, 50.0)]), 0.5, 0.86)


def _draw_closure(pen: Pen, spec: GarmentSpec, cut: Cut) -> None:
    start, end = closure_top(spec), cut.length + cut.hem_dip
    if spec.closure in ("buttons", "hidden"):
        for x in (-1.7, 1.7) if spec.category != "coat" else (3.2,):
            pen.seam(polyline([(x, start - 1.0), (x, end)]), strength=0.8)
        pen.crease(polyline([(2.2, start), (2.2, end)]), 1.0, 0.86)
        if spec.closure == "buttons":
            step, radius = (15.0, 1.3) if spec.category in ("coat", "jacket") else (8.6, 0.65)
            for y in np.arange(start + 2.0, min(end - 4.0, start + 95.0), step):
                pen.button(0.0, float(y), radius, button_color(pen, spec))
    elif spec.closure == "double":
        pen.seam(polyline([(7.5, start - 1.0), (7.5, end)]), strength=0.75)
        pen.crease(polyline([(8.2, start), (8.2, end)]), 1.2, 0.82)
        for y in np.arange(start + 4.0, min(end - 14.0, start + 42.0), 13.0):
            for x in (-6.0, 4.4):
                pen.button(x, float(y), 1.4, button_color(pen, spec))
    elif spec.closure == "zip":
        slanted = 7.0 if spec.neckline == "biker" else 0.0
        track = polyline([(slanted, start + (6.0 if slanted else -0.5)), (0.3 * slanted, end)])
        pen.line(track, 1.5, relight(pen.cloth.base, 0.78))
        metal: Color = (
            (196, 196, 200)
            if spec.material in ("leather", "denim") or lightness(pen.cloth.base) < 0.3
            else relight(pen.cloth.base, 0.5)
        )
        pen.line(track, 0.5, metal)
        pen.crease(move(track, 1.2, 0.0), 1.0, 0.85)
        pen.fill(
            polyline([track[0] + d for d in ((-0.4, 0), (0.4, 0), (0.5, 2.6), (-0.5, 2.6))]), (168, 168, 172)
        )


def _draw_pockets(pen: Pen, spec: GarmentSpec, cut: Cut) -> None:
    color = pen.cloth.trim if spec.trim == "contrast" else None
    if spec.pockets == "chest":
        draw_patch(pen, 10.0, 22.0, 9.0, 10.0, color)
    elif spec.pockets == "two flaps":
        y = 21.0 if spec.category in ("shirt",) or cut.length < 60 or spec.material == "denim" else 54.0
        x = 10.5 if y < 30 else 13.5
        for side in (-1.0, 1.0):
            if y < 30:
                draw_patch(pen, side * x, y, 9.6, 10.5, color)
            flap = polyline(
                [(x - 5.2, y), (x + 5.2, y), (x + 5.2, y + 4.0), (x, y + 5.4), (x - 5.2, y + 4.0)]
            )
            pen.piece(flap * (side, 1), color, lifted=0.7)
            pen.button(side * x, y + 3.7, 0.6, button_color(pen, spec))
    elif spec.pockets == "patch":
        y = 54.0 if cut.length > 66 else 0.62 * cut.length
        for side in (-1.0, 1.0):
            draw_patch(pen, side * 12.5, y, 13.0, min(15.0, cut.length - y - 3.0), color)
    elif spec.pockets == "slanted":
        y = min(56.0, cut.length - 16.0)
        for side in (-1.0, 1.0):
            slit = polyline([(side * 12.0, y), (side * 17.0, y + 12.0)])
            pen.line(slit, 1.5, relight(pen.cloth.trim, 0.9))
            pen.seam(slit, strength=0.55)
            pen.crease(move(slit, side * 1.0, 0.4), 1.2, 0.78)
    elif spec.pockets == "kangaroo":
        y = cut.length - 26.0
        half = outline(
            [(0, y), (9.0, y)],
            [(9.0, y), (11.0, y + 8.0), (16.0, y + 13.5)],
            [(16.0, y + 13.5), (16.0, y + 19.5), (0, y + 19.5)],
        )
        pen.piece(mirror_half(half), None, lifted=0.7)


def _draw_back_details(pen: Pen, spec: GarmentSpec, cut: Cut) -> None:
    if spec.category in ("shirt", "jacket", "coat"):
        pen.seam(spline([(-cut.shoulder, 11.0), (0.0, 10.0), (cut.shoulder, 11.0)]))
        if spec.category != "shirt":
            pen.seam(polyline([(0.0, 11.0), (0.0, cut.length)]), strength=0.85)
    elif spec.category in ("dress", "top") and spec.material not in ("jersey", "knit"):
        pen.seam(polyline([(0.0, 3.0), (0.0, min(cut.length, HIP))]), strength=0.8)
    draw_waist(pen, spec, cut)
    draw_collar_from_behind(pen, spec, cut)


def fold_upper(folds: Folds, spec: GarmentSpec, cut: Cut, body: float, *, worn: bool, random: Random) -> None:
    """Draws light and folds on the body."""
    half = np.maximum(cut.half(folds.y.astype(np.float64)), 6.0)
    soft = 1.0 - body
    folds.draw_round(0.0, half, 0.34 if worn else 0.13)
    folds.wrinkles(0.03 + 0.025 * soft)
    strength = (0.1 + 0.13 * soft) * (1.0 if worn else 0.62)
    waisted = spec.waist != "none" or spec.cut in ("flared", "fitted", "peplum")
    if (cut.length > 76 and spec.cut != "fitted") or spec.cut == "peplum":
        waves = {"flared": 7.0, "tiered": 8.0, "a-line": 4.5, "peplum": 6.0}.get(spec.cut, 3.0)
        folds.drape(
            WAIST if waisted else 30.0,
            cut.length,
            half,
            waves,
            strength * (1.5 if spec.cut in ("flared", "tiered") else 1.0),
        )
    if worn:
        for side in (-1.0, 1.0):
            for _ in range(2):  # from the armpit towards the middle
                folds.streak(
                    side * random.uniform(11, 15),
                    random.uniform(17, 25),
                    0.5 * np.pi + side * random.uniform(0.5, 0.95),
                    random.uniform(5, 9),
                    random.uniform(1.0, 1.8),
                    strength * 1.1,
                )
            if waisted or cut.length < 90:
                folds.streak(
                    side * random.uniform(9, 15),
                    WAIST + random.uniform(-4, 6),
                    side * random.uniform(-0.5, 0.4),
                    random.uniform(4, 8),
                    random.uniform(1.0, 1.7),
                    strength * 1.2,
                    random.gauss(0, 0.02),
                )
        if cut.length < 90:
            folds.scatter((-12, 30, 12, cut.length - 2), 3, strength, 9.0, 1.3 * random.choice((-1, 1)), 0.4)
    else:
        for side in (-1.0, 1.0):
            folds.streak(
                side * (cut.shoulder - 4),
                17,
                0.5 * np.pi - side * 0.5,
                8,
                1.6,
                strength * random.choice((-1, 1)),
            )
        folds.scatter((-14, 14, 14, min(cut.length, 80)), 5, strength, 10.0, 1.45, 0.35)
