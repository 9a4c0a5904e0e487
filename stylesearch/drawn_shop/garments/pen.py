"""Draws on a strip of cloth, in centimetres: its outline, colors, seams, and the shade of folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from stylesearch.drawn_shop.cloth.textures import Cloth
from stylesearch.drawn_shop.drawing.curves import Points, between, ellipse, move, polyline, spline
from stylesearch.drawn_shop.drawing.palette import Color, lightness, relight
from stylesearch.drawn_shop.garments.strips import Strip

__all__ = ["Pen", "Shade"]

_OVERSAMPLED = 2
_NEUTRAL = 128


@dataclass(frozen=True, slots=True)
class Shade:
    """Light on a strip, on a coarse grid.

    Attributes:
        relief: brightness to add, about 0, float32 of shape (h, w); it is stretched over the whole strip.
        gloss: how much bright parts turn white, 0 to 1.
    """

    relief: npt.NDArray[np.float32]
    gloss: float


class Pen:
    """Draws on a strip of cloth.

    Args:
        cloth: cloth of the strip.
        bounds: left, top, right, bottom in centimetres; the strip's own axes, y down along it.
        scale: pixels for a centimetre of the finished strip.
        slip: where the cloth's pattern begins, in centimetres.
    """

    def __init__(
        self,
        cloth: Cloth,
        bounds: tuple[float, float, float, float],
        scale: float,
        tile: Image.Image,
        slip: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.cloth = cloth
        self.bounds = bounds
        self.scale = scale
        self._fine = scale * _OVERSAMPLED
        width = max(2, round((bounds[2] - bounds[0]) * scale))
        height = max(2, round((bounds[3] - bounds[1]) * scale))
        self._size = (width, height)
        fine_size = (width * _OVERSAMPLED, height * _OVERSAMPLED)
        # the pattern begins at the strip's origin, so that a striped dress has the same stripes at any scale
        start_x = round((-bounds[0] + slip[0]) * self._fine) % tile.width
        start_y = round((-bounds[1] + slip[1]) * self._fine) % tile.height
        pixels = np.asarray(tile)
        rolled = np.roll(pixels, (start_y, start_x), axis=(0, 1))
        reps = (-(-fine_size[1] // tile.height), -(-fine_size[0] // tile.width), 1)
        filled = np.tile(rolled, reps)[: fine_size[1], : fine_size[0]]
        self._color = Image.fromarray(np.ascontiguousarray(filled))
        self._alpha = Image.new("L", fine_size, 0)
        self._shade = Image.new("L", self._size, _NEUTRAL)
        self._on_color = ImageDraw.Draw(self._color)
        self._on_alpha = ImageDraw.Draw(self._alpha)
        self._on_shade = ImageDraw.Draw(self._shade)

    def _fine_pixels(self, points: Points) -> list[float]:
        pixels: list[float] = ((points - self.bounds[:2]) * self._fine).ravel().tolist()
        return pixels

    def _pixels(self, points: Points) -> list[float]:
        pixels: list[float] = ((points - self.bounds[:2]) * self.scale).ravel().tolist()
        return pixels

    def cut(self, points: Points) -> None:
        """Adds cloth within an outline."""
        self._on_alpha.polygon(self._fine_pixels(points), fill=255)

    def cut_away(self, points: Points) -> None:
        """Removes cloth within an outline."""
        self._on_alpha.polygon(self._fine_pixels(points), fill=0)

    def fill(self, points: Points, color: Color) -> None:
        """Colors the cloth within an outline."""
        self._on_color.polygon(self._fine_pixels(points), fill=color)

    def piece(self, points: Points, color: Color | None = None, *, lifted: float = 0.0) -> None:
        """Draws a separate piece of cloth on top (a collar, a pocket): edge, shadow, and color if given."""
        if lifted:
            self.shadow(move(points, 0.0, lifted), 0.72)
            self._on_shade.polygon(self._pixels(points), fill=_NEUTRAL + 5)
        if color is not None:
            self.fill(points, color)
        self.seam(np.vstack([points, points[:1]]), strength=0.75)

    def line(self, points: Points, width: float, color: Color) -> None:
        """Draws a line ``width`` centimetres thick, never thinner than the strip can show."""
        thick = max(1, round(width * self._fine))
        self._on_color.line(self._fine_pixels(points), fill=color, width=thick, joint="curve")

    def seam(self, points: Points, *, strength: float = 0.7, width: float = 0.22) -> None:
        """Draws a thin dark line where two pieces of cloth meet; lower ``strength`` is darker."""
        factor = max(0.0, min(1.0, strength))
        self.line(
            points,
            width,
            relight(self.cloth.base, factor if lightness(self.cloth.base) > 0.18 else 2.0 - factor * 1.1),
        )

    def stitches(self, points: Points, color: Color | None = None) -> None:
        """Draws a dashed line of thread."""
        thread = color or self._thread()
        curve = spline(points, samples=6) if len(points) > 2 else spline(points, samples=40)
        length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(curve, axis=0).T))])
        dashes = np.arange(0.0, length[-1] - 0.3, 0.85)
        thick = max(1, round(0.12 * self._fine))
        for start in dashes:
            ends = np.array([start, start + 0.55])
            dash = np.column_stack(
                [np.interp(ends, length, curve[:, 0]), np.interp(ends, length, curve[:, 1])]
            )
            self._on_color.line(self._fine_pixels(dash), fill=thread, width=thick)

    def _thread(self) -> Color:
        if self.cloth.material == "denim":
            return (208, 160, 92) if lightness(self.cloth.base) < 0.6 else (176, 128, 70)
        return (
            relight(self.cloth.base, 0.8)
            if lightness(self.cloth.base) > 0.2
            else relight(self.cloth.base, 1.9)
        )

    def band(self, curve: Points, width: float, color: Color) -> None:
        """Draws a ribbon of cloth along a curve."""
        self.fill(between(curve, width / 2), color)

    def shadow(self, points: Points, factor: float) -> None:
        """Makes the cloth within an outline darker (factor below 1) or lighter, with soft edges."""
        self._on_shade.polygon(self._pixels(points), fill=max(0, min(255, round(_NEUTRAL * factor))))

    def crease(self, points: Points, width: float, factor: float) -> None:
        """Draws a soft line, darker or lighter."""
        value = max(0, min(255, round(_NEUTRAL * factor)))
        self._on_shade.line(
            self._pixels(points), fill=value, width=max(1, round(width * self.scale)), joint="curve"
        )

    def button(self, x: float, y: float, radius: float, color: Color) -> None:
        """Draws a round button with its shadow, rim and holes."""
        self.shadow(ellipse(x + 0.15, y + 0.45, radius * 1.25, radius * 1.25), 0.6)
        self.fill(ellipse(x, y, radius, radius, corners=16), relight(color, 0.72))
        self.fill(ellipse(x - 0.05, y - 0.08, radius * 0.84, radius * 0.84, corners=16), color)
        for dx in (-0.25, 0.25):
            self.fill(
                ellipse(x + dx * radius, y, radius * 0.13, radius * 0.13, corners=6), relight(color, 0.45)
            )

    def print_image(self, image: Image.Image, centre: tuple[float, float], width: float) -> None:
        """Prints an image (RGBA), ``width`` centimetres wide about ``centre``."""
        pixels = max(4, round(width * self._fine))
        scaled = image.resize(
            (pixels, max(4, round(pixels * image.height / image.width))), Image.Resampling.BILINEAR
        )
        x = round((centre[0] - self.bounds[0]) * self._fine - scaled.width / 2)
        y = round((centre[1] - self.bounds[1]) * self._fine - scaled.height / 2)
        self._color.paste(scaled, (x, y), scaled)

    def tint(self, points: Points, color: Color, share: float = 1.0) -> None:
        """Blends a color into what has been drawn, within an outline."""
        mask = Image.new("L", self._color.size, 0)
        ImageDraw.Draw(mask).polygon(self._fine_pixels(polyline(points)), fill=round(255 * share))
        self._color.paste(color, (0, 0), mask)

    def finish(self, shade: Shade) -> Strip:
        """Returns the drawn strip, with light and folds on it."""
        color = np.asarray(self._color.reduce(_OVERSAMPLED), dtype=np.float32)
        alpha = self._alpha.reduce(_OVERSAMPLED)
        soft = self._shade.filter(ImageFilter.BoxBlur(max(0.5, 0.22 * self.scale)))
        light = np.asarray(soft, dtype=np.float32) * (1.0 / _NEUTRAL)
        relief = Image.fromarray(shade.relief).resize(self._size, Image.Resampling.BILINEAR)
        light = light * (1.0 + np.asarray(relief))
        lit = color * light[:, :, None]
        if shade.gloss:
            shine = np.clip(light - 1.08, 0.0, 1.0) * (430.0 * shade.gloss)
            lit += shine[:, :, None]
        pixels = np.empty((*light.shape, 4), dtype=np.uint8)
        pixels[:, :, :3] = np.clip(lit, 0, 255)
        pixels[:, :, 3] = alpha
        return Strip(
            Image.frombuffer("RGBX", self._size, pixels, "raw", "RGBX", 0, 1),
            self.bounds[0],
            self.bounds[1],
            self.scale,
        )
