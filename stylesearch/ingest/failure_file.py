"""Writes what an ingest could not use into a CSV file, as it comes, so that none of it is held in memory."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from stylesearch.csv_cells import escape_cell
from stylesearch.errors import ConfigError
from stylesearch.types import Failure

__all__ = ["FAILURE_COLUMNS", "OnFailure", "failure_file"]

FAILURE_COLUMNS: Final = ("place", "line", "product", "image", "reason")

OnFailure = Callable[[Failure, str, str], None]
"""Takes a failure, and the product's id and the image that it is about, "" where these are not known."""

_LINE: Final = re.compile(r"(.+):([0-9]+)", re.DOTALL)


@contextlib.contextmanager
def failure_file(path: Path) -> Iterator[OnFailure]:
    """Opens a file for the failures of an ingest; an older one is replaced.

    Columns are those of ``FAILURE_COLUMNS``: the file or folder that lists what failed, its line there (of a
    feed its number), and what is known of it. What is written stays if the ingest is interrupted. Cells that
    a spreadsheet would compute have an apostrophe before them.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        file = path.open("w", encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise ConfigError(
            f"cannot write the failures to {path}: {error.strerror}",
            hint="give a file in a folder that is there",
        ) from error
    with file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(FAILURE_COLUMNS)

        def write(failure: Failure, product: str, image: str) -> None:
            found = None if failure.item == image else _LINE.fullmatch(failure.item)
            place, line = (found[1], found[2]) if found else (failure.item, "")
            writer.writerow(map(escape_cell, (place, line, product, image, failure.reason)))

        yield write
