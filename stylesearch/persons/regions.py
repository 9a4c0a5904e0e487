"""The region plan ``person``: where a photo shows a person, squares around its garments.

With a person, a photo is looked at through three bands of it and the box of the body, and through squares of
torso, legs and body, in which what is not the person is white. A distance is then of a region and a square
together: ``stylesearch.spaces.base.join_squares`` makes one vector of each pair. Without a person, or without
the files of the finder, the regions are those of the plan *large*, and so are the hits.

docs/benchmarks.md, *The garment on a person*, has the measurements.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable

import numpy as np

from stylesearch.array_types import Pixels
from stylesearch.errors import ExtractorError, MissingDependency, StyleSearchError
from stylesearch.images.decode import DEFAULT_MAX_PIXELS, decode_reduced
from stylesearch.images.inputs import NetworkInputs
from stylesearch.images.regions import WITH_PERSON, WITHOUT_PERSON, crops, plan_boxes, reduction
from stylesearch.images.source import ImageSource
from stylesearch.persons.finder import WORKING_SIDE, Person, PersonFinder
from stylesearch.persons.parts import cut_part, has_enough, list_parts
from stylesearch.types import Seen

__all__ = [
    "check_finder",
    "find_persons",
    "make_person_inputs",
    "reduction_for_finder",
    "warm_up_finder",
]

log = logging.getLogger(__name__)


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
    wanted_for_finder = reduction_for_finder(wanted[-1])
    *decoded, searched = decode_reduced(source, [*reductions, wanted_for_finder], max_pixels=max_pixels)
    images = dict(zip(wanted, decoded, strict=True))
    width, height = searched.width, searched.height
    persons = find_persons(searched.pixels, 1)
    boxes = plan_boxes(WITH_PERSON if persons else WITHOUT_PERSON, width, height)
    pixels = {size: crops(one, boxes, size) for size, one in images.items()}
    if not persons:
        return NetworkInputs(width, height, tuple(boxes), pixels)
    parts = list_parts(persons, searched)
    squares = [part.box for part in parts]  # the body is the last
    # A torso may be small in the photo: then its square is made of more pixels than the regions are.
    lacking = [size for size in wanted if not has_enough(searched, squares, size)]
    larger = (
        decode_reduced(source, [reduction(size, squares) for size in lacking], max_pixels=max_pixels)
        if lacking
        else []
    )
    decoded_for = {**dict.fromkeys(wanted, searched), **dict(zip(lacking, larger, strict=True))}
    for size, one in decoded_for.items():
        cut = [cut_part(one, part, size) for part in parts]
        pixels[size] = np.concatenate([pixels[size], crops(one, squares[-1:], size), np.stack(cut)])
    seen = tuple(Seen(part.region, part.box) for part in parts)
    return NetworkInputs(width, height, (*boxes, squares[-1], *squares), pixels, seen)


def reduction_for_finder(size: int) -> Callable[[int, int], int]:
    """Computes how far a photo may be reduced for the finder; see ``stylesearch.images.regions.reduction``.

    Args:
        size: side in pixels of the largest input of an extractor.
    """
    for_regions = reduction(size, WITHOUT_PERSON)
    return lambda width, height: max(WORKING_SIDE, for_regions(width, height))


def find_persons(pixels: Pixels, max_persons: int) -> list[Person] | None:
    """Finds the persons in a photo, the largest and most central first, with the finder of the process.

    Args:
        pixels, max_persons: see ``PersonFinder.find``.

    Returns:
        The persons; None where the finder's files cannot be used, which is said once.
    """
    try:
        return _FINDER.find(pixels, max_persons)
    except (ExtractorError, MissingDependency) as error:
        _say_missing(error)
        return None


def warm_up_finder() -> bool:
    """Loads the finder's networks, so that the first photo need not wait; says once if files are missing.

    Returns:
        whether persons can be found.
    """
    try:
        _FINDER.prepare()
    except (ExtractorError, MissingDependency) as error:
        _say_missing(error)
        return False
    return True


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
