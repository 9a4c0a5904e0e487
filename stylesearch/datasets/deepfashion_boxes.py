"""Telling the DeepFashion benchmarks apart, and their optional file of boxes."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from stylesearch.datasets.annotations import Boxes, find_file, read_boxes, rows
from stylesearch.datasets.listing import Listed
from stylesearch.errors import DatasetError
from stylesearch.types import Failure

__all__ = ["DatasetWarning", "knows_header", "with_boxes"]


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


def with_boxes(
    entries: Iterable[Listed | Failure],
    root: Path,
    names: Sequence[str],
    columns: Sequence[str],
    n_kinds: int,
) -> Iterator[Listed | Failure]:
    """Entries of a benchmark with the boxes of their pictures, where it has a file of them.

    Args:
        entries: read after the boxes, of which what cannot be read comes first.
        root: of the benchmark.
        names: under which the file of boxes may lie there.
        columns: of the file.
        n_kinds: see :func:`read_boxes`.

    Warns:
        DatasetWarning: there is no such file.
    """
    boxes = yield from _boxes_of(root, names, columns, n_kinds)
    for entry in entries:
        if isinstance(entry, Listed) and boxes is not None:
            yield replace(entry, box=boxes.get(entry.file))
        else:
            yield entry


def _boxes_of(
    root: Path, names: Sequence[str], columns: Sequence[str], n_kinds: int
) -> Generator[Failure, None, Boxes | None]:
    present = [root / name for name in names if (root / name).is_file()]
    if not present:
        warnings.warn(
            f"no {names[0]} in {root}: pictures are taken whole, without boxes", DatasetWarning, stacklevel=3
        )
        return None
    return (yield from read_boxes(present[0], columns, n_kinds))
