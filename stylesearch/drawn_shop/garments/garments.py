"""Draws a garment from its description, as flat strips of cloth that are then laid out or worn."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image

from stylesearch.drawn_shop.cloth.folds import Folds
from stylesearch.drawn_shop.cloth.textures import Cloth, cloth_of
from stylesearch.drawn_shop.drawing.curves import Points, polyline
from stylesearch.drawn_shop.garments.cuts import Cut, cut_of
from stylesearch.drawn_shop.garments.lowers import draw_legs, draw_skirt, fold_legs, fold_skirt
from stylesearch.drawn_shop.garments.necklines import draw_back
from stylesearch.drawn_shop.garments.pen import Pen, Shade
from stylesearch.drawn_shop.garments.sleeves import draw_sleeve, fold_sleeve, sleeve_half
from stylesearch.drawn_shop.garments.strips import Strip
from stylesearch.drawn_shop.garments.uppers import draw_upper, fold_upper
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["Garment", "Piece", "sew"]

_Bounds = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Piece:
    """One strip of a garment.

    Attributes:
        strip: the strip, drawn flat.
        reach: an outline that encloses all of it, centimetres on the strip.
    """

    strip: Strip
    reach: Points


@dataclass(frozen=True, slots=True)
class Garment:
    """All strips of a garment.

    Attributes:
        spec, cut, cloth: description, measures and cloth.
        body: the piece around the trunk, or both legs.
        sleeve: the right sleeve; None without sleeves.
        back: the part behind the neck; None where it would not be seen.
    """

    spec: GarmentSpec
    cut: Cut
    cloth: Cloth
    body: Piece
    sleeve: Piece | None
    back: Piece | None


def sew(spec: GarmentSpec, scale: float, random: Random, *, worn: bool, from_behind: bool = False) -> Garment:
    """Draws a garment.

    Args:
        spec: description of the garment.
        scale: pixels for a centimetre.
        random: decides the folds, and nothing else of the garment.
        worn: whether it has the folds of a garment on a body; else of one that lies flat.
        from_behind: whether to draw its back.
    """
    cut, cloth = cut_of(spec), cloth_of(spec)
    tile = cloth.tile(scale * 2)
    wide = max(knot[1] for knot in cut.side) + 2.0
    if cut.kind == "legs":
        wide = max(wide, cut.leg_middle + cut.legs[-1][1] + 2.0)
    top = cut.top - (13.0 if cut.kind == "upper" else 2.0)
    bounds: _Bounds = (-wide, top, wide, cut.length + cut.hem_dip + 4.0)
    slip = Random(f"slip/{spec.seed}").uniform(0, 20), Random(f"slip down/{spec.seed}").uniform(0, 20)
    if spec.pattern in ("argyle", "zigzag", "border", "chest stripe"):
        slip = (0.0, slip[1])
    pen, folds = Pen(cloth, bounds, scale, tile, slip), Folds(bounds, random)
    if cut.kind == "upper":
        draw_upper(pen, spec, cut, back=from_behind, worn=worn, random=random)
        fold_upper(folds, spec, cut, cloth.body, worn=worn, random=random)
    elif cut.kind == "skirt":
        draw_skirt(pen, spec, cut, back=from_behind, worn=worn, random=random)
        fold_skirt(folds, spec, cut, cloth.body, worn=worn, random=random)
    else:
        draw_legs(pen, spec, cut, back=from_behind, worn=worn, random=random)
        fold_legs(folds, spec, cut, cloth.body, worn=worn, random=random)
    _structure(folds, spec)
    body = Piece(pen.finish(Shade(folds.relief, cloth.gloss)), _box(bounds))
    sleeve = _sew_sleeve(spec, cut, cloth, scale, tile, random, worn=worn) if cut.sleeve else None
    back = (
        _sew_back(spec, cut, cloth, scale, tile, worn=worn)
        if cut.kind == "upper" and not from_behind
        else None
    )
    return Garment(spec, cut, cloth, body, sleeve, back)


def _box(bounds: _Bounds) -> Points:
    left, top, right, bottom = bounds
    rows = np.linspace(top, bottom, 14)
    return np.vstack([polyline([(left, y) for y in rows]), polyline([(right, y) for y in rows])])


def _sew_sleeve(
    spec: GarmentSpec, cut: Cut, cloth: Cloth, scale: float, tile: Image.Image, random: Random, *, worn: bool
) -> Piece:
    wide = float(sleeve_half(cut, np.linspace(0, cut.sleeve, 20)).max()) + 1.5
    bounds: _Bounds = (-wide, -5.0, wide, cut.sleeve + 3.5)
    pen, folds = Pen(cloth, bounds, scale, tile, (0.0, 7.0)), Folds(bounds, random)
    draw_sleeve(pen, spec, cut)
    fold_sleeve(folds, spec, cut, cloth.body, worn=worn, random=random)
    _structure(folds, spec)
    return Piece(pen.finish(Shade(folds.relief, cloth.gloss)), _box(bounds))


def _sew_back(
    spec: GarmentSpec, cut: Cut, cloth: Cloth, scale: float, tile: Image.Image, *, worn: bool
) -> Piece | None:
    if worn and spec.neckline not in ("hood",):
        return None
    bounds: _Bounds = (-16.0, -30.0, 16.0, 32.0)
    pen = Pen(cloth, bounds, scale, tile)
    draw_back(pen, spec, cut, worn=worn)
    flat = Shade(np.zeros((4, 4), dtype=np.float32), 0.0)
    return Piece(pen.finish(flat), _box(bounds))


def _structure(folds: Folds, spec: GarmentSpec) -> None:
    """Draws the relief of the cloth: quilting, cables."""
    if spec.material == "quilt":
        phase = (folds.y / 7.0) % 1.0
        folds.relief += (0.16 * np.sin(np.pi * phase) ** 0.6 - 0.12 - 0.14 * (phase < 0.1)).astype(np.float32)
    elif spec.material == "cable knit":
        across = (folds.x / 8.0) % 1.0
        twist = np.sin(2 * np.pi * (folds.y / 8.0) + 5.0 * np.pi * across)
        folds.relief += (
            0.12 * twist * (np.abs(across - 0.5) < 0.24) - 0.1 * (np.abs(np.abs(across - 0.5) - 0.27) < 0.04)
        ).astype(np.float32)
