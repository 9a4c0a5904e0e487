"""Draws details that several garments share: pockets, buttons, a border."""

from __future__ import annotations

import numpy as np

from stylesearch.drawn_shop.drawing.curves import move, polyline
from stylesearch.drawn_shop.drawing.palette import Color, lightness, relight
from stylesearch.drawn_shop.garments.cuts import Cut
from stylesearch.drawn_shop.garments.pen import Pen
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["button_color", "draw_border", "draw_patch"]


def draw_border(pen: Pen, cut: Cut) -> None:
    """Draws bands of growing width above the hem."""
    for share, height, color in (
        (0.0, 7.0, pen.cloth.figure),
        (8.6, 1.6, pen.cloth.accent),
        (11.6, 3.0, pen.cloth.figure),
        (16.0, 0.9, pen.cloth.figure),
    ):
        x = np.linspace(-70, 70, 31)
        low = cut.length - share + cut.hem_dip * (1 - (x / max(1.0, cut.side[-1][1])) ** 2)
        pen.fill(np.vstack([np.column_stack([x, low]), np.column_stack([x, low - height])[::-1]]), color)


def button_color(pen: Pen, spec: GarmentSpec) -> Color:
    """Chooses the color of a garment's buttons, one that shows on its cloth."""
    if spec.trim == "contrast":
        return pen.cloth.trim
    if spec.material == "denim":
        return (184, 150, 100)
    choice: Color = (236, 234, 228) if spec.seed % 3 else (80, 58, 42)
    return (
        choice if abs(lightness(choice) - lightness(pen.cloth.base)) > 0.15 else relight(pen.cloth.base, 0.6)
    )


def draw_patch(pen: Pen, x: float, y: float, width: float, height: float, color: Color | None) -> None:
    """Draws a patch pocket; (x, y) is the middle of its upper edge."""
    w = width / 2
    pocket = polyline(
        [
            (x - w, y),
            (x + w, y),
            (x + w * 0.97, y + height * 0.8),
            (x, y + height),
            (x - w * 0.97, y + height * 0.8),
        ]
    )
    pen.piece(pocket, color, lifted=0.5)
    pen.seam(polyline([(x - w, y + 1.6), (x + w, y + 1.6)]), strength=0.8)
    if pen.cloth.material == "denim":
        pen.stitches(move(pocket, -x, -(y + height / 2)) * 0.88 + (x, y + height / 2))
