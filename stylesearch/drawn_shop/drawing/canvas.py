"""An image while it is drawn, with a mask of where the product can still be seen in it."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from stylesearch.drawn_shop.drawing.curves import Points, move
from stylesearch.drawn_shop.drawing.palette import Color

__all__ = ["Canvas", "Sketch"]

_OVERSAMPLED = 3


class Canvas:
    """An image that is painted from back to front.

    Args:
        image: the background, RGB.

    Attributes:
        image: RGBX, the fourth channel without a meaning: layers come as RGBX, so they need no conversion.
        wanted: L, 255 where the wanted garment is the topmost thing.
    """

    def __init__(self, image: Image.Image) -> None:
        self.image = image.convert("RGBX")
        self.wanted = Image.new("L", image.size, 0)

    def lay(
        self,
        layer: Image.Image,
        corner: tuple[int, int],
        *,
        wanted: bool = False,
        shadow: float = 0.0,
        spread: float = 4.0,
    ) -> None:
        """Puts an RGBX layer on top; its fourth channel is its mask.

        Args:
            layer: the layer.
            corner: position of its top left corner.
            wanted: whether it belongs to the wanted garment; else it hides that.
            shadow: darkness of its soft shadow on the layers below, 0 to 1.
            spread: width of the shadow, pixels.
        """
        alpha = layer.getchannel("X")
        if shadow:
            self._cast(alpha, corner, shadow, spread)
        self.image.paste(layer, corner, alpha)
        self.wanted.paste(255 if wanted else 0, corner, alpha)

    def _cast(self, alpha: Image.Image, corner: tuple[int, int], shadow: float, spread: float) -> None:
        pad = int(2 * spread) + 1
        size = (alpha.width + 2 * pad, alpha.height + 2 * pad)
        wide = Image.new("L", size, 0)
        wide.paste(alpha, (pad + round(0.35 * spread), pad + round(0.5 * spread)))
        coarse = 2 if spread > 2.5 else 1
        soft = (
            wide.reduce(coarse)
            .filter(ImageFilter.BoxBlur(spread / coarse))
            .point(_scale_table(round(100 * shadow)))
        )
        if coarse > 1:
            soft = soft.resize(size, Image.Resampling.BILINEAR)
        self.image.paste((24, 20, 24, 255), (corner[0] - pad, corner[1] - pad), soft)

    def fill(self, points: Points, color: Color, *, relief: float = 0.0, shadow: float = 0.0) -> None:
        """Fills a shape with smooth edges; see ``Sketch`` for several shapes."""
        sketch = Sketch(points, self.image.size, color)
        sketch.fill(points, color)
        sketch.lay_on(self, relief=relief, shadow=shadow)

    def veil(self, points: Points, color: Color, share: float, blur: float) -> None:
        """Fills a half transparent shape with soft edges, for shadows on the ground and light."""
        low, high = points.min(axis=0) - 2 * blur, points.max(axis=0) + 2 * blur
        x0, y0 = int(low[0]), int(low[1])
        size = (max(2, int(high[0]) - x0), max(2, int(high[1]) - y0))
        small = Image.new("L", (size[0] // 2 + 1, size[1] // 2 + 1), 0)
        ImageDraw.Draw(small).polygon(
            ((move(points, -x0, -y0)) / 2).ravel().tolist(), fill=round(255 * share)
        )
        mask = small.filter(ImageFilter.BoxBlur(max(0.5, blur / 2))).resize(size, Image.Resampling.BILINEAR)
        self.image.paste((*color, 255), (x0, y0), mask)


class Sketch:
    """A small, fine drawing of several shapes, which is put on a canvas as one layer.

    Args:
        reach: points that enclose everything to be drawn, pixels of the canvas.
        size: width and height of the canvas.
        ground: the color that thin edges fade to.
    """

    def __init__(self, reach: Points, size: tuple[int, int], ground: Color, *, pad: float = 2.0) -> None:
        low = np.maximum(np.floor(reach.min(axis=0) - pad), (-40, -40)).astype(int)
        high = np.minimum(np.ceil(reach.max(axis=0) + pad), (size[0] + 40, size[1] + 40)).astype(int)
        self._corner = (int(low[0]), int(low[1]))
        self._size = (int(high[0] - low[0]), int(high[1] - low[1]))
        self.seen = min(self._size) >= 1
        fine = (max(1, self._size[0]) * _OVERSAMPLED, max(1, self._size[1]) * _OVERSAMPLED)
        self._image = Image.new("RGBX", fine, (*ground, 0))
        self._draw = ImageDraw.Draw(self._image)

    def _fine(self, points: Points) -> list[float]:
        pixels: list[float] = ((points - self._corner) * _OVERSAMPLED).ravel().tolist()
        return pixels

    def fill(self, points: Points, color: Color) -> None:
        """A filled outline."""
        self._draw.polygon(self._fine(points), fill=(*color, 255))

    def line(self, points: Points, width: float, color: Color) -> None:
        """A line ``width`` pixels thick."""
        self._draw.line(
            self._fine(points), fill=(*color, 255), width=max(1, round(width * _OVERSAMPLED)), joint="curve"
        )

    def lay_on(
        self,
        canvas: Canvas,
        *,
        relief: float = 0.0,
        amount: float = 0.55,
        shadow: float = 0.0,
        spread: float = 4.0,
    ) -> None:
        """Puts the drawing on a canvas.

        Args:
            canvas: the canvas.
            relief: pixels from the edge over which it looks round, 0 for flat.
            amount: strength of the relief.
            shadow, spread: as for ``Canvas.lay``.
        """
        if not self.seen:
            return
        layer = self._image.reduce(_OVERSAMPLED)
        if relief:
            layer = _shade_edges(layer, relief, amount)
        canvas.lay(layer, self._corner, shadow=shadow, spread=spread)


@functools.cache
def _scale_table(percent: int) -> list[int]:
    """Makes a table for ``Image.point``: each value times ``percent`` / 100."""
    return [value * percent // 100 for value in range(256)]


def _shade_edges(layer: Image.Image, reach: float, amount: float) -> Image.Image:
    """Shades a shape as if it bulged towards its middle, with light from the upper left."""
    soft = np.asarray(layer.getchannel("X").filter(ImageFilter.BoxBlur(reach)), dtype=np.float32) / 255.0
    step = max(1, round(0.5 * reach))
    light = np.zeros_like(soft)
    if soft.shape[1] > 2 * step:
        light[:, step:-step] += 0.8 * (soft[:, 2 * step :] - soft[:, : -2 * step])
        light[:, :step] += 0.8 * (soft[:, step : 2 * step] - 0)
        light[:, -step:] += 0.8 * (0 - soft[:, -2 * step : -step])
    if soft.shape[0] > 2 * step:
        light[step:-step] += 0.35 * (soft[2 * step :] - soft[: -2 * step])
    factor = 1.0 + amount * (light - 0.35 * (1.0 - soft))
    pixels = np.array(layer)
    pixels[:, :, :3] = np.clip(pixels[:, :, :3] * factor[:, :, None], 0, 255)
    return Image.frombuffer("RGBX", layer.size, pixels, "raw", "RGBX", 0, 1)
