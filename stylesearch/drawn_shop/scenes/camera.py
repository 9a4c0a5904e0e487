"""A phone's camera, and its effects on a scene: light, white balance, blur, noise, compression."""

from __future__ import annotations

import io
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from stylesearch.drawn_shop.cloth.grain import grain

__all__ = ["Camera", "draw_camera", "encode_jpeg", "expose"]


@dataclass(frozen=True, slots=True)
class Camera:
    """The settings and effects of a camera.

    Attributes:
        gains: factors of red, green, blue (exposure and white balance).
        contrast: factor of the contrast; 1 for no change.
        slope: how much brighter the left edge is than the right one, as a share; negative the other way.
        vignette: how much darker the corners are.
        blur: radius in pixels, 0 for sharp.
        shake: length of a smear in pixels, 0 for none.
        noise: standard deviation of the noise, 0 to 255.
        coarse: share of the resolution that is left.
        quality: quality of the JPEG file, 1 to 95.
        seed: decides the noise.
    """

    gains: tuple[float, float, float]
    contrast: float
    slope: float
    vignette: float
    blur: float
    shake: int
    noise: float
    coarse: float
    quality: int
    seed: int


def draw_camera(random: Random, *, dark: bool = False, hard: bool = False) -> Camera:
    """Draws a camera at random; ``dark`` for scenes at night, ``hard`` for a poor camera in bad light."""
    if hard:
        return _poor_camera(random, dark)
    exposure = random.gauss(0.72 if dark else 1.0, 0.11)
    warmth, green = random.gauss(0.04 if dark else 0.0, 0.055), random.gauss(0.0, 0.02)
    return Camera(
        gains=(exposure * (1 + warmth), exposure * (1 + green), exposure * (1 - warmth)),
        contrast=random.uniform(0.82, 1.15),
        slope=random.gauss(0.0, 0.14),
        vignette=random.choice((0.0, 0.1, 0.25)),
        blur=random.choice((0.0, 0.0, 0.0, 0.4, 0.7, 1.2)),
        shake=random.choice((0, 0, 0, 0, 0, 0, 3, 5)),
        noise=random.choice((0.0, 2.0, 4.0, 8.0)) * (1.6 if dark else 1.0),
        coarse=random.choice((1.0, 1.0, 1.0, 1.0, 0.6, 0.45)),
        quality=random.choice((92, 88, 84, 78, 70, 55, 40)),
        seed=random.getrandbits(30),
    )


def _poor_camera(random: Random, dark: bool) -> Camera:
    """Draws a poor camera: wrong colors, light from one side, and a third of the resolution."""
    exposure = random.gauss(0.72 if dark else 1.0, 0.2)
    warmth, green = random.gauss(0.0, 0.11), random.gauss(0.0, 0.035)
    return Camera(
        gains=(exposure * (1 + warmth), exposure * (1 + green), exposure * (1 - warmth)),
        contrast=random.uniform(0.55, 1.15),
        slope=random.gauss(0.0, 0.28),
        vignette=random.choice((0.1, 0.25, 0.4)),
        blur=random.choice((0.0, 0.4, 0.7, 1.2)),
        shake=random.choice((0, 0, 3, 5)),
        noise=random.choice((4.0, 6.0, 10.0)),
        coarse=random.choice((0.45, 0.35, 0.28)),
        quality=random.choice((75, 60, 45, 35)),
        seed=random.getrandbits(30),
    )


def expose(image: Image.Image, camera: Camera) -> Image.Image:
    """Applies the effects of a camera to a scene; the image keeps its size."""
    width, height = image.size
    if camera.coarse < 1:
        small = image.resize(
            (round(width * camera.coarse), round(height * camera.coarse)), Image.Resampling.BOX
        )
        image = small.resize((width, height), Image.Resampling.BILINEAR)
    if camera.blur:
        image = image.filter(ImageFilter.BoxBlur(camera.blur))
    if camera.shake:
        side = 5 if camera.shake > 3 else 3
        row = [1.0 / side if index // side == side // 2 else 0.0 for index in range(side * side)]
        image = image.filter(ImageFilter.Kernel((side, side), row))
    levels = (np.arange(256) - 118.0) * camera.contrast + 118.0
    curves = np.clip(levels[None, :] * np.array(camera.gains)[:, None], 0, 255)
    image = image.point(np.rint(curves).astype(int).ravel().tolist())
    across = 1.0 + camera.slope * (0.5 - np.linspace(0, 1, width, dtype=np.float32))
    x, y = np.linspace(-1, 1, width, dtype=np.float32) ** 2, np.linspace(-1, 1, height, dtype=np.float32) ** 2
    light = across[None, :] * (1.0 - 0.5 * camera.vignette * (x[None, :] + y[:, None]))
    pixels = np.multiply(np.asarray(image), light[:, :, None], dtype=np.float32)
    if camera.noise:
        pixels += (np.float32(camera.noise) * _noise(height, width, camera.seed))[:, :, None]
    return Image.fromarray(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8))


def _noise(height: int, width: int, seed: int) -> npt.NDArray[np.float32]:
    random = Random(seed)
    rolled = np.roll(grain(), (random.randrange(256), random.randrange(256)), axis=(0, 1))
    reps = (-(-height // 256), -(-width // 256))
    return np.tile(rolled, reps)[:height, :width]


def encode_jpeg(image: Image.Image, quality: int) -> bytes:
    """Encodes an image as a JPEG file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()
