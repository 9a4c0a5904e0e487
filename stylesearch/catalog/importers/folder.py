"""A folder of pictures: ``category/product/picture.jpg`` and ``category/picture.jpg``, also mixed.

- A folder below a category is a product; all pictures in it, however deep, are of that product.
- A picture directly in a category is a product by itself.
- A picture directly in the given folder is a product too, in a category named after that folder. So a
  category's own folder can be given where its pictures lie directly in it; one with a folder for each
  product cannot: those would be taken for categories, and each of their pictures for a product.
- A product's id is its name (the folder's, or the picture's without its extension) where no other product
  has it; else ``category/name``, and where that is not enough, ``category/file.ext``.
- Hidden files, what operating systems leave behind, and files that are plainly no pictures are passed over;
  everything else is listed: whether it is a picture is for the decoder to say, by its content.
- Links are followed, but not into a folder that contains them.
"""

from __future__ import annotations

import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np

from stylesearch.catalog.importers.base import UNCATEGORIZED, ImportOptions, readable
from stylesearch.catalog.importers.tree import File, Folder, Tree
from stylesearch.errors import DatasetError
from stylesearch.types import Failure, Product, Record

__all__ = ["FolderImporter"]

LAYOUT: Final = "expected category/product/picture.jpg or category/picture.jpg below it"


@dataclass(frozen=True, slots=True)
class _Found:
    """A product in the tree: where it is, and what it is called."""

    place: File | Folder
    category: str
    name: str


class FolderImporter:
    """Reads a folder; see the module's text for the layout. Stateless."""

    name = "folder"

    def sniff(self, path: Path) -> int:
        """2 for any folder."""
        return 2 if path.is_dir() else 0

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure]:
        """Every picture below ``path``, in the order of the names; see :class:`Importer`.

        Raises:
            DatasetError: not a folder, or nothing in it that could be a picture.
        """
        tree = _open_tree(path)
        repeated = _repeated_names(tree)
        empty = True
        for group in _groups(tree):
            here = Counter(found.name for found in group if isinstance(found, _Found))
            for found in group:
                if isinstance(found, Failure):
                    empty = False
                    yield found
                    continue
                product = Product(
                    id=_product_id(found, found.name in repeated, here[found.name] > 1, tree),
                    title=readable(found.name),
                    category=found.category,
                )
                for item in tree.files(found.place):
                    empty = False
                    if isinstance(item, Failure):
                        yield item
                    else:
                        yield Record(product, item.path, options.domain)
        if empty:
            raise DatasetError(f"no pictures in {path}", hint=LAYOUT)

    def count(self, path: Path) -> int:
        """How many pictures there are."""
        tree = _open_tree(path)
        return sum(1 for item in tree.files(tree.root) if isinstance(item, File))


class _RepeatedNames:
    """The names that more than one product has, kept as hashes: eight bytes for each product."""

    def __init__(self, names: Iterable[str]) -> None:
        hashes = array("Q", map(_name_hash, names))
        values, counts = np.unique(np.frombuffer(hashes, np.uint64), return_counts=True)
        self._repeated = set(values[counts > 1].tolist())

    def __contains__(self, name: str) -> bool:
        return bool(self._repeated) and _name_hash(name) in self._repeated


def _open_tree(path: Path) -> Tree:
    if not path.is_dir():
        raise DatasetError(f"not a folder: {path}", hint=LAYOUT)
    return Tree(path)


def _groups(tree: Tree) -> Iterator[list[_Found | Failure]]:
    """The products of one category after the other; first those directly in the root."""
    categories: list[Folder] = []
    group: list[_Found | Failure] = []
    for entry in tree.entries(tree.root):
        if isinstance(entry, Folder):
            categories.append(entry)
        else:
            group.append(_found(entry, _category(tree.root)))
    yield group
    for category in categories:
        yield [_found(entry, _category(category)) for entry in tree.entries(category)]


def _found(entry: File | Folder | Failure, category: str) -> _Found | Failure:
    if isinstance(entry, Failure):
        return entry
    name = entry.name if isinstance(entry, Folder) else entry.stem
    return _Found(entry, category, unicodedata.normalize("NFC", name))


def _category(folder: Folder) -> str:
    return unicodedata.normalize("NFC", folder.name) or UNCATEGORIZED


def _repeated_names(tree: Tree) -> _RepeatedNames:
    return _RepeatedNames(
        found.name
        for group in _groups(tree)
        for found in group
        if isinstance(found, _Found) and tree.has_files(found.place)
    )


def _product_id(found: _Found, repeated: bool, repeated_here: bool, tree: Tree) -> str:
    if not repeated:
        return found.name
    in_root = found.place.parent == tree.root.path
    category = "." if in_root else found.category
    if repeated_here and isinstance(found.place, File):
        return f"{category}/{unicodedata.normalize('NFC', found.place.name)}"
    return f"{category}/{found.name}"


def _name_hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
