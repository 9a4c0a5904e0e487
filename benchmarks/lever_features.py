"""Features of the levers' photos and galleries, kept on disk by picture, so that a second run is quick."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from stylesearch.files import atomic_file, sha256_file
from stylesearch.images.decode import decode
from stylesearch.images.regions import REGION_PLANS, WHOLE, RelativeBox, centred_boxes, crops, reduction
from stylesearch.types import Box

__all__ = ["MORE", "STREET", "Boxes", "Floats", "Kept", "Source", "places_of", "squares"]

Floats = npt.NDArray[np.float32]
Boxes = tuple[RelativeBox, ...]

STREET: Boxes = REGION_PLANS["street"]
_OFF_CENTRE = tuple(
    RelativeBox(left, top, left + 0.6, top + 0.6) for left in (0.0, 0.4) for top in (0.0, 0.2, 0.4)
)
MORE: Boxes = (*STREET, *_OFF_CENTRE, *centred_boxes(0.4, 0.3, 4))
"""All regions that are measured: whole, few and street are among them."""


class Source(Protocol):
    """What makes features of squares: an extractor, or anything with these of its parts."""

    @property
    def fingerprint(self) -> str: ...
    @property
    def input_size(self) -> int: ...
    @property
    def concurrency(self) -> int: ...
    def extract(self, images: npt.NDArray[np.uint8]) -> Floats: ...


def places_of(some: Sequence[RelativeBox], among: Boxes = MORE) -> list[int]:
    """Where the boxes of a plan are among others."""
    return [among.index(box) for box in some]


@dataclass(frozen=True)
class Kept:
    """Features in a folder: those of a picture in a file named by all that decides them.

    Args:
        folder: may be removed at any time; then features are computed again.
    """

    folder: Path

    def regions(
        self, source: Source, paths: Sequence[Path], boxes: Boxes, *, mirrored: bool = False
    ) -> Floats:
        """Features of regions of pictures, (n, len(boxes), dim).

        Args:
            source: makes them; only asked for what is not kept.
            paths: of the pictures.
            boxes: the regions.
            mirrored: whether each region is looked at in a mirror.
        """

        def cut(path: Path) -> npt.NDArray[np.uint8]:
            return squares(path, boxes, source.input_size, mirrored)

        return np.stack(self.of_squares(source, paths, f"{boxes!r} {mirrored}", cut))

    def of_squares(
        self, source: Source, paths: Sequence[Path], what: str, cut: Callable[[Path], npt.NDArray[np.uint8]]
    ) -> list[Floats]:
        """Features of squares that are cut out of images, (n, dim) for each image.

        Args:
            source: makes them; only asked for what is not kept.
            paths: of the images.
            what: tells these squares from others of the same image.
            cut: makes the squares of an image, uint8 (n, size, size, 3); n may be 0.
        """

        def of_one(path: Path) -> Floats:
            kept = self.folder / source.fingerprint[:16] / f"{_key(path, what)}.npy"
            if kept.is_file():
                return np.asarray(np.load(kept), np.float32)
            found = source.extract(cut(path))
            kept.parent.mkdir(parents=True, exist_ok=True)
            with atomic_file(kept) as file:
                np.save(file, found)
            return found

        with ThreadPoolExecutor(source.concurrency) as pool:
            return list(pool.map(of_one, paths))

    def whole(self, source: Source, paths: Sequence[Path], *, mirrored: bool = False) -> Floats:
        """Features of whole pictures, (n, dim), as ingest computes them."""
        return self.regions(source, paths, (WHOLE,), mirrored=mirrored)[:, 0]


def _key(path: Path, what: str) -> str:
    return hashlib.sha256(f"{sha256_file(path)} {what}".encode()).hexdigest()


def squares(path: Path, boxes: Boxes, size: int, mirrored: bool) -> npt.NDArray[np.uint8]:
    """Regions of a picture as a network sees them, uint8 (len(boxes), size, size, 3)."""

    def reduce_to(width: int, height: int) -> int:
        return reduction(size, [box.of(width, height) for box in boxes])(width, height)

    image = decode(path, reduce_to=reduce_to)
    inside: list[Box] = [box.of(image.width, image.height) for box in boxes]
    squares = crops(image, inside, size)
    return np.ascontiguousarray(squares[:, :, ::-1]) if mirrored else squares
