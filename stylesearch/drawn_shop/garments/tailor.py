"""Draws descriptions of garments at random, and others that differ from them in one attribute."""

from __future__ import annotations

from dataclasses import fields, replace
from random import Random

from stylesearch.drawn_shop.drawing.palette import COLORS, lightness
from stylesearch.drawn_shop.wardrobe import ATTRIBUTES, CHOICES, DENIM_COLORS, SCALES, GarmentSpec

__all__ = ["draw_spec", "is_possible", "is_single_colored", "vary_spec"]


_ALIKE = {"cotton", "jersey", "wool"}
"""Materials that a picture hardly tells apart: one instead of another makes no near-twin."""


def is_possible(spec: GarmentSpec) -> bool:
    """Whether such a garment can be sewn, with every attribute visible."""
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
    contrast = spec.trim == "contrast" and spec.pattern in ("border", "color block", "tie-dye", "tartan")
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
    unseen_second = is_single_colored(spec) and spec.second != "white"
    unseen_scale = not _has_scale(spec) and spec.scale != "medium"
    too_close = not is_single_colored(spec) and not _contrasts(spec.color, spec.second)
    return not any(
        (
            no_collar_there,
            buttons_over_it,
            zip_over_it,
            double_over_it,
            pattern_on,
            hooded,
            kangaroo,
            too_small,
            ruffled,
            slit,
            pleated,
            waisted,
            turned_up,
            raglan,
            quilted,
            contrast,
            dotted_knit,
            on_pocket,
            unseen_second,
            unseen_scale,
            too_close,
        )
    )


def is_single_colored(spec: GarmentSpec) -> bool:
    """Whether nothing of the second color is visible."""
    return spec.pattern == "plain" and spec.trim not in ("contrast", "side stripe", "raglan")


def _has_scale(spec: GarmentSpec) -> bool:
    return spec.pattern not in ("plain", "border", "color block", "chest stripe", "tie-dye")


def _contrasts(first: str, second: str) -> bool:
    a, b = COLORS[first], COLORS[second]
    apart = sum(abs(x - y) for x, y in zip(a, b, strict=True))
    return apart > 170 and abs(lightness(a) - lightness(b)) > 0.12


def _values(category: str, attribute: str, material: str) -> tuple[str, ...]:
    if attribute in ("color", "second"):
        return DENIM_COLORS if material == "denim" and attribute == "color" else tuple(COLORS)
    if attribute == "scale":
        return SCALES
    return CHOICES[category][attribute]


def draw_spec(category: str, random: Random) -> GarmentSpec:
    """Draws a garment of ``category`` at random; ``is_possible`` is true for it."""
    while True:
        chosen = {name: random.choice(values) for name, values in CHOICES[category].items()}
        for name in ("scale", "color", "second"):
            chosen[name] = random.choice(_values(category, name, chosen["material"]))
        spec = GarmentSpec(category=category, seed=random.getrandbits(32), **chosen)
        spec = _without_unseen_details(spec)
        if is_possible(spec):
            return spec


def vary_spec(spec: GarmentSpec, random: Random) -> tuple[GarmentSpec, str]:
    """Changes one attribute of a description, at random; returns that and the attribute's name."""
    while True:
        name = random.choice(ATTRIBUTES)
        value = random.choice(_values(spec.category, name, spec.material))
        if value == getattr(spec, name) or {value, getattr(spec, name)} <= _ALIKE:
            continue
        changed = _replace_value(spec, name, value)
        if is_possible(changed):
            return changed, name


def _replace_value(spec: GarmentSpec, name: str, value: str) -> GarmentSpec:
    values = {field.name: getattr(spec, field.name) for field in fields(spec)}
    return GarmentSpec(**{**values, name: value})


def _without_unseen_details(spec: GarmentSpec) -> GarmentSpec:
    if is_single_colored(spec):
        spec = replace(spec, second="white")
    return spec if _has_scale(spec) else replace(spec, scale="medium")
