"""Cloth: a square of fabric that repeats without a seam, with its pattern and its weave."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from stylesearch.synth.curves import Points, ellipse, spline
from stylesearch.synth.palette import COLOURS, Colour, jittered, lightness, mixed, shaded
from stylesearch.synth.wardrobe import GarmentSpec

__all__ = ["Cloth", "cloth_of", "grain"]

_SIZES = {"fine": 0.62, "medium": 1.0, "bold": 1.7}


@dataclass(frozen=True, slots=True)
class Cloth:
    """What a garment is made of.

    Attributes:
        pattern, material: as in the spec.
        size: factor on the motifs, 1 for medium.
        base, figure, accent: colours of the ground, of what is on it, and a third one between.
        trim: colour of bands, collars, cuffs in contrast.
        gloss: 0 (wool) to 1 (leather).
        body: 0 (hangs in many soft folds) to 1 (stands by itself).
        seed: decides where motifs lie.
    """

    pattern: str
    material: str
    size: float
    base: Colour
    figure: Colour
    accent: Colour
    trim: Colour
    gloss: float
    body: float
    seed: int

    def tile(self, scale: float) -> Image.Image:
        """A square that repeats, RGB, at ``scale`` pixels for a centimetre, with hard edges.

        It is meant to be drawn larger than it is shown.
        """
        draw_pattern, period = _PATTERNS.get(self.pattern, (_plain, 12.0))
        period *= self.size if self.pattern in _PATTERNS else 1.0
        repeats = max(1, round(12.0 / period))
        side = max(8, round(period * repeats * scale))
        canvas = _Tile(side, period * repeats, repeats, self.base)
        draw_pattern(canvas, self, Random(self.seed))
        pixels = np.asarray(canvas.image, dtype=np.float32)
        weave = _weave(self.material, side, scale)
        return Image.fromarray(np.clip(pixels * weave[:, :, None], 0, 255).astype(np.uint8))


def cloth_of(spec: GarmentSpec) -> Cloth:
    """The cloth of a garment; the same dye for all specs with the same seed and colour names."""
    base = jittered(COLOURS[spec.colour], Random(f"dye/{spec.seed}/{spec.colour}"))
    figure = jittered(COLOURS[spec.second], Random(f"dye/{spec.seed}/{spec.second}"))
    third = Random(f"accent/{spec.seed}").choice(list(COLOURS.values()))
    gloss = {"leather": 1.0, "satin": 0.8, "quilt": 0.35}.get(spec.material, 0.0)
    body = {"leather": 0.8, "denim": 0.7, "wool": 0.75, "corduroy": 0.7, "quilt": 0.9, "knit": 0.5,
            "cable knit": 0.6, "linen": 0.5, "cotton": 0.4, "jersey": 0.25, "satin": 0.1}[spec.material]  # fmt: skip
    trimmed = spec.trim in ("contrast", "side stripe", "raglan")
    return Cloth(
        pattern=spec.pattern, material=spec.material, size=_SIZES[spec.scale], base=base, figure=figure,
        accent=mixed(third, base, 0.25), trim=figure if trimmed else shaded(base, 0.93), gloss=gloss, body=body,
        seed=spec.seed,
    )  # fmt: skip


class _Tile:
    """A picture of ``period`` by ``period`` centimetres; what leaves on one side comes in on the other."""

    def __init__(self, side: int, period: float, repeats: int, ground: Colour) -> None:
        self.image = Image.new("RGB", (side, side), ground)
        self.pen = ImageDraw.Draw(self.image)
        self.period = period
        self.repeats = repeats
        self.scale = side / period

    def shape(self, points: Points, colour: Colour) -> None:
        """A filled outline, in centimetres, wherever it shows."""
        low, high = points.min(axis=0), points.max(axis=0)
        for dx in self._copies(low[0], high[0]):
            for dy in self._copies(low[1], high[1]):
                self.pen.polygon(((points + (dx, dy)) * self.scale).ravel().tolist(), fill=colour)

    def _copies(self, low: float, high: float) -> Iterator[float]:
        first = math.ceil((-high) / self.period)
        last = math.floor((self.period - low) / self.period)
        yield from (step * self.period for step in range(first, last + 1))

    def band(self, start: float, width: float, colour: Colour, *, upright: bool) -> None:
        """A stripe across the whole tile, from ``start`` on, in centimetres."""
        a, b = start * self.scale, (start + width) * self.scale - 1
        side = self.image.width
        self.pen.rectangle((a, 0, b, side) if upright else (0, a, side, b), fill=colour)

    def field(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Phases in x and y, 0 to 2 pi over the tile, for patterns that are formulas."""
        turn = np.linspace(0, 2 * np.pi, self.image.width, endpoint=False, dtype=np.float32)
        return turn[None, :], turn[:, None]

    def choose(self, where: npt.NDArray[np.bool_], colour: Colour) -> None:
        """``colour`` where a mask of the tile's shape holds."""
        self.image.paste(colour, (0, 0), Image.fromarray(where))
        self.pen = ImageDraw.Draw(self.image)


def _plain(tile: _Tile, cloth: Cloth, random: Random) -> None:
    pass


def _striped(upright: bool) -> Callable[[_Tile, Cloth, Random], None]:
    def draw(tile: _Tile, cloth: Cloth, random: Random) -> None:
        step = tile.period / tile.repeats
        share = random.choice((0.12, 0.3, 0.5, 0.5)) if upright else random.choice((0.3, 0.4, 0.5, 0.5))
        extra = random.random() < 0.3
        for index in range(tile.repeats):
            tile.band(index * step, step * share, cloth.figure, upright=upright)
            if extra:
                tile.band((index + share + (1 - share) / 2 - 0.06) * step, step * 0.12, cloth.accent, upright=upright)

    return draw


def _gingham(tile: _Tile, cloth: Cloth, random: Random) -> None:
    _checks(tile, cloth, [(0.0, 0.5, 0.55)])


def _tartan(tile: _Tile, cloth: Cloth, random: Random) -> None:
    _checks(tile, cloth, [(0.0, 0.34, 0.6), (0.06, 0.05, 0.8), (0.23, 0.05, 0.8)])
    line = mixed(cloth.accent, (255, 255, 255), 0.35)
    _checks(tile, cloth, [(0.66, 0.035, 0.8)], line)


def _windowpane(tile: _Tile, cloth: Cloth, random: Random) -> None:
    _checks(tile, cloth, [(0.45, 0.06, 0.75)])


def _checks(
    tile: _Tile, cloth: Cloth, bands: list[tuple[float, float, float]], colour: Colour | None = None
) -> None:
    """Bands both ways (start, width as shares of a repeat; strength), which darken where they cross."""
    side = tile.image.width
    phase = (np.arange(side) / side * tile.repeats) % 1.0
    profile = np.zeros(side, dtype=np.float32)
    for start, width, strength in bands:
        inside = (phase >= start) & (phase < start + width)
        profile[inside] = strength
    share = (1 - (1 - profile[None, :] * 0.7) * (1 - profile[:, None] * 0.7))[:, :, None]
    pixels = np.asarray(tile.image, dtype=np.float32)
    blended = pixels * (1 - share) + np.float32(colour or cloth.figure) * share
    tile.image.paste(Image.fromarray(blended.astype(np.uint8)))


def _houndstooth(tile: _Tile, cloth: Cloth, random: Random) -> None:
    side = tile.image.width
    thread = (np.arange(side) * 8 * tile.repeats // side) % 8
    across, down = thread[None, :], thread[:, None]
    over = (across + down) % 4 < 2  # a two-and-two twill, woven of four dark and four light threads each way
    tile.choose(np.where(over, across < 4, down < 4), cloth.figure)


def _dots(tile: _Tile, cloth: Cloth, random: Random) -> None:
    step, share = tile.period / tile.repeats, random.choice((0.1, 0.14, 0.18))
    for row in range(2 * tile.repeats):
        for column in range(tile.repeats):
            x = (column + 0.5 * (row % 2) + 0.25) * step
            tile.shape(ellipse(x, (row + 0.5) * step / 2, step * share, step * share, corners=16), cloth.figure)


def _florals(tile: _Tile, cloth: Cloth, random: Random) -> None:
    size = tile.period / 11.0
    leaf = mixed((70, 110, 70), cloth.figure, 0.3) if lightness(cloth.base) > 0.2 else mixed((120, 150, 110), cloth.figure, 0.2)
    petals, dense = random.choice((5, 5, 6, 8)), random.choice((11, 15, 20))
    for index, (x, y) in enumerate(_scattered(tile, random, dense)):
        radius, turn = size * random.uniform(0.7, 1.25), random.uniform(0, 6.28)
        for side in (0.4, 2.4):
            tip = turn + side
            tile.shape(_leaf(x, y, tip, radius * 1.9, radius * 0.45), leaf)
        colour = cloth.figure if index % 3 else cloth.accent
        for petal in range(petals):
            angle = turn + petal * 2 * math.pi / petals
            tile.shape(
                ellipse(x + 0.62 * radius * math.cos(angle), y + 0.62 * radius * math.sin(angle), 0.55 * radius,
                        1.7 * radius / petals + 0.06 * radius, turn=angle, corners=12),
                shaded(colour, 1.0 if petal % 2 else 0.92),
            )  # fmt: skip
        tile.shape(ellipse(x, y, 0.28 * radius, 0.28 * radius, corners=10), mixed(cloth.accent, (250, 210, 80), 0.6))


def _leaves(tile: _Tile, cloth: Cloth, random: Random) -> None:
    size = tile.period / 7.0
    for index, (x, y) in enumerate(_scattered(tile, random, 9)):
        turn, colour = random.uniform(0, 6.28), (cloth.figure, cloth.figure, cloth.accent)[index % 3]
        for leaflet in range(-4, 5):
            spread = turn + leaflet * 0.33
            tile.shape(_leaf(x, y, spread, size * (1.25 - 0.07 * abs(leaflet)), size * 0.12), colour)


def _leopard(tile: _Tile, cloth: Cloth, random: Random) -> None:
    size = tile.period / 17.0
    for x, y in _scattered(tile, random, 46):
        turn, radius = random.uniform(0, 6.28), size * random.uniform(0.8, 1.25)
        blob = ellipse(x, y, radius, radius * 0.75, turn=turn, corners=10)
        tile.shape(blob, cloth.figure)
        bite = turn + random.uniform(0, 6.28)
        middle = mixed(cloth.base, cloth.accent, 0.4)
        tile.shape(ellipse(x + 0.3 * radius * math.cos(bite), y + 0.3 * radius * math.sin(bite), radius * 0.62,
                           radius * 0.42, turn=turn, corners=10), middle)  # fmt: skip


def _zigzag(tile: _Tile, cloth: Cloth, random: Random) -> None:
    x, y = tile.field()
    wave = np.abs(((x * tile.repeats / np.pi) % 2) - 1)
    phase = (y * tile.repeats / (2 * np.pi) + 0.32 * wave) % 1.0
    tile.choose(phase < random.choice((0.3, 0.45)), cloth.figure)
    tile.choose((phase > 0.66) & (phase < 0.74), cloth.accent)


def _argyle(tile: _Tile, cloth: Cloth, random: Random) -> None:
    x, y = tile.field()
    u, v = x * tile.repeats / (2 * np.pi), y * tile.repeats / (2 * np.pi)
    a, b = (u + v) % 1.0, (u - v) % 1.0
    tile.choose((a < 0.5) & (b < 0.5), cloth.figure)
    tile.choose((a >= 0.5) & (b >= 0.5), mixed(cloth.figure, cloth.base, 0.55))
    tile.choose((np.abs(a - 0.25) < 0.02) | (np.abs(b - 0.25) < 0.02), cloth.accent)


def _geometric(tile: _Tile, cloth: Cloth, random: Random) -> None:
    step = tile.period / tile.repeats
    kind = random.choice(("rings", "triangles", "crosses", "diamonds"))
    for row in range(2 * tile.repeats):
        for column in range(2 * tile.repeats):
            x, y, r = (column + 0.5) * step / 2, (row + 0.5) * step / 2, step * 0.2
            colour = cloth.figure if (row + column) % 2 else cloth.accent
            if kind == "rings":
                tile.shape(ellipse(x, y, r, r, corners=16), colour)
                tile.shape(ellipse(x, y, r * 0.55, r * 0.55, corners=12), cloth.base)
            elif kind == "triangles":
                tile.shape(np.array([(x, y - r), (x + r, y + r), (x - r, y + r)]), colour)
            elif kind == "crosses":
                tile.shape(np.array([(x - r, y - r / 3), (x + r, y - r / 3), (x + r, y + r / 3), (x - r, y + r / 3)]), colour)
                tile.shape(np.array([(x - r / 3, y - r), (x + r / 3, y - r), (x + r / 3, y + r), (x - r / 3, y + r)]), colour)
            else:
                tile.shape(np.array([(x, y - r * 1.2), (x + r * 0.7, y), (x, y + r * 1.2), (x - r * 0.7, y)]), colour)


def _brush_strokes(tile: _Tile, cloth: Cloth, random: Random) -> None:
    for index, (x, y) in enumerate(_scattered(tile, random, 26)):
        turn, length = random.uniform(-0.5, 0.5) + random.choice((0.0, 1.2)), tile.period * random.uniform(0.09, 0.16)
        middle = spline([(x + s * length * math.cos(turn), y + s * length * math.sin(turn) + 0.1 * length * math.sin(5 * s))
                         for s in (-0.6, -0.2, 0.2, 0.6)], samples=3)  # fmt: skip
        thick = tile.period * random.uniform(0.012, 0.024)
        edge = np.vstack([middle + (0, thick), (middle - (0, thick * 1.3))[::-1]])
        tile.shape(edge, (cloth.figure, cloth.accent, cloth.figure)[index % 3])


def _camouflage(tile: _Tile, cloth: Cloth, random: Random) -> None:
    x, y = tile.field()
    for colour, level in ((cloth.figure, 0.25), (mixed(cloth.base, (30, 30, 20), 0.6), 0.6), (mixed(cloth.base, (235, 225, 190), 0.5), 0.75)):
        total = np.zeros((tile.image.height, tile.image.width), dtype=np.float32)
        for _ in range(7):
            a, b = random.randint(-5, 5), random.randint(-5, 5)
            total += np.sin(a * x + b * y + random.uniform(0, 6.28)) / (1.0 + 0.12 * (abs(a) + abs(b)))
        tile.choose(total > level * 2.2, colour)


def _scattered(tile: _Tile, random: Random, count: int) -> list[tuple[float, float]]:
    """Points with room between them: each the best of a few tries, distances measured around the edges."""
    half = tile.period / 2
    found = np.empty((count, 2))
    for index in range(count):
        tries = np.array([(random.uniform(0, tile.period), random.uniform(0, tile.period)) for _ in range(5)])
        apart = np.abs((tries[:, None] - found[None, :index] + half) % tile.period - half)
        room = (apart**2).sum(axis=2).min(axis=1, initial=tile.period**2)
        found[index] = tries[int(room.argmax())]
    return [(float(x), float(y)) for x, y in found]


def _leaf(x: float, y: float, turn: float, length: float, width: float) -> Points:
    t = np.linspace(0, 1, 6)
    across = width * np.sin(np.pi * t) ** 0.8
    cos, sin = math.cos(turn), math.sin(turn)
    upper = np.column_stack([x + t * length * cos - across * sin, y + t * length * sin + across * cos])
    lower = np.column_stack([x + t * length * cos + across * sin, y + t * length * sin - across * cos])
    return np.vstack([upper, lower[::-1]])


_PATTERNS: dict[str, tuple[Callable[[_Tile, Cloth, Random], None], float]] = {
    "stripes": (_striped(upright=False), 3.6),
    "vertical stripes": (_striped(upright=True), 3.0),
    "gingham": (_gingham, 2.6),
    "tartan": (_tartan, 9.0),
    "windowpane": (_windowpane, 6.0),
    "houndstooth": (_houndstooth, 3.0),
    "dots": (_dots, 4.2),
    "florals": (_florals, 17.0),
    "leaves": (_leaves, 20.0),
    "leopard": (_leopard, 16.0),
    "zigzag": (_zigzag, 4.5),
    "argyle": (_argyle, 9.0),
    "geometric": (_geometric, 5.0),
    "brush strokes": (_brush_strokes, 18.0),
    "camouflage": (_camouflage, 24.0),
}


@functools.cache
def grain() -> npt.NDArray[np.float32]:
    """Grey noise of mean 0 and deviation 1, shape (256, 256); made once, the same in every process."""
    return np.random.default_rng(20_240_501).standard_normal((256, 256)).astype(np.float32)


def _weave(material: str, side: int, scale: float) -> npt.NDArray[np.float32]:
    """Brightness factors of the threads, shape (side, side), about 1."""
    x = np.arange(side, dtype=np.float32)[None, :] / side
    y = np.arange(side, dtype=np.float32)[:, None] / side
    threads = max(4, round(side / max(3.0, 0.28 * scale)))
    noise = np.resize(grain(), (side, side))
    if material == "denim":
        twill = np.sin(2 * np.pi * threads * (x + y))
        return (1 + 0.035 * twill + 0.05 * noise).astype(np.float32)
    if material == "corduroy":
        return (1 + 0.16 * np.sin(2 * np.pi * max(4, round(side / max(4.0, 0.5 * scale))) * x) + 0.02 * noise).astype(np.float32)
    if material in ("knit", "cable knit"):
        ribs = max(4, round(side / max(4.0, 0.42 * scale)))
        loops = np.sin(2 * np.pi * ribs * x) * (0.7 + 0.3 * np.sin(2 * np.pi * ribs * (y + 0.5 * x)))
        return (1 + 0.075 * loops + 0.02 * noise).astype(np.float32)
    if material == "linen":
        lines = noise.mean(axis=0, keepdims=True) + noise.mean(axis=1, keepdims=True)
        return (1 + 0.28 * lines + 0.025 * noise).astype(np.float32)
    if material == "wool":
        return (1 + 0.055 * noise).astype(np.float32)
    return (1 + 0.012 * noise + 0 * x * y).astype(np.float32)
