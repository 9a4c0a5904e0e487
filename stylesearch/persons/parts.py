"""The parts of persons that are looked at one by one: torso, legs and body."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image

from stylesearch.array_types import Pixels
from stylesearch.images.decode import DecodedImage
from stylesearch.images.regions import reduction
from stylesearch.persons.finder import Person
from stylesearch.persons.landmarks import HIPS, KNEES
from stylesearch.persons.squares import legs_box, masked_square, torso_box
from stylesearch.types import Box

__all__ = ["Part", "cut_part", "has_enough", "list_parts", "share_of_mask"]

MIN_SIDE: Final = 16
"""Pixels below which the box of a part is none, in the photo in which the person was found."""

MIN_SHARE: Final = 0.1
"""Share of its box that a part covers at least."""

ENOUGH: Final = 0.8
"""How many times the pixels of its square the smallest part has at least, along its longer side: to decode a
photo of 12 megapixels again for more takes as long as half of a search."""

MIN_VISIBLE: Final = 0.5
"""Legs are a part where a hip and a knee are seen with this probability, and lie in the photo: the finder is
often sure of knees below its edge."""


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """A part of a person in a photo.

    Attributes:
        region: ``torso``, ``legs`` or ``body``; ``box`` for one that was given.
        person: whose part it is, from 1.
        box: in pixels of the upright photo at full resolution.
        mask: uint8 (h, w), 255 where the person is, of the photo in which the person was found.
    """

    region: str
    person: int
    box: Box
    mask: Pixels


def list_parts(persons: Iterable[Person], image: DecodedImage) -> list[Part]:
    """Lists the parts of persons, person by person: torso, legs, body.

    A torso or legs of which hardly anything is in the photo are left out, and so are persons behind the
    first of whom there is hardly anything.

    Args:
        persons: as they were found in ``image.pixels``.
        image: may be reduced.
    """
    height, width = image.pixels.shape[:2]
    scale_x, scale_y = image.width / width, image.height / height
    parts = []
    for number, person in enumerate(persons, start=1):
        if number > 1 and min(person.box.x1 - person.box.x0, person.box.y1 - person.box.y0) < MIN_SIDE:
            continue
        torso = torso_box(person.landmarks, width, height)
        legs = legs_box(person.landmarks, width, height) if _shows_legs(person, width, height) else None
        for region, box in (("torso", torso), ("legs", legs), ("body", person.box)):
            if box is not None and (region == "body" or _covers(person.mask, box)):
                parts.append(Part(region, number, _scale(box, scale_x, scale_y), person.mask))
    return parts


def cut_part(image: DecodedImage, part: Part, size: int) -> Pixels:
    """Cuts the masked square of a part.

    Args:
        image: the photo, reduced more or less than that in which the person was found.
        part: a part of a person in it.
        size: side of the square in pixels.

    Returns:
        A new uint8 array of shape (size, size, 3).
    """
    width, height = image.upright.size
    rows, columns = part.mask.shape
    inside = _scale(part.box, width / image.width, height / image.height)
    pixels = np.asarray(image.upright.crop((inside.x0, inside.y0, inside.x1, inside.y1)))
    if (rows, columns) == (height, width):
        mask = part.mask[inside.y0 : inside.y1, inside.x0 : inside.x1]
    else:  # of this part alone: a photo of 12 megapixels may be kept at half its sides
        x, y = columns / width, rows / height
        from_mask = (inside.x0 * x, inside.y0 * y, min(inside.x1 * x, columns), min(inside.y1 * y, rows))
        resized = Image.fromarray(part.mask).resize(
            (pixels.shape[1], pixels.shape[0]), Image.Resampling.BILINEAR, box=from_mask
        )
        mask = np.asarray(resized)
    return masked_square(pixels, mask, Box(0, 0, pixels.shape[1], pixels.shape[0]), size)


def has_enough(image: DecodedImage, boxes: Sequence[Box], size: int) -> bool:
    """Whether a decoded photo has pixels enough for squares, or all that the file has.

    Args:
        image: the photo, as far as it was reduced.
        boxes: of the squares, in pixels of the upright photo at full resolution.
        size: side of the squares in pixels.
    """
    wanted = reduction(size, boxes, oversampling=ENOUGH)(image.width, image.height)
    return max(image.upright.size) >= min(wanted, max(image.width, image.height))


def share_of_mask(mask: Pixels, box: Box, image: DecodedImage) -> float:
    """The share of a box that a mask covers, 0 to 1.

    Args:
        mask: uint8 (h, w), of the size of ``image.pixels``.
        box: in pixels of the upright photo at full resolution, inside it.
        image: the photo in which the person was found.
    """
    height, width = mask.shape
    inside = _scale(box, width / image.width, height / image.height)
    return float(mask[inside.y0 : inside.y1, inside.x0 : inside.x1].mean() / 255)


def _covers(mask: Pixels, box: Box) -> bool:
    """Whether enough of a box is the person's; else its square would be white, and near to all that is."""
    inside = mask[box.y0 : box.y1, box.x0 : box.x1]
    return bool(min(inside.shape) >= MIN_SIDE and inside.mean() >= 255 * MIN_SHARE)


def _shows_legs(person: Person, width: int, height: int) -> bool:
    inside = ((person.landmarks >= 0) & (person.landmarks < (width, height))).all(axis=1)
    seen = inside & (person.visibility >= MIN_VISIBLE)
    return all(bool(seen[list(pair)].any()) for pair in (HIPS, KNEES))


def _scale(box: Box, x: float, y: float) -> Box:
    x0, y0 = int(box.x0 * x), int(box.y0 * y)  # rounded down, so that it is not carried over the edge
    return Box(x0, y0, max(x0 + 1, round(box.x1 * x)), max(y0 + 1, round(box.y1 * y)))
