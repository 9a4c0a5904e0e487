"""Strips of cloth, drawn flat in centimetres, and bending them onto a body.

Every piece of a garment (the body of a dress, a sleeve, a leg) is drawn once, flat. To wear it, the strip is
bent along a ``Spine``: a curve in the image with a direction across and a width at each height of the
strip. What was drawn on the strip (stripes, buttons, a collar) goes along.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesearch.drawn_shop.drawing.curves import Points, move

__all__ = ["Spine", "Strip", "warp_strip"]

_Numbers = npt.NDArray[np.float64]
_MESH = 18
"""Side of the mesh's cells in pixels: within one, the bend counts as straight."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Cloth cut and drawn.

    Attributes:
        image: RGBX, with the share of cloth as the fourth channel. (RGBA would be multiplied out and back at
            every step; here all colors are cloth, also where it has been cut away.)
        left, top: centimetres of the image's corner.
        scale: pixels for a centimetre.
    """

    image: Image.Image
    left: float
    top: float
    scale: float


@dataclass(frozen=True, slots=True)
class Spine:
    """The curve along which a strip lies in an image.

    Attributes:
        height: heights on the strip in centimetres, increasing, shape (k,).
        centre: places of those heights in the image, pixels, shape (k, 2).
        across: one centimetre to the right on the strip there, in pixels, shape (k, 2).
        middle: centimetres on the strip that lie on ``centre``, shape (k,).
        half: half the strip's width, centimetres, shape (k,), where ``turn`` moves nothing.
        turn: turn of the wearer, -1 to 1: the middle moves sideways, the edges stay.
    """

    height: _Numbers
    centre: Points
    across: Points
    middle: _Numbers
    half: _Numbers
    turn: float = 0.0

    def place(self, points: Points) -> Points:
        """Converts points on the strip (centimetres, shape (n, 2)) to pixels."""
        height = points[:, 1]
        centre, across = _at(self.height, self.centre, height), _at(self.height, self.across, height)
        from_middle = points[:, 0] - np.interp(height, self.height, self.middle)
        half = np.interp(height, self.height, self.half)
        share = np.clip(from_middle / half, -1, 1)
        return centre + across * (from_middle + half * self.turn * 0.3 * (1 - share**2))[:, None]

    def locate(self, points: Points) -> Points:
        """Converts points in the image (pixels, shape (n, 2)) to centimetres on it; inverse of ``place``.

        Where the strip is bent so far that a point is on it twice, the place nearer to the middle counts.
        """
        down = np.column_stack([-self.across[:, 1], self.across[:, 0]])
        down /= np.maximum(np.hypot(*down.T), 1e-9)[:, None]
        # a mirrored strip's normals point the other way; "down" is where the strip leads
        down *= np.sign((down * np.gradient(self.centre, axis=0)).sum(axis=1))[:, None]
        below = points @ down.T - (self.centre * down).sum(axis=1)
        beside = np.abs(points @ self.across.T - (self.centre * self.across).sum(axis=1))
        crossed = (below[:, :-1] >= 0) & (below[:, 1:] < 0)
        cost = np.where(crossed, beside[:, :-1], np.inf)
        above_all = (below[:, 0] < 0) & ~crossed.any(axis=1)
        index = np.where(crossed.any(axis=1), cost.argmin(axis=1), len(self.height) - 2)
        index[above_all] = 0
        row = np.arange(len(points))
        start, end = below[row, index], below[row, index + 1]
        share = start / np.where(np.abs(start - end) < 1e-9, 1e-9, start - end)
        share = np.clip(share, -20.0, 20.0)
        height = self.height[index] + share * (self.height[index + 1] - self.height[index])
        inner = np.clip(share, 0.0, 1.0)[:, None]
        centre = self.centre[index] + share[:, None] * (self.centre[index + 1] - self.centre[index])
        across = self.across[index] * (1 - inner) + self.across[index + 1] * inner
        from_middle = ((points - centre) * across).sum(axis=1) / np.maximum((across**2).sum(axis=1), 1e-9)
        half = np.interp(height, self.height, self.half)
        shifted = np.clip(from_middle / half, -1, 1)
        from_middle = from_middle - half * self.turn * 0.3 * (1 - shifted**2)
        return np.column_stack([from_middle + np.interp(height, self.height, self.middle), height])


def _at(knots: _Numbers, values: Points, wanted: _Numbers) -> Points:
    return np.column_stack([np.interp(wanted, knots, values[:, 0]), np.interp(wanted, knots, values[:, 1])])


def warp_strip(
    strip: Strip, spine: Spine, size: tuple[int, int], reach: Points
) -> tuple[Image.Image, tuple[int, int]] | None:
    """Bends a strip along a spine, as it lies in an image.

    Args:
        strip: the strip.
        spine: the curve that it follows.
        size: width and height of the image; what lies outside is left out.
        reach: an outline on the strip in centimetres that encloses all of it.

    Returns:
        An RGBX image and the position of its top left corner; None where nothing of it would be seen.
    """
    placed = spine.place(reach)
    x0, y0 = np.maximum(np.floor(placed.min(axis=0)).astype(int) - 3, 0)
    x1, y1 = np.minimum(np.ceil(placed.max(axis=0)).astype(int) + 3, size)
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    columns = np.append(np.arange(x0, x1, _MESH), x1)
    rows = np.append(np.arange(y0, y1, _MESH), y1)
    grid_x, grid_y = np.meshgrid(columns, rows)
    source = spine.locate(np.column_stack([grid_x.ravel(), grid_y.ravel()]).astype(np.float64))
    source = (move(source, -strip.left, -strip.top) * strip.scale).reshape(len(rows), len(columns), 2)
    corners = np.concatenate([source[:-1, :-1], source[1:, :-1], source[1:, 1:], source[:-1, 1:]], axis=2)
    quads = corners.reshape(*corners.shape[:2], 4, 2)
    low, high = quads.min(axis=2), quads.max(axis=2)
    seen = _has_cloth(strip.image, low, high)
    left, up = (columns - x0).tolist(), (rows - y0).tolist()
    mesh = [
        ((left[j], up[i], left[j + 1], up[i + 1]), corners[i, j].tolist())
        for i, j in np.argwhere(seen).tolist()
    ]
    if not mesh:
        return None
    image = strip.image.transform(
        (int(x1 - x0), int(y1 - y0)), Image.Transform.MESH, mesh, resample=Image.Resampling.BILINEAR
    )
    return image, (int(x0), int(y0))


def _has_cloth(image: Image.Image, low: Points, high: Points) -> npt.NDArray[np.bool_]:
    """Whether any cloth lies between ``low`` and ``high`` (pixels of the strip, shape (rows, columns, 2))."""
    coarse = 8
    there = np.asarray(image.getchannel("X").reduce(coarse)) > 0
    counts = np.zeros((there.shape[0] + 1, there.shape[1] + 1), dtype=np.int64)
    counts[1:, 1:] = there.cumsum(axis=0).cumsum(axis=1)
    first = np.floor((low - 1) / coarse).astype(int)
    last = np.ceil((high + 1) / coarse).astype(int)
    x0, x1 = (np.clip(edge[..., 0], 0, there.shape[1]) for edge in (first, last))
    y0, y1 = (np.clip(edge[..., 1], 0, there.shape[0]) for edge in (first, last))
    inside: npt.NDArray[np.bool_] = counts[y1, x1] - counts[y0, x1] - counts[y1, x0] + counts[y0, x0] > 0
    return inside
