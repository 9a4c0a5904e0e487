"""What passes between the steps of reading a table: rows as they are written, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stylesearch.importers.base import ImportOptions
from stylesearch.types import Box, Domain, Variant

__all__ = ["BadRow", "Item", "Picture", "Table", "TableFormat", "TableRow", "plain_name"]


class BadRow(Exception):
    """A row that cannot be used; the message says why and becomes a ``Failure``."""


def plain_name(name: str) -> str:
    """Makes the name of a column comparable.

    Example:
        >>> [plain_name(name) for name in ("Image Src", " image_src ", "IMAGE-SRC")]
        ['image src', 'image src', 'image src']
    """
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table, or an item of a feed.

    Attributes:
        line: the line that it begins in, or its number, from 1; for messages.
        cells: texts by ``plain_name`` of their column, without blanks around them, in Unicode's form NFC. A
            column is there if the table has it, even if the cell is empty (``("",)``); several values are of
            columns of one name, or of an element that a feed repeats.
        problem: why the row cannot be used, though its first cells can be read; else "".
    """

    line: int
    cells: Mapping[str, tuple[str, ...]]
    problem: str = ""

    def text(self, *names: str) -> str:
        """The first text that is not empty, of the first of these columns that has one; else ""."""
        for name in names:  # called for every cell of a million rows: loops are faster than a generator
            for value in self.cells.get(name, ()):
                if value:
                    return value
        return ""

    def has(self, *names: str) -> bool:
        """Whether the table has one of these columns."""
        return any(name in self.cells for name in names)


@dataclass(frozen=True, slots=True)
class Table:
    """An open table.

    Attributes:
        columns: names of the columns, as they are written, by ``plain_name``; those of a feed's first item.
        is_feed: whether rows leave out what is empty, as the items of an XML feed do.
        line: the line of the header, from 1.
        notes: what its owner should know of the file, complete when all rows were read.
    """

    columns: Mapping[str, str]
    is_feed: bool = False
    line: int = 1
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a product, as a row names it.

    Attributes:
        locator: path (relative to the table's folder or the media root) or URL, as it is written.
        options: options of the product that it shows: ``{"color": "Navy"}``.
        domain: who took it; None for the domain of the import.
        box: box around the garment, if the row has it.
    """

    locator: str
    options: Mapping[str, str] = field(default_factory=dict)
    domain: Domain | None = None
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """What one row says of a product.

    Attributes:
        key: id of the product; rows of one key are joined to one product, in their order. "" in a table
            without ids: the row is a product by itself, and its first picture's path is the id.
        said: values by field of the product, as in ``stylesearch.listing.Listing.said``; None where the
            column is there and the cell is empty. Of the rows of one product the first that says a field
            counts; ``variants``, ``in_stock`` and the lowest price are made of the variants.
        variant: the variant that the row describes; None for a row about the product as a whole.
        pictures: pictures that the row lists.
        names: further keys under which other rows mean this product: its number beside its SKU, the SKUs of
            its variants.
        guesses: as in ``Listing.guesses``.
        is_shown: whether the shop shows the product to its customers; None where the row does not say.
        is_part: whether the row only adds to a product that another row describes. A product of which only
            parts are listed is a failure of these rows, which still list it.
        problem: why the row's pictures cannot be used, though its product is listed; "" if nothing is wrong.
    """

    key: str
    said: Mapping[str, Any] = field(default_factory=dict)
    variant: Variant | None = None
    pictures: tuple[Picture, ...] = ()
    names: tuple[str, ...] = ()
    guesses: Mapping[str, str] = field(default_factory=dict)
    is_shown: bool | None = None
    is_part: bool = False
    problem: str = ""


class TableFormat(Protocol):
    """The columns of one kind of table.

    Attributes:
        name: as in ``stylesearch.importers.IMPORTERS``.
    """

    name: str

    def rate(self, table: Table) -> int:
        """Rates how well its columns fit.

        0 not at all, 1 perhaps, 2 certainly, 3 certainly and as a more specific format.
        """
        ...

    def read(self, row: TableRow, table: Table, options: ImportOptions) -> Item | None:
        """Reads one row; None for a row that says nothing of products.

        Raises:
            BadRow: it is not a valid row.
        """
        ...
