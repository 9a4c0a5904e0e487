"""DeepFashion, in-shop benchmark: several pictures of each item, all of them by the shop.

::

    Eval/list_eval_partition.txt                     each picture with its item: train, query or gallery
    Anno/list_bbox_inshop.txt                        a box for each picture; without it there are no boxes
    img/WOMEN/Category/item/01_1_front.jpg           or Img/img/, img_highres/, Img/img_highres/

Items of ``query`` and ``gallery`` pictures are those of the test: their ``split`` is ``test``, and pictures
can be chosen by either name. The catalog knows of each picture who took it and not what it is searched for,
so **query pictures are filed as consumers' photos**: they are searched with and never searched in. The other
reading, that all are the shop's, would put each query into its own gallery.

References:
    Liu, Luo, Qiu, Wang, Tang: DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
    Annotations. CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from stylesearch.catalog.importers.base import ImportOptions, Missing, readable
from stylesearch.datasets.annotations import Row, find_file, name_key, picture_parts, rows
from stylesearch.datasets.deepfashion_boxes import knows_header, with_boxes
from stylesearch.datasets.deepfashion_pictures import DeepFashionPictures, Frame
from stylesearch.datasets.groups import DRESS, LOWER, SKIRT, UPPER, dataset_product
from stylesearch.datasets.items import Items
from stylesearch.datasets.listing import BadEntry, Listed, Selection, located
from stylesearch.types import Domain, Failure, Record

__all__ = ["GROUPS", "InShop"]

_PARTITION: Final = ("Eval/list_eval_partition.txt", "list_eval_partition.txt")
_COLUMNS: Final = ("image_name", "item_id", "evaluation_status")
_BOXES: Final = ("Anno/list_bbox_inshop.txt", "list_bbox_inshop.txt")
_BOX_COLUMNS: Final = ("image_name", "clothes_type", "pose_type", "x_1", "y_1", "x_2", "y_2")
_LAYOUT: Final = "img/MEN or WOMEN/Category/item/name.jpg"
_SPLIT_OF_STATUS: Final = {"train": "train", "query": "test", "gallery": "test"}

_UPPER: Final = (
    "Blouses_Shirts Cardigans Graphic_Tees Jackets_Coats Jackets_Vests Shirts_Polos Sweaters "
    "Sweatshirts_Hoodies Tees_Tanks"
)
GROUPS: Final = {
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
        return 3 if knows_header(path, _PARTITION, _COLUMNS) else 0

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure | Missing]:
        """Every picture, in the order of the partition; see :class:`Importer`.

        Raises:
            DatasetError: no partition, no folder of pictures, or none of the pictures.

        Warns:
            DatasetWarning: there is no file of boxes.
        """
        find_file(path, _PARTITION)
        pictures = DeepFashionPictures(path, Frame(256, centred=True))
        listed = with_boxes(self._listed(path, options), path, _BOXES, _BOX_COLUMNS, n_kinds=6)
        yield from located(listed, pictures.find, str(path))

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """How many pictures the partition names."""
        return sum(isinstance(entry, Listed) for entry in self._listed(path, options or ImportOptions()))

    def _listed(self, path: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        selection = Selection(options)
        seen: dict[int, str] = {}
        items = Items()
        for row in rows(find_file(path, _PARTITION), _COLUMNS):
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
        _, who, folder, its_item, _ = picture_parts(name, 5, _LAYOUT)
        if its_item != item:
            raise BadEntry(f"the picture {name!r} is not in the folder of the item {item!r}")
        split, category = items.first(row.place, item, _SPLIT_OF_STATUS[status], f"{who}/{folder}")
        product = dataset_product(
            self.name,
            item,
            title=f"{readable(folder)} {item}",
            split=split,
            category=category,
            groups=GROUPS,
            categories=options.categories,
        )
        return Listed(product, name, Domain.CONSUMER if status == "query" else Domain.SHOP, row.place)
