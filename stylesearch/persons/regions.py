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
from typing import Final

import numpy as np
from PIL import Image

from stylesearch.array_types import Pixels
from stylesearch.errors import ExtractorError, MissingDependency, StyleSearchError
from stylesearch.images.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode_reduced
from stylesearch.images.inputs import NetworkInputs
from stylesearch.images.regions import WITH_PERSON, WITHOUT_PERSON, crops, plan_boxes, reduction
from stylesearch.images.source import ImageSource
from stylesearch.persons.finder import WORKING_SIDE, Person, PersonFinder
from stylesearch.persons.squares import masked_square, torso_box
from stylesearch.types import Box

__all__ = ["check_finder", "make_person_inputs", "warm_up_finder"]

log = logging.getLogger(__name__)

MIN_TORSO_SIDE: Final = 16
"""Pixels below which the box of a torso is none, in the photo in which the person was found."""

MIN_TORSO_SHARE: Final = 0.1
"""Share of its box that a torso covers at least."""


def make_person_inputs(
    source: ImageSource, sizes: Iterable[int], *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> NetworkInputs:
    """Decodes a photo and cuts the regions of the plan ``person``.

    Args:
        source: the bytes of a photo, or its locator; it is read more than once.
        sizes: sides in pixels of the extractors' square inputs; at least one.
        max_pixels: larger photos are refused before they are decoded.

    Raises:
        ImageError: the photo cannot be used.
    """
    wanted = sorted(set(sizes))
    reductions = [reduction(size, WITHOUT_PERSON) for size in wanted]

    def reduce_for_finder(width: int, height: int) -> int:
        return max(WORKING_SIDE, reductions[-1](width, height))

    *decoded, searched = decode_reduced(source, [*reductions, reduce_for_finder], max_pixels=max_pixels)
    images = dict(zip(wanted, decoded, strict=True))
    width, height = searched.width, searched.height
    person = _find_person(searched.pixels)
    boxes = plan_boxes(WITHOUT_PERSON if person is None else WITH_PERSON, width, height)
    pixels = {size: crops(one, boxes, size) for size, one in images.items()}
    if person is None:
        return NetworkInputs(width, height, tuple(boxes), pixels)
    squares = _square_boxes(person, searched)
    needed = {size: reduction(size, squares) for size in wanted}
    # A torso may be small in the photo: then its square is made of more pixels than the regions are.
    lacking = [size for size in wanted if not _has_enough(searched, needed[size](width, height))]
    larger = (
        decode_reduced(source, [needed[size] for size in lacking], max_pixels=max_pixels) if lacking else []
    )
    decoded_for = {**dict.fromkeys(wanted, searched), **dict(zip(lacking, larger, strict=True))}
    for size, one in decoded_for.items():
        cut = [_cut_square(one, person, box, size) for box in squares]
        pixels[size] = np.concatenate([pixels[size], np.stack(cut)])
    return NetworkInputs(width, height, (*boxes, *squares), pixels, n_squares=len(squares))


def warm_up_finder() -> None:
    """Loads the finder's networks, so that the first photo need not wait; says once if files are missing."""
    try:
        _FINDER.prepare()
    except (ExtractorError, MissingDependency) as error:
        _say_missing(error)


def check_finder() -> None:
    """Checks that persons can be found here, where a measurement would be wrong without.

    Raises:
        WeightsNotFound: the finder's files are not on this machine; the hint is the command that brings them.
        ExtractorError: they cannot be used.
        MissingDependency: no library here can run them.
    """
    _FINDER.prepare()


_FINDER = PersonFinder()
"""Shared by all searches of a process; its networks are loaded at the first photo."""


@functools.cache
def _say_once(reason: str) -> None:
    log.warning("persons are not looked for in photos: %s", reason)


def _say_missing(error: StyleSearchError) -> None:
    _say_once(f"{error} ({error.hint})" if error.hint else str(error))


def _find_person(pixels: Pixels) -> Person | None:
    """The largest and most central person; None also where the finder's files cannot be used."""
    try:
        found = _FINDER.find(pixels, max_persons=1)
    except (ExtractorError, MissingDependency) as error:
        _say_missing(error)
        return None
    return found[0] if found else None


def _has_enough(image: DecodedImage, long_side: int) -> bool:
    """Whether the longer side of a decoded photo has that many pixels, or all that the file has."""
    decoded: int = max(image.pixels.shape[:2])
    return decoded >= min(long_side, max(image.width, image.height))


def _square_boxes(person: Person, image: DecodedImage) -> list[Box]:
    """Boxes of torso and body at full resolution; of the body alone where there is hardly a torso."""
    height, width = image.pixels.shape[:2]
    torso = torso_box(person.landmarks, width, height)
    if torso is not None:
        in_torso = person.mask[torso.y0 : torso.y1, torso.x0 : torso.x1]
        if min(in_torso.shape) < MIN_TORSO_SIDE or in_torso.mean() < 255 * MIN_TORSO_SHARE:
            torso = None  # its square would be white for the most part, and near to all that is
    scale_x, scale_y = image.width / width, image.height / height
    return [_scale(box, scale_x, scale_y) for box in (torso, person.box) if box is not None]


def _scale(box: Box, x: float, y: float) -> Box:
    x0, y0 = int(box.x0 * x), int(box.y0 * y)  # rounded down, so that it is not carried over the edge
    return Box(x0, y0, max(x0 + 1, round(box.x1 * x)), max(y0 + 1, round(box.y1 * y)))


def _cut_square(image: DecodedImage, person: Person, box: Box, size: int) -> Pixels:
    """The masked square of a box at full resolution, from an image that may be reduced."""
    width, height = image.upright.size
    rows, columns = person.mask.shape
    inside = _scale(box, width / image.width, height / image.height)
    part = np.asarray(image.upright.crop((inside.x0, inside.y0, inside.x1, inside.y1)))
    if (rows, columns) == (height, width):
        mask = person.mask[inside.y0 : inside.y1, inside.x0 : inside.x1]
    else:  # of this part alone: a photo of 12 megapixels may be kept at half its sides
        x, y = columns / width, rows / height
        from_mask = (inside.x0 * x, inside.y0 * y, min(inside.x1 * x, columns), min(inside.y1 * y, rows))
        resized = Image.fromarray(person.mask).resize(
            (part.shape[1], part.shape[0]), Image.Resampling.BILINEAR, box=from_mask
        )
        mask = np.asarray(resized)
    return masked_square(part, mask, Box(0, 0, part.shape[1], part.shape[0]), size)
