"""Reads any table with a header: one row for each product, picture or variant.

- What a column is about is found by its name, in seven languages (``aliases``), or said by the user
  (``ImportOptions.columns``). Every other column that has a name is an attribute of the product.
- A table has a column for ids or one for pictures. Without ids every row is a product, and the path of its
  picture is the id. Where there are ids, each must be filled in: one that was forgotten is not guessed.
- With a column for the group (the parent), rows of one group are variants of one product, whose id it is.
  Columns for color and size are then options, and else attributes.
- A column that is missing says nothing, an empty cell that the field is empty.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from stylesearch.errors import DatasetError
from stylesearch.importers.base import ColumnsNote, ImportOptions, Note
from stylesearch.importers.tables.aliases import (
    FIELDS,
    find_field,
    is_more_images,
    may_be_id,
    price_currency,
)
from stylesearch.importers.tables.cells import make_options, read_category, read_shown, read_stock
from stylesearch.importers.tables.exported import take_exported
from stylesearch.importers.tables.items import BadRow, Item, Picture, Table, TableRow, plain_name
from stylesearch.importers.tables.pictures import split_pictures
from stylesearch.importers.tables.prices import choose_price
from stylesearch.importers.tables.unread import UnreadCells
from stylesearch.listing import ATTRIBUTE
from stylesearch.types import Box, Domain, Variant

__all__ = ["PlainTable"]

_JOINTS: Final = {"category": " > ", "title": " "}
"""What is put between columns that are joined to one field; a hyphen for others."""

_BARE_NUMBER: Final = re.compile(r"[\d\s.,'’]+")
_APOSTROPHE: Final = re.compile(r"^'(?=\d)")
"""What keeps spreadsheets from reading an id as a number."""

_OPTIONS: Final = ("color", "size")
_NEAREST: Final = 3


_read_path = lru_cache(maxsize=4096)(read_category)  # a table has few categories


@dataclass(slots=True)
class _Columns:
    """What the columns of a table are about.

    Attributes:
        table, options: what this is made for.
        fields: columns by field, of which the texts are joined.
        images: columns of pictures.
        attributes: columns of attributes, each with the field that it says.
    """

    table: Table
    options: ImportOptions
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()

    def text(self, row: TableRow, name: str) -> str:
        """The text of a field; "" where it is empty or the table has no column for it."""
        columns = self.fields.get(name)
        if columns is None:
            return ""
        if len(columns) == 1:
            return row.text(columns[0])
        return _JOINTS.get(name, "-").join(text for column in columns if (text := row.text(column)))


class PlainTable:
    """The format of tables that are of no known shop system; see the module."""

    name = "csv"

    def __init__(self) -> None:
        self._last: _Columns | None = None
        self._unread = UnreadCells()

    def rate(self, table: Table) -> int:
        """2 with a column for pictures, 1 with ids and something about the products, else 0."""
        columns = _find_columns(table, ImportOptions())
        if columns.images:
            return 2
        return 1 if "id" in columns.fields and len(columns.fields) > 1 else 0

    def has_images(self, table: Table, options: ImportOptions) -> bool:
        """Whether the table has a column for pictures."""
        return bool(self._columns(table, options).images)

    def has_facts_only(self, table: Table, options: ImportOptions) -> bool:
        """Whether the table says too little to make new products of it: neither pictures nor titles."""
        columns = self._columns(table, options)
        return not columns.images and "title" not in columns.fields

    def told_apart(self, table: Table, options: ImportOptions) -> tuple[str, dict[str, str]]:
        """The column of the ids, and those in which rows of one id should not differ, by field.

        A table with a column for groups, or with ids of several columns, has neither: its rows are variants.
        """
        columns = self._columns(table, options)
        ids = columns.fields.get("id", ())
        if "group" in columns.fields or len(ids) != 1:
            return "", {}
        fields = {
            ATTRIBUTE + table.columns[column]: table.columns[column]
            for name in _OPTIONS
            for column in columns.fields.get(name, ())
        }
        if "price" in columns.fields:
            fields["price"] = table.columns[columns.fields["price"][0]]
        return table.columns[ids[0]], fields

    def check(self, table: Table, options: ImportOptions, path: str) -> Iterator[Note]:
        """Checks that the table can be read with these options; yields what its owner should know.

        Raises:
            DatasetError: no column for ids or pictures, or the options name one that the table has not.
        """
        columns = self._columns(table, options)
        if columns.images or "id" in columns.fields:
            yield ColumnsNote(_describe_columns(columns))
        if columns.images:
            return
        shown = ", ".join(table.columns.values())[:200] or "nothing"
        if "id" not in columns.fields:
            raise DatasetError(
                f"{path}:{table.line}: no column for the picture or the id in the header. Received: {shown}",
                hint="the first line names the columns, at least `image` or `id`; "
                "--map image=COLUMN says which one it is",
            )
        only_known = "" if "title" in columns.fields else ", and only products that are known are changed"
        yield Note(
            f"no column for pictures is in the header ({shown}), so products keep those that they have"
            f"{only_known}: --map image=COLUMN says which one it is"
        )

    def notes(self) -> Iterator[Note]:
        """Yields how many cells of the rows that were read say nothing."""
        yield from self._unread.notes()

    def read(self, row: TableRow, table: Table, options: ImportOptions) -> Item:
        columns = self._columns(table, options)
        own_id, group = (_APOSTROPHE.sub("", columns.text(row, name)) for name in ("id", "group"))
        if "id" in columns.fields and not own_id:
            raise BadRow("no id given")
        key = group or own_id
        values = make_options((name, columns.text(row, name)) for name in _OPTIONS if group)
        said = self._read_fields(row, columns)
        shown = take_exported(said)
        variant = None
        if group and (values or own_id not in ("", group)):
            variant = Variant(own_id, values, said.get("price"), said.get("in_stock"), said.get("url"))
            said |= {name: None for name in ("price", "in_stock") if name in said}
        elif not group:
            said |= {
                ATTRIBUTE + table.columns[column]: row.text(column) or None
                for name in _OPTIONS
                for column in columns.fields.get(name, ())
            }
        problem = ""
        domain, box = None, None
        try:
            domain, box = _domain(columns.text(row, "domain")), _box(columns.text(row, "box"))
        except BadRow as error:
            problem = str(error)
        if variant is not None and "color" in values:
            shown = {"color": values["color"]}
        pictures = tuple(
            Picture(locator, shown, domain, box)
            for column in columns.images
            for cell in row.cells[column]
            if cell
            for locator in split_pictures(cell)
        )
        guesses = {"title": key} if key else {}
        is_shown = read_shown(columns.text(row, "published"))
        return Item(key, said, variant, pictures, guesses=guesses, is_shown=is_shown, problem=problem)

    def _read_fields(self, row: TableRow, columns: _Columns) -> dict[str, Any]:
        fields = columns.fields
        said: dict[str, Any] = {
            name: columns.text(row, name) or None for name in ("title", "url") if name in fields
        }
        if "category" in fields:
            category = columns.text(row, "category")
            is_path = ">" in category or "»" in category
            said["category"] = (_read_path(category) if is_path else category) or None
        for column, name in columns.attributes:
            texts = [text for text in row.cells.get(column, ()) if text]
            said[name] = ", ".join(dict.fromkeys(texts)) or None
        if "price" in fields or "sale price" in fields:
            price, regular = _price(row, columns)
            said["price"] = price or None
            self._unread.check_price(price, row.line)
            if "sale price" in fields:
                said[ATTRIBUTE + "regular_price"] = regular or None
        status = columns.text(row, "published")
        if status and read_shown(status) is None:
            said[ATTRIBUTE + columns.table.columns[fields["published"][0]]] = status
        if "in stock" in fields:
            text = columns.text(row, "in stock")
            said["in_stock"] = read_stock(text)
            if text and said["in_stock"] is None:
                self._unread.add_stock(text, row.line)
                said[ATTRIBUTE + columns.table.columns[fields["in stock"][0]]] = text
        return said

    def _columns(self, table: Table, options: ImportOptions) -> _Columns:
        last = self._last
        if last is None or last.table is not table or last.options is not options:
            last = self._last = _find_columns(table, options)
        return last


def _find_columns(table: Table, options: ImportOptions) -> _Columns:
    """Finds what the columns of a table are about.

    Raises:
        DatasetError: the options name a column that the table has not, or a field that there is not.
    """
    fields, attributes = _chosen_columns(table, options.columns)
    taken = {columns[0] for columns in (*fields.values(), *attributes.values()) if len(columns) == 1}
    taken |= set(fields.get("image", ()))
    best: dict[str, tuple[int, str]] = {}
    images: list[str] = []
    for column in table.columns:
        if column in taken or (found := find_field(column)) is None:
            continue
        name, rank = found
        if name == "image" and is_more_images(column):
            images.append(column)
        elif name not in fields and (name not in best or rank < best[name][0]):
            best[name] = (rank, column)
    if "id" not in fields and "id" not in best:
        _take_as_id(table, taken, best)
    if "image" in fields:
        images = list(fields.pop("image"))
    elif "image" in best:
        images.insert(0, best.pop("image")[1])
    if "currency" in best and not {"price", "sale price"} & (fields.keys() | best.keys()):
        del best["currency"]  # an attribute like others
    fields |= {name: (column,) for name, (_, column) in best.items()}
    if "group" in fields and not {"id", *_OPTIONS} & fields.keys():
        fields["id"] = fields.pop("group")  # rows of one id are pictures of one product
    taken |= {column for columns in fields.values() for column in columns if len(columns) == 1} | set(images)
    others = [(column, ATTRIBUTE + name) for column, name in table.columns.items() if column not in taken]
    others += [(column, name) for name, columns in attributes.items() for column in columns]
    return _Columns(table, options, fields, tuple(dict.fromkeys(images)), tuple(others))


def _describe_columns(columns: _Columns) -> str:
    """Which column became which field, and which are attributes."""
    written = columns.table.columns
    found = columns.fields | ({"image": columns.images} if columns.images else {})
    fields = dict(sorted(found.items(), key=lambda item: FIELDS.index(item[0])))
    says_group = "group" in fields
    attributes = [written[name] for name, _ in columns.attributes]
    shown = [f"{name} = {' + '.join(written[column] for column in each)}" for name, each in fields.items()]
    if not says_group:
        attributes += [written[column] for name in _OPTIONS for column in fields.get(name, ())]
        shown = [one for one in shown if one.partition(" = ")[0] not in _OPTIONS]
    line = f"header in line {columns.table.line}: " if columns.table.line > 1 else ""
    return f"{line}{', '.join(shown)}; attributes: {', '.join(attributes) or 'none'}"


def _take_as_id(table: Table, taken: set[str], best: dict[str, tuple[int, str]]) -> None:
    """Takes a column as that of the ids which is called ``Artikel``, or so."""
    column = next((name for name in table.columns if name not in taken and may_be_id(name)), None)
    if column is None:
        return
    best["id"] = (0, column)
    if best.get("title", (0, ""))[1] == column:
        del best["title"]


def _chosen_columns(
    table: Table, chosen: Mapping[str, str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """The columns that the user chose, by field, and by attribute."""
    fields: dict[str, tuple[str, ...]] = {}
    attributes: dict[str, tuple[str, ...]] = {}
    for name, written in chosen.items():
        whole = plain_name(written)
        names = [written] if whole in table.columns else written.split("+")
        parts = [plain_name(part) for part in names]
        for part, as_written in zip(parts, names, strict=True):
            if part not in table.columns:
                raise _unknown_column(as_written.strip(), table.columns)
        if name.startswith(ATTRIBUTE):
            attributes[name] = tuple(parts[:1])
            continue
        plain = plain_name(name)
        known = (plain, 0) if plain in FIELDS else find_field(plain)
        if known is None:
            raise DatasetError(
                f"a table has no field {name!r} to choose a column for",
                hint=f"fields are {', '.join(FIELDS)}; {ATTRIBUTE}NAME makes an attribute of a column",
            )
        fields[known[0]] = (*fields.get(known[0], ()), *parts)
    return fields, attributes


def _unknown_column(name: str, columns: Mapping[str, str]) -> DatasetError:
    near = difflib.get_close_matches(plain_name(name), columns, n=_NEAREST, cutoff=0.5)
    suggestion = f". Did you mean {_join_names(columns[one] for one in near)}?" if near else ""
    return DatasetError(
        f"the table has no column {name!r}{suggestion}",
        hint=f"its columns are {', '.join(columns.values())[:500]}",
    )


def _join_names(names: Iterable[str]) -> str:
    return " or ".join(repr(name) for name in names)


def _price(row: TableRow, columns: _Columns) -> tuple[str, str]:
    """What customers pay, and the regular price where that is higher, each with its currency."""
    currency = columns.text(row, "currency")
    texts = []
    for name in ("price", "sale price"):
        text = columns.text(row, name)
        unit = currency or next(iter(map(price_currency, columns.fields.get(name, ()))), "")
        texts.append(f"{text} {unit}" if unit and text and _BARE_NUMBER.fullmatch(text) else text)
    if not texts[1]:
        return texts[0], ""
    return choose_price(*texts)


def _domain(text: str) -> Domain | None:
    if not text:
        return None
    try:
        return Domain(text.casefold())
    except ValueError:
        raise BadRow(f"a domain is {' or '.join(Domain)}. Received: {text!r}") from None


def _box(text: str) -> Box | None:
    if not text:
        return None
    try:
        return Box.parse(re.sub(r"\s*[,;]\s*|\s+", ",", text))
    except ValueError as error:
        raise BadRow(str(error)) from None
