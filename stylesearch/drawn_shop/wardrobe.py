"""Descriptions of garments: the attributes of each category, and the values each may take.

A value listed twice is drawn twice as often. The look of a garment depends only on its ``GarmentSpec``, so
two specs that differ in one field are two garments that differ in one detail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

__all__ = ["ATTRIBUTES", "CATEGORIES", "CHOICES", "DENIM_COLORS", "SCALES", "GarmentSpec"]


@dataclass(frozen=True, slots=True)
class GarmentSpec:
    """A garment, described in words.

    Attributes:
        category: one of ``CATEGORIES``.
        cut, length, sleeves, neckline, waist, closure, pockets, trim: shape and details.
        material: material of the cloth.
        pattern, scale: pattern of the cloth, and its size ("fine", "medium", "bold").
        color, second: names in ``stylesearch.drawn_shop.drawing.palette.COLORS``; ``second`` is that of
            pattern and trim.
        seed: decides everything else, such as the place of each flower and the exact dye.
    """

    category: str
    cut: str
    length: str
    sleeves: str
    neckline: str
    waist: str
    closure: str
    pockets: str
    trim: str
    material: str
    pattern: str
    scale: str
    color: str
    second: str
    seed: int


ATTRIBUTES: tuple[str, ...] = tuple(
    field.name for field in fields(GarmentSpec) if field.name not in ("category", "seed")
)
"""The fields of a spec that a customer could name."""

_ALLOVER = (
    *("plain",) * 5,
    "stripes",
    "stripes",
    "vertical stripes",
    "gingham",
    "tartan",
    "dots",
    "dots",
    "florals",
    "florals",
    "leaves",
    "leopard",
    "zigzag",
    "brush strokes",
    "geometric",
)
SCALES = ("fine", "medium", "bold")
DENIM_COLORS = ("denim blue", "light denim", "dark denim", "black", "white", "denim blue")

CHOICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "dress": {
        "cut": ("fitted", "a-line", "a-line", "flared", "shift", "tiered"),
        "length": ("mini", "knee", "midi", "midi", "maxi"),
        "sleeves": ("straps", "sleeveless", "short", "puff", "elbow", "long", "bell"),
        "neckline": ("round", "v", "square", "boat", "collar", "band", "turtle"),
        "waist": ("none", "seam", "belt", "tie", "elastic"),
        "closure": ("none", "none", "buttons"),
        "pockets": ("none", "none", "none", "patch"),
        "trim": ("none", "none", "none", "contrast", "ruffle"),
        "material": ("cotton", "cotton", "linen", "satin", "jersey", "knit", "denim"),
        "pattern": (*_ALLOVER, "border", "color block"),
    },
    "skirt": {
        "cut": ("pencil", "a-line", "a-line", "flared", "pleated", "tiered"),
        "length": ("mini", "knee", "midi", "maxi"),
        "sleeves": ("none",),
        "neckline": ("none",),
        "waist": ("waistband", "waistband", "elastic", "belt", "tie"),
        "closure": ("none", "none", "buttons"),
        "pockets": ("none", "none", "patch", "slanted"),
        "trim": ("none", "none", "contrast", "ruffle", "slit"),
        "material": ("cotton", "linen", "satin", "denim", "leather", "wool", "corduroy"),
        "pattern": (*_ALLOVER, "border"),
    },
    "top": {
        "cut": ("fitted", "loose", "loose", "peplum"),
        "length": ("cropped", "hip", "hip"),
        "sleeves": ("straps", "sleeveless", "puff", "elbow", "bell", "long"),
        "neckline": ("round", "v", "square", "boat", "band", "bow"),
        "waist": ("none", "none", "elastic", "tie"),
        "closure": ("none", "none", "buttons"),
        "pockets": ("none",),
        "trim": ("none", "none", "contrast", "ruffle"),
        "material": ("cotton", "linen", "satin", "satin", "jersey"),
        "pattern": _ALLOVER,
    },
    "t-shirt": {
        "cut": ("fitted", "regular", "regular", "oversized"),
        "length": ("cropped", "hip", "hip", "long"),
        "sleeves": ("short", "short", "short", "elbow", "long"),
        "neckline": ("round", "round", "v", "henley", "polo"),
        "waist": ("none",),
        "closure": ("none",),
        "pockets": ("none", "none", "chest"),
        "trim": ("none", "none", "contrast", "raglan"),
        "material": ("jersey",),
        "pattern": (
            "plain",
            "plain",
            "plain",
            "graphic",
            "graphic",
            "graphic",
            "graphic",
            "graphic",
            "stripes",
            "stripes",
            "chest stripe",
            "color block",
            "tie-dye",
            "dots",
        ),
    },
    "shirt": {
        "cut": ("fitted", "regular", "oversized"),
        "length": ("hip", "hip", "long"),
        "sleeves": ("short", "long", "long", "rolled"),
        "neckline": ("collar", "collar", "button-down", "band", "revere"),
        "waist": ("none",),
        "closure": ("buttons", "buttons", "hidden"),
        "pockets": ("none", "chest", "two flaps"),
        "trim": ("none", "none", "contrast"),
        "material": ("cotton", "cotton", "linen", "denim", "satin", "corduroy"),
        "pattern": (
            "plain",
            "plain",
            "plain",
            "vertical stripes",
            "vertical stripes",
            "gingham",
            "tartan",
            "tartan",
            "windowpane",
            "dots",
            "florals",
            "leaves",
        ),
    },
    "jumper": {
        "cut": ("fitted", "regular", "oversized"),
        "length": ("cropped", "hip", "long"),
        "sleeves": ("long", "long", "elbow"),
        "neckline": ("round", "v", "turtle", "hood", "hood"),
        "waist": ("none",),
        "closure": ("none", "none", "zip"),
        "pockets": ("none", "none", "kangaroo"),
        "trim": ("none", "none", "contrast"),
        "material": ("knit", "knit", "cable knit", "jersey"),
        "pattern": (
            "plain",
            "plain",
            "plain",
            "stripes",
            "stripes",
            "zigzag",
            "argyle",
            "chest stripe",
            "color block",
            "graphic",
        ),
    },
    "trousers": {
        "cut": ("skinny", "slim", "straight", "wide", "flared", "tapered"),
        "length": ("cropped", "full", "full"),
        "sleeves": ("none",),
        "neckline": ("none",),
        "waist": ("waistband", "waistband", "elastic", "belt"),
        "closure": ("fly",),
        "pockets": ("slanted", "slanted", "cargo", "none"),
        "trim": ("none", "none", "turn-up", "side stripe", "crease"),
        "material": ("denim", "denim", "cotton", "linen", "wool", "corduroy", "leather"),
        "pattern": (
            "plain",
            "plain",
            "plain",
            "plain",
            "vertical stripes",
            "windowpane",
            "tartan",
            "gingham",
            "florals",
            "camouflage",
        ),
    },
    "shorts": {
        "cut": ("slim", "straight", "wide"),
        "length": ("mini", "knee", "bermuda"),
        "sleeves": ("none",),
        "neckline": ("none",),
        "waist": ("waistband", "elastic", "belt", "tie"),
        "closure": ("fly",),
        "pockets": ("slanted", "cargo", "none"),
        "trim": ("none", "none", "turn-up", "side stripe", "contrast"),
        "material": ("denim", "cotton", "cotton", "linen", "jersey"),
        "pattern": (
            "plain",
            "plain",
            "plain",
            "vertical stripes",
            "gingham",
            "windowpane",
            "florals",
            "leaves",
            "camouflage",
            "geometric",
            "dots",
        ),
    },
    "jacket": {
        "cut": ("fitted", "regular", "oversized"),
        "length": ("cropped", "hip", "hip"),
        "sleeves": ("long",),
        "neckline": ("lapel", "collar", "bomber", "hood", "biker"),
        "waist": ("none", "none", "belt"),
        "closure": ("buttons", "zip", "zip"),
        "pockets": ("none", "two flaps", "patch", "slanted"),
        "trim": ("none", "none", "contrast"),
        "material": ("denim", "leather", "cotton", "wool", "corduroy", "quilt"),
        "pattern": ("plain", "plain", "plain", "plain", "windowpane", "tartan", "camouflage", "color block"),
    },
    "coat": {
        "cut": ("fitted", "straight", "oversized", "a-line"),
        "length": ("thigh", "knee", "midi"),
        "sleeves": ("long",),
        "neckline": ("lapel", "lapel", "collar", "turtle", "hood"),
        "waist": ("none", "none", "belt", "tie"),
        "closure": ("buttons", "double", "zip"),
        "pockets": ("two flaps", "patch", "slanted"),
        "trim": ("none", "none", "contrast"),
        "material": ("wool", "wool", "cotton", "quilt", "leather", "corduroy"),
        "pattern": ("plain", "plain", "plain", "windowpane", "tartan", "houndstooth", "color block"),
    },
}

CATEGORIES: tuple[str, ...] = tuple(CHOICES)
"""All categories, in a fixed order."""
