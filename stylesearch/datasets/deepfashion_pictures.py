"""Where the pictures of DeepFashion are, in low or high resolution, and what a box means in each.

Boxes count in the pixels of ``img/``. There the consumer-to-shop pictures have 300 pixels on the longer
side, and the in-shop ones are centred on a square of 256 (so say the README files of the two benchmarks).
For ``img_highres/`` boxes are scaled to the size of each picture, whose header is read for that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from stylesearch.datasets.listing import Listed, is_file
from stylesearch.errors import DatasetError
from stylesearch.images.orientation import exif_orientation, upright_size
from stylesearch.types import Box, Record

__all__ = ["DeepFashionPictures", "Frame"]

_LOW: Final = ("img", "Img/img")
_HIGH: Final = ("img_highres", "Img/img_highres")
_LAST: Final = ("Img",)
# The list files and img_highres/ do not agree on what this folder is called.
_SYNONYMS: Final = {
    "CLOTHING/Summer_Wear/": "CLOTHING/Summer_Suit/",
    "CLOTHING/Summer_Suit/": "CLOTHING/Summer_Wear/",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixels that boxes count in.

    Attributes:
        side: of the longer side of the picture.
        centred: whether the picture stands centred on a square of that side.
    """

    side: int
    centred: bool

    def to_picture(self, box: Box, width: int, height: int) -> Box | None:
        """The box in the pixels of a picture; None where nothing of it is inside.

        Args:
            box: in this frame.
            width, height: of the picture.

        Example:
            >>> Frame(300, centred=False).to_picture(Box(50, 41, 183, 285), 800, 1200)
            Box(x0=200, y0=164, x1=732, y1=1140)
            >>> Frame(256, centred=True).to_picture(Box(64, 0, 192, 256), 512, 1024)
            Box(x0=0, y0=0, x1=512, y1=1024)
        """
        longer = max(width, height)
        scale = longer / self.side
        left, top = ((longer - width) / 2, (longer - height) / 2) if self.centred else (0.0, 0.0)
        x0, x1 = (min(max(round(x * scale - left), 0), width) for x in (box.x0, box.x1))
        y0, y1 = (min(max(round(y * scale - top), 0), height) for y in (box.y0, box.y1))
        return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


class DeepFashionPictures:
    """Finds pictures by the names that the annotations use.

    Args:
        root: of the dataset; has ``img/`` or ``img_highres/`` in it, directly or in ``Img/``. Where both
            are there, ``img/`` is taken.
        frame: what boxes count in.

    Raises:
        DatasetError: there is no folder of pictures.
    """

    def __init__(self, root: Path, frame: Frame) -> None:
        self._frame = frame
        absolute = Path(os.path.abspath(root))  # noqa: PTH100 - links stay as the user wrote them
        names = [name for name in (*_LOW, *_HIGH, *_LAST) if (absolute / name).is_dir()]
        if not names:
            raise DatasetError(
                f"no pictures in {root}: neither {_LOW[0]}/ nor {_HIGH[0]}/, directly or in Img/",
                hint="unpack img.zip (or img_highres.zip) there; docs/datasets.md says how to get it",
            )
        self._places = [(f"{absolute}/{name}", name in _HIGH) for name in names]

    def find(self, entry: Listed) -> Record | str:
        """The record of an entry, or the path where its picture should have been."""
        below = entry.file.removeprefix("img/")
        for place, is_high in self._places:
            for name in _spellings(below):
                path = f"{place}/{name}"
                if is_file(path):
                    box = self._scaled(entry.box, path) if entry.box and is_high else entry.box
                    return Record(entry.product, path, entry.domain, box)
        return f"{self._places[0][0]}/{below}"

    def _scaled(self, box: Box, path: str) -> Box | None:
        try:
            with Image.open(path) as image:
                width, height = upright_size(image.size, exif_orientation(image.info.get("exif")))
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError):
            return None  # whoever decodes the picture will say what is wrong with it
        return self._frame.to_picture(box, width, height)


def _spellings(name: str) -> list[str]:
    for start, other in _SYNONYMS.items():
        if name.startswith(start):
            return [name, other + name.removeprefix(start)]
    return [name]
