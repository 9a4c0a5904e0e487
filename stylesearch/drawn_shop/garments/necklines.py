"""Draws necklines, collars, lapels and hoods."""

from __future__ import annotations

import numpy as np

from stylesearch.drawn_shop.drawing.curves import (
    Points,
    between,
    ellipse,
    mirror_half,
    move,
    outline,
    polyline,
    spline,
)
from stylesearch.drawn_shop.drawing.palette import Color, relight
from stylesearch.drawn_shop.garments.cuts import Cut
from stylesearch.drawn_shop.garments.pen import Pen
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = [
    "back_opening",
    "closure_top",
    "draw_back",
    "draw_collar",
    "draw_collar_from_behind",
    "neck_opening",
]

_DEPTH = {
    "round": 8.5,
    "v": 17.0,
    "square": 11.0,
    "boat": 4.5,
    "turtle": 2.0,
    "collar": 8.5,
    "button-down": 7.5,
    "band": 6.5,
    "bow": 6.0,
    "henley": 7.5,
    "polo": 8.0,
    "lapel": 27.0,
    "revere": 15.0,
    "bomber": 5.5,
    "biker": 11.0,
    "hood": 9.0,
}
_OPEN_TO_A_POINT = ("v", "collar", "button-down", "lapel", "revere", "polo", "biker", "band", "hood")


def closure_top(spec: GarmentSpec) -> float:
    """Height at which buttons or a zip begin."""
    if spec.sleeves == "straps":
        return 14.0 + (4.0 if spec.neckline == "v" else 0.0)
    return _DEPTH[spec.neckline]


def neck_opening(spec: GarmentSpec, cut: Cut) -> Points:
    """Makes the right half of the neckline, from the right shoulder's inner end down to the middle."""
    depth, neck = _DEPTH[spec.neckline], cut.neck
    if spec.sleeves == "straps":
        dips = {"v": 8.0, "square": 0.6, "round": 3.0}.get(spec.neckline, 2.0)
        return outline([(9.6, 12.0), (5.0, 12.6 + 0.75 * dips), (0.0, 12.6 + dips)])
    if spec.neckline == "square":
        return polyline([(neck, 0.4), (neck - 0.7, depth), (0.0, depth + 0.5)])
    if spec.neckline in _OPEN_TO_A_POINT:
        bow = 0.6 if spec.neckline == "v" else 0.2
        return outline([(neck, 0.0), (0.55 * neck + bow, 0.45 * depth), (0.0, depth)])
    if spec.neckline == "boat":
        return outline([(neck, 1.5), (0.55 * neck, 3.7), (0.0, depth)])
    return outline([(neck, 0.0), (0.92 * neck, 0.42 * depth), (0.55 * neck, 0.88 * depth), (0.0, depth)])


def back_opening(spec: GarmentSpec, cut: Cut) -> Points:
    """Makes the right half of the neckline on the back, which is always shallow."""
    if spec.sleeves == "straps":
        return outline([(9.6, 12.0), (5.0, 13.6), (0.0, 14.0)])
    return outline([(cut.neck, 0.0), (0.6 * cut.neck, 1.7), (0.0, 2.2)])


def draw_collar_from_behind(pen: Pen, spec: GarmentSpec, cut: Cut) -> None:
    """Draws collar or hood as seen from behind."""
    neck, kind = cut.neck, spec.neckline
    if kind == "hood":
        hood = outline([(0.0, -5.0), (8.0, -4.6), (12.0, 1.0), (9.0, 10.0), (0.0, 19.0)])
        pen.cut(mirror_half(hood))
        pen.piece(mirror_half(hood), None, lifted=1.2)
        pen.crease(polyline([(0.0, -4.0), (0.0, 18.0)]), 1.0, 0.84)
    elif kind == "turtle":
        _turtle(pen, cut)
    elif kind not in ("round", "v", "square", "boat", "henley") and spec.sleeves != "straps":
        low = 4.6 if kind in ("band", "bow", "bomber") else 6.6
        band = outline(
            [(0.0, -3.6), (0.8 * neck, -3.4), (neck + 0.6, -1.4)],
            [(neck + 0.6, -1.4), (neck + 2.0, 0.8)],
            [(neck + 2.0, 0.8), (0.6 * neck, low - 1.0), (0.0, low - 0.4)],
        )
        pen.cut(mirror_half(band))
        pen.piece(mirror_half(band), pen.cloth.trim if spec.trim == "contrast" else None, lifted=0.7)


def draw_back(pen: Pen, spec: GarmentSpec, cut: Cut, *, worn: bool) -> None:
    """Draws the part behind the neck: the inside of the back, a collar's stand, a hood."""
    inside = relight(pen.cloth.base, 0.62)
    if spec.neckline == "hood":
        if worn:
            half = outline([(0, -6.5), (6.5, -6.0), (11.5, -1.5), (12.5, 4.5), (9.0, 8.0)])
        else:
            half = outline([(0, -27.0), (7.0, -25.5), (12.0, -17.0), (13.0, -8.0), (11.8, 1.0), (9.0, 6.0)])
        pen.cut(mirror_half(half))
        pen.seam(half)
        opening = half * (0.66, 0.8) + (0.0, 0.5)
        pen.fill(mirror_half(opening), inside)
        pen.shadow(mirror_half(opening * (1.0, 0.96)), 0.7)
        pen.seam(np.vstack([opening, (opening * (-1, 1))[::-1]]))
        return
    if worn and spec.neckline != "biker":
        return
    if spec.sleeves == "straps":
        panel = mirror_half(outline([(0, 13.0), (8.0, 12.5), (12.0, 16.0), (12.0, 22.0)]))
    else:
        rise = {
            "collar": 3.6,
            "button-down": 3.6,
            "polo": 3.0,
            "revere": 3.0,
            "lapel": 3.2,
            "band": 3.4,
            "bow": 2.4,
            "biker": 3.2,
            "bomber": 3.0,
            "turtle": 0.5,
        }.get(spec.neckline, -0.6)
        depth = _DEPTH[spec.neckline] + 2.0
        panel = mirror_half(
            outline(
                [(0, 0.8 - rise), (0.6 * cut.neck, 0.5 - rise), (cut.neck, -0.6 * max(0, rise))],
                [(cut.neck, 0.0), (cut.neck, depth)],
            )
        )
    pen.cut(panel)
    pen.fill(panel, inside)
    pen.shadow(move(panel, 0.0, 4.0), 0.82)
    top = spline([(-cut.neck, 0.0), (0.0, 2.6), (cut.neck, 0.0)])
    if spec.sleeves != "straps":
        pen.band(top, 1.2, relight(pen.cloth.base, 0.72))
        pen.fill(polyline([(-1.6, 2.4), (1.6, 2.4), (1.6, 4.6), (-1.6, 4.6)]), (228, 226, 220))  # the label


def draw_collar(pen: Pen, spec: GarmentSpec, cut: Cut, *, worn: bool) -> None:
    """Draws what is sewn to the neckline, on the front."""
    opening = neck_opening(spec, cut)
    both = np.vstack([opening, (opening * (-1, 1))[::-1]])
    trim, kind, neck = pen.cloth.trim, spec.neckline, cut.neck
    if kind in ("collar", "button-down", "polo"):
        point = {"collar": 7.2, "button-down": 6.4, "polo": 5.4}[kind]
        leaf = outline(
            [(0.5, 6.6), (0.55 * neck, 2.2), (neck - 0.4, -3.4)],
            [(neck - 0.4, -3.4), (neck + 2.6, 0.4)],
            [(neck + 2.6, 0.4), (point + 0.4, point + 3.6)],
            [(point + 0.4, point + 3.6), (0.5, 6.6)],
        )
        for side in (-1.0, 1.0):
            pen.piece(
                leaf * (side, 1), trim if spec.trim == "contrast" or kind == "polo" else None, lifted=0.9
            )
            pen.crease(leaf[:8] * (side, 1), 1.0, 0.8)
            if kind == "button-down":
                pen.button(side * (point - 0.6), point + 2.0, 0.45, (236, 234, 228))
            elif pen.cloth.material == "denim":
                pen.stitches(leaf[-9:] * (side * 0.9, 0.94))
    elif kind in ("lapel", "revere"):
        _lapels(pen, spec, cut)
    elif kind == "biker":
        _biker(pen, cut)
    elif kind == "turtle":
        _turtle(pen, cut)
    elif kind in ("band", "bomber"):
        high = 3.2 if kind == "band" else 4.0
        stand = np.vstack(
            [
                opening,
                [(0.0, _DEPTH[kind] - high * 0.8)],
                outline([(0.3, _DEPTH[kind] - high), (0.8 * neck, -1.0), (neck - 0.6, -3.0)])[::1],
                [(neck, 0.0)],
            ]
        )
        for side in (-1.0, 1.0):
            pen.cut(stand * (side, 1))
            pen.piece(stand * (side, 1), relight(trim, 0.97), lifted=0.3)
        if kind == "bomber":
            _ribs(pen, both, 3.4, trim)
    elif kind == "hood":
        _hood_front(pen, cut)
    elif kind == "bow":
        _bow(pen, trim)
    if kind in ("round", "v", "square", "boat", "henley"):
        color = trim if spec.trim in ("contrast", "raglan") else relight(pen.cloth.base, 0.94)
        width = {"knit": 2.6, "cable knit": 3.0, "jersey": 1.9}.get(pen.cloth.material, 1.1)
        if spec.sleeves == "straps":
            width = 0.9
        if width > 1.5 or spec.trim in ("contrast", "raglan"):
            pen.band(move(both, 0.0, 0.45 * width), width, color)
            pen.seam(both * (1.03, 1.0) + (0.0, 0.98 * width), strength=0.78)
            if width > 1.5:
                _ribs(pen, move(both, 0.0, 0.45 * width), width, color)
        else:
            pen.seam(move(both, 0.0, 1.3), strength=0.82)
        pen.crease(move(both, 0.0, width + 0.5), 0.8, 0.86)
    if kind in ("henley", "polo"):
        _placket(pen, _DEPTH[kind], 13.0, 3 if kind == "henley" else 2)


def _ribs(pen: Pen, curve: Points, width: float, color: Color) -> None:
    lines = between(curve, width * 0.42)
    half = len(lines) // 2
    for index in range(0, half, 1 if pen.scale > 4 else 2):
        pen.line(np.array([lines[index], lines[-1 - index]]), 0.16, relight(color, 0.84))


def _placket(pen: Pen, top: float, length: float, buttons: int) -> None:
    strip = polyline([(-1.5, top - 1.0), (1.5, top - 1.0), (1.5, top + length), (-1.5, top + length)])
    pen.piece(strip, None, lifted=0.3)
    for index in range(buttons):
        pen.button(0.0, top + 1.5 + index * (length - 3.0) / max(1, buttons - 0.5), 0.6, (235, 232, 226))


def _lapels(pen: Pen, spec: GarmentSpec, cut: Cut) -> None:
    neck, depth = cut.neck, _DEPTH[spec.neckline]
    color = pen.cloth.trim if spec.trim == "contrast" else None
    wide = 12.0 if spec.neckline == "lapel" else 9.5
    notch = 0.36 * depth + 1.0
    lapel = outline(
        [(0.0, depth), (0.5 * neck, 0.55 * depth), (neck - 0.8, 0.0)],
        [(neck - 0.8, 0.0), (wide - 1.6, notch - 1.0)],
        [(wide - 1.6, notch - 1.0), (wide, notch + 0.6)],
        [(wide, notch + 0.6), (0.66 * wide, 0.72 * depth), (0.0, depth)],
    )
    collar = outline(
        [(neck - 1.6, -3.4), (neck - 0.4, 0.6), (neck - 1.4, notch - 2.4)],
        [(neck - 1.4, notch - 2.4), (wide - 2.4, notch - 1.6)],
        [(wide - 2.4, notch - 1.6), (wide + 0.8, notch - 3.8)],
        [(wide + 0.8, notch - 3.8), (neck + 3.2, -0.6), (neck - 1.6, -3.4)],
    )
    for side in (-1.0, 1.0):
        pen.piece(lapel * (side, 1), color, lifted=1.1)
        pen.cut(collar * (side, 1))
        pen.piece(collar * (side, 1), color, lifted=0.8)
        pen.crease(lapel[:14] * (side, 1), 1.2, 1.12)


def _biker(pen: Pen, cut: Cut) -> None:
    neck = cut.neck
    for side in (-1.0, 1.0):
        flap = outline(
            [(0.6, 12.0), (0.6 * neck, 4.0), (neck - 0.6, -3.0)],
            [(neck - 0.6, -3.0), (neck + 4.0, 3.0), (14.0, 12.5)],
            [(14.0, 12.5), (8.0, 17.0), (0.6, 20.0)],
            [(0.6, 20.0), (0.6, 12.0)],
        )
        pen.piece(flap * (side, 1), None, lifted=1.0)
        pen.button(side * 11.6, 12.4, 0.55, (190, 190, 194))


def _turtle(pen: Pen, cut: Cut) -> None:
    neck = cut.neck
    half = outline(
        [(0.0, -7.4), (0.6 * neck, -7.9), (neck - 0.5, -9.0)],
        [(neck - 0.5, -9.0), (neck - 0.3, -4.0), (neck + 1.2, 1.2)],
        [(neck + 1.2, 1.2), (0.6 * neck, 3.0), (0.0, 3.6)],
    )
    pen.cut(mirror_half(half))
    pen.piece(mirror_half(half), pen.cloth.trim, lifted=0.8)
    for x in np.linspace(-neck + 1, neck - 1, 11):
        pen.line(polyline([(x, -7.4), (x * 1.05, 2.8 - 0.02 * x * x)]), 0.16, relight(pen.cloth.trim, 0.87))
    pen.crease(spline([(-neck, -3.0), (0.0, -1.4), (neck, -3.0)]), 1.6, 0.84)


def _hood_front(pen: Pen, cut: Cut) -> None:
    neck = cut.neck
    edge = outline(
        [(neck + 3.4, 0.6), (neck - 0.8, 4.5), (0.4, 11.5)],
        [(0.4, 11.5), (0.55 * neck, 3.4), (neck - 1.4, -3.6)],
        [(neck - 1.4, -3.6), (neck + 3.4, 0.6)],
    )
    cord = (238, 236, 230) if sum(pen.cloth.base) < 480 else relight(pen.cloth.base, 0.6)
    for side in (-1.0, 1.0):
        pen.cut(edge * (side, 1))
        pen.piece(edge * (side, 1), None, lifted=0.8)
        pen.line(spline([(side * 2.6, 10.0), (side * 3.4, 16.0), (side * 2.9, 23.0)]), 0.55, cord)
        pen.fill(ellipse(side * 2.9, 23.6, 0.4, 1.0, corners=10), relight(cord, 0.8))


def _bow(pen: Pen, color: Color) -> None:
    y = 6.5
    for side in (-1.0, 1.0):
        tail = outline(
            [(0, y), (side * 1.6, y + 8), (side * 3.6, y + 20)],
            [(side * 3.6, y + 20), (side * 6.4, y + 18)],
            [(side * 6.4, y + 18), (side * 3.6, y + 8), (0, y)],
        )
        pen.piece(tail, relight(color, 0.96), lifted=0.6)
        loop = spline(
            [(0, y), (side * 5, y - 3.2), (side * 9.5, y - 2.2), (side * 9.8, y + 2.4), (side * 5, y + 2.6)],
            closed=True,
        )
        pen.piece(loop, color, lifted=0.8)
        pen.crease(polyline([(side * 1.2, y), (side * 5.4, y - 0.4)]), 0.8, 0.75)
    pen.piece(ellipse(0, y, 1.6, 1.9), relight(color, 0.92), lifted=0.4)
