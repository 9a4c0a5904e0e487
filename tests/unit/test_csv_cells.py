"""Cells that a spreadsheet would compute are escaped, and only those; reading gives every cell again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylesearch.csv_cells import escape_cell, unescape_cell


@pytest.mark.parametrize(
    "cell",
    ["=HYPERLINK(1)", "+49 30 1234", "-x", "@sum", "\tx", "\rx", "\nx", "＝1", "-", "-1+1", "'=1", "''@"],
)
def test_what_would_be_computed_gets_an_apostrophe(cell: str) -> None:
    assert escape_cell(cell) == f"'{cell}"
    assert unescape_cell(f"'{cell}") == cell


@pytest.mark.parametrize("cell", ["", "19.90", "-19.90", "+3", "-1,299.00", "'tis", "''", "a=b", "19.90 EUR"])
def test_numbers_and_other_texts_stay(cell: str) -> None:
    assert escape_cell(cell) == cell
    assert unescape_cell(cell) == cell


@given(st.text(alphabet="'=+-@\t\r1.a ", max_size=8))
def test_reading_gives_every_cell_again(cell: str) -> None:
    assert unescape_cell(escape_cell(cell)) == cell


OWN_TEXTS = {"benchmarks/learned.py", "stylesearch/drawn_shop/writer.py", "stylesearch/training/history.py"}
"""Modules that write CSV of numbers, or of the drawn shop's own words."""


def test_whoever_writes_csv_escapes_cells() -> None:
    root = Path(__file__).parents[2]
    paths = [path for top in ("stylesearch", "cli", "benchmarks") for path in (root / top).rglob("*.py")]
    writing = {
        path.relative_to(root).as_posix()
        for path in paths
        if re.search(r"csv\.(?:writer|DictWriter)\(", text := path.read_text("utf-8"))
        and "escape_cell" not in text
    }
    assert writing == OWN_TEXTS
