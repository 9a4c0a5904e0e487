"""Escapes cells that a spreadsheet would take for formulas, and reads them back.

A spreadsheet computes what begins with ``=``, ``+``, ``-``, ``@`` (also in full width), a tab or a line end,
and so runs what somebody else has written into a title. As OWASP advises, such a cell gets an apostrophe
before it. One that begins with apostrophes before such a sign gets another, so that taking one away gives the
cell again; and a table that is escaped says so by a column of its own, so that nothing is taken from others.

The library `defusedcsv` is not used: it also puts a backslash before each pipe, which cannot be told from one
that was there, and knows no way back.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ESCAPED_COLUMN", "escape_cell", "unescape_cell"]

ESCAPED_COLUMN: Final = "stylesearch_escaped"
"""Name of a column, without values, of tables whose cells are escaped."""

_SIGNS: Final = r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
_FORMULA: Final = re.compile(rf"'*{_SIGNS}")
_ESCAPED: Final = re.compile(rf"''*{_SIGNS}")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)*")


def escape_cell(text: str) -> str:
    """Escapes a cell that would be computed; numbers stay as they are.

    Example:
        >>> [escape_cell(text) for text in ("=1+1", "-5.50", "- 20 %", "'=1", "'tis")]
        ["'=1+1", '-5.50', "'- 20 %", "''=1", "'tis"]
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def unescape_cell(text: str) -> str:
    """Takes away what ``escape_cell`` has added.

    Example:
        >>> [unescape_cell(text) for text in ("'=1+1", "-5.50", "''=1", "'tis")]
        ['=1+1', '-5.50', "'=1", "'tis"]
    """
    return text[1:] if _ESCAPED.match(text) else text
