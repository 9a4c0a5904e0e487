"""Regions of images, cut out and letterboxed to square network inputs.

In a street photo the garment fills only a part of the image; the features of the whole are mostly those of
the street. So a photo is searched with several regions, and the nearest counts. A region plan is a named list
of boxes relative to the size of the photo.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesearch.errors import ImageError
from stylesearch.images.decode import DecodedImage
from stylesearch.registry import unknown_name
from stylesearch.types import Box

__all__ = [
    "OVERSAMPLING",
    "PERSON_PLAN",
    "REGION_PLANS",
    "WHOLE",
    "WITHOUT_PERSON",
    "WITH_PERSON",
    "RelativeBox",
    "centred_boxes",
    "count_squares",
    "crop",
    "crops",
    "draw_letterboxed",
    "fit_size",
    "letterbox",
    "letterbox_image",
    "plan_boxes",
    "reduction",
]

OVERSAMPLING: Final = 1.4
"""How many times the pixels wanted a cheaply reduced picture must keep, each way, before the last resize.

The reductions (a JPEG decoded small, means of blocks) are fast and slightly rough; a bicubic step of this
size or more after them hides it.
"""

_WHITE: Final = 255


def letterbox(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Fits an image into a square.

    The aspect ratio is kept, the longer side becomes ``size``, the rest is white, half on each side (the odd
    pixel right or below). Larger images are reduced with antialiasing, smaller ones enlarged, both bicubic.

    Args:
        pixels: shape (h, w, 3), RGB; not modified.
        size: side of the square, in pixels.

    Returns:
        A new array of shape (size, size, 3).

    Raises:
        ValueError: if ``pixels`` has another shape or type, or no pixel.

    Example:
        >>> letterbox(np.zeros((200, 100, 3), np.uint8), 32)[16, [0, 7, 8, 23, 24], 0].tolist()
        [255, 255, 0, 0, 255]
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or not pixels.size:
        raise ValueError(f"pixels are uint8 of shape (h, w, 3). Received: {pixels.dtype} {pixels.shape}")
    return letterbox_image(Image.fromarray(pixels), size)


def letterbox_image(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    """Fits a Pillow image of mode RGB into a square: see ``letterbox``."""
    canvas = np.empty((size, size, 3), np.uint8)
    draw_letterboxed(image, (0.0, 0.0, *image.size), canvas)
    return canvas


def fit_size(width: float, height: float, room: tuple[int, int]) -> tuple[int, int]:
    """Scales a width and height to fit into ``room`` (width, height); each is at least 1.

    Example:
        >>> fit_size(3000, 4000, (320, 320))
        (240, 320)
    """
    scale = min(room[0] / width, room[1] / height)
    return (
        min(room[0], max(1, math.floor(width * scale + 0.5))),
        min(room[1], max(1, math.floor(height * scale + 0.5))),
    )


def draw_letterboxed(
    image: Image.Image, rectangle: tuple[float, float, float, float], canvas: npt.NDArray[np.uint8]
) -> None:
    """Fills ``canvas``, shape (h, w, 3), with a rectangle of an RGB image, letterboxed on white.

    Args:
        image: not modified.
        rectangle: left, top, right, bottom in pixels of ``image``, fractions allowed.
        canvas: overwritten whole.
    """
    left, top, right, bottom = rectangle
    room_height, room_width = canvas.shape[:2]
    width, height = fit_size(right - left, bottom - top, (room_width, room_height))
    scaled = image.resize((width, height), Image.Resampling.BICUBIC, box=rectangle, reducing_gap=OVERSAMPLING)
    x, y = (room_width - width) // 2, (room_height - height) // 2
    if width < room_width or height < room_height:
        canvas[...] = _WHITE
    canvas[y : y + height, x : x + width] = np.asarray(scaled)


@dataclass(frozen=True, slots=True)
class RelativeBox:
    """A rectangle in fractions of an image's width (x) and height (y), origin at the top left.

    Raises:
        ValueError: if it is empty or reaches out of the image.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (0 <= self.x0 < self.x1 <= 1 and 0 <= self.y0 < self.y1 <= 1):
            raise ValueError(f"a relative box has 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1. Received: {self}")

    def of(self, width: int, height: int) -> Box:
        """Converts it to pixels of an image of ``width`` x ``height``; at least one pixel.

        Example:
            >>> RelativeBox(0.1, 0.25, 0.9, 0.75).of(300, 400)
            Box(x0=30, y0=100, x1=270, y1=300)
        """
        x0, x1 = _span(self.x0, self.x1, width)
        y0, y1 = _span(self.y0, self.y1, height)
        return Box(x0, y0, x1, y1)


def _span(start: float, end: float, length: int) -> tuple[int, int]:
    first = min(round(start * length), length - 1)
    return first, max(round(end * length), first + 1)


def centred_boxes(width: float, height: float, n_positions: int) -> tuple[RelativeBox, ...]:
    """Makes boxes of one size, centred horizontally, spread evenly from the top of the image to its bottom.

    Args:
        width, height: size of the boxes, as fractions of the image's.
        n_positions: how many; a single one is in the middle.

    Example:
        >>> [box.y0 for box in centred_boxes(0.8, 0.5, 3)]
        [0.0, 0.25, 0.5]
    """
    left = (1 - width) / 2
    room = 1 - height
    tops = (
        [room * number / (n_positions - 1) for number in range(n_positions)]
        if n_positions > 1
        else [room / 2]
    )
    return tuple(RelativeBox(left, top, left + width, min(1.0, top + height)) for top in tops)


WHOLE: Final = RelativeBox(0.0, 0.0, 1.0, 1.0)
"""The region that is the whole photo."""

REGION_PLANS: Mapping[str, tuple[RelativeBox, ...]] = MappingProxyType(
    {
        "whole": (WHOLE,),
        "large": (WHOLE, *centred_boxes(0.8, 0.8, 3), *centred_boxes(0.6, 0.6, 5)),
        "few": (WHOLE, *centred_boxes(0.8, 0.5, 3)),
        "bands": centred_boxes(0.8, 0.5, 3),
        "street": (
            WHOLE,
            *centred_boxes(0.8, 0.8, 3),
            *centred_boxes(0.6, 0.6, 5),
            *centred_boxes(0.8, 0.5, 3),
            *centred_boxes(0.6, 0.4, 5)[:4],
        ),
    }
)
"""Where to look, by name; the whole photo comes first, where it is looked at. Another plan is another row."""


PERSON_PLAN: Final = "person"
"""The plan whose regions depend on what the photo shows: see ``stylesearch.persons.regions``."""

WITH_PERSON: Final = "bands"
"""The plan of the fixed regions of a photo with a person, beside which there are parts of the person."""

WITHOUT_PERSON: Final = "large"
"""The plan of a photo in which no person is found: a garment that lies or hangs fills most of it."""


def count_squares(n_regions: int) -> int:
    """Counts the squares among the regions of a photo in the plan ``person``.

    Args:
        n_regions: how many regions the photo has: fixed ones, the person as it is, and squares.

    Example:
        >>> [count_squares(n) for n in (5, 6, 7, 9)]
        [1, 2, 3, 0]
    """
    n_others = len(REGION_PLANS[WITH_PERSON]) + 1
    return 0 if n_regions == len(REGION_PLANS[WITHOUT_PERSON]) else n_regions - n_others


def plan_boxes(plan: str, width: int, height: int) -> list[Box]:
    """Lists the boxes of a plan, in its order, for an image of that upright size at full resolution.

    Raises:
        UnknownName: no plan is called so.

    Example:
        >>> plan_boxes("whole", 300, 400)
        [Box(x0=0, y0=0, x1=300, y1=400)]
    """
    if plan not in REGION_PLANS:
        raise unknown_name("region plan", plan, {**REGION_PLANS, PERSON_PLAN: ()})
    return [box.of(width, height) for box in REGION_PLANS[plan]]


def reduction(
    size: int, plan_or_boxes: str | Sequence[Box] = "whole", *, oversampling: float = OVERSAMPLING
) -> Callable[[int, int], int]:
    """Computes how far a photo may be reduced while it is decoded, given which crops of it are wanted.

    Args:
        size: side in pixels of the square network input.
        plan_or_boxes: the name of a plan, or boxes at full resolution.
        oversampling: how many times the pixels of its square each crop keeps, along its longer side. At 1 a
            catalog decodes in about half the time, and features move by 0.003 to 0.007 in cosine distance; at
            the default by less than 0.0015 (EfficientNet-Lite0; the same picture saved as JPEG of quality 75
            moves by 0.03, the nearest other garment is 0.15 away).

    Returns:
        A value for the ``reduce_to`` of ``stylesearch.images.decode.decode``: a function of the upright
        full width and height. With it no crop is made of fewer pixels than its square has, unless the file
        itself has fewer.

    Raises:
        UnknownName: no plan is called so.

    Example:
        >>> reduction(320)(3000, 4000), reduction(320, "street")(3000, 4000)
        (448, 996)
    """
    if isinstance(plan_or_boxes, str) and plan_or_boxes not in REGION_PLANS:
        raise unknown_name("region plan", plan_or_boxes, {**REGION_PLANS, PERSON_PLAN: ()})

    def long_side(width: int, height: int) -> int:
        if isinstance(plan_or_boxes, str):
            boxes = plan_boxes(plan_or_boxes, width, height)
        else:
            # A box outside the image is refused when it is cropped, where the message can say so.
            cut = (box.cut(width, height) for box in plan_or_boxes)
            boxes = [box for box in cut if box is not None]
        shortest = min((max(box.x1 - box.x0, box.y1 - box.y0) for box in boxes), default=max(width, height))
        return math.ceil(oversampling * size * max(width, height) / shortest)

    return long_side


def crop(image: DecodedImage, box: Box, size: int) -> npt.NDArray[np.uint8]:
    """Cuts one part of an image, letterboxed on white: see ``crops``.

    Returns:
        A new array of shape (size, size, 3).
    """
    square: npt.NDArray[np.uint8] = crops(image, [box], size)[0]
    return square


def crops(image: DecodedImage, boxes: Sequence[Box], size: int) -> npt.NDArray[np.uint8]:
    """Cuts parts of an image as a batch of network inputs.

    Args:
        image: not modified; its pixels may be reduced.
        boxes: in pixels of the upright image at full resolution; what reaches out of it is cut off.
        size: side of the squares in pixels.

    Returns:
        A new uint8 array of shape (len(boxes), size, size, 3), RGB, letterboxed on white, in order.

    Raises:
        ImageError: a box has nothing in common with the image.
    """
    batch = np.empty((len(boxes), size, size, 3), np.uint8)
    pixels = image.upright
    scale_x, scale_y = pixels.width / image.width, pixels.height / image.height
    for box, canvas in zip(boxes, batch, strict=True):
        inside = box.cut(image.width, image.height)
        if inside is None:
            raise ImageError(
                f"the box {box} lies outside the picture, which is {image.width} x {image.height} pixels",
                hint="a box is x0,y0,x1,y1 in pixels of the upright picture, origin at the top left",
            )
        # Fractions of pixels; rounding must not carry the far corner over the edge.
        x0, y0 = inside.x0 * scale_x, inside.y0 * scale_y
        x1, y1 = min(inside.x1 * scale_x, pixels.width), min(inside.y1 * scale_y, pixels.height)
        draw_letterboxed(pixels, (x0, y0, x1, y1), canvas)
    return batch
