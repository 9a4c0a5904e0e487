"""Walking a folder that somebody else has filled: in order, without junk, and out of every loop."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stylesearch.errors import DatasetError
from stylesearch.types import Failure

__all__ = ["File", "Folder", "Tree", "is_junk", "is_no_picture", "printable"]

_LEFT_BEHIND: Final = frozenset(
    "#recycle $recycle.bin @eadir __macosx desktop.ini ehthumbs.db lost+found thumbs.db".split()  # noqa: SIM905
) | {"system volume information", "icon\r"}

_NO_PICTURES: Final = frozenset(
    """.txt .md .rst .csv .tsv .json .jsonl .ndjson .xml .yaml .yml .toml .ini .cfg .conf .html .htm .css .js
    .pdf .doc .docx .odt .rtf .xls .xlsx .ods .ppt .pptx .zip .gz .bz2 .xz .zst .7z .rar .tar .tgz .db .sqlite
    .sqlite3 .log .py .ipynb .sh .bat .cmd .exe .url .lnk .webloc .torrent .mp4 .m4v .mov .avi .mkv .webm .mpg
    .mpeg .wmv .mp3 .m4a .wav .ogg .npy .npz .parquet .pkl .pickle .h5 .keras .sha256 .sha1 .md5 .sig .asc
    .tmp .temp .part .crdownload .bak .lock""".split()  # noqa: SIM905
)

_TEXTS: Final = frozenset("authors changelog citation copying license licence makefile notice readme".split())  # noqa: SIM905


@dataclass(frozen=True, slots=True)
class File:
    """A regular file, or a link to one; ``parent`` is the path of the folder that has it."""

    parent: str
    name: str

    @property
    def path(self) -> str:
        """Absolute."""
        return f"{self.parent.rstrip('/')}/{self.name}"

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return _split(self.name)[0]


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, or a link to one; ``parent`` is the path of the folder that has it."""

    parent: str
    name: str

    @property
    def path(self) -> str:
        """Absolute."""
        return f"{self.parent.rstrip('/')}/{self.name}"


class Tree:
    """A folder with all that is in it, listed in the order of the names (by code point).

    Attributes:
        root: the folder.

    Raises:
        DatasetError: its path is not valid text.
    """

    def __init__(self, path: Path) -> None:
        parent, name = os.path.split(os.path.abspath(path))  # noqa: PTH100 - links stay as the user wrote them
        self.root = Folder(parent, name)
        if not _is_text(self.root.path):
            raise DatasetError(f"the path of the folder is not valid UTF-8: {printable(self.root.path)}")

    def entries(self, folder: Folder) -> Iterator[File | Folder | Failure]:
        """What is directly in ``folder``, except junk and files that are no pictures."""
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
            if not _is_text(entry.name):
                yield Failure(printable(entry.path), "its name is not valid UTF-8: rename it")
                continue
            item = self._classify(entry, path)
            if not (isinstance(item, File) and is_no_picture(item.name)):
                yield item

    def files(self, place: File | Folder) -> Iterator[File | Failure]:
        """``place`` itself if it is a file, else all files below it, however deep."""
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
        """Whether a linked folder is one of those that lead to it, on the way from the root or above it."""
        target = os.stat(path)  # noqa: PTH116 - of the folder that the link leads to
        above = [*Path(path).parents, *Path(os.path.realpath(self.root.path)).parents]
        return any(os.path.samestat(target, folder.stat()) for folder in above)

    def _is_first_visit(self, folder: Folder, followed: set[tuple[int, int]]) -> bool:
        """Whether a link leads somewhere new: many links between a few folders make endlessly many paths."""
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


def is_no_picture(name: str) -> bool:
    """Whether a file is, by its name, plainly something else than a picture.

    Example:
        >>> [is_no_picture(name) for name in ("prices.CSV", "LICENSE", "photo", "a.jpg", "dress.v2")]
        [True, True, False, False, False]
    """
    stem, extension = _split(name)
    return extension.lower() in _NO_PICTURES or (not extension and stem.lower() in _TEXTS)


def printable(path: str) -> str:
    r"""A path with what is not text written as escapes.

    Example:
        >>> print(printable("caf\udce9.jpg"))
        caf\udce9.jpg
    """
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_text(name: str) -> bool:
    """File names that are not UTF-8 reach Python with lone surrogates, which no database stores."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _split(name: str) -> tuple[str, str]:
    return os.path.splitext(name)  # noqa: PTH122 - a name, not a path
