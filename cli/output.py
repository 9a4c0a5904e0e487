"""How commands print: plain tables that fit the terminal, and JSON."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

import click

__all__ = ["echo_json", "echo_table"]

GAP = "  "


def echo_json(value: Any, *, indent: int | None = None) -> None:
    """Prints ``value`` as JSON on stdout: one line, unless ``indent`` is given."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def echo_table(
    headings: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = (), shrink: str = ""
) -> None:
    """Prints rows under headings, columns aligned.

    Args:
        headings: one a column.
        rows: cells in the order of the headings; None prints as nothing.
        right: headings of the columns that are aligned to the right.
        shrink: heading of the column that is cut when a line would be wider than the terminal; only done
            on a terminal, never in a pipe.
    """
    cells = [["" if cell is None else _printable(str(cell)) for cell in row] for row in rows]
    widths = [
        max([_width(heading), *(_width(row[i]) for row in cells)]) for i, heading in enumerate(headings)
    ]
    if shrink and sys.stdout.isatty():
        spare = shutil.get_terminal_size().columns - sum(widths) - len(GAP) * (len(widths) - 1)
        column = list(headings).index(shrink)
        widths[column] = max(12, widths[column] + min(0, spare))
    for line in (list(headings), *cells):
        aligned = [
            _pad(_cut(cell, width), width, heading in right)
            for cell, width, heading in zip(line, widths, headings, strict=True)
        ]
        click.echo(GAP.join(aligned).rstrip())


def _printable(text: str) -> str:
    """Control characters (a title may hold anything) as blanks, so that no cell moves the cursor."""
    return "".join(" " if unicodedata.category(letter) == "Cc" else letter for letter in text)


def _width(text: str) -> int:
    """Columns that ``text`` takes on a terminal: wide East Asian letters take two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    kept = ""
    for letter in text:
        if _width(kept + letter) > width - 1:
            break
        kept += letter
    return kept + "…"


def _pad(text: str, width: int, to_the_right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if to_the_right else text + blanks
