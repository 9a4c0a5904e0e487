"""The protocol of importers, and their options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Protocol, Self, runtime_checkable

from stylesearch.errors import ConfigError, DatasetError
from stylesearch.listing import Record, Unpictured, Withdrawn
from stylesearch.registry import unknown_name
from stylesearch.types import Domain, Failure

__all__ = [
    "ALL_SPLITS",
    "AUTO",
    "CATEGORIES",
    "ColumnsNote",
    "ImportOptions",
    "Importer",
    "LayoutImporter",
    "Listed",
    "Misread",
    "Missing",
    "Note",
    "SplitImporter",
    "check_options",
    "count_listed",
    "title_from_name",
]

AUTO: Final = "auto"
"""Name of the format that is found by looking at the source."""

ALL_SPLITS: Final = "all"
"""Name that stands for every split."""

CATEGORIES: Final = ("own", "study2018")
"""Ways to file a dataset's products: by its own categories, or by the groups of the study of 2018."""

_RENAMED_CATEGORIES: Final = {"seed": "study2018"}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options for reading a source.

    Attributes:
        domain: who took its images, where the source does not say.
        allow_outside: whether a table may name images outside its own folder.
        layout: of a folder, what its levels are (``category/product/image``); "" or ``auto`` to look at it.
        layout_found: whether an earlier run found the layout by looking, rather than a user gave it.
        roles: of a folder without a layout, what its folders are, as an earlier run found: names by role, by
            the path of the place that they are in.
        sheet: of a workbook, the name of the sheet that is read; "" for those that have the same columns as
            the first whose columns are known.
        columns: of a table, columns by field, as ``--map`` gives them: ``{"title": "Bezeichnung", "id":
            "style+colour"}``.
        variants: ``together`` for one product with variants, ``separate`` for a product of each.
        currency: ISO 4217 code of prices that are written without one.
        unpublished: whether products are listed that the shop does not show its customers.
        sold_out: whether products are listed that cannot be bought now.
        media_root: folder or URL that relative paths of images start from; "" for the table's folder.
        splits: the splits of a dataset whose images are listed; empty for all.
        gallery: the splits of a dataset whose shop images are listed; empty for the same as ``splits``.
        categories: the categories of a dataset's products: ``own``, or ``study2018`` for Dress, Skirt, upper,
            lower (and other); ``seed``, the older name of ``study2018``, is replaced by it.
    """

    domain: Domain = Domain.SHOP
    allow_outside: bool = False
    layout: str = ""
    layout_found: bool = False
    roles: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    sheet: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    variants: str = "together"
    currency: str = ""
    unpublished: bool = False
    sold_out: bool = True
    media_root: str = ""
    splits: tuple[str, ...] = ()
    gallery: tuple[str, ...] = ()
    categories: str = "own"

    def __post_init__(self) -> None:
        categories = _RENAMED_CATEGORIES.get(self.categories, self.categories)
        object.__setattr__(self, "categories", categories)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Options of JSON values by name, as they are kept with a source; what is not among them is left.

        Raises:
            ConfigError: no such domain.
        """
        names = {one.name for one in fields(cls)}
        known = {name: value for name, value in values.items() if name in names}
        if "domain" in known:
            try:
                known["domain"] = Domain(known["domain"])
            except ValueError:
                raise ConfigError(
                    f"a domain is {' or '.join(Domain)}. Received: {known['domain']!r}"
                ) from None
        return cls(**known)

    @property
    def selects(self) -> bool:
        """Whether only a part of the source is selected."""
        return bool(self.splits or self.gallery)


@dataclass(frozen=True, slots=True)
class Missing:
    """An image that a dataset lists and that is not on the disk: counted, and no failure.

    Public datasets lose images for ever, so a list of a hundred thousand would not help.

    Attributes:
        path: the first path that was tried.
        listed_in: file and line that list it.
    """

    path: str
    listed_in: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a source as a whole that its owner should know: what was assumed, what was left out.

    Attributes:
        text: one sentence, without a full stop.
    """

    text: str


@dataclass(frozen=True, slots=True)
class ColumnsNote(Note):
    """Which column of a table became which field: for those who look closely, at a new source above all."""


Listed = Record | Unpictured | Withdrawn | Failure | Missing | Note
"""What an importer yields."""


class Importer(Protocol):
    """Lists the images of one kind of source, without opening any.

    Attributes:
        name: as in ``stylesearch.importers.IMPORTERS``.
    """

    name: str

    def sniff(self, path: Path) -> int:
        """Rates how well it can read ``path``, which exists.

        0 not at all, 1 perhaps, 2 certainly, 3 certainly and as a more specific format than a plain folder.
        """
        ...

    def records(self, path: Path, options: ImportOptions) -> Iterator[Listed]:
        """Lists every image of the source, in an order that depends only on the source.

        Args:
            path: path of the source.
            options: options for reading the source.

        Yields:
            a record, with the image's absolute path; or a failure for an entry that is not a valid record,
            with its place (a path, or file and line) as the item; or a product without a usable picture; or,
            from a dataset, a missing image; or a note. Images of a product need not follow each other.

        Raises:
            DatasetError: the source as a whole cannot be read, or is empty.
        """
        ...

    def count(self, path: Path) -> int:
        """Estimates the number of records, for a progress bar; much quicker than reading the images."""
        ...


@runtime_checkable
class SplitImporter(Importer, Protocol):
    """An importer of a dataset with splits, of which only some may be selected.

    Attributes:
        splits: names of the splits, as the dataset writes them.
    """

    splits: tuple[str, ...]

    def count(self, path: Path, options: ImportOptions | None = None) -> int:
        """Estimates the number of records with these options (None: all)."""
        ...


@dataclass(frozen=True, slots=True)
class Misread:
    """Folders of one place that are read by a layout, and look like something else.

    Attributes:
        place: path of the place, "" for the root.
        folders: paths of some of the folders.
        read_as, looks_like: their role by the layout, and by looking at them.
        layout: the layout by which they would be read as they look.
    """

    place: str
    folders: tuple[str, ...]
    read_as: str
    looks_like: str
    layout: str


@runtime_checkable
class LayoutImporter(Importer, Protocol):
    """An importer that finds out what the levels of a folder are."""

    def find_reading(self, path: Path, options: ImportOptions) -> Mapping[str, Any]:
        """Finds the fields of ``ImportOptions`` with which later runs read ``path`` as it is read now."""
        ...

    def find_misread(self, path: Path, layout: str) -> Iterator[Misread]:
        """Finds what looks otherwise than a layout says that an earlier run has found."""
        ...


def check_options(importer: Importer, options: ImportOptions) -> None:
    """Refuses options that the importer does not support.

    Raises:
        DatasetError: it has no splits, or no other categories; or the currency is no code.
        UnknownName: no such split or categories.
    """
    if options.currency and not re.fullmatch("[A-Za-z]{3}", options.currency):
        raise DatasetError(
            f"a currency is a code of three letters. Received: {options.currency!r}",
            hint="give one of ISO 4217: EUR, USD, GBP, CHF",
        )
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
    """Estimates the number of records that the importer will list with these options."""
    return importer.count(path, options) if isinstance(importer, SplitImporter) else importer.count(path)


def title_from_name(name: str) -> str:
    """Makes a title from the name of a file or folder.

    Example:
        >>> [title_from_name(name) for name in ("red_summer-dress", "009b3c31-fb62-45c0", "MH01-black_main")]
        ['Red summer dress', '009b3c31-fb62-45c0', 'MH01 black main']
    """
    if re.fullmatch(r"(?=.*[0-9])[0-9a-fA-F]+([-_][0-9a-fA-F]+)*", name):
        return name  # a number, a hash or a UUID
    words = re.sub(r"[\s_-]+", " ", name).strip()
    return words[:1].upper() + words[1:] if words else name
