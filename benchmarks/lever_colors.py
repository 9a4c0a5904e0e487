"""Color histograms that may join a network's features: square roots of shares, white left out."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.lever_features import Floats
from stylesearch.extractors.classical.color_histogram import COLOR_HISTOGRAM
from stylesearch.extractors.classical.colors import lab

__all__ = ["HISTOGRAMS", "Histogram"]

SIZE: Final = 64
_LEVELS: Final = 32
# Hue, saturation, value.
_HSV_BINS: Final = (12, 3, 3)
# Lightness, a, b; a and b from -_REACH to _REACH.
_LAB_BINS: Final = (4, 8, 8)
_REACH: Final = 72.0


@dataclass(frozen=True)
class Histogram:
    """How much of a square has which color: a ``Source``.

    Args:
        kind: ``"Lab 25"`` (the extractor ``color-histogram``), ``"HSV"`` or ``"soft Lab"``, where a color
            between bins counts in both.
        part: how much of the square is looked at, from its middle, each way.
    """

    kind: str
    part: float = 1.0
    input_size: int = SIZE
    concurrency: int = 2

    @property
    def fingerprint(self) -> str:
        """Names the folder where these are kept."""
        return f"{self.kind}-{self.part}".replace(" ", "-")

    def extract(self, images: npt.NDArray[np.uint8]) -> Floats:
        """Of uint8 (n, size, size, 3), float32 (n, bins), of length one or all zeros."""
        margin = round(images.shape[1] * (1 - self.part) / 2)
        middle = images[:, margin : images.shape[1] - margin, margin : images.shape[2] - margin]
        if self.kind == "Lab 25":
            return COLOR_HISTOGRAM.from_arrays(np.ascontiguousarray(middle))
        shares = np.stack([_hsv_counts(one) if self.kind == "HSV" else _soft_counts(one) for one in middle])
        shares /= np.maximum(1e-9, shares.sum(axis=1, keepdims=True))
        return np.sqrt(shares).astype(np.float32)


HISTOGRAMS: Final[tuple[Histogram, ...]] = (
    Histogram("Lab 25"),
    Histogram("HSV", 0.6),
    Histogram("soft Lab"),
    Histogram("soft Lab", 0.6),
)


def _hsv_counts(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    hsv = np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("HSV")).reshape(-1, 3)
    bins = (hsv.astype(np.intp) * _HSV_BINS) >> 8
    place = (bins[:, 0] * _HSV_BINS[1] + bins[:, 1]) * _HSV_BINS[2] + bins[:, 2]
    colored = ~(pixels.reshape(-1, 3) >= 248).all(axis=1)
    return np.bincount(place[colored], minlength=int(np.prod(_HSV_BINS))).astype(float)


def _soft_counts(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    levels = (pixels >> 3).reshape(-1, 3).astype(np.intp)
    place = (levels[:, 0] * _LEVELS + levels[:, 1]) * _LEVELS + levels[:, 2]
    found, counts = np.unique(place, return_counts=True)
    counts[found == _LEVELS**3 - 1] = 0
    shares: npt.NDArray[np.float64] = counts @ _soft_table()[found]
    return shares


@functools.cache
def _soft_table() -> npt.NDArray[np.float32]:
    """What each of 32 x 32 x 32 colors gives each bin, (32768, bins): linear between the nearest centres."""
    level = (np.arange(_LEVELS) + 0.5) / _LEVELS
    rgb = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1).reshape(-1, 3)
    lightness, a, b = lab(rgb).T
    places = (lightness / 100, (a + _REACH) / (2 * _REACH), (b + _REACH) / (2 * _REACH))
    table = np.ones((len(rgb), 1))
    for place, n_bins in zip(places, _LAB_BINS, strict=True):
        centre = np.clip(place, 0, 1) * (n_bins - 1)
        near = np.maximum(0, 1 - np.abs(centre[:, None] - np.arange(n_bins)))
        table = (table[:, :, None] * near[:, None, :]).reshape(len(rgb), -1)
    return table.astype(np.float32)
