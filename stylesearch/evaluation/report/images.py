"""Writes the report's small images, named by content: an image that is shown twice is written once."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image

from stylesearch.array_types import Pixels
from stylesearch.errors import ImageError, MissingDependency
from stylesearch.evaluation.report.page import Thumbnail
from stylesearch.evaluation.results import StudyImage
from stylesearch.files import atomic_file
from stylesearch.images.contact_sheet import SheetEntry, contact_sheet
from stylesearch.images.decode import decode
from stylesearch.images.regions import OVERSAMPLING, crop, letterbox
from stylesearch.types import Box

__all__ = ["IMAGES", "ImageFolder"]

IMAGES: Final = "pictures"
"""Name of the folder within the report."""

_QUALITY: Final = 85
_THUMBNAIL_SIDE: Final = 320
_PHOTO_SIDE: Final = 960
_UNREADABLE: Final = (ImageError, MissingDependency, OSError)


class ImageFolder:
    """Writes the thumbnails and sheets of one report.

    Args:
        report: the report's folder.

    Attributes:
        unreadable: paths of images that could not be shown; the files may have gone since the study.
    """

    def __init__(self, report: Path) -> None:
        self._report = report
        self.unreadable: set[str] = set()

    def pixels(self, image: StudyImage, side: int, *, boxed: bool = False) -> Pixels | None:
        """Reads an image, or its box, in a white square, uint8 (side, side, 3); None if it cannot be read."""
        try:
            if boxed and image.box is not None:
                return crop(decode(image.path), image.box, side)
            decoded = decode(image.path, reduce_to=math.ceil(side * OVERSAMPLING))
        except _UNREADABLE:
            self.unreadable.add(image.path)
            return None
        return letterbox(decoded.pixels, side)

    def thumbnail(self, image: StudyImage, *, alt: str, caption: str) -> Thumbnail:
        """Writes a small copy of an image, unless there is one already.

        Args:
            image: the image.
            alt: alternative text.
            caption: caption below it.
        """
        path = f"{IMAGES}/{image.sha256[:24]}.jpg"
        if not (self._report / path).exists():
            pixels = self.pixels(image, _THUMBNAIL_SIDE)
            if pixels is None:
                return Thumbnail(None, _THUMBNAIL_SIDE, alt, caption)
            self._save(Image.fromarray(pixels), path)
        return Thumbnail(path, _THUMBNAIL_SIDE, alt, caption)

    def sheet(
        self,
        query: StudyImage,
        entries: list[SheetEntry],
        name: str,
        *,
        title: str,
        subtitle: str,
        outline: Callable[[tuple[int, int]], list[Box]],
    ) -> str | None:
        """Draws a contact sheet.

        Args:
            query: the query, which is shown on the left.
            entries: the hits.
            name: name of the file, without its ending.
            title, subtitle: texts above it.
            outline: returns the boxes to draw on a photo of that width and height.

        Returns:
            path of the sheet within the report; None if the query can no longer be read.
        """
        try:
            photo = decode(query.path, reduce_to=_PHOTO_SIDE)
            boxes = outline((photo.width, photo.height))
            page = contact_sheet(photo, entries, boxes=boxes, title=title, subtitle=subtitle)
        except _UNREADABLE:
            self.unreadable.add(query.path)
            return None
        path = f"{IMAGES}/{name}.jpg"
        self._save(page, path)
        return path

    def _save(self, image: Image.Image, path: str) -> None:
        with atomic_file(self._report / path) as file:
            image.save(file, "JPEG", quality=_QUALITY, optimize=True)
