"""The cloth of a garment: pattern, weave, colors, gloss and stiffness."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesearch.drawn_shop.cloth.grain import grain
from stylesearch.drawn_shop.cloth.patterns import draw_pattern
from stylesearch.drawn_shop.cloth.tiles import Dyes
from stylesearch.drawn_shop.drawing.palette import COLORS, Color, jitter_color, mix, relight
from stylesearch.drawn_shop.wardrobe import GarmentSpec

__all__ = ["Cloth", "cloth_of"]

_SIZES = {"fine": 0.62, "medium": 1.0, "bold": 1.7}


@dataclass(frozen=True, slots=True)
class Cloth:
    """The cloth of a garment.

    Attributes:
        pattern, material: as in the spec.
        size: scale factor of the motifs, 1 for medium.
        base, figure, accent: colors of the ground, of what is on it, and a third one between.
        trim: color of bands, collars, cuffs in contrast.
        gloss: 0 (wool) to 1 (leather).
        body: 0 (hangs in many soft folds) to 1 (stands by itself).
        seed: decides where motifs lie.
    """

    pattern: str
    material: str
    size: float
    base: Color
    figure: Color
    accent: Color
    trim: Color
    gloss: float
    body: float
    seed: int

    def tile(self, scale: float) -> Image.Image:
        """Draws a repeating square of the cloth, RGB, at ``scale`` pixels a centimetre, with hard edges."""
        dyes = Dyes(self.base, self.figure, self.accent)
        image = draw_pattern(self.pattern, dyes, self.size, scale, self.seed)
        pixels = np.asarray(image, dtype=np.float32) * _weave(self.material, image.width, scale)[:, :, None]
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def cloth_of(spec: GarmentSpec) -> Cloth:
    """Makes the cloth of a garment; specs with the same seed and color names have the same dyes."""
    base = jitter_color(COLORS[spec.color], Random(f"dye/{spec.seed}/{spec.color}"))
    figure = jitter_color(COLORS[spec.second], Random(f"dye/{spec.seed}/{spec.second}"))
    third = Random(f"accent/{spec.seed}").choice(list(COLORS.values()))
    gloss = {"leather": 1.0, "satin": 0.8, "quilt": 0.35}.get(spec.material, 0.0)
    body = {
        "leather": 0.8,
        "denim": 0.7,
        "wool": 0.75,
        "corduroy": 0.7,
        "quilt": 0.9,
        "knit": 0.5,
        "cable knit": 0.6,
        "linen": 0.5,
        "cotton": 0.4,
        "jersey": 0.25,
        "satin": 0.1,
    }[spec.material]
    trimmed = spec.trim in ("contrast", "side stripe", "raglan")
    return Cloth(
        pattern=spec.pattern,
        material=spec.material,
        size=_SIZES[spec.scale],
        base=base,
        figure=figure,
        accent=mix(third, base, 0.25),
        trim=figure if trimmed else relight(base, 0.93),
        gloss=gloss,
        body=body,
        seed=spec.seed,
    )


def _weave(material: str, side: int, scale: float) -> npt.NDArray[np.float32]:
    """Computes brightness factors of the threads, float32 of shape (side, side), about 1."""
    turn = 2 * np.pi * np.arange(side) / side
    x, y = turn[None, :], turn[:, None]
    noise = np.resize(grain(), (side, side)).astype(np.float64)

    def threads(centimetres: float, least: float) -> int:
        """Number of threads across, none thinner than ``least`` pixels; whole, so that no seam shows."""
        return max(4, round(side / max(least, centimetres * scale)))

    if material == "denim":
        relief = 0.035 * np.sin(threads(0.28, 3.0) * (x + y)) + 0.05 * noise
    elif material == "corduroy":
        relief = 0.16 * np.sin(threads(0.5, 4.0) * x) + 0.02 * noise
    elif material in ("knit", "cable knit"):
        ribs = threads(0.42, 4.0)
        relief = 0.075 * np.sin(ribs * x) * (0.7 + 0.3 * np.sin(ribs * y + ribs // 2 * x)) + 0.02 * noise
    elif material == "linen":
        lines = noise.mean(axis=0, keepdims=True) + noise.mean(axis=1, keepdims=True)
        relief = 0.28 * lines + 0.025 * noise
    else:
        relief = (0.055 if material == "wool" else 0.012) * noise
    return (1.0 + relief).astype(np.float32)
