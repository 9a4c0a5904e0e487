"""Puts a garment on a person: the spine of each strip follows trunk, arm or leg."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw

from stylesearch.drawn_shop.drawing.canvas import Canvas
from stylesearch.drawn_shop.drawing.curves import Points, normals
from stylesearch.drawn_shop.garments.cuts import CROTCH, Cut
from stylesearch.drawn_shop.garments.garments import Garment, Piece
from stylesearch.drawn_shop.garments.lowers import leg_middle
from stylesearch.drawn_shop.garments.sleeves import sleeve_half
from stylesearch.drawn_shop.garments.strips import Spine, Strip, warp_strip
from stylesearch.drawn_shop.people.skeletons import Skeleton

__all__ = ["wear_back", "wear_body", "wear_sleeve"]

_Numbers = npt.NDArray[np.float64]

_ELBOW, _ARM = 28.0, 52.5
"""Lengths from the shoulder to the elbow and to the wrist, centimetres on a sleeve."""

_ROUND = 0.72
"""Half the width of worn cloth as seen from the front, to half its width laid flat: bodies are round."""


def wear_body(
    canvas: Canvas, person: Skeleton, garment: Garment, *, wanted: bool, below: float | None = None
) -> None:
    """Draws the body of a garment, or both legs of trousers.

    Args:
        canvas: the canvas.
        person: the wearer.
        garment: the garment, sewn as worn.
        wanted: whether it is the garment to be found.
        below: height from which on it is tucked in; None for nowhere.
    """
    piece = garment.body
    if below is not None:
        piece = replace(piece, strip=_tuck(piece.strip, below))
    if garment.cut.kind == "legs":
        for side in (0, 1):
            half = replace(piece, strip=_half(piece.strip, side))
            _lay(
                canvas,
                half,
                _leg_spine(person, garment.cut, side),
                wanted=wanted,
                shadow=0.3,
                scale=person.scale,
            )
    else:
        _lay(canvas, piece, _trunk_spine(person, garment.cut), wanted=wanted, shadow=0.45, scale=person.scale)


def wear_back(canvas: Canvas, person: Skeleton, garment: Garment, *, wanted: bool) -> None:
    """Draws the part behind the neck."""
    if garment.back is not None:
        _lay(
            canvas,
            garment.back,
            _trunk_spine(person, garment.cut),
            wanted=wanted,
            shadow=0.0,
            scale=person.scale,
        )


def wear_sleeve(canvas: Canvas, person: Skeleton, garment: Garment, side: int, *, wanted: bool) -> None:
    """Draws one sleeve, if there is one; where the elbow is bent sharply, in two halves."""
    if garment.sleeve is None:
        return
    shoulder, elbow, wrist = person.arms[side]
    upper, fore = elbow - shoulder, wrist - elbow
    straight = float(upper @ fore) / float(np.hypot(*upper) * np.hypot(*fore))
    parts: list[tuple[Points | None, Piece]] = [(None, garment.sleeve)]
    at_elbow = _ELBOW + 1.5
    if straight < 0.6:
        whole = garment.sleeve
        parts = [
            (np.array([shoulder, elbow]), replace(whole, strip=_between(whole.strip, -9.0, at_elbow + 3.0)))
        ]
        if garment.cut.sleeve > at_elbow:
            parts.append(
                (np.array([elbow, wrist]), replace(whole, strip=_between(whole.strip, at_elbow - 3.5, 99.0)))
            )
    for ends, piece in parts:
        spine = _sleeve_spine(person, garment.cut, side, ends)
        _lay(canvas, piece, spine, wanted=wanted, shadow=0.3, scale=person.scale)


def _lay(canvas: Canvas, piece: Piece, spine: Spine, *, wanted: bool, shadow: float, scale: float) -> None:
    placed = warp_strip(piece.strip, spine, canvas.image.size, piece.reach)
    if placed is not None:
        canvas.lay(*placed, wanted=wanted, shadow=shadow, spread=1.4 * scale)


def _tuck(strip: Strip, below: float) -> Strip:
    return replace(
        strip,
        image=strip.image.crop((0, 0, strip.image.width, max(2, round((below - strip.top) * strip.scale)))),
    )


def _between(strip: Strip, start: float, end: float) -> Strip:
    """Cuts a strip off above ``start`` and below ``end``, with rounded cuts."""
    keep = Image.new("L", strip.image.size, 0)
    top, bottom = (start - strip.top) * strip.scale, (end - strip.top) * strip.scale
    ImageDraw.Draw(keep).rounded_rectangle(
        (0, top, strip.image.width, bottom), radius=0.45 * strip.image.width, fill=255
    )
    bands = strip.image.split()
    return replace(strip, image=Image.merge("RGBX", (*bands[:3], ImageChops.multiply(bands[3], keep))))


def _half(strip: Strip, side: int) -> Strip:
    middle = round(-strip.left * strip.scale)
    image = strip.image.copy()
    overlap = round(0.7 * strip.scale)
    box = (
        (0, 0, middle - overlap, image.height)
        if side == 1
        else (middle + overlap, 0, image.width, image.height)
    )
    ImageDraw.Draw(image).rectangle(box, fill=(128, 128, 128, 0))
    return replace(strip, image=image)


def _worn_half(person: Skeleton, cut: Cut, height: _Numbers) -> _Numbers:
    """Half width of a garment on a person's trunk, centimetres."""
    body = person.body
    size = _ROUND * (1 + 0.9 * (body.width - 1)) * (1 + 0.07 * body.build)
    flat = cut.half(np.maximum(height, 22.0))
    hanging = np.maximum(
        flat * size, body.trunk_half(np.minimum(height, 66.0)) * np.where(height < 67, 1.0, 0.0) + 0.7
    )
    if cut.kind != "upper":
        return hanging
    shoulders = cut.shoulder * (float(body.trunk_half(np.array([6.0]))[0]) - 1.0) / 19.0
    return np.interp(height, [8.0, 20.0], [0.0, 1.0]) * (hanging - shoulders) + shoulders


def _reference(cut: Cut, height: _Numbers) -> _Numbers:
    """Half width of the same garment on the flat strip, centimetres."""
    flat = cut.half(np.maximum(height, 22.0))
    if cut.kind != "upper":
        return flat
    return np.interp(height, [8.0, 20.0], [0.0, 1.0]) * (flat - cut.shoulder) + cut.shoulder


def _trunk_spine(person: Skeleton, cut: Cut) -> Spine:
    height = np.arange(
        min(cut.top - 14.0, -30.0 if cut.kind == "upper" else 99.0), cut.length + cut.hem_dip + 6.0, 3.0
    )
    centre, across = person.trunk(height)
    worn = _worn_half(person, cut, height)
    legs = [person.leg(side) for side in (0, 1)]
    at = np.clip((height - 58.0) / 76.0 * 39.0, 0, 39)
    for leg, sign in zip(legs, (-1.0, 1.0), strict=True):  # cloth lies over the legs wherever they stand
        edge = np.column_stack([np.interp(at, np.arange(40), leg[:, i]) for i in (0, 1)])
        away = ((edge - centre) * across).sum(axis=1) / (across**2).sum(axis=1) * sign
        needed = away + person.body.leg_half(height) + 0.8
        worn = np.where(height > 64, np.maximum(worn, needed), worn)
    half = _reference(cut, height)
    return Spine(
        height=height,
        centre=centre,
        across=across * (worn / half)[:, None],
        middle=np.zeros(len(height)),
        half=half,
        turn=person.pose.turn,
    )


def _leg_spine(person: Skeleton, cut: Cut, side: int) -> Spine:
    sign = -1.0 if side == 0 else 1.0
    height = np.arange(cut.top - 3.0, cut.length + 6.0, 2.5)
    size = _ROUND * (1 + 0.9 * (person.body.width - 1)) * (1 + 0.04 * person.body.build)
    centre, across = person.trunk(height)
    middle = leg_middle(cut, height)
    hips = _worn_half(person, cut, np.minimum(height, CROTCH + 2)) / np.maximum(
        cut.half(np.minimum(height, CROTCH + 2)), 1.0
    )
    above = centre + across * (sign * middle * hips)[:, None]
    leg = person.leg(side)
    at = (height - 58.0) / 76.0 * 39.0
    below = np.column_stack([np.interp(at, np.arange(40), leg[:, i]) for i in (0, 1)])
    beyond = np.maximum(at - 39, 0)[:, None] * (leg[-1] - leg[-2])
    below = below + beyond
    flat = cut.leg_half(np.maximum(height, CROTCH + 2))
    worn = np.maximum(flat * size, person.body.leg_half(height) + 0.5)
    upright = normals(below) * person.scale
    share = np.clip((height - (CROTCH - 8.0)) / 14.0, 0, 1)[:, None]
    share = share * share * (3 - 2 * share)
    direction = across * hips[:, None] * (1 - share) + upright * (worn / flat)[:, None] * share
    return Spine(
        height=height,
        centre=above * (1 - share) + below * share,
        across=direction,
        middle=sign * middle,
        half=np.maximum(flat, 1.0),
        turn=0.0,
    )


def _sleeve_spine(person: Skeleton, cut: Cut, side: int, ends: Points | None) -> Spine:
    """Makes the spine along the whole arm, or along its straight half between ``ends``."""
    sign = -1.0 if side == 0 else 1.0
    height = np.arange(-10.0, cut.sleeve + 6.0, 2.0)
    along_arm = height + 0.2
    if ends is None:
        arm = person.arm(side)
        at = along_arm / _ARM * 39.0
        centre = np.column_stack([np.interp(at, np.arange(40), arm[:, i]) for i in (0, 1)])
        centre = (
            centre
            + np.minimum(at, 0)[:, None] * (arm[1] - arm[0])
            + np.maximum(at - 39, 0)[:, None] * (arm[-1] - arm[-2])
        )
    else:
        from_shoulder = bool((ends[0] == person.arms[side][0]).all())
        share = along_arm / _ELBOW if from_shoulder else (along_arm - _ELBOW) / (_ARM - _ELBOW)
        centre = person.pixels(ends[0] + share[:, None] * (ends[1] - ends[0]))
    body = person.body
    flat = np.maximum(sleeve_half(cut, np.clip(height, 0, cut.sleeve)), 1.0)
    size = 0.66 * (1 + 0.8 * (body.width - 1)) * (1 + 0.08 * body.build)
    worn = np.maximum(flat * size, body.arm_half(np.clip(along_arm / _ARM, 0, 1)) + 0.7)
    worn = worn * np.interp(height, [-4.0, 0.0, 5.0, 14.0], [0.62, 0.74, 0.9, 1.0])
    across: Points = normals(centre) * (person.scale * worn / flat)[:, None] * sign
    return Spine(
        height=height, centre=centre, across=across, middle=np.zeros(len(height)), half=flat, turn=0.0
    )
