"""Perceptual hashes of images: shapes and a few colors, in 80 bytes.

The white around an image is cut off first, so that garments are compared and not their white ground, and
padding changes nothing. The *shape* is the sign pattern of a discrete cosine transform: 255 frequencies of
the brightness, whether each is above their median (as in C. Zauner, *Implementation and Benchmarking of
Perceptual Image Hash Functions*, 2010, but with 16 x 16 frequencies instead of 8 x 8: 64 bits group different
garments on white ground at the distances at which copies lie). The *colors* are means of 4 x 4 fields.

The library `imagehash` is not used: for an image of one color its frequencies are rounding errors, so that a
swatch has a shape; and the white border, the colors and the packing would still have to be done here.

Measured on 2,251 images (1,589 users' photos of garments on floors and hangers, 662 of a shop's models on
white ground), bits of 255 that differ between an image and its copy, and between different images:

| copies of 600 images | median | 90 % | 99 % | largest color step, 95 % |
|---|--:|--:|--:|--:|
| half the size | 10 | 15 | 22 | 6 |
| JPEG of quality 30 | 4 | 12 | 24 | 7 |
| brighter by 6 % | 2 | 10 | 24 | 13 |
| 5 % white border | 0 | 0 | 0 | 0 |
| up to 2 % cropped from each side | 22 | 34 | 43 | 13 |
| up to 3 % cropped, half the size, JPEG 60 | 34 | 48 | 60 | 21 |
| up to 5 % cropped from each side | 50 | 73 | 88 | 30 |

Of the 2.5 million pairs of different images, 362 are within 48 bits: 360 of them are the shop's photos of
one style in several colors (recolored, in all that were looked at), 2 are true copies among the users'
photos (one of them filed under two categories); none is of two garments. From 49 to 56 bits come 21 pairs, 8
of different garments in the same pose; from 57 to 72, 266 with 241.

The limit is 32 bits, at which copies that were scaled or saved again are grouped and those cropped by 1 % of
each side (all of 150), but only half of those cropped by 2 %. Drawn garments, which are of few shapes, are
why it is not 48: there 847 of 2,000 products were connected, in chains of up to 117; at 32 it is 275, up to
26.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesearch.files import atomic_file, sha256_bytes

__all__ = [
    "DECODED_SIDE",
    "N_FIELDS",
    "N_WORDS",
    "HashCache",
    "PerceptualHash",
    "perceptual_hash",
    "same_colors",
]

log = logging.getLogger(__name__)

DECODED_SIDE: Final = 256
"""Pixels that the longer side of an image keeps when it is decoded to be hashed."""

COLOR_STEP: Final = 20
"""How far (0 to 255) copies may lie apart in any channel of any field: see the table. Of the shop's 360
recolored pairs 97 % lie farther apart; the others are of nearly one color, or of little garment."""

MANY_FILES: Final = 32
"""Files of the cache above which they are merged into one."""

N_WORDS: Final = 4
N_FIELDS: Final = 4

VERSION: Final = 1
"""Of the hashes: another hash function takes another folder."""

_SIDE: Final = 32
_N_FREQUENCIES: Final = 16
_WHITE_STEP: Final = 20  # JPEG leaves this much in what was white
_MIN_INK: Final = 0.01  # of a row or column that belongs to the image
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float64)

_places = np.arange(_SIDE)
_DCT: Final = np.cos(np.pi * (2 * _places + 1) * np.arange(_N_FREQUENCIES)[:, None] / (2 * _SIDE))

_RECORD: Final = np.dtype(
    [("sha256", "u1", 32), ("shape", "<u8", N_WORDS), ("colors", "u1", (N_FIELDS, N_FIELDS, 3))]
)


@dataclass(frozen=True, slots=True, eq=False)
class PerceptualHash:
    """Hash of an image.

    Attributes:
        shape: uint64 (4,), of which 255 bits are used.
        colors: mean RGB of fields, uint8 (4, 4, 3).
    """

    shape: npt.NDArray[np.uint64]
    colors: npt.NDArray[np.uint8]

    @property
    def is_blank(self) -> bool:
        """Whether the image, without the white around it, has only one color."""
        return not self.shape.any()


def perceptual_hash(pixels: npt.NDArray[np.uint8]) -> PerceptualHash:
    """Hashes an image.

    Args:
        pixels: uint8 (h, w, 3), RGB; not modified.

    Example:
        >>> ramp = np.linspace(0, 200, 90 * 60 * 3).reshape(90, 60, 3).astype(np.uint8)
        >>> bordered = np.pad(ramp, ((9, 9), (5, 5), (0, 0)), constant_values=255)
        >>> np.array_equal(perceptual_hash(ramp).shape, perceptual_hash(bordered).shape)
        True
    """
    image = Image.fromarray(_crop_white(pixels))
    small = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BOX))
    # Whole numbers: an image of one color has no frequencies, not those of rounding errors.
    frequencies = np.round(_DCT @ (small @ _LUMA) @ _DCT.T).ravel()[1:]
    bits = np.append(frequencies > np.median(frequencies), False)
    colors = np.asarray(image.resize((N_FIELDS, N_FIELDS), Image.Resampling.BOX))
    return PerceptualHash(np.packbits(bits).view("<u8").astype(np.uint64), colors.copy())


def same_colors(colors: npt.NDArray[np.uint8], others: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Whether the colors of each of n pairs are about the same, bool (n,).

    Args:
        colors, others: uint8 (n, 4, 4, 3).
    """
    steps = np.abs(colors.astype(np.int16) - others)
    near: npt.NDArray[np.bool_] = steps.max(axis=(1, 2, 3), initial=0) <= COLOR_STEP
    return near


def _crop_white(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Cuts the white borders off an image; a white image stays as it is."""
    # Channel by channel: a minimum over an axis of 3 takes ten times as long.
    darkest = np.minimum(np.minimum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])
    ink = darkest < 255 - _WHITE_STEP
    height, width = ink.shape
    rows = np.flatnonzero(np.count_nonzero(ink, axis=1) > _MIN_INK * width)
    columns = np.flatnonzero(np.count_nonzero(ink, axis=0) > _MIN_INK * height)
    if not len(rows) or not len(columns):
        return pixels
    return np.ascontiguousarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


class HashCache:
    """Hashes of a workspace's images on disk, by the content of the image.

    Any number of processes may read and add at once. Each ``add`` writes one file,
    ``FOLDER/picture-codes-1/<first half of its sha256>.bin``: records of a fixed length, a few thousand at
    most, complete or absent. (A file for each image would be a hundred thousand tiny ones.) A file whose
    content does not fit its name is ignored, and its images are hashed again. Many files are merged into one.

    Args:
        folder: the workspace's cache folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / f"picture-codes-{VERSION}"

    def read(self) -> dict[str, PerceptualHash]:
        """Reads all hashes, by sha256 of the image."""
        found: dict[str, PerceptualHash] = {}
        files = sorted(self.folder.glob("*.bin"))
        for path in files:
            found |= _read(path)
        if len(files) > MANY_FILES:
            self._merge(files, found)
        return found

    def add(self, hashes: Mapping[str, PerceptualHash]) -> None:
        """Adds hashes, by sha256 of the image."""
        if hashes:
            self._write(hashes)

    def _write(self, hashes: Mapping[str, PerceptualHash]) -> Path:
        records = np.empty(len(hashes), _RECORD)
        for record, (sha256, one) in zip(records, sorted(hashes.items()), strict=True):
            record["sha256"] = np.frombuffer(bytes.fromhex(sha256), np.uint8)
            record["shape"], record["colors"] = one.shape, one.colors
        data = records.tobytes()
        path = self.folder / f"{sha256_bytes(data)[:32]}.bin"
        with atomic_file(path) as file:
            file.write(data)
        return path

    def _merge(self, files: list[Path], hashes: Mapping[str, PerceptualHash]) -> None:
        """Merges files into one; a process that reads meanwhile may miss hashes, and computes them again."""
        merged = self._write(hashes)
        for path in files:
            if path != merged:
                path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, PerceptualHash]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:  # another process has merged it
        return {}
    if sha256_bytes(data)[:32] != path.stem or len(data) % _RECORD.itemsize:
        log.warning("%s is damaged: its pictures are looked at again", path)
        return {}
    records = np.frombuffer(data, _RECORD)
    names = [bytes(name).hex() for name in records["sha256"]]
    shapes = records["shape"].astype(np.uint64)
    return {
        name: PerceptualHash(shape, colors)
        for name, shape, colors in zip(names, shapes, records["colors"], strict=True)
    }
