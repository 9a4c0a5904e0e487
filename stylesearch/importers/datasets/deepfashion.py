"""DeepFashion, consumer-to-shop benchmark: consumers' photos, and the shops' pictures of the same items.

::

    Eval/list_eval_partition.txt       pairs of a consumer's photo and a shop's picture, with the split
    Anno/list_bbox_consumer2shop.txt   a box for each picture; without the file there are no boxes
    img/TOP/SUB/item/comsumer_01.jpg   or Img/img/, img_highres/, Img/img_highres/

Splits are ``train``, ``val`` and ``test``; an item is in one of them only. ``comsumer`` is how the dataset
spells it. The gallery of ``test`` is, by the README, the shop pictures of ``test``; others search those of
``val`` and ``test``: see :attr:`~stylesearch.importers.base.ImportOptions.gallery`.

References:
    Liu, Luo, Qiu, Wang, Tang: DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
    Annotations. CVPR 2016.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from stylesearch.errors import DatasetError
from stylesearch.images.decode import exif_orientation, upright_size
from stylesearch.images.source import open_image
from stylesearch.importers.base import ImportOptions, Missing, readable
from stylesearch.importers.datasets.annotations import (
    BadEntry,
    Boxes,
    Items,
    Listed,
    Row,
    Selection,
    find_file,
    is_file,
    located,
    name_key,
    picture_parts,
    read_boxes,
    rows,
)
from stylesearch.importers.datasets.categories import DRESS, LOWER, SKIRT, UPPER, dataset_product
from stylesearch.types import Box, Domain, Failure, Record

__all__ = [
    "CONSUMER_CATEGORIES",
    "INSHOP_CATEGORIES",
    "ConsumerToShop",
    "DatasetWarning",
    "DeepFashionPictures",
    "Frame",
    "InShop",
    "knows_header",
    "with_boxes",
]

# Telling the DeepFashion benchmarks apart, and their optional file of boxes.


class DatasetWarning(UserWarning):
    """A dataset that can be read, but not all of it is there."""


def knows_header(root: Path, names: Sequence[str], columns: Sequence[str]) -> bool:
    """Whether the first of these files that is there has these columns."""
    if not root.is_dir():
        return False
    try:
        next(rows(find_file(root, names), columns), None)
    except DatasetError:
        return False
    return True


def with_boxes(
    entries: Iterable[Listed | Failure],
    root: Path,
    names: Sequence[str],
    columns: Sequence[str],
    n_kinds: int,
) -> Iterator[Listed | Failure]:
    """Entries of a benchmark with the boxes of their pictures, where it has a file of them.

    Args:
        entries: read after the boxes, of which what cannot be read comes first.
        root: of the benchmark.
        names: under which the file of boxes may lie there.
        columns: of the file.
        n_kinds: see :func:`read_boxes`.

    Warns:
        DatasetWarning: there is no such file.
    """
    boxes = yield from _boxes_of(root, names, columns, n_kinds)
    for entry in entries:
        if isinstance(entry, Listed) and boxes is not None:
            yield replace(entry, box=boxes.get(entry.file))
        else:
            yield entry


def _boxes_of(
    root: Path, names: Sequence[str], columns: Sequence[str], n_kinds: int
) -> Generator[Failure, None, Boxes | None]:
    present = [root / name for name in names if (root / name).is_file()]
    if not present:
        warnings.warn(
            f"no {names[0]} in {root}: pictures are taken whole, without boxes", DatasetWarning, stacklevel=3
        )
        return None
    return (yield from read_boxes(present[0], columns, n_kinds))


# Where the pictures of DeepFashion are, in low or high resolution, and what a box means in each.
#
# Boxes count in the pixels of ``img/``. There the consumer-to-shop pictures have 300 pixels on the longer
# side, and the in-shop ones are centred on a square of 256 (so say the README files of the two benchmarks).
# For ``img_highres/`` boxes are scaled to the size of each picture, whose header is read for that.

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
            with open_image(path) as file, Image.open(file) as image:
                width, height = upright_size(image.size, exif_orientation(image.info.get("exif")))
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError):
            return None  # whoever decodes the picture will say what is wrong with it
        return self._frame.to_picture(box, width, height)


def _spellings(name: str) -> list[str]:
    for start, other in _SYNONYMS.items():
        if name.startswith(start):
            return [name, other + name.removeprefix(start)]
    return [name]


_PARTITION: Final = ("Eval/list_eval_partition.txt", "list_eval_partition.txt")
_CONSUMER_COLUMNS: Final = ("image_pair_name_1", "image_pair_name_2", "item_id", "evaluation_status")
_CONSUMER_BOXES: Final = ("Anno/list_bbox_consumer2shop.txt", "list_bbox_consumer2shop.txt")
_CONSUMER_BOX_COLUMNS: Final = ("image_name", "clothes_type", "source_type", "x_1", "y_1", "x_2", "y_2")
_CONSUMER_LAYOUT: Final = "img/TOP/SUB/item/name.jpg"

CONSUMER_CATEGORIES: Final = {
    **{f"DRESSES/{name}": DRESS for name in ("Dress", "Lace_Dress", "Sleeveless_Dress")},
    **{f"DRESSES/{name}": SKIRT for name in ("Skirt", "Suspenders_Skirt")},
    **{
        f"CLOTHING/{name}": UPPER
        for name in ("Blouse", "Coat", "Polo_Shirt", "Summer_Suit", "Summer_Wear", "Tank_Top", "T_Shirt")
    },
    **{
        f"TOPS/{name}": UPPER
        for name in ("Blouse", "Chiffon", "Coat", "Lace_Shirt", "Summer_Wear", "Tank_Top", "T_Shirt")
    },
    **{f"CLOTHING/{name}": LOWER for name in ("Jeans", "Pants")},
    **{f"TROUSERS/{name}": LOWER for name in ("Leggings", "Pants", "Summer_Wear")},
}
"""The seed's group of each of the dataset's own categories, read by garment: the seed does not say."""


class ConsumerToShop:
    """Reads the benchmark; see the module's text for its layout. Stateless."""

    name = "deepfashion-c2s"
    splits: tuple[str, ...] = ("train", "val", "test")

    def sniff(self, path: Path) -> int:
        """3 where the partition pairs pictures, else 0."""
        return 3 if knows_header(path, _PARTITION, _CONSUMER_COLUMNS) else 0

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure | Missing]:
        """Every picture of the pairs once, in the order of the pairs; see :class:`Importer`.

        Raises:
            DatasetError: no partition, no folder of pictures, or none of the pictures.

        Warns:
            DatasetWarning: there is no file of boxes.
        """
        find_file(path, _PARTITION)
        pictures = DeepFashionPictures(path, Frame(300, centred=False))
        listed = with_boxes(
            self._listed(path, options), path, _CONSUMER_BOXES, _CONSUMER_BOX_COLUMNS, n_kinds=2
        )
        yield from located(listed, pictures.find, str(path))

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """How many pictures the pairs name."""
        return sum(isinstance(entry, Listed) for entry in self._listed(path, options or ImportOptions()))

    def _listed(self, path: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        selection = Selection(options)
        seen: set[int] = set()
        items = Items()
        for row in rows(find_file(path, _PARTITION), _CONSUMER_COLUMNS):
            if isinstance(row, Failure):
                yield row
                continue
            try:
                pair = list(self._pair(row, items, options))
            except BadEntry as error:
                yield Failure(row.place, str(error))
                continue
            for entry in pair:
                key = name_key(entry.file)
                split = entry.product.attributes["split"]
                if key not in seen and selection.takes([split], entry.domain):
                    seen.add(key)
                    yield entry

    def _pair(self, row: Row, items: Items, options: ImportOptions) -> Iterator[Listed]:
        *names, item, status = row.cells
        if status not in self.splits:
            raise BadEntry(f"evaluation_status is one of {', '.join(self.splits)}. Received: {status!r}")
        paths = [picture_parts(name, 5, _CONSUMER_LAYOUT) for name in names]
        for name, parts in zip(names, paths, strict=True):
            if parts[3] != item:
                raise BadEntry(f"the picture {name!r} is not in the folder of the item {item!r}")
        domains = [_domain(name, parts[4]) for name, parts in zip(names, paths, strict=True)]
        for name, (_, top, sub, _, _), domain in zip(names, paths, domains, strict=True):
            split, category = items.first(row.place, item, status, f"{top}/{sub}")
            product = dataset_product(
                self.name,
                item,
                title=f"{readable(sub)} {item}",
                split=split,
                category=category,
                groups=CONSUMER_CATEGORIES,
                categories=options.categories,
            )
            yield Listed(product, name, domain, row.place)


def _domain(name: str, file_name: str) -> Domain:
    if file_name.startswith(("comsumer", "consumer")):
        return Domain.CONSUMER
    if file_name.startswith("shop"):
        return Domain.SHOP
    raise BadEntry(f"a picture is called comsumer_NN or shop_NN. Received: {name!r}")


# DeepFashion, in-shop benchmark: several pictures of each item, all of them by the shop.
#
# ::
#
# Eval/list_eval_partition.txt                     each picture with its item: train, query or gallery
# Anno/list_bbox_inshop.txt                        a box for each picture; without it there are no boxes
# img/WOMEN/Category/item/01_1_front.jpg           or Img/img/, img_highres/, Img/img_highres/
#
# Items of ``query`` and ``gallery`` pictures are those of the test: their ``split`` is ``test``, and
# pictures can be chosen by either name. The catalog knows of each picture who took it and not what it is
# searched for, so **query pictures are filed as consumers' photos**: they are searched with and never
# searched in. The other reading, that all are the shop's, would put each query into its own gallery.
#
# References:
# Liu, Luo, Qiu, Wang, Tang: DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
# Annotations. CVPR 2016.

_INSHOP_COLUMNS: Final = ("image_name", "item_id", "evaluation_status")
_INSHOP_BOXES: Final = ("Anno/list_bbox_inshop.txt", "list_bbox_inshop.txt")
_INSHOP_BOX_COLUMNS: Final = ("image_name", "clothes_type", "pose_type", "x_1", "y_1", "x_2", "y_2")
_INSHOP_LAYOUT: Final = "img/MEN or WOMEN/Category/item/name.jpg"
_SPLIT_OF_STATUS: Final = {"train": "train", "query": "test", "gallery": "test"}

_UPPER: Final = (
    "Blouses_Shirts Cardigans Graphic_Tees Jackets_Coats Jackets_Vests Shirts_Polos Sweaters "
    "Sweatshirts_Hoodies Tees_Tanks"
)
INSHOP_CATEGORIES: Final = {
    f"{who}/{name}": group
    for group, names in {
        DRESS: "Dresses",
        SKIRT: "Skirts",
        UPPER: _UPPER,
        LOWER: "Denim Leggings Pants Shorts",
    }.items()
    for name in names.split()
    for who in ("MEN", "WOMEN")
}
"""The seed's group of the dataset's own categories; Rompers_Jumpsuits and Suiting are in none."""


class InShop:
    """Reads the benchmark; see the module's text for its layout. Stateless."""

    name = "deepfashion-inshop"
    splits: tuple[str, ...] = ("train", "test", "query", "gallery")

    def sniff(self, path: Path) -> int:
        """3 where the partition lists single pictures, else 0."""
        return 3 if knows_header(path, _PARTITION, _INSHOP_COLUMNS) else 0

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure | Missing]:
        """Every picture, in the order of the partition; see :class:`Importer`.

        Raises:
            DatasetError: no partition, no folder of pictures, or none of the pictures.

        Warns:
            DatasetWarning: there is no file of boxes.
        """
        find_file(path, _PARTITION)
        pictures = DeepFashionPictures(path, Frame(256, centred=True))
        listed = with_boxes(self._listed(path, options), path, _INSHOP_BOXES, _INSHOP_BOX_COLUMNS, n_kinds=6)
        yield from located(listed, pictures.find, str(path))

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """How many pictures the partition names."""
        return sum(isinstance(entry, Listed) for entry in self._listed(path, options or ImportOptions()))

    def _listed(self, path: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        selection = Selection(options)
        seen: dict[int, str] = {}
        items = Items()
        for row in rows(find_file(path, _PARTITION), _INSHOP_COLUMNS):
            if isinstance(row, Failure):
                yield row
                continue
            status = row.cells[2]
            try:
                entry = self._entry(row, items, options)
                if seen.setdefault(name_key(entry.file), row.place) != row.place:
                    raise BadEntry(f"{seen[name_key(entry.file)]} lists this picture already")
            except BadEntry as error:
                yield Failure(row.place, str(error))
                continue
            if selection.takes([status, entry.product.attributes["split"]], entry.domain):
                yield entry

    def _entry(self, row: Row, items: Items, options: ImportOptions) -> Listed:
        name, item, status = row.cells
        if status not in _SPLIT_OF_STATUS:
            raise BadEntry(f"evaluation_status is one of {', '.join(_SPLIT_OF_STATUS)}. Received: {status!r}")
        _, who, folder, its_item, _ = picture_parts(name, 5, _INSHOP_LAYOUT)
        if its_item != item:
            raise BadEntry(f"the picture {name!r} is not in the folder of the item {item!r}")
        split, category = items.first(row.place, item, _SPLIT_OF_STATUS[status], f"{who}/{folder}")
        product = dataset_product(
            self.name,
            item,
            title=f"{readable(folder)} {item}",
            split=split,
            category=category,
            groups=INSHOP_CATEGORIES,
            categories=options.categories,
        )
        return Listed(product, name, Domain.CONSUMER if status == "query" else Domain.SHOP, row.place)
