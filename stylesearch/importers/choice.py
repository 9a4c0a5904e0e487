"""Chooses the importer for a source: a table, a dataset, or a folder, which may hold one of these."""

from __future__ import annotations

import itertools
import os
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from stylesearch.errors import DatasetError
from stylesearch.importers import IMPORTERS, possible_formats
from stylesearch.importers.base import (
    AUTO,
    Importer,
    ImportOptions,
    Listed,
    Note,
    SplitImporter,
    count_listed,
)
from stylesearch.importers.folders.tree import is_junk, is_text
from stylesearch.importers.lookup import N_NAMES_READ
from stylesearch.importers.other_files import explain_other_file, explain_url

__all__ = ["choose_importer"]

FOLDER: Final = "folder"
_TABLES: Final = (".csv", ".tsv", ".tab", ".txt", ".xlsx", ".xml")
N_TABLES_READ: Final = 20
"""Tables in a folder that are looked into: those with the most telling names."""
N_FOLDERS_READ: Final = 50
"""Folders in a folder that may be a dataset."""

_PARTS_OF_DATASETS: Final = frozenset(
    "anno annos eval image images img img_highres meta photos train validation".split()  # noqa: SIM905
)

_CERTAIN: Final = 2
_SPECIFIC: Final = 3


def choose_importer(path: str | os.PathLike[str], format: str = AUTO) -> Importer:
    """Chooses the importer for ``path``.

    A folder that holds a table of products, or is or holds a dataset, is read by that; a note says so.

    Args:
        path: path of the source.
        format: a name in ``stylesearch.importers.IMPORTERS``, or ``"auto"`` to inspect the source.

    Raises:
        DatasetError: the path does not exist, no importer can read it, or it holds several sources.
        UnknownName: no such format.
    """
    place = Path(path)
    named = None if format == AUTO else IMPORTERS[format]
    if not place.exists():
        if error := explain_url(place):
            raise error
        raise DatasetError(f"nothing is at {place}", hint="give a folder with pictures, or a CSV file")
    if named is None:
        return _found_in(place) if place.is_dir() else _best(place, possible_formats(place))
    importer: Importer = IMPORTERS.load(format)()
    if place.is_dir() and named.reads_file:
        return _table_in(place, [format]) or importer
    if place.is_dir() and named.markers and not importer.sniff(place):
        return _dataset_below(place, [format]) or importer
    return importer


class _Within:
    """Reads a source that lies in a folder with an importer.

    Args:
        importer: reads the source.
        below: path of the source, relative to the folder.
        notes: what the user should know.
    """

    def __init__(self, importer: Importer, below: str, notes: tuple[str, ...]) -> None:
        self.name = importer.name
        self._importer = importer
        self._below = below
        self._notes = notes

    def sniff(self, path: Path) -> int:
        """As the importer rates the source in the folder."""
        return self._importer.sniff(path / self._below)

    def records(self, path: Path, options: ImportOptions) -> Iterator[Listed]:
        """Lists the notes, and what the importer lists; see ``Importer``."""
        yield from map(Note, self._notes)
        yield from self._importer.records(path / self._below, options)

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """As the importer estimates it."""
        return count_listed(self._importer, path / self._below, options or ImportOptions())


class _DatasetWithin(_Within):
    """Reads a dataset that lies in a folder."""

    def __init__(self, importer: SplitImporter, below: str, notes: tuple[str, ...]) -> None:
        super().__init__(importer, below, notes)
        self.splits = importer.splits


def _found_in(place: Path) -> Importer:
    """The importer of what a folder is, or holds."""
    formats = list(possible_formats(place))
    importer = _best(place, formats)
    if importer.name != FOLDER:
        return importer
    tables = [name for name, entry in IMPORTERS.items() if entry.reads_file]
    datasets = [name for name, entry in IMPORTERS.items() if entry.markers]
    _refuse_part(place.absolute(), datasets)
    found = _table_in(place, tables) or _dataset_below(place, datasets)
    if found is not None or not (unread := _unread_tables(place)):
        return found or importer
    note = (
        f"took the pictures in the folder, and did not read {', '.join(unread)}: no column of images: "
        f"if it lists products, say which column is what: {_command(place / unread[0])} --map image=COLUMN"
    )
    # A table or a dataset does without it.
    from stylesearch.importers.folders.importer import FolderImporter

    return FolderImporter((note,))


def _best(place: Path, formats: Iterable[str]) -> Importer:
    candidates: list[Importer] = [IMPORTERS.load(name)() for name in formats]
    scores = [importer.sniff(place) for importer in candidates]
    if max(scores, default=0) == 0:
        if place.is_file() and (error := explain_other_file(place)):
            raise error
        raise DatasetError(
            f"cannot tell what kind of source {place} is",
            hint="give a folder, or a CSV file with a header; or say which it is: "
            f"--format with one of {', '.join(IMPORTERS)}",
        )
    return candidates[scores.index(max(scores))]


def _table_in(folder: Path, formats: list[str]) -> Importer | None:
    """The importer of the table of products in a folder, or None where it holds no table of images.

    Raises:
        DatasetError: several tables could be it.
    """
    found: list[tuple[int, str, Importer]] = []
    for name in _tables_by_rank(folder):
        candidates: list[Importer] = [IMPORTERS.load(one)() for one in formats]
        scores = [importer.sniff(folder / name) for importer in candidates]
        best = max(scores)
        # What is called products.csv is the table, whatever its columns: its importer says what they lack.
        if best >= _CERTAIN or (best and _rank(name) == _RANKS[0]):
            found.append((_rank(name) if best >= _CERTAIN else 0, name, candidates[scores.index(best)]))
    if not found:
        return None
    rank = max(rank for rank, _, _ in found)
    first, *others = [(name, importer) for one, name, importer in found if one == rank]
    if others:
        names = [first[0], *(name for name, _ in others)]
        raise DatasetError(
            f"{folder} holds {len(names)} tables of products: {', '.join(names)}",
            hint=f"say which: {', or '.join(_command(folder / name) for name in names)}; "
            f"or for the pictures alone: {_command(folder)} --format folder",
        )
    name, importer = first
    notes = [f"took the table {name} in the folder; for the folder's pictures alone: --format folder"]
    if rest := [_command(folder / other) for _, other, _ in found if other != name]:
        notes.append(f"another table lies beside it, which was not read: {', '.join(rest)}")
    return _Within(importer, name, tuple(notes))


def _refuse_part(folder: Path, formats: list[str]) -> None:
    """Refuses a folder that is a part of a dataset: ``img``, whose products are listed beside it."""
    if folder.name.casefold() not in _PARTS_OF_DATASETS:
        return
    whole = folder.parent
    for name in formats:
        if IMPORTERS[name].may_read(whole) and IMPORTERS.load(name)().sniff(whole) >= _SPECIFIC:
            raise DatasetError(
                f"{folder} is a part of the dataset {name}",
                hint=f"take all of it: {_command(whole)}; "
                f"or the pictures alone: {_command(folder)} --format folder",
            )


def _unread_tables(folder: Path) -> list[str]:
    """Names of tables in a folder that no importer knows by their columns."""
    importer: Importer = IMPORTERS.load("csv")()
    return [name for name in _tables_by_rank(folder) if importer.sniff(folder / name) == 1]


def _dataset_below(folder: Path, formats: list[str]) -> Importer | None:
    """The importer of the one dataset that lies in a folder of this folder, or None.

    Raises:
        DatasetError: there are several.
    """
    found: list[tuple[str, Importer]] = []
    for name in _folders_in(folder):
        below = folder / name
        candidates = [IMPORTERS.load(one)() for one in formats if IMPORTERS[one].may_read(below)]
        found += [(name, one) for one in candidates if one.sniff(below) >= _SPECIFIC][:1]
    if not found:
        return None
    (name, importer), *others = found
    if others:
        raise DatasetError(
            f"{folder} holds {len(found)} datasets: {', '.join(name for name, _ in found)}",
            hint=f"say which: {', or '.join(_command(folder / name) for name, _ in found)}",
        )
    notes = (f"took the dataset {importer.name} in {name}; for the folder's pictures alone: --format folder",)
    if isinstance(importer, SplitImporter):
        return _DatasetWithin(importer, name, notes)
    return _Within(importer, name, notes)


_RANKS: Final = (3, 2, 1)
_PRODUCTS: Final = (
    "product",
    "products",
    "produkte",
    "artikel",
    "produits",
    "productos",
    "prodotti",
    "producten",
)
_PARTS: Final = (*_PRODUCTS, "catalog", "katalog", "export", "feed", "shop", "merchant", "items", "inventory")


def _rank(name: str) -> int:
    """How much the name of a table says that it is the one of the shop's products."""
    stem = name.rpartition(".")[0].casefold()
    if stem in _PRODUCTS:
        return _RANKS[0]
    return _RANKS[1] if any(part in stem for part in _PARTS) else _RANKS[2]


def _tables_by_rank(folder: Path) -> list[str]:
    """Names of files in a folder that may be tables, the most telling first; some of them."""
    try:
        with os.scandir(folder) as listing:
            names = [
                entry.name
                for entry in listing
                if entry.name.casefold().endswith(_TABLES)
                and not entry.name.startswith((".", "~$"))
                and is_text(entry.name)
                and entry.is_file()
            ]
    except OSError:
        return []
    return sorted(names, key=lambda name: (-_rank(name), name))[:N_TABLES_READ]


def _folders_in(folder: Path) -> list[str]:
    """Names of folders in a folder, sorted; some of them."""
    try:
        with os.scandir(folder) as listing:
            entries = list(itertools.islice(listing, N_NAMES_READ))
            names = [
                one.name for one in entries if not is_junk(one.name) and is_text(one.name) and one.is_dir()
            ]
    except OSError:
        return []
    return sorted(names)[:N_FOLDERS_READ]


def _command(path: Path) -> str:
    return f"stylesearch ingest {shlex.quote(str(path))}"
