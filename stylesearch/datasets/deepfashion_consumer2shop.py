"""DeepFashion, consumer-to-shop benchmark: consumers' photos, and the shops' pictures of the same items.

::

    Eval/list_eval_partition.txt       pairs of a consumer's photo and a shop's picture, with the split
    Anno/list_bbox_consumer2shop.txt   a box for each picture; without the file there are no boxes
    img/TOP/SUB/item/comsumer_01.jpg   or Img/img/, img_highres/, Img/img_highres/

Splits are ``train``, ``val`` and ``test``; an item is in one of them only. ``comsumer`` is how the dataset
spells it. The gallery of ``test`` is, by the README, the shop pictures of ``test``; others search those of
``val`` and ``test``: see :attr:`~stylesearch.catalog.importers.base.ImportOptions.gallery`.

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

__all__ = ["GROUPS", "ConsumerToShop"]

_PARTITION: Final = ("Eval/list_eval_partition.txt", "list_eval_partition.txt")
_COLUMNS: Final = ("image_pair_name_1", "image_pair_name_2", "item_id", "evaluation_status")
_BOXES: Final = ("Anno/list_bbox_consumer2shop.txt", "list_bbox_consumer2shop.txt")
_BOX_COLUMNS: Final = ("image_name", "clothes_type", "source_type", "x_1", "y_1", "x_2", "y_2")
_LAYOUT: Final = "img/TOP/SUB/item/name.jpg"

GROUPS: Final = {
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
        return 3 if knows_header(path, _PARTITION, _COLUMNS) else 0

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure | Missing]:
        """Every picture of the pairs once, in the order of the pairs; see :class:`Importer`.

        Raises:
            DatasetError: no partition, no folder of pictures, or none of the pictures.

        Warns:
            DatasetWarning: there is no file of boxes.
        """
        find_file(path, _PARTITION)
        pictures = DeepFashionPictures(path, Frame(300, centred=False))
        listed = with_boxes(self._listed(path, options), path, _BOXES, _BOX_COLUMNS, n_kinds=2)
        yield from located(listed, pictures.find, str(path))

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """How many pictures the pairs name."""
        return sum(isinstance(entry, Listed) for entry in self._listed(path, options or ImportOptions()))

    def _listed(self, path: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        selection = Selection(options)
        seen: set[int] = set()
        items = Items()
        for row in rows(find_file(path, _PARTITION), _COLUMNS):
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
        paths = [picture_parts(name, 5, _LAYOUT) for name in names]
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
                groups=GROUPS,
                categories=options.categories,
            )
            yield Listed(product, name, domain, row.place)


def _domain(name: str, file_name: str) -> Domain:
    if file_name.startswith(("comsumer", "consumer")):
        return Domain.CONSUMER
    if file_name.startswith("shop"):
        return Domain.SHOP
    raise BadEntry(f"a picture is called comsumer_NN or shop_NN. Received: {name!r}")
