"""Measures of garments in centimetres, from their descriptions: width and length of each, laid flat.

All heights are measured downwards from where the shoulder meets the neck, on a body 170 cm tall: waist 38,
hip 56, crotch 64, knee 97, ankle 134. All widths are halves: from the middle to the right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylesearch.drawn_shop.drawing.curves import spline
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["ANKLE", "CROTCH", "HIP", "KNEE", "WAIST", "Cut", "cut_of"]

WAIST, HIP, CROTCH, KNEE, ANKLE = 38.0, 56.0, 64.0, 97.0, 134.0


@dataclass(frozen=True, slots=True)
class Cut:
    """Measures of a garment, centimetres.

    Attributes:
        kind: "upper" (hangs from the shoulders), "skirt" or "legs".
        top, length: heights of its upper and lower edge.
        side: knots (height, half width) of the side seam from the armhole, or the waistband, to the hem.
        neck, shoulder: half widths at the shoulder's two ends; 0 for what hangs from the waist.
        sleeve: length of the sleeve from the shoulder's tip, 0 for none.
        sleeve_top, sleeve_end: half widths of the sleeve at the armpit and at its end.
        puff: extra half width of the sleeve between them, or at its end (a bell) if negative.
        hem_dip: how much lower the hem is in the middle.
        legs: knots (height, half width of one leg) from the crotch down; empty but for trousers.
        leg_middle: distance of the leg's middle from the garment's, at the hem.
    """

    kind: str
    top: float
    length: float
    side: tuple[tuple[float, float], ...]
    neck: float = 0.0
    shoulder: float = 0.0
    sleeve: float = 0.0
    sleeve_top: float = 0.0
    sleeve_end: float = 0.0
    puff: float = 0.0
    hem_dip: float = 0.0
    legs: tuple[tuple[float, float], ...] = ()
    leg_middle: float = 0.0

    def half(self, height: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Half width of the whole garment at each height (of both legs, above and below the crotch)."""
        curve = spline([(x, y) for y, x in self.side], samples=6)
        return np.interp(height, curve[:, 1], curve[:, 0])

    def leg_half(self, height: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Half width of one leg at each height."""
        curve = spline([(x, y) for y, x in self.legs], samples=6)
        return np.interp(height, curve[:, 1], curve[:, 0])


_SLEEVES = {  # length, half width at the armpit, at the end, puff
    "none": (0.0, 0.0, 0.0, 0.0),
    "straps": (0.0, 0.0, 0.0, 0.0),
    "sleeveless": (0.0, 0.0, 0.0, 0.0),
    "short": (20.0, 9.5, 8.6, 0.0),
    "puff": (21.0, 9.0, 6.4, 4.0),
    "elbow": (34.0, 9.2, 8.2, 0.0),
    "rolled": (37.0, 9.6, 7.4, 0.0),
    "long": (59.0, 9.2, 5.2, 0.0),
    "bell": (57.0, 8.6, 8.0, -6.0),
}


def cut_of(spec: GarmentSpec) -> Cut:
    """Chooses the measures of a garment."""
    if spec.category in ("trousers", "shorts"):
        return _legs(spec)
    if spec.category == "skirt":
        return _skirt(spec)
    if spec.category == "dress":
        return _dress(spec)
    return _upper(spec)


def _dress(spec: GarmentSpec) -> Cut:
    length = {"mini": 84.0, "knee": 98.0, "midi": 116.0, "maxi": 136.0}[spec.length]
    below = length - HIP
    chest, waist, hip, hem = {
        "fitted": (21.0, 17.0, 23.0, 21.5 + 0.02 * below),
        "a-line": (21.5, 18.5, 25.5, 25.5 + 0.24 * below),
        "flared": (21.0, 17.0, 29.0, 29.0 + 0.42 * below),
        "shift": (23.0, 23.5, 25.5, 26.5 + 0.04 * below),
        "tiered": (22.0, 21.0, 27.0, 28.0 + 0.25 * below),
    }[spec.cut]
    if spec.waist in ("belt", "tie", "elastic") and spec.cut in ("shift", "tiered"):
        waist -= 3.5
    side = (
        (22.0, chest),
        (WAIST, waist),
        (HIP, hip),
        (0.5 * (HIP + length), 0.5 * (hip + hem)),
        (length, hem),
    )
    dip = {"fitted": 0.5, "shift": 1.0}.get(spec.cut, 0.05 * below + 1.0)
    return _with_shoulders(spec, length, side, 17.5 if spec.sleeves == "sleeveless" else 19.0, dip)


def _upper(spec: GarmentSpec) -> Cut:
    ease = {
        "fitted": 0.0,
        "regular": 2.0,
        "straight": 2.0,
        "loose": 2.5,
        "peplum": 0.0,
        "a-line": 1.0,
        "oversized": 6.0,
    }[spec.cut]
    base, shoulder = {
        "top": (21.5, 18.0),
        "t-shirt": (22.5, 20.0),
        "shirt": (23.5, 20.5),
        "jumper": (24.0, 20.5),
        "jacket": (25.0, 21.0),
        "coat": (25.5, 21.0),
    }[spec.category]
    length = {
        "top": {"cropped": 43.0, "hip": 58.0},
        "t-shirt": {"cropped": 46.0, "hip": 62.0, "long": 74.0},
        "shirt": {"hip": 68.0, "long": 80.0},
        "jumper": {"cropped": 47.0, "hip": 62.0, "long": 76.0},
        "jacket": {"cropped": 48.0, "hip": 64.0},
        "coat": {"thigh": 82.0, "knee": 100.0, "midi": 118.0},
    }[spec.category][spec.length]
    chest = base + ease
    nipped = {"fitted": 3.0, "peplum": 4.0, "a-line": 1.5, "oversized": 0.2}.get(spec.cut, 0.8)
    if spec.waist in ("belt", "tie", "elastic"):
        nipped += 2.5
    waist = chest - nipped
    hip = {"peplum": chest + 7.0, "a-line": chest + 3.0, "oversized": chest + 0.5}.get(spec.cut, chest + 0.4)
    hem = hip + max(0.0, length - HIP) * {"a-line": 0.22, "peplum": 0.4, "fitted": 0.03}.get(spec.cut, 0.03)
    side = _cut_off(((22.0, chest), (WAIST, waist), (HIP, hip), (max(length, HIP + 4), hem)), length)
    if (spec.category == "jumper" and spec.length != "long") or spec.neckline == "bomber":
        above_rib = _cut_off(side, length - 6.0)
        side = (*above_rib, (length, above_rib[-1][1] - 1.8))
    dip = {"shirt": 3.0, "top": 0.8, "t-shirt": 0.6}.get(spec.category, 0.5)
    return _with_shoulders(spec, length, side, shoulder + 0.45 * ease, dip, loose=0.3 * ease)


def _with_shoulders(
    spec: GarmentSpec,
    length: float,
    side: tuple[tuple[float, float], ...],
    shoulder: float,
    dip: float,
    loose: float = 0.0,
) -> Cut:
    sleeve, sleeve_top, sleeve_end, puff = _SLEEVES[spec.sleeves]
    thick = {"coat": 1.6, "jacket": 1.3, "jumper": 0.7}.get(spec.category, 0.0)
    neck = {
        "boat": 12.5,
        "square": 10.5,
        "turtle": 6.6,
        "v": 8.2,
        "band": 7.0,
        "collar": 7.2,
        "hood": 8.0,
        "button-down": 7.2,
        "polo": 7.2,
        "bow": 7.4,
        "round": 8.4,
        "henley": 8.0,
        "lapel": 7.6,
        "revere": 7.6,
        "bomber": 7.4,
        "biker": 7.6,
    }[spec.neckline]
    if spec.sleeves == "sleeveless":
        shoulder = max(shoulder - 3.0, neck + 3.0)
    return Cut(
        kind="upper",
        top=0.0,
        length=length,
        side=side,
        neck=neck,
        shoulder=shoulder,
        sleeve=sleeve,
        sleeve_top=sleeve_top + thick + loose,
        sleeve_end=sleeve_end + thick + 0.6 * loose,
        puff=puff,
        hem_dip=dip,
    )


def _skirt(spec: GarmentSpec) -> Cut:
    length = 36.0 + {"mini": 40.0, "knee": 57.0, "midi": 76.0, "maxi": 97.0}[spec.length]
    below = length - HIP
    hip, hem = {
        "pencil": (23.0, 23.0 - 0.05 * below),
        "a-line": (24.5, 25.0 + 0.27 * below),
        "flared": (27.5, 28.0 + 0.47 * below),
        "pleated": (25.0, 26.0 + 0.2 * below),
        "tiered": (26.5, 27.0 + 0.27 * below),
    }[spec.cut]
    side = ((36.0, 17.0), (40.0, 17.6), (HIP, hip), (0.5 * (HIP + length), 0.5 * (hip + hem)), (length, hem))
    dip = {"pencil": 0.3, "pleated": 1.0}.get(spec.cut, 0.05 * below + 0.6)
    return Cut(kind="skirt", top=36.0, length=length, side=side, hem_dip=dip)


def _legs(spec: GarmentSpec) -> Cut:
    if spec.category == "shorts":
        length = {"mini": 77.0, "knee": 86.0, "bermuda": 96.0}[spec.length]
        thigh = {"slim": 13.2, "straight": 14.2, "wide": 15.4}[spec.cut]
        flare = {"slim": -0.03, "straight": 0.02, "wide": 0.1}[spec.cut]
        legs: tuple[tuple[float, float], ...] = (
            (CROTCH + 2, thigh - 1.6),
            (CROTCH + 9, thigh - 1.2),
            (length, thigh - 1.2 + flare * (length - CROTCH)),
        )
    else:
        length = {"cropped": 119.0, "full": 135.0}[spec.length]
        thigh, knee, hem = {
            "skinny": (12.0, 8.6, 6.4),
            "slim": (12.5, 9.8, 8.0),
            "straight": (13.2, 11.4, 11.0),
            "wide": (14.0, 14.6, 16.6),
            "flared": (12.5, 10.0, 15.4),
            "tapered": (14.0, 11.2, 6.8),
        }[spec.cut]
        legs = _cut_off(
            (
                (CROTCH + 2, thigh - 1.2),
                (CROTCH + 10, thigh - 1.3),
                (KNEE, knee),
                (116.0, 0.45 * knee + 0.55 * hem),
                (136.0, hem),
            ),
            length,
        )
    middle = max(legs[-1][1] + 0.8, 10.6)
    side = ((36.0, 17.4), (41.0, 18.4), (HIP, 22.2), (CROTCH + 2, 2 * legs[0][1] - 0.2))
    return Cut(kind="legs", top=36.0, length=length, side=side, legs=legs, leg_middle=middle)


def _cut_off(knots: tuple[tuple[float, float], ...], length: float) -> tuple[tuple[float, float], ...]:
    """Cuts knots off at ``length``."""
    kept = tuple(knot for knot in knots if knot[0] < length - 1.0)
    curve = spline([(x, y) for y, x in knots], samples=6)
    return (*kept, (length, float(np.interp(length, curve[:, 1], curve[:, 0]))))
