"""Pictures of a training as arrays on disk, for a network that is trained with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from stylesearch.errors import CatalogError
from stylesearch.evaluation.features import CHANGED, Work
from stylesearch.evaluation.protocol import BOX, CatalogImage
from stylesearch.evaluation.temporary_arrays import temporary_array
from stylesearch.images.decode import decode
from stylesearch.images.regions import REGION_PLANS, crops, reduction
from stylesearch.ingest.flow import map_in_order
from stylesearch.storage import sha256_bytes
from stylesearch.types import Box

__all__ = ["MOST_REGIONS", "picture_array"]

MOST_REGIONS: Final = 4
"""Regions of a photo that a network is trained with: more cost time and memory in proportion."""

_NO_ROOM: Final = "make room on that disk, or look at photos as a whole (--regions whole), and run it again"

Pixels = npt.NDArray[np.uint8]


@contextmanager
def picture_array(
    images: Sequence[CatalogImage],
    plan: str,
    size: int,
    folder: Path,
    work: Work,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Pixels]:
    """Crops of pictures, in a temporary file that is gone at the end of the block.

    Args:
        images: of a catalog.
        plan: of regions, or ``box``: the picture's box, or the whole where it has none. Where a plan has
            more than :data:`MOST_REGIONS`, each picture is seen whole and through others that are drawn.
        size: side of a crop in pixels.
        folder: where the file may lie.
        work: see there.
        seed: of the regions that are drawn.
        progress: called as ``progress(n_done, n_images)``.

    Yields:
        uint8 (n, regions, size, size, 3).

    Raises:
        CatalogError: a file is gone or has changed.
        ImageError: a picture cannot be used.
        StyleSearchError: the disk has no room for them; no picture was looked at.
    """
    n_regions = 1 if plan == BOX else min(MOST_REGIONS, len(REGION_PLANS[plan]))
    shape = (len(images), n_regions, size, size, 3)

    def one(numbered: tuple[int, CatalogImage]) -> Pixels:
        return _crops(numbered[1], plan, size, work.max_pixels, (seed, numbered[0]))

    with temporary_array(folder, shape, np.uint8, hint=_NO_ROOM) as array:
        with ThreadPoolExecutor(work.n_workers, "decode") as decoders:
            for row, pixels in enumerate(map_in_order(decoders, one, enumerate(images), window=64)):
                array[row] = pixels
                if progress:
                    progress(row + 1, len(images))
        yield array


def _crops(image: CatalogImage, plan: str, size: int, max_pixels: int, seed: tuple[int, int]) -> Pixels:
    path = Path(image.image.path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CatalogError(f"{path}: {error.strerror or error}") from error
    if sha256_bytes(data) != image.image.sha256:
        raise CatalogError(f"{path}: {CHANGED}")
    box = image.image.box
    if plan == BOX and box is not None:
        return crops(decode(data, reduce_to=reduction(size, [box]), max_pixels=max_pixels), [box], size)
    name = "whole" if plan == BOX else plan
    picture = decode(data, reduce_to=reduction(size, name), max_pixels=max_pixels)
    boxes: list[Box] = [one.of(picture.width, picture.height) for one in REGION_PLANS[name]]
    if len(boxes) > MOST_REGIONS:
        drawn = np.random.default_rng(seed).choice(len(boxes) - 1, MOST_REGIONS - 1, replace=False) + 1
        boxes = [boxes[0], *(boxes[number] for number in sorted(drawn.tolist()))]
    return crops(picture, boxes, size)
