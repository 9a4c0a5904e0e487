"""Draws a shop's image of a garment: flat, on white, in the middle, with a soft shadow."""

from __future__ import annotations

from random import Random

import numpy as np
from PIL import Image, ImageFilter

from stylesearch.drawn_shop.drawing.curves import Points, polyline, spline
from stylesearch.drawn_shop.garments.garments import Garment, Piece, sew
from stylesearch.drawn_shop.garments.strips import Spine, warp_strip
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["draw_shop_image"]

_ASPECT = 0.8
_MARGIN = 0.06


def draw_shop_image(spec: GarmentSpec, random: Random, *, size: int = 480, view: int = 0) -> Image.Image:
    """Draws an image as a shop would take it.

    Args:
        spec: the garment.
        random: decides folds, shadow and exact position.
        size: height in pixels; the image is four fifths as wide.
        view: 0 for the front, 1 for the back, 2 for a close-up of the front, then in turn again.

    Returns:
        RGB.
    """
    width, height = round(size * _ASPECT), size
    left, top, right, bottom = _extent(spec)
    zoom = random.uniform(0.97, 1.0)
    scale = zoom * min(
        width * (1 - 2 * _MARGIN) / (right - left), height * (1 - 2 * _MARGIN) / (bottom - top)
    )
    if view % 3 == 2:
        scale *= 1.9
        bottom = top + (bottom - top) * 0.62
    origin = (
        width / 2 - scale * (left + right) / 2 + random.uniform(-1, 1) * 0.01 * width,
        height / 2 - scale * (top + bottom) / 2 + random.uniform(-1, 1) * 0.01 * height,
    )
    garment = sew(spec, scale, random, worn=False, from_behind=view % 3 == 1)
    cloth, mask = _lay_out(garment, origin, scale, (width, height))
    white = 255 - random.choice((0, 0, 0, 2, 5, 8))
    table = Image.new("RGB", (width, height), (white, white, white))
    soft = (
        mask.reduce(4)
        .filter(ImageFilter.GaussianBlur(0.012 * size / 4))
        .resize((width, height), Image.Resampling.BILINEAR)
    )
    strength = random.uniform(0.16, 0.32)
    table.paste(
        (70, 70, 78),
        (round(0.004 * size), round(0.012 * size)),
        soft.point([round(v * strength) for v in range(256)]),
    )
    table.paste(cloth.convert("RGB"), (0, 0), mask)
    return table


def _extent(spec: GarmentSpec) -> tuple[float, float, float, float]:
    from stylesearch.drawn_shop.garments.cuts import cut_of

    cut = cut_of(spec)
    wide = max(knot[1] for knot in cut.side)
    top, bottom = cut.top, cut.length + cut.hem_dip
    if cut.kind == "legs":
        wide = max(wide, cut.leg_middle + cut.legs[-1][1])
    elif cut.kind == "upper":
        top = -26.0 if spec.neckline == "hood" else -9.0 if spec.neckline == "turtle" else -3.0
        if cut.sleeve:
            ends = _sleeve_spine(spec, (0.0, 0.0), 1.0).place(
                polyline([(10.0, cut.sleeve), (10.0, 20.0), (5.0, cut.sleeve)])
            )
            wide = max(wide, float(ends[:, 0].max()))
            bottom = max(bottom, float(ends[:, 1].max()))
    return -wide, top, wide, bottom


def _sleeve_spine(spec: GarmentSpec, origin: tuple[float, float], scale: float, side: float = 1.0) -> Spine:
    """Makes the spine of the right sleeve (``side`` 1) or the left one (-1), spread out beside the body."""
    from stylesearch.drawn_shop.garments.cuts import cut_of

    cut = cut_of(spec)
    long = cut.sleeve > 45
    lift = 0.62 if long else 0.86
    down = np.array([np.sin(lift), np.cos(lift)])
    outwards = np.array([down[1], -down[0]])
    # the sleeve's outer edge leads on from the shoulder's tip
    start = np.array([cut.shoulder, 6.2]) - 6.0 * down - (cut.sleeve_top - 1.0) * outwards
    knots = [start, start + 5.5 * down]
    angle = lift
    for step in range(1, 9):
        angle = lift - (0.062 * step if long else 0.035 * step)
        knots.append(knots[-1] + 8.0 * np.array([np.sin(angle), np.cos(angle)]))
    curve = spline(np.array(knots), samples=6)
    return _along_curve(curve, cut.sleeve + 6.0, -4.0, origin, scale, side)


def _along_curve(
    curve: Points, length: float, first: float, origin: tuple[float, float], scale: float, side: float
) -> Spine:
    walked = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
    height = np.linspace(first, length, 26)
    at = np.column_stack([np.interp(height - first, walked, curve[:, i]) for i in (0, 1)])
    tangent = np.gradient(at, axis=0)
    tangent /= np.hypot(*tangent.T)[:, None]
    across = np.column_stack([tangent[:, 1], -tangent[:, 0]])
    mirror = np.array([side, 1.0])
    return Spine(
        height=height,
        centre=np.array(origin) + scale * at * mirror,
        across=scale * across * mirror,
        middle=np.zeros(26),
        half=np.full(26, 10.0),
    )


def _lay_out(
    garment: Garment, origin: tuple[float, float], scale: float, size: tuple[int, int]
) -> tuple[Image.Image, Image.Image]:
    """Lays the garment out flat; returns its image, and its position."""
    cloth, mask = Image.new("RGBX", size, (128, 128, 128, 255)), Image.new("L", size, 0)

    def lay(layer: Image.Image, corner: tuple[int, int], shadow: float = 0.0) -> None:
        alpha = layer.getchannel("X")
        if shadow:
            dark = alpha.filter(ImageFilter.BoxBlur(max(1, round(0.9 * scale)))).point(
                [round(v * shadow) for v in range(256)]
            )
            cloth.paste((30, 28, 32, 255), corner, dark)
        cloth.paste(layer, corner, alpha)
        mask.paste(255, corner, alpha)

    def lay_straight(piece: Piece, shadow: float) -> None:
        strip = piece.strip
        lay(
            strip.image, (round(origin[0] + strip.left * scale), round(origin[1] + strip.top * scale)), shadow
        )

    if garment.back is not None:
        lay_straight(garment.back, 0.0)
    if garment.sleeve is not None:
        for side in (1.0, -1.0):
            spread = warp_strip(
                garment.sleeve.strip,
                _sleeve_spine(garment.spec, origin, scale, side),
                size,
                garment.sleeve.reach,
            )
            if spread is not None:
                lay(*spread)
    lay_straight(garment.body, 0.45)
    return cloth, mask
