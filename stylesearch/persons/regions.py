"""The region plan ``person``: where a photo shows a person, squares around its garments.

With a person, a photo is looked at through the four regions of the plan *few* and through two squares, of the
torso and of the body, in which what is not the person is white. A distance is then of a region and a square
together: ``stylesearch.spaces.base.join_squares`` makes one vector of each pair. Without a person, or without
the files of the finder, the regions are those of the plan *street*, and so are the hits.

docs/benchmarks.md, *The garment on a person*, has the measurements.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable

import numpy as np
from PIL import Image

from stylesearch.array_types import Pixels
from stylesearch.errors import StyleSearchError, WeightsMismatch, WeightsNotFound
from stylesearch.images.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode_reduced
from stylesearch.images.inputs import NetworkInputs
from stylesearch.images.regions import WITH_PERSON, WITHOUT_PERSON, crops, plan_boxes, reduction
from stylesearch.images.source import ImageSource
from stylesearch.persons.finder import Person, PersonFinder
from stylesearch.persons.squares import masked_square, torso_box
from stylesearch.types import Box

__all__ = ["make_person_inputs", "warm_up_finder"]

log = logging.getLogger(__name__)


def make_person_inputs(
    source: ImageSource, sizes: Iterable[int], *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> NetworkInputs:
    """Decodes a photo and cuts the regions of the plan ``person``.

    Args:
        source: the bytes of a photo, its locator, or a binary file.
        sizes: sides in pixels of the extractors' square inputs; at least one.
        max_pixels: larger photos are refused before they are decoded.

    Raises:
        ImageError: the photo cannot be used.
    """
    wanted = sorted(set(sizes))
    reductions = [reduction(size, WITHOUT_PERSON) for size in wanted]
    images = dict(zip(wanted, decode_reduced(source, reductions, max_pixels=max_pixels), strict=True))
    largest = images[wanted[-1]]
    person = _find_person(largest.pixels)
    boxes = plan_boxes(WITHOUT_PERSON if person is None else WITH_PERSON, largest.width, largest.height)
    pixels = {size: crops(one, boxes, size) for size, one in images.items()}
    if person is None:
        return NetworkInputs(largest.width, largest.height, tuple(boxes), pixels)
    squares = _square_boxes(person, largest)
    for size, one in images.items():
        cut = [_cut_square(one, person, box, size) for box in squares]
        pixels[size] = np.concatenate([pixels[size], np.stack(cut)])
    return NetworkInputs(largest.width, largest.height, (*boxes, *squares), pixels, n_squares=len(squares))


def warm_up_finder() -> None:
    """Loads the finder's networks, so that the first photo need not wait; says once if files are missing."""
    try:
        _shared_finder().prepare()
    except (WeightsNotFound, WeightsMismatch) as error:
        _say_missing(error)


@functools.cache
def _shared_finder() -> PersonFinder:
    return PersonFinder()


@functools.cache
def _say_once(reason: str) -> None:
    log.warning("persons are not looked for in photos: %s", reason)


def _say_missing(error: StyleSearchError) -> None:
    _say_once(f"{error} ({error.hint})" if error.hint else str(error))


def _find_person(pixels: Pixels) -> Person | None:
    """The largest and most central person; None also where the finder's files cannot be used."""
    try:
        found = _shared_finder().find(pixels, max_persons=1)
    except (WeightsNotFound, WeightsMismatch) as error:
        _say_missing(error)
        return None
    return found[0] if found else None


def _square_boxes(person: Person, image: DecodedImage) -> list[Box]:
    """Boxes of torso and body at full resolution; of the body alone where the torso is not in the photo."""
    height, width = image.pixels.shape[:2]
    torso = torso_box(person.landmarks, width, height)
    scale_x, scale_y = image.width / width, image.height / height
    return [_scale(box, scale_x, scale_y) for box in (torso, person.box) if box is not None]


def _scale(box: Box, x: float, y: float) -> Box:
    x0, y0 = round(box.x0 * x), round(box.y0 * y)
    return Box(x0, y0, max(x0 + 1, round(box.x1 * x)), max(y0 + 1, round(box.y1 * y)))


def _cut_square(image: DecodedImage, person: Person, box: Box, size: int) -> Pixels:
    """The masked square of a box at full resolution, from an image that may be reduced."""
    height, width = image.pixels.shape[:2]
    mask = person.mask
    if mask.shape != (height, width):
        mask = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BILINEAR))
    inside = _scale(box, width / image.width, height / image.height)
    return masked_square(image.pixels, mask, inside, size)
