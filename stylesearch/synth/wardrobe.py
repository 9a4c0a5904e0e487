"""What garments there are: the attributes of each category and the values each may take.

A value listed twice is drawn twice as often. Everything a garment's looks depend on is in a
:class:`GarmentSpec`, so two specs that differ in one field are two garments that differ in one detail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from random import Random

from stylesearch.synth.palette import COLOURS, lightness

__all__ = ["ATTRIBUTES", "CATEGORIES", "GarmentSpec", "draw_spec", "is_possible", "varied"]


@dataclass(frozen=True, slots=True)
class GarmentSpec:
    """A garment, described in words.

    Attributes:
        category: one of :data:`CATEGORIES`.
        cut, length, sleeves, neckline, waist, closure, pockets, trim: its shape and details.
        material: what it is made of.
        pattern, scale: what is on the cloth, and how large ("fine", "medium", "bold").
        colour, second: names in :data:`stylesearch.synth.palette.COLOURS`; ``second`` is of the pattern and trim.
        seed: decides everything too small for a word: where each flower lies, the exact dye.
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
    colour: str
    second: str
    seed: int


ATTRIBUTES: tuple[str, ...] = tuple(
    field.name for field in fields(GarmentSpec) if field.name not in ("category", "seed")
)
"""The fields of a spec that a customer could name."""

_ALLOVER = (
    *("plain",) * 5, "stripes", "stripes", "vertical stripes", "gingham", "tartan", "dots", "dots", "florals",
    "florals", "leaves", "leopard", "zigzag", "brush strokes", "geometric",
)  # fmt: skip
_SCALES = ("fine", "medium", "bold")
_DENIM = ("denim blue", "light denim", "dark denim", "black", "white", "denim blue")

_CHOICES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
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
        "pattern": (*_ALLOVER, "border", "colour block"),
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
        "pattern": ("plain", "plain", "plain", "graphic", "graphic", "graphic", "graphic", "graphic", "stripes",
                    "stripes", "chest stripe", "colour block", "tie-dye", "dots"),
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
        "pattern": ("plain", "plain", "plain", "vertical stripes", "vertical stripes", "gingham", "tartan",
                    "tartan", "windowpane", "dots", "florals", "leaves"),
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
        "pattern": ("plain", "plain", "plain", "stripes", "stripes", "zigzag", "argyle", "chest stripe",
                    "colour block", "graphic"),
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
        "pattern": ("plain", "plain", "plain", "plain", "vertical stripes", "windowpane", "tartan", "gingham",
                    "florals", "camouflage"),
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
        "pattern": ("plain", "plain", "plain", "vertical stripes", "gingham", "windowpane", "florals", "leaves",
                    "camouflage", "geometric", "dots"),
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
        "pattern": ("plain", "plain", "plain", "plain", "windowpane", "tartan", "camouflage", "colour block"),
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
        "pattern": ("plain", "plain", "plain", "windowpane", "tartan", "houndstooth", "colour block"),
    },
}  # fmt: skip

CATEGORIES: tuple[str, ...] = tuple(_CHOICES)
"""All categories, in a fixed order."""


def is_possible(spec: GarmentSpec) -> bool:
    """Whether such a garment can be sewn, and whether each word of it would be seen."""
    no_collar_there = spec.sleeves == "straps" and spec.neckline in (
        "collar",
        "band",
        "turtle",
        "boat",
        "bow",
    )
    buttons_over_it = spec.closure == "buttons" and (
        spec.neckline in ("turtle", "boat", "bow", "bomber", "biker") or spec.pattern == "graphic"
    )
    zip_over_it = spec.closure == "zip" and (
        spec.neckline == "lapel" or spec.pattern in ("graphic", "argyle") or "cable" in spec.material
    )
    double_over_it = spec.closure == "double" and spec.neckline not in ("lapel", "collar")
    drawn_on_plain = spec.material in ("leather", "denim", "quilt", "corduroy", "cable knit")
    knitted = spec.material in ("knit", "cable knit")
    hooded = spec.neckline == "hood" and (spec.pockets == "chest" or spec.material == "cable knit")
    kangaroo = spec.pockets == "kangaroo" and (spec.material != "jersey" or spec.length == "cropped")
    too_small = (
        spec.length == "cropped" and spec.pockets in ("two flaps", "patch") and spec.category != "jacket"
    )
    ruffled = spec.trim == "ruffle" and spec.cut in ("tiered", "pleated", "peplum")
    slit = spec.trim == "slit" and spec.cut in ("tiered", "pleated", "flared")
    pleated = spec.cut in ("pleated", "tiered") and (
        spec.closure == "buttons"
        or spec.pockets != "none"
        or spec.material in ("denim", "leather", "corduroy")
    )
    waisted = spec.cut == "shift" and spec.waist in ("seam", "elastic")
    turned_up = spec.trim == "turn-up" and spec.cut in ("flared", "skinny")
    raglan = spec.trim == "raglan" and spec.pattern not in ("plain", "graphic")
    quilted = spec.material == "quilt" and spec.neckline in ("lapel", "biker")
    contrast = spec.trim == "contrast" and spec.pattern in ("border", "colour block", "tie-dye", "tartan")
    pattern_on = drawn_on_plain and spec.pattern != "plain"
    dotted_knit = knitted and spec.pattern in (
        "brush strokes",
        "leaves",
        "florals",
        "geometric",
        "gingham",
        "tartan",
    )
    on_pocket = spec.pockets == "chest" and spec.pattern in ("graphic", "chest stripe")
    unseen_second = _is_single_coloured(spec) and spec.second != "white"
    unseen_scale = not _has_scale(spec) and spec.scale != "medium"
    too_close = not _is_single_coloured(spec) and not _contrasts(spec.colour, spec.second)
    return not any(
        (no_collar_there, buttons_over_it, zip_over_it, double_over_it, pattern_on, hooded, kangaroo, too_small,
         ruffled, slit, pleated, waisted, turned_up, raglan, quilted, contrast, dotted_knit, on_pocket,
         unseen_second, unseen_scale, too_close)
    )  # fmt: skip


def _is_single_coloured(spec: GarmentSpec) -> bool:
    return spec.pattern == "plain" and spec.trim not in ("contrast", "side stripe", "raglan")


def _has_scale(spec: GarmentSpec) -> bool:
    return spec.pattern not in ("plain", "border", "colour block", "chest stripe", "tie-dye")


def _contrasts(first: str, second: str) -> bool:
    a, b = COLOURS[first], COLOURS[second]
    apart = sum(abs(x - y) for x, y in zip(a, b, strict=True))
    return apart > 170 and abs(lightness(a) - lightness(b)) > 0.12


def _values(category: str, attribute: str, material: str) -> tuple[str, ...]:
    if attribute in ("colour", "second"):
        return _DENIM if material == "denim" and attribute == "colour" else tuple(COLOURS)
    if attribute == "scale":
        return _SCALES
    return _CHOICES[category][attribute]


def draw_spec(category: str, random: Random) -> GarmentSpec:
    """A garment of ``category`` at random; :func:`is_possible` holds for it."""
    while True:
        chosen = {name: random.choice(values) for name, values in _CHOICES[category].items()}
        for name in ("scale", "colour", "second"):
            chosen[name] = random.choice(_values(category, name, chosen["material"]))
        spec = GarmentSpec(category=category, seed=random.getrandbits(32), **chosen)
        spec = _without_the_unseen(spec)
        if is_possible(spec):
            return spec


def varied(spec: GarmentSpec, random: Random) -> tuple[GarmentSpec, str]:
    """``spec`` with one attribute changed, and the name of that attribute."""
    while True:
        name = random.choice(ATTRIBUTES)
        value = random.choice(_values(spec.category, name, spec.material))
        if value == getattr(spec, name):
            continue
        changed = _replaced(spec, name, value)
        if is_possible(changed):
            return changed, name


def _without_the_unseen(spec: GarmentSpec) -> GarmentSpec:
    if _is_single_coloured(spec):
        spec = _replaced(spec, "second", "white")
    return spec if _has_scale(spec) else _replaced(spec, "scale", "medium")


def _replaced(spec: GarmentSpec, name: str, value: str) -> GarmentSpec:
    values = {field.name: getattr(spec, field.name) for field in fields(GarmentSpec)}
    return GarmentSpec(**{**values, name: value})
