"""Two benchmarks of DeepFashion: consumer-to-shop and in-shop.

Consumer-to-shop has consumers' photos, and the shops' images of the same items:

```text
Eval/list_eval_partition.txt       pairs of a consumer's photo and a shop's image, with the split
Anno/list_bbox_consumer2shop.txt   a box for each image; without the file there are no boxes
img/TOP/SUB/item/comsumer_01.jpg   or Img/img/, img_highres/, Img/img_highres/
```

Its splits are ``train``, ``val`` and ``test``; an item is in one of them only. ``comsumer`` is how the
dataset spells it. The gallery of ``test`` is, by the README, the shop images of ``test``; others search those
of ``val`` and ``test``: see ``ImportOptions.gallery``.

In-shop has several images of each item, all of them by the shop:

```text
Eval/list_eval_partition.txt              each image with its item: train, query or gallery
Anno/list_bbox_inshop.txt                 a box for each image; without the file there are no boxes
img/WOMEN/Category/item/01_1_front.jpg    or Img/img/, img_highres/, Img/img_highres/
```

Items of its ``query`` and ``gallery`` images are those of the test: their ``split`` is ``test``, and images
can be chosen by either name. The catalog stores of each image who took it and not what it is searched for, so
**query images are filed as consumers' photos**: they are searched with and never searched in. The other
reading, that all are the shop's, would put each query into its own gallery.

Boxes count in the pixels of ``img/``. There the consumer-to-shop images have 300 pixels on the longer side,
and the in-shop ones are centred on a square of 256 (so say the README files of the two benchmarks). For
``img_highres/`` boxes are scaled to the size of each image, whose header is read for that.

References:
    Liu, Luo, Qiu, Wang, Tang: DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
    Annotations. CVPR 2016.
"""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Final

from PIL import Image, UnidentifiedImageError

from stylesearch.errors import DatasetError
from stylesearch.images.decode import exif_orientation, upright_size
from stylesearch.images.source import open_image
from stylesearch.importers.base import ImportOptions, Missing, title_from_name
from stylesearch.importers.datasets.annotations import BadEntry, Listed, Selection, find_images, is_file
from stylesearch.importers.datasets.categories import DRESS, LOWER, SKIRT, UPPER, dataset_product
from stylesearch.importers.datasets.deepfashion_files import (
    Items,
    Row,
    find_file,
    image_path_parts,
    name_key,
    read_boxes,
    read_rows,
)
from stylesearch.importers.lookup import find_below
from stylesearch.listing import Listing, Record
from stylesearch.types import Box, Domain, Failure, Product

__all__ = [
    "CONSUMER_TO_SHOP_GROUPS",
    "IN_SHOP_GROUPS",
    "ConsumerToShop",
    "DatasetWarning",
    "Frame",
    "InShop",
]

_PARTITION: Final = (
    "Eval/list_eval_partition.txt",
    "Anno/list_eval_partition.txt",
    "list_eval_partition.txt",
)
_LOW: Final = ("img", "Img/img")
_HIGH: Final = ("img_highres", "Img/img_highres")
_LAST: Final = ("Img",)

# The list files and img_highres/ use different names for this folder.
_SYNONYMS: Final = {
    "CLOTHING/Summer_Wear/": "CLOTHING/Summer_Suit/",
    "CLOTHING/Summer_Suit/": "CLOTHING/Summer_Wear/",
}

CONSUMER_TO_SHOP_GROUPS: Final = {
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
"""The group of each of the dataset's own categories, read by garment: the study of 2018 does not say."""

_UPPER: Final = (
    "Blouses_Shirts Cardigans Graphic_Tees Jackets_Coats Jackets_Vests Shirts_Polos Sweaters "
    "Sweatshirts_Hoodies Tees_Tanks"
)
IN_SHOP_GROUPS: Final = {
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
"""The group of the dataset's own categories; Rompers_Jumpsuits and Suiting are in none."""

_SPLIT_OF_STATUS: Final = {"train": "train", "query": "test", "gallery": "test"}


class DatasetWarning(UserWarning):
    """A part of a dataset is missing; the rest can be read."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The pixels that boxes count in.

    Attributes:
        side: pixels of the longer side of the image.
        centred: whether the image is centred on a square of that side.
    """

    side: int
    centred: bool

    def to_image(self, box: Box, width: int, height: int) -> Box | None:
        """Converts a box to the pixels of an image; None where nothing of it is inside.

        Args:
            box: a box in this frame.
            width, height: size of the image in pixels.

        Example:
            >>> Frame(300, centred=False).to_image(Box(50, 41, 183, 285), 800, 1200)
            Box(x0=200, y0=164, x1=732, y1=1140)
            >>> Frame(256, centred=True).to_image(Box(64, 0, 192, 256), 512, 1024)
            Box(x0=0, y0=0, x1=512, y1=1024)
        """
        longer = max(width, height)
        scale = longer / self.side
        left, top = ((longer - width) / 2, (longer - height) / 2) if self.centred else (0.0, 0.0)
        x0, x1 = (min(max(round(x * scale - left), 0), width) for x in (box.x0, box.x1))
        y0, y1 = (min(max(round(y * scale - top), 0), height) for y in (box.y0, box.y1))
        return Box(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


class _ImageFolders:
    """Finds images by the names that the annotations use.

    Args:
        root: folder of the dataset; has ``img/`` or ``img_highres/`` in it, directly or in ``Img/``. Where it
            has both, ``img/`` is used.
        frame: the frame that boxes count in.

    Raises:
        DatasetError: there is no folder of images.
    """

    def __init__(self, root: Path, frame: Frame) -> None:
        self._frame = frame
        absolute = Path(os.path.abspath(root))  # noqa: PTH100 - links stay as the user wrote them
        # Those of the usual names first; then inner ones, since "Img" is "img" in another case.
        usual = [name for name in (*_LOW, *_HIGH, *_LAST) if (absolute / name).is_dir()]
        places = {f"{absolute}/{name}": name in _HIGH for name in usual}
        for name in (_LOW[1], _HIGH[1], _LOW[0], _HIGH[0]):
            found = find_below(absolute, name)
            if found is not None and found.is_dir():
                places.setdefault(str(found), name in _HIGH)
        if not places:
            raise DatasetError(
                f"no pictures in {root}: neither {_LOW[0]}/ nor {_HIGH[0]}/, directly or in Img/",
                hint="unpack img.zip (or img_highres.zip) there; docs/datasets.md says how to get it",
            )
        self._places = list(places.items())

    def find(self, entry: Listed) -> Record | str:
        """Makes the record of an entry; returns the path where its image should be if it is missing."""
        below = entry.file.removeprefix("img/")
        for place, is_high in self._places:
            for name in _spellings(below):
                path = f"{place}/{name}"
                if is_file(path):
                    box = self._scale(entry.box, path) if entry.box and is_high else entry.box
                    return Record(Listing.of(entry.product), path, entry.domain, box)
        return f"{self._places[0][0]}/{below}"

    def _scale(self, box: Box, path: str) -> Box | None:
        try:
            with open_image(path) as file, Image.open(file) as image:
                width, height = upright_size(image.size, exif_orientation(image.info.get("exif")))
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError):
            return None  # the decoder will report what is wrong with the image
        return self._frame.to_image(box, width, height)


class _Benchmark(ABC):
    """A benchmark: a partition file, a file of boxes, and folders of images. Stateless."""

    name: str
    splits: tuple[str, ...]
    _columns: ClassVar[tuple[str, ...]]
    _box_files: ClassVar[tuple[str, ...]]
    _box_columns: ClassVar[tuple[str, ...]]
    _n_box_kinds: ClassVar[int]
    _frame: ClassVar[Frame]
    _layout: ClassVar[str]
    _groups: ClassVar[dict[str, str]]

    def sniff(self, path: Path) -> int:
        """3 where the partition has the columns of this benchmark, else 0."""
        if not path.is_dir():
            return 0
        try:
            next(read_rows(find_file(path, _PARTITION), self._columns), None)
        except DatasetError:
            return 0
        return 3

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure | Missing]:
        """Lists every image once, in the order of the partition; see ``Importer``.

        Raises:
            DatasetError: no partition, no folder of images, or none of the images.

        Warns:
            DatasetWarning: there is no file of boxes.
        """
        find_file(path, _PARTITION)
        folders = _ImageFolders(path, self._frame)
        yield from find_images(self._listed_with_boxes(path, options), folders.find, str(path))

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """Number of images in the partition."""
        return sum(
            isinstance(entry, Listed) for entry in self._read_listing(path, options or ImportOptions())
        )

    @abstractmethod
    def _read_listing(self, path: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        """Reads the images of the partition that the options select, without boxes."""

    def _listed_with_boxes(self, path: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        """Yields failures for rows of boxes that cannot be read, then the listed images with their boxes."""
        present = [found for name in self._box_files if (found := find_below(path, name)) is not None]
        if not present:
            warnings.warn(
                f"no {self._box_files[0]} in {path}: pictures are taken whole, without boxes",
                DatasetWarning,
                stacklevel=2,
            )
            yield from self._read_listing(path, options)
            return
        boxes = yield from read_boxes(present[0], self._box_columns, self._n_box_kinds)
        for entry in self._read_listing(path, options):
            yield replace(entry, box=boxes.get(entry.file)) if isinstance(entry, Listed) else entry

    def _path_parts(self, name: str, item: str) -> tuple[str, str, str]:
        """Upper folder, lower folder and file name of an image, which is in the folder of its item."""
        _, upper, lower, folder, file_name = image_path_parts(name, 5, self._layout)
        if folder != item:
            raise BadEntry(f"the picture {name!r} is not in the folder of the item {item!r}")
        return upper, lower, file_name

    def _product(
        self, item: str, lower_folder: str, split: str, category: str, options: ImportOptions
    ) -> Product:
        return dataset_product(
            self.name,
            item,
            title=f"{title_from_name(lower_folder)} {item}",
            split=split,
            category=category,
            groups=self._groups,
            categories=options.categories,
        )


class ConsumerToShop(_Benchmark):
    """Reads the consumer-to-shop benchmark; see the module's text for its layout. Stateless."""

    name = "deepfashion-c2s"
    splits: tuple[str, ...] = ("train", "val", "test")
    _columns = ("image_pair_name_1", "image_pair_name_2", "item_id", "evaluation_status")
    _box_files = ("Anno/list_bbox_consumer2shop.txt", "list_bbox_consumer2shop.txt")
    _box_columns = ("image_name", "clothes_type", "source_type", "x_1", "y_1", "x_2", "y_2")
    _n_box_kinds = 2
    _frame = Frame(300, centred=False)
    _layout = "img/TOP/SUB/item/name.jpg"
    _groups = CONSUMER_TO_SHOP_GROUPS

    def _read_listing(self, path: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        selection = Selection(options)
        seen: set[int] = set()
        items = Items()
        for row in read_rows(find_file(path, _PARTITION), self._columns):
            if isinstance(row, Failure):
                yield row
                continue
            try:
                pair = self._pair(row, items, options)
            except BadEntry as error:
                yield Failure(row.place, str(error))
                continue
            for entry in pair:
                key = name_key(entry.file)
                split = entry.product.attributes["split"]
                if key not in seen and selection.takes([split], entry.domain):
                    seen.add(key)
                    yield entry

    def _pair(self, row: Row, items: Items, options: ImportOptions) -> list[Listed]:
        *names, item, status = row.cells
        if status not in self.splits:
            raise BadEntry(f"evaluation_status is one of {', '.join(self.splits)}. Received: {status!r}")
        paths = [self._path_parts(name, item) for name in names]
        domains = [_domain(name, file_name) for name, (_, _, file_name) in zip(names, paths, strict=True)]
        pair = []
        for name, (upper, lower, _), domain in zip(names, paths, domains, strict=True):
            split, category = items.first(row.place, item, status, f"{upper}/{lower}")
            product = self._product(item, lower, split, category, options)
            pair.append(Listed(product, name, domain, row.place))
        return pair


class InShop(_Benchmark):
    """Reads the in-shop benchmark; see the module's text for its layout. Stateless."""

    name = "deepfashion-inshop"
    splits: tuple[str, ...] = ("train", "test", "query", "gallery")
    _columns = ("image_name", "item_id", "evaluation_status")
    _box_files = ("Anno/list_bbox_inshop.txt", "list_bbox_inshop.txt")
    _box_columns = ("image_name", "clothes_type", "pose_type", "x_1", "y_1", "x_2", "y_2")
    _n_box_kinds = 6
    _frame = Frame(256, centred=True)
    _layout = "img/MEN or WOMEN/Category/item/name.jpg"
    _groups = IN_SHOP_GROUPS

    def _read_listing(self, path: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        selection = Selection(options)
        seen: dict[int, str] = {}
        items = Items()
        for row in read_rows(find_file(path, _PARTITION), self._columns):
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
        who, folder, _ = self._path_parts(name, item)
        split, category = items.first(row.place, item, _SPLIT_OF_STATUS[status], f"{who}/{folder}")
        product = self._product(item, folder, split, category, options)
        return Listed(product, name, Domain.CONSUMER if status == "query" else Domain.SHOP, row.place)


def _domain(name: str, file_name: str) -> Domain:
    if file_name.startswith(("comsumer", "consumer")):
        return Domain.CONSUMER
    if file_name.startswith("shop"):
        return Domain.SHOP
    raise BadEntry(f"a picture is called comsumer_NN or shop_NN. Received: {name!r}")


def _spellings(name: str) -> list[str]:
    for start, other in _SYNONYMS.items():
        if name.startswith(start):
            return [name, other + name.removeprefix(start)]
    return [name]
