"""The spots of a photo, each of which can be searched for: parts of the persons in it, and the whole photo.

Spots are numbered person by person, the largest and most central person first: torso, legs, body. The last
spot is the whole photo, and the only one where nobody is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from stylesearch.errors import NoSuchSpot
from stylesearch.images.decode import DEFAULT_MAX_PIXELS, DecodedImage, decode, decode_reduced
from stylesearch.images.inputs import NetworkInputs, make_inputs
from stylesearch.images.regions import crop, reduction
from stylesearch.images.source import ImageSource
from stylesearch.persons.parts import Part, cut_part, has_enough, list_parts, share_of_mask
from stylesearch.persons.regions import find_persons, reduction_for_finder
from stylesearch.types import Box, Seen, Spot

__all__ = ["MAX_PERSONS", "make_box_inputs", "make_region_inputs", "make_spot_inputs"]

MAX_PERSONS: Final = 4
"""So many persons of a photo have spots."""

MIN_BOX_SHARE: Final = 0.3
"""Share of a given box that a person covers at least, for white to be put around the person."""

_ELSE: Final = "search for the region auto or whole, or for a box"


def make_spot_inputs(
    source: ImageSource, size: int, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> tuple[NetworkInputs, tuple[Spot, ...]]:
    """Decodes a photo and cuts a square for each of its spots.

    Args:
        source: the bytes of a photo, or its locator; it may be read twice.
        size: side in pixels of the extractor's square input.
        max_pixels: larger photos are refused before they are decoded.

    Returns:
        The whole photo and, behind it, the squares of all other spots; and the spots by number, the whole
        photo last. Kinds are None.

    Raises:
        ImageError: the photo cannot be used.
    """
    searched = decode(source, reduce_to=reduction_for_finder(size), max_pixels=max_pixels)
    parts = list_parts(find_persons(searched.pixels, MAX_PERSONS) or [], searched)
    spots = tuple(
        Spot(part.region, part.box, number=number, person=part.person)
        for number, part in enumerate(parts, start=1)
    )
    whole = Box(0, 0, searched.width, searched.height)
    image = _decode_for(source, searched, parts, size, max_pixels)
    images = [crop(searched, whole, size), *(cut_part(image, part, size) for part in parts)]
    inputs = NetworkInputs(
        whole.x1, whole.y1, (whole, *(part.box for part in parts)), {size: np.stack(images)}, spots
    )
    return inputs, (*spots, Spot("whole", whole, number=len(spots) + 1, person=0))


def make_region_inputs(
    source: ImageSource, size: int, region: str, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> NetworkInputs:
    """Decodes a photo and cuts one spot: as it is, and as a square in which the rest is white.

    Both together find more than each alone (docs/benchmarks.md).

    Args:
        source, size, max_pixels: as for ``make_spot_inputs``.
        region: ``torso``, ``legs`` or ``body`` of the first person, or the number of a spot.

    Raises:
        NoSuchSpot: the photo has no such part, or persons cannot be looked for here.
        ImageError: the photo cannot be used.
    """
    searched = decode(source, reduce_to=reduction_for_finder(size), max_pixels=max_pixels)
    is_number = region.isdigit()
    persons = find_persons(searched.pixels, MAX_PERSONS if is_number else 1)
    parts = list_parts(persons or [], searched)
    if is_number and int(region) == len(parts) + 1:
        return make_inputs(source, [size], "whole", max_pixels=max_pixels)
    named = {part.region: part for part in parts}
    part = parts[int(region) - 1] if is_number and int(region) <= len(parts) else named.get(region)
    if part is None:
        raise _no_such_spot(region, len(parts), can_look=persons is not None)
    return _pair_of(source, searched, part, size, max_pixels)


def make_box_inputs(
    source: ImageSource, size: int, box: Box, *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> NetworkInputs:
    """Decodes a photo and cuts a box out: as it is, and where it is a person's also with white around them.

    Args:
        source, size, max_pixels: as for ``make_spot_inputs``.
        box: in pixels of the upright photo; what reaches out of it is cut off.

    Raises:
        ImageError: the photo cannot be used, or the box has nothing in common with it.
    """
    searched = decode(source, reduce_to=reduction_for_finder(size), max_pixels=max_pixels)
    persons = find_persons(searched.pixels, MAX_PERSONS) or []
    inside = box.cut(searched.width, searched.height)
    shares = [] if inside is None else [share_of_mask(person.mask, inside, searched) for person in persons]
    if inside is None or max(shares, default=0.0) < MIN_BOX_SHARE:
        return make_inputs(source, [size], [inside or box], max_pixels=max_pixels)
    person = int(np.argmax(shares))
    part = Part("box", person + 1, inside, persons[person].mask)
    return _pair_of(source, searched, part, size, max_pixels)


def _pair_of(
    source: ImageSource, searched: DecodedImage, part: Part, size: int, max_pixels: int
) -> NetworkInputs:
    """A part as it is, and its masked square."""
    image = _decode_for(source, searched, [part], size, max_pixels)
    pixels = np.stack([crop(image, part.box, size), cut_part(image, part, size)])
    seen = Seen(part.region, part.box)
    return NetworkInputs(searched.width, searched.height, (part.box, part.box), {size: pixels}, (seen,))


def _decode_for(
    source: ImageSource, searched: DecodedImage, parts: Sequence[Part], size: int, max_pixels: int
) -> DecodedImage:
    """The photo with as many pixels as parts need; decoded again where one of the first person's is small.

    A tiny person behind must not have a large photo decoded in full.
    """
    if not parts:
        return searched
    boxes = [part.box for part in parts if part.person == parts[0].person]
    if has_enough(searched, boxes, size):
        return searched
    (image,) = decode_reduced(source, [reduction(size, boxes)], max_pixels=max_pixels)
    return image


def _no_such_spot(region: str, n_parts: int, *, can_look: bool) -> NoSuchSpot:
    wanted = f"spot {region}" if region.isdigit() else region
    if not can_look:
        return NoSuchSpot(
            f"{wanted} cannot be searched for: persons are not looked for here",
            hint=f"{_ELSE}; `stylesearch weights fetch` brings what persons are found with",
        )
    if not n_parts:
        return NoSuchSpot(f"{wanted} cannot be searched for: nobody is seen in the photo", hint=_ELSE)
    if region.isdigit():
        return NoSuchSpot(f"there is no spot {region}: the photo has {n_parts + 1}", hint=_ELSE)
    return NoSuchSpot(f"no {region} can be seen of the person in the photo", hint=_ELSE)
