"""What every reader does alike: choose by split, look for the pictures, say where nothing was found."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from stylesearch.catalog.importers.base import ALL_SPLITS, ImportOptions, Missing
from stylesearch.catalog.importers.tree import printable
from stylesearch.errors import DatasetError
from stylesearch.types import Box, Domain, Failure, Product, Record

__all__ = ["BadEntry", "Listed", "Selection", "clipped_box", "is_file", "is_text", "located"]

MAX_FAILURES_BEFORE_ANY: Final = 1000
"""After so many broken entries and no good one it is another format, not a damaged file."""


class BadEntry(ValueError):
    """An entry of an annotation file that cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A picture of a product as the annotations have it, before anybody looked for the file.

    Attributes:
        product: what it shows.
        file: as the dataset names it.
        domain: who took it.
        place: file and line that list it.
        box: where the garment is, in the pixels that the dataset counts in.
    """

    product: Product
    file: str
    domain: Domain
    place: str
    box: Box | None = None


class Selection:
    """Which pictures are wanted: consumers' photos of some splits, shops' pictures of some.

    Example:
        >>> wanted = Selection(ImportOptions(splits=("test",), gallery=("val", "test")))
        >>> wanted.takes(["val"], Domain.SHOP), wanted.takes(["val"], Domain.CONSUMER)
        (True, False)
    """

    def __init__(self, options: ImportOptions) -> None:
        self._of = {
            Domain.CONSUMER: options.splits,
            Domain.SHOP: options.gallery or options.splits,
        }

    def takes(self, names: Container[str], domain: Domain) -> bool:
        """Whether a picture is wanted whose split goes by any of these names."""
        wanted = self._of[domain]
        return not wanted or ALL_SPLITS in wanted or any(name in names for name in wanted)


def located(
    entries: Iterable[Listed | Failure], find: Callable[[Listed], Record | str], source: str
) -> Iterator[Record | Failure | Missing]:
    """Looks for the file of each entry.

    Args:
        entries: what the annotations list.
        find: gives the record, or the path where the file should have been.
        source: the dataset's folder, for messages.

    Raises:
        DatasetError: nothing was listed; not one of the files is there; nothing but broken entries; or the
            folder's own path is not text.
    """
    if not is_text(source):
        raise DatasetError(f"the path of the folder is not valid UTF-8: {printable(source)}")
    n_found = n_missing = n_failed = 0
    example = ""
    for entry in entries:
        if isinstance(entry, Failure):
            n_failed += 1
            if n_failed >= MAX_FAILURES_BEFORE_ANY and not (n_found or n_missing):
                raise DatasetError(
                    f"{source}: the first {n_failed:,} entries cannot be read; "
                    f"the last of them is {entry.item}: {entry.reason}",
                    hint="is it another dataset, or another version of it?",
                )
            yield entry
            continue
        found = find(entry)
        if isinstance(found, Record):
            n_found += 1
            yield found
        else:
            n_missing += 1
            example = example or f"{found} ({entry.place})"
            yield Missing(found, entry.place)
    if n_found:
        return
    if n_missing:
        raise DatasetError(
            f"{source}: not one of the {n_missing:,} pictures that the annotations list is there. "
            f"Missing for example: {example}",
            hint="docs/datasets.md says where the pictures go",
        )
    if not n_failed:
        raise DatasetError(
            f"{source}: the annotations list no picture of what was asked for",
            hint="look at --split and --gallery",
        )


def clipped_box(x0: float, y0: float, x1: float, y1: float) -> Box:
    """A box in whole pixels, with what lies left of or above the picture cut away.

    Example:
        >>> clipped_box(-3, 2.4, 10, 20)
        Box(x0=0, y0=2, x1=10, y1=20)

    Raises:
        BadEntry: it is empty or upside down.
    """
    try:
        return Box(max(round(x0), 0), max(round(y0), 0), round(x1), round(y1))
    except (ValueError, OverflowError):
        raise BadEntry(f"a box with nothing in it. Received: {x0:g},{y0:g},{x1:g},{y1:g}") from None


def is_file(path: str) -> bool:
    """Whether a file is there; False as well for names that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113 - hundreds of thousands of them: no Path for each


def is_text(name: str) -> bool:
    """Whether a name from the file system is valid text, which alone a database stores."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
