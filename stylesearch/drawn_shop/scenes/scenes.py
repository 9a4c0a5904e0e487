"""Draws the background of a street photo: streets, rooms, parks, walls, shops, beaches.

A scene is drawn at half size and enlarged, so that it lies a little out of focus, as behind a person in a
photo.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageFilter

from stylesearch.drawn_shop.cloth.grain import grain
from stylesearch.drawn_shop.scenes import indoors, outdoors, streets
from stylesearch.drawn_shop.scenes.stage import Stage

__all__ = ["SCENES", "draw_scene"]


def draw_scene(
    kind: str, random: Random, size: tuple[int, int], floor: float, horizon: float, person: float
) -> Image.Image:
    """Draws a background.

    Args:
        kind: a key of ``SCENES``.
        random: source of all random choices.
        size: width and height in pixels.
        floor: y at which the floor ends, in pixels; outside the image for a close-up.
        horizon: y of the camera's height, in pixels.
        person: height of a person at the end of the floor, pixels.

    Returns:
        RGB, of ``size``.
    """
    half = (-(-size[0] // 2), -(-size[1] // 2))
    stage = Stage(half, floor / 2, horizon / 2, person / 2)
    SCENES[kind](stage, random)
    image = stage.image
    blur = random.choice((0.8, 1.0, 1.3, 1.8, 2.8)) if kind != "studio" else 0.8
    image = image.filter(ImageFilter.BoxBlur(blur * size[1] / 900))
    pixels = np.array(image, dtype=np.float32)
    i, j = random.randrange(180), random.randrange(180)
    blotches = Image.fromarray(grain()[i : i + 24, j : j + 18]).resize(half, Image.Resampling.BICUBIC)
    pixels *= (1.0 + 0.02 * np.asarray(blotches, dtype=np.float32))[:, :, None]
    lit = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return lit.resize(size, Image.Resampling.BILINEAR)


SCENES: dict[str, Callable[[Stage, Random], None]] = {
    "street": streets.street,
    "park": outdoors.park,
    "room": indoors.room,
    "shop": indoors.shop,
    "wall": outdoors.wall,
    "beach": outdoors.beach,
    "studio": indoors.studio,
    "night": outdoors.night,
}
"""Every kind of background."""
