"""What "25 color bins" may mean, compared on drawn street photos and on a real shop's other views.

The reading is chosen on one half of the products and reported on the other; see docs/adr/0007.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.shops import real_photos
from benchmarks.whitebox_sets import Features, Images, photo_sets, print_comparison, print_sets
from stylesearch.extractors.classical.color_histogram import COLOR_HISTOGRAM
from stylesearch.extractors.classical.colors import N_COLORS, color_table, lab

SIZE = 64
CHOSEN = "9 greys, 8 hues x 2 (Lab)"
# Colors are told apart by 6 bits a channel, the chosen reading's by 5.
_BITS = 6
_NAMED = (
    "000000 404040 808080 c0c0c0 ffffff f5f0e1 c8ad7f 8b5a2b 4b2e16 800020 e01b24 ff7f6e ff8c00 ffd700 "
    "808000 9acd32 1e7b34 2e8b8b 40e0d0 87ceeb 1e5fd0 14213d 6a3d9a d8a0d8 e75480"
)

Table = npt.NDArray[np.intp]
Reading = tuple[Table, ...]


def main() -> None:
    """Prints the readings, then what becomes of white and of the square root with the chosen one."""
    sets = photo_sets(SIZE)
    if real_photos() is None:
        print("Without STYLESEARCH_TEST_DATA only drawn photos are compared.\n")
    readings = _readings()
    print_comparison(sets, {name: partial(_histogram, one) for name, one in readings.items()}, CHOSEN)
    print()
    chosen = readings[CHOSEN]
    print_comparison(
        sets,
        {
            "white counts": partial(_histogram, chosen, white="kept"),
            "white rows and columns at the edge are left out": partial(_histogram, chosen, white="edge"),
            "white is left out everywhere": partial(_histogram, chosen),
            "the same, shares without square root": partial(_histogram, chosen, power=1.0),
            "the extractor color-histogram": COLOR_HISTOGRAM.from_arrays,
        },
        "the extractor color-histogram",
    )
    print()
    print_sets(sets)


def _histogram(reading: Reading, images: Images, *, white: str = "left out", power: float = 0.5) -> Features:
    """Shares of the bins of each table, to a power, one table after the other."""
    levels = (images >> (8 - _BITS)).astype(np.intp)
    place = (levels[..., 0] << 2 * _BITS) | (levels[..., 1] << _BITS) | levels[..., 2]
    if white == "kept":
        counted = np.ones(place.shape, np.bool_)
    else:
        counted = _inside(images) if white == "edge" else np.logical_not((images >= 248).all(axis=-1))
    parts = []
    for table in reading:
        counts = np.stack(
            [np.bincount(table[p[c]], minlength=N_COLORS) for p, c in zip(place, counted, strict=True)]
        )
        parts.append((counts / np.maximum(1, counts.sum(axis=1, keepdims=True))) ** power)
    return np.concatenate(parts, axis=1).astype(np.float32)


def _inside(images: Images) -> npt.NDArray[np.bool_]:
    """Which pixels are within the outermost rows and columns that are not all white."""
    white = (images == 255).all(axis=-1)
    inside = np.ones(white.shape, bool)
    for axis in (1, 2):
        content = ~white.all(axis=axis, keepdims=True)
        along = 3 - axis
        before = np.maximum.accumulate(content, axis=along)
        after = np.flip(np.maximum.accumulate(np.flip(content, along), axis=along), along)
        inside &= before & after
    return inside


def _readings() -> dict[str, Reading]:
    level = (np.arange(1 << _BITS) + 0.5) / (1 << _BITS)
    rgb = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    hue, saturation, value = _hsv(rgb)
    colors = lab(rgb)
    place = ((rgb * 32).astype(np.intp) * [1024, 32, 1]).sum(axis=1)
    named = np.array([[int(one[i : i + 2], 16) for i in (0, 2, 4)] for one in _NAMED.split()]) / 255
    readings = {
        "25 of each channel of RGB": tuple(_steps(channel, 25) for channel in rgb.T),
        "25 of each of hue, saturation, value": tuple(_steps(part, 25) for part in (hue, saturation, value)),
        "25 hues": (_steps(hue, 25),),
        "5 hues x 5 saturations": (_steps(hue, 5) * 5 + _steps(saturation, 5),),
        "5 hues x 5 values": (_steps(hue, 5) * 5 + _steps(value, 5),),
        "25 greys": (_steps(rgb @ [0.299, 0.587, 0.114], 25),),
        "nearest of 25 named colors (Lab)": (_nearest(colors, lab(named)),),
        CHOSEN: (np.minimum(color_table()[place].astype(np.intp), N_COLORS - 1),),
    }
    photos = real_photos()
    if photos is not None:
        readings["nearest of 25 centres of real photos' colors (Lab)"] = (
            _nearest(colors, _centres(photos / "clothing", colors)),
        )
    return readings


def _steps(values: npt.NDArray[np.float64], n: int) -> Table:
    """Which of ``n`` equal steps from 0 to 1."""
    return np.minimum((values * n).astype(np.intp), n - 1)


def _hsv(rgb: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Hue, saturation and value, each 0 to 1."""
    value, least = rgb.max(axis=1), rgb.min(axis=1)
    spread = np.where(value > least, value - least, 1.0)
    red, green, blue = rgb.T
    sixth = np.select(
        [red == value, green == value],
        [((green - blue) / spread) % 6, (blue - red) / spread + 2],
        (red - green) / spread + 4,
    )
    return sixth / 6 % 1.0, (value - least) / value, value


def _nearest(colors: npt.NDArray[np.float64], centres: npt.NDArray[np.float64]) -> Table:
    squares = (colors**2).sum(axis=1)[:, None] - 2 * colors @ centres.T + (centres**2).sum(axis=1)
    nearest: Table = squares.argmin(axis=1)
    return nearest


def _centres(folder: Path, colors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """25 means (Lloyd's algorithm) of the colors of real photos that are in neither half."""
    from stylesearch.images.decode import decode
    from stylesearch.images.regions import letterbox

    counts = np.zeros(len(colors))
    for path in sorted(folder.rglob("*.jpg")):
        pixels = letterbox(decode(path, reduce_to=64).pixels, 32).reshape(-1, 3)
        levels = pixels[~(pixels >= 248).all(axis=1)].astype(np.intp) >> (8 - _BITS)
        counts += np.bincount(levels @ [1 << 2 * _BITS, 1 << _BITS, 1], minlength=len(counts))
    used = counts > 0
    points, weights = colors[used], counts[used]
    rng = np.random.default_rng(0)
    centres = points[rng.choice(len(points), N_COLORS, replace=False, p=weights / weights.sum())]
    for _ in range(30):
        member = _nearest(points, centres)
        totals = np.bincount(member, weights, minlength=N_COLORS)
        sums = np.stack([np.bincount(member, weights * axis, minlength=N_COLORS) for axis in points.T], 1)
        centres = np.where(totals[:, None] > 0, sums / np.maximum(totals, 1)[:, None], centres)
    return centres
