"""Exact Street2Shop: street photos with a box, and shop images of the same products, in 11 categories.

```text
meta/json/train_pairs_dresses.json      street photos of products, with boxes; test_pairs_... alike
meta/json/retrieval_dresses.json        shop images of products: the whole gallery
photos/000002847.jpg                    zero-filled to nine digits or not, any extension, any folder below
```

- Product numbers are unique within a category only: a product is a category and a number.
- A product's ``split`` is ``train`` or ``test`` if a street photo of that split shows it (``test`` if both
  do), else ``gallery``: such a product is only a wrong answer.
- Many images have vanished from the net since 2015: they are counted.
- A box without width or height (photo 8288 has one) is no box: the photo is taken whole. A photo that is
  listed twice for a product counts once, with its first box.

References:
    Hadi Kiapour, Han, Lazebnik, Berg, Berg: Where to Buy It: Matching Street Clothing Photos in Online
    Shops. ICCV 2015.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions, Missing
from stylesearch.importers.datasets.annotations import (
    BadEntry,
    Listed,
    Selection,
    array_entries,
    clip_box,
    find_images,
    number,
    whole_number,
)
from stylesearch.importers.datasets.categories import DRESS, LOWER, SKIRT, UPPER, dataset_product
from stylesearch.importers.folders.tree import is_junk, is_no_image, is_text
from stylesearch.importers.lookup import find_below
from stylesearch.listing import Listing, Record
from stylesearch.types import Box, Domain, Failure, Product

__all__ = [
    "GROUPS",
    "NumberedImages",
    "Street2Shop",
]

_MAX_DIGITS: Final = 18
_META: Final = ("meta/json", "json", "meta", ".")
_PHOTOS: Final = ("photos", "images")
_SIDES: Final = ("height", "left", "top", "width")

GROUPS: Final = {
    "dresses": DRESS,
    "skirts": SKIRT,
    "tops": UPPER,
    "outerwear": UPPER,
    "pants": LOWER,
    "leggings": LOWER,
}
"""The group of the dataset's own categories; bags, belts, eyewear, footwear and hats are in none."""


class NumberedImages:
    """Finds images by number, for any naming of a downloader: ``000002847.jpg``, ``dresses/2847.PNG``, ...

    The folders are listed once, at the first look-up. Four hundred thousand images take about 40 MB: the
    number of each, and a pattern that it shares with others.

    Args:
        folders: folders that may have images, the usual one first.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = [os.path.abspath(folder) for folder in folders]  # noqa: PTH100 - links stay
        self._patterns: dict[int, str] | None = None

    def find(self, number: int) -> str | None:
        """Finds the path of an image; None if it is missing. Of two with one number the first by name counts.

        Raises:
            DatasetError: there is no folder.
        """
        if self._patterns is None:
            self._patterns = self._list()
        pattern = self._patterns.get(number)
        if pattern is None:
            return None
        before, width, after = pattern.split("\0")
        return f"{before}{number:0{width}d}{after}"

    def usual_path(self, number: int) -> str:
        """Path that an image has by the dataset's naming."""
        return f"{self._folders[0]}/{number:09d}.jpg"

    def _list(self) -> dict[int, str]:
        folders = [folder for folder in self._folders if os.path.isdir(folder)]  # noqa: PTH112
        if not folders:
            raise DatasetError(
                f"no folder of pictures: {self._folders[0]}",
                hint="download the pictures that photos/photos.txt lists; docs/datasets.md says more",
            )
        found: dict[int, str] = {}
        shared: dict[str, str] = {}
        for folder in folders:
            for parent, below, names in os.walk(folder):
                below[:] = sorted(name for name in below if not is_junk(name) and is_text(name))
                for name in sorted(names):
                    stem, extension = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
                    if _is_number(stem) and not is_junk(name) and not is_no_image(name):
                        pattern = f"{parent}/\0{len(stem)}\0{extension}"
                        found.setdefault(int(stem), shared.setdefault(pattern, pattern))
        return found


def _is_number(stem: str) -> bool:
    return stem.isascii() and stem.isdigit() and len(stem) <= _MAX_DIGITS


class Street2Shop:
    """Reads the dataset; see the module's text for its layout. Stateless."""

    name = "street2shop"
    splits: tuple[str, ...] = ("train", "test", "gallery")

    def sniff(self, path: Path) -> int:
        """3 where there are files of pairs or of shop images, else 0."""
        return 3 if path.is_dir() and _meta_folder(path) is not None else 0

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure | Missing]:
        """Lists category by category, first the street photos, then the shop images; see ``Importer``.

        Raises:
            DatasetError: no annotations, no folder of images, or none of the images.
        """
        listed = self._read_listing(_meta_folder_or_error(path), options)
        numbered = NumberedImages([find_below(path, name) or path / name for name in _PHOTOS])

        def find(entry: Listed) -> Record | str:
            found = numbered.find(int(entry.file))
            if found is None:
                return numbered.usual_path(int(entry.file))
            return Record(Listing.of(entry.product), found, entry.domain, entry.box)

        yield from find_images(listed, find, str(path))

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """Number of images of products in the annotations."""
        listed = self._read_listing(_meta_folder_or_error(path), options or ImportOptions())
        return sum(isinstance(entry, Listed) for entry in listed)

    def _read_listing(self, meta: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        for category in _categories(meta):
            yield from _Category(self.name, meta, category, options).read_listing()


class _Category:
    """Reads one category: its street photos are kept in memory, its shop images are not."""

    def __init__(self, dataset: str, meta: Path, name: str, options: ImportOptions) -> None:
        self._dataset = dataset
        self._meta = meta
        self._name = name
        self._options = options
        self._selection = Selection(options)
        self._split_of: dict[int, str] = {}

    def read_listing(self) -> Iterator[Listed | Failure]:
        pairs: dict[tuple[int, int], tuple[str, Box | None]] = {}
        for split in ("train", "test"):
            for place, entry in self._entries(f"{split}_pairs_{self._name}.json"):
                if isinstance(entry, Failure):
                    yield entry
                    continue
                try:
                    photo, product = _photo_and_product(entry)
                    box = _box(entry.get("bbox"))
                except BadEntry as error:
                    yield Failure(place, str(error))
                    continue
                self._split_of[product] = split
                pairs.setdefault((product, photo), (place, box))
        for (product, photo), (place, box) in pairs.items():
            yield from self._list(product, photo, Domain.CONSUMER, place, box)
        seen: set[tuple[int, int]] = set()
        for place, entry in self._entries(f"retrieval_{self._name}.json"):
            if isinstance(entry, Failure):
                yield entry
                continue
            try:
                photo, product = _photo_and_product(entry)
            except BadEntry as error:
                yield Failure(place, str(error))
                continue
            if (product, photo) in pairs:
                yield Failure(place, f"photo {photo} is a street photo of the product {product} too")
            elif (product, photo) not in seen:
                seen.add((product, photo))
                yield from self._list(product, photo, Domain.SHOP, place, None)

    def _entries(self, file_name: str) -> Iterator[tuple[str, Any]]:
        path = self._meta / file_name
        if not path.is_file():
            yield "", Failure(str(path), "no such file, so this side of the category is not there")
            return
        for found in array_entries(path):
            yield ("", found) if isinstance(found, Failure) else found

    def _list(self, number: int, photo: int, domain: Domain, place: str, box: Box | None) -> Iterator[Listed]:
        split = self._split_of.get(number, "gallery")
        if self._selection.takes([split], domain):
            yield Listed(self._product(number, split), str(photo), domain, place, box)

    def _product(self, number: int, split: str) -> Product:
        return dataset_product(
            self._dataset,
            f"{self._name}/{number}",
            title=f"{self._name.capitalize()} {number}",
            split=split,
            category=self._name,
            groups=GROUPS,
            categories=self._options.categories,
        )


def _photo_and_product(entry: Any) -> tuple[int, int]:
    if not isinstance(entry, dict):
        raise BadEntry(f"an entry has a photo and a product. Received: {entry!r:.60}")
    return whole_number("photo", entry.get("photo")), whole_number("product", entry.get("product"))


def _box(value: Any) -> Box | None:
    """Reads the box of a street photo; None where there is none, or it is incomplete."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise BadEntry(f"bbox has {', '.join(_SIDES)}. Received: {value!r:.60}")
    if any(value.get(side) is None for side in _SIDES):
        return None
    height, left, top, width = (number(side, value[side]) for side in _SIDES)
    return clip_box(left, top, left + width, top + height)


def _meta_folder(root: Path) -> Path | None:
    for name in _META:
        found = root if name == "." else find_below(root, name)
        if found is not None and _categories(found):
            return found
    return None


def _meta_folder_or_error(root: Path) -> Path:
    found = _meta_folder(root)
    if found is None:
        raise DatasetError(
            f"no {_META[0]}/retrieval_CATEGORY.json in {root}",
            hint="give the folder that has meta/ and photos/ in it; docs/datasets.md says what goes where",
        )
    return found


def _categories(meta: Path) -> list[str]:
    """Names of categories with a file of shop images or of test pairs, sorted."""
    if not meta.is_dir():
        return []
    found = set()
    for name in os.listdir(meta):  # noqa: PTH208 - names are all that is wanted
        for start in ("retrieval_", "test_pairs_"):
            if name.startswith(start) and name.endswith(".json") and is_text(name):
                found.add(name.removeprefix(start).removesuffix(".json"))
    return sorted(found)
