"""Makes network inputs from an image: decodes it once and cuts its regions at every size that is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stylesearch.array_types import Pixels
from stylesearch.images.decode import DEFAULT_MAX_PIXELS, decode_reduced
from stylesearch.images.regions import crops, letterbox_image, plan_boxes, reduction
from stylesearch.images.source import ImageSource
from stylesearch.types import Box, Seen

__all__ = ["NetworkInputs", "make_inputs"]


@dataclass(frozen=True, eq=False, slots=True)
class NetworkInputs:
    """The inputs of extractors from one image.

    Attributes:
        width, height: size of the upright image at full resolution.
        boxes: the regions, in pixels of the upright image.
        pixels: the regions by input size, uint8 (regions, size, size, 3), RGB, letterboxed on white.
        squares: what the last regions are, if they are squares around a person, in which the rest is white.
    """

    width: int
    height: int
    boxes: tuple[Box, ...]
    pixels: dict[int, Pixels]
    squares: tuple[Seen, ...] = ()

    @property
    def n_squares(self) -> int:
        """How many regions, the last ones, are squares around a person."""
        return len(self.squares)


def make_inputs(
    source: ImageSource,
    sizes: Iterable[int],
    regions: str | Sequence[Box] | None = None,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> NetworkInputs:
    """Decodes an image and cuts its regions, for each size from as many pixels as if it were the only one.

    Args:
        source: the bytes of an image, its locator, or a binary file.
        sizes: sides in pixels of the extractors' square inputs; at least one.
        regions: the name of a region plan, or boxes at full resolution, which are cut to the image; None for
            the whole image.
        max_pixels: larger images are refused before they are decoded.

    Raises:
        ImageError: the image cannot be used, or a box has nothing in common with it.
        UnknownName: no such plan.
    """
    wanted = sorted(set(sizes))
    reductions = [reduction(size, "whole" if regions is None else regions) for size in wanted]
    images = decode_reduced(source, reductions, max_pixels=max_pixels)
    width, height = images[0].width, images[0].height
    if regions is None:
        # From all pixels: a box would be scaled to them, and rounded.
        pixels = {
            size: letterbox_image(one.upright, size)[None] for size, one in zip(wanted, images, strict=True)
        }
        return NetworkInputs(width, height, (Box(0, 0, width, height),), pixels)
    if isinstance(regions, str):
        boxes = plan_boxes(regions, width, height)
    else:
        boxes = [
            box.cut(width, height) or box for box in regions
        ]  # one outside is refused when it is cropped
    pixels = {size: crops(one, boxes, size) for size, one in zip(wanted, images, strict=True)}
    return NetworkInputs(width, height, tuple(boxes), pixels)
