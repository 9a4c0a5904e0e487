"""Reads a folder of images: ``category/product/picture.jpg`` and ``category/picture.jpg``, also mixed.

- A folder below a category is a product; all images in it, however deep, are of that product.
- An image directly in a category is a product by itself.
- An image directly in the given folder is a product too, in a category named after that folder. So a
  category's own folder can be given where its images lie directly in it; one with a folder for each
  product cannot: those would be taken for categories, and each of their images for a product.
- A product's id is its name (the folder's, or the image's without its extension) where no other product
  has it; else ``category/name``, and where that is not enough, ``category/file.ext``.
- Hidden files, leftovers of operating systems, and files that are plainly no images are skipped;
  everything else is listed: whether it is an image is for the decoder to say, by its content.
- Links are followed, but not into a folder that contains them.
"""

from __future__ import annotations

import os
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ImportOptions, title_from_name
from stylesearch.listing import UNCATEGORIZED, Listing, Record
from stylesearch.types import Failure

__all__ = [
    "File",
    "Folder",
    "FolderImporter",
    "Tree",
    "is_junk",
    "is_no_image",
    "is_text",
    "printable",
]

LAYOUT: Final = "expected category/product/picture.jpg or category/picture.jpg below it"

_LEFT_BEHIND: Final = frozenset(
    "#recycle $recycle.bin @eadir __macosx desktop.ini ehthumbs.db lost+found thumbs.db".split()  # noqa: SIM905
) | {"system volume information", "icon\r"}

_NO_IMAGES: Final = frozenset(
    """.txt .md .rst .csv .tsv .json .jsonl .ndjson .xml .yaml .yml .toml .ini .cfg .conf .html .htm .css .js
    .pdf .doc .docx .odt .rtf .xls .xlsx .ods .ppt .pptx .zip .gz .bz2 .xz .zst .7z .rar .tar .tgz .db .sqlite
    .sqlite3 .log .py .ipynb .sh .bat .cmd .exe .url .lnk .webloc .torrent .mp4 .m4v .mov .avi .mkv .webm .mpg
    .mpeg .wmv .mp3 .m4a .wav .ogg .npy .npz .parquet .pkl .pickle .h5 .keras .sha256 .sha1 .md5 .sig .asc
    .tmp .temp .part .crdownload .bak .lock""".split()  # noqa: SIM905
)

_TEXTS: Final = frozenset("authors changelog citation copying license licence makefile notice readme".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class File:
    """A regular file, or a link to one, in the folder with the path ``parent``."""

    parent: str
    name: str

    @property
    def path(self) -> str:
        """Absolute."""
        return f"{self.parent.rstrip('/')}/{self.name}"

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return os.path.splitext(self.name)[0]  # noqa: PTH122 - a name, not a path


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, or a link to one, in the folder with the path ``parent``."""

    parent: str
    name: str

    @property
    def path(self) -> str:
        """Absolute."""
        return f"{self.parent.rstrip('/')}/{self.name}"


class Tree:
    """Lists a folder and everything below it, in the order of the names (by code point).

    Attributes:
        root: the folder that is listed.

    Raises:
        DatasetError: its path is not valid text.
    """

    def __init__(self, path: Path) -> None:
        parent, name = os.path.split(os.path.abspath(path))  # noqa: PTH100 - links stay as the user wrote them
        self.root = Folder(parent, name)
        if not is_text(self.root.path):
            raise DatasetError(f"the path of the folder is not valid UTF-8: {printable(self.root.path)}")

    def entries(self, folder: Folder) -> Iterator[File | Folder | Failure]:
        """Lists what is directly in ``folder``, except junk and files that are no images."""
        path = folder.path
        try:
            with os.scandir(path) as listing:
                found = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            yield Failure(path, f"cannot list this folder: {error.strerror}")
            return
        for entry in found:
            if is_junk(entry.name):
                continue
            if not is_text(entry.name):
                yield Failure(printable(entry.path), "its name is not valid UTF-8: rename it")
                continue
            item = self._classify(entry, path)
            if not (isinstance(item, File) and is_no_image(item.name)):
                yield item

    def files(self, place: File | Folder) -> Iterator[File | Failure]:
        """Yields ``place`` itself if it is a file, else all files below it, at any depth."""
        if isinstance(place, File):
            yield place
            return
        followed: set[tuple[int, int]] = set()
        pending = [place]
        while pending:
            below: list[Folder] = []
            for entry in self.entries(pending.pop()):
                if not isinstance(entry, Folder):
                    yield entry
                elif self._is_first_visit(entry, followed):
                    below.append(entry)
            pending += reversed(below)

    def has_files(self, place: File | Folder) -> bool:
        """Whether there is any file in ``place``."""
        return any(isinstance(item, File) for item in self.files(place))

    def _classify(self, entry: os.DirEntry[str], parent: str) -> File | Folder | Failure:
        try:
            if entry.is_dir():
                if entry.is_symlink() and self._leads_back(entry.path):
                    return Failure(entry.path, "a link to a folder that contains it")
                return Folder(parent, entry.name)
            if entry.is_file():
                return File(parent, entry.name)
        except OSError as error:
            return Failure(entry.path, f"cannot look at it: {error.strerror}")
        if entry.is_symlink():
            return Failure(entry.path, "a link that leads nowhere")
        return Failure(entry.path, "neither a file nor a folder")

    def _leads_back(self, path: str) -> bool:
        """Whether a linked folder contains the link itself, on the way from the root or above it."""
        target = os.stat(path)  # noqa: PTH116 - of the folder that the link leads to
        above = [*Path(path).parents, *Path(os.path.realpath(self.root.path)).parents]
        return any(os.path.samestat(target, folder.stat()) for folder in above)

    def _is_first_visit(self, folder: Folder, followed: set[tuple[int, int]]) -> bool:
        """Whether a link leads to a new folder: links between a few folders can make endlessly many paths."""
        path = Path(folder.path)
        if not path.is_symlink():
            return True
        status = path.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in followed:
            return False
        followed.add(identity)
        return True


def is_junk(name: str) -> bool:
    """Whether a file or folder is hidden, or left behind by an operating system or an editor.

    Example:
        >>> [is_junk(name) for name in ("._a.jpg", "Thumbs.db", "__MACOSX", "a.jpg")]
        [True, True, True, False]
    """
    return name.startswith((".", "~$")) or name.lower() in _LEFT_BEHIND


def is_no_image(name: str) -> bool:
    """Whether a file is not an image, judging by its name.

    Example:
        >>> [is_no_image(name) for name in ("prices.CSV", "LICENSE", "photo", "a.jpg", "dress.v2")]
        [True, True, False, False, False]
    """
    stem, extension = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    return extension.lower() in _NO_IMAGES or (not extension and stem.lower() in _TEXTS)


def printable(path: str) -> str:
    r"""Escapes what is not text in a path.

    Example:
        >>> print(printable("caf\udce9.jpg"))
        caf\udce9.jpg
    """
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def is_text(name: str) -> bool:
    """Whether a name from the file system is valid text, as a database needs it.

    Names that are not UTF-8 reach Python with lone surrogates.
    """
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _FoundProduct:
    """A product in the tree, with its place and name."""

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
        """Lists every image below ``path``, in the order of the names; see ``Importer``.

        Raises:
            DatasetError: ``path`` is not a folder, or has no file that could be an image.
        """
        tree = _open_tree(path)
        repeated = _repeated_names(tree)
        empty = True
        for group in _products_by_category(tree):
            for found in group:
                if isinstance(found, Failure):
                    empty = False
                    yield found
                    continue
                product = _listing(found, found.name in repeated, tree)
                for item in tree.files(found.place):
                    empty = False
                    if isinstance(item, Failure):
                        yield item
                    else:
                        yield Record(product, item.path, options.domain)
        if empty:
            raise DatasetError(f"no pictures in {path}", hint=LAYOUT)

    def count(self, path: Path) -> int:
        """Number of images."""
        tree = _open_tree(path)
        return sum(1 for item in tree.files(tree.root) if isinstance(item, File))


class _RepeatedNames:
    """Hashes of names that more than one product has; eight bytes for each product."""

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


def _products_by_category(tree: Tree) -> Iterator[list[_FoundProduct | Failure]]:
    """Yields the products category by category; first those directly in the root."""
    categories: list[Folder] = []
    group: list[_FoundProduct | Failure] = []
    for entry in tree.entries(tree.root):
        if isinstance(entry, Folder):
            categories.append(entry)
        else:
            group.append(_find_product(entry, _category(tree.root)))
    yield group
    for category in categories:
        yield [_find_product(entry, _category(category)) for entry in tree.entries(category)]


def _find_product(entry: File | Folder | Failure, category: str) -> _FoundProduct | Failure:
    if isinstance(entry, Failure):
        return entry
    name = entry.name if isinstance(entry, Folder) else entry.stem
    return _FoundProduct(entry, category, unicodedata.normalize("NFC", name))


def _category(folder: Folder) -> str:
    return unicodedata.normalize("NFC", folder.name) or UNCATEGORIZED


def _repeated_names(tree: Tree) -> _RepeatedNames:
    return _RepeatedNames(
        found.name
        for group in _products_by_category(tree)
        for found in group
        if isinstance(found, _FoundProduct) and tree.has_files(found.place)
    )


def _listing(found: _FoundProduct, repeated: bool, tree: Tree) -> Listing:
    """Describes a product; a name that several have stands behind the category's in its id."""
    in_root = found.place.parent == tree.root.path
    category = "." if in_root else found.category
    names = [found.name, f"{category}/{found.name}"]
    if isinstance(found.place, File):
        names.append(f"{category}/{unicodedata.normalize('NFC', found.place.name)}")
    first, *others = names[1:] if repeated else names
    return Listing(
        first,
        {} if in_root else {"category": found.category},
        guesses={"title": title_from_name(found.name), "category": found.category},
        place=os.path.relpath(found.place.path, tree.root.path),
        other_ids=tuple(others),
    )


def _name_hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little")
