"""DeepFashion2: images by shops and by consumers, each with several garments and a box for each.

```text
train/annos/000001.json        train/image/000001.jpg
validation/annos/000001.json   validation/image/000001.jpg
```

Splits are ``train`` and ``validation``: of the test part only images are published.

- A product is (pair_id, style, category_id) within a split, with a style above 0. An image with three
  garments is an image of three products, with the box of each.
- Style 0 has no counterpart. In a shop's image it is something to be confused with, a product of its own
  (as in the benchmark, whose galleries are every garment of the shops' images); in a consumer's photo it
  could only be a query without an answer, and is left out.
- Of two boxes for one product in one image the larger counts.

References:
    Ge, Zhang, Wu, Wang, Tang, Luo: DeepFashion2: A Versatile Benchmark for Detection, Pose Estimation,
    Segmentation and Re-Identification of Clothing Images. CVPR 2019.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions, Missing
from stylesearch.importers.datasets.annotations import (
    BadEntry,
    Listed,
    Selection,
    clip_box,
    find_images,
    is_file,
    number,
    read_text,
    whole_number,
)
from stylesearch.importers.datasets.categories import DRESS, LOWER, SKIRT, UPPER, dataset_product
from stylesearch.importers.folders.tree import is_junk, is_text
from stylesearch.importers.lookup import find_below
from stylesearch.listing import Listing, Record
from stylesearch.types import Box, Domain, Failure, Product

__all__ = ["CATEGORIES", "GROUPS", "DeepFashion2"]

CATEGORIES: Final = (
    "short sleeve top",
    "long sleeve top",
    "short sleeve outwear",
    "long sleeve outwear",
    "vest",
    "sling",
    "shorts",
    "trousers",
    "skirt",
    "short sleeve dress",
    "long sleeve dress",
    "vest dress",
    "sling dress",
)
"""The dataset's own categories; ``category_id`` counts from 1."""

GROUPS: Final = {
    **dict.fromkeys(CATEGORIES[:6], UPPER),
    **dict.fromkeys(CATEGORIES[6:8], LOWER),
    "skirt": SKIRT,
    **dict.fromkeys(CATEGORIES[9:], DRESS),
}
"""The group of each category, as in ``stylesearch.importers.datasets.categories``."""

_DOMAINS: Final = {"user": Domain.CONSUMER, "shop": Domain.SHOP}
_EXTENSIONS: Final = (".jpg", ".jpeg", ".png")
_N_SAMPLED: Final = 100
# Valid names of items, which become part of an id.
_ITEM_NAME: Final = re.compile(r"[\w-]{1,40}")


class DeepFashion2:
    """Reads the dataset; see the module's text for its layout. Stateless."""

    name = "deepfashion2"
    splits: tuple[str, ...] = ("train", "validation")

    def sniff(self, path: Path) -> int:
        """3 where ``annos/`` and ``image/`` are side by side in a split, else 0."""
        parts = [[_part(path, split, name) for name in ("annos", "image")] for split in self.splits]
        return 3 if any(annos.is_dir() and images.is_dir() for annos, images in parts) else 0

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure | Missing]:
        """Lists every garment of every image, in the order of splits and file names; see ``Importer``.

        Raises:
            DatasetError: no annotations, or none of the images.
        """
        self._check(path)
        root = path.absolute()
        folders = {split: str(_part(root, split, "image")) for split in self.splits}

        def find(entry: Listed) -> Record | str:
            split, _, stem = entry.file.partition("/")
            for extension in _EXTENSIONS:
                file = f"{folders[split]}/{stem}{extension}"
                if is_file(file):
                    return Record(Listing.of(entry.product), file, entry.domain, entry.box)
            return f"{folders[split]}/{stem}{_EXTENSIONS[0]}"

        yield from find_images(self._read_listing(path, options), find, str(path))

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """Estimates the number of garments from a hundred of the files."""
        self._check(path)
        chosen = options or ImportOptions()
        folders = {split: _part(path, split, "annos") for split in self.splits}
        files = [(split, file) for split, folder in folders.items() for file in _annotations(folder)]
        sample = files[:: max(len(files) // _N_SAMPLED, 1)]
        found = sum(
            isinstance(entry, Listed)
            for split, file in sample
            for entry in self._garments_of_file(folders[split], split, file, chosen)
        )
        return round(found * len(files) / max(len(sample), 1))

    def _check(self, path: Path) -> None:
        if not any(_part(path, split, "annos").is_dir() for split in self.splits):
            raise DatasetError(
                f"no train/annos/ and no validation/annos/ in {path}",
                hint="give the folder that has train/ in it; docs/datasets.md says what goes where",
            )

    def _read_listing(self, path: Path, options: ImportOptions) -> Iterator[Listed | Failure]:
        selection = Selection(options)
        for split in self.splits:
            if selection.takes([split], Domain.SHOP) or selection.takes([split], Domain.CONSUMER):
                folder = _part(path, split, "annos")
                for file in _annotations(folder):
                    yield from self._garments_of_file(folder, split, file, options)

    def _garments_of_file(
        self, folder: Path, split: str, file_name: str, options: ImportOptions
    ) -> Iterator[Listed | Failure]:
        file = folder / file_name
        found = _read_object(file)
        if isinstance(found, Failure):
            yield found
            return
        text, content = found
        try:
            domain = _domain(content.get("source"))
            pair = whole_number("pair_id", content.get("pair_id"))
        except BadEntry as error:
            yield Failure(f"{file}:1", str(error))
            return
        if not Selection(options).takes([split], domain):
            return
        stem = file_name.removesuffix(".json")
        largest: dict[str, tuple[Product, Box, str]] = {}
        for key, item in content.items():
            if key in ("source", "pair_id"):
                continue
            place = f"{file}:{_line_of(key, text)}"
            try:
                if not _ITEM_NAME.fullmatch(key):
                    raise BadEntry("an item is called item1, item2, ...")
                style, category, box = _garment(item)
            except BadEntry as error:
                yield Failure(place, f"{key!r:.40}: {error}")
                continue
            if style == 0 and domain is Domain.CONSUMER:
                continue
            product_id = f"{split}/{pair}/{style}/{category}" + (f"/{stem}-{key}" if style == 0 else "")
            before = largest.get(product_id)
            if before is None or _area(box) > _area(before[1]):
                largest[product_id] = self._product(product_id, split, category, options), box, place
        for product, box, place in largest.values():
            yield Listed(product, f"{split}/{stem}", domain, place, box)

    def _product(self, product_id: str, split: str, category: int, options: ImportOptions) -> Product:
        name = CATEGORIES[category - 1]
        return dataset_product(
            self.name,
            product_id,
            title=f"{name.capitalize()} {product_id}",
            split=split,
            category=name,
            groups=GROUPS,
            categories=options.categories,
        )


def _part(root: Path, split: str, name: str) -> Path:
    """A folder of a split, whatever the case of its letters; where it should be if there is none."""
    return find_below(root, f"{split}/{name}") or root / split / name


def _annotations(folder: Path) -> list[str]:
    """Names of the annotation files in a folder, sorted."""
    if not folder.is_dir():
        return []
    names = os.listdir(folder)  # noqa: PTH208 - 190,000 of them: no Path for each
    return sorted(name for name in names if name.endswith(".json") and not is_junk(name) and is_text(name))


def _read_object(file: Path) -> tuple[str, dict[str, Any]] | Failure:
    """Reads a file's text and the object in it; or returns a failure with the place and reason."""
    text = read_text(file)
    if isinstance(text, Failure):
        return text
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        return Failure(f"{file}:{error.lineno}", f"not JSON: {error.msg} (column {error.colno})")
    except (ValueError, RecursionError) as error:
        return Failure(f"{file}:1", f"not JSON that can be read: {error}")
    if not isinstance(content, dict):
        return Failure(f"{file}:1", "not an object with source, pair_id and items")
    return text, content


def _domain(source: object) -> Domain:
    if not isinstance(source, str) or source not in _DOMAINS:
        raise BadEntry(f"source is {' or '.join(_DOMAINS)}. Received: {source!r:.60}")
    return _DOMAINS[source]


def _garment(item: Any) -> tuple[int, int, Box]:
    """Reads style, category_id and box of a garment."""
    if not isinstance(item, dict):
        raise BadEntry(f"an item is an object. Received: {item!r:.60}")
    style = whole_number("style", item.get("style"))
    category = whole_number("category_id", item.get("category_id"))
    if not 1 <= category <= len(CATEGORIES):
        raise BadEntry(f"category_id is 1 to {len(CATEGORIES)}. Received: {category}")
    corners = item.get("bounding_box")
    if not isinstance(corners, list) or len(corners) != 4:
        raise BadEntry(f"bounding_box is [x1, y1, x2, y2]. Received: {corners!r:.60}")
    x0, y0, x1, y1 = (number("a corner", corner) for corner in corners)
    return style, category, clip_box(x0, y0, x1, y1)


def _area(box: Box) -> int:
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def _line_of(key: str, text: str) -> int:
    return text.count("\n", 0, max(text.find(json.dumps(key)), 0)) + 1
