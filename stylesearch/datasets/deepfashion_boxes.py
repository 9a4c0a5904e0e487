"""Telling the DeepFashion benchmarks apart, and their optional file of boxes."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Sequence
from pathlib import Path

from stylesearch.datasets.annotations import Boxes, find_file, read_boxes, rows
from stylesearch.errors import DatasetError
from stylesearch.types import Failure

__all__ = ["DatasetWarning", "boxes_of", "knows_header"]


class DatasetWarning(UserWarning):
    """A dataset that can be read, but not all of it is there."""


def knows_header(root: Path, names: Sequence[str], columns: Sequence[str]) -> bool:
    """Whether the first of these files that is there has these columns."""
    if not root.is_dir():
        return False
    try:
        next(rows(find_file(root, names), columns), None)
    except DatasetError:
        return False
    return True


def boxes_of(
    root: Path, names: Sequence[str], columns: Sequence[str], n_kinds: int
) -> Generator[Failure, None, Boxes | None]:
    """The boxes of a benchmark, None where it has no file of them; see :func:`read_boxes`.

    Warns:
        DatasetWarning: there is no such file.
    """
    present = [root / name for name in names if (root / name).is_file()]
    if not present:
        warnings.warn(
            f"no {names[0]} in {root}: pictures are taken whole, without boxes", DatasetWarning, stacklevel=2
        )
        return None
    return (yield from read_boxes(present[0], columns, n_kinds))
