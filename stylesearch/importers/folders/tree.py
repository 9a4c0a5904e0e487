"""Lists a tree of folders: what is junk, what may be an image, links, and names in one Unicode form."""

from __future__ import annotations

import heapq
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final

from stylesearch.errors import DatasetError
from stylesearch.types import Failure

__all__ = ["File", "Folder", "Look", "Tree", "is_junk", "is_no_image", "is_text", "nfc", "printable"]

N_STEMS_KEPT: Final = 24
"""Names of images that a look at a folder keeps: the first ones."""

_LEFT_BEHIND: Final = frozenset(
    "#recycle $recycle.bin @eadir __macosx desktop.ini ehthumbs.db lost+found thumbs.db".split()  # noqa: SIM905
) | {"system volume information", "icon\r"}

_NO_IMAGES: Final = frozenset(
    """.txt .md .rst .csv .tsv .json .jsonl .ndjson .xml .yaml .yml .toml .ini .cfg .conf .html .htm .css .js
    .pdf .doc .docx .odt .rtf .xls .xlsx .ods .ppt .pptx .zip .gz .bz2 .xz .zst .7z .rar .tar .tgz .db .sqlite
    .sqlite3 .log .py .ipynb .sh .bat .cmd .exe .url .lnk .webloc .torrent .mp4 .m4v .mov .avi .mkv .webm .mpg
    .mpeg .wmv .mp3 .m4a .wav .ogg .npy .npz .parquet .pkl .pickle .h5 .keras .sha256 .sha1 .md5 .sig .asc
    .tmp .temp .part .crdownload .bak .lock .tab .php""".split()  # noqa: SIM905
)

_TEXTS: Final = frozenset("authors changelog citation copying license licence makefile notice readme".split())  # noqa: SIM905

# A smaller copy that WordPress and others keep beside an image: red-150x150.jpg, red-scaled.jpg.
_COPY: Final = re.compile(r"(?P<of>.+)-(?:[0-9]{2,5}x[0-9]{2,5}|scaled)")


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
        return _stem(self.name)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder, or a link to one, in the folder with the path ``parent``."""

    parent: str
    name: str

    @property
    def path(self) -> str:
        """Absolute."""
        return f"{self.parent.rstrip('/')}/{self.name}"


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the names in a folder shows.

    Attributes:
        n_images: number of files that may be images, without smaller copies of others.
        stems: the first names of these, without extensions, in NFC.
        folders: names of the folders in it, in NFC, sorted.
    """

    n_images: int
    stems: tuple[str, ...]
    folders: tuple[str, ...]


class Tree:
    """Lists a folder and everything below it, in the order of the names (by code point, in NFC).

    Folders whose names differ only in their Unicode form are one folder, so most methods take several.

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

    def entries(self, folders: Sequence[Folder]) -> Iterator[tuple[str, File | Folder | Failure]]:
        """Lists what is directly in ``folders``, with each name in NFC.

        Without junk, files that are no images, and smaller copies of images that are there.
        """
        if len(folders) == 1:
            return self._entries_of(folders[0])
        return heapq.merge(*map(self._entries_of, folders), key=itemgetter(0))

    def look(self, folders: Iterable[Folder]) -> Look:
        """Looks at the names that are directly in ``folders``; memory grows with the number of folders."""
        n_images = 0
        stems: list[str] = []
        below: set[str] = set()
        for folder in folders:
            try:
                with os.scandir(folder.path) as listing:
                    for entry in listing:
                        name = entry.name
                        if is_junk(name) or not is_text(name):
                            continue
                        if _is_folder(entry):
                            if not (entry.is_symlink() and self._leads_back(entry.path)):
                                below.add(nfc(name))
                        elif not is_no_image(name) and not _COPY.fullmatch(stem := _stem(name)):
                            n_images += 1
                            stems.append(nfc(stem))
                            if len(stems) > 50 * N_STEMS_KEPT:
                                stems = heapq.nsmallest(N_STEMS_KEPT, stems)
            except OSError:
                continue  # it is a failure when it is listed
        return Look(n_images, tuple(heapq.nsmallest(N_STEMS_KEPT, stems)), tuple(sorted(below)))

    def files(self, place: File | Folder) -> Iterator[File | Failure]:
        """Yields ``place`` itself if it is a file, else all files below it, at any depth."""
        if isinstance(place, File):
            yield place
            return
        followed: set[tuple[int, int]] = set()
        pending = [place]
        while pending:
            below: list[Folder] = []
            for _, entry in self._entries_of(pending.pop()):
                if not isinstance(entry, Folder):
                    yield entry
                elif self.is_first_visit(entry, followed):
                    below.append(entry)
            pending += reversed(below)

    def has_files(self, place: File | Folder) -> bool:
        """Whether there is any file in ``place``."""
        return any(isinstance(item, File) for item in self.files(place))

    def is_first_visit(self, folder: Folder, followed: set[tuple[int, int]]) -> bool:
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

    def _entries_of(self, folder: Folder) -> Iterator[tuple[str, File | Folder | Failure]]:
        path = folder.path
        # Of the many files the names alone: a folder may have millions.
        names: list[str] = []
        others: dict[str, Folder | Failure] = {}
        has_copies = False
        try:
            with os.scandir(path) as listing:
                for entry in listing:
                    name = entry.name
                    if is_junk(name):
                        continue
                    if not is_text(name):
                        others[name] = Failure(
                            printable(entry.path), "its name is not valid UTF-8: rename it"
                        )
                    elif (other := self._other_than_file(entry, path)) is not None:
                        others[name] = other
                    elif is_no_image(name):
                        continue
                    else:
                        has_copies = has_copies or _COPY.fullmatch(_stem(name)) is not None
                    names.append(name)
        except OSError as error:
            yield nfc(printable(folder.name)), Failure(path, f"cannot list this folder: {error.strerror}")
            return
        if has_copies:
            names = _without_copies(names, others)
        names.sort()
        if not all(map(str.isascii, names)):
            names.sort(key=nfc)
        for name in names:
            other = others.get(name)
            yield nfc(name), File(path, name) if other is None else other

    def _other_than_file(self, entry: os.DirEntry[str], parent: str) -> Folder | Failure | None:
        try:
            if entry.is_dir():
                if entry.is_symlink() and self._leads_back(entry.path):
                    return Failure(entry.path, "a link to a folder that contains it")
                return Folder(parent, entry.name)
            if entry.is_file():
                return None
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


def nfc(name: str) -> str:
    """A name in the composed Unicode form; names that differ only in form are the same name."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


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


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]  # noqa: PTH122 - a name, not a path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _without_copies(names: list[str], others: dict[str, Folder | Failure]) -> list[str]:
    """Leaves out smaller copies of images: ``red-150x150.jpg`` where there is a ``red.jpg``."""
    stems = {_stem(name) for name in names if name not in others}

    def is_copy(name: str) -> bool:
        stem = _stem(name)
        found = _COPY.fullmatch(stem) if name not in others else None
        # The large one is red-scaled.jpg itself where the picture that was uploaded is not kept.
        return found is not None and any(
            one in stems and one != stem for one in (found["of"], f"{found['of']}-scaled")
        )

    return [name for name in names if not is_copy(name)]
