"""Small pictures beside the page, by content: a picture that is shown twice is written once."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesearch.errors import ImageError, MissingDependency
from stylesearch.evaluation.pages.html import Html, element
from stylesearch.evaluation.results import Picture
from stylesearch.images.contact_sheet import SheetEntry, contact_sheet
from stylesearch.images.decode import decode
from stylesearch.images.letterbox import OVERSAMPLING, letterbox
from stylesearch.images.regions import crop
from stylesearch.storage import atomic_file
from stylesearch.types import Box

__all__ = ["FOLDER", "PictureFolder"]

FOLDER: Final = "pictures"
_QUALITY: Final = 85
_SIDE: Final = 320
_PHOTO_SIDE: Final = 960


class PictureFolder:
    """Thumbnails and sheets of one report.

    Args:
        report: the report's folder.
    """

    def __init__(self, report: Path) -> None:
        self._report = report
        self.unreadable: set[str] = set()
        """Paths of pictures that could not be shown; the files may have gone since the study."""

    def pixels(self, picture: Picture, side: int, *, boxed: bool = False) -> npt.NDArray[np.uint8] | None:
        """A picture, or its box, in a white square, uint8 (side, side, 3); None if it is gone."""
        try:
            if boxed and picture.box is not None:
                return crop(decode(picture.path), picture.box, side)
            decoded = decode(picture.path, reduce_to=math.ceil(side * OVERSAMPLING))
        except (ImageError, MissingDependency, OSError):
            self.unreadable.add(picture.path)
            return None
        return letterbox(decoded.pixels, side)

    def thumbnail(self, picture: Picture, alt: str) -> Html:
        """An ``img`` of a picture, or a box that says why there is none."""
        name = f"{FOLDER}/{picture.sha256[:24]}.jpg"
        if not (self._report / name).exists():
            pixels = self.pixels(picture, _SIDE)
            if pixels is None:
                return element("div", "the picture can no longer be read", class_="missing")
            self._save(Image.fromarray(pixels), name)
        return element("img", src=name, alt=alt, loading="lazy", width=str(_SIDE), height=str(_SIDE))

    def sheet(
        self,
        query: Picture,
        entries: list[SheetEntry],
        name: str,
        *,
        title: str,
        subtitle: str,
        outlined: Callable[[tuple[int, int]], list[Box]],
    ) -> str | None:
        """Draws a contact sheet.

        Args:
            query: shown on the left.
            entries: the hits.
            name: of the file, without its ending.
            title, subtitle: above it.
            outlined: boxes on a photo of that width and height.

        Returns:
            its path within the report, or None if the query can no longer be read.
        """
        try:
            photo = decode(query.path, reduce_to=_PHOTO_SIDE)
            boxes = outlined((photo.width, photo.height))
            page = contact_sheet(photo, entries, boxes=boxes, title=title, subtitle=subtitle)
        except (ImageError, MissingDependency, OSError):
            self.unreadable.add(query.path)
            return None
        path = f"{FOLDER}/{name}.jpg"
        self._save(page, path)
        return path

    def _save(self, image: Image.Image, name: str) -> None:
        with atomic_file(self._report / name) as file:
            image.save(file, "JPEG", quality=_QUALITY, optimize=True)
