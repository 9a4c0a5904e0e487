"""Reads and writes files that map the categories of a shop to those that are searched in.

As CSV (with commas, semicolons or tabs), the columns ``shop_category`` and ``category``, and others, which
are not read; a row with an empty ``category`` takes a mapping back. As TOML or JSON, one table:
``"Kleider" = "Dresses"``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from stylesearch.csv_cells import escape_cell, unescape_cell
from stylesearch.data_files import parse_json, parse_toml, read_text
from stylesearch.errors import DatasetError

if TYPE_CHECKING:
    from stylesearch.workspace.category_names import MappedCategory

__all__ = ["read_category_file", "write_category_file"]

COLUMNS: Final = ("shop_category", "category")
FURTHER: Final = ("searched_in", "products")
_HINT: Final = "`stylesearch categories map` prints a file to begin with"


def read_category_file(path: Path) -> dict[str, str]:
    """Reads categories by the shop's own.

    Args:
        path: a file that ends in ``.toml`` or ``.json``; any other is read as CSV.

    Raises:
        DatasetError: it cannot be read, has no such columns, or says two things of one category.
    """
    try:
        text = read_text(path)
        if path.suffix.lower() == ".toml":
            return _check_table(parse_toml(text), path)
        if path.suffix.lower() == ".json":
            return _check_table(parse_json(text), path)
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}", hint=_HINT) from error
    except ValueError as error:
        raise DatasetError(f"{path}: {error}", hint=_HINT) from error
    return _read_rows(text, path)


def write_category_file(rows: Iterable[MappedCategory], file: IO[str]) -> None:
    """Writes categories as CSV, with what they are mapped to."""
    writer = csv.writer(file)
    writer.writerow((*COLUMNS, *FURTHER))
    for one in rows:
        texts = (one.shop_category, one.category, one.searched_in)
        writer.writerow([*map(escape_cell, texts), one.products])


def _read_rows(text: str, path: Path) -> dict[str, str]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    reader.fieldnames = [name.strip().casefold() for name in reader.fieldnames or ()]
    if missing := [name for name in COLUMNS if name not in reader.fieldnames]:
        raise DatasetError(
            f"{path}: no column {missing[0]!r} in the first line. Received: {first}", hint=_HINT
        )
    found: dict[str, str] = {}
    for row in reader:
        name, category = (unescape_cell((row[column] or "").strip()) for column in COLUMNS)
        if not name and not category:
            continue
        if found.get(name, category) != category:
            raise DatasetError(
                f"{path}:{reader.line_num}: {name!r} is mapped to {found[name]!r} before, "
                f"here to {category!r}",
                hint="leave one of the rows",
            )
        found[name] = category
    return found


def _check_table(table: Any, path: Path) -> dict[str, str]:
    if not isinstance(table, dict) or not all(isinstance(one, str) for one in table.values()):
        raise DatasetError(f'{path}: a table of texts is expected, as in "Kleider" = "Dresses"', hint=_HINT)
    return table
