"""The protocol of importers, options for them, and how one is chosen for a source."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from stylesearch.errors import DatasetError
from stylesearch.importers import IMPORTERS, possible_formats
from stylesearch.registry import unknown_name
from stylesearch.types import Domain, Failure, Record

__all__ = [
    "ALL_SPLITS",
    "AUTO",
    "CATEGORIES",
    "UNCATEGORIZED",
    "ImportOptions",
    "Importer",
    "Missing",
    "SplitImporter",
    "check_options",
    "choose_importer",
    "count_listed",
    "title_from_name",
]

AUTO: Final = "auto"
"""Name of the format that is found by looking at the source."""

UNCATEGORIZED: Final = "uncategorized"
"""The category of a product for which the source has none."""

ALL_SPLITS: Final = "all"
"""Name that stands for every split."""

CATEGORIES: Final = ("own", "study2018")
"""Ways to file a dataset's products: by its own categories, or by the groups of the study of 2018."""

_RENAMED_CATEGORIES: Final = {"seed": "study2018"}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options for reading a source.

    Attributes:
        domain: who took its images, where the source itself does not say.
        allow_outside: whether a table may name images outside its own folder.
        splits: of a dataset: those whose images are listed; empty for all.
        gallery: of a dataset: the splits whose shop images are listed; empty for the same as ``splits``.
        categories: of a dataset: ``own``, or ``study2018`` for Dress, Skirt, upper, lower (and other);
            ``seed``, the older name of ``study2018``, is replaced by it.
    """

    domain: Domain = Domain.SHOP
    allow_outside: bool = False
    splits: tuple[str, ...] = ()
    gallery: tuple[str, ...] = ()
    categories: str = "own"

    def __post_init__(self) -> None:
        categories = _RENAMED_CATEGORIES.get(self.categories, self.categories)
        object.__setattr__(self, "categories", categories)

    @property
    def selects(self) -> bool:
        """Whether only a part of the source is wanted."""
        return bool(self.splits or self.gallery)


@dataclass(frozen=True, slots=True)
class Missing:
    """An image that a dataset lists and that is not on the disk: counted, and no failure.

    Public datasets lose images for good: a list of a hundred thousand helps nobody.

    Attributes:
        path: where it was looked for (first).
        listed_in: file and line that list it.
    """

    path: str
    listed_in: str


class Importer(Protocol):
    """Lists the images of one kind of source, without opening any.

    Attributes:
        name: as in ``stylesearch.importers.IMPORTERS``.
    """

    name: str

    def sniff(self, path: Path) -> int:
        """Tells how well it can read what is at ``path``, which exists.

        0 not at all, 1 perhaps, 2 surely, 3 surely and more closely than as just any folder.
        """
        ...

    def records(self, path: Path, options: ImportOptions) -> Iterator[Record | Failure | Missing]:
        """Every image of the source, in an order that depends on nothing but the source.

        Args:
            path: of the source.
            options: what the user said about it.

        Yields:
            a record, with the image's absolute path; or a failure for what cannot be a record, with the
            place (a path, or file and line) as its item; or, from a dataset, an image that is missing.
            Images of a product need not follow each other.

        Raises:
            DatasetError: the source as a whole cannot be read, or has nothing in it.
        """
        ...

    def count(self, path: Path) -> int:
        """About how many records there are, for a progress bar; quick beside reading the images."""
        ...


@runtime_checkable
class SplitImporter(Importer, Protocol):
    """Reads a dataset that comes in splits, of which only some may be wanted.

    Attributes:
        splits: their names, as the dataset writes them.
    """

    splits: tuple[str, ...]

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """About how many records there are with these options (None: all)."""
        ...


def check_options(importer: Importer, options: ImportOptions) -> None:
    """Refuses options that the importer cannot follow.

    Raises:
        DatasetError: it knows no splits, or no other categories.
        UnknownName: it has no such split, or there are no such categories.
    """
    if options.categories not in CATEGORIES:
        raise unknown_name("way to group products", options.categories, dict.fromkeys(CATEGORIES))
    if isinstance(importer, SplitImporter):
        known = dict.fromkeys((*importer.splits, ALL_SPLITS))
        for name in (*options.splits, *options.gallery):
            if name not in known:
                raise unknown_name(f"split of {importer.name}", name, known)
    elif options.selects or options.categories != "own":
        raise DatasetError(
            f"a source of the format {importer.name!r} has no splits and no other categories to choose from",
            hint="--split, --gallery and --categories are for datasets: see --format",
        )


def count_listed(importer: Importer, path: Path, options: ImportOptions) -> int:
    """About how many records the importer will list with these options."""
    return importer.count(path, options) if isinstance(importer, SplitImporter) else importer.count(path)


def choose_importer(path: str | os.PathLike[str], format: str = AUTO) -> Importer:
    """The importer for what is at ``path``.

    Args:
        path: of the source.
        format: a name in ``stylesearch.importers.IMPORTERS``, or ``"auto"``: look at the source.

    Raises:
        DatasetError: nothing is there, or no importer can read it.
        UnknownName: no such format.
    """
    place = Path(path)
    names = possible_formats(place) if format == AUTO else [format]
    candidates: list[Importer] = [IMPORTERS.load(name)() for name in names]
    if not place.exists():
        raise DatasetError(f"nothing is at {place}", hint="give a folder with pictures, or a CSV file")
    if format != AUTO:
        return candidates[0]
    scores = [importer.sniff(place) for importer in candidates]
    if max(scores, default=0) == 0:
        raise DatasetError(
            f"cannot tell what kind of source {place} is",
            hint="give a folder, or a CSV file with a header; or say which it is: "
            f"--format with one of {', '.join(IMPORTERS)}",
        )
    return candidates[scores.index(max(scores))]


def title_from_name(name: str) -> str:
    """A title made from the name of a file or folder.

    Example:
        >>> [title_from_name(name) for name in ("red_summer-dress", "009b3c31-fb62-45c0", "MH01-black_main")]
        ['Red summer dress', '009b3c31-fb62-45c0', 'MH01 black main']
    """
    if re.fullmatch(r"(?=.*[0-9])[0-9a-fA-F]+([-_][0-9a-fA-F]+)*", name):
        return name  # a number, a hash or a UUID
    words = re.sub(r"[\s_-]+", " ", name).strip()
    return words[:1].upper() + words[1:] if words else name
