"""Converts pixels of any kind (grey, palette, CMYK, 16 bit, transparent, other color spaces) to sRGB."""

from __future__ import annotations

import functools
import logging
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from stylesearch.images.structure.profile import is_quick_profile

__all__ = ["to_srgb"]

_logger = logging.getLogger("stylesearch.images")

_WHITE = (255, 255, 255)
_DEEP_MODES = ("I", "F")
_ALPHA_MODES = ("RGBA", "RGBa", "LA", "PA")
_NEARLY_THE_SAME = 2
"""Largest difference, of 255, below which a profile is taken for sRGB."""


def to_srgb(image: Image.Image, reduction: int = 1) -> Image.Image:
    """Converts the first frame of a decoded image to mode RGB.

    - Transparency, of whatever kind, lies over white.
    - 16 bit grey is scaled, not clipped: ``value / 257``, rounded. (16 bit RGB comes from Pillow as its high
      bytes.) 32 bit numbers have no agreed white: for integers it is 65535, for floats the smallest of
      1, 255 and 65535, that no value exceeds, or else the largest value. Below 0, and not a number, is black.
    - An embedded ICC profile that differs from sRGB is applied, also that of CMYK and grey pictures
      (relative colorimetric, black point compensated). A profile that is broken, slow to compute, or does
      not fit the pixels, is ignored. A color space told in any other way (EXIF, gAMA, nclx, HDR) is taken
      for sRGB.
    - CMYK without a profile: ``R = 255 * (1 - C) * (1 - K)`` and so on. JPEG files are taken to store CMYK
      inverted, as Adobe's programs do and every CMYK JPEG found in practice does.

    Args:
        image: a loaded image; not modified.
        reduction: whole number by which to divide width and height (means of blocks), 1 for none.

    Raises:
        ValueError: for a kind of pixel that Pillow cannot convert.
    """
    profile = image.info.get("icc_profile")
    plain = _eight_bit(image)
    if reduction > 1:
        plain = plain.reduce(reduction)
    alpha = plain.getchannel("A") if plain.mode == "RGBA" else None
    if alpha is not None:
        plain = plain.convert("RGB")
    rgb = _apply_profile(plain, profile if isinstance(profile, bytes) else b"")
    if alpha is None:
        return rgb
    shown = Image.new("RGB", rgb.size, _WHITE)
    shown.paste(rgb, mask=alpha)
    return shown


def _eight_bit(image: Image.Image) -> Image.Image:
    """Converts an image to mode L, RGB, RGBA or CMYK."""
    if image.mode.startswith(_DEEP_MODES):
        return _deep_grey(image)
    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in _ALPHA_MODES or "transparency" in image.info:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode == "P":
        # A palette may hold transparency of its own (mode RGBA).
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "LAB":
        lab_to_srgb = ImageCms.buildTransform(
            ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB"
        )
        converted = ImageCms.applyTransform(image, lab_to_srgb)
        assert converted is not None  # only an in-place transform returns None
        return converted
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _deep_grey(image: Image.Image) -> Image.Image:
    """Converts grey of more than 8 bits (modes I;16 and similar, I, F) to mode L; transparent is white."""
    values = np.asarray(image)
    grey: npt.NDArray[np.uint8]
    if image.mode.startswith("I;16"):
        # Round to nearest: 65535 / 255 is 257 exactly.
        grey = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    else:
        finite = np.where(np.isfinite(values), values, 0).astype(np.float64)
        largest = float(finite.max(initial=0.0))
        # Pillow gives 16 bit files of some kinds as 32 bit integers; a dark one must stay dark.
        whites: tuple[float, ...] = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
        white = next((w for w in whites if largest <= w), largest)
        grey = np.rint(np.clip(finite, 0.0, white) * (255.0 / white)).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey = np.where(values == transparent, np.uint8(255), grey)
    return Image.fromarray(grey)


def _apply_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """Converts an image of mode L, RGB or CMYK to sRGB, by its profile if that is usable."""
    transform = _transform_to_srgb(profile, image.mode) if is_quick_profile(profile) else None
    if transform is None:
        return image.convert("RGB")
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # only an in-place transform returns None
    return converted


@functools.lru_cache(maxsize=16)
def _transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Builds the transform from ``profile`` to sRGB; None where there is none or none is needed.

    Results are cached: shops use few profiles. Several threads may use one transform at once: without its
    cache of the last pixel it has no state.
    """
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOCACHE,
        )
        if mode == "CMYK":
            return transform
        probe = _probe_colors(mode)
        shown = ImageCms.applyTransform(probe, transform)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        _logger.debug("a color profile of %d bytes was ignored: %s", len(profile), error)
        return None
    difference = np.abs(np.asarray(shown, dtype=np.int16) - np.asarray(probe.convert("RGB"), dtype=np.int16))
    return transform if int(difference.max()) > _NEARLY_THE_SAME else None


def _probe_colors(mode: str) -> Image.Image:
    """Makes a small image with colors from the whole RGB cube (or all greys)."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1)
    return Image.fromarray(cube.reshape(27, 27, 3))
