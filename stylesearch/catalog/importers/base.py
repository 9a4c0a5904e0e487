"""What an importer is, and how one is chosen."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from stylesearch.catalog.importers import IMPORTERS
from stylesearch.errors import DatasetError
from stylesearch.types import Domain, Failure, Record

__all__ = ["AUTO", "UNCATEGORIZED", "ImportOptions", "Importer", "choose_importer", "readable"]

AUTO: Final = "auto"
"""The format that means: look at the input."""

UNCATEGORIZED: Final = "uncategorized"
"""The category of a product for which the source has none."""


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a user may say about a source.

    Attributes:
        domain: who took its pictures, where the source itself does not say.
        allow_outside: whether a table may name pictures outside its own folder.
    """

    domain: Domain = Domain.SHOP
    allow_outside: bool = False


class Importer(Protocol):
    """Reads one kind of source. It only lists: no picture is opened.

    Attributes:
        name: as in :data:`stylesearch.catalog.importers.IMPORTERS`.
    """

    name: str

    def sniff(self, path: Path) -> int:
        """How well it can read what is at ``path``, which exists: 0 not at all, 1 perhaps, 2 surely."""
        ...

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure]:
        """Every picture of the source, in an order that depends on nothing but the source.

        Args:
            path: of the source.
            options: what the user said about it.

        Yields:
            a record, with the picture's absolute path; or a failure for what cannot be a record, with the
            place (a path, or file and line) as its item. Pictures of a product need not follow each other.

        Raises:
            DatasetError: the source as a whole cannot be read, or has nothing in it.
        """
        ...

    def count(self, path: Path) -> int:
        """About how many records there are, for a progress bar; quick beside reading the pictures."""
        ...


def choose_importer(path: str | os.PathLike[str], format: str = AUTO) -> Importer:
    """The importer for what is at ``path``.

    Args:
        path: of the source.
        format: a name in :data:`stylesearch.catalog.importers.IMPORTERS`, or ``"auto"``: look at the source.

    Raises:
        DatasetError: nothing is there, or no importer can read it.
        UnknownName: no such format.
    """
    place = Path(path)
    names = IMPORTERS if format == AUTO else [format]
    candidates: list[Importer] = [IMPORTERS.load(name)() for name in names]
    if not place.exists():
        raise DatasetError(f"nothing is at {place}", hint="give a folder with pictures, or a CSV file")
    if format != AUTO:
        return candidates[0]
    scores = [importer.sniff(place) for importer in candidates]
    if max(scores) == 0:
        raise DatasetError(
            f"cannot tell what kind of source {place} is",
            hint=f"give a folder, or a CSV file with a header; or say which it is: {', '.join(IMPORTERS)}",
        )
    return candidates[scores.index(max(scores))]


def readable(name: str) -> str:
    """A title made from the name of a file or folder.

    Example:
        >>> readable("red_summer-dress"), readable("009b3c31-fb62-45c0"), readable("MH01-black_main")
        ('Red summer dress', '009b3c31-fb62-45c0', 'MH01 black main')
    """
    if re.fullmatch(r"(?=.*[0-9])[0-9a-fA-F]+([-_][0-9a-fA-F]+)*", name):
        return name  # a number, a hash or a UUID
    words = re.sub(r"[\s_-]+", " ", name).strip()
    return words[:1].upper() + words[1:] if words else name
